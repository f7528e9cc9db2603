//! How pushes ended, by route and word: what is refused is counted, and not stored.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<(String, String), u64>>);

impl Counts {
    /// One more push of a route ended with a word.
    pub(super) fn note(&self, route: &str, word: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (route.to_owned(), word.to_owned());
        // Routes and words are the files' and the code's own: there is an end to them.
        if counts.len() < COUNTS_MAX || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        }
    }

    /// The counts, by route and then by word.
    pub fn to_value(&self) -> Value {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((route, word), count) in counts.iter() {
            routes.entry(route).or_default().insert(word, *count);
        }
        serde_json::to_value(routes).unwrap_or_default()
    }
}

/// Pairs of route and word that are counted.
const COUNTS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ends_are_counted_by_route_and_word() {
        let counts = Counts::default();
        for word in ["accepted", "push_malformed", "accepted"] {
            counts.note("lendswift", word);
        }
        let expected = json!({ "lendswift": { "accepted": 2, "push_malformed": 1 } });
        assert_eq!(counts.to_value(), expected);
    }
}
