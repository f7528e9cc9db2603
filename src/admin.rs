//! The admin listener: whether the process lives, whether it can serve, and what it owes.

mod cache;
mod deliveries;
mod kept;
mod suppressions;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::inbound::Inbound;
use crate::message::Body;
use crate::outbound::{AccountHealth, Answer, Call, Calling, Outbound};
use crate::store::{Queue as _, StoreFailure};
use crate::telemetry::chain;
use crate::token::Health;

/// The admin listener's service.
#[derive(Clone)]
pub struct Admin {
    outbound: Arc<ArcSwap<Outbound>>,
    inbound: Option<Arc<ArcSwap<Inbound>>>,
    drain: CancellationToken,
}

impl Admin {
    /// Tells of both bridges, and that `drain` has begun.
    pub fn new(
        outbound: Arc<ArcSwap<Outbound>>,
        inbound: Option<Arc<ArcSwap<Inbound>>>,
        drain: CancellationToken,
    ) -> Self {
        Self {
            outbound,
            inbound,
            drain,
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();
        let (method, path) = (&head.method, head.uri.path());
        if let Some(rest) = path.strip_prefix("/deliveries") {
            let inbound = self.inbound.as_ref().ok_or(Failure::Operation)?.load_full();
            let asked = (rest, head.uri.query().unwrap_or_default());
            return deliveries::answer(&inbound, method, asked).await;
        }
        if let Some(rest) = path.strip_prefix("/suppressions") {
            let inbound = self.inbound.as_ref().ok_or(Failure::Operation)?.load_full();
            let policies = Arc::clone(&self.outbound.load().policies);
            let asked = (rest, head.uri.query().unwrap_or_default());
            return suppressions::answer((&inbound, &policies), method, asked, body).await;
        }
        if let Some(rest) = path
            .strip_prefix("/kept")
            .filter(|_| *method == Method::GET)
        {
            let inbound = self.inbound.as_ref().ok_or(Failure::Operation)?.load_full();
            let asked = (rest, head.uri.query().unwrap_or_default());
            return kept::answer(&inbound, asked).await;
        }
        if let Some(rest) = path.strip_prefix("/cache") {
            let outbound = self.outbound.load_full();
            return cache::answer(
                &outbound,
                method,
                (rest, head.uri.query().unwrap_or_default()),
            )
            .await;
        }
        let reply = match path {
            "/" => text(INDEX),
            "/pushes" => {
                let inbound = self.inbound.as_ref().ok_or(Failure::Operation)?.load_full();
                document(StatusCode::OK, &inbound.counts.to_value())
            }
            "/livez" => document(StatusCode::OK, &json!({ "alive": true })),
            "/readyz" => self.ready().await,
            _ => return Err(Failure::Operation),
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Failure::OtherMethod {
                allowed: vec![Method::GET, Method::HEAD],
            });
        }
        Ok(reply)
    }

    /// Ready means: a call that names no account has a fair chance, and a push can be stored. The
    /// other accounts are listed; they answer their own calls with a clear failure.
    async fn ready(&self) -> Response<Body> {
        let outbound = self.outbound.load_full();
        let health = outbound.health();
        let draining = self.drain.is_cancelled();
        let default = health
            .iter()
            .find(|account| account.name == outbound.default_account);
        let store = match &self.inbound {
            None => None,
            Some(inbound) => Some(stored(&inbound.load_full()).await),
        };
        let stores = store.as_ref().is_none_or(|(_, _, takes)| *takes);
        let ready = default.is_some_and(can_serve) && stores && !draining;
        let accounts: Map<String, Value> = health
            .iter()
            .map(|account| (account.name.clone(), describe(account)))
            .collect();
        let mut told = json!({ "ready": ready, "draining": draining, "accounts": accounts });
        if let (Some(told), Some((kind, store, _))) = (told.as_object_mut(), store) {
            told.insert(kind.to_owned(), store);
            told.insert("receivers".to_owned(), self.receivers());
        }
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        document(status, &told)
    }

    /// How each receiver is doing. One that is down does not make us unready: pushes are stored.
    fn receivers(&self) -> Value {
        let Some(inbound) = self.inbound.as_ref().map(|inbound| inbound.load_full()) else {
            return Value::Null;
        };
        let described = inbound.delivery.targets().map(|target| {
            let state = target.state();
            (target.name().to_owned(), json!(state))
        });
        Value::Object(described.collect())
    }
}

/// What the store is, how it is doing, and whether pushes are taken.
async fn stored(inbound: &Inbound) -> (&'static str, Value, bool) {
    let (writable, held) = (writable(inbound).await, inbound.store.held());
    let takes = writable.is_ok() || held.is_some();
    let mut told = Map::from_iter([("writable".to_owned(), writable.is_ok().into())]);
    if let Err(failure) = writable {
        told.insert("reason".to_owned(), chain(&failure).into());
    }
    if let Some(held) = held {
        told.insert("held".to_owned(), held.into());
    }
    (inbound.store.kind(), told.into(), takes)
}

/// Whether pushes can be stored.
async fn writable(inbound: &Inbound) -> Result<(), StoreFailure> {
    match inbound.trouble.lately() {
        Some(failure) => Err(failure),
        None => inbound.store.probe().await,
    }
}

fn can_serve(account: &AccountHealth) -> bool {
    matches!(account.token, None | Some(Health::Valid(_)))
}

fn describe(account: &AccountHealth) -> Value {
    let mut told = match &account.token {
        None => json!({ "token": "not needed" }),
        Some(Health::Valid(left)) => json!({ "token": "valid", "expires_in_s": left.as_secs() }),
        Some(Health::LoggingIn) => json!({ "token": "logging in" }),
        Some(Health::Failing(failure)) => {
            json!({ "token": "login failed", "reason": chain(failure) })
        }
    };
    if let Some(told) = told.as_object_mut() {
        told.insert("circuits".to_owned(), json!(account.circuits));
    }
    told
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
    type Future = Calling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let admin = self.clone();
        Box::pin(async move {
            let Call {
                request, record, ..
            } = call;
            let outcome = admin.answer(request).await;
            Ok(Answer { outcome, record })
        })
    }
}

const INDEX: &str = "pintle admin

  /livez          the process answers
  /readyz         calls can be served and pushes stored, with the state of each account and receiver
  /deliveries     what is owed to receivers; `pintle queue` asks here
  /pushes         how pushes ended since the start, by route: what was refused is counted here
  /kept           records of consent and recorded pushes; `pintle export` asks here
  /suppressions   lists of those who are left alone; `pintle suppress` asks here
  /livez       the process answers
  /readyz      calls can be served and pushes stored, with the state of each account and receiver
  /deliveries  what is owed to receivers; `pintle queue` asks here
  /cache       what is kept of replies; `pintle cache` asks here
  /pushes      how pushes ended since the start, by route: what was refused is counted here
  /kept        records of consent and recorded pushes; `pintle export` asks here
";
