//! The headers of a call: the caller's less what must not pass, and the platform's usual ones.

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, VIA};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Credentials;
use crate::error::Failure;
use crate::message::{Body, RequestId, header};
use crate::policy::{Family, FamilyLogin};

/// Takes out what must not pass.
pub(super) fn clean(
    headers: &mut HeaderMap,
    credentials: Credentials,
    family: &Family,
) -> Result<(), Failure> {
    if credentials == Credentials::Refuse && header::has_credentials(headers) {
        return Err(Failure::Credentials);
    }
    header::strip_hop_by_hop(headers);
    header::strip_private(headers);
    // Never beside a token of ours.
    if credentials != Credentials::Pass || !matches!(family.login, FamilyLogin::None) {
        header::strip_credentials(headers);
    }
    Ok(())
}

/// Puts in what the platform expects.
pub(super) fn dress(
    head: &mut Parts,
    family: &Family,
    of_upstream: &[(HeaderName, HeaderValue)],
    id: &RequestId,
) {
    let headers = &mut head.headers;
    headers.insert(header::REQUEST_ID, id.header());
    headers.insert(VIA, HeaderValue::from_static("1.1 pintle"));
    if family.verdict.code.is_some() {
        // The verdict is read from the reply, and we do not unpack what we need not.
        headers.remove(ACCEPT_ENCODING);
    }
    for (name, value) in family.headers_set.iter().chain(of_upstream) {
        headers.insert(name.clone(), value.clone());
    }
}

/// Tells the length of the body that is sent, and what it is.
pub(super) fn describe(head: &mut Parts, family: &Family, body: &Body) {
    let headers = &mut head.headers;
    // One length, in one spelling, and ours: HTTP/2 lets a repeated one through.
    headers.remove(CONTENT_LENGTH);
    if let Some(len) = body.exact_len().filter(|_| !body.is_empty()) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    }
    if body.is_empty() {
        if matches!(
            head.method,
            http::Method::POST | http::Method::PUT | http::Method::PATCH
        ) {
            // RFC 9110, section 8.6: such a method without a body says so.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        return;
    }
    for (name, value) in &family.headers_default {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
}
