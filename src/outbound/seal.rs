//! A call sealed before it is sent.

use http::Uri;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::request::Parts;

use super::Limits;
use crate::clock::UnixSecond;
use crate::error::{Failure, Unfit};
use crate::message::Body;
use crate::policy::{Direction, Sealer};

/// Seals the body of a call, or its query where it has no body.
///
/// What the policy wants sealed never leaves in the clear: a call that cannot be sealed is refused.
pub(super) async fn seal(
    sealer: &Sealer<'_>,
    head: &mut Parts,
    body: Body,
    (limits, now): (&Limits, UnixSecond),
) -> Result<Body, Failure> {
    let sealing = sealer.sealing;
    if sealing
        .headers()
        .any(|name| head.headers.contains_key(name))
    {
        return Err(Failure::Unfit(Unfit::SealedAlready));
    }
    if sealing.reply.is_some() {
        // A sealed reply is opened, and we do not unpack what we need not.
        head.headers.remove(ACCEPT_ENCODING);
    }
    let (plain, body) = match sealing.request {
        None => (None, body),
        Some(_) if body.is_empty() => (None, body),
        Some(_) => {
            let plain = body.read(limits.sealed_bytes_max);
            (Some(plain.await.map_err(Failure::Body)?), Body::Empty)
        }
    };
    let plain = plain.filter(|plain| !plain.is_empty());
    let query = head.uri.query().filter(|_| sealing.query);
    match (plain, query) {
        (None, None) => Ok(body),
        (Some(_), Some(_)) => Err(Failure::Unfit(Unfit::QueryBesideBody)),
        (None, Some(query)) => {
            let sealed = sealer
                .seal_query(&mut head.headers, query, now)
                .map_err(Failure::Seal)?;
            let raw = format!("{}?{sealed}", head.uri.path());
            head.uri = Uri::try_from(raw).map_err(|_| Failure::Unfit(Unfit::QueryTooLong))?;
            Ok(body)
        }
        (Some(plain), None) => {
            if is_coded(head) {
                return Err(Failure::Unfit(Unfit::Coded));
            }
            let sealed = sealer
                .seal(Direction::Request, &mut head.headers, &plain, now)
                .map_err(Failure::Seal)?;
            Ok(Body::held(sealed.unwrap_or(plain)))
        }
    }
}

fn is_coded(head: &Parts) -> bool {
    let codings = head.headers.get_all(CONTENT_ENCODING);
    codings.iter().any(|coding| coding != "identity")
}
