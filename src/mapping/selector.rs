//! JSONPath (RFC 9535), parsed by jsonpath-rust when a file is read.
//!
//! So far only singular queries of names and indexes, which select one value or none.

use jsonpath_rust::parser::model::{Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
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
