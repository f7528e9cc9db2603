//! What one limit lets through: by itself, or as the part of a fleet.

use std::time::Duration;

use tokio::time::Instant;

use super::gcra::{Gcra, Left};
use super::share::{Alone, Share};
use crate::policy::RateLimit;

/// One limit.
#[derive(Debug)]
pub(super) enum Gate {
    /// By what this process counts.
    Own(Gcra),
    /// By what the fleet counts.
    Fleet(Share),
}

impl Gate {
    /// The gates of a limit. With a `key` the fleet counts too; what this process counts is then how
    /// it goes on alone, and how it slows down.
    pub(super) fn of(limit: &RateLimit, fleet: Option<(String, Alone)>) -> Vec<Self> {
        let own = Self::Own(Gcra::new(limit));
        let share = fleet.map(|(key, alone)| Self::Fleet(Share::new(limit, key, alone)));
        std::iter::once(own).chain(share).collect()
    }

    /// Lets one through, or says from when on it may come.
    pub(super) fn pass(&mut self, now: Instant) -> Result<Option<Left>, Instant> {
        match self {
            Self::Own(gcra) => gcra.pass(now).map(Some),
            Self::Fleet(share) => share.pass(now),
        }
    }

    /// When one may come through who has `before` others before it, as far as is known.
    pub(super) fn opens(&self, now: Instant, before: u32) -> Instant {
        match self {
            Self::Own(gcra) => gcra.opens(now, before),
            Self::Fleet(share) => share.opens(now),
        }
    }

    /// See [`Gcra::slow_down`].
    pub(super) fn slow_down(&mut self, now: Instant) {
        if let Self::Own(gcra) = self {
            gcra.slow_down(now);
        }
    }

    /// After this time nothing of the past counts any longer.
    pub(super) fn memory(&self) -> Duration {
        match self {
            Self::Own(gcra) => gcra.memory(),
            Self::Fleet(share) => share.memory(),
        }
    }

    /// The part of a fleet.
    pub(super) fn share(&mut self) -> Option<&mut Share> {
        match self {
            Self::Own(_) => None,
            Self::Fleet(share) => Some(share),
        }
    }
}
