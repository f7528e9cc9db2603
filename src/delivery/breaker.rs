//! A target that fails again and again is left alone for a while, then tried with one delivery.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The breaker of one target.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Circuit>);

#[derive(Debug, Default)]
struct Circuit {
    /// Failures in a row.
    failures: u32,
    /// How often in a row it was opened.
    openings: u32,
    open_until: Option<Instant>,
}

/// How many deliveries may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As many as there are places.
    Open,
    /// One, to see whether the target is back.
    Probe,
    /// None before this moment.
    Shut(Instant),
}

impl Breaker {
    /// What may go out now.
    pub(super) fn way(&self) -> Way {
        let circuit = self.circuit();
        match circuit.open_until {
            None => Way::Open,
            Some(until) if until > Instant::now() => Way::Shut(until),
            Some(_) => Way::Probe,
        }
    }

    /// The target answered.
    pub(super) fn succeeded(&self) {
        *self.circuit() = Circuit::default();
    }

    /// The target did not answer, or asked to be left alone for a while.
    pub(super) fn failed(&self, asked: Option<Duration>) {
        let mut circuit = self.circuit();
        circuit.failures = circuit.failures.saturating_add(1);
        if circuit.failures < FAILURES && asked.is_none() {
            return;
        }
        let pause = PAUSE
            .saturating_mul(1 << circuit.openings.min(8))
            .min(PAUSE_MAX);
        // Half of it at random: several gateways must not come back at once.
        let pause = pause / 2 + pause.mul_f64(fastrand::f64() / 2.0);
        circuit.openings = circuit.openings.saturating_add(1);
        let pause = pause.max(asked.unwrap_or_default().min(PAUSE_MAX));
        circuit.open_until = Some(Instant::now() + pause);
    }

    fn circuit(&self) -> std::sync::MutexGuard<'_, Circuit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Failures in a row that open it.
const FAILURES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(None);
        }
        breaker.succeeded();
        for _ in 0..4 {
            breaker.failed(None);
            assert_eq!(breaker.way(), Way::Open);
        }
        breaker.failed(None);
        let Way::Shut(until) = breaker.way() else {
            panic!("it is open: {breaker:?}");
        };
        assert!(until <= Instant::now() + PAUSE);
        tokio::time::advance(PAUSE).await;
        assert_eq!(breaker.way(), Way::Probe);
        breaker.failed(None);
        assert!(matches!(breaker.way(), Way::Shut(_)));
        tokio::time::advance(2 * PAUSE).await;
        breaker.succeeded();
        assert_eq!(breaker.way(), Way::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_asks_for_a_pause_gets_it() {
        let breaker = Breaker::default();
        breaker.failed(Some(Duration::from_secs(30)));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(matches!(breaker.way(), Way::Shut(_)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(breaker.way(), Way::Probe);
    }
}
