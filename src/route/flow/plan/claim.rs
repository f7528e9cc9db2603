//! The marks that a push sets, and what has to be known of those that are set.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::crypto::{hex, sha256};

/// A mark that a push sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose keys they are: the route's, or those of a cap.
    pub space: String,
    /// What tells it apart from others of the space.
    pub key: String,
    /// For how long.
    pub window: Duration,
    /// Another body under the same key is a conflict.
    pub is_strict: bool,
    /// What it marks.
    pub of: Claimed,
}

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The push.
    Push,
    /// One of many in the push.
    Item,
    /// One that a cap counts.
    Count,
}

/// What a plan has to know of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// Whether a key of a space is marked.
    Marked {
        /// Whose keys they are.
        space: String,
        /// The key.
        key: String,
    },
    /// Whether something is kept there.
    Kept {
        /// In which space.
        space: String,
        /// Under which key.
        key: String,
    },
}

impl Ask {
    /// Its key.
    pub fn key(&self) -> &str {
        let (Self::Marked { key, .. } | Self::Kept { key, .. }) = self;
        key
    }
}

impl Claim {
    /// Whether somebody has it.
    pub fn ask(&self) -> Ask {
        Ask::Marked {
            space: self.space.clone(),
            key: self.key.clone(),
        }
    }
}

/// The key of a mark, from what tells pushes apart.
pub(crate) fn claim_key(parts: &[&str]) -> String {
    let mut told = Vec::new();
    for part in parts {
        // Each part with its length, so that no two lists of parts look the same.
        told.extend_from_slice(&part.len().to_be_bytes());
        told.extend_from_slice(part.as_bytes());
    }
    hex(&sha256(&told))
}

/// For plans that ask nothing.
pub static NOTHING_SEEN: BTreeSet<Ask> = BTreeSet::new();
/// How many marks one push may set.
pub const CLAIMS_MAX: usize = 2000;
