//! JSONPath (RFC 9535), parsed by jsonpath-rust when a file is read.
//!
//! So far only queries of names and indexes, which select one value or none, and of names, indexes
//! and `*`, which select members without looking at their values.

use jsonpath_rust::parser::model::{Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use serde_json::Value;
use thiserror::Error;

use crate::yaml::{Fault, Faults, Node, Read};

/// One step of a singular query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of an object.
    Name(String),
    /// The element of an array, from 0.
    Index(usize),
}

/// A query that selects at most one value: `$.data.token`, `$['a'][0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingularQuery {
    text: String,
    steps: Vec<Step>,
}

/// Why a text is no singular query.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SelectorFault {
    /// Not RFC 9535.
    #[error("this is not a JSONPath")]
    Syntax,
    /// It could select more than one value, or counts from the end.
    #[error("this JSONPath does not name exactly one place")]
    NotSingular,
    /// It looks at values, goes to any depth, or selects the whole document.
    #[error("this JSONPath is not made of names, indexes and `*`")]
    NotMembers,
}

impl SingularQuery {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, SelectorFault> {
        let query = parse_json_path(text).map_err(|_| SelectorFault::Syntax)?;
        let steps: Option<Vec<Step>> = query.segments.iter().map(singular).collect();
        let steps = steps.ok_or(SelectorFault::NotSingular)?;
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The steps from the root to the value.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// One step of a [`MemberQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    One(Step),
    All,
}

/// A query of names, indexes and `*`, which selects members without looking at their values:
/// `$.details[*].variables.id_card`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberQuery {
    text: String,
    steps: Vec<Reach>,
}

impl MemberQuery {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, SelectorFault> {
        let query = parse_json_path(text).map_err(|_| SelectorFault::Syntax)?;
        let reach = |segment: &Segment| match segment {
            Segment::Selector(Selector::Wildcard) => Some(Reach::All),
            segment => singular(segment).map(Reach::One),
        };
        let steps: Option<Vec<Reach>> = query.segments.iter().map(reach).collect();
        let steps = steps
            .filter(|steps| !steps.is_empty())
            .ok_or(SelectorFault::NotMembers)?;
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the two can select the same value, or one of them a value inside one of the other's.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.steps
            .iter()
            .zip(&other.steps)
            .all(|(one, two)| one == two || *one == Reach::All || *two == Reach::All)
    }

    /// Hands every selected value to `change`, and stops at the first error.
    pub fn try_change<E>(
        &self,
        document: &mut Value,
        change: &mut impl FnMut(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        visit(document, &self.steps, change)
    }
}

impl MemberQuery {
    /// Takes every selected value out of a document.
    pub fn remove(&self, document: &mut Value) {
        if let Some((last, before)) = self.steps.split_last() {
            let mut drop_from = |value: &mut Value| {
                drop_member(value, last);
                Ok::<(), std::convert::Infallible>(())
            };
            let Ok(()) = visit(document, before, &mut drop_from);
        }
    }
}

fn drop_member(value: &mut Value, step: &Reach) {
    match (step, value) {
        (Reach::One(Step::Name(name)), Value::Object(members)) => {
            members.shift_remove(name);
        }
        (Reach::One(Step::Index(index)), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
        }
        (Reach::All, Value::Object(members)) => members.clear(),
        (Reach::All, Value::Array(items)) => items.clear(),
        _ => {}
    }
}

fn visit<E>(
    value: &mut Value,
    steps: &[Reach],
    change: &mut impl FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    let Some((first, rest)) = steps.split_first() else {
        return change(value);
    };
    match (first, value) {
        (Reach::One(Step::Name(name)), Value::Object(members)) => members
            .get_mut(name)
            .map_or(Ok(()), |member| visit(member, rest, change)),
        (Reach::One(Step::Index(index)), Value::Array(items)) => items
            .get_mut(*index)
            .map_or(Ok(()), |item| visit(item, rest, change)),
        (Reach::All, Value::Array(items)) => items
            .iter_mut()
            .try_for_each(|item| visit(item, rest, change)),
        (Reach::All, Value::Object(members)) => members
            .values_mut()
            .try_for_each(|member| visit(member, rest, change)),
        _ => Ok(()),
    }
}

impl Read for MemberQuery {
    const EXAMPLE: &'static str = "$.details[*].variables.id_card";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        Self::parse(&text)
            .map_err(|fault| {
                faults.push(
                    Fault::at(node, fault.to_string())
                        .help(format!("write names, indexes and `*`: `{}`", Self::EXAMPLE)),
                );
            })
            .ok()
    }
}

fn singular(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Selector(Selector::Name(name)) => Some(Step::Name(unquoted(name).to_owned())),
        Segment::Selector(Selector::Index(index)) => usize::try_from(*index).ok().map(Step::Index),
        _ => None,
    }
}

/// The parser keeps the quotes of a bracketed name.
fn unquoted(name: &str) -> &str {
    let inner = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"')).unwrap_or(name)
}

impl Read for SingularQuery {
    const EXAMPLE: &'static str = "$.data.token";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        match Self::parse(&text) {
            Ok(query) => Some(query),
            Err(fault) => {
                faults.push(
                    Fault::at(node, fault.to_string())
                        .help("write `$`, then `.name` or `[0]` for each level: `$.data.token`"),
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> MemberQuery {
        MemberQuery::parse(text).unwrap()
    }

    #[test]
    fn members_are_changed_where_they_are() {
        let mut document = serde_json::json!({"a": [{"x": 1}, {"y": 2}, {"x": null}], "x": 3});
        let mut seen = Vec::new();
        let changed = members("$.a[*].x").try_change(&mut document, &mut |value| {
            seen.push(value.take());
            Ok::<_, ()>(())
        });
        assert_eq!(changed, Ok(()));
        assert_eq!(seen, [serde_json::json!(1), Value::Null]);
        assert_eq!(document["x"], 3);
        for text in ["$", "$..a", "$.a[?@.b]", "$['a','b']", "$[-1]", "$[0:2]"] {
            let fault = MemberQuery::parse(text).unwrap_err();
            assert_eq!(fault, SelectorFault::NotMembers, "{text}");
        }
    }

    #[test]
    fn overlapping_queries_are_known() {
        for (one, two, expected) in [
            ("$.a", "$.a", true),
            ("$.a", "$.a.b", true),
            ("$.*", "$.a.b", true),
            ("$.a[*].x", "$.a[0].x", true),
            ("$.a[0].x", "$.a[1].x", false),
            ("$.a.b", "$.a.c", false),
        ] {
            assert_eq!(
                members(one).overlaps(&members(two)),
                expected,
                "{one} {two}"
            );
            assert_eq!(
                members(two).overlaps(&members(one)),
                expected,
                "{two} {one}"
            );
        }
    }

    #[test]
    fn only_queries_for_one_place_are_taken() {
        for text in ["$.a", "$['a b'].c[0]", "$[\"x\"]", "$"] {
            assert!(SingularQuery::parse(text).is_ok(), "{text}");
        }
        for text in ["$..a", "$.*", "$[1:2]", "$[-1]", "$.a[?@.b]", "$['a','b']"] {
            assert_eq!(
                SingularQuery::parse(text),
                Err(SelectorFault::NotSingular),
                "{text}"
            );
        }
        for text in ["", "a", "$.", "$[", "data.token"] {
            assert_eq!(
                SingularQuery::parse(text),
                Err(SelectorFault::Syntax),
                "{text}"
            );
        }
    }
}
