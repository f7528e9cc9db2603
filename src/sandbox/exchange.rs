//! One request to the stand-in platform, from its head to its reply.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::sandbox::body::{Appetite, Cut, Intake, ReplyBody, Source, length};
use crate::sandbox::callback;
use crate::sandbox::canned::Canned;
use crate::sandbox::control;
use crate::sandbox::fault::{Damage, Fault, FaultError, Instead};
use crate::sandbox::journal::BODY_KEPT_MAX;
use crate::sandbox::reply::{Ask, Family, Refusal, Reply};
use crate::sandbox::route::{self, Route};
use crate::sandbox::seal;
use crate::sandbox::wire::Wire;
use crate::sandbox::{Shared, locked};

/// Answers one request; never returns where a fault says so.
pub(super) async fn exchange(
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    // The sandbox's own calls meet no faults and leave no trace, or a test could lock itself out.
    if head.uri.path() == "/sandbox" || head.uri.path().starts_with("/sandbox/") {
        return control::answer(&shared, &head, body).await.send(None, None);
    }
    let entry = Entry {
        shared: &shared,
        serial: locked(&shared.journal).open(&head, wire.serial),
    };
    let fault = match fault_of(&shared, &head) {
        Ok(fault) => fault,
        Err(failure) => return entry.close(control::bad_fault(&failure)).send(None, None),
    };
    let found = route::find(&head.method, head.uri.path());
    // An early answer is one that comes while the body is still unread.
    let mut intake = Intake {
        bytes: Bytes::new(),
        total: 0,
    };
    if fault.instead != Some(Instead::Early) {
        let sink = found.as_ref().is_ok_and(|route| route.sink);
        let keep_max = if sink { BODY_KEPT_MAX } else { BODY_MAX };
        let appetite = Appetite {
            keep_max,
            discard: sink,
            rate: fault.read_rate,
        };
        match appetite.read(body).await {
            Some(whole) => intake = whole,
            None => return entry.close(broken_off()).send(None, None),
        }
        entry.note(&intake);
    }
    if let Some(delay) = fault.delay {
        sleep(delay).await;
    }
    // The faults that leave the caller without an answer; the connection is dropped around them.
    match fault.instead {
        Some(Instead::Hang) => return pending().await,
        Some(Instead::Reset) => {
            wire.reset();
            return pending().await;
        }
        Some(Instead::Nonsense) => {
            wire.talk_nonsense();
            return Reply::whole(StatusCode::OK, "text/plain", "").send(None, None);
        }
        _ => {}
    }
    let canned = locked(&shared.canned).take(&head);
    if let Some(canned) = &canned {
        sleep(canned.delay).await;
    }
    let mut reply = match canned {
        Some(canned) => entry.canned(&head, canned, &intake.bytes),
        None => reply(&shared, &head, &fault, (found, intake)),
    };
    callback::catch_up(&shared);
    let cut = damage(&fault, &mut reply, &wire, head.version);
    entry.close(reply).send(fault.reply_rate, cut)
}

/// The place of a request in the journal.
struct Entry<'a> {
    shared: &'a Shared,
    serial: u64,
}

impl Entry<'_> {
    fn note(&self, intake: &Intake) {
        let kept = intake.bytes.slice(..intake.bytes.len().min(BODY_KEPT_MAX));
        locked(&self.shared.journal).amend(self.serial, |entry| {
            entry.body = kept;
            entry.body_bytes = intake.total;
        });
    }

    /// Answers as it was written beforehand, sealed where the request was.
    fn canned(&self, head: &Parts, canned: Canned, body: &Bytes) -> Reply {
        let asked = match seal::open(self.shared, head, body) {
            Ok(asked) => asked,
            Err(refusal) => return Family::of(head.uri.path()).refuse(&refusal),
        };
        if asked.is_sealed {
            let (body, path) = (asked.body.clone(), head.uri.path());
            let target = match asked.query.as_str() {
                "" => path.to_owned(),
                query => format!("{path}?{query}"),
            };
            locked(&self.shared.journal).amend(self.serial, |entry| {
                entry.opened = Some(body);
                entry.target = target;
            });
        }
        let mut reply = canned.reply();
        asked.seal(self.shared, None, &mut reply);
        reply
    }

    fn close(&self, reply: Reply) -> Reply {
        let status = reply.status.as_u16();
        locked(&self.shared.journal).amend(self.serial, |entry| entry.status = status);
        reply
    }
}

/// Carries the operation out, unless a fault or a refusal stands in its place.
fn reply(
    shared: &Shared,
    head: &Parts,
    fault: &Fault,
    (found, intake): (Result<&Route, Refusal>, Intake),
) -> Reply {
    let family = found
        .as_ref()
        .map_or_else(|_| Family::of(head.uri.path()), |route| route.family);
    if let Some(reply) = stand_in(fault, family, head) {
        return reply;
    }
    let route = match found {
        Ok(route) => route,
        Err(refusal) => return family.refuse(&refusal),
    };
    if !route.sink && intake.total > length(BODY_MAX) {
        let text = "the body is longer than the sandbox takes";
        return family.refuse(&Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let asked = match seal::open(shared, head, &intake.bytes) {
        Ok(asked) => asked,
        Err(refusal) => return family.refuse(&refusal),
    };
    let ask = Ask {
        query: &asked.query,
        headers: &asked.headers,
        body: &asked.body,
        body_bytes: intake.total,
        token: fault.token.as_deref(),
    };
    let mut reply = route.run(&mut locked(&shared.state), &ask);
    asked.seal(shared, fault.spoil, &mut reply);
    reply
}

/// The fault that a request asks for itself, else the first that was set for its path.
fn fault_of(shared: &Shared, head: &Parts) -> Result<Fault, FaultError> {
    let Some(text) = head.headers.get(FAULT_HEADER) else {
        let met = locked(&shared.faults).meet(head.uri.path());
        return Ok(met.unwrap_or_else(Fault::none));
    };
    text.to_str().unwrap_or("not text").parse()
}

/// The reply that a fault puts in place of the operation, which is then not carried out.
fn stand_in(fault: &Fault, family: Family, head: &Parts) -> Option<Reply> {
    let status = fault.status.unwrap_or(StatusCode::OK);
    match fault.instead {
        Some(Instead::Html) => return Some(Reply::whole(status, "text/html", HTML)),
        Some(Instead::Echo) => {
            let mut reply = Reply::json(status, &family.wrap(echo(head)));
            if let Some(value) = head.headers.get(AUTHORIZATION) {
                let name = HeaderName::from_static("x-echo-authorization");
                reply.headers.insert(name, value.clone());
            }
            return Some(reply);
        }
        Some(Instead::Early) if fault.status.is_none() && fault.code.is_none() => {
            return Some(Reply::json(status, &family.wrap(Value::Null)));
        }
        _ => {}
    }
    if fault.status.is_none() && fault.code.is_none() {
        return None;
    }
    let code = fault.code.unwrap_or_else(|| i64::from(status.as_u16()));
    let text = "a fault that was asked for".to_owned();
    Some(family.refuse(&Refusal { status, code, text }))
}

fn echo(head: &Parts) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        match headers.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(&value);
            }
            _ => {
                headers.insert(name.as_str().to_owned(), json!(value));
            }
        }
    }
    Value::Object(headers)
}

/// Spoils a reply as the fault says; the result is where its body is broken off.
fn damage(fault: &Fault, reply: &mut Reply, wire: &Arc<Wire>, version: Version) -> Option<Cut> {
    for (name, value) in &fault.headers {
        reply.headers.append(name, value.clone());
    }
    let streams = version == Version::HTTP_2;
    if fault.close && streams {
        wire.closing.cancel();
    } else if fault.close {
        reply
            .headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let cut = |left, reset| Some(Cut::new(left, reset, Arc::clone(wire), streams));
    match fault.damage? {
        Damage::BadJson => {
            reply.source = Source::Whole(BAD_JSON.into());
            None
        }
        Damage::Empty => {
            reply.source = Source::Whole(Bytes::new());
            None
        }
        Damage::Truncate(left) => cut(left, false),
        Damage::ResetAfter(left) => cut(left, true),
    }
}

fn broken_off() -> Reply {
    Family::Cloud.refuse(&Refusal::http(
        StatusCode::BAD_REQUEST,
        "the body broke off",
    ))
}

const FAULT_HEADER: &str = "x-sandbox-fault";
const BODY_MAX: usize = 16 * 1024 * 1024;
const BAD_JSON: &str = r#"{"code":200,"status":"OK","data":{"token":"#;
const HTML: &str = "<html><head><title>502 Bad Gateway</title></head>\
    <body><h1>502 Bad Gateway</h1></body></html>\n";
