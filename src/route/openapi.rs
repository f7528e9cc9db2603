//! The catalogue as an OpenAPI 3.1 document of the local endpoint.
//!
//! An operation whose path is known stands at that path. One without a path, and one that is the
//! same as another on the wire, stands at `/operations/NAME`, which every operation has.

use serde_json::{Map, Value, json};

use crate::route::{Catalogue, Effect, Entry, Kind};

/// Writes the document. `server` is the address of the local endpoint; `failure_codes` are those
/// of the failures that Pintle itself answers with.
pub fn document(catalogue: &Catalogue, server: &str, failure_codes: &[&str]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut webhooks: Map<String, Value> = Map::new();
    for entry in catalogue.entries() {
        match entry.kind {
            Kind::Callback => {
                webhooks.insert(entry.name.clone(), json!({ "post": callback(entry) }));
            }
            Kind::Operation if entry.reserved => {}
            Kind::Operation => {
                let at = place(entry);
                let item = paths.entry(at).or_insert_with(|| json!({}));
                if let Value::Object(item) = item {
                    item.insert(method(entry).to_ascii_lowercase(), operation(entry));
                }
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pintle, local endpoint",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The AI Rudder platform as internal applications see it through Pintle: \
                plain requests, no credentials. Any other path of the platform passes through too, \
                unless a policy forbids it.",
        },
        "servers": [{ "url": server }],
        "tags": tags(catalogue),
        "paths": paths,
        "webhooks": webhooks,
        "components": components(failure_codes),
        // Without credentials on purpose: the endpoint is for this machine.
        "security": [],
    })
}

fn tags(catalogue: &Catalogue) -> Vec<Value> {
    catalogue
        .families()
        .keys()
        .map(|family| json!({ "name": family }))
        .collect()
}

fn place(entry: &Entry) -> String {
    match &entry.path {
        Some(path) if entry.same_as.is_none() => path.clone(),
        _ => format!("/operations/{}", entry.name),
    }
}

fn method(entry: &Entry) -> &str {
    match (&entry.method, entry.effect) {
        (Some(method), _) => method.as_str(),
        (None, Effect::Read) => "GET",
        (None, _) => "POST",
    }
}

fn operation(entry: &Entry) -> Value {
    let mut operation = describe(entry);
    operation.insert("parameters".to_owned(), parameters());
    if method(entry) != "GET" {
        operation.insert("requestBody".to_owned(), body());
    }
    let mut responses = Map::new();
    if entry.path.is_some() {
        let platform = json!({
            "description": "The platform's reply, as it came; `X-Pintle-Verdict` says what it means.",
            "headers": {
                "X-Request-Id": { "schema": { "type": "string" } },
                "Server-Timing": { "schema": { "type": "string" } },
                "X-Pintle-Verdict": {
                    "schema": { "type": "string", "enum": ["accepted", "refused", "unclear", "unread"] }
                },
            },
            "content": { "application/json": { "schema": {} } },
        });
        responses.insert("200".to_owned(), platform);
    } else {
        responses.insert(
            "501".to_owned(),
            json!({ "$ref": "#/components/responses/Failure" }),
        );
    }
    responses.insert(
        "default".to_owned(),
        json!({ "$ref": "#/components/responses/Failure" }),
    );
    operation.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(operation)
}

fn callback(entry: &Entry) -> Value {
    let mut operation = describe(entry);
    operation.insert("requestBody".to_owned(), body());
    operation.insert(
        "responses".to_owned(),
        json!({ "200": { "description": "The event was taken." } }),
    );
    Value::Object(operation)
}

fn describe(entry: &Entry) -> Map<String, Value> {
    let mut about: Vec<String> = entry.titles.iter().skip(1).cloned().collect();
    about.extend(entry.note.clone());
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(entry.name));
    operation.insert("summary".to_owned(), json!(entry.titles.first()));
    operation.insert("description".to_owned(), json!(about.join("\n\n")));
    operation.insert("tags".to_owned(), json!([entry.family.name]));
    operation.insert("x-pintle-effect".to_owned(), json!(entry.effect.as_str()));
    operation.insert(
        "x-pintle-source".to_owned(),
        json!(entry.provenance.as_str()),
    );
    if let Some(other) = &entry.same_as {
        operation.insert("x-pintle-same-as".to_owned(), json!(other));
    }
    operation
}

fn parameters() -> Value {
    json!([
        { "$ref": "#/components/parameters/Account" },
        { "$ref": "#/components/parameters/RequestId" },
    ])
}

fn body() -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": { "type": "object" } } } })
}

fn components(failure_codes: &[&str]) -> Value {
    json!({
        "parameters": {
            "Account": {
                "name": "X-Pintle-Account",
                "in": "header",
                "description": "The account to call; without it the default one.",
                "schema": { "type": "string" },
            },
            "RequestId": {
                "name": "X-Request-Id",
                "in": "header",
                "description": "An id of the caller's own: 1 to 64 of A-Z a-z 0-9 . _ -",
                "schema": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" },
            },
        },
        "responses": {
            "Failure": {
                "description": "A failure that Pintle answers with (RFC 9457).",
                "content": {
                    "application/problem+json": {
                        "schema": { "$ref": "#/components/schemas/Problem" }
                    }
                },
            },
        },
        "schemas": {
            "Problem": {
                "type": "object",
                "required": ["type", "title", "status", "code", "blame", "outcome", "request_id"],
                "properties": {
                    "type": { "type": "string", "format": "uri" },
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "detail": { "type": "string" },
                    "code": { "type": "string", "enum": failure_codes },
                    "blame": { "type": "string", "enum": ["pintle", "downstream", "upstream"] },
                    "outcome": {
                        "type": "string",
                        "enum": ["not_sent", "unknown"],
                        "description": "Whether the platform may have acted on the call.",
                    },
                    "request_id": { "type": "string" },
                },
            },
        },
    })
}
