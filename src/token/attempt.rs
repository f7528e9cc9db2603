//! One login: the call is built, sent, and its answer read.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use tokio::time::Instant;

use super::{Identity, LoginFailure};
use crate::clock::Clock;
use crate::codec::form;
use crate::mapping::{Scalar, SingularQuery, pick};
use crate::message::Body;
use crate::policy::{Direction, Encoding, Login, Sealer};
use crate::secret::Secret;
use crate::upstream::{Purpose, SendFailure, Upstream};

/// What a login needs: the recipe, the account's secrets, and whom to ask.
pub(super) struct Attempt {
    /// The account, for the log.
    pub(super) account: String,
    pub(super) login: Arc<Login>,
    pub(super) identity: Identity,
    pub(super) upstream: Arc<Upstream>,
    pub(super) clock: Clock,
}

/// What a login gave.
pub(super) struct Granted {
    pub(super) text: Secret,
    pub(super) header: HeaderValue,
    pub(super) lifetime: Duration,
    /// How old it is already.
    pub(super) age: Duration,
}

impl Attempt {
    /// Logs in once.
    pub(super) async fn run(&self, deadline: Instant) -> Result<Granted, LoginFailure> {
        let (mut head, body) = self.request()?.into_parts();
        let begun = AtomicBool::new(false);
        let ready = self
            .upstream
            .ready(deadline, Purpose::Login)
            .await
            .map_err(unanswered)?;
        let reply = ready
            .send(&mut head, body, (deadline, &begun))
            .await
            .map_err(unanswered)?;
        let (mut head, body) = reply.into_parts();
        let answer = body
            .read(ANSWER_MAX)
            .await
            .map_err(LoginFailure::Unreadable)?;
        let answer = match self.sealer() {
            Some(sealer) => self.open(&sealer, &mut head, answer)?,
            None => answer,
        };
        self.read(head.status, &answer)
    }

    fn request(&self) -> Result<Request<Body>, LoginFailure> {
        let fields = || {
            self.identity
                .fields
                .iter()
                .map(|(name, secret)| (name.as_str(), secret.expose()))
        };
        let (content_type, body) = match self.login.encoding {
            Encoding::Form => ("application/x-www-form-urlencoded", form::encode(fields())),
            Encoding::Json => {
                let object: serde_json::Map<String, serde_json::Value> = fields()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                (
                    "application/json",
                    serde_json::Value::Object(object).to_string(),
                )
            }
        };
        let mut request = Request::builder()
            .method(self.login.method.clone())
            .uri(&self.login.path)
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, "application/json")
            .body(body)
            .map_err(|error| LoginFailure::Unmakable(Arc::new(error)))?;
        for (name, value) in &self.login.headers {
            request
                .headers_mut()
                .insert(HeaderName::clone(name), value.clone());
        }
        request.headers_mut().remove(AUTHORIZATION);
        match self.sealer() {
            Some(sealer) => self.seal(&sealer, request),
            None => Ok(request.map(Body::held)),
        }
    }

    /// How the login is sealed, if it is.
    fn sealer(&self) -> Option<Sealer<'_>> {
        let sealing = self.login.sealing.sealing()?;
        let keys = self.identity.keys.as_deref()?;
        Some(Sealer { sealing, keys })
    }

    fn seal(
        &self,
        sealer: &Sealer<'_>,
        request: Request<String>,
    ) -> Result<Request<Body>, LoginFailure> {
        let (mut head, plain) = request.into_parts();
        let sealed = sealer
            .seal(
                Direction::Request,
                &mut head.headers,
                plain.as_bytes(),
                self.clock.now(),
            )
            .map_err(LoginFailure::Unsealed)?;
        let body = sealed.map_or_else(|| Body::held(plain), Body::held);
        Ok(Request::from_parts(head, body))
    }

    fn open(
        &self,
        sealer: &Sealer<'_>,
        head: &mut Parts,
        answer: Bytes,
    ) -> Result<Bytes, LoginFailure> {
        let (direction, now) = (Direction::Reply, self.clock.now());
        if sealer
            .sealing
            .may_be_plain(direction, &head.headers, head.status)
        {
            return Ok(answer);
        }
        let opened = sealer.open(direction, &mut head.headers, &answer, now);
        let plain = opened.map_err(LoginFailure::Unopened)?;
        Ok(plain.unwrap_or(answer))
    }

    /// A new token, as it is shown to the platform.
    pub(super) fn shown(&self, text: Secret, lifetime: Duration) -> Result<Granted, LoginFailure> {
        Ok(Granted {
            header: header(&self.identity.authorization, text.expose())?,
            text,
            lifetime,
            age: Duration::ZERO,
        })
    }

    /// Reads the answer to a login.
    fn read(&self, status: StatusCode, answer: &[u8]) -> Result<Granted, LoginFailure> {
        let refused = matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST
        );
        let code = match &self.login.accepted {
            Some((query, _)) => pick(answer, query).ok().flatten().and_then(|c| c.integer()),
            None => None,
        };
        if refused {
            return Err(LoginFailure::Refused {
                status: status.as_u16(),
                code,
            });
        }
        if !status.is_success() {
            return Err(LoginFailure::Status {
                status: status.as_u16(),
            });
        }
        if answer.is_empty() {
            return Err(LoginFailure::NoToken);
        }
        let token = find(answer, &self.login.token)?;
        if let Some((_, accepted)) = &self.login.accepted
            && !code.is_some_and(|code| accepted.contains(&code))
        {
            return Err(LoginFailure::Refused {
                status: status.as_u16(),
                code,
            });
        }
        let token = token
            .as_ref()
            .and_then(Scalar::text)
            .ok_or(LoginFailure::NoToken)?;
        let told = match &self.login.lifetime_at {
            Some(query) => find(answer, query)?.and_then(|seconds| seconds.integer()),
            None => None,
        };
        let lifetime = match told {
            None => self.login.lifetime,
            Some(seconds) => {
                let seconds = u64::try_from(seconds).unwrap_or(0).min(LIFETIME_S_MAX);
                Duration::from_secs(seconds)
            }
        };
        self.shown(Secret::new(token.to_owned()), lifetime)
    }
}

/// No answer within the login's time is one failure, whoever noticed it first.
fn unanswered(failure: SendFailure) -> LoginFailure {
    match failure {
        SendFailure::Timeout => LoginFailure::Timeout,
        other => LoginFailure::Unreachable(other),
    }
}

fn find(answer: &[u8], query: &SingularQuery) -> Result<Option<Scalar>, LoginFailure> {
    pick(answer, query).map_err(|error| LoginFailure::NotJson(Arc::new(error.into_inner())))
}

/// `Token <token>`. A token that is empty, too long, or has anything but visible ASCII is refused:
/// a line break in it would split the header.
fn header(scheme: &str, token: &str) -> Result<HeaderValue, LoginFailure> {
    if token.is_empty() {
        return Err(LoginFailure::NoToken);
    }
    if token.len() > TOKEN_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(LoginFailure::BadToken);
    }
    let mut value =
        HeaderValue::try_from(format!("{scheme} {token}")).map_err(|_| LoginFailure::BadToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The largest answer to a login, in bytes.
const ANSWER_MAX: usize = 64 * 1024;
/// The longest token, in bytes.
const TOKEN_MAX: usize = 8 * 1024;
/// The longest life that an answer may claim: 30 days.
const LIFETIME_S_MAX: u64 = 30 * 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_must_fit_into_a_header() {
        assert_eq!(header("Token", "ab+/=").unwrap(), "Token ab+/=");
        assert!(header("Token", "ab+/=").unwrap().is_sensitive());
        assert!(matches!(header("Token", ""), Err(LoginFailure::NoToken)));
        for bad in ["a\r\nX: y", "a b", "a\0", "é", &"x".repeat(9000)] {
            assert!(
                matches!(header("Token", bad), Err(LoginFailure::BadToken)),
                "{bad:?}"
            );
        }
    }
}
