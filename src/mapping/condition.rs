//! Conditions: what must hold for a check, a step, an arm or a reply.

use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::expr::{Expr, Halt, Means};
use super::function::Tables;
use super::path::{Fuel, compare_numbers};
use super::pattern::Pattern;
use super::scalar::text_of;
use crate::yaml::{Fault, Faults, Node, Read as _, Value, meant};

/// Something that holds or does not.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The value is there, not empty, and not `false`.
    Given(Expr),
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds at least.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// Two values are the same, compared in constant time.
    Equal(Expr, Expr),
    /// A value is one of a list.
    In(Expr, Expr),
    /// A number is not less than another.
    AtLeast(Expr, Expr),
    /// A number is less than another.
    Below(Expr, Expr),
    /// A text fits a pattern.
    Matches(Expr, Pattern),
    /// A value is a list.
    IsList(Expr),
}

/// The conditions with a name, and what each means.
pub const CONDITIONS: &[(&str, &str)] = &[
    ("all", "every one of a list holds"),
    ("any", "at least one of a list holds"),
    ("not", "the one under it does not hold"),
    (
        "equal",
        "two values are the same, as texts and in constant time: `[$.body.key, $.secrets.key]`",
    ),
    (
        "in",
        "a value is one of a list: `[$.vars.state, $.settings.STATES]`",
    ),
    (
        "at_least",
        "a number is not less than another: `[$.vars.debt, 10000]`",
    ),
    ("below", "a number is less than another"),
    (
        "matches",
        "a text fits a regular expression, as a whole: `[$.body.zip, '[0-9]{5}']`",
    ),
    ("is_list", "a value is a list"),
];

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, means: &Means<'_>, fuel: &mut Fuel) -> Result<bool, Halt> {
        Ok(match self {
            Self::Given(expr) => expr.is_given(means, fuel)?,
            Self::All(of) => {
                for one in of {
                    if !one.holds(means, fuel)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Any(of) => {
                for one in of {
                    if one.holds(means, fuel)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(one) => !one.holds(means, fuel)?,
            Self::Equal(one, two) => match (one.look(means, fuel)?, two.look(means, fuel)?) {
                (Some(one), Some(two)) => same(&one, &two),
                _ => false,
            },
            Self::In(one, list) => match (one.look(means, fuel)?, list.look(means, fuel)?) {
                (Some(one), Some(list)) => list
                    .as_array()
                    .is_some_and(|list| list.iter().any(|item| same(&one, item))),
                _ => false,
            },
            Self::AtLeast(one, two) => {
                order(one, two, means, fuel)?.is_some_and(std::cmp::Ordering::is_ge)
            }
            Self::Below(one, two) => {
                order(one, two, means, fuel)?.is_some_and(std::cmp::Ordering::is_lt)
            }
            Self::IsList(one) => one.look(means, fuel)?.is_some_and(|value| value.is_array()),
            Self::Matches(one, pattern) => {
                let value = one.look(means, fuel)?;
                let text = value.as_deref().and_then(text_of);
                text.is_some_and(|text| pattern.fits(&text))
            }
        })
    }

    /// Hands over every expression in it.
    pub fn walk<'e>(&'e self, told: &mut dyn FnMut(&'e Expr)) {
        match self {
            Self::Given(one) | Self::Matches(one, _) | Self::IsList(one) => one.walk(told),
            Self::All(of) | Self::Any(of) => of.iter().for_each(|one| one.walk(told)),
            Self::Not(one) => one.walk(told),
            Self::Equal(one, two)
            | Self::In(one, two)
            | Self::AtLeast(one, two)
            | Self::Below(one, two) => {
                one.walk(told);
                two.walk(told);
            }
        }
    }

    /// Reads a condition.
    pub fn read(node: &Node, tables: &Tables, faults: &Faults) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return Expr::read(node, tables, faults).map(Self::Given);
        };
        let [(key, under)] = entries.as_slice() else {
            return Expr::read(node, tables, faults).map(Self::Given);
        };
        let read = Reading { tables, faults };
        // `all` with a selector is the value of that name, which is a list.
        match key.text().unwrap_or_default() {
            "all" if matches!(under.value, Value::List(_)) => read.several(under).map(Self::All),
            "any" => read.several(under).map(Self::Any),
            "not" => Self::read(under, tables, faults).map(|one| Self::Not(Box::new(one))),
            "equal" => read.two(under).map(|(one, two)| Self::Equal(one, two)),
            "in" => read.two(under).map(|(one, two)| Self::In(one, two)),
            "at_least" => read.two(under).map(|(one, two)| Self::AtLeast(one, two)),
            "below" => read.two(under).map(|(one, two)| Self::Below(one, two)),
            "matches" => read.pattern(under),
            "is_list" => Expr::read(under, tables, faults).map(Self::IsList),
            "from" | "first" | "all" | "text" | "choose" => {
                Expr::read(node, tables, faults).map(Self::Given)
            }
            other => {
                let known = CONDITIONS.iter().map(|(name, _)| *name);
                faults.push(
                    Fault::at(key, format!("`{other}` is no condition"))
                        .label("not known")
                        .help(meant(other, known)),
                );
                None
            }
        }
    }
}

/// Scalars are the same where their texts are; how long that takes tells nothing of a secret.
fn same(one: &Json, two: &Json) -> bool {
    match (text_of(one), text_of(two)) {
        (Some(one), Some(two)) => one.as_bytes().ct_eq(two.as_bytes()).into(),
        (None, None) => one == two,
        _ => false,
    }
}

fn order(
    one: &Expr,
    two: &Expr,
    means: &Means<'_>,
    fuel: &mut Fuel,
) -> Result<Option<std::cmp::Ordering>, Halt> {
    let (one, two) = (one.look(means, fuel)?, two.look(means, fuel)?);
    let one = one.as_deref().and_then(text_of);
    let two = two.as_deref().and_then(text_of);
    Ok(one
        .zip(two)
        .and_then(|(one, two)| compare_numbers(one.trim(), two.trim())))
}

struct Reading<'n> {
    tables: &'n Tables,
    faults: &'n Faults,
}

impl Reading<'_> {
    fn several(&self, node: &Node) -> Option<Vec<Condition>> {
        let Value::List(items) = &node.value else {
            self.faults.push(
                Fault::at(
                    node,
                    format!("expected a list of conditions, found {}", node.kind()),
                )
                .help("write them as a list: `[$.body.email, { not: $.body.is_test }]`"),
            );
            return None;
        };
        let all: Vec<_> = items
            .iter()
            .map(|item| Condition::read(item, self.tables, self.faults))
            .collect();
        all.into_iter().collect()
    }

    fn two(&self, node: &Node) -> Option<(Expr, Expr)> {
        if let Value::List(items) = &node.value
            && let [one, two] = items.as_slice()
        {
            let one = Expr::read(one, self.tables, self.faults);
            let two = Expr::read(two, self.tables, self.faults);
            return one.zip(two);
        }
        self.faults.push(
            Fault::at(node, "two values are compared here")
                .help("write them as a list: `[$.vars.state, TX]`"),
        );
        None
    }

    fn pattern(&self, node: &Node) -> Option<Condition> {
        if let Value::List(items) = &node.value
            && let [one, pattern] = items.as_slice()
        {
            let one = Expr::read(one, self.tables, self.faults);
            let pattern = Pattern::read(pattern, self.faults);
            return one
                .zip(pattern)
                .map(|(one, pattern)| Condition::Matches(one, pattern));
        }
        self.faults.push(
            Fault::at(node, "a value and a pattern are expected here")
                .help("write them as a list: `[$.body.zip, '[0-9]{5}']`"),
        );
        None
    }
}
