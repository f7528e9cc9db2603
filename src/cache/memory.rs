//! Entries in memory, by bytes: what is used least goes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::{Entry, Group, Key, Owner, Store};

/// Entries in memory.
pub struct Memory(Cache<Key, Arc<Group>, Bytes>);

/// Weighs by bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Group>> for Bytes {
    fn weight(&self, key: &Key, group: &Arc<Group>) -> u64 {
        u64::try_from(key.len() + group.weight()).unwrap_or(u64::MAX)
    }
}

impl Memory {
    /// Room for so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / ITEM_BYTES).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items.clamp(16, ITEMS_MAX))
            .weight_capacity(bytes_max)
            // Few, since an entry must fit into one of them.
            .shards(SHARDS)
            .build();
        let cache = match options {
            Ok(options) => Cache::with_options(
                options,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Cache::with_weighter(items, bytes_max, Bytes),
        };
        Self(cache)
    }
}

impl Store for Memory {
    fn get(&self, key: &Key) -> Option<Arc<Group>> {
        self.0.get(key)
    }

    fn put(&self, key: &Key, group: Arc<Group>) {
        self.0.insert(key.clone(), group);
    }

    fn remove(&self, key: &Key) {
        self.0.remove(key);
    }

    fn remove_all(&self, is_meant: &dyn Fn(&Owner) -> bool) -> u64 {
        let removed = AtomicU64::new(0);
        self.0.retain(|_, group| {
            let mut owners = group.entries().iter().map(|entry| &entry.owner);
            let goes = owners.any(is_meant);
            if goes {
                let entries = u64::try_from(group.entries().len()).unwrap_or(0);
                removed.fetch_add(entries, Ordering::Relaxed);
            }
            !goes
        });
        removed.into_inner()
    }

    fn each(&self, show: &mut dyn FnMut(&Entry)) {
        for (_, group) in self.0.iter() {
            for entry in group.entries() {
                show(entry);
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.0.weight()
    }
}

const SHARDS: usize = 4;
/// A small reply with its headers.
const ITEM_BYTES: u64 = 2048;
const ITEMS_MAX: usize = 1 << 20;
