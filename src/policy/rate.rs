//! Rates: how often calls and pushes may come, and which of them come first.

mod read;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::mapping::ScopeQuery;
use crate::policy::Provenance;

/// How often something may happen.
#[derive(Debug, PartialEq, Eq)]
pub struct Rate {
    /// Its name in `policies/`.
    pub name: String,
    /// How sure this is.
    pub provenance: Provenance,
    /// What it counts.
    pub counts: Counts,
    /// What has a count of its own: one for each value that these come to.
    pub per: Vec<Part>,
    /// The limits, the shortest time first; all of them hold.
    pub limits: Vec<RateLimit>,
    /// How many may be under way.
    pub in_flight_max: Option<usize>,
    /// How many of each class may wait.
    pub waiting_max: usize,
}

/// What a rate counts.
#[derive(Debug, PartialEq, Eq)]
pub enum Counts {
    /// Calls of these operations; of a path that is not listed, only `*` counts it.
    Calls(Vec<Names>),
    /// Pushes of these routes and callbacks.
    Pushes(Vec<Names>),
}

/// A name, or the beginning of some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// This one.
    One(String),
    /// All that begin with this.
    Beginning(String),
}

/// What tells one count from another.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The account.
    Account,
    /// The family of the operation.
    Family,
    /// The operation.
    Operation,
    /// The application that calls.
    Caller,
    /// The route or callback that takes a push.
    Route,
    /// Who pushes: the proof of its sender.
    Partner,
    /// A value of the query or the headers.
    Value(ScopeQuery),
}

/// So many within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub max: NonZeroU32,
    /// Within which time.
    pub per: Duration,
    /// How many of them may come at once.
    pub burst: NonZeroU32,
}

/// Which class a call is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody waits for it.
    Interactive,
    /// One of many; nobody waits for it.
    Campaign,
}

/// Every class with its word.
pub const CLASSES: [(&str, Class); 2] = [
    ("interactive", Class::Interactive),
    ("campaign", Class::Campaign),
];

/// Which calls are of a campaign.
#[derive(Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The share that they get however many others wait, in percent.
    pub share_percent: u32,
    /// Calls of these operations.
    pub calls: Vec<Names>,
    /// Calls of these applications.
    pub callers: Vec<String>,
}

impl Names {
    /// Whether a name is meant; nothing listed is in `*` alone.
    pub fn mean(&self, name: Option<&str>) -> bool {
        match (self, name) {
            (Self::One(one), Some(name)) => one == name,
            (Self::One(_), None) => false,
            (Self::Beginning(beginning), Some(name)) => name.starts_with(beginning.as_str()),
            (Self::Beginning(beginning), None) => beginning.is_empty(),
        }
    }
}

impl Rate {
    /// Whether it counts calls of an operation; `None` is one that is not listed.
    pub fn counts_call(&self, operation: Option<&str>) -> bool {
        let Counts::Calls(names) = &self.counts else {
            return false;
        };
        names.iter().any(|names| names.mean(operation))
    }

    /// Whether it counts pushes of a route or callback.
    pub fn counts_push(&self, route: &str) -> bool {
        let Counts::Pushes(names) = &self.counts else {
            return false;
        };
        names.iter().any(|names| names.mean(Some(route)))
    }
}

impl Default for Campaign {
    fn default() -> Self {
        Self {
            share_percent: SHARE_PERCENT,
            calls: Vec::new(),
            callers: Vec::new(),
        }
    }
}

impl Campaign {
    /// The class of a call whose header says nothing of it.
    pub fn class(&self, operation: Option<&str>, caller: Option<&str>) -> Class {
        let of_caller = caller.is_some_and(|caller| self.callers.iter().any(|own| own == caller));
        if of_caller || self.calls.iter().any(|names| names.mean(operation)) {
            return Class::Campaign;
        }
        Class::Interactive
    }
}

/// What campaigns get at least where nothing is said.
const SHARE_PERCENT: u32 = 10;
