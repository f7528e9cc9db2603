//! The admin listener: whether the process lives, and whether it can serve.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::message::Body;
use crate::outbound::{AccountHealth, Answer, Call, Outbound};
use crate::telemetry::chain;
use crate::token::Health;

/// The admin listener's service.
#[derive(Clone)]
pub struct Admin {
    outbound: Arc<ArcSwap<Outbound>>,
    drain: CancellationToken,
}

impl Admin {
    /// Tells of `outbound`, and that `drain` has begun.
    pub fn new(outbound: Arc<ArcSwap<Outbound>>, drain: CancellationToken) -> Self {
        Self { outbound, drain }
    }

    fn answer(&self, method: &Method, path: &str) -> Result<Response<Body>, Failure> {
        let reply = match path {
            "/" => text(INDEX),
            "/livez" => document(StatusCode::OK, &json!({ "alive": true })),
            "/readyz" => self.ready(),
            _ => return Err(Failure::Operation),
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Failure::OtherMethod {
                allowed: vec![Method::GET, Method::HEAD],
            });
        }
        Ok(reply)
    }

    /// Ready means: a call that names no account has a fair chance. The other accounts are listed;
    /// they answer their own calls with a clear failure.
    fn ready(&self) -> Response<Body> {
        let outbound = self.outbound.load();
        let health = outbound.health();
        let draining = self.drain.is_cancelled();
        let default = health
            .iter()
            .find(|account| account.name == outbound.default_account);
        let served = default.is_some_and(can_serve);
        let ready = served && !draining;
        let accounts: serde_json::Map<String, Value> = health
            .iter()
            .map(|account| (account.name.clone(), describe(account)))
            .collect();
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        document(
            status,
            &json!({ "ready": ready, "draining": draining, "accounts": accounts }),
        )
    }
}

fn can_serve(account: &AccountHealth) -> bool {
    matches!(account.token, None | Some(Health::Valid(_)))
}

fn describe(account: &AccountHealth) -> Value {
    match &account.token {
        None => json!({ "token": "not needed" }),
        Some(Health::Valid(left)) => json!({ "token": "valid", "expires_in_s": left.as_secs() }),
        Some(Health::LoggingIn) => json!({ "token": "logging in" }),
        Some(Health::Failing(failure)) => {
            json!({ "token": "login failed", "reason": chain(failure) })
        }
    }
}

fn document(status: StatusCode, body: &Value) -> Response<Body> {
    let mut reply = text(&format!("{body:#}\n"));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn text(body: &str) -> Response<Body> {
    let mut reply = Response::new(Body::held(body.to_owned()));
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

impl tower::Service<Call> for Admin {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let Call { request, record } = call;
        let outcome = self.answer(request.method(), request.uri().path());
        ready(Ok(Answer { outcome, record }))
    }
}

const INDEX: &str = "pintle admin\n\n  /livez   the process answers\n  /readyz  calls can be served, with the state of each account\n";
