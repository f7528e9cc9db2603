//! The mark of a push, by which a repeat is known, and the answer that repeats get.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value as Json};

use crate::crypto::{HandshakeReply, hex, sha256};
use crate::mapping::Scope;
use crate::message::Body;
use crate::route::flow::Reply;
use crate::route::{Differing, StaticAnswer, Webhook};
use crate::store::{Mark, UnixMs};

/// The mark of a push.
pub(super) fn mark(
    (route, webhook): (&str, &Webhook),
    scope: &Scope<'_>,
    (account, body): (Option<&str>, &[u8]),
    now_ms: UnixMs,
) -> Mark {
    let once = &webhook.once;
    let parts: Vec<Option<String>> = once.key.iter().map(|query| query.text(scope)).collect();
    let of_body = sha256(body);
    let mut told = Vec::new();
    let mut add = |part: &[u8]| {
        // Each part with its length, so that no two lists of parts look the same.
        told.extend_from_slice(&part.len().to_be_bytes());
        told.extend_from_slice(part);
    };
    add(account.unwrap_or_default().as_bytes());
    for part in &parts {
        add(part.as_deref().unwrap_or_default().as_bytes());
    }
    if once.differing == Differing::New || parts.iter().all(Option::is_none) {
        add(&of_body);
    }
    let window_ms = i64::try_from(once.window.as_millis()).unwrap_or(i64::MAX);
    Mark {
        space: route.to_owned(),
        key: hex(&sha256(&told)),
        digest: of_body,
        answer: encode(&webhook.answer),
        until_ms: now_ms.saturating_add(window_ms),
        after_success: false,
    }
}

/// The answer as the sender gets it.
pub(super) fn reply(answer: StaticAnswer) -> Response<Body> {
    let mut reply = Response::new(Body::held(answer.body));
    *reply.status_mut() = answer.status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, answer.content_type);
    reply
}

/// The answer to a sender's question.
pub(super) fn handshake(answer: HandshakeReply) -> Response<Body> {
    reply(StaticAnswer {
        status: answer.status,
        content_type: HeaderValue::from_static(answer.content_type),
        body: answer.body.into(),
    })
}

/// Status, media type and body, a line each.
fn encode(answer: &StaticAnswer) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_slice(answer.status.as_str().as_bytes());
    bytes.put_u8(b'\n');
    bytes.put_slice(answer.content_type.as_bytes());
    bytes.put_u8(b'\n');
    bytes.put_slice(&answer.body);
    bytes.freeze()
}

/// An answer with its headers, as it is stored with a mark: status, headers and body.
pub(super) fn encode_reply(reply: &Reply) -> Bytes {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), Json::from(value.to_str().ok()?)))
    };
    let headers: Map<String, Json> = reply.headers.iter().filter_map(header).collect();
    let mut bytes = BytesMut::new();
    bytes.put_slice(reply.status.as_str().as_bytes());
    bytes.put_u8(b'\n');
    bytes.put_slice(Json::Object(headers).to_string().as_bytes());
    bytes.put_u8(b'\n');
    bytes.put_slice(&reply.body);
    bytes.freeze()
}

/// The answer that was stored with its headers; one that cannot be read is a plain yes.
pub(super) fn decode_reply(stored: &Bytes) -> Reply {
    let mut parts = stored.splitn(3, |byte| *byte == b'\n');
    let status = parts
        .next()
        .and_then(|status| StatusCode::from_bytes(status).ok());
    let headers: Map<String, Json> = parts
        .next()
        .and_then(|headers| serde_json::from_slice(headers).ok())
        .unwrap_or_default();
    let header = |(name, value): (&String, &Json)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
    };
    Reply {
        status: status.unwrap_or(StatusCode::OK),
        headers: headers.iter().filter_map(header).collect(),
        body: Bytes::copy_from_slice(parts.next().unwrap_or_default()),
    }
}

/// The answer that was stored; one that cannot be read is a plain yes.
pub(super) fn decode(stored: &Bytes) -> StaticAnswer {
    let mut parts = stored.splitn(3, |byte| *byte == b'\n');
    let status = parts
        .next()
        .and_then(|status| StatusCode::from_bytes(status).ok());
    let content_type = parts
        .next()
        .and_then(|value| HeaderValue::from_bytes(value).ok());
    StaticAnswer {
        status: status.unwrap_or(StatusCode::OK),
        content_type: content_type.unwrap_or(HeaderValue::from_static("application/json")),
        body: parts
            .next()
            .map(|body| stored.slice_ref(body))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_answer_is_the_answer() {
        let answer = StaticAnswer {
            status: StatusCode::ACCEPTED,
            content_type: HeaderValue::from_static("text/plain"),
            body: Bytes::from_static(b"a\nb"),
        };
        assert_eq!(decode(&encode(&answer)), answer);
        assert_eq!(decode(&Bytes::new()).status, StatusCode::OK);
    }
}
