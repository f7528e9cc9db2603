//! One limit, by the generic cell rate algorithm, that can be slowed down for a while.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::policy::RateLimit;

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// One limit.
#[derive(Debug)]
pub(super) struct Gcra {
    limit: RateLimit,
    limiter: Limiter,
    /// The time between two; longer than the limit's own where the platform asked for less.
    interval: Duration,
    /// When it is made shorter again, and until when it is not made longer again.
    faster_at: Option<Instant>,
    /// When the next may go, where that is known.
    opens: Option<Instant>,
    seen: Seen,
}

/// How many came through lately.
#[derive(Debug)]
struct Seen {
    since: Instant,
    now: u32,
    before: u32,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The limit.
    pub limit: RateLimit,
    /// How many may come at once.
    pub count: u32,
}

impl Gcra {
    pub(super) fn new(limit: &RateLimit) -> Self {
        let interval = own_interval(limit);
        Self {
            limit: *limit,
            limiter: limiter(interval, limit.burst),
            interval,
            faster_at: None,
            opens: None,
            seen: Seen {
                since: Instant::now(),
                now: 0,
                before: 0,
            },
        }
    }

    /// Lets one through, or says from when on it may come.
    pub(super) fn pass(&mut self, now: Instant) -> Result<Left, Instant> {
        if self.faster_at.is_some_and(|at| at <= now) {
            self.set(self.interval.mul_f64(FASTER), now);
        }
        match self.limiter.check() {
            Ok(state) => {
                self.opens = None;
                self.seen.note(now);
                Ok(Left {
                    limit: self.limit,
                    count: state.remaining_burst_capacity(),
                })
            }
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                self.opens = Some(now + wait);
                Err(now + wait)
            }
        }
    }

    /// When one may come through who has `before` others before it, as far as is known.
    pub(super) fn opens(&self, now: Instant, before: u32) -> Instant {
        let opens = self.opens.unwrap_or(now).max(now);
        opens + self.interval.saturating_mul(before)
    }

    /// The platform refused what this let through: for a while half as many come as came lately.
    pub(super) fn slow_down(&mut self, now: Instant) {
        // Those that were under way together are refused together, and count as one.
        if self.faster_at.is_some_and(|at| at > now) {
            return;
        }
        let lately = RISE / self.seen.most(now).max(1);
        self.set(
            self.interval
                .max(lately)
                .min(INTERVAL_MAX)
                .saturating_mul(2),
            now,
        );
    }

    /// After this time nothing of the past counts any longer.
    pub(super) fn memory(&self) -> Duration {
        match self.faster_at {
            Some(_) => self.limit.per + MEMORY,
            None => self.limit.per,
        }
    }

    fn set(&mut self, interval: Duration, now: Instant) {
        let own = own_interval(&self.limit);
        self.interval = interval.max(own);
        let is_slow = self.interval > own;
        self.faster_at = is_slow.then_some(now + RISE);
        // A limit that is slowed down has no burst.
        let burst = if is_slow {
            NonZeroU32::MIN
        } else {
            self.limit.burst
        };
        self.limiter = limiter(self.interval, burst);
    }
}

impl Seen {
    fn note(&mut self, now: Instant) {
        self.turn(now);
        self.now = self.now.saturating_add(1);
    }

    /// The most in one of the last two stretches of [`RISE`].
    fn most(&mut self, now: Instant) -> u32 {
        self.turn(now);
        self.now.max(self.before)
    }

    fn turn(&mut self, now: Instant) {
        let passed = now.duration_since(self.since);
        if passed >= RISE {
            self.before = if passed < RISE * 2 { self.now } else { 0 };
            (self.since, self.now) = (now, 0);
        }
    }
}

fn own_interval(limit: &RateLimit) -> Duration {
    (limit.per / limit.max.get()).max(Duration::from_nanos(1))
}

fn limiter(interval: Duration, burst: NonZeroU32) -> Limiter {
    let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(burst));
    RateLimiter::direct(quota.allow_burst(burst)).with_middleware()
}

/// How often a limit that was slowed down is looked at, and what its interval becomes then.
const RISE: Duration = Duration::from_secs(1);
const FASTER: f64 = 0.9;
/// The longest time between two that a limit is slowed down to, halved.
const INTERVAL_MAX: Duration = Duration::from_secs(1);
/// How long it takes at most until a limit is as fast as before.
const MEMORY: Duration = Duration::from_mins(5);
