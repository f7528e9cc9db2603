//! What keeps an upstream from being overrun: its circuit breaker, and the budget of its retries.

use std::sync::Arc;
use std::time::Duration;

use tower::retry::budget::{Budget as _, TpsBudget};

use crate::error::Failure;
use crate::limit::{Breaker, Pass};
use crate::policy::Retry;

/// The guard of one upstream of one account, by one retry policy.
pub(super) struct Guard {
    /// The upstream, where it is not the platform, and the policy.
    pub(super) name: String,
    pub(super) policy: Arc<Retry>,
    breaker: Option<Breaker>,
    budget: TpsBudget,
}

impl Guard {
    pub(super) fn new(name: String, policy: Arc<Retry>) -> Self {
        let percent = u8::try_from(policy.budget_percent).unwrap_or(u8::MAX);
        Self {
            name,
            breaker: policy.breaker.map(Breaker::new),
            budget: TpsBudget::new(BUDGET_WINDOW, PER_SECOND_MIN, f32::from(percent) / 100.0),
            policy,
        }
    }

    /// Lets a call go, or says that none does.
    pub(super) fn enter(&self) -> Result<Option<Pass<'_>>, Failure> {
        let Some(breaker) = &self.breaker else {
            return Ok(None);
        };
        let pass = breaker.enter();
        pass.map(Some)
            .map_err(|retry_in| Failure::CircuitOpen { retry_in })
    }

    /// Notes a call, which earns a part of a retry.
    pub(super) fn earn(&self) {
        self.budget.deposit();
    }

    /// Takes a retry from the budget, if there is one.
    pub(super) fn spend(&self) -> bool {
        self.budget.withdraw()
    }

    /// How the circuit stands, in a word.
    pub(super) fn stands(&self) -> &'static str {
        self.breaker.as_ref().map_or("closed", Breaker::stands)
    }
}

const BUDGET_WINDOW: Duration = Duration::from_secs(10);
/// So many retries a second there may always be.
const PER_SECOND_MIN: u32 = 3;
