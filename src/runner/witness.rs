//! What routes say of their events, kept for whoever tries a route out.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Keeps what is said, up to a bound.
#[derive(Debug, Default)]
pub struct Witness {
    results: Mutex<Vec<Value>>,
}

impl Witness {
    /// Notes what a route says of an event.
    pub fn note(&self, result: Value) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if results.len() < RESULTS_MAX {
            results.push(result);
        }
    }

    /// What was said so far.
    pub fn results(&self) -> Vec<Value> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.clone()
    }

    /// Forgets it.
    pub fn clear(&self) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.clear();
    }
}

const RESULTS_MAX: usize = 1000;
