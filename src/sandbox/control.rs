//! The sandbox's own calls under `/sandbox`: its index, its journal, faults and callbacks.

use std::fmt::Write;
use std::sync::Arc;

use http::header::{HeaderName, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::sandbox::body::Appetite;
use crate::sandbox::callback::{self, CallbackError};
use crate::sandbox::fault::{Fault, FaultError, WORDS};
use crate::sandbox::journal::Seen;
use crate::sandbox::reply::Reply;
use crate::sandbox::state::State;
use crate::sandbox::{Shared, locked, route};

/// Answers a call under `/sandbox`.
pub(super) async fn answer(shared: &Arc<Shared>, head: &Parts, body: Incoming) -> Reply {
    let appetite = Appetite {
        keep_max: BODY_MAX,
        discard: false,
        rate: None,
    };
    let Some(intake) = appetite.read(body).await else {
        return refuse(StatusCode::BAD_REQUEST, "the body broke off");
    };
    let fields: Value = serde_json::from_slice(&intake.bytes).unwrap_or_default();
    match (head.method.as_str(), head.uri.path()) {
        ("GET", "/sandbox" | "/sandbox/") => Reply::whole(StatusCode::OK, TEXT, index()),
        ("GET", "/sandbox/requests") => {
            let seen = locked(&shared.journal).seen();
            good(&Value::Array(seen.iter().map(entry).collect()))
        }
        ("GET", "/sandbox/state") => {
            let mut summary = locked(&shared.state).summary();
            let requests = locked(&shared.journal).total();
            if let Some(summary) = summary.as_object_mut() {
                summary.insert("requests".to_owned(), json!(requests));
            }
            good(&summary)
        }
        ("POST", "/sandbox/revoke") => {
            locked(&shared.state).revoke();
            good(&json!({ "revoked": true }))
        }
        ("POST", "/sandbox/reset") => {
            reset(shared);
            good(&json!({ "reset": true }))
        }
        ("POST", "/sandbox/faults") => set_fault(shared, &fields),
        ("DELETE", "/sandbox/faults") => {
            locked(&shared.faults).clear();
            good(&json!({ "cleared": true }))
        }
        ("POST", "/sandbox/callbacks") => start_callback(shared, &fields),
        ("POST", "/sandbox/webhooks") => follow(shared, &fields),
        ("GET", "/sandbox/callbacks") => good(&locked(&shared.callbacks).list()),
        _ => refuse(
            StatusCode::NOT_FOUND,
            "no such call; GET /sandbox lists them",
        ),
    }
}

/// The reply to a fault that cannot be read: what is wrong, and every word there is.
pub(super) fn bad_fault(failure: &FaultError) -> Reply {
    let known: Vec<&str> = WORDS.iter().map(|word| word.form).collect();
    let value = json!({ "code": 400, "error": failure.to_string(), "known": known });
    Reply::json(StatusCode::BAD_REQUEST, &value)
}

fn set_fault(shared: &Shared, fields: &Value) -> Reply {
    let Some(text) = fields.get("fault").and_then(Value::as_str) else {
        let text = r#"the body is {"fault": "status=503", "path": prefix?, "times": number?}"#;
        return refuse(StatusCode::BAD_REQUEST, text);
    };
    let mut fault: Fault = match text.parse() {
        Ok(fault) => fault,
        Err(failure) => return bad_fault(&failure),
    };
    match fields.get("path") {
        None | Some(Value::Null) => {}
        Some(Value::String(prefix)) => fault = fault.at(prefix),
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "`path` must be a string"),
    }
    match fields.get("times") {
        None | Some(Value::Null) => {}
        Some(times) => match times.as_u64().and_then(|times| u32::try_from(times).ok()) {
            Some(times) => fault = fault.times(times),
            None => return refuse(StatusCode::BAD_REQUEST, "`times` must be a whole number"),
        },
    }
    locked(&shared.faults).set(fault);
    good(&json!({ "set": text }))
}

fn start_callback(shared: &Arc<Shared>, fields: &Value) -> Reply {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let (kind, to) = (
        text("kind").unwrap_or_default(),
        text("to").unwrap_or_default(),
    );
    match callback::start(shared, kind, to, text("workflow_id").map(|id| (id, 0))) {
        Ok(id) => Reply::json(StatusCode::ACCEPTED, &json!({ "id": id })),
        Err(failure @ CallbackError::Busy) => {
            let mut reply = refuse(StatusCode::SERVICE_UNAVAILABLE, &failure.to_string());
            reply
                .headers
                .insert(RETRY_AFTER, HeaderValue::from_static("60"));
            reply
        }
        Err(failure) => refuse(StatusCode::BAD_REQUEST, &failure.to_string()),
    }
}

fn follow(shared: &Shared, fields: &Value) -> Reply {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    match callback::follow(shared, text("kind"), text("to")) {
        Ok(()) => good(&json!({ "kind": text("kind"), "to": text("to") })),
        Err(failure) => refuse(StatusCode::BAD_REQUEST, &failure.to_string()),
    }
}

/// Forgets everything but how the sandbox was started.
fn reset(shared: &Shared) {
    *locked(&shared.state) = State::new(&shared.options);
    locked(&shared.journal).clear();
    locked(&shared.faults).clear();
    locked(&shared.callbacks).clear();
}

fn entry(seen: &Seen) -> Value {
    let mut headers = Map::new();
    for (name, value) in &seen.headers {
        headers.insert(name.as_str().to_owned(), json!(masked(name, value)));
    }
    // A login carries the secret in its body.
    let login = seen.target.ends_with("/auth") || seen.target == "/login";
    let shown = seen.body.get(..BODY_SHOWN_MAX).unwrap_or(&seen.body);
    let body = if login {
        MASK.into()
    } else {
        String::from_utf8_lossy(shown)
    };
    json!({
        "request_id": seen.request_id,
        "method": seen.method.as_str(),
        "target": seen.target,
        "headers": headers,
        "body": body,
        "body_bytes": seen.body_bytes,
        "status": seen.status,
        "connection": seen.connection,
        "protocol": format!("{:?}", seen.protocol),
    })
}

fn masked(name: &HeaderName, value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    match name.as_str() {
        "authorization" => match text.split_once(' ') {
            Some((scheme, _)) => format!("{scheme} {MASK}"),
            None => MASK.to_owned(),
        },
        "token" | "cookie" | "x-api-key" => MASK.to_owned(),
        _ => text.into_owned(),
    }
}

fn index() -> String {
    let mut text = String::from(
        "A stand-in for the AI Rudder platform.\n\
         Log in with APPKey sandbox-key and APPSecret sandbox-secret, unless started otherwise.\n\
         \nOperations (how surely the path is known):\n",
    );
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        writeln!(text, "{line}").ok();
    };
    for route in route::all() {
        let (method, path) = (route.method, route.path);
        line(format_args!(
            "  {method:<6} {path:<52} {} ({})",
            route.about, route.known
        ));
    }
    line(format_args!("\nCalls of the sandbox itself:"));
    for (call, about) in CALLS {
        line(format_args!("  {call:<26} {about}"));
    }
    line(format_args!(
        "\nFaults, in the header X-Sandbox-Fault or by POST /sandbox/faults,"
    ));
    line(format_args!("split by semicolons:"));
    for word in WORDS {
        line(format_args!("  {:<38} {}", word.form, word.about));
    }
    text
}

fn good(value: &Value) -> Reply {
    // For people with curl: one value a line.
    Reply::whole(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

fn refuse(status: StatusCode, text: &str) -> Reply {
    Reply::json(status, &json!({ "code": status.as_u16(), "error": text }))
}

const CALLS: &[(&str, &str)] = &[
    ("GET /sandbox", "this text"),
    (
        "GET /sandbox/requests",
        "the last 1000 requests, secrets masked",
    ),
    ("GET /sandbox/state", "counts of what is remembered"),
    ("POST /sandbox/revoke", "void every token"),
    ("POST /sandbox/reset", "forget everything"),
    (
        "POST /sandbox/faults",
        r#"{"fault": "status=503", "path": prefix?, "times": number?}"#,
    ),
    ("DELETE /sandbox/faults", "take every fault back"),
    (
        "POST /sandbox/callbacks",
        r#"{"to": "http://127.0.0.1:PORT/...", "kind": KIND, "workflow_id": id?}"#,
    ),
    (
        "POST /sandbox/webhooks",
        r#"{"to": URL, "kind": KIND}: sent for each row that workflows get"#,
    ),
    ("GET /sandbox/callbacks", "the callbacks and their attempts"),
];
const TEXT: &str = "text/plain; charset=utf-8";
const MASK: &str = "***";
const BODY_MAX: usize = 64 * 1024;
const BODY_SHOWN_MAX: usize = 2 * 1024;
