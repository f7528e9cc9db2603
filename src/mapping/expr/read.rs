//! Reading values: which keys make an operator, and what everything else stands for.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Arm, Expr, Pipe};
use crate::mapping::condition::Condition;
use crate::mapping::function::{Pipeline, Tables};
use crate::mapping::line::Line;
use crate::mapping::path::Path;
use crate::mapping::template::{Template, TemplateFault};
use crate::yaml::{Fault, Faults, Fields, Node, Read as _, Value};

/// The keys that make a mapping an operator, and what each gives.
pub const OPERATORS: &[(&str, &str)] = &[
    (
        "from",
        "a value that goes through the functions of `then`; `default` and `required` say what stands in where nothing comes out",
    ),
    (
        "first",
        "the first of a list of values that is there and not empty",
    ),
    ("all", "everything that a selector selects, as a list"),
    (
        "text",
        "a text with values in it: `lead-{$.body.id}`; nothing where one of them is not there",
    ),
    ("choose", "the `give` of the first entry whose `when` holds"),
    (
        "literal",
        "a value as it stands, also where it begins with `$`",
    ),
    (
        "object",
        "an object, for fields that are called like an operator",
    ),
];

impl Expr {
    /// Reads a value.
    pub fn read(node: &Node, tables: &Tables, faults: &Faults) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::Literal(Json::Null)),
            Value::Scalar { text, .. } if text.starts_with('$') => {
                Path::read(node, faults).map(Self::Select)
            }
            Value::Scalar { .. } => Some(Self::Literal(node.to_json())),
            Value::List(items) => {
                let all: Vec<_> = items
                    .iter()
                    .map(|item| Self::read(item, tables, faults))
                    .collect();
                all.into_iter().collect::<Option<_>>().map(Self::List)
            }
            Value::Map(entries) => match operator(entries) {
                Some((name, at)) => Operator {
                    node,
                    at,
                    tables,
                    faults,
                }
                .read(name),
                None => read_object(node, tables, faults),
            },
        }
    }
}

impl Expr {
    /// Reads a value that stands under a name, on a line of its own.
    pub fn read_line(key: &Node, node: &Node, tables: &Tables, faults: &Faults) -> Option<Self> {
        let line = Arc::new(Line::new(key.span.line));
        let expr = Self::read(node, tables, faults)?;
        Some(Self::Line(line, Box::new(expr)))
    }

    /// Reads an object whose fields may be called like an operator.
    pub fn read_object(node: &Node, tables: &Tables, faults: &Faults) -> Option<Self> {
        read_object(node, tables, faults)
    }
}

/// The operator that a mapping is, by its first key that is one.
fn operator(entries: &[(Node, Node)]) -> Option<(&'static str, &Node)> {
    entries.iter().find_map(|(key, value)| {
        let name = key.text()?;
        let (known, _) = OPERATORS.iter().find(|(known, _)| *known == name)?;
        Some((*known, value))
    })
}

fn read_object(node: &Node, tables: &Tables, faults: &Faults) -> Option<Expr> {
    let Value::Map(entries) = &node.value else {
        faults.push(
            Fault::at(node, format!("expected fields, found {}", node.kind()))
                .help("write `name: value` lines"),
        );
        return None;
    };
    let all: Vec<_> = entries
        .iter()
        .map(|(key, value)| {
            let name = key.text()?.to_owned();
            Some((name, Expr::read_line(key, value, tables, faults)?))
        })
        .collect();
    all.into_iter().collect::<Option<_>>().map(Expr::Object)
}

/// An operator that is being read.
struct Operator<'n> {
    node: &'n Node,
    /// What stands under its name.
    at: &'n Node,
    tables: &'n Tables,
    faults: &'n Faults,
}

impl Operator<'_> {
    fn read(&self, name: &'static str) -> Option<Expr> {
        if name == "from" {
            return self.read_pipe();
        }
        self.stands_alone(name);
        match name {
            "first" => self.read_first(),
            "all" => Path::read(self.at, self.faults).map(Expr::All),
            "text" => read_template(self.at, self.faults).map(Expr::Text),
            "choose" => self.read_choose(),
            "literal" => Some(Expr::Literal(self.at.to_json())),
            _ => read_object(self.at, self.tables, self.faults),
        }
    }

    /// An operator with a field beside it was likely meant to be an object.
    fn stands_alone(&self, name: &str) {
        let Value::Map(entries) = &self.node.value else {
            return;
        };
        for (key, _) in entries.iter().filter(|(key, _)| key.text() != Some(name)) {
            let other = key.text().unwrap_or_default();
            self.faults.push(
                Fault::at(key, format!("`{other}` stands beside the operator `{name}`")).help(
                    format!("if `{name}` is a field, write the fields under `object:`; else remove `{other}`"),
                ),
            );
        }
    }

    fn read_pipe(&self) -> Option<Expr> {
        let mut fields = Fields::open(self.node, self.faults)?;
        let from = fields.required_node("from", "$.body.phone");
        let then = fields.node("then");
        let default = fields.node("default");
        let required = fields.or("required", false);
        fields.finish();
        let from = Expr::read(from?, self.tables, self.faults)?;
        let place = from.place();
        let then = match then {
            None => Pipeline::default(),
            Some(node) => Pipeline::read_with(node, self.tables, self.faults)?,
        };
        let default = match default {
            None => None,
            Some(node) => Some(Expr::read(node, self.tables, self.faults)?),
        };
        if required && default.is_some() {
            self.faults.push(
                Fault::at(self.node, "what has a `default` is never missing")
                    .help("remove `required: true`, or the `default`"),
            );
        }
        Some(Expr::Pipe(Box::new(Pipe {
            from,
            then,
            default,
            required: required.then_some(place),
        })))
    }

    fn read_first(&self) -> Option<Expr> {
        let Value::List(items) = &self.at.value else {
            self.faults.push(
                Fault::at(
                    self.at,
                    format!("expected a list, found {}", self.at.kind()),
                )
                .help("write `first: [$.body.mobile, $.body.phone]`"),
            );
            return None;
        };
        let all: Vec<_> = items
            .iter()
            .map(|item| Expr::read(item, self.tables, self.faults))
            .collect();
        all.into_iter().collect::<Option<_>>().map(Expr::First)
    }

    fn read_choose(&self) -> Option<Expr> {
        let Value::List(items) = &self.at.value else {
            self.faults.push(
                Fault::at(
                    self.at,
                    format!("expected a list, found {}", self.at.kind()),
                )
                .help("write `choose: [{ when: $.body.a, give: yes }, { give: no }]`"),
            );
            return None;
        };
        let last = items.len().saturating_sub(1);
        let arms: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(at, item)| self.read_arm(item, at == last))
            .collect();
        arms.into_iter().collect::<Option<_>>().map(Expr::Choose)
    }

    fn read_arm(&self, node: &Node, is_last: bool) -> Option<Arm> {
        let mut fields = Fields::open(node, self.faults)?;
        let when = fields.node("when");
        let give = fields.required_node("give", "$.body.phone");
        fields.finish();
        if when.is_none() && !is_last {
            self.faults.push(
                Fault::at(node, "what stands behind this entry is never reached")
                    .help("add `when:`, or put the entry at the end"),
            );
        }
        let when = match when {
            None => None,
            Some(node) => Some(Condition::read(node, self.tables, self.faults)?),
        };
        Some(Arm {
            when,
            give: Expr::read(give?, self.tables, self.faults)?,
        })
    }
}

impl Expr {
    /// What to call it where it is missing: its selector.
    fn place(&self) -> String {
        match self {
            Self::Select(path) | Self::All(path) => path.as_str().to_owned(),
            Self::First(of) | Self::List(of) => of.first().map_or_else(String::new, Self::place),
            Self::Pipe(pipe) => pipe.from.place(),
            Self::Line(_, expr) => expr.place(),
            _ => "a value".to_owned(),
        }
    }
}

/// Reads a text with places.
pub(crate) fn read_template(node: &Node, faults: &Faults) -> Option<Template> {
    let text = String::read(node, faults)?;
    match Template::parse(&text) {
        Ok(template) => Some(template),
        Err(fault) => {
            let fault = match fault {
                TemplateFault::Braces => Fault::at(node, "a brace stands alone in this text")
                    .help("write `{$.body.id}` for a value, and `{{` or `}}` for a brace"),
                TemplateFault::Path(path, why) => {
                    Fault::at(node, format!("`{path}` is no selector: {why}"))
                        .help("write a JSONPath between the braces: `{$.body.id}`")
                }
            };
            faults.push(fault);
            None
        }
    }
}
