//! A circuit breaker: an upstream that fails most calls gets none for a while, and then a few, to
//! see whether it is back.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::policy;

/// The breaker of one upstream.
#[derive(Debug)]
pub struct Breaker {
    policy: policy::Breaker,
    circuit: Mutex<Circuit>,
}

#[derive(Debug)]
struct Circuit {
    state: State,
    /// How often it went from one state to another: what began before says nothing after.
    epoch: u64,
}

#[derive(Debug)]
enum State {
    /// Calls go; what became of those of each second, the newest first.
    Closed(VecDeque<Second>),
    /// None goes before this moment; how often in a row it was opened.
    Open(Instant, u32),
    /// Some go.
    HalfOpen {
        under_way: u32,
        good: u32,
        openings: u32,
    },
}

#[derive(Debug)]
struct Second {
    begun: Instant,
    calls: u32,
    failures: u32,
}

/// A call that may go. Dropped without a word it counts as nothing.
#[derive(Debug)]
pub struct Pass<'b> {
    breaker: &'b Breaker,
    epoch: u64,
    is_noted: bool,
}

impl Breaker {
    /// A closed one.
    pub fn new(policy: policy::Breaker) -> Self {
        let circuit = Mutex::new(Circuit {
            state: State::Closed(VecDeque::new()),
            epoch: 0,
        });
        Self { policy, circuit }
    }

    /// Lets a call go, or says when the next may.
    pub fn enter(&self) -> Result<Pass<'_>, Duration> {
        let now = Instant::now();
        let mut circuit = self.circuit();
        match &mut circuit.state {
            State::Closed(_) => {}
            State::Open(until, _) if *until > now => return Err(*until - now),
            State::Open(_, openings) => {
                let openings = *openings;
                circuit.turn(State::HalfOpen {
                    under_way: 1,
                    good: 0,
                    openings,
                });
            }
            State::HalfOpen { under_way, .. } if *under_way >= PROBES => return Err(A_MOMENT),
            State::HalfOpen { under_way, .. } => *under_way += 1,
        }
        Ok(Pass {
            breaker: self,
            epoch: circuit.epoch,
            is_noted: false,
        })
    }

    /// How it stands, in a word.
    pub fn stands(&self) -> &'static str {
        match &self.circuit().state {
            State::Closed(_) => "closed",
            State::Open(..) => "open",
            State::HalfOpen { .. } => "half-open",
        }
    }

    fn note(&self, epoch: u64, has_failed: bool) {
        let now = Instant::now();
        let mut circuit = self.circuit();
        if circuit.epoch != epoch {
            return;
        }
        let opens = match &mut circuit.state {
            State::Closed(seconds) => self.count(seconds, has_failed, now).then_some(0),
            State::HalfOpen {
                under_way,
                good,
                openings,
            } => {
                *under_way = under_way.saturating_sub(1);
                if has_failed {
                    Some(openings.saturating_add(1))
                } else {
                    *good += 1;
                    if *good < PROBES {
                        return;
                    }
                    tracing::info!("the upstream is back: its circuit is closed");
                    circuit.turn(State::Closed(VecDeque::new()));
                    None
                }
            }
            State::Open(..) => None,
        };
        if let Some(openings) = opens {
            let pause = self.policy.pause.saturating_mul(1 << openings.min(8));
            let pause = pause.min(PAUSE_MAX.max(self.policy.pause));
            // Half of it at random: several processes must not come back at once.
            let pause = pause / 2 + pause.mul_f64(fastrand::f64() / 2.0);
            tracing::warn!(pause_ms = ms(pause), "the circuit of the upstream is open");
            circuit.turn(State::Open(now + pause, openings));
        }
    }

    /// Counts a call, and tells whether too many have failed.
    fn count(&self, seconds: &mut VecDeque<Second>, has_failed: bool, now: Instant) -> bool {
        let is_old = |second: &Second| now.duration_since(second.begun) >= self.policy.window;
        while seconds.back().is_some_and(is_old) {
            seconds.pop_back();
        }
        let is_full = |second: &Second| now.duration_since(second.begun) >= Duration::from_secs(1);
        if seconds.front().is_none_or(is_full) {
            seconds.push_front(Second {
                begun: now,
                calls: 0,
                failures: 0,
            });
        }
        if let Some(second) = seconds.front_mut() {
            second.calls = second.calls.saturating_add(1);
            second.failures = second.failures.saturating_add(u32::from(has_failed));
        }
        let sum = |of: fn(&Second) -> u32| seconds.iter().map(|second| u64::from(of(second))).sum();
        let (calls, failures): (u64, u64) = (sum(|s| s.calls), sum(|s| s.failures));
        has_failed
            && calls >= u64::from(self.policy.calls_min)
            && failures * 100 >= calls * u64::from(self.policy.failures_percent)
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

impl Pass<'_> {
    /// Notes what became of the call.
    pub fn note(mut self, has_failed: bool) {
        self.is_noted = true;
        self.breaker.note(self.epoch, has_failed);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_noted {
            return;
        }
        let mut circuit = self.breaker.circuit();
        if circuit.epoch == self.epoch
            && let State::HalfOpen { under_way, .. } = &mut circuit.state
        {
            *under_way = under_way.saturating_sub(1);
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How many go at once to see whether the upstream is back, and must be good before all go.
const PROBES: u32 = 3;
/// When the next may go while those are under way.
const A_MOMENT: Duration = Duration::from_secs(1);
/// The longest pause, unless the policy's own is longer.
const PAUSE_MAX: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(policy::Breaker {
            failures_percent: 50,
            calls_min: 4,
            window: Duration::from_secs(10),
            pause: Duration::from_secs(5),
        })
    }

    fn call(breaker: &Breaker, has_failed: bool) {
        breaker.enter().unwrap().note(has_failed);
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_by_the_share_of_failures_within_the_window() {
        let breaker = breaker();
        for has_failed in [true, true, true] {
            call(&breaker, has_failed);
        }
        assert_eq!(breaker.stands(), "closed", "three say nothing");
        tokio::time::advance(Duration::from_secs(11)).await;
        for has_failed in [false, false, true, false] {
            call(&breaker, has_failed);
        }
        assert_eq!(
            breaker.stands(),
            "closed",
            "a quarter of those of the window"
        );
        call(&breaker, true);
        call(&breaker, true);
        assert_eq!(breaker.stands(), "open");
        let wait = breaker.enter().unwrap_err();
        assert!((2_500..=5_000).contains(&wait.as_millis()), "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_calls_see_whether_it_is_back() {
        let breaker = breaker();
        (0..4).for_each(|_| call(&breaker, true));
        tokio::time::advance(Duration::from_secs(6)).await;
        let probes: Vec<_> = (0..3).map(|_| breaker.enter().unwrap()).collect();
        assert_eq!(breaker.stands(), "half-open");
        assert!(breaker.enter().is_err(), "three at once, and no herd");
        drop(probes);
        call(&breaker, false);
        call(&breaker, true);
        assert_eq!(breaker.stands(), "open", "one that fails opens it again");
        tokio::time::advance(Duration::from_secs(11)).await;
        (0..3).for_each(|_| call(&breaker, false));
        assert_eq!(breaker.stands(), "closed");
    }
}
