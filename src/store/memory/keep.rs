//! The values and counters of the store in memory.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::store::{Keep, LEASE_BYTES_MAX, UnixMs};

/// Space and key.
type Name = (String, String);

#[derive(Debug, Default)]
pub(super) struct Keeps {
    values: BTreeMap<Name, Keep>,
    /// Each with its end.
    counters: BTreeMap<Name, (u64, UnixMs)>,
}

impl Keeps {
    pub(super) fn put(&mut self, keep: Keep) {
        let name = (keep.space.clone(), keep.key.clone());
        self.values.insert(name, keep);
    }

    pub(super) fn value(&self, space: &str, key: &str, now_ms: UnixMs) -> Option<Bytes> {
        let keep = self.values.get(&(space.to_owned(), key.to_owned()))?;
        (keep.until_ms > now_ms).then(|| keep.value.clone())
    }

    pub(super) fn list(
        &self,
        (space, after): (&str, Option<&str>),
        max: usize,
        now_ms: UnixMs,
    ) -> Vec<Keep> {
        let meant = self.values.values().filter(|keep| {
            keep.space == space
                && keep.until_ms > now_ms
                && after.is_none_or(|after| keep.key.as_str() > after)
        });
        let mut bytes = 0;
        let fits = |keep: &&Keep| {
            let is_first = bytes == 0;
            bytes += keep.bytes();
            is_first || bytes <= LEASE_BYTES_MAX
        };
        meant.take(max).take_while(fits).cloned().collect()
    }

    pub(super) fn tally(
        &mut self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> u64 {
        let name = (space.to_owned(), key.to_owned());
        let counter = self.counters.entry(name).or_insert((0, until_ms));
        if counter.1 <= now_ms {
            *counter = (0, until_ms);
        }
        counter.0 += 1;
        counter.0
    }

    pub(super) fn tallied(&self, space: &str, key: &str, now_ms: UnixMs) -> u64 {
        let counter = self.counters.get(&(space.to_owned(), key.to_owned()));
        counter
            .filter(|(_, until_ms)| *until_ms > now_ms)
            .map_or(0, |(count, _)| *count)
    }

    /// Forgets what has run out; tells how many.
    pub(super) fn sweep(&mut self, now_ms: UnixMs) -> usize {
        let before = self.values.len() + self.counters.len();
        self.values.retain(|_, keep| keep.until_ms > now_ms);
        self.counters.retain(|_, (_, until_ms)| *until_ms > now_ms);
        before - self.values.len() - self.counters.len()
    }
}
