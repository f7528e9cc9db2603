//! The record of an attempt to deliver: one line, written when the attempt has ended.

use std::time::Instant;

/// What is known of an attempt. It is written when it is dropped, so that one that was cut off has
/// its line too.
#[derive(Debug)]
pub struct AttemptRecord {
    /// Whom it was for.
    pub receiver: String,
    /// The id of the event.
    pub event: String,
    /// The route that took the event.
    pub route: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// `done`, `retry`, `unknown`, `buried` or `withdrawn`.
    pub outcome: Option<&'static str>,
    /// The class of the failure.
    pub class: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why there was no answer, with all causes.
    pub cause: Option<String>,
    /// What the route says came of it.
    pub result: Option<String>,
    /// It was settled after its lease had run out.
    pub was_late: bool,
    /// When it began.
    pub started: Instant,
}

impl Drop for AttemptRecord {
    fn drop(&mut self) {
        let total_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: TARGET,
            receiver = self.receiver,
            event = self.event,
            route = self.route,
            attempt = self.attempt,
            outcome = self.outcome.unwrap_or("cut_off"),
            class = self.class,
            status = self.status,
            cause = self.cause,
            result = self.result,
            was_late = self.was_late,
            total_us,
            "attempt"
        );
    }
}

/// The log target of these records.
const TARGET: &str = "pintle::attempt";
