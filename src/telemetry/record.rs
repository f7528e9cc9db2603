//! The record of a call: one line, written when the call has ended, however it ended.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::message::RequestId;
use crate::telemetry::Timing;

/// What is known of a call. It is written when it is dropped, so that a call whose downstream
/// left, or that panicked, has its line too.
#[derive(Debug)]
pub struct Record {
    /// The listener that it came to.
    pub listener: &'static str,
    /// The id of the call.
    pub id: RequestId,
    /// The method.
    pub method: http::Method,
    /// The path, without the query.
    pub path: Arc<str>,
    /// Who called, as far as is known.
    pub caller: Option<Arc<str>>,
    /// The account, once it is known.
    pub account: Option<String>,
    /// The operation, once it is known.
    pub operation: Option<String>,
    /// The status of the reply.
    pub status: Option<u16>,
    /// The code of the failure that Pintle answered with.
    pub failure: Option<&'static str>,
    /// The failure with all its causes.
    pub cause: Option<String>,
    /// The id of the event that a push became.
    pub event: Option<String>,
    /// What became of a partner's push, in a word of its route.
    pub outcome: Option<String>,
    /// The push was seen before.
    pub is_repeat: bool,
    /// What the platform said.
    pub verdict: Option<&'static str>,
    /// The code in the platform's envelope.
    pub platform_code: Option<i64>,
    /// How the cache was of use, in a word.
    pub cache: Option<&'static str>,
    /// How often the call was sent.
    pub attempts: u32,
    /// Bytes of the reply's body that went downstream.
    pub reply_bytes: u64,
    /// Something of the call may have been seen by the platform.
    pub begun: Arc<AtomicBool>,
    /// The downstream left before its reply was whole.
    pub left: bool,
    /// What the stages cost.
    pub timing: Timing,
}

impl Record {
    /// A record of a call that has just come in. It goes with the call from hand to hand, hence the
    /// box.
    pub fn new(
        listener: &'static str,
        id: RequestId,
        method: http::Method,
        path: Arc<str>,
    ) -> Box<Self> {
        Box::new(Self {
            listener,
            id,
            method,
            path,
            timing: Timing::start(),
            caller: None,
            account: None,
            operation: None,
            status: None,
            failure: None,
            cause: None,
            event: None,
            outcome: None,
            is_repeat: false,
            verdict: None,
            platform_code: None,
            cache: None,
            attempts: 0,
            reply_bytes: 0,
            begun: Arc::new(AtomicBool::new(false)),
            left: false,
        })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let total_us = u64::try_from(self.timing.total().as_micros()).unwrap_or(u64::MAX);
        if self.status.is_none() && self.failure.is_none() {
            self.failure = Some("cut_off");
        }
        if self.listener == ADMIN && self.failure.is_none() {
            // Probes come every few seconds: a good one is no news.
            let (path, status) = (&*self.path, self.status);
            tracing::debug!(target: TARGET, listener = ADMIN, path, status, "call");
            return;
        }
        tracing::info!(
            target: TARGET,
            listener = self.listener,
            id = self.id.as_str(),
            method = self.method.as_str(),
            path = &*self.path,
            caller = self.caller.as_deref(),
            account = self.account,
            operation = self.operation,
            status = self.status,
            failure = self.failure,
            cause = self.cause,
            event = self.event,
            outcome = self.outcome,
            is_repeat = self.is_repeat.then_some(true),
            verdict = self.verdict,
            platform_code = self.platform_code,
            cache = self.cache,
            attempts = self.attempts,
            reply_bytes = self.reply_bytes,
            left = self.left,
            total_us,
            "call"
        );
    }
}

/// The listener that health is asked for at.
const ADMIN: &str = "admin";
/// The log target of these records.
const TARGET: &str = "pintle::call";
