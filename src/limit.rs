//! How often something may happen: by the generic cell rate algorithm (GCRA), of `governor`.
//!
//! So far only for failures: who sends too many texts that cannot be opened has to wait.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The failures of one sender: a few are its right, more than that make it wait.
pub struct FailureLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    blocked_until: Mutex<Option<C::Instant>>,
}

impl FailureLimit {
    /// This many failures a minute are borne, also all at once.
    pub fn per_minute(failures_max: NonZeroU32) -> Self {
        Self::with_clock(failures_max, DefaultClock::default())
    }
}

impl<C: Clock + Clone> FailureLimit<C> {
    fn with_clock(failures_max: NonZeroU32, clock: C) -> Self {
        Self {
            limiter: RateLimiter::direct_with_clock(Quota::per_minute(failures_max), clock.clone()),
            clock,
            blocked_until: Mutex::new(None),
        }
    }

    /// Notes a failure.
    pub fn note(&self) {
        if let Err(until) = self.limiter.check() {
            *self.blocked_until() = Some(until.earliest_possible());
        }
    }

    /// How long the sender has to wait, if it has to.
    pub fn wait(&self) -> Option<Duration> {
        let until = (*self.blocked_until())?;
        let wait = Duration::from(until.duration_since(self.clock.now()));
        (!wait.is_zero()).then_some(wait)
    }

    fn blocked_until(&self) -> std::sync::MutexGuard<'_, Option<C::Instant>> {
        self.blocked_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn more_failures_than_are_borne_make_the_sender_wait() {
        let clock = FakeRelativeClock::default();
        let limit = FailureLimit::with_clock(NonZeroU32::new(6).unwrap(), clock.clone());
        for _ in 0..6 {
            limit.note();
            assert_eq!(limit.wait(), None);
        }
        limit.note();
        assert_eq!(limit.wait(), Some(Duration::from_secs(10)));
        clock.advance(Duration::from_secs(9));
        assert_eq!(limit.wait(), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limit.wait(), None);
        limit.note();
        assert_eq!(limit.wait(), None, "one more is borne every ten seconds");
        limit.note();
        assert!(limit.wait().is_some());
    }
}
