//! When requests are due.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A constant rate: requests are due whether or not replies come, and whoever is free takes the
/// next one.
///
/// A thread that sleeps tells when they are due: the timer of the runtime is a whole millisecond
/// wide, which is more than many calls take.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    /// The end of the warm-up.
    from: Instant,
    rate: u64,
    /// Requests that fall due in all.
    all: u64,
    /// A permit for each request that is due.
    due: Semaphore,
    released: AtomicU64,
    taken: AtomicU64,
}

impl Pace {
    /// So many requests a second, to warm up for a time and to be measured for another.
    pub(super) fn new(start: Instant, rate: u32, [warm_up, measured]: [Duration; 2]) -> Self {
        Self {
            start,
            from: start + warm_up,
            rate: rate.into(),
            all: count(warm_up + measured, rate.into()),
            due: Semaphore::new(0),
            released: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Waits for the next request and tells when it was due; `None` when no more come.
    ///
    /// What the warm-up left over is not made up for: it would stand before what is measured.
    pub(super) async fn next(&self) -> Option<Instant> {
        loop {
            self.due.acquire().await.ok()?.forget();
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let due = self.due_at(number);
            if due >= self.from || Instant::now() < self.from {
                return Some(due);
            }
        }
    }

    /// Tells of requests as they fall due, until all did. It blocks its thread.
    pub(super) fn tell(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let now = Instant::now();
            let elapsed = now.saturating_duration_since(self.start);
            // The one that is due at once, and those of the time that passed.
            let due = (elapsed.as_nanos() * u128::from(self.rate)) / SECOND + 1;
            let due = u64::try_from(due).unwrap_or(u64::MAX).min(self.all);
            let before = self.released.swap(due, Ordering::Relaxed);
            let more = usize::try_from(due.saturating_sub(before)).unwrap_or_default();
            self.due.add_permits(more);
            if due == self.all {
                return;
            }
            let wait = self.due_at(due).saturating_duration_since(now);
            std::thread::sleep(wait.clamp(TICK_MIN, TICK_MAX));
        }
    }

    /// Lets nobody wait any longer; tells how many requests, without those of the warm-up, nobody
    /// was free to send.
    pub(super) fn close(&self) -> u64 {
        self.due.close();
        let released = self.released.load(Ordering::Relaxed);
        let taken = self.taken.load(Ordering::Relaxed);
        let of_warm_up = count(self.from.saturating_duration_since(self.start), self.rate);
        released.saturating_sub(taken.max(of_warm_up))
    }

    fn due_at(&self, number: u64) -> Instant {
        let ns = u128::from(number) * SECOND / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// How many requests fall due before a time is over.
fn count(time: Duration, rate: u64) -> u64 {
    let count = (time.as_nanos() * u128::from(rate)).div_ceil(SECOND);
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// In nanoseconds.
const SECOND: u128 = 1_000_000_000;
/// What falls due within it is told at once.
const TICK_MIN: Duration = Duration::from_micros(100);
/// How long a load that is stopped waits for the thread at most.
const TICK_MAX: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_fall_due_as_the_rate_says() {
        for (ms, rate, wanted) in [(1000, 200, 200), (2500, 2, 5), (10, 1, 1), (0, 9, 0)] {
            assert_eq!(
                count(Duration::from_millis(ms), rate),
                wanted,
                "{ms} ms of {rate}"
            );
        }
        let hours = Duration::from_mins(70);
        assert_eq!(count(hours, 1_000_000), 4_200_000_000);
    }

    /// A thousand a second, of which some ms warm up and some are measured, all of them due.
    async fn told(ms: [u64; 2]) -> Pace {
        let pace = Pace::new(Instant::now(), 1000, ms.map(Duration::from_millis));
        tokio::time::advance(Duration::from_secs(1)).await;
        pace.tell(&CancellationToken::new());
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_has_its_own_moment_and_what_nobody_took_is_told() {
        let pace = told([0, 10]).await;
        for number in 0..4 {
            let due = pace.next().await.unwrap();
            assert_eq!(due, pace.start + Duration::from_millis(number));
        }
        assert_eq!(pace.close(), 6);
        assert_eq!(pace.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_warm_up_left_over_is_neither_sent_nor_counted() {
        assert_eq!(told([8, 2]).await.close(), 2);
        let pace = told([8, 2]).await;
        assert_eq!(pace.next().await, Some(pace.from));
        assert_eq!(pace.close(), 1);
    }

    #[test]
    fn a_load_that_is_stopped_is_told_of_no_more() {
        let stop = CancellationToken::new();
        stop.cancel();
        let time = [Duration::ZERO, Duration::from_hours(1)];
        let pace = Pace::new(Instant::now(), 1, time);
        pace.tell(&stop);
        assert_eq!(pace.close(), 0);
    }
}
