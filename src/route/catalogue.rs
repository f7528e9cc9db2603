//! The catalogue: one entry for every page of the platform's portal, read from `routes/`.
//!
//! Nothing of the platform's paths is compiled in. An entry whose path is not known has none, and
//! says so when it is called.

mod example;
mod file;
mod find;
mod requires;
mod table;
mod webhook;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use http::Method;

pub use find::Found;
pub use requires::{Field, Shape};
pub(crate) use webhook::SECRET;
pub use webhook::{Answer as StaticAnswer, Differing, Example, Once, PushPath, Webhook};

use crate::policy::{Caching, Family, Policies, Provenance, SealingChoice};
use crate::route::flow::Flow;
use crate::yaml::{Faults, Source};

/// All entries of all files.
#[derive(Debug)]
pub struct Catalogue {
    entries: Vec<Arc<Entry>>,
    guides: Vec<Guide>,
    flows: Vec<Arc<Flow>>,
    by_name: HashMap<String, Arc<Entry>>,
    /// Entries by path (without a slash at its end), each with its method.
    by_path: HashMap<String, Vec<Arc<Entry>>>,
    reserved: Vec<Arc<Entry>>,
}

/// One operation or callback.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name: `family.verb_noun`.
    pub name: String,
    /// The titles of its pages, English first.
    pub titles: Vec<String>,
    /// The pages of the portal that it carries, as breadcrumbs.
    pub pages: Vec<String>,
    /// Whether we call or are called.
    pub kind: Kind,
    /// The family that it belongs to.
    pub family: Arc<Family>,
    /// The method, where it is known.
    pub method: Option<Method>,
    /// The path below the account's base URL, where it is known.
    pub path: Option<String>,
    /// What calling it twice does.
    pub effect: Effect,
    /// What it requires of its body, or of its query where it is a GET; `None` where that is not
    /// known.
    pub requires: Option<Shape>,
    /// How its messages are sealed.
    pub sealing: SealingChoice,
    /// How its replies are cached; `None` where they are not.
    pub cache: Option<Arc<Caching>>,
    /// What it is as a push, if the public listener takes it.
    pub webhook: Option<Arc<Webhook>>,
    /// Pintle calls it by itself, and nobody else may.
    pub reserved: bool,
    /// The entry that this one is on the wire.
    pub same_as: Option<String>,
    /// How sure this is.
    pub provenance: Provenance,
    /// A remark of whoever wrote the entry.
    pub note: Option<String>,
    /// Where the entry stands.
    pub line: Line,
}

/// A page that names neither a call nor a callback.
#[derive(Debug, Clone)]
pub struct Guide {
    /// The titles of the page.
    pub titles: Vec<String>,
    /// The pages, as breadcrumbs.
    pub pages: Vec<String>,
    /// The file of this project that carries what the page is about.
    pub carried_by: String,
}

/// Which way an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// We call it.
    Operation,
    /// It calls us.
    Callback,
}

impl Kind {
    /// The word for listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Callback => "callback",
        }
    }
}

/// What calling an operation a second time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// The second time changes nothing more.
    Repeatable,
    /// Each time has an effect of its own.
    Once,
}

impl Effect {
    /// The word that files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Repeatable => "repeatable",
            Self::Once => "once",
        }
    }
}

/// A line of a file, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Catalogue {
    /// Reads all files of the catalogue. What is faulty is left out and told in `faults`.
    pub fn read(sources: &[Arc<Source>], policies: &Policies, faults: &Faults) -> Self {
        file::read(sources, policies, faults)
    }

    /// Every operation and callback, in the order of the files.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// The routes with steps, in the order of the files.
    pub fn flows(&self) -> &[Arc<Flow>] {
        &self.flows
    }

    /// The operation that stands at a path, unless it is one that Pintle calls by itself.
    pub fn operation_at(&self, path: &str) -> Option<&str> {
        let mut entries = self.by_path.get(path)?.iter();
        let entry = entries.find(|entry| !entry.reserved)?;
        Some(entry.name.as_str())
    }

    /// The same catalogue, in which every operation has a path: those whose path is not known get
    /// one that only a stand-in answers at.
    #[must_use]
    pub fn with_every_path(&self) -> Self {
        let filled = |entry: &Arc<Entry>| {
            if entry.path.is_some() || entry.kind != Kind::Operation || entry.same_as.is_some() {
                return Arc::clone(entry);
            }
            let mut entry = Entry::clone(entry);
            entry.path = Some(format!("/rehearsal/{}", entry.name));
            Arc::new(entry)
        };
        let entries = self.entries.iter().map(filled).collect();
        file::build(entries, self.guides.clone(), self.flows.clone())
    }

    /// The pages that name neither.
    pub fn guides(&self) -> &[Guide] {
        &self.guides
    }

    /// The families that have entries, with the number of entries of each.
    pub fn families(&self) -> BTreeMap<&str, usize> {
        let mut count = BTreeMap::new();
        for entry in &self.entries {
            *count.entry(entry.family.name.as_str()).or_insert(0) += 1;
        }
        count
    }
}
