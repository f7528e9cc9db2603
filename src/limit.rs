//! How often something may happen: by the generic cell rate algorithm (GCRA), of `governor`.
//!
//! When a failure is told tells nothing. Who fails too often has to wait; who may send so much a second is held to it.

mod breaker;
mod bucket;
mod gate;
mod gcra;
mod quotas;
mod share;

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep};

pub use breaker::{Breaker, Pass};
pub use gcra::Left;
pub use quotas::{Admitted, Counting, OverQuota, Quotas};
pub use share::{Alone, Fleet, LIFE};

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

/// So many a second, and no more: the rest waits its turn.
pub struct Rate(RateLimiter<NotKeyed, InMemoryState, DefaultClock>);

impl Rate {
    /// This many a second, of which as many may come at once.
    pub fn per_second(max: NonZeroU32) -> Self {
        Self(RateLimiter::direct(Quota::per_second(max)))
    }

    /// Waits until one more may come.
    pub async fn turn(&self) {
        while let Err(until) = self.0.check() {
            sleep(until.wait_time_from(DefaultClock::default().now())).await;
        }
    }
}

/// When a failure is told: on the next tick of a clock that began when the text was whole, so that
/// how long the opening took does not tell how far it came. The tick is longer than the opening of
/// a text of that length takes.
pub fn told_at(begun: Instant, len: usize, now: Instant) -> Instant {
    let tick_ms = TICK_MS + u64::try_from(len / BYTES_A_MS).unwrap_or(0);
    let elapsed_ms = u64::try_from((now - begun).as_millis()).unwrap_or(0);
    begun + Duration::from_millis((elapsed_ms / tick_ms + 1) * tick_ms)
}

const TICK_MS: u64 = 10;
/// A tenth of what a slow machine opens in a millisecond.
const BYTES_A_MS: usize = 32 * 1024;

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

    #[test]
    fn a_failure_is_told_on_the_tick() {
        let begun = Instant::now();
        let told_ms = |len, elapsed_ms| {
            let now = begun + Duration::from_millis(elapsed_ms);
            (told_at(begun, len, now) - begun).as_millis()
        };
        for (len, elapsed_ms, expected) in [
            (0, 0, 10),
            (100, 9, 10),
            (100, 10, 20),
            (16 << 20, 0, 522),
            (16 << 20, 60, 522),
        ] {
            assert_eq!(told_ms(len, elapsed_ms), expected, "{len} {elapsed_ms}");
        }
    }
}
