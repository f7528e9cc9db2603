//! A call's turn: what its caller asks for, and what the rates allow.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::Outbound;
use super::find::Destination;
use crate::error::Failure;
use crate::limit::{Admitted, Counting};
use crate::message::header;
use crate::policy::{CLASSES, Class};
use crate::telemetry::Record;

/// A call whose turn it is.
pub(super) struct Paced {
    /// While it is held, the call counts as under way.
    pub(super) admitted: Admitted,
    /// How long the call may still take.
    pub(super) left: Duration,
}

/// When a call's turn comes, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    class: Class,
    timeout: Duration,
    /// When its time is over, if it does not wait for its own body.
    pub(super) deadline: Instant,
}

impl Outbound {
    /// What a caller asks for. It is read before our control fields are taken out.
    pub(super) fn turn(&self, headers: &HeaderMap, record: &Record) -> Result<Turn, Failure> {
        let class = if let Some(class) = class(headers)? {
            class
        } else {
            let (operation, caller) = (record.operation.as_deref(), record.caller.as_deref());
            self.policies.campaign.class(operation, caller)
        };
        let asked = timeout(headers)?.unwrap_or(self.limits.deadline);
        let timeout = asked.min(self.limits.deadline);
        Ok(Turn {
            class,
            timeout,
            deadline: Instant::now() + timeout,
        })
    }

    /// Waits for the call's turn.
    pub(super) async fn pace(
        &self,
        destination: &Destination<'_>,
        head: &Parts,
        record: &Record,
    ) -> Result<Paced, Failure> {
        let counting = Counting {
            account: destination.account.name(),
            family: &destination.family.name,
            operation: record.operation.as_deref(),
            caller: record.caller.as_deref().unwrap_or_default(),
            route: None,
            partner: "",
            headers: &head.headers,
            query: head.uri.query().unwrap_or_default(),
        };
        let turn = destination.turn;
        // A turn that leaves no time for the call would be lost.
        let until = turn.deadline - OF_CALL.min(turn.timeout / 4);
        let admitted = self.quotas.admit(&counting, turn.class, until).await;
        Ok(Paced {
            admitted: admitted.map_err(Failure::OverQuota)?,
            left: turn.deadline.saturating_duration_since(Instant::now()),
        })
    }
}

/// Tells the rates of a reply that refuses a call as one too many.
pub(super) fn learn(admitted: &Admitted, status: StatusCode, headers: &HeaderMap) {
    if status != StatusCode::TOO_MANY_REQUESTS {
        return;
    }
    let asked = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = asked.and_then(|text| text.trim().parse().ok());
    admitted.pause(seconds.map_or(PAUSE, Duration::from_secs));
}

/// Puts in what is left of the rates. It is done for each call, so the texts are put together plainly.
pub(super) fn tell(admitted: &Admitted, headers: &mut HeaderMap) {
    let (mut policies, mut left_over) = (String::new(), String::new());
    let mut digits = itoa::Buffer::new();
    for (rate, left) in admitted.left() {
        if policies.is_empty() {
            policies.reserve(TOLD_BYTES);
            left_over.reserve(TOLD_BYTES);
        } else {
            policies.push_str(", ");
            left_over.push_str(", ");
        }
        let window = left.limit.per.as_secs().max(1);
        for part in [
            "\"",
            &rate.name,
            "\";q=",
            digits.format(left.limit.max.get()),
            ";w=",
        ] {
            policies.push_str(part);
        }
        policies.push_str(digits.format(window));
        for part in ["\"", &rate.name, "\";r=", digits.format(left.count)] {
            left_over.push_str(part);
        }
    }
    for (name, text) in [
        (header::RATE_LIMIT_POLICY, policies),
        (header::RATE_LIMIT, left_over),
    ] {
        if text.is_empty() {
            continue;
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
}

fn class(headers: &HeaderMap) -> Result<Option<Class>, Failure> {
    let Some(text) = text(headers, &header::PRIORITY, CLASS_EXPECTED)? else {
        return Ok(None);
    };
    let known = CLASSES
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    let (_, class) = known.ok_or(Failure::Control {
        header: header::PRIORITY,
        expected: CLASS_EXPECTED,
    })?;
    Ok(Some(*class))
}

/// `2s`, `500ms`, `1m`, or seconds.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let Some(text) = text(headers, &header::TIMEOUT, TIMEOUT_EXPECTED)? else {
        return Ok(None);
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let number = digits.parse::<u32>().ok().filter(|number| *number > 0);
    let read = match (number, unit) {
        (Some(number), "ms") => Some(Duration::from_millis(u64::from(number))),
        (Some(number), "s" | "") => Some(Duration::from_secs(u64::from(number))),
        (Some(number), "m") => Some(Duration::from_mins(u64::from(number))),
        _ => None,
    };
    match read {
        Some(read) => Ok(Some(read)),
        None => Err(Failure::Control {
            header: header::TIMEOUT,
            expected: TIMEOUT_EXPECTED,
        }),
    }
}

fn text<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    expected: &'static str,
) -> Result<Option<&'h str>, Failure> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    value
        .to_str()
        .map(|text| Some(text.trim()))
        .map_err(|_| Failure::Control {
            header: name.clone(),
            expected,
        })
}

const CLASS_EXPECTED: &str = "write `interactive` or `campaign`";
const TIMEOUT_EXPECTED: &str = "write how long the call may take, such as `2s` or `500ms`";
/// What of its time a call has for itself at least, or else a quarter of it.
const OF_CALL: Duration = Duration::from_secs(1);
/// How long nothing is sent where the platform does not say it.
const PAUSE: Duration = Duration::from_secs(1);
/// Two rates with names as people give them.
const TOLD_BYTES: usize = 64;
