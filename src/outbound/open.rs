//! A sealed reply opened before anything reads it.

use std::time::Duration;

use http::header::CONTENT_ENCODING;
use http::{Method, Response, StatusCode};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Limits;
use super::reply::GRACE;
use crate::clock::UnixSecond;
use crate::crypto::OpenFailure;
use crate::error::Failure;
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
            sleep_until(next_tick(begun, sealed.len(), Instant::now())).await;
            Err(Failure::Open(failure))
        }
    }
}

/// When a failure is told: on the next tick of a clock that began when the text was whole, so that
/// how long the opening took does not tell how far it came. The tick is longer than the opening of
/// a text of that length takes.
fn next_tick(begun: Instant, len: usize, now: Instant) -> Instant {
    let tick_ms = TICK_MS + u64::try_from(len / BYTES_A_MS).unwrap_or(0);
    let elapsed_ms = u64::try_from((now - begun).as_millis()).unwrap_or(0);
    begun + Duration::from_millis((elapsed_ms / tick_ms + 1) * tick_ms)
}

const TICK_MS: u64 = 10;
/// A tenth of what a slow machine opens in a millisecond.
const BYTES_A_MS: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_on_the_tick() {
        let begun = Instant::now();
        let told_ms = |len, elapsed_ms| {
            let now = begun + Duration::from_millis(elapsed_ms);
            (next_tick(begun, len, now) - begun).as_millis()
        };
        for (len, elapsed_ms, expected) in [
            (0, 0, 10),
            (100, 9, 10),
            (100, 10, 20),
            (16 << 20, 0, 522),
            (16 << 20, 60, 522),
        ] {
            assert_eq!(told_ms(len, elapsed_ms), expected, "{len} {elapsed_ms}");
        }
    }
}
