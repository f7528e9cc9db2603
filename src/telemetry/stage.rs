//! The stages of a call, and what each of them cost.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::HeaderValue;

/// A stage of a call, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// The front door: framing, host, origin, limits.
    Admit,
    /// What is called is found.
    Find,
    /// The headers are cleaned and ours are added.
    Prepare,
    /// A kept reply is looked for.
    Cache,
    /// It is its turn, by the rates.
    Pace,
    /// What the policy names is sealed.
    Seal,
    /// The body is here.
    Read,
    /// The push is its sender's.
    Prove,
    /// A token is at hand.
    Token,
    /// A connection to the platform is at hand.
    Connect,
    /// The call is sent, and the head of the reply is here.
    Send,
    /// What is sealed is opened.
    Open,
    /// The route's values are made and checked.
    Map,
    /// Mark and deliveries are stored.
    Store,
    /// The route's steps are made, while the sender waits.
    Steps,
    /// The reply is judged.
    Verdict,
    /// The reply is cleaned for the downstream.
    Reply,
}

impl Stage {
    /// Its place among [`STAGES`].
    fn number(self) -> usize {
        match self {
            Self::Admit => 0,
            Self::Find => 1,
            Self::Prepare => 2,
            Self::Cache => 3,
            Self::Pace => 4,
            Self::Seal => 5,
            Self::Read => 6,
            Self::Prove => 7,
            Self::Token => 8,
            Self::Connect => 9,
            Self::Send => 10,
            Self::Open => 11,
            Self::Map => 12,
            Self::Store => 13,
            Self::Steps => 14,
            Self::Verdict => 15,
            Self::Reply => 16,
        }
    }
}

/// Every stage, in order, with its name and what happens in it.
pub const STAGES: [(Stage, &str, &str); 17] = [
    (
        Stage::Admit,
        "admit",
        "framing, host, origin and limits are checked at the front door",
    ),
    (Stage::Find, "find", "what is called is found"),
    (
        Stage::Prepare,
        "prepare",
        "hop-by-hop and private headers go, the family's headers come",
    ),
    (Stage::Cache, "cache", "a reply that is kept is looked for"),
    (
        Stage::Pace,
        "pace",
        "the rates let it go; it waits for its turn where it must",
    ),
    (Stage::Seal, "seal", "what the policy names is sealed"),
    (Stage::Read, "read", "the body is here"),
    (Stage::Prove, "prove", "the push is its sender's"),
    (
        Stage::Token,
        "token",
        "a token that has not expired is at hand",
    ),
    (
        Stage::Connect,
        "connect",
        "a connection to the platform is at hand",
    ),
    (
        Stage::Send,
        "send",
        "the call is sent and the head of the reply is here",
    ),
    (Stage::Open, "open", "what is sealed is opened"),
    (
        Stage::Map,
        "map",
        "the values of the route are made and checked",
    ),
    (
        Stage::Store,
        "store",
        "mark and deliveries are stored, durably",
    ),
    (
        Stage::Steps,
        "steps",
        "the steps of the route are made, where the sender waits for them",
    ),
    (
        Stage::Verdict,
        "verdict",
        "the reply is judged by the family's rule",
    ),
    (
        Stage::Reply,
        "reply",
        "the reply is cleaned for the downstream",
    ),
];

/// The stages of a call, in order.
pub const OF_CALL: [Stage; 12] = [
    Stage::Admit,
    Stage::Find,
    Stage::Prepare,
    Stage::Cache,
    Stage::Pace,
    Stage::Seal,
    Stage::Token,
    Stage::Connect,
    Stage::Send,
    Stage::Open,
    Stage::Verdict,
    Stage::Reply,
];

/// The stages of a push, in order.
pub const OF_PUSH: [Stage; 8] = [
    Stage::Admit,
    Stage::Find,
    Stage::Read,
    Stage::Prove,
    Stage::Open,
    Stage::Map,
    Stage::Store,
    Stage::Steps,
];

/// What each stage of one call cost. A stage that comes twice (a call is repeated with a new
/// token) adds up.
#[derive(Debug, Clone)]
pub struct Timing {
    started: Instant,
    marked: Instant,
    /// In nanoseconds.
    spent: [u64; STAGES.len()],
}

impl Timing {
    /// Starts the clock.
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            marked: now,
            spent: [0; STAGES.len()],
        }
    }

    /// Ends a stage: the time since the last mark is its cost.
    pub fn mark(&mut self, stage: Stage) {
        let now = Instant::now();
        self.add(stage, now.duration_since(self.marked));
        self.marked = now;
    }

    /// The time since the start.
    pub fn total(&self) -> Duration {
        self.started.elapsed()
    }

    /// Each stage with its cost.
    pub fn stages(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        STAGES
            .iter()
            .zip(self.spent)
            .map(|((_, name, _), spent)| (*name, Duration::from_nanos(spent)))
    }

    /// As the value of a `Server-Timing` header, in milliseconds.
    pub fn header(&self) -> HeaderValue {
        let mut text = BytesMut::with_capacity(HEADER_BYTES);
        for (name, spent) in self.stages().filter(|(_, spent)| !spent.is_zero()) {
            push(&mut text, name, spent);
        }
        push(&mut text, "total", self.total());
        HeaderValue::from_maybe_shared(text.freeze()).unwrap_or(HeaderValue::from_static("total"))
    }

    fn add(&mut self, stage: Stage, cost: Duration) {
        // The stages stand in the order of their numbers.
        if let Some(spent) = self.spent.get_mut(stage.number()) {
            *spent = spent.saturating_add(u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

/// `name;dur=1.234`: ten of these are written for each call, so they are written plainly.
fn push(text: &mut BytesMut, name: &str, spent: Duration) {
    if !text.is_empty() {
        text.extend_from_slice(b", ");
    }
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b";dur=");
    let us = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
    let mut digits = itoa::Buffer::new();
    if us >= 1000 {
        text.extend_from_slice(digits.format(us / 1000).as_bytes());
    } else {
        text.extend_from_slice(b"0");
    }
    // The leading digit keeps the zeros.
    let part = digits.format(1000 + us % 1000).as_bytes();
    text.extend_from_slice(b".");
    text.extend_from_slice(part.get(1..).unwrap_or_default());
}

/// What the stages of a call take in writing, mostly.
const HEADER_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_the_number_of_its_place() {
        for (at, (stage, ..)) in STAGES.iter().enumerate() {
            assert_eq!(stage.number(), at, "{stage:?}");
        }
    }

    #[test]
    fn stages_are_listed_in_their_order() {
        for (at, (stage, ..)) in STAGES.iter().enumerate() {
            let mut timing = Timing::start();
            timing.add(*stage, Duration::from_secs(1));
            assert_eq!(timing.spent[at], 1_000_000_000);
        }
    }

    #[test]
    fn the_header_names_the_stages_that_ran() {
        let mut timing = Timing::start();
        timing.add(Stage::Token, Duration::from_micros(1234));
        let header = timing.header();
        assert!(
            header
                .to_str()
                .unwrap()
                .starts_with("token;dur=1.234, total;dur="),
            "{header:?}"
        );
    }
}
