//! What is kept of replies, seen and dropped from outside.
//!
//! `GET /cache` counts, `GET /cache/entries` lists by account and operation, and
//! `POST /cache/purge?operation=NAME&account=NAME` drops; one of the two names is enough. No path,
//! key or body is shown: they may hold what a person said.

use std::collections::BTreeMap;

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::document;
use crate::codec::form;
use crate::error::Failure;
use crate::message::Body;
use crate::outbound::{Caches, Outbound};

/// Answers what is asked below `/cache`.
pub(super) async fn answer(
    outbound: &Outbound,
    method: &Method,
    (path, query): (&str, &str),
) -> Result<Response<Body>, Failure> {
    let caches = outbound.caches.as_deref().ok_or(Failure::Operation)?;
    let get = method == Method::GET || method == Method::HEAD;
    match path {
        "" if get => Ok(good(&stats(caches))),
        "/entries" if get => Ok(good(&entries(caches, outbound.clock.now_ms()))),
        "/purge" if method == Method::POST => Ok(purge(outbound, caches, query).await),
        "/purge" => Err(Failure::OtherMethod {
            allowed: vec![Method::POST],
        }),
        "" | "/entries" => Err(Failure::OtherMethod {
            allowed: vec![Method::GET, Method::HEAD],
        }),
        _ => Err(Failure::Operation),
    }
}

fn stats(caches: &Caches) -> Value {
    let stats = caches.cache.stats();
    json!({
        "bytes": stats.bytes,
        "bytes_max": stats.bytes_max,
        "hits": stats.hits,
        "misses": stats.misses,
        "collapsed": stats.collapsed,
        "stored": stats.stored,
    })
}

/// What is kept, by account and operation.
fn entries(caches: &Caches, now_ms: i64) -> Value {
    let mut all: BTreeMap<(String, String), (u64, u64, usize)> = BTreeMap::new();
    caches.cache.each(&mut |entry| {
        let owner = &entry.owner;
        let name = (owner.account.to_string(), owner.operation.to_string());
        let (count, fresh, bytes) = all.entry(name).or_default();
        *count += 1;
        *fresh += u64::from(now_ms < entry.life.fresh_until_ms);
        *bytes += entry.weight();
    });
    let rows = all
        .into_iter()
        .map(|((account, operation), (entries, fresh, bytes))| {
            json!({
                "account": account,
                "operation": operation,
                "entries": entries,
                "fresh": fresh,
                "bytes": bytes,
            })
        });
    json!({ "kept": rows.collect::<Vec<_>>() })
}

/// Drops what is named. A name that nothing has is told: it is likely a slip.
async fn purge(outbound: &Outbound, caches: &Caches, query: &str) -> Response<Body> {
    let (mut operation, mut account) = (None, None);
    for (name, value) in form::pairs(query) {
        match name.as_str() {
            "operation" => operation = Some(value),
            "account" => account = Some(value),
            _ => return refuse(&format!("`{name}` is not known here")),
        }
    }
    if let Some(name) = operation
        .iter()
        .find(|name| outbound.catalogue.entry(name).is_none())
    {
        return refuse(&format!("there is no operation `{name}`"));
    }
    if let Some(name) = account
        .iter()
        .find(|name| !outbound.accounts.contains_key(*name))
    {
        return refuse(&format!("there is no account `{name}`"));
    }
    if operation.is_none() && account.is_none() {
        return refuse("name an `operation`, an `account`, or both");
    }
    let purged = caches.purge(operation.as_deref(), account.as_deref()).await;
    tracing::info!(purged, operation, account, "kept replies dropped by hand");
    good(&json!({ "purged": purged }))
}

fn good(told: &Value) -> Response<Body> {
    document(StatusCode::OK, told)
}

fn refuse(why: &str) -> Response<Body> {
    document(StatusCode::BAD_REQUEST, &json!({ "error": why }))
}
