//! One call of a step: made ready from the document, then sent, then read.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::{Instant, timeout_at};

use super::brought::{Brought, Failure, State};
use super::{Runner, Running};
use crate::codec::{self, Format};
use crate::crypto::Signer;
use crate::mapping::expr::{Expr, Halt, Means};
use crate::mapping::path::Fuel;
use crate::mapping::scalar::as_text;
use crate::message::{Body, RequestId};
use crate::route::flow::{Action, Send, Step};
use crate::secret::Secret;
use crate::telemetry::{Record, chain};
use crate::upstream::{Purpose, SendFailure};

/// A call that is ready to be sent.
pub(super) struct Prepared {
    to: To,
    method: Method,
    headers: HeaderMap,
    body: bytes::Bytes,
    pub(super) is_once: bool,
    read: Option<Format>,
}

enum To {
    Platform(Uri),
    Party { url: String, step: String },
}

/// Why a call could not be made ready.
#[derive(Debug)]
pub(super) enum Unready {
    Halt(Halt),
    /// What is wrong, in a stable word.
    Wrong(&'static str),
}

impl From<Halt> for Unready {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl Runner {
    /// Makes the call of a step ready; `None` where the step makes no call itself.
    pub(super) fn prepare(
        &self,
        step: &Step,
        running: &Running,
        means: &Means<'_>,
        fuel: &mut Fuel,
    ) -> Result<Option<Prepared>, Unready> {
        match &step.action {
            Action::Call {
                operation,
                account,
                query,
                body,
            } => {
                let query = value(query.as_ref(), means, fuel)?;
                let body = value(body.as_ref(), means, fuel)?;
                let call = (operation.as_str(), account.as_deref());
                self.platform_call(call, query.as_ref(), body.as_ref())
                    .map(|mut prepared| {
                        prepared.read = step.read;
                        Some(prepared)
                    })
            }
            Action::Send(send) => {
                self.party_call(send, running, means, fuel)
                    .map(|mut prepared| {
                        prepared.read = step.read;
                        if let To::Party { step: name, .. } = &mut prepared.to {
                            name.clone_from(&step.name);
                        }
                        Some(prepared)
                    })
            }
            Action::Together(_) | Action::OfferTo { .. } => Ok(None),
        }
    }

    fn platform_call(
        &self,
        (operation, account): (&str, Option<&str>),
        query: Option<&Value>,
        body: Option<&Value>,
    ) -> Result<Prepared, Unready> {
        let outbound = self.outbound.load();
        let entry = outbound.catalogue.entry(operation);
        let entry = entry.ok_or(Unready::Wrong("operation_unknown"))?;
        let account = account.map_or_else(String::new, |name| format!("/accounts/{name}"));
        let query = match query {
            None => String::new(),
            Some(query) => {
                let encoded = codec::encode(Format::Form, query);
                let encoded = encoded.map_err(|_| Unready::Wrong("query_unfit"))?;
                format!("?{}", String::from_utf8_lossy(&encoded.body))
            }
        };
        let uri = format!("{account}/operations/{operation}{query}").parse();
        let mut headers = HeaderMap::new();
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Prepared {
            to: To::Platform(uri.map_err(|_| Unready::Wrong("query_unfit"))?),
            method: entry.method.clone().unwrap_or(Method::POST),
            headers,
            body: body.map_or_else(bytes::Bytes::new, |body| body.to_string().into()),
            is_once: entry.effect == crate::route::Effect::Once,
            read: None,
        })
    }

    fn party_call(
        &self,
        send: &Send,
        running: &Running,
        means: &Means<'_>,
        fuel: &mut Fuel,
    ) -> Result<Prepared, Unready> {
        let url = send.url.fill_url(means.document, fuel)?;
        let url = url.ok_or(Unready::Wrong("url_missing"))?;
        if let Some(allow) = &send.allow {
            let allowed = allow.value(means, fuel)?;
            if !is_allowed(&url, allowed.as_ref()) {
                return Err(Unready::Wrong("url_not_allowed"));
            }
        }
        let mut headers = HeaderMap::new();
        let mut body = bytes::Bytes::new();
        if let Some((format, expr)) = &send.body {
            let document = expr.value(means, fuel)?.unwrap_or_default();
            let encoded = codec::encode(*format, &document);
            let encoded = encoded.map_err(|_| Unready::Wrong("body_unfit"))?;
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
            body = encoded.body;
        }
        for (name, expr) in &send.headers {
            let text = expr.value(means, fuel)?.as_ref().and_then(as_text);
            let text = text.and_then(|text| HeaderValue::from_str(&text).ok());
            if let Some(text) = text {
                headers.insert(name.clone(), text);
            }
        }
        if let Some((secrets, id)) = &send.sign {
            let id = id.value(means, fuel)?.as_ref().and_then(as_text);
            let id = id.ok_or(Unready::Wrong("signature_id_missing"))?;
            self.sign(&mut headers, (&id, &body), secrets, running)?;
        }
        headers.insert(USER_AGENT, HeaderValue::from_static("pintle"));
        Ok(Prepared {
            to: To::Party {
                url,
                step: String::new(),
            },
            method: send.method.clone(),
            headers,
            body,
            is_once: send.is_once,
            read: None,
        })
    }

    fn sign(
        &self,
        headers: &mut HeaderMap,
        (id, body): (&str, &[u8]),
        names: &[String],
        running: &Running,
    ) -> Result<(), Unready> {
        let of = |name: &String| running.signing.get(name).into_iter().flatten();
        let secrets: Vec<&Secret> = names.iter().flat_map(of).collect();
        let wrong = |_| Unready::Wrong("signing_secret_unfit");
        let signer = Signer::standard_webhooks(&secrets).map_err(wrong)?;
        let signed = signer.sign(id, self.clock.now(), body);
        let signed = signed.map_err(|_| Unready::Wrong("signature_unfit"))?;
        let named: [(HeaderName, HeaderValue); 3] = signed;
        headers.extend(named.map(|(name, value)| (Some(name), value)));
        Ok(())
    }

    /// Sends a call once.
    pub(super) async fn send(&self, prepared: &Prepared, deadline: Instant) -> Brought {
        let begun = Arc::new(AtomicBool::new(false));
        let sending = async {
            match &prepared.to {
                To::Platform(uri) => self.call_platform(prepared, uri, &begun).await,
                To::Party { url, step } => {
                    let to = (url.as_str(), step.as_str());
                    self.call_party(prepared, to, deadline, &begun).await
                }
            }
        };
        if let Ok(brought) = timeout_at(deadline, sending).await {
            return brought;
        }
        let is_unknown = prepared.is_once && begun.load(Ordering::Acquire);
        Brought::nothing(
            State::Timeout,
            Some(Failure {
                class: "upstream_timeout".to_owned(),
                is_passing: true,
                is_unknown,
                wait_ms: None,
                cause: None,
            }),
        )
    }

    async fn call_platform(
        &self,
        prepared: &Prepared,
        uri: &Uri,
        begun: &Arc<AtomicBool>,
    ) -> Brought {
        let outbound = self.outbound.load_full();
        let mut record = Record::new(
            "route",
            RequestId::fresh(),
            prepared.method.clone(),
            uri.path().into(),
        );
        // The call may be given up while it is under way: then too it must be known what was seen.
        record.begun = Arc::clone(begun);
        let outcome = outbound
            .call(prepared.request(uri.clone()), &mut record)
            .await;
        match outcome {
            Ok(reply) => {
                record.status = Some(reply.status().as_u16());
                let said = record.verdict;
                let mut brought = self.read(reply, prepared).await;
                match said {
                    Some("refused") if brought.failure.is_none() => {
                        brought.fail("platform_refused", false, false);
                    }
                    Some("unclear") if brought.failure.is_none() => {
                        brought.fail("platform_unclear", !prepared.is_once, prepared.is_once);
                    }
                    _ => {}
                }
                brought
            }
            Err(failure) => {
                let described = failure.description();
                record.failure = Some(described.code);
                record.status = Some(described.status);
                record.cause = Some(chain(&failure));
                let was_seen = begun.load(Ordering::Acquire);
                let timed_out = described.status == 504;
                let state = if timed_out {
                    State::Timeout
                } else {
                    State::Failed
                };
                Brought::nothing(
                    state,
                    Some(Failure {
                        class: described.code.to_owned(),
                        is_passing: described.status >= 500 && described.status != 501,
                        is_unknown: prepared.is_once && was_seen,
                        wait_ms: None,
                        cause: Some(chain(&failure)),
                    }),
                )
            }
        }
    }

    async fn call_party(
        &self,
        prepared: &Prepared,
        (url, step): (&str, &str),
        deadline: Instant,
        begun: &AtomicBool,
    ) -> Brought {
        let Some(party) = self.parties.find(url, step) else {
            let mut brought = Brought::nothing(State::Failed, None);
            brought.fail("url_unfit", false, false);
            return brought;
        };
        let (mut head, body) = prepared.request(party.target).into_parts();
        head.headers.extend(party.told);
        let sent = async {
            let ready = party.upstream.ready(deadline, Purpose::Call).await?;
            ready.send(&mut head, body, (deadline, begun)).await
        };
        match sent.await {
            Ok(reply) => self.read(reply, prepared).await,
            Err(failure) => {
                let timed_out =
                    matches!(failure, SendFailure::Timeout | SendFailure::ConnectTimeout);
                let state = if timed_out {
                    State::Timeout
                } else {
                    State::Failed
                };
                Brought::nothing(
                    state,
                    Some(Failure {
                        is_unknown: prepared.is_once && !failure.is_unsent(),
                        cause: Some(chain(&failure)),
                        class: crate::error::Failure::Upstream(failure)
                            .description()
                            .code
                            .to_owned(),
                        is_passing: true,
                        wait_ms: None,
                    }),
                )
            }
        }
    }

    async fn read(&self, reply: http::Response<Body>, prepared: &Prepared) -> Brought {
        let (head, body) = reply.into_parts();
        match body.read(REPLY_BYTES_MAX).await {
            Ok(body) => {
                let mut brought = Brought::reply(head.status, &head.headers, &body, prepared.read);
                brought.judge(head.status, &head.headers, prepared.is_once);
                brought
            }
            Err(fault) => Brought::nothing(
                State::Failed,
                Some(Failure {
                    class: "reply_broken".to_owned(),
                    is_passing: true,
                    is_unknown: prepared.is_once,
                    wait_ms: None,
                    cause: Some(fault.to_string()),
                }),
            ),
        }
    }
}

impl Prepared {
    fn request(&self, uri: Uri) -> Request<Body> {
        let mut request = Request::new(Body::held(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        if !self.body.is_empty() || self.method == Method::POST {
            let len = HeaderValue::from(self.body.len());
            request.headers_mut().insert(CONTENT_LENGTH, len);
        }
        request
    }
}

impl Brought {
    /// The step failed all the same.
    pub(super) fn fail(&mut self, class: &str, is_passing: bool, is_unknown: bool) {
        self.state = State::Failed;
        self.failure = Some(Failure {
            class: class.to_owned(),
            is_passing,
            is_unknown,
            wait_ms: None,
            cause: None,
        });
    }

    /// What the status says: whether it is a good one, whether trying again may help, and whether
    /// it may have taken effect. 503 and 429 say that it did not; another 5xx says nothing.
    fn judge(&mut self, status: StatusCode, headers: &HeaderMap, is_once: bool) {
        if status.is_success() {
            return;
        }
        let is_refusal = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let is_passing =
            is_refusal || status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
        self.fail(
            "status",
            is_passing,
            is_once && status.is_server_error() && !is_refusal,
        );
        let asked = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let seconds = asked.and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(failure) = &mut self.failure {
            failure.wait_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
        }
    }
}

fn value(expr: Option<&Expr>, means: &Means<'_>, fuel: &mut Fuel) -> Result<Option<Value>, Halt> {
    expr.map_or(Ok(None), |expr| expr.value(means, fuel))
}

/// A URL that data gives must begin as one of those that are allowed.
fn is_allowed(url: &str, allowed: Option<&Value>) -> bool {
    // A beginning ends where a part of the URL does, or `https://a.example` would allow
    // `https://a.example.org`.
    let begins = |with: &Value| {
        let with = with.as_str().filter(|with| !with.is_empty());
        let rest = with.and_then(|with| Some((with, url.strip_prefix(with)?)));
        rest.is_some_and(|(with, rest)| {
            with.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?'])
        })
    };
    match allowed {
        Some(Value::Array(several)) => several.iter().any(begins),
        Some(one) => begins(one),
        None => false,
    }
}

/// The largest reply that a step reads.
const REPLY_BYTES_MAX: usize = 1 << 20;
