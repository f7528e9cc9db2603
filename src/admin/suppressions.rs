//! The lists of those who are left alone: looked at, and changed.
//!
//! A list is told a page at a time, a key a line: `?after=KEY` goes on behind the key that the header
//! `X-Pintle-Next` named.

use std::sync::Arc;

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{document, kept};
use crate::codec::form;
use crate::error::Failure;
use crate::inbound::Inbound;
use crate::message::Body;
use crate::policy::{Policies, Suppression};

/// Answers what is asked below `/suppressions`.
pub(super) async fn answer(
    (inbound, policies): (&Inbound, &Policies),
    method: &Method,
    (path, query): (&str, &str),
    body: Body,
) -> Result<Response<Body>, Failure> {
    let Some(name) = path.strip_prefix('/') else {
        let names: Vec<Value> = policies.suppressions.values().map(told).collect();
        return Ok(document(StatusCode::OK, &Value::from(names)));
    };
    let list = policies.suppressions.get(name).ok_or(Failure::Operation)?;
    if *method == Method::GET {
        let after = form::pairs(query).find_map(|(name, value)| (name == "after").then_some(value));
        let found = inbound.suppressed(list, after.as_deref()).await;
        let found = found.map_err(Failure::Store)?;
        return Ok(kept::lines(&found, |keep| keep.key.as_bytes()));
    }
    let body = body.read(LINES_BYTES_MAX).await.map_err(Failure::Body)?;
    let text = String::from_utf8_lossy(&body);
    let lines = text.lines().map(str::trim);
    let keys: Vec<&str> = lines.filter(|key| !key.is_empty()).collect();
    if let Some(long) = keys.iter().position(|key| key.len() > KEY_BYTES_MAX) {
        let error = format!(
            "key {} is longer than {KEY_BYTES_MAX} bytes: nothing was changed",
            long + 1
        );
        return Ok(document(
            StatusCode::BAD_REQUEST,
            &json!({ "error": error }),
        ));
    }
    let changed = match *method {
        Method::POST => inbound.suppress(list, &keys).await,
        Method::DELETE => inbound.release(list, &keys).await,
        _ => {
            return Err(Failure::OtherMethod {
                allowed: vec![Method::GET, Method::POST, Method::DELETE],
            });
        }
    };
    changed.map_err(Failure::Store)?;
    Ok(document(StatusCode::OK, &json!({ "keys": keys.len() })))
}

fn told(list: &Arc<Suppression>) -> Value {
    json!({
        "name": list.name,
        "source": list.provenance.as_str(),
        "for_s": list.window.as_secs(),
    })
}

const LINES_BYTES_MAX: usize = 16 << 20;
const KEY_BYTES_MAX: usize = 512;
