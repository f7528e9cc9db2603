//! What a call wants of a cache: the request directives of RFC 9111, section 5.2.1.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use super::{Directives, Entry};
use crate::clock::UnixMs;

/// What a call wants. The default wants nothing in particular.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Nothing is kept, and no kept reply answers.
    pub no_store: bool,
    /// A kept reply answers only when the upstream has confirmed it.
    pub no_cache: bool,
    /// Nothing is fetched.
    pub only_if_cached: bool,
    /// No older than this, in seconds.
    pub max_age_s: Option<i64>,
    /// Fresh for at least this much longer, in seconds.
    pub min_fresh_s: Option<i64>,
    /// Stale for no longer than this, in seconds.
    pub max_stale_s: Option<i64>,
}

/// What an entry is good for.
#[derive(Debug, Clone, Copy)]
pub enum Use<'g> {
    /// It answers.
    Fresh(&'g Arc<Entry>),
    /// It answers although it is stale, since the call allows it.
    Allowed(&'g Arc<Entry>),
    /// It answers, and a new one is fetched beside.
    Meanwhile(&'g Arc<Entry>),
    /// It must be confirmed, and may stand in for an error.
    Stale(&'g Arc<Entry>),
    /// There is none.
    Nothing,
}

impl Wish {
    /// Reads it off a call.
    pub fn read(headers: &HeaderMap) -> Self {
        if !headers.contains_key(CACHE_CONTROL) {
            // RFC 9111, section 5.4: it counts only where the newer field is not there.
            let is_no_cache = |value: &http::HeaderValue| value.as_bytes() == b"no-cache";
            return Self {
                no_cache: headers.get(PRAGMA).is_some_and(is_no_cache),
                ..Self::default()
            };
        }
        let directives = Directives::read(headers, &CACHE_CONTROL);
        let seconds = |name| directives.seconds(name).map(|found| found.unwrap_or(0));
        Self {
            no_store: directives.has("no-store"),
            no_cache: directives.has("no-cache"),
            only_if_cached: directives.has("only-if-cached"),
            max_age_s: seconds("max-age"),
            min_fresh_s: seconds("min-fresh"),
            max_stale_s: match directives.argument("max-stale") {
                Some(None) => Some(i64::MAX / 1000),
                _ => seconds("max-stale"),
            },
        }
    }

    /// Whether a call with this wish is content with what another call fetches.
    pub fn shares(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a stale reply may stand in for none.
    pub fn bears_stale(&self) -> bool {
        !self.no_cache && self.max_age_s.is_none() && self.min_fresh_s.is_none()
    }

    /// What an entry is good for.
    pub fn of<'g>(&self, entry: &'g Arc<Entry>, now_ms: UnixMs) -> Use<'g> {
        let life = &entry.life;
        let age_ms = life.age_ms + (now_ms - life.born_ms).max(0);
        let too_old = self
            .max_age_s
            .is_some_and(|max| age_ms > max.saturating_mul(1000));
        if self.no_cache || too_old {
            return Use::Stale(entry);
        }
        let min_fresh_ms = self.min_fresh_s.unwrap_or(0).saturating_mul(1000);
        if now_ms.saturating_add(min_fresh_ms) < life.fresh_until_ms {
            return Use::Fresh(entry);
        }
        if self.min_fresh_s.is_some() || life.is_strict {
            return Use::Stale(entry);
        }
        let stale_ms = now_ms - life.fresh_until_ms;
        if self
            .max_stale_s
            .is_some_and(|max| stale_ms <= max.saturating_mul(1000))
        {
            return Use::Allowed(entry);
        }
        if now_ms < life.revalidate_until_ms && self.max_age_s.is_none() {
            return Use::Meanwhile(entry);
        }
        Use::Stale(entry)
    }
}
