//! Limits that routes share: who is left alone, and how often others are called.
//!
//! The policies say how much; what was counted and who is on a list is with the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::policy::Provenance;
use crate::yaml::{Entries, Fault, Faults, Fields, Node};

/// How often something may be done to one person within a time.
#[derive(Debug)]
pub struct Cap {
    /// Its name in `policies/`.
    pub name: String,
    /// How sure this is.
    pub provenance: Provenance,
    /// Within which time, wherever it begins.
    pub per: Duration,
    max: Option<usize>,
    places: BTreeMap<String, usize>,
}

/// A list of those who are left alone.
#[derive(Debug)]
pub struct Suppression {
    /// Its name in `policies/`, and of the space in which its keys are kept.
    pub name: String,
    /// How sure this is.
    pub provenance: Provenance,
    /// For how long a key stays on it that is put there.
    pub window: Duration,
    keys: BTreeSet<String>,
}

impl Cap {
    pub(super) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let per = fields.required("per");
        let max: Option<usize> = fields.optional("max");
        let places: Option<Entries<String, usize>> = fields.optional("places");
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        let places = places.map_or_else(Vec::new, |places| places.0);
        if node.child("max").is_none() && places.is_empty() {
            faults.push(
                Fault::at(node, "this cap limits nothing")
                    .help("add `max: 3`, or `places: { FL: 3 }` where it differs by place"),
            );
            return None;
        }
        if places
            .iter()
            .map(|(_, max)| *max)
            .chain(max)
            .any(|max| max > CAP_MAX)
        {
            faults.push(
                Fault::at(node, format!("a cap counts to {CAP_MAX} at most"))
                    .help("lower it: a cap is about one person, not about the rate of calls"),
            );
            return None;
        }
        let places = places.into_iter();
        Some(Self {
            name: name.to_owned(),
            provenance: provenance?,
            per: per?,
            max,
            places: places
                .map(|(place, max)| (place.to_ascii_uppercase(), max))
                .collect(),
        })
    }

    /// How often, for somebody at a place (`FL`, in any letter case); `None` where there is no limit.
    pub fn max(&self, place: Option<&str>) -> Option<usize> {
        let place = place.map(str::to_ascii_uppercase);
        let own = place.and_then(|place| self.places.get(&place));
        own.copied().or(self.max)
    }

    /// Whether it differs by place.
    pub fn differs_by_place(&self) -> bool {
        !self.places.is_empty()
    }

    /// The space of the marks by which it counts.
    pub fn space(&self) -> String {
        // No route has such a name.
        format!("cap/{}", self.name)
    }
}

impl Suppression {
    pub(super) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let window = fields.required("for");
        let keys: Vec<String> = fields.or("keys", Vec::new());
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        Some(Self {
            name: name.to_owned(),
            provenance: provenance?,
            window: window?,
            keys: keys.into_iter().collect(),
        })
    }

    /// Whether the policy itself has a key.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }
}

/// The largest cap: for each count a mark is looked up.
const CAP_MAX: usize = 100;
