//! A sealed reply opened before anything reads it.

use http::header::CONTENT_ENCODING;
use http::{Method, Response, StatusCode};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Limits;
use super::reply::GRACE;
use crate::clock::UnixSecond;
use crate::crypto::OpenFailure;
use crate::error::Failure;
use crate::limit::told_at;
use crate::message::{Body, BodyFault};
use crate::policy::{Direction, Sealer};

/// Opens a reply, unless it is plain and may be.
pub(super) async fn open(
    sealer: &Sealer<'_>,
    reply: Response<Body>,
    method: &Method,
    (limits, deadline, now): (&Limits, Instant, UnixSecond),
) -> Result<Response<Body>, Failure> {
    let (mut head, body) = reply.into_parts();
    let is_bodiless = method == Method::HEAD
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    if is_bodiless
        || sealer
            .sealing
            .may_be_plain(Direction::Reply, &head.headers, head.status)
    {
        return Ok(Response::from_parts(head, body));
    }
    // A reply that drips in must not hold the caller past what he was promised.
    let by = deadline.max(Instant::now() + GRACE);
    let idle = |_| Failure::Reply(BodyFault::Idle { idle_ms: 0 });
    let sealed = timeout_at(by, body.read(limits.sealed_bytes_max))
        .await
        .map_err(idle)?
        .map_err(Failure::Reply)?;
    let begun = Instant::now();
    let opened = if head.headers.contains_key(CONTENT_ENCODING) {
        Err(OpenFailure::Encoding)
    } else {
        sealer.open(Direction::Reply, &mut head.headers, &sealed, now)
    };
    match opened {
        Ok(plain) => Ok(Response::from_parts(
            head,
            Body::held(plain.unwrap_or(sealed)),
        )),
        Err(failure) => {
            sleep_until(told_at(begun, sealed.len(), Instant::now())).await;
            Err(Failure::Open(failure))
        }
    }
}
