//! A limit that a fleet shares: its cells are had from one place, some at a time and ahead, so that
//! hardly any call waits for it.
//!
//! What is at hand is used within [`LIFE`] or lost. In any time `T` a fleet so lets through what the
//! limit allows in `T` and [`LIFE`], and never more than one batch of each process above the limit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::gcra::Left;
use crate::policy::RateLimit;
use crate::store::Redis;
use crate::store::redis::{Grant, Want};

/// A fleet, and what a process does that cannot reach it.
#[derive(Clone)]
pub struct Fleet {
    /// Where the cells are.
    pub redis: Arc<Redis>,
    /// What goes on alone.
    pub alone: Alone,
}

/// What a process does that cannot reach the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It counts by itself.
    Count,
    /// It lets nobody go.
    Refuse,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_struct("Fleet");
        told.field("alone", &self.alone).finish_non_exhaustive()
    }
}

/// The part of one process.
#[derive(Debug)]
pub(super) struct Share {
    limit: RateLimit,
    key: String,
    alone: Alone,
    /// How many may go without asking, and until when.
    cells: u32,
    good_until: Instant,
    /// How many are asked for at once: the more, the faster they went.
    batch: u32,
    /// What is left for others.
    left: u32,
    /// When there is more, where that is known.
    opens: Option<Instant>,
    /// While Redis cannot be reached.
    away_until: Option<Instant>,
}

impl Share {
    pub(super) fn new(limit: &RateLimit, key: String, alone: Alone) -> Self {
        Self {
            limit: *limit,
            key,
            alone,
            cells: 0,
            good_until: Instant::now(),
            batch: 1,
            left: 0,
            opens: None,
            away_until: None,
        }
    }

    /// Lets one through, or says from when on it may come; sooner, where cells come.
    pub(super) fn pass(&mut self, now: Instant) -> Result<Option<Left>, Instant> {
        if let Some(until) = self.away_until.filter(|until| *until > now) {
            return match self.alone {
                Alone::Count => Ok(None),
                Alone::Refuse => Err(until),
            };
        }
        self.forget_old(now);
        if self.cells == 0 {
            return Err(self.opens(now).max(now + SOON));
        }
        self.cells -= 1;
        Ok(Some(Left {
            limit: self.limit,
            count: self.left.saturating_add(self.cells),
        }))
    }

    /// When one may come through, as far as is known.
    pub(super) fn opens(&self, now: Instant) -> Instant {
        self.opens.unwrap_or(now).max(now)
    }

    pub(super) fn memory(&self) -> Duration {
        self.limit.per
    }

    /// What is wanted now: before the last one is gone, so that the next call finds some.
    pub(super) fn want(&mut self, now: Instant) -> Option<Want> {
        self.forget_old(now);
        let waits = [self.away_until, self.opens].into_iter().flatten();
        if self.cells > self.batch / 2 || waits.max().is_some_and(|until| until > now) {
            return None;
        }
        Some(Want {
            key: self.key.clone(),
            interval: (self.limit.per / self.limit.max.get()).max(Duration::from_micros(1)),
            burst: self.limit.burst.get(),
            cells: self.batch - self.cells,
        })
    }

    /// Whether it is this one's.
    pub(super) fn is_of(&self, want: &Want) -> bool {
        self.key == want.key
    }

    /// What Redis gave.
    pub(super) fn put(&mut self, grant: &Grant, now: Instant) {
        // Those that are at hand went within their life, or they would be forgotten.
        if self.cells <= self.batch / 2 && self.good_until > now {
            self.batch = self.batch.saturating_mul(2).min(batch_max(&self.limit));
        }
        self.cells = self.cells.saturating_add(grant.cells);
        self.good_until = now + LIFE;
        self.left = grant.left;
        self.away_until = None;
        self.opens = (grant.cells == 0).then_some(now + grant.opens_in);
    }

    /// It could not be reached.
    pub(super) fn lose(&mut self, now: Instant) {
        self.away_until = Some(now + AGAIN_AFTER);
    }

    fn forget_old(&mut self, now: Instant) {
        if self.cells > 0 && self.good_until <= now {
            self.cells = 0;
            self.batch = (self.batch / 2).max(1);
        }
    }
}

/// What may be had ahead: so much that asking for it costs little, and little of the whole.
fn batch_max(limit: &RateLimit) -> u32 {
    let each = limit.per / limit.max.get();
    let quarter = LIFE.as_micros() / 4 / each.as_micros().max(1);
    let quarter = u32::try_from(quarter).unwrap_or(u32::MAX);
    quarter.clamp(1, (limit.burst.get() / 4).max(1))
}

/// How long cells that were had may be used.
pub const LIFE: Duration = Duration::from_secs(1);
/// How long a call waits for cells before it looks again; it is woken when they come.
const SOON: Duration = Duration::from_millis(100);
/// How long nobody asks after Redis could not be reached.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn share(max: u32, alone: Alone) -> Share {
        let max = NonZeroU32::new(max).unwrap();
        let per = Duration::from_secs(1);
        let limit = RateLimit {
            max,
            per,
            burst: max,
        };
        Share::new(&limit, "k".to_owned(), alone)
    }

    fn grant(cells: u32) -> Grant {
        let opens_in = Duration::from_millis(300);
        Grant {
            cells,
            left: 7,
            opens_in,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_faster_cells_go_the_more_are_asked_for() {
        let mut share = share(1000, Alone::Count);
        let now = Instant::now();
        let mut asked = Vec::new();
        for _ in 0..12 {
            let want = share.want(now).unwrap();
            asked.push(want.cells);
            share.put(&grant(want.cells), now);
            while share.want(now).is_none() {
                share.pass(now).unwrap();
            }
        }
        // Twice as many each time, less what is at hand, up to a quarter of a second's.
        assert_eq!(asked, [1, 1, 1, 2, 4, 8, 16, 32, 64, 125, 125, 125]);
        // What is not used within its life is lost, and less is asked for.
        let later = now + LIFE;
        assert_eq!(share.want(later).unwrap().cells, 125);
        assert!(share.pass(later).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_before_there_is_more() {
        let mut share = share(10, Alone::Count);
        let now = Instant::now();
        assert!(share.want(now).is_some());
        share.put(&grant(0), now);
        assert_eq!(share.want(now), None);
        assert_eq!(
            share.pass(now).unwrap_err(),
            now + Duration::from_millis(300)
        );
        assert!(share.want(now + Duration::from_millis(300)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_alone_counts_by_itself_or_lets_nobody_go() {
        for (alone, goes) in [(Alone::Count, true), (Alone::Refuse, false)] {
            let mut share = share(10, alone);
            let now = Instant::now();
            share.put(&grant(5), now);
            share.lose(now);
            assert_eq!(share.pass(now).is_ok(), goes);
            assert_eq!(share.want(now), None);
            assert!(share.want(now + AGAIN_AFTER).is_some());
        }
    }
}
