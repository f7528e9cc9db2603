//! Functions one after the other, as the `then` of a route lists them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::argument::Argument;
use super::{Apply, Function, Kind, LIST_MAX, Make, Moment, TEXT_MAX, Tables, find, functions};
use crate::yaml::{Fault, Faults, Node, Read, Value as Yaml, meant};

/// Functions that are applied one after the other; none of them leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct Pipeline(Vec<Call>);

/// One function with its argument.
#[derive(Clone)]
struct Call {
    function: &'static Function,
    apply: Apply,
}

impl Pipeline {
    /// Reads the list of `then`. A `lookup` by name finds its table in `tables`.
    pub fn read_with(node: &Node, tables: &Tables, faults: &Faults) -> Option<Self> {
        let Yaml::List(items) = &node.value else {
            faults.push(
                Fault::at(
                    node,
                    format!("expected a list of functions, found {}", node.kind()),
                )
                .help(format!("write `{}`", Self::EXAMPLE)),
            );
            return None;
        };
        if items.len() > CALLS_MAX {
            faults.push(
                Fault::at(node, format!("more than {CALLS_MAX} functions in one list"))
                    .help("split the value into two, or use a table"),
            );
            return None;
        }
        let mut calls: Vec<Call> = Vec::with_capacity(items.len());
        let mut before: Option<&'static Function> = None;
        let mut sound = true;
        for item in items {
            // One that is not known may give anything.
            let function = named(item, faults);
            if let (Some(before), Some((function, name, _))) = (before, &function) {
                sound &= follows(before, function, name, faults);
            }
            before = function.map(|(function, ..)| function);
            match function.and_then(|found| call(found, tables, faults)) {
                Some(call) => calls.push(call),
                None => sound = false,
            }
        }
        sound.then_some(Self(calls))
    }

    /// Applies the functions. Nothing comes of `null`, and where one of them gives nothing the
    /// ones after it are not asked.
    pub fn apply(&self, input: Cow<'_, Value>, moment: &Moment) -> Option<Value> {
        let value = self.0.iter().try_fold(input, |value, call| {
            (call.apply)(value, moment)
                .filter(is_bounded)
                .map(Cow::Owned)
        })?;
        (!value.is_null()).then(|| value.into_owned())
    }

    /// What it works on.
    pub fn takes(&self) -> Kind {
        self.0.first().map_or(Kind::Any, |call| call.function.takes)
    }

    /// What it gives, where it gives anything.
    pub fn gives(&self) -> Kind {
        self.0.last().map_or(Kind::Any, |call| call.function.gives)
    }

    /// A bound of its work, as [`Function::cost`] counts it.
    pub fn cost(&self) -> u64 {
        let costs = self.0.iter().map(|call| u64::from(call.function.cost));
        costs.sum()
    }

    /// The names of its functions, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().map(|call| call.function.name)
    }

    /// Whether it has no function.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads a list that knows no tables.
impl Read for Pipeline {
    const EXAMPLE: &'static str = "[ trim, { last: 4 } ]";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        Self::read_with(node, &Tables::default(), faults)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name)
    }
}

/// A function, where its name stands, and its argument.
type Found<'n> = (&'static Function, &'n Node, Option<&'n Node>);

/// The function that an entry names.
fn named<'n>(item: &'n Node, faults: &Faults) -> Option<Found<'n>> {
    let (name, argument) = match &item.value {
        Yaml::Scalar { .. } => (item, None),
        Yaml::Map(entries) => match entries.as_slice() {
            [(name, argument)] => (name, Some(argument)),
            _ => return odd(item, "one key", faults),
        },
        Yaml::Null | Yaml::List(_) => {
            return odd(item, "a name, or a name with an argument", faults);
        }
    };
    let word = name.text().unwrap_or_default();
    let function = find(word);
    if function.is_none() {
        let known = functions().map(|function| function.name);
        let other = OTHER_WORDS.iter().find(|(other, _)| *other == word);
        let help = match other {
            Some((_, ours)) => format!("here it is called `{ours}`"),
            None => meant(word, known),
        };
        faults.push(
            Fault::at(name, format!("unknown function `{word}`"))
                .label("not known here")
                .help(help),
        );
    }
    let argument = argument.filter(|node| !matches!(node.value, Yaml::Null));
    Some((function?, name, argument))
}

fn odd<'n>(item: &'n Node, expected: &str, faults: &Faults) -> Option<Found<'n>> {
    faults.push(
        Fault::at(item, format!("a function is {expected}"))
            .help("write `- trim`, or `- last: 4`, one a line"),
    );
    None
}

/// Makes the call of a function.
fn call((function, name, node): Found<'_>, tables: &Tables, faults: &Faults) -> Option<Call> {
    let argument = Argument {
        function,
        name,
        node,
        tables,
        faults,
    };
    let apply: Apply = match function.make {
        Make::Text(run) => {
            argument.none()?;
            super::to_text(run)
        }
        Make::Bare(run) => {
            argument.none()?;
            Arc::new(run)
        }
        Make::With(make) => make(&argument)?,
    };
    Some(Call { function, apply })
}

/// Whether what one function gives may be what the next one takes; else tells it.
fn follows(before: &Function, function: &Function, name: &Node, faults: &Faults) -> bool {
    let (given, taken) = (before.gives, function.takes);
    if given.fits(taken) {
        return true;
    }
    let between = match (given, taken) {
        (Kind::List, _) => "put `join` or `first_item` between them",
        (Kind::Object, _) => "put `json_text` between them",
        (Kind::Bool, Kind::Text) => "put `to_text` between them",
        (_, Kind::List) => "put `split` between them",
        (_, Kind::Object) => "put `json_parse` between them",
        _ => "remove one of the two",
    };
    faults.push(
        Fault::at(
            name,
            format!(
                "`{}` takes {}, and `{}` gives {}",
                function.name,
                taken.word(),
                before.name,
                given.word()
            ),
        )
        .label(format!("takes {}", taken.word()))
        .help(between),
    );
    false
}

/// The bound on what a function gives.
fn is_bounded(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= TEXT_MAX,
        Value::Array(items) => items.len() <= LIST_MAX,
        _ => true,
    }
}

/// What other languages call a function of ours.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("append", "suffix"),
    ("bool", "to_bool"),
    ("digits", "keep_digits"),
    ("drop", "skip"),
    ("e164", "to_e164"),
    ("lowercase", "lower"),
    ("plus", "add"),
    ("prepend", "prefix"),
    ("regex", "capture"),
    ("take", "first"),
    ("to_decimal", "to_number"),
    ("to_string", "to_text"),
    ("uppercase", "upper"),
];
/// How many functions one list may have.
const CALLS_MAX: usize = 32;
