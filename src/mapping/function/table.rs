//! Words for words: tables of a route, and tables that everybody knows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::argument::Argument;
use super::state;
use super::{Apply, Function, Kind, Make, absent, gives, scalar_of};
use crate::yaml::{Fault, Faults, Node, Read, Value as Yaml, meant};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "lookup",
        about: "Puts what a table has for a value; absent, or what `or` says, where it has nothing.",
        argument: "a `table`, or the `file` of one; `or`: `keep`, `absent` or a value; and \
                   `ignore_case`: `true`",
        takes: Kind::Scalar,
        gives: Kind::Any,
        cost: 4,
        examples: &[
            gives(
                "{ table: { own: Owner, rent: Renter } }",
                r#""own""#,
                r#""Owner""#,
            ),
            gives(
                "{ table: { own: Owner }, ignore_case: true }",
                r#""OWN""#,
                r#""Owner""#,
            ),
            gives("{ table: { '1': true }, or: false }", "2", "false"),
            gives("{ table: { a: b }, or: keep }", r#""c""#, r#""c""#),
            absent("{ table: { a: b } }", r#""constructor""#),
        ],
        make: Make::With(lookup),
    },
    Function {
        name: "us_state",
        about: "The two letters of a state of the USA, from its name or letters in any case; also \
                of DC and the territories.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 8,
        examples: &[
            gives("", r#"" new  york""#, r#""NY""#),
            gives("", r#""nv""#, r#""NV""#),
            gives("", r#""Washington, D.C.""#, r#""DC""#),
            absent("", r#""Ontario""#),
        ],
        make: Make::Text(|text| Some(state::find(named(text)?)?.0.to_owned())),
    },
    Function {
        name: "us_state_name",
        about: "The name of a state of the USA, from its name or letters in any case.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 8,
        examples: &[gives("", r#""nv""#, r#""Nevada""#), absent("", r#""ZZ""#)],
        make: Make::Text(|text| Some(state::find(named(text)?)?.1.to_owned())),
    },
    Function {
        name: "zip5",
        about: "The five digits of a ZIP code; zeros that a number lost are put back.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", "2139", r#""02139""#),
            gives("", r#""89101-1234""#, r#""89101""#),
            gives("", r#""891011234""#, r#""89101""#),
            absent("", r#""K1A 0B1""#),
            absent("", r#""0""#),
        ],
        make: Make::Text(zip5),
    },
];

/// A table: what to put for each text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(pub BTreeMap<String, String>);

/// The tables that a route may name, by their names.
#[derive(Debug, Clone, Default)]
pub struct Tables(pub BTreeMap<String, Arc<Table>>);

/// Reads `word: what to put for it` lines.
impl Read for Table {
    const EXAMPLE: &'static str = "{ own: Owner, rent: Renter }";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let Yaml::Map(entries) = &node.value else {
            faults.push(
                Fault::at(node, format!("expected a table, found {}", node.kind()))
                    .help(format!("write `{}`", Self::EXAMPLE)),
            );
            return None;
        };
        let entry = |(key, value): &(Node, Node)| {
            Some((key.text()?.to_owned(), String::read(value, faults)?))
        };
        // Each value's fault is told, so all of them are read.
        let read: Vec<Option<(String, String)>> = entries.iter().map(entry).collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }
}

/// What comes of a value that is not in the table.
enum Otherwise {
    Absent,
    Keep,
    Value(Value),
}

/// Where the words of one call stand.
enum Entries {
    Own(BTreeMap<String, Value>),
    Shared(Arc<Table>),
}

/// A table of one call.
struct Lookup {
    entries: Entries,
    otherwise: Otherwise,
    ignore_case: bool,
}

fn lookup(argument: &Argument<'_>) -> Option<Apply> {
    let mut fields = argument.fields()?;
    let inline = fields.node("table");
    let file = fields.node("file");
    let otherwise = match fields.node("or") {
        None => Otherwise::Absent,
        Some(node) => match (&node.value, node.text()) {
            (Yaml::Scalar { plain: true, .. }, Some("absent")) => Otherwise::Absent,
            (Yaml::Scalar { plain: true, .. }, Some("keep")) => Otherwise::Keep,
            _ => Otherwise::Value(node.to_json()),
        },
    };
    let ignore_case = fields.or("ignore_case", false);
    fields.finish();
    let entries = match (inline, file) {
        (Some(node), None) => Entries::Own(written(node, argument)?),
        (None, Some(node)) => Entries::Shared(filed(node, argument)?),
        _ => return argument.refuse("either `table` or `file` says where the words are"),
    };
    let lookup = Lookup {
        entries: if ignore_case {
            lowered(entries, argument)?
        } else {
            entries
        },
        otherwise,
        ignore_case,
    };
    Some(Arc::new(move |value, _| lookup.find(value)))
}

impl Lookup {
    fn find(&self, value: Cow<'_, Value>) -> Option<Value> {
        let word = scalar_of(&value)?;
        let found = if self.ignore_case {
            self.entries.find(&word.trim().to_lowercase())
        } else {
            self.entries.find(word.trim())
        };
        match (found, &self.otherwise) {
            (Some(found), _) => Some(found),
            (None, Otherwise::Value(other)) => Some(other.clone()),
            (None, Otherwise::Absent) => None,
            (None, Otherwise::Keep) => Some(value.into_owned()),
        }
    }
}

impl Entries {
    fn find(&self, word: &str) -> Option<Value> {
        match self {
            Self::Own(entries) => entries.get(word).cloned(),
            Self::Shared(table) => table.0.get(word).map(|with| Value::from(with.as_str())),
        }
    }
}

/// The table that stands in the argument.
fn written(node: &Node, argument: &Argument<'_>) -> Option<BTreeMap<String, Value>> {
    if let Some(word) = node.text() {
        argument.faults.push(
            Fault::at(node, format!("`{word}` is no table"))
                .help(format!("write `file: {word}` for a table of routes/tables/, or the words: `{{ own: Owner, rent: Renter }}`")),
        );
        return None;
    }
    let Yaml::Map(entries) = &node.value else {
        return argument.refuse(format!("expected a table, found {}", node.kind()));
    };
    let entry = |(key, value): &(Node, Node)| Some((key.text()?.to_owned(), value.to_json()));
    entries.iter().map(entry).collect()
}

/// The table of a file.
fn filed(node: &Node, argument: &Argument<'_>) -> Option<Arc<Table>> {
    let name = String::read(node, argument.faults)?;
    let tables = &argument.tables.0;
    let table = tables.get(&name);
    if table.is_none() {
        argument.faults.push(
            Fault::at(node, format!("there is no table `{name}`"))
                .help(meant(&name, tables.keys().map(String::as_str))),
        );
    }
    table.cloned()
}

/// The table with its words in small letters.
fn lowered(entries: Entries, argument: &Argument<'_>) -> Option<Entries> {
    let entries: Vec<(String, Value)> = match entries {
        Entries::Own(entries) => entries.into_iter().collect(),
        Entries::Shared(table) => {
            let entry = |(word, with): (&String, &String)| (word.clone(), Value::from(&**with));
            table.0.iter().map(entry).collect()
        }
    };
    let mut lowered = BTreeMap::new();
    for (word, with) in entries {
        let small = word.trim().to_lowercase();
        if lowered.insert(small, with).is_some() {
            return argument.refuse(format!("`{word}` stands there twice, in different case"));
        }
    }
    Some(Entries::Own(lowered))
}

/// A text that is short enough to be a name.
fn named(text: &str) -> Option<&str> {
    (text.len() <= NAME_BYTES_MAX).then_some(text)
}

fn zip5(text: &str) -> Option<String> {
    let text = text.trim();
    let (five, four) = match text.split_once('-') {
        Some((five, four)) => (five.trim_end(), Some(four.trim_start())),
        None if text.len() == 9 => (text.get(..5)?, text.get(5..)),
        None => (text, None),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let sound = (3..=5).contains(&five.len())
        && is_digits(five)
        && four.is_none_or(|four| four.len() == 4 && is_digits(four));
    sound.then(|| format!("{five:0>5}"))
}

const NAME_BYTES_MAX: usize = 64;
