//! What a partner's pushes usually look like, and when that changes.
//!
//! A field that a route reads and that every push had, and that is gone or of another kind now, is
//! an alarm: the partner has changed something. A new field is told once, as information. Learned
//! for each route, in bounded memory; `drift: ignore` in the route turns it off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::mapping::Document;
use crate::mapping::expr::Expr;
use crate::mapping::path::{Fuel, Path, Root as _};
use crate::route::Flow;

/// What was learned of one route.
#[derive(Debug)]
pub struct Drift {
    /// The selectors that the route reads the push with.
    reads: Vec<Path>,
    learned: Mutex<Learned>,
}

#[derive(Debug, Default)]
struct Learned {
    pushes: u64,
    /// How each field was so far, by its selector.
    fields: BTreeMap<String, Field>,
    /// The members of the body.
    members: BTreeSet<String>,
}

/// A field that is read.
#[derive(Debug, Clone, Copy)]
struct Field {
    /// Its kind, as long as it was always the same.
    kind: Option<&'static str>,
    /// How many pushes in a row had it so.
    times: u64,
    /// Something was told of it; it is learned anew.
    is_told: bool,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A field that every push had is gone.
    Gone(String),
    /// A field is of another kind than before.
    Retyped {
        /// Its selector.
        field: String,
        /// What it was.
        before: &'static str,
        /// What it is.
        now: &'static str,
    },
    /// The body has a member that it never had.
    New(String),
}

impl Drift {
    /// Knows nothing yet.
    pub fn new(flow: &Flow) -> Self {
        let mut reads: Vec<Path> = Vec::new();
        flow.walk(&mut |expr| {
            if let Expr::Select(path) | Expr::All(path) = expr
                && matches!(path.root_name(), Some("body" | "event"))
                && reads.len() < FIELDS_MAX
                && !reads.iter().any(|known| known.as_str() == path.as_str())
            {
                reads.push(path.clone());
            }
        });
        Self {
            reads,
            learned: Mutex::default(),
        }
    }

    /// Whether it looks at the same fields as another.
    pub fn reads_as(&self, other: &Self) -> bool {
        let texts = |drift: &Self| {
            drift
                .reads
                .iter()
                .map(Path::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        texts(self) == texts(other)
    }

    /// Looks at a push, learns from it, and tells what changed.
    pub fn look(&self, document: &Document) -> Vec<Change> {
        let mut fuel = Fuel::default();
        let seen: Vec<(&str, Option<&'static str>)> = self
            .reads
            .iter()
            .map(|path| {
                let value = path.first(document, &mut fuel).ok().flatten();
                (path.as_str(), value.and_then(kind))
            })
            .collect();
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.pushes = learned.pushes.saturating_add(1);
        let mut changes: Vec<Change> = seen
            .into_iter()
            .filter_map(|(field, kind)| learned.field(field, kind))
            .collect();
        let body = document.member("body").or_else(|| document.member("event"));
        if let Some(Value::Object(members)) = body {
            changes.extend(members.keys().filter_map(|name| learned.member(name)));
        }
        changes
    }
}

impl Learned {
    fn field(&mut self, name: &str, kind: Option<&'static str>) -> Option<Change> {
        let field = self.fields.entry(name.to_owned()).or_insert(Field {
            kind,
            times: 0,
            is_told: false,
        });
        if field.kind == kind {
            field.times = field.times.saturating_add(1);
            if field.times >= LEARNED_AFTER {
                field.is_told = false;
            }
            return None;
        }
        let was = field
            .kind
            .filter(|_| field.times >= LEARNED_AFTER && !field.is_told);
        let Some(before) = was else {
            // It was not always so: then it says nothing that it is not so now.
            if field.times < LEARNED_AFTER {
                *field = Field {
                    kind,
                    times: 1,
                    is_told: field.is_told,
                };
            }
            return None;
        };
        field.is_told = true;
        field.times = 0;
        let field = name.to_owned();
        Some(match kind {
            None => Change::Gone(field),
            Some(now) => Change::Retyped { field, before, now },
        })
    }

    fn member(&mut self, name: &str) -> Option<Change> {
        if self.members.len() >= FIELDS_MAX || self.members.contains(name) {
            return None;
        }
        self.members.insert(name.to_owned());
        (self.pushes > LEARNED_AFTER).then(|| Change::New(name.to_owned()))
    }
}

/// The kind of a value; an empty text is as good as none.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("truth value"),
        Value::Number(_) => Some("number"),
        Value::String(text) if text.is_empty() => None,
        Value::String(_) => Some("text"),
        Value::Array(_) => Some("list"),
        Value::Object(_) => Some("object"),
    }
}

/// Tells what changed in the log: an alarm for what a route reads, information for the rest.
pub(super) fn tell(route: &str, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Gone(field) => tracing::warn!(
                target: TARGET, route, field,
                "a field that every push had is gone: ask the partner, and look at the route"
            ),
            Change::Retyped { field, before, now } => tracing::warn!(
                target: TARGET, route, field, before, now,
                "a field is of another kind than before: ask the partner, and look at the route"
            ),
            Change::New(field) => {
                tracing::info!(target: TARGET, route, field, "the pushes have a new field");
            }
        }
    }
}

/// A field counts as always so after this many pushes in a row.
const LEARNED_AFTER: u64 = 20;
/// Fields of one route that are watched.
const FIELDS_MAX: usize = 256;
/// The log target.
const TARGET: &str = "pintle::drift";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn drift() -> Drift {
        Drift {
            reads: vec![
                Path::parse("$.body.phone").unwrap(),
                Path::parse("$.body.id").unwrap(),
            ],
            learned: Mutex::default(),
        }
    }

    fn look(drift: &Drift, body: Value) -> Vec<Change> {
        let mut document = Document::default();
        document.put("body", body);
        drift.look(&document)
    }

    #[test]
    fn what_every_push_had_is_missed() {
        let drift = drift();
        for n in 0..30 {
            assert_eq!(look(&drift, json!({"phone": "1", "id": n})), []);
        }
        let gone = look(&drift, json!({"id": 1}));
        assert_eq!(gone, [Change::Gone("$.body.phone".to_owned())]);
        assert_eq!(look(&drift, json!({"id": 1})), [], "it is told once");
        let retyped = look(&drift, json!({"id": "1"}));
        let change = Change::Retyped {
            field: "$.body.id".to_owned(),
            before: "number",
            now: "text",
        };
        assert_eq!(retyped, [change]);
    }

    #[test]
    fn what_comes_and_goes_is_no_news_and_a_new_field_is_told_once() {
        let drift = drift();
        for n in 0..60 {
            let body = if n % 3 == 0 {
                json!({"id": 1})
            } else {
                json!({"id": 1, "phone": "1"})
            };
            assert_eq!(look(&drift, body), []);
        }
        let new = look(&drift, json!({"id": 1, "colour": "red"}));
        assert_eq!(new, [Change::New("colour".to_owned())]);
        assert_eq!(look(&drift, json!({"id": 1, "colour": "red"})), []);
    }
}
