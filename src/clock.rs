//! The wall clock: the one place that asks what time it is.
//!
//! Durations and deadlines are not measured with it; they are `tokio::time`'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A second of wall time, counted from 1970-01-01T00:00:00Z.
pub type UnixSecond = i64;

/// A millisecond of wall time, counted from 1970-01-01T00:00:00Z.
pub type UnixMs = i64;

/// The wall clock. Clones show the same time; a test can turn it.
#[derive(Debug, Clone)]
pub struct Clock {
    /// How far it is ahead of the system's, in seconds.
    ahead_s: Arc<AtomicI64>,
    /// The millisecond at which it stands, or [`GOING`].
    stands_at: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self {
            ahead_s: Arc::new(AtomicI64::new(0)),
            stands_at: Arc::new(AtomicI64::new(GOING)),
        }
    }

    /// A clock that stands, for trying things out.
    pub fn standing_at(now_ms: UnixMs) -> Self {
        let clock = Self::system();
        clock.stand_at(now_ms);
        clock
    }

    /// Sets it to a millisecond, at which it stands, for everyone who shares it.
    pub fn stand_at(&self, now_ms: UnixMs) {
        self.stands_at.store(now_ms, Ordering::Relaxed);
    }

    /// The second that it is.
    pub fn now(&self) -> UnixSecond {
        self.now_ms().div_euclid(1000)
    }

    /// The millisecond that it is. A system clock before 1970 shows 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now_ms(&self) -> UnixMs {
        let stands_at = self.stands_at.load(Ordering::Relaxed);
        let ahead_s = self.ahead_s.load(Ordering::Relaxed);
        if stands_at != GOING {
            return stands_at.saturating_add(ahead_s.saturating_mul(1000));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        i64::try_from(millis)
            .unwrap_or(UnixMs::MAX)
            .saturating_add(ahead_s.saturating_mul(1000))
    }

    /// Turns it on by some seconds, for everyone who shares it.
    pub fn turn(&self, seconds: i64) {
        self.ahead_s.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// It goes with the system's.
const GOING: UnixMs = UnixMs::MIN;
