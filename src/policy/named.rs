//! The policies of one kind by name, and the names of those that are faulty.
//!
//! A faulty policy is known all the same: what refers to it is not told a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::yaml::{Fault, Faults, Name, Node, Read, meant};

/// The policies of one kind.
#[derive(Debug)]
pub struct Named<T> {
    /// A word for one of them.
    kind: &'static str,
    good: BTreeMap<String, Arc<T>>,
    faulty: BTreeSet<String>,
    /// Some file could not be read, so that what is not here may stand there.
    is_partial: bool,
}

impl<T> Named<T> {
    /// Reads each named node; a name that is there twice is a fault.
    pub(super) fn read(
        entries: &[(Node, Node)],
        (kind, mut is_partial): (&'static str, bool),
        faults: &Faults,
        read: impl Fn(&str, &Node, &Faults) -> Option<T>,
    ) -> Self {
        let mut good = BTreeMap::new();
        let mut faulty = BTreeSet::new();
        let mut first: BTreeMap<String, &Node> = BTreeMap::new();
        for (key, node) in entries {
            let Some(Name(name)) = Name::read(key, faults) else {
                is_partial = true;
                continue;
            };
            if let Some(other) = first.get(&name) {
                faults.push(
                    Fault::at(key, format!("there is a {kind} `{name}` already"))
                        .label("taken")
                        .help(format!(
                            "it stands at {}:{}: give one of the two another name, or delete it",
                            other.source.name, other.span.line
                        )),
                );
                continue;
            }
            first.insert(name.clone(), key);
            match read(&name, node, faults) {
                Some(value) => drop(good.insert(name, Arc::new(value))),
                None => drop(faulty.insert(name)),
            }
        }
        Self {
            kind,
            good,
            faulty,
            is_partial,
        }
    }

    /// The one of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.good.get(name)
    }

    /// The names of those that are good.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.good.keys().map(String::as_str)
    }

    /// All of them, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Arc<T>> + Clone {
        self.good.values()
    }

    /// Finds what a name refers to, or says which name was likely meant.
    pub fn resolve(&self, node: &Node, faults: &Faults) -> Option<&Arc<T>> {
        let name = String::read(node, faults)?;
        let found = self.good.get(&name);
        if found.is_none() && !self.faulty.contains(&name) && !self.is_partial {
            let known = self.good.keys().chain(&self.faulty).map(String::as_str);
            faults.push(
                Fault::at(node, format!("there is no {} `{name}`", self.kind))
                    .label("not known")
                    .help(meant(&name, known)),
            );
        }
        found
    }
}
