//! Real servers for tests, on free ports of the loopback address: a Redis, or a cluster of six.
//! Killed when dropped.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod cluster;
pub(crate) mod redis;
pub(crate) mod wire;

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One for all tests that run at the same time; the last of them ends it.
pub(crate) struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    pub(crate) fn get(&self, start: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(start());
        *shared = Arc::downgrade(&started);
        started
    }
}
