//! What is kept, as JSON lines: records of consent, and recorded pushes.
//!
//! A page at a time: `?after=KEY` goes on behind the key that the header `X-Pintle-Next` named.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response};

use crate::codec::form;
use crate::error::Failure;
use crate::inbound::Inbound;
use crate::message::Body;
use crate::store::Keep;

/// Answers what is asked below `/kept`.
pub(super) async fn answer(
    inbound: &Inbound,
    (path, query): (&str, &str),
) -> Result<Response<Body>, Failure> {
    let after = form::pairs(query).find_map(|(name, value)| (name == "after").then_some(value));
    let after = after.as_deref();
    let found = match path.trim_start_matches('/').split_once('/') {
        None if path == "/consents" => inbound.consents(after).await,
        Some(("recordings", route)) => inbound.recordings(route, after).await,
        _ => return Err(Failure::Operation),
    };
    let found = found.map_err(Failure::Store)?;
    Ok(lines(&found, |keep| &keep.value))
}

/// A line for each, and how to go on.
pub(super) fn lines(found: &[Keep], line: impl Fn(&Keep) -> &[u8]) -> Response<Body> {
    let mut text = Vec::new();
    for keep in found {
        text.extend_from_slice(line(keep));
        text.push(b'\n');
    }
    let mut reply = Response::new(Body::held(text));
    let headers = reply.headers_mut();
    let media = HeaderValue::from_static("application/x-ndjson");
    headers.insert(CONTENT_TYPE, media);
    let last = found
        .last()
        .and_then(|last| HeaderValue::from_str(&last.key).ok());
    if let Some(last) = last {
        headers.insert(NEXT, last);
    }
    reply
}

/// The key of the last line.
const NEXT: HeaderName = HeaderName::from_static("x-pintle-next");
