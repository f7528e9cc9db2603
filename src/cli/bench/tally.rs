//! What came of a load, counted in memory that does not grow with it.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::CreationError;

use super::distribution::Distribution;
use super::timing::metrics;
use crate::telemetry::STAGES;

/// What came of a load so far.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    /// Whole replies by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests without a whole reply, and connections that were not made, by kind.
    pub(super) failures: BTreeMap<Kind, u64>,
    /// What the last failure was, in words.
    pub(super) last: Option<String>,
    /// Bytes of the bodies of replies.
    pub(super) body_bytes: u64,
    /// From when a request was due to when its reply was whole, or its time was over.
    pub(super) latency: Distribution,
    stages: Vec<(String, Distribution)>,
}

/// How a request, or a connection, failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// No connection was made.
    Connect,
    /// The reply was not whole in time.
    TimedOut,
    /// The connection ended before the reply was whole.
    Broken,
    /// The load was ended before the reply was whole.
    CutOff,
}

/// Every kind of failure, with its key and its words in the report.
pub(super) const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Connect, "connect", "not connected"),
    (Kind::TimedOut, "timed_out", "timed out"),
    (Kind::Broken, "broken", "broken off"),
    (Kind::CutOff, "cut_off", "cut off at the end"),
];

/// A whole reply.
#[derive(Debug)]
pub(super) struct Reply {
    /// Its status.
    pub(super) status: u16,
    /// Its `Server-Timing`.
    pub(super) timing: Option<String>,
    /// The bytes of its body.
    pub(super) body_bytes: u64,
    /// The code of the gateway's failure, if it is one.
    pub(super) code: Option<String>,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new() -> Result<Self, CreationError> {
        Ok(Self {
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            last: None,
            body_bytes: 0,
            latency: Distribution::new()?,
            stages: Vec::new(),
        })
    }

    /// Counts a whole reply.
    pub(super) fn replied(&mut self, reply: &Reply, took: Duration) {
        *self.statuses.entry(reply.status).or_default() += 1;
        if let Some(code) = &reply.code {
            self.last = Some(format!("{} {code}", reply.status));
        }
        self.body_bytes = self.body_bytes.saturating_add(reply.body_bytes);
        self.latency.record(took);
        for (name, spent) in metrics(reply.timing.as_deref().unwrap_or_default()) {
            self.spent(name, spent);
        }
    }

    /// Counts a request whose time was over: that it took so long is part of the latency.
    pub(super) fn timed_out(&mut self, took: Duration) {
        self.latency.record(took);
        self.failed(Kind::TimedOut, 1, None);
    }

    /// Counts failures.
    pub(super) fn failed(&mut self, kind: Kind, count: u64, why: Option<String>) {
        *self.failures.entry(kind).or_default() += count;
        self.last = why.or(self.last.take());
    }

    fn spent(&mut self, name: &str, spent: Duration) {
        let known = self.stages.iter_mut().find(|(known, _)| known == name);
        if let Some((_, distribution)) = known {
            distribution.record(spent);
        } else if self.stages.len() < STAGES_MAX {
            let mut distribution = Distribution::beside(&self.latency);
            distribution.record(spent);
            self.stages.push((name.to_owned(), distribution));
        }
    }

    /// How many failures of a kind there were.
    pub(super) fn failures_of(&self, kind: Kind) -> u64 {
        self.failures.get(&kind).copied().unwrap_or_default()
    }

    /// Whole replies.
    pub(super) fn replies(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Requests that were sent.
    pub(super) fn requests(&self) -> u64 {
        let failed = [Kind::TimedOut, Kind::Broken, Kind::CutOff];
        let failed = failed.map(|kind| self.failures_of(kind));
        self.replies() + failed.iter().sum::<u64>()
    }

    /// The stages in the order in which a call goes through them, without the total.
    pub(super) fn stages(&self) -> Vec<(&str, &Distribution)> {
        let place = |name: &str| {
            let known = STAGES.iter().position(|(_, stage, _)| *stage == name);
            known.unwrap_or(STAGES.len())
        };
        let stages = self.stages.iter().filter(|(name, _)| name != TOTAL);
        let mut stages: Vec<_> = stages.map(|(name, spent)| (name.as_str(), spent)).collect();
        stages.sort_by_key(|(name, _)| place(name));
        stages
    }

    /// What replies tell of their whole time in the gateway.
    pub(super) fn total(&self) -> Option<&Distribution> {
        let total = self.stages.iter().find(|(name, _)| name == TOTAL);
        total.map(|(_, spent)| spent)
    }
}

/// The metric that is no stage, but all of them.
pub(super) const TOTAL: &str = "total";
/// More than Pintle has; whoever else writes the header gets no more memory.
const STAGES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, timing: &str) -> Reply {
        Reply {
            status,
            timing: Some(timing.to_owned()),
            body_bytes: 10,
            code: (status == 503).then(|| "circuit_open".to_owned()),
        }
    }

    #[test]
    fn replies_and_failures_are_requests_and_connections_are_not() {
        let mut tally = Tally::new().unwrap();
        tally.replied(&reply(200, ""), Duration::from_millis(1));
        tally.replied(&reply(503, ""), Duration::from_millis(1));
        assert_eq!(tally.last.as_deref(), Some("503 circuit_open"));
        tally.timed_out(Duration::from_secs(30));
        tally.failed(Kind::Broken, 1, Some("reset".to_owned()));
        tally.failed(Kind::Connect, 7, None);
        tally.failed(Kind::CutOff, 2, None);
        assert_eq!((tally.replies(), tally.requests()), (2, 6));
        assert_eq!(tally.last.as_deref(), Some("reset"));
        assert_eq!(tally.body_bytes, 20);
        // A request that timed out took that long at least.
        assert_eq!(tally.latency.max(), Duration::from_secs(30));
    }

    #[test]
    fn stages_come_in_the_order_of_a_call() {
        let mut tally = Tally::new().unwrap();
        let timing = "proxy;dur=1, send;dur=4, find;dur=1, total;dur=5";
        tally.replied(&reply(200, timing), Duration::from_millis(9));
        tally.replied(
            &reply(200, "find;dur=3, total;dur=3"),
            Duration::from_millis(9),
        );
        let names: Vec<&str> = tally.stages().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["find", "send", "proxy"]);
        let (_, find) = tally.stages()[0];
        assert_eq!((find.count(), find.mean()), (2, Duration::from_millis(2)));
        assert_eq!(tally.total().unwrap().sum(), Duration::from_millis(8));
    }

    #[test]
    fn names_of_stages_take_no_memory_without_end() {
        let mut tally = Tally::new().unwrap();
        for number in 0..100 {
            let timing = format!("s{number};dur=1");
            tally.replied(&reply(200, &timing), Duration::from_millis(1));
        }
        assert_eq!(tally.stages().len(), STAGES_MAX);
    }
}
