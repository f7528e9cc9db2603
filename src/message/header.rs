//! Which headers may pass, by RFC 9110.
//!
//! Hop-by-hop fields are taken out before we add any of ours, so that nothing a downstream names
//! in `Connection` can remove what we set.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The account to call, chosen by the downstream.
pub const ACCOUNT: HeaderName = HeaderName::from_static("x-pintle-account");
/// The application that calls, as it names itself.
pub const CALLER: HeaderName = HeaderName::from_static("x-pintle-caller");
/// The class of the call: `interactive` or `campaign`.
pub const PRIORITY: HeaderName = HeaderName::from_static("x-pintle-priority");
/// How long the call may take: `2s`, `500ms`.
pub const TIMEOUT: HeaderName = HeaderName::from_static("x-pintle-timeout");
/// The id of the call.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What is left of the rates that count a call (draft-ietf-httpapi-ratelimit-headers).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The rates that count a call.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What each stage of the call cost (W3C Server Timing).
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// Whether the platform said yes, read by the verdict of the operation's family.
pub const VERDICT: HeaderName = HeaderName::from_static("x-pintle-verdict");

/// Removes every field that belongs to one connection (RFC 9110, section 7.6.1), with those that
/// `Connection` names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .filter(|name| !END_TO_END.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    remove(headers, &HOP_BY_HOP);
}

/// Removes what tells of the downstream's network, and our own control fields.
///
/// The platform is a third party: which host inside the company called is not its business.
pub fn strip_private(headers: &mut HeaderMap) {
    remove(headers, &PRIVATE);
}

/// Whether a call carries credentials of its own.
pub fn has_credentials(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| CREDENTIALS.contains(name))
}

/// Removes the credentials that a call carries.
pub fn strip_credentials(headers: &mut HeaderMap) {
    remove(headers, &CREDENTIALS);
}

/// Removes from a reply every field that repeats `token`.
pub fn strip_token(headers: &mut HeaderMap, token: &str) {
    let repeats = |value: &HeaderValue| {
        value.len() >= token.len()
            && value
                .as_bytes()
                .windows(token.len())
                .any(|window| window == token.as_bytes())
    };
    if token.is_empty() || !headers.values().any(repeats) {
        return;
    }
    let guilty: Vec<HeaderName> = headers
        .iter()
        .filter(|(_, value)| repeats(value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in guilty {
        headers.remove(name);
    }
}

/// Removes every field that describes the bytes of a body, which are about to be others.
pub fn strip_of_body(headers: &mut HeaderMap) {
    remove(headers, &OF_BODY);
}

/// Removes what is in a list. A message has few fields, and mostly none or one of a list: to look
/// through them costs less than to look each name up.
fn remove(headers: &mut HeaderMap, list: &[HeaderName]) {
    while let Some(name) = headers.keys().find(|name| list.contains(name)).cloned() {
        headers.remove(name);
    }
}

const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What `Connection` cannot take away: without these the message means something else.
const END_TO_END: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    REQUEST_ID,
];

const PRIVATE: [HeaderName; 13] = [
    ACCOUNT,
    CALLER,
    PRIORITY,
    TIMEOUT,
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    header::EXPECT,
    header::HOST,
];

/// RFC 9110, sections 8.4, 8.6, 8.8 and 14; RFC 9530; RFC 3230 and 1864 before it.
const OF_BODY: [HeaderName; 9] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ETAG,
    header::ACCEPT_RANGES,
    header::CONTENT_RANGE,
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
];

const CREDENTIALS: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn connection_names_go_and_the_message_stays_whole() {
        let mut headers = map(&[
            ("connection", "close, X-Secret , content-length"),
            ("connection", "x-request-id"),
            ("x-secret", "1"),
            ("content-length", "5"),
            ("x-request-id", "7"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length", "x-request-id"]);
    }

    #[test]
    fn a_reply_that_repeats_the_token_loses_that_field() {
        let mut headers = map(&[("x-echo", "Token abc+/="), ("x-other", "abc")]);
        strip_token(&mut headers, "abc+/=");
        assert_eq!(headers.len(), 1);
        strip_token(&mut headers, "");
        assert_eq!(headers.len(), 1);
    }
}
