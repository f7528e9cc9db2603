//! What a try of a route got done, as it is kept between tries.

use bytes::Bytes;
use serde_json::{Map, Value};

/// What the steps brought that are done, by the place of the step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    done: Map<String, Value>,
}

impl Progress {
    /// Reads what was kept; nothing, where it cannot be read.
    pub fn read(kept: Option<&Bytes>) -> Self {
        let read = kept.and_then(|kept| serde_json::from_slice(kept).ok());
        Self {
            done: read.unwrap_or_default(),
        }
    }

    /// As it is kept.
    pub fn write(&self) -> Bytes {
        Bytes::from(Value::Object(self.done.clone()).to_string())
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    pub(super) fn get(&self, place: &str) -> Option<&Value> {
        self.done.get(place)
    }

    pub(super) fn note(&mut self, place: &str, brought: Value) {
        self.done.insert(place.to_owned(), brought);
    }
}
