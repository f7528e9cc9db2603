//! One try to hand a delivery to its target.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::retry::{millis, retry_after};
use super::target::{Receiver, Target, To};
use super::{Means, flow};
use crate::clock::Clock;
use crate::message::Body;
use crate::store::{Lease, Queue, Reason, Settlement};
use crate::telemetry::AttemptRecord;
use crate::upstream::{Purpose, SendFailure};

/// Tries once, and says how the delivery goes on. The record is written when it is dropped.
pub(super) async fn attempt<Q: Queue>(
    target: &Target,
    lease: &Lease,
    means: &Means<Q>,
    record: &mut AttemptRecord,
) -> Settlement {
    let settlement = match &target.to {
        To::Receiver(receiver) => hand_over((target, receiver), lease, &means.clock, record).await,
        To::Route(route) => {
            let parts = (&target.retry, means.store.as_ref(), &means.clock);
            flow::attempt(route, lease, parts, record).await
        }
    };
    let (outcome, reason) = match &settlement {
        Settlement::Done => ("done", None),
        Settlement::Retry { reason, .. } => ("retry", Some(reason)),
        Settlement::Unknown { reason, .. } => ("unknown", Some(reason)),
        Settlement::Bury { reason, .. } => ("buried", Some(reason)),
        Settlement::Withdraw => ("withdrawn", None),
    };
    record.outcome = Some(outcome);
    record.class = reason.map(|reason| reason.class.clone());
    settlement
}

/// Hands a delivery to its receiver, once.
async fn hand_over(
    (target, receiver): (&Target, &Receiver),
    lease: &Lease,
    clock: &Clock,
    record: &mut AttemptRecord,
) -> Settlement {
    let sent = send((target, receiver), lease, clock).await;
    let now_ms = clock.now_ms();
    let times = (lease.received_ms, now_ms);
    let retry = |reason: Reason, asked| {
        let due = target.retry.due(lease.attempt, asked, times);
        match due {
            Some(due_ms) => Settlement::Retry {
                due_ms,
                reason,
                progress: None,
            },
            None => Settlement::Bury {
                reason,
                progress: None,
            },
        }
    };
    match sent {
        Ok(reply) => {
            let status = reply.status();
            record.status = Some(status.as_u16());
            let asked = retry_after(reply.headers(), now_ms);
            judge(target, status, asked);
            if status.is_success() {
                Settlement::Done
            } else {
                retry(by_status(status), asked)
            }
        }
        Err(failure) => {
            target.breaker.failed(None);
            record.cause = Some(crate::telemetry::chain(&failure));
            let reason = Reason {
                class: class(&failure).to_owned(),
                status: None,
            };
            if lease.is_once && !failure.is_unsent() {
                Settlement::Unknown {
                    reason,
                    progress: None,
                }
            } else {
                retry(reason, None)
            }
        }
    }
}

/// What an answer says of the target as a whole.
fn judge(target: &Target, status: StatusCode, asked: Option<Duration>) {
    match status {
        StatusCode::GONE => target.leave(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            target.breaker.failed(asked);
        }
        status if status.is_server_error() => target.breaker.failed(None),
        // It lives, whatever it thinks of this delivery.
        _ => target.breaker.succeeded(),
    }
}

async fn send(
    (target, receiver): (&Target, &Receiver),
    lease: &Lease,
    clock: &Clock,
) -> Result<Response<Body>, SendFailure> {
    let deadline = Instant::now() + target.timeout;
    let ready = receiver.upstream.ready(deadline, Purpose::Call).await?;
    let mut request = Request::new(Body::held(lease.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = receiver.options.path.clone();
    *request.headers_mut() = headers(receiver, lease, clock);
    // The target has seen something once this is set; the failure says the same.
    let begun = AtomicBool::new(false);
    let (mut head, body) = request.into_parts();
    ready.send(&mut head, body, (deadline, &begun)).await
}

/// What tells a receiver which event this is, and that it is from us.
fn headers(receiver: &Receiver, lease: &Lease, clock: &Clock) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(CONTENT_TYPE, &lease.content_type);
    put(ROUTE, &lease.route);
    put(ATTEMPT, &lease.attempt.to_string());
    put(RECEIVED, &(lease.received_ms / 1000).to_string());
    put(WEBHOOK_ID, &lease.event);
    if let Some(signer) = &receiver.signer
        && let Ok(signed) = signer.sign(&lease.event, clock.now(), &lease.body)
    {
        for (name, value) in signed {
            headers.insert(name, value);
        }
    }
    headers
}

/// The word for an answer that is no yes.
fn by_status(status: StatusCode) -> Reason {
    let class = match status {
        StatusCode::GONE => "gone",
        status if status.is_redirection() => "redirect",
        _ => "status",
    };
    Reason {
        class: class.to_owned(),
        status: Some(status.as_u16()),
    }
}

/// The word for a try without an answer; one of the codes of the table of failures.
fn class(failure: &SendFailure) -> &'static str {
    crate::error::Failure::Upstream(failure.clone())
        .description()
        .code
}

/// How long a lease lasts: longer than the attempt can take.
pub(super) fn lease_ms(timeout: Duration) -> i64 {
    millis(timeout).saturating_add(LEASE_MARGIN_MS)
}

const LEASE_MARGIN_MS: i64 = 30_000;
/// The id of the event, also where nothing is signed, so that a receiver can tell repeats.
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const ROUTE: HeaderName = HeaderName::from_static("x-pintle-route");
const ATTEMPT: HeaderName = HeaderName::from_static("x-pintle-attempt");
const RECEIVED: HeaderName = HeaderName::from_static("x-pintle-received");
