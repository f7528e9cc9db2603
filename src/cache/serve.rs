//! An entry as the answer to a call: whole, as a part, or as the word that nothing changed.

use http::header::{
    ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::field::date_s;
use super::semantics::opaque;
use super::{Entry, Told};
use crate::clock::UnixMs;
use crate::message::Body;

/// Whether a call asks what only the origin can answer.
pub fn is_for_origin(call: &HeaderMap) -> bool {
    call.contains_key(IF_MATCH) || call.contains_key(IF_UNMODIFIED_SINCE)
}

/// Whether a call has a condition, or wants a part.
pub fn is_conditional(call: &HeaderMap) -> bool {
    let of_call = [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE];
    is_for_origin(call) || of_call.iter().any(|name| call.contains_key(name))
}

/// Takes a call's own conditions out, and puts in those that ask whether an entry still holds
/// (RFC 9111, section 4.3.1).
pub fn ask_whether(entry: &Entry, call: &mut HeaderMap) {
    call.remove(IF_NONE_MATCH);
    call.remove(IF_MODIFIED_SINCE);
    for (of_entry, of_call) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
        if let Some(value) = entry.headers.get(&of_entry) {
            call.insert(of_call, value.clone());
        }
    }
}

impl Entry {
    /// Whether an origin can be asked if it still holds.
    pub fn has_validator(&self) -> bool {
        self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED)
    }

    /// It as the answer to a call.
    pub fn answer(
        &self,
        (method, call): (&Method, &HeaderMap),
        now_ms: UnixMs,
        told: Told,
    ) -> Response<Body> {
        let mut reply = Response::new(Body::Empty);
        *reply.status_mut() = self.status;
        let mut headers = self.headers.clone();
        headers.insert(AGE, HeaderValue::from(self.age_s(now_ms)));
        told.write(&mut headers);
        let may_vary = self.status == StatusCode::OK;
        if may_vary && self.is_unchanged_for(call) {
            *reply.status_mut() = StatusCode::NOT_MODIFIED;
            headers.remove(CONTENT_TYPE);
            headers.remove(CONTENT_ENCODING);
            *reply.headers_mut() = headers;
            return reply;
        }
        let part = match call.get(RANGE) {
            Some(range) if may_vary && method == Method::GET && self.is_in_range_of(call) => {
                part(range, self.body.len())
            }
            _ => KeyPart::Whole,
        };
        let len = self.body.len();
        let body = match part {
            KeyPart::Whole => self.body.clone(),
            KeyPart::Of(first, last) => {
                *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
                put(
                    &mut headers,
                    CONTENT_RANGE,
                    format!("bytes {first}-{last}/{len}"),
                );
                self.body.slice(first..=last)
            }
            KeyPart::None => {
                *reply.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                put(&mut headers, CONTENT_RANGE, format!("bytes */{len}"));
                bytes::Bytes::new()
            }
        };
        if method == Method::HEAD {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
        } else {
            *reply.body_mut() = Body::held(body);
        }
        *reply.headers_mut() = headers;
        reply
    }

    /// Whether the caller has it already (RFC 9110, section 13.2.2: the tag goes before the date).
    fn is_unchanged_for(&self, call: &HeaderMap) -> bool {
        if call.contains_key(IF_NONE_MATCH) {
            let Some(tag) = self.headers.get(ETAG).map(opaque) else {
                return false;
            };
            let lines = call.get_all(IF_NONE_MATCH).iter();
            let mut listed = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
            return listed.any(|listed| {
                let listed = listed.trim_ascii();
                listed == b"*" || listed.strip_prefix(b"W/").unwrap_or(listed) == tag
            });
        }
        let Some(since) = date_s(call, &IF_MODIFIED_SINCE) else {
            return false;
        };
        let changed = date_s(&self.headers, &LAST_MODIFIED).or(date_s(&self.headers, &DATE));
        changed.is_some_and(|changed| changed <= since)
    }

    /// Whether a part may be cut out of it: `If-Range` must name it exactly (RFC 9110, section
    /// 13.1.5).
    fn is_in_range_of(&self, call: &HeaderMap) -> bool {
        let Some(wanted) = call.get(IF_RANGE) else {
            return true;
        };
        let is_strong = !wanted.as_bytes().starts_with(b"W/");
        let same = |name: &HeaderName| self.headers.get(name) == Some(wanted);
        is_strong && (same(&ETAG) || same(&LAST_MODIFIED))
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
}

/// What of a body is wanted.
#[derive(Debug, PartialEq, Eq)]
enum KeyPart {
    Whole,
    /// From one byte to another, both included.
    Of(usize, usize),
    /// Nothing that is there.
    None,
}

/// One range of bytes (RFC 9110, section 14.2). Several, other units and what cannot be read are
/// answered with the whole, as that section allows.
fn part(range: &HeaderValue, len: usize) -> KeyPart {
    let text = range.to_str().unwrap_or_default();
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|set| set.split_once('-'))
    else {
        return KeyPart::Whole;
    };
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
    };
    let end = len.saturating_sub(1);
    let (first, last) = match (first.trim(), last.trim()) {
        ("", "") => return KeyPart::Whole,
        ("", suffix) => match number(suffix) {
            Some(0) => return KeyPart::None,
            Some(suffix) => (Some(len.saturating_sub(suffix)), Some(end)),
            None => return KeyPart::Whole,
        },
        (first, "") => (number(first), Some(end)),
        (first, last) => (number(first), number(last)),
    };
    match first.zip(last) {
        None => KeyPart::Whole,
        Some((first, last)) if last < first && first < len => KeyPart::Whole,
        Some((first, _)) if first >= len => KeyPart::None,
        Some((first, last)) => KeyPart::Of(first, last.min(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_out() {
        for (range, expected) in [
            ("bytes=0-1", KeyPart::Of(0, 1)),
            ("bytes=1-", KeyPart::Of(1, 9)),
            ("bytes=-3", KeyPart::Of(7, 9)),
            ("bytes=-30", KeyPart::Of(0, 9)),
            ("bytes=5-99", KeyPart::Of(5, 9)),
            ("bytes=9-9", KeyPart::Of(9, 9)),
            ("bytes=10-", KeyPart::None),
            ("bytes=-0", KeyPart::None),
            ("bytes=99999999999999999999-", KeyPart::None),
            ("bytes=5-4", KeyPart::Whole),
            ("bytes=0-1,3-4", KeyPart::Whole),
            ("bytes=-", KeyPart::Whole),
            ("bytes=a-b", KeyPart::Whole),
            ("items=0-1", KeyPart::Whole),
        ] {
            assert_eq!(
                part(&HeaderValue::from_static(range), 10),
                expected,
                "{range}"
            );
        }
        assert_eq!(
            part(&HeaderValue::from_static("bytes=0-"), 0),
            KeyPart::None
        );
    }
}
