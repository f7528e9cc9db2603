//! Replies that answer again: what is kept of them, for how long, and under which key.
//!
//! Two modes share the store. By policy: an operation names a cache of `policies/cache.yaml`. By
//! HTTP: an upstream that speaks of caching is believed as RFC 9111 has it ([`semantics`]). What an
//! entry holds is plaintext, so it is kept in memory; what a fleet keeps together is sealed. Absent from every entry: the token,
//! cookies, and what belongs to one connection.

mod entry;
mod field;
mod flight;
mod key;
mod memory;
pub mod semantics;
mod serve;
mod shared;
mod told;
mod wish;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use entry::{Entry, Group, Life, Owner};
pub use field::{Directives, Vary};
pub use flight::{Boarding, Flights, Lead, Waiter};
pub use key::{Builder, Key};
pub use memory::Memory;
pub use serve::{ask_whether, is_conditional, is_for_origin};
pub use shared::{Shared, Wanted};
pub use told::{Forward, Told};
pub use wish::{Use, Wish};

/// The limits of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// All entries together, in bytes.
    pub bytes_max: u64,
    /// The largest reply that is kept, in bytes of its body.
    pub entry_bytes_max: usize,
}

/// Where entries are kept. Each is plain data with times by the wall clock, so that it means the
/// same elsewhere and later.
pub trait Store: Send + Sync {
    /// What stands under a key.
    fn get(&self, key: &Key) -> Option<Arc<Group>>;
    /// Puts it in the place of what stands there. It may be dropped at any time, also at once.
    fn put(&self, key: &Key, group: Arc<Group>);
    /// Drops what stands under a key.
    fn remove(&self, key: &Key);
    /// Drops every entry for which `is_meant` holds, and tells how many.
    fn remove_all(&self, is_meant: &dyn Fn(&Owner) -> bool) -> u64;
    /// Shows every entry.
    fn each(&self, show: &mut dyn FnMut(&Entry));
    /// How much is kept, in bytes.
    fn bytes(&self) -> u64;
}

/// The cache, with the guard that keeps out what was fetched before it was made invalid.
pub struct Cache {
    options: Options,
    store: Box<dyn Store>,
    epochs: Arc<Mutex<Epochs>>,
    counts: Counts,
}

/// A fetch that is under way: what it brings is kept only if nothing was made invalid meanwhile.
#[derive(Clone)]
#[must_use]
pub struct Ticket(Arc<UnderWay>);

struct UnderWay {
    epochs: Arc<Mutex<Epochs>>,
    key: Key,
    purges: u64,
    changes: u64,
}

/// How often something was made invalid.
#[derive(Default)]
struct Epochs {
    purges: u64,
    /// By the keys that are being fetched: how many fetches there are, and how many changes.
    fetched: HashMap<Key, (usize, u64)>,
}

/// How often what happened, since the start.
#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    stored: AtomicU64,
    collapsed: AtomicU64,
}

/// What the cache holds and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of all entries.
    pub bytes: u64,
    /// Bytes that there may be.
    pub bytes_max: u64,
    /// Calls that an entry answered.
    pub hits: u64,
    /// Calls that none answered.
    pub misses: u64,
    /// Replies that were kept.
    pub stored: u64,
    /// Calls that were answered by the fetch of another.
    pub collapsed: u64,
}

impl Cache {
    /// An empty cache in memory.
    pub fn in_memory(options: Options) -> Self {
        Self {
            options,
            store: Box::new(Memory::new(options.bytes_max)),
            epochs: Arc::default(),
            counts: Counts::default(),
        }
    }

    /// Its limits.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What stands under a key.
    pub fn get(&self, key: &Key) -> Option<Arc<Group>> {
        self.store.get(key)
    }

    /// Begins a fetch for a key.
    pub fn ticket(&self, key: &Key) -> Ticket {
        let mut epochs = self.epochs();
        let purges = epochs.purges;
        let (fetches, changes) = epochs.fetched.entry(key.clone()).or_default();
        *fetches += 1;
        Ticket(Arc::new(UnderWay {
            epochs: Arc::clone(&self.epochs),
            key: key.clone(),
            purges,
            changes: *changes,
        }))
    }

    /// Keeps an entry, unless something that concerns it was made invalid since its fetch began.
    pub fn keep(&self, key: &Key, ticket: &Ticket, entry: Arc<Entry>) {
        if entry.body.len() > self.options.entry_bytes_max {
            return;
        }
        // Under the lock, so that an invalidation comes either before, and keeps the entry out, or
        // after, and finds it.
        let epochs = self.epochs();
        if ticket.is_good(&epochs) {
            let before = self.store.get(key);
            let group = Group::with(before.as_deref(), entry);
            self.store.put(key, Arc::new(group));
            self.counts.stored.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes until when replies under a key are not waited for by others, since none of them can
    /// be kept.
    pub fn pass(&self, key: &Key, ticket: &Ticket, until_ms: i64) {
        let epochs = self.epochs();
        if ticket.is_good(&epochs) {
            let before = self.store.get(key);
            let group = Group::passing(before.as_deref(), until_ms);
            self.store.put(key, Arc::new(group));
        }
    }

    /// Drops what stands under a key, and keeps out what is being fetched for it.
    pub fn invalidate(&self, key: &Key) {
        let mut epochs = self.epochs();
        if let Some((_, changes)) = epochs.fetched.get_mut(key) {
            *changes += 1;
        }
        self.store.remove(key);
    }

    /// Drops every entry of an operation, an account, or both, keeps out what is being fetched, and
    /// tells how many there were.
    pub fn purge(&self, operation: Option<&str>, account: Option<&str>) -> u64 {
        self.epochs().purges += 1;
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        self.store
            .remove_all(&|owner| is(operation, &owner.operation) && is(account, &owner.account))
    }

    /// Shows every entry.
    pub fn each(&self, show: &mut dyn FnMut(&Entry)) {
        self.store.each(show);
    }

    /// Counts a call by how it was answered.
    pub fn count(&self, told: &Told) {
        let count = match told {
            Told::Hit { .. } => &self.counts.hits,
            Told::Forward {
                collapsed: true, ..
            } => &self.counts.collapsed,
            Told::Forward { .. } => &self.counts.misses,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// What it holds and did.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            bytes: self.store.bytes(),
            bytes_max: self.options.bytes_max,
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            stored: read(&self.counts.stored),
            collapsed: read(&self.counts.collapsed),
        }
    }

    fn epochs(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Whether nothing was made invalid since it was given.
    fn is_good(&self, epochs: &Epochs) -> bool {
        let UnderWay {
            key,
            purges,
            changes,
            ..
        } = &*self.0;
        let now = epochs.fetched.get(key).map(|(_, changes)| *changes);
        epochs.purges == *purges && now == Some(*changes)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((fetches, _)) = epochs.fetched.get_mut(&self.key) {
            *fetches -= 1;
            if *fetches == 0 {
                epochs.fetched.remove(&self.key);
            }
        }
    }
}
