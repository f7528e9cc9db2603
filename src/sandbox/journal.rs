//! The journal: what the sandbox was asked, newest last, in bounded memory.

use std::collections::VecDeque;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Version};

/// One request as the sandbox saw it, with its secrets: made for assertions, not for display.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The `X-Request-Id` header, where it was sent and is text.
    pub request_id: Option<String>,
    /// The HTTP method.
    pub method: Method,
    /// Path and query, as they came.
    pub target: String,
    /// All headers, `Authorization` included.
    pub headers: HeaderMap,
    /// The first 64 KiB of the body.
    pub body: Bytes,
    /// The body as it was opened, where it came sealed.
    pub opened: Option<Bytes>,
    /// Length of the whole body in bytes.
    pub body_bytes: u64,
    /// The HTTP status of the reply; 0 where none was given (yet).
    pub status: u16,
    /// Serial number of the connection that it came on, counted from 1.
    pub connection: u64,
    /// The protocol spoken on that connection.
    pub protocol: Version,
}

/// The last requests, each under a serial number that outlives its entry.
pub(super) struct Journal {
    entries: VecDeque<Seen>,
    /// Serial of the oldest entry kept.
    first: u64,
}

impl Journal {
    /// An empty journal.
    pub(super) fn new() -> Self {
        Journal {
            entries: VecDeque::new(),
            first: 0,
        }
    }

    /// Notes the head of a request on `connection`; the serial is for [`Journal::amend`].
    pub(super) fn open(&mut self, head: &Parts, connection: u64) -> u64 {
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.pop_front();
            self.first = self.first.saturating_add(1);
        }
        let text = |name: &str| head.headers.get(name)?.to_str().ok().map(str::to_owned);
        self.entries.push_back(Seen {
            request_id: text("x-request-id"),
            method: head.method.clone(),
            target: head
                .uri
                .path_and_query()
                .map_or("*", |target| target.as_str())
                .to_owned(),
            headers: head.headers.clone(),
            body: Bytes::new(),
            opened: None,
            body_bytes: 0,
            status: 0,
            connection,
            protocol: head.version,
        });
        self.total().saturating_sub(1)
    }

    /// Changes an entry, if it is still kept.
    pub(super) fn amend(&mut self, serial: u64, change: impl FnOnce(&mut Seen)) {
        let place = serial
            .checked_sub(self.first)
            .and_then(|place| usize::try_from(place).ok());
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
            change(entry);
        }
    }

    /// A copy of what is kept, oldest first.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.entries.iter().cloned().collect()
    }

    /// How many requests were noted since the start.
    pub(super) fn total(&self) -> u64 {
        self.first
            .saturating_add(u64::try_from(self.entries.len()).unwrap_or(u64::MAX))
    }

    /// Forgets every entry; serials go on, so that an exchange under way amends nothing.
    pub(super) fn clear(&mut self) {
        self.first = self.total();
        self.entries.clear();
    }
}

/// Requests kept.
const ENTRIES_MAX: usize = 1_000;
/// Bytes of each body kept.
pub(super) const BODY_KEPT_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(target: &str) -> Parts {
        Request::get(target).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_journal_keeps_the_last_thousand() {
        let mut journal = Journal::new();
        for number in 0..1_010 {
            journal.open(&head(&format!("/n/{number}")), 1);
        }
        let seen = journal.seen();
        assert_eq!(seen.len(), 1_000);
        assert_eq!(seen[0].target, "/n/10");
        assert_eq!(journal.total(), 1_010);
    }

    #[test]
    fn an_entry_that_was_dropped_is_amended_in_vain() {
        let mut journal = Journal::new();
        let old = journal.open(&head("/old"), 1);
        journal.clear();
        let new = journal.open(&head("/new"), 1);
        journal.amend(old, |entry| entry.status = 500);
        journal.amend(new, |entry| entry.status = 200);
        assert_eq!(journal.seen()[0].status, 200);
    }
}
