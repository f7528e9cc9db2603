//! What the selectors of a route look at: one document, whose members come from different places.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::path::Root;

/// The document. Members that no push changes are shared; the others belong to one push.
#[derive(Debug, Clone, Default)]
pub struct Document {
    members: Vec<(&'static str, Member)>,
}

#[derive(Clone)]
enum Member {
    Own(Value),
    Shared(Arc<Value>),
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(value) => value.fmt(f),
            // Secrets are among what is shared.
            Self::Shared(_) => f.write_str("[shared]"),
        }
    }
}

impl Member {
    fn value(&self) -> &Value {
        match self {
            Self::Own(value) => value,
            Self::Shared(value) => value,
        }
    }
}

/// Every member that a selector can begin with, and what it is.
pub const MEMBERS: &[(&str, &str)] = &[
    (
        "push",
        "the push as it came: `id`, `sha256` of its raw body, `received`, `path`",
    ),
    ("body", "the body of the push, read as the route says"),
    ("query", "the query of its URL, by name"),
    ("headers", "its headers; names are in small letters"),
    ("event", "the event, in a route that begins with `on`"),
    ("settings", "what the settings give the route"),
    (
        "secrets",
        "the route's secrets: they can be sent, and are shown nowhere",
    ),
    ("kept", "what `load` found"),
    (
        "vars",
        "the route's own values, in the order in which they are written",
    ),
    ("item", "under `items`: the one that is looked at"),
    (
        "rows",
        "after `items`: the `row` of each item that was taken",
    ),
    (
        "results",
        "after `items`: the `result` of every item, in the order of the push",
    ),
    (
        "reason",
        "in the reply to a push that was refused: the word of the check",
    ),
    (
        "faults",
        "in the reply to a push that was refused: all faults that were collected",
    ),
    (
        "hours",
        "`opens`: when calling is allowed again, where it is not now",
    ),
    ("chunk", "in a step with `over`: the rows of this call"),
    (
        "candidate",
        "in a step with `offer_to`: the one that is asked",
    ),
    (
        "steps",
        "what the steps brought, by name: `status`, `headers`, `body`, `state`",
    ),
];

impl Document {
    /// Puts a member in, or another in its place.
    pub fn put(&mut self, name: &'static str, value: Value) {
        self.set(name, Member::Own(value));
    }

    /// Puts in what many documents share.
    pub fn share(&mut self, name: &'static str, value: &Arc<Value>) {
        self.set(name, Member::Shared(Arc::clone(value)));
    }

    fn set(&mut self, name: &'static str, member: Member) {
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = member,
            None => self.members.push((name, member)),
        }
    }

    /// Takes a member out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(known, _)| *known == name)?;
        match self.members.swap_remove(at).1 {
            Member::Own(value) => Some(value),
            Member::Shared(value) => Some(Value::clone(&value)),
        }
    }

    /// Puts a value under a member that holds several.
    pub fn put_in(&mut self, name: &'static str, key: &str, value: Value) {
        let member = self.members.iter_mut().find(|(known, _)| *known == name);
        if let Some((_, Member::Own(Value::Object(values)))) = member {
            values.insert(key.to_owned(), value);
            return;
        }
        self.put(
            name,
            Value::Object(Map::from_iter([(key.to_owned(), value)])),
        );
    }

    /// Takes one of the values out that a member holds.
    pub fn take_from(&mut self, name: &str, key: &str) -> Option<Value> {
        let member = self.members.iter_mut().find(|(known, _)| *known == name)?;
        match &mut member.1 {
            Member::Own(Value::Object(values)) => values.shift_remove(key),
            _ => None,
        }
    }

    /// What is the push's own, to be stored. Settings and secrets are not in it.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(self)
    }

    /// Puts a snapshot's members back.
    pub fn restore(&mut self, snapshot: Value) {
        let Value::Object(values) = snapshot else {
            return;
        };
        for (key, value) in values {
            if let Some((name, _)) = MEMBERS.iter().find(|(name, _)| *name == key) {
                self.put(name, value);
            }
        }
    }
}

/// The own members of a document, written as one object.
#[derive(Debug)]
pub struct Snapshot<'d>(&'d Document);

impl Serialize for Snapshot<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self
            .0
            .members
            .iter()
            .filter_map(|(name, member)| match member {
                Member::Own(value) => Some((*name, value)),
                Member::Shared(_) => None,
            });
        serializer.collect_map(own)
    }
}

impl Root for Document {
    fn whole(&self) -> Option<&Value> {
        None
    }

    fn member(&self, name: &str) -> Option<&Value> {
        let (_, member) = self.members.iter().find(|(known, _)| *known == name)?;
        Some(member.value())
    }
}
