//! One fetch for all that want the same: the first one leads, the others wait for what it brings.
//!
//! A waiter waits as long as it likes. A lead that is dropped without a word (its caller left
//! before anything was sent, or it panicked) frees its waiters, and one of them leads next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Key;

/// The fetches that are under way.
pub struct Flights<T> {
    under_way: Arc<Mutex<UnderWay<T>>>,
}

type UnderWay<T> = HashMap<Key, watch::Receiver<Option<T>>>;

/// What a call is to do.
pub enum Boarding<T: Clone> {
    /// Fetch.
    Lead(Lead<T>),
    /// Wait.
    Wait(Waiter<T>),
}

/// Who fetches. It must be told what came of it, or dropped.
#[must_use]
pub struct Lead<T: Clone> {
    key: Key,
    under_way: Arc<Mutex<UnderWay<T>>>,
    landed: watch::Sender<Option<T>>,
}

/// Who waits.
#[must_use]
pub struct Waiter<T>(watch::Receiver<Option<T>>);

impl<T: Clone> Flights<T> {
    /// None is under way.
    #[expect(clippy::new_without_default, reason = "no cache has a default")]
    pub fn new() -> Self {
        Self {
            under_way: Arc::default(),
        }
    }

    /// Joins the fetch for a key, or begins it.
    pub fn board(&self, key: &Key) -> Boarding<T> {
        let mut under_way = lock(&self.under_way);
        if let Some(landing) = under_way.get(key) {
            return Boarding::Wait(Waiter(landing.clone()));
        }
        Boarding::Lead(self.lead(&mut under_way, key))
    }

    /// Begins the fetch for a key, if none is under way.
    pub fn try_lead(&self, key: &Key) -> Option<Lead<T>> {
        let mut under_way = lock(&self.under_way);
        let is_free = !under_way.contains_key(key);
        is_free.then(|| self.lead(&mut under_way, key))
    }

    fn lead(&self, under_way: &mut UnderWay<T>, key: &Key) -> Lead<T> {
        let (landed, landing) = watch::channel(None);
        under_way.insert(key.clone(), landing);
        Lead {
            key: key.clone(),
            under_way: Arc::clone(&self.under_way),
            landed,
        }
    }
}

impl<T: Clone> Lead<T> {
    /// Tells everyone who waits.
    pub fn land(self, brought: T) {
        self.landed.send_replace(Some(brought));
    }
}

impl<T: Clone> Drop for Lead<T> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

impl<T: Clone> Waiter<T> {
    /// What the fetch brought; `None` where it was given up.
    pub async fn landed(mut self) -> Option<T> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

fn lock<T>(under_way: &Mutex<UnderWay<T>>) -> MutexGuard<'_, UnderWay<T>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Builder;

    fn key() -> Key {
        Builder::new(&[0; 32], "main", 1).build()
    }

    fn lead(flights: &Flights<u8>) -> Lead<u8> {
        flights.try_lead(&key()).expect("nobody leads")
    }

    fn wait(flights: &Flights<u8>) -> Waiter<u8> {
        match flights.board(&key()) {
            Boarding::Wait(waiter) => waiter,
            Boarding::Lead(_) => panic!("somebody leads"),
        }
    }

    #[tokio::test]
    async fn what_the_lead_brings_is_for_all() {
        let flights = Flights::new();
        let first = lead(&flights);
        let (one, two) = (wait(&flights), wait(&flights));
        first.land(7);
        assert_eq!((one.landed().await, two.landed().await), (Some(7), Some(7)));
        drop(lead(&flights));
    }

    #[tokio::test]
    async fn a_lead_that_is_dropped_frees_its_waiters() {
        let flights = Flights::new();
        let first = lead(&flights);
        let waiter = wait(&flights);
        drop(first);
        assert_eq!(waiter.landed().await, None);
        drop(lead(&flights));
    }
}
