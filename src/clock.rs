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
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self {
            ahead_s: Arc::new(AtomicI64::new(0)),
        }
    }

    /// The second that it is.
    pub fn now(&self) -> UnixSecond {
        self.now_ms().div_euclid(1000)
    }

    /// The millisecond that it is. A system clock before 1970 shows 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now_ms(&self) -> UnixMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        let ahead_s = self.ahead_s.load(Ordering::Relaxed);
        i64::try_from(millis)
            .unwrap_or(UnixMs::MAX)
            .saturating_add(ahead_s.saturating_mul(1000))
    }

    /// Turns it on by some seconds, for everyone who shares it.
    pub fn turn(&self, seconds: i64) {
        self.ahead_s.fetch_add(seconds, Ordering::Relaxed);
    }
}
