//! Events that applications tell: `POST /events` on the local listener.
//!
//! An event is stored once, with a delivery for every route that begins with its name, before it
//! is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::Inbound;
use crate::codec::{self, Format, Limits};
use crate::crypto::{hex, sha256};
use crate::error::Failure;
use crate::message::{Body, RequestId};
use crate::outbound::{self, Answer, Call, Calling};
use crate::store::{Duty, Enqueued, Event, Mark, Queue as _};
use crate::telemetry::Record;

impl Inbound {
    /// Takes an event: `{ "event": "lead.qualified", "event_id": "…", … }`.
    pub async fn told(
        &self,
        request: Request<Body>,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let body = request.into_body().read(self.body_bytes_max).await;
        let body = body.map_err(Failure::Body)?;
        let malformed = |why: String| Failure::Malformed(why.into());
        let read = codec::decode(Format::Json, None, None, &body, &Limits::default());
        let event = read.map_err(|why| malformed(why.to_string()))?;
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let name = text("event").ok_or_else(|| malformed("it names no `event`".to_owned()))?;
        record.operation = Some(name.to_owned());
        let now_ms = self.clock.now_ms();
        let routes = self.routes.iter();
        let taking: Vec<_> = routes
            .filter(|route| route.flow.begins_with(name))
            .collect();
        if taking.is_empty() {
            return Err(Failure::NoHook);
        }
        let duties = taking.iter().map(|route| Duty {
            target: route.flow.target(),
            order: None,
            due_ms: now_ms,
            is_once: route.is_once,
            leased_until_ms: None,
        });
        let mark = text("event_id").map(|id| Mark {
            space: name.to_owned(),
            key: hex(&sha256(format!("{name}\n{id}").as_bytes())),
            digest: sha256(&body),
            answer: bytes::Bytes::new(),
            until_ms: now_ms.saturating_add(i64::try_from(WINDOW.as_millis()).unwrap_or(0)),
            after_success: false,
        });
        let id = format!("evt_{}", RequestId::fresh());
        let stored = Event {
            id: id.clone(),
            route: name.to_owned(),
            marks: mark.into_iter().collect(),
            keeps: Vec::new(),
            content_type: "application/json".to_owned(),
            body,
            received_ms: now_ms,
            duties: duties.collect(),
        };
        let enqueued = self.store.enqueue(stored, now_ms).await;
        self.trouble.note(enqueued.as_ref().err());
        match enqueued.map_err(Failure::Store)? {
            Enqueued::Stored { .. } => {
                record.event = Some(id.clone());
                let targets = taking.iter().map(|route| route.flow.target());
                for target in targets.filter_map(|name| self.delivery.target(&name)) {
                    target.ring();
                }
            }
            Enqueued::Repeated { .. } => record.is_repeat = true,
            Enqueued::Conflict { .. } => return Err(Failure::PushConflict),
        }
        let routes: Vec<&str> = taking
            .iter()
            .map(|route| route.flow.name.as_str())
            .collect();
        let told = json!({ "id": id, "routes": routes, "repeat": record.is_repeat });
        let mut reply = Response::new(Body::held(told.to_string()));
        *reply.status_mut() = StatusCode::ACCEPTED;
        let json = HeaderValue::from_static("application/json");
        reply.headers_mut().insert(CONTENT_TYPE, json);
        Ok(reply)
    }
}

/// The local listener: calls of the platform, and events for routes.
#[derive(Clone)]
pub struct Local {
    /// Calls.
    pub outbound: outbound::Service,
    /// Events, where there is an inbound path.
    pub inbound: Option<Arc<ArcSwap<Inbound>>>,
}

impl tower::Service<Call> for Local {
    type Response = Answer;
    type Error = Infallible;
    type Future = Calling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let is_event = call.request.method() == Method::POST && call.request.uri().path() == EVENTS;
        let Some(inbound) = self.inbound.as_ref().filter(|_| is_event) else {
            return self.outbound.call(call);
        };
        let inbound = inbound.load_full();
        Box::pin(async move {
            let Call {
                request,
                peer: _,
                mut record,
            } = call;
            let outcome = inbound.told(request, &mut record).await;
            Ok(Answer { outcome, record })
        })
    }
}

const EVENTS: &str = "/events";
/// For how long an event is remembered by its id.
const WINDOW: Duration = Duration::from_hours(24);
