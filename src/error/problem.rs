//! A failure as `application/problem+json` (RFC 9457).

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response};
use serde_json::json;

use super::Failure;
use crate::message::{Body, RequestId, header};

/// The answer to a call that failed. It has no internals: no address, no cause, no secret.
///
/// `outcome` is `not_sent` where the platform cannot have seen the call, `not_stored` where a push
/// has had no effect, and else `unknown`.
pub fn problem(failure: &Failure, id: &RequestId) -> Response<Body> {
    let row = failure.description();
    let body = json!({
        "type": format!("urn:pintle:failure:{}", row.code),
        "title": row.title,
        "status": row.status,
        "detail": failure.detail(),
        "code": row.code,
        "blame": row.blame.as_str(),
        "outcome": failure.outcome(),
        "request_id": id.as_str(),
    });
    let mut reply = Response::new(Body::held(format!("{body:#}\n")));
    *reply.status_mut() = failure.status();
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = failure.retry_after() {
        // Whole seconds, rounded up: earlier would be too early.
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(wait.as_secs().saturating_add(1)),
        );
    }
    if let Failure::OverQuota(over) | Failure::PushOverQuota(over) = failure {
        let told = format!("\"{}\";r=0;t={}", over.rate, over.retry_in.as_secs() + 1);
        if let Ok(told) = HeaderValue::try_from(told) {
            headers.insert(header::RATE_LIMIT, told);
        }
    }
    if let Failure::OtherMethod { allowed } | Failure::Method { allowed } = failure {
        let list: Vec<&str> = allowed.iter().map(http::Method::as_str).collect();
        if let Ok(list) = HeaderValue::try_from(list.join(", ")) {
            headers.insert(ALLOW, list);
        }
    }
    if failure.closes() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::SendFailure;

    #[tokio::test]
    async fn a_problem_has_code_blame_and_id_and_no_internals() {
        let failure = Failure::Upstream(SendFailure::Timeout);
        let id = RequestId::fresh();
        let reply = problem(&failure, &id);
        assert_eq!(reply.status(), 504);
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/problem+json");
        let body = reply.into_body().read(4096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "upstream_timeout");
        assert_eq!(body["blame"], "upstream");
        assert_eq!(body["outcome"], "unknown");
        assert_eq!(body["request_id"], id.as_str());
    }
}
