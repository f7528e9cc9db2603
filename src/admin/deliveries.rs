//! Deliveries seen and changed from outside: list, show, replay, bury.
//!
//! A filter stands in the query: `?state=buried&route=workflow.call_finished`. A change tells how
//! many it would mean unless `yes=true` is among it, and what may take effect twice is left alone
//! unless `force=true` is.

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::document;
use crate::codec::form;
use crate::error::Failure;
use crate::inbound::Inbound;
use crate::message::{Body, RequestId};
use crate::store::{Change, Delivery, DeliveryId, Filter, Queue as _, STATES};

/// Answers what is asked below `/deliveries`.
pub(super) async fn answer(
    inbound: &Inbound,
    method: &Method,
    (path, query): (&str, &str),
) -> Result<Response<Body>, Failure> {
    let wish = match Wish::read(query) {
        Ok(wish) => wish,
        Err(fault) => return Ok(refuse(&fault)),
    };
    let get = method == Method::GET || method == Method::HEAD;
    match path.trim_start_matches('/') {
        "" if get => list(inbound, &wish).await,
        "count" if get => count(inbound, &wish).await,
        "replay" if method == Method::POST => {
            let change = Change::Replay {
                due_ms: inbound.clock.now_ms(),
                force: wish.force,
            };
            changed(inbound, &wish, change).await
        }
        "bury" if method == Method::POST => changed(inbound, &wish, Change::Bury).await,
        id if get => match id.parse() {
            Ok(id) => show(inbound, DeliveryId(id)).await,
            Err(_) => Err(Failure::Operation),
        },
        _ => Err(Failure::OtherMethod {
            allowed: vec![Method::GET, Method::HEAD, Method::POST],
        }),
    }
}

/// What is asked.
struct Wish {
    filter: Filter,
    before: Option<DeliveryId>,
    max: usize,
    force: bool,
    yes: bool,
}

impl Wish {
    fn read(query: &str) -> Result<Self, String> {
        let mut wish = Self {
            filter: Filter::default(),
            before: None,
            max: 100,
            force: false,
            yes: false,
        };
        for (name, value) in form::pairs(query) {
            wish.take(&name, value)?;
        }
        Ok(wish)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        let number = |value: &str| {
            value
                .parse::<i64>()
                .map_err(|_| format!("`{name}` must be a whole number"))
        };
        let filter = &mut self.filter;
        match name {
            "id" => filter.id = Some(DeliveryId(number(&value)?)),
            "event" => filter.event = Some(value),
            "route" => filter.route = Some(value),
            "receiver" => filter.target = Some(value),
            "class" => filter.class = Some(value),
            "order" => filter.order = Some(value),
            "from_ms" => filter.from_ms = Some(number(&value)?),
            "before_ms" => filter.before_ms = Some(number(&value)?),
            "state" => {
                let known = STATES.iter().find(|(word, _)| *word == value);
                let words: Vec<&str> = STATES.iter().map(|(word, _)| *word).collect();
                let none = || format!("`state` must be one of: {}", words.join(", "));
                filter.state = Some(known.ok_or_else(none)?.1);
            }
            "before" => self.before = Some(DeliveryId(number(&value)?)),
            "max" => {
                let max = usize::try_from(number(&value)?).unwrap_or(0);
                self.max = max.clamp(1, PAGE_MAX);
            }
            "force" => self.force = value == "true",
            "yes" => self.yes = value == "true",
            _ => return Err(format!("`{name}` is not known here")),
        }
        Ok(())
    }
}

async fn list(inbound: &Inbound, wish: &Wish) -> Result<Response<Body>, Failure> {
    let found = inbound.store.list(&wish.filter, wish.before, wish.max);
    let found = found.await.map_err(Failure::Store)?;
    let next = found.last().filter(|_| found.len() == wish.max);
    let next = next.map(|delivery| delivery.id.0);
    let deliveries: Vec<Value> = found.iter().map(describe).collect();
    Ok(good(
        &json!({ "deliveries": deliveries, "next_before": next }),
    ))
}

async fn count(inbound: &Inbound, wish: &Wish) -> Result<Response<Body>, Failure> {
    let count = inbound.store.count(&wish.filter).await;
    Ok(good(&json!({ "count": count.map_err(Failure::Store)? })))
}

async fn show(inbound: &Inbound, id: DeliveryId) -> Result<Response<Body>, Failure> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let found = inbound.store.list(&filter, None, 1).await;
    let found = found.map_err(Failure::Store)?;
    let delivery = found.first().ok_or(Failure::Operation)?;
    let body = inbound.store.body(id).await.map_err(Failure::Store)?;
    let mut shown = describe(delivery);
    if let (Some(shown), Some(body)) = (shown.as_object_mut(), body) {
        shown.insert("body".to_owned(), as_text(&body));
    }
    Ok(good(&shown))
}

async fn changed(
    inbound: &Inbound,
    wish: &Wish,
    change: Change,
) -> Result<Response<Body>, Failure> {
    if !wish.yes {
        let count = inbound.store.count(&wish.filter).await;
        let count = count.map_err(Failure::Store)?;
        return Ok(good(&json!({ "would_mean_at_most": count, "changed": 0 })));
    }
    let now_ms = inbound.clock.now_ms();
    let changed = inbound.store.change(&wish.filter, change, wish.max, now_ms);
    let changed = changed.await.map_err(Failure::Store)?;
    for target in inbound.delivery.targets() {
        target.ring();
    }
    tracing::info!(changed, ?change, filter = ?wish.filter, "deliveries changed by hand");
    Ok(good(&json!({ "changed": changed })))
}

fn describe(delivery: &Delivery) -> Value {
    let state = STATES.iter().find(|(_, state)| *state == delivery.state);
    json!({
        "id": delivery.id.0,
        "event": delivery.event,
        "route": delivery.route,
        "receiver": delivery.target,
        "order": delivery.order,
        "state": state.map(|(word, _)| word),
        "attempts": delivery.attempts,
        "received_ms": delivery.received_ms,
        "due_ms": delivery.due_ms,
        "effect": if delivery.is_once { "once" } else { "repeatable" },
        "class": delivery.reason.as_ref().map(|reason| &reason.class),
        "status": delivery.reason.as_ref().and_then(|reason| reason.status),
        "content_type": delivery.content_type,
        "body_bytes": delivery.body_bytes,
    })
}

/// A body as JSON where it is JSON, else as text.
fn as_text(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

fn good(value: &Value) -> Response<Body> {
    document(StatusCode::OK, value)
}

fn refuse(fault: &str) -> Response<Body> {
    let id = RequestId::fresh();
    document(
        StatusCode::BAD_REQUEST,
        &json!({ "error": fault, "request_id": id.as_str() }),
    )
}

const PAGE_MAX: usize = 1_000;
