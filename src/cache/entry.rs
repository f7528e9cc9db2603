//! A reply that is kept, and how long it answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, CONTENT_LENGTH, SET_COOKIE};
use http::{HeaderMap, StatusCode};

use super::{Use, Vary, Wish};
use crate::clock::UnixMs;
use crate::message::header;

/// A reply. Plain data: status, end-to-end headers, body, and moments of the wall clock.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose it is.
    pub owner: Owner,
    /// The status.
    pub status: StatusCode,
    /// The end-to-end headers, without `Age` and `Content-Length`, which are told anew each time.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// What its call said in the fields that `Vary` names.
    pub vary: Vary,
    /// How long it answers.
    pub life: Life,
}

/// Which account's reply to which operation; the latter is empty where the catalogue has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The account.
    pub account: Arc<str>,
    /// The operation.
    pub operation: Arc<str>,
}

/// How long a reply answers, in milliseconds of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it came.
    pub born_ms: UnixMs,
    /// How old it was then.
    pub age_ms: i64,
    /// Until when it is fresh.
    pub fresh_until_ms: UnixMs,
    /// Until when it answers while a new one is fetched.
    pub revalidate_until_ms: UnixMs,
    /// Until when it answers in the place of an error.
    pub error_until_ms: UnixMs,
    /// Until when it answers where the upstream gave no reply at all.
    pub silence_until_ms: UnixMs,
    /// It never answers when it is stale, whatever a call allows.
    pub is_strict: bool,
}

/// What stands under one key: the variants of a reply.
#[derive(Debug, Default)]
pub struct Group {
    entries: Vec<Arc<Entry>>,
    pass_until_ms: UnixMs,
}

impl Entry {
    /// What may be kept of the headers of a reply that passes.
    ///
    /// Hop-by-hop fields and whatever repeats the token are gone already.
    pub fn headers_of(headers: &HeaderMap, besides: &[http::HeaderName]) -> HeaderMap {
        let mut kept = headers.clone();
        for name in [
            AGE,
            CONTENT_LENGTH,
            SET_COOKIE,
            header::REQUEST_ID,
            header::SERVER_TIMING,
            header::RATE_LIMIT,
            header::RATE_LIMIT_POLICY,
        ] {
            kept.remove(name);
        }
        for name in besides {
            kept.remove(name);
        }
        kept
    }

    /// How old it is, in seconds.
    pub fn age_s(&self, now_ms: UnixMs) -> u64 {
        let age_ms = self.life.age_ms + (now_ms - self.life.born_ms).max(0);
        u64::try_from(age_ms / 1000).unwrap_or(0)
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        let of_headers = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len() + value.len() + FIELD_BYTES
        };
        ENTRY_BYTES + self.body.len() + self.headers.iter().map(of_headers).sum::<usize>()
    }
}

impl Group {
    /// The entry with those of before, less the one whose place it takes.
    pub(super) fn with(before: Option<&Self>, entry: Arc<Entry>) -> Self {
        let others = before.map_or(&[][..], |before| &before.entries);
        let mut entries: Vec<_> = others
            .iter()
            .filter(|other| other.vary != entry.vary)
            .take(VARIANTS_MAX - 1)
            .map(Arc::clone)
            .collect();
        entries.insert(0, entry);
        Self {
            entries,
            pass_until_ms: 0,
        }
    }

    /// The entries of before, and that others are not to wait for a further one.
    pub(super) fn passing(before: Option<&Self>, until_ms: UnixMs) -> Self {
        Self {
            entries: before.map_or_else(Vec::new, |before| before.entries.clone()),
            pass_until_ms: until_ms,
        }
    }

    /// The newest entry that a call with these headers may get.
    pub fn select(&self, headers: &HeaderMap) -> Option<&Arc<Entry>> {
        let fits = |entry: &&Arc<Entry>| entry.vary.fits(headers);
        self.entries.iter().find(fits)
    }

    /// All entries, the newest first.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Whether waiting for the reply to another call is in vain.
    pub fn passes(&self, now_ms: UnixMs) -> bool {
        now_ms < self.pass_until_ms
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        let of_entries = self.entries.iter().map(|entry| entry.weight());
        ENTRY_BYTES + of_entries.sum::<usize>()
    }

    /// What the entry for a call with these headers is good for.
    pub fn answer<'g>(&'g self, headers: &HeaderMap, wish: &Wish, now_ms: UnixMs) -> Use<'g> {
        self.select(headers)
            .map_or(Use::Nothing, |entry| wish.of(entry, now_ms))
    }
}

/// What an entry costs besides its bytes, as far as that can be told.
const ENTRY_BYTES: usize = 512;
const FIELD_BYTES: usize = 64;
/// How many variants of a reply are kept.
const VARIANTS_MAX: usize = 16;
