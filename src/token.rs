//! The token of one account at one login: had in time, shared by all calls, thrown away when the
//! platform rejects it.
//!
//! What is absent: an old token. One that has expired, or that the platform has rejected, is
//! never handed out, whatever the platform does.

mod attempt;
mod failure;
mod fleet;
mod keeper;

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

pub use failure::LoginFailure;
pub use keeper::{Health, Identity, Keeper, Means, NoToken};

use crate::secret::Secret;

/// Counts the tokens of one keeper; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// A token that was good when it was handed out.
pub struct Token {
    generation: Generation,
    text: Secret,
    header: HeaderValue,
    born: Instant,
    expires: Instant,
}

impl Token {
    /// Which token it is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The value of the `Authorization` header, marked as sensitive.
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// The token itself, to find it where it must not be.
    pub fn text(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(generation {})", self.generation.0)
    }
}

/// How a keeper behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// One login may take this long.
    pub login: Duration,
    /// The share of a token's life after which it is renewed, in percent.
    pub renew_percent: u32,
    /// How much earlier than that at random, in percent of the life, so that a fleet that was
    /// started together does not log in together.
    pub jitter_percent: u32,
    /// The wait after the first failed login; it doubles with each further one.
    pub backoff: Duration,
    /// The longest such wait.
    pub backoff_max: Duration,
    /// A token younger than this is not thrown away when a call is refused for it: an operation
    /// that the account may never call would otherwise log in with every call.
    pub rejection_age: Duration,
}
