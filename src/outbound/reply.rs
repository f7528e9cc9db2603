//! The reply on its way back: judged, cleaned, and never with the token in it.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Response};
use tokio::time::{Instant, timeout_at};

use super::Limits;
use crate::message::{Body, BodyFault, header};
use crate::policy::{Judgement, Verdict};
use crate::telemetry::Record;
use crate::token::Token;

/// A reply and what it says.
pub(super) struct Judged {
    pub(super) reply: Response<Body>,
    pub(super) judgement: Judgement,
}

/// Judges a reply. Its body is held only where the verdict stands in it and it is small.
pub(super) async fn judge(
    reply: Response<Body>,
    verdict: &Verdict,
    method: &Method,
    (limits, deadline): (&Limits, Instant),
) -> Result<Judged, BodyFault> {
    let (head, body) = reply.into_parts();
    let max = limits.verdict_bytes_max;
    let fits = body
        .exact_len()
        .is_none_or(|len| usize::try_from(len).is_ok_and(|len| len <= max));
    if verdict.code.is_none() || method == Method::HEAD || !fits || !is_text(&head.headers) {
        let judgement = verdict.judge(head.status, None);
        return Ok(Judged {
            reply: Response::from_parts(head, body),
            judgement,
        });
    }
    // An envelope that drips in must not hold the caller past what he was promised.
    let by = deadline.max(Instant::now() + GRACE);
    let idle = |_| BodyFault::Idle { idle_ms: 0 };
    let (read, rest) = timeout_at(by, body.read_up_to(max)).await.map_err(idle)??;
    let whole = rest.is_empty().then_some(read.as_ref());
    let judgement = verdict.judge(head.status, whole);
    Ok(Judged {
        reply: Response::from_parts(head, rest.with_prefix(read)),
        judgement,
    })
}

/// Whether a body may hold an envelope: JSON, any text (an error page is a no), or unlabelled.
fn is_text(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let media = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let media = media.to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json") || media.starts_with("text/")
}

impl Judged {
    /// Takes every header out that repeats the token.
    #[must_use]
    pub(super) fn without_token(mut self, token: Option<&Token>) -> Self {
        let headers = self.reply.headers_mut();
        headers.remove(AUTHORIZATION);
        headers.remove(PROXY_AUTHORIZATION);
        if let Some(token) = token {
            header::strip_token(headers, token.text().expose());
        }
        self
    }

    /// The reply for the downstream.
    pub(super) fn into_reply(mut self, record: &mut Record) -> Response<Body> {
        record.verdict = Some(self.judgement.said.as_str());
        record.platform_code = self.judgement.code;
        let headers = self.reply.headers_mut();
        header::strip_hop_by_hop(headers);
        headers.insert(
            header::VERDICT,
            HeaderValue::from_static(self.judgement.said.as_str()),
        );
        self.reply
    }
}

/// What an envelope gets at least, once the head of the reply is here.
pub(super) const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_hold_an_envelope_is_held() {
        for (media, expected) in [
            (Some("application/json; charset=utf-8"), true),
            (Some("Application/JSON"), true),
            (Some("application/problem+json"), true),
            (Some("text/html"), true),
            (None, true),
            (Some("application/zip"), false),
            (Some("audio/wav"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(media) = media {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
            }
            assert_eq!(is_text(&headers), expected, "{media:?}");
        }
    }
}
