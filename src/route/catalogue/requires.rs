//! What an operation requires of its body, or of its query where it is a GET.
//!
//! A shape is written as an example of what goes out. A word is the kind of a value: `text`,
//! `number`, `bool`, `scalar`, `list`, `object` or `any`; `object of text` is an object whose
//! values all are of a kind. A mapping is an object with these fields, where a name that ends in
//! `?` may be left out, and a list with one entry is a list of such:
//!
//! ```yaml
//! requires: { workflow_id: text, details: [{ callee: text, variables?: object of text }] }
//! ```

use crate::mapping::Kind;
use crate::yaml::{Fault, Faults, Node, Read, Value, meant};

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A value of a kind.
    Kind(Kind),
    /// An object whose values all are of a kind.
    ObjectOf(Kind),
    /// An object with these fields.
    Fields(Vec<Field>),
    /// A list of such.
    ListOf(Box<Shape>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// It may be left out.
    pub is_optional: bool,
    /// What it must be where it is there.
    pub shape: Shape,
}

impl Shape {
    /// The word for it, with its article.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.word(),
            Self::ObjectOf(_) | Self::Fields(_) => Kind::Object.word(),
            Self::ListOf(_) => Kind::List.word(),
        }
    }
}

impl Read for Shape {
    const EXAMPLE: &'static str = "{ workflow_id: text, name?: text }";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } => match text.strip_prefix("object of ") {
                Some(word) => kind(word, node, faults).map(Self::ObjectOf),
                None => kind(text, node, faults).map(Self::Kind),
            },
            Value::List(items) if items.len() == 1 => {
                let item = items.first().and_then(|item| Self::read(item, faults))?;
                Some(Self::ListOf(Box::new(item)))
            }
            Value::Map(entries) => {
                let fields = entries.iter().map(|(key, value)| {
                    let written = key.text()?;
                    let name = written.strip_suffix('?');
                    Some(Field {
                        name: name.unwrap_or(written).to_owned(),
                        is_optional: name.is_some(),
                        shape: Self::read(value, faults)?,
                    })
                });
                fields.collect::<Option<_>>().map(Self::Fields)
            }
            Value::Null | Value::List(_) => {
                faults.push(
                    Fault::at(node, "this says not what is required")
                        .help("write a word such as `text`, `{ name: text, other?: number }`, or a list with one entry"),
                );
                None
            }
        }
    }
}

fn kind(word: &str, node: &Node, faults: &Faults) -> Option<Kind> {
    let found = KINDS.iter().find(|(known, _)| *known == word);
    if found.is_none() {
        let known = KINDS.iter().map(|(known, _)| *known);
        faults.push(
            Fault::at(node, format!("`{word}` is no kind of value"))
                .label("not known")
                .help(meant(word, known)),
        );
    }
    found.map(|(_, kind)| *kind)
}

const KINDS: &[(&str, Kind)] = &[
    ("text", Kind::Text),
    ("number", Kind::Number),
    ("bool", Kind::Bool),
    ("scalar", Kind::Scalar),
    ("list", Kind::List),
    ("object", Kind::Object),
    ("any", Kind::Any),
];
