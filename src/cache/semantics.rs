//! What RFC 9111 makes of a reply: whether it may be kept, for how long it is fresh, how a 304
//! changes it.
//!
//! Whether it may be kept and how long it is fresh is decided by `http-cache-semantics`. That
//! library reads fields leniently, so it is shown none as it came: each is read here, strictly, and
//! handed on in its plainest form. What the library lacks stands here too: status codes that it
//! does not know, `must-understand`, ages, and the times for which a stale reply may answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG,
    EXPIRES, LAST_MODIFIED, SET_COOKIE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::field::{age_s, date_s, date_text};
use super::{Directives, Life};
use crate::clock::UnixMs;
use crate::message::header;

/// A reply to a GET, as far as a cache is concerned with it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'r> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// Whether the call went out with credentials.
    pub is_authorized: bool,
    /// When the call was sent.
    pub asked_ms: UnixMs,
    /// When the reply came.
    pub born_ms: UnixMs,
}

/// How long a reply answers; `None` where it may not be kept, or where keeping it is of no use.
pub fn life(reply: &Judged<'_>) -> Option<Life> {
    let directives = Directives::read(reply.headers, &CACHE_CONTROL);
    // RFC 9111, section 7.3, leaves it to the origin; a session of one caller for all is too dear.
    if reply.headers.contains_key(SET_COOKIE) {
        return None;
    }
    let policy = policy(reply, &directives)?;
    if !policy.is_storable() {
        return None;
    }
    let lifetime = policy.time_to_live(at(reply.born_ms));
    let mut lifetime_ms = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX / 4);
    if !is_explicit(reply.headers, &directives) {
        lifetime_ms = lifetime_ms.min(HEURISTIC_MS_MAX);
    }
    let has = |name: &HeaderName| reply.headers.contains_key(name);
    let revalidate_ms = window_ms(&directives, "stale-while-revalidate").unwrap_or(0);
    if lifetime_ms == 0 && revalidate_ms == 0 && !has(&ETAG) && !has(&LAST_MODIFIED) {
        return None;
    }
    let age_ms = initial_age_ms(reply);
    let fresh_until_ms = reply.born_ms + lifetime_ms - age_ms;
    let is_strict = is_no_cache(&directives)
        || ["must-revalidate", "proxy-revalidate", "s-maxage"]
            .iter()
            .any(|name| directives.has(name));
    let until = |window_ms: i64| fresh_until_ms + if is_strict { 0 } else { window_ms };
    let error_ms = window_ms(&directives, "stale-if-error");
    Some(Life {
        born_ms: reply.born_ms,
        age_ms,
        fresh_until_ms,
        revalidate_until_ms: until(revalidate_ms),
        error_until_ms: until(error_ms.unwrap_or(0)),
        // Section 4.2.4: one that is cut off may answer with what is stale.
        silence_until_ms: until(error_ms.unwrap_or(SILENCE_MS)),
        is_strict,
    })
}

/// The fields that a reply may not be kept with: those that `no-cache` names.
pub fn fields_left_out(headers: &HeaderMap) -> Vec<HeaderName> {
    let directives = Directives::read(headers, &CACHE_CONTROL);
    let named = directives
        .argument("no-cache")
        .flatten()
        .unwrap_or_default();
    let names = named.split(',');
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

/// Whether a 304 confirms what is kept with these headers (section 4.3.3).
///
/// We asked for this one alone, so a 304 that names none means it.
pub fn confirms(kept: &HeaderMap, fresh: &HeaderMap) -> bool {
    let same = |name: &HeaderName| {
        let [kept, fresh] = [kept, fresh].map(|headers| headers.get(name).map(opaque));
        fresh.is_none_or(|fresh| kept == Some(fresh))
    };
    same(&ETAG) && (fresh.contains_key(ETAG) || same(&LAST_MODIFIED))
}

/// An entity tag without its mark of weakness: 304 compares weakly.
pub(super) fn opaque(tag: &HeaderValue) -> &[u8] {
    let tag = tag.as_bytes();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Puts the fields of a 304, or of a reply to HEAD, in the place of those that are kept (section
/// 3.2), except those that describe the kept bytes.
pub fn freshen(kept: &HeaderMap, fresh: &HeaderMap) -> HeaderMap {
    let mut headers = kept.clone();
    for name in fresh.keys().filter(|name| !OF_BYTES.contains(name)) {
        headers.remove(name);
        for value in fresh.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Gives a reply the date at which it came, if it has none (RFC 9110, section 6.6.1).
pub fn date(headers: &mut HeaderMap, born_ms: UnixMs) {
    if !headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(date_text(born_ms.div_euclid(1000)))
    {
        headers.insert(DATE, date);
    }
}

/// What the library decides by. `None` where the reply is none that can be kept.
fn policy(reply: &Judged<'_>, directives: &Directives) -> Option<CachePolicy> {
    let mut call = Request::new(());
    if reply.is_authorized {
        let some = HeaderValue::from_static("some");
        call.headers_mut().insert(AUTHORIZATION, some);
    }
    let mut view = Response::new(());
    *view.status_mut() = status(reply, directives)?;
    let headers = view.headers_mut();
    headers.insert(CACHE_CONTROL, plain(reply.status, directives)?);
    let date = date_s(reply.headers, &DATE).unwrap_or(reply.born_ms.div_euclid(1000));
    headers.insert(DATE, HeaderValue::try_from(date_text(date)).ok()?);
    if reply.headers.contains_key(EXPIRES) {
        // One that cannot be read is in the past (section 5.3).
        let expires = date_s(reply.headers, &EXPIRES).map_or("0".to_owned(), date_text);
        headers.insert(EXPIRES, HeaderValue::try_from(expires).ok()?);
    }
    if let Some(modified) = date_s(reply.headers, &LAST_MODIFIED) {
        let modified = HeaderValue::try_from(date_text(modified)).ok()?;
        headers.insert(LAST_MODIFIED, modified);
    }
    let options = CacheOptions {
        shared: true,
        ..CacheOptions::default()
    };
    let born = at(reply.born_ms);
    Some(CachePolicy::new_options(&call, &view, born, options))
}

/// The status to show. The library keeps those that it knows; any final one may be kept that says
/// itself for how long, or that it is public (section 3). It is shown as one that is known and has
/// no lifetime of its own.
fn status(reply: &Judged<'_>, directives: &Directives) -> Option<StatusCode> {
    let status = reply.status;
    let is_understood = UNDERSTOOD.contains(&status.as_u16());
    let is_partial = matches!(
        status,
        StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    );
    if status.is_informational() || is_partial {
        return None;
    }
    if is_understood {
        return Some(status);
    }
    let allows = is_explicit(reply.headers, directives) || directives.has("public");
    (allows && !directives.has("must-understand")).then_some(StatusCode::FOUND)
}

/// `Cache-Control` in its plainest form.
fn plain(status: StatusCode, directives: &Directives) -> Option<HeaderValue> {
    let mut plain: Vec<String> = Vec::new();
    for name in ["private", "public", "must-revalidate"] {
        plain.extend(directives.has(name).then(|| name.to_owned()));
    }
    plain.extend(is_no_cache(directives).then(|| "no-cache".to_owned()));
    // Section 5.2.2.3: who understands the status goes by what else is said.
    let understood = directives.has("must-understand") && UNDERSTOOD.contains(&status.as_u16());
    let no_store = directives.has("no-store") && !understood;
    plain.extend(no_store.then(|| "no-store".to_owned()));
    for name in ["max-age", "s-maxage"] {
        // What is no number is stale at once.
        let seconds = directives.seconds(name).map(|seconds| seconds.unwrap_or(0));
        plain.extend(seconds.map(|seconds| format!("{name}={seconds}")));
    }
    HeaderValue::try_from(plain.join(", ")).ok()
}

/// `no-cache` that is meant for the whole reply.
fn is_no_cache(directives: &Directives) -> bool {
    directives.argument("no-cache") == Some(None)
}

fn is_explicit(headers: &HeaderMap, directives: &Directives) -> bool {
    directives.has("max-age") || directives.has("s-maxage") || headers.contains_key(EXPIRES)
}

/// How old a reply is when it comes (section 4.2.3).
fn initial_age_ms(reply: &Judged<'_>) -> i64 {
    let date = date_s(reply.headers, &DATE);
    let born_s = reply.born_ms.div_euclid(1000);
    let apparent_ms = date.map_or(0, |date| (born_s - date).max(0) * 1000);
    let delay_ms = (reply.born_ms - reply.asked_ms).max(0);
    apparent_ms.max(age_s(reply.headers) * 1000 + delay_ms)
}

fn window_ms(directives: &Directives, name: &str) -> Option<i64> {
    let seconds = directives.seconds(name)?;
    Some(seconds.unwrap_or(0) * 1000)
}

fn at(ms: UnixMs) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The status codes whose meaning for a cache is known here, less 206 and 304.
const UNDERSTOOD: &[u16] = &[
    200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501,
];
/// What describes the bytes that are kept, and what we said ourselves.
const OF_BYTES: [HeaderName; 4] = [
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    header::VERDICT,
];
/// A guess from `Last-Modified` holds no longer than a day.
const HEURISTIC_MS_MAX: i64 = 24 * 60 * 60 * 1000;
/// For how long a stale reply answers in the place of silence where the origin does not say.
const SILENCE_MS: i64 = 24 * 60 * 60 * 1000;
