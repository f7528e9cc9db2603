//! `pintle schema`: what an editor needs to help with the files, as JSON Schema 2020-12.
//!
//! Names that a closed list of the code has come from that list. The readers judge more than a
//! schema can say: what is good here may still be faulty, and `pintle check` has the last word.

mod table;
mod words;

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::print;
use crate::codec::CODECS;
use crate::crypto::{SCHEMES, VERIFIERS};
use crate::mapping::condition::CONDITIONS;
use crate::mapping::document::MEMBERS;
use crate::mapping::expr::OPERATORS;
use crate::mapping::function::functions;
use crate::route::flow::REPLIES;
use table::{BODIES, ROUTE, Shape};
use words::{POLICY, SETTINGS};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// A file of `routes/`
    Route,
    /// A file of `policies/`
    Policy,
    /// The settings, `pintle.yaml`
    Settings,
}

/// Which schema is printed.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArguments {
    /// The kind of file
    #[arg(value_enum)]
    kind: Kind,
}

pub(super) fn run(arguments: &SchemaArguments) -> ExitCode {
    print::line(&format!("{:#}", document(arguments.kind)));
    ExitCode::SUCCESS
}

/// The schema of a kind of file.
fn document(kind: Kind) -> Value {
    let (title, shapes, root) = match kind {
        Kind::Route => (
            "A file of routes",
            ROUTE,
            json!({
                "if": { "required": ["route"] },
                "then": { "$ref": "#/$defs/route" },
                "else": {
                    "if": { "required": ["table"] },
                    "then": { "$ref": "#/$defs/table" },
                    "else": { "$ref": "#/$defs/catalogue" },
                },
            }),
        ),
        Kind::Policy => (
            "A file of policies",
            POLICY,
            json!({ "$ref": "#/$defs/policies" }),
        ),
        Kind::Settings => (
            "The settings of Pintle",
            SETTINGS,
            json!({ "$ref": "#/$defs/settings" }),
        ),
    };
    let mut defs: Map<String, Value> = shapes
        .iter()
        .map(|shape| (shape.name.to_owned(), object(shape)))
        .collect();
    if kind == Kind::Route {
        defs.extend([
            ("value".to_owned(), value()),
            ("condition".to_owned(), condition()),
            ("functions".to_owned(), pipeline()),
            ("replies".to_owned(), replies()),
        ]);
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "$defs": defs,
    });
    if let (Value::Object(schema), Value::Object(root)) = (&mut schema, root) {
        schema.extend(root);
    }
    schema
}

/// A mapping whose keys are known.
fn object(shape: &Shape) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, kind, about) in shape.keys {
        let kind = match kind.strip_suffix('!') {
            Some(kind) => {
                required.push(*key);
                kind
            }
            None => kind,
        };
        match *key {
            BODIES => properties.extend(
                CODECS
                    .iter()
                    .map(|codec| (codec.name.to_owned(), described(of_kind(kind), codec.about))),
            ),
            "(verifiers)" => properties.extend(VERIFIERS.iter().map(|verifier| {
                let about = format!("Proves: {}. But {}.", verifier.what, verifier.limits);
                (verifier.name.to_owned(), described(json!({}), &about))
            })),
            _ => {
                properties.insert((*key).to_owned(), described(of_kind(kind), about));
            }
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The schema for a word of the table: `text`, `[text]` for a list, `{text}` for a mapping whose
/// names are free, `=one|two` for words, `one/two` for either, else the name of a definition.
fn of_kind(kind: &str) -> Value {
    if let Some(words) = kind.strip_prefix('=') {
        return json!({ "enum": words.split('|').collect::<Vec<_>>() });
    }
    if let Some(inner) = kind
        .strip_prefix('[')
        .and_then(|kind| kind.strip_suffix(']'))
    {
        return json!({ "type": "array", "items": of_kind(inner) });
    }
    if let Some(inner) = kind
        .strip_prefix('{')
        .and_then(|kind| kind.strip_suffix('}'))
    {
        return json!({ "type": "object", "additionalProperties": of_kind(inner) });
    }
    if let Some((one, two)) = kind.split_once('/') {
        return json!({ "anyOf": [of_kind(one), of_kind(two)] });
    }
    match kind {
        "any" => json!({}),
        "text" => json!({ "type": ["string", "number", "boolean"] }),
        "bool" => json!({ "type": "boolean" }),
        "number" => json!({ "type": "integer", "minimum": 0 }),
        "null" => json!({ "type": "null" }),
        "duration" => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        "format" => json!({ "enum": CODECS.iter().map(|codec| codec.name).collect::<Vec<_>>() }),
        "scheme" => json!({ "enum": SCHEMES.iter().map(|scheme| scheme.name).collect::<Vec<_>>() }),
        name => json!({ "$ref": format!("#/$defs/{name}") }),
    }
}

fn described(mut schema: Value, about: &str) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), about.into());
    }
    schema
}

/// A value: a selector, an operator, or what it says.
fn value() -> Value {
    let list = json!({ "type": "array", "items": of_kind("value") });
    let fields = of_kind("{value}");
    let under = |name: &str| match name {
        "first" => list.clone(),
        "all" | "text" => of_kind("text"),
        "choose" => of_kind("[arm]"),
        "object" => fields.clone(),
        _ => json!({}),
    };
    // Which operator a mapping is, its first key says; a schema knows no order, and so looks only
    // at mappings with one.
    let pipe = json!({
        "if": { "type": "object", "required": ["from"], "not": alone("object") },
        "then": { "$ref": "#/$defs/pipe" },
    });
    let others = OPERATORS.iter().filter(|(name, _)| *name != "from").map(|(name, about)| {
        json!({ "if": alone(name), "then": { "properties": { *name: described(under(name), about) } } })
    });
    let members: Vec<String> = MEMBERS
        .iter()
        .map(|(name, about)| format!("`$.{name}`: {about}"))
        .collect();
    json!({
        "description": format!("A value, a selector or an operator. {}.", members.join("; ")),
        "allOf": std::iter::once(pipe).chain(others).collect::<Vec<_>>(),
    })
}

/// A mapping with this one key.
fn alone(key: &str) -> Value {
    json!({ "type": "object", "required": [key], "maxProperties": 1 })
}

fn condition() -> Value {
    let under = |name: &str| match name {
        // With a selector, `all` is a value.
        "all" => json!({ "if": { "type": "array" }, "then": of_kind("[condition]") }),
        "any" => of_kind("[condition]"),
        "not" => of_kind("condition"),
        "is_list" => of_kind("value"),
        _ => json!({ "type": "array", "items": of_kind("value"), "minItems": 2, "maxItems": 2 }),
    };
    let mut properties: Map<String, Value> = CONDITIONS
        .iter()
        .map(|(name, about)| ((*name).to_owned(), described(under(name), about)))
        .collect();
    for (name, about) in OPERATORS {
        if !matches!(*name, "literal" | "object") {
            properties
                .entry(*name)
                .or_insert_with(|| described(json!({}), about));
        }
    }
    json!({
        "description": "What must hold: a condition, or a value that is there, not empty and not `false`.",
        "if": { "type": "object", "maxProperties": 1 },
        "then": { "properties": properties, "additionalProperties": false },
        "else": of_kind("value"),
    })
}

/// The functions of `then`: a name, or a name with its argument.
fn pipeline() -> Value {
    let bare: Vec<Value> = functions()
        .map(|function| json!({ "const": function.name, "description": function.about }))
        .collect();
    let with: Map<String, Value> = functions()
        .map(|function| {
            let about = format!("{} Argument: {}.", function.about, function.argument);
            (function.name.to_owned(), json!({ "description": about }))
        })
        .collect();
    let one = json!({ "anyOf": [
        { "type": "string", "anyOf": bare },
        { "type": "object", "properties": with, "additionalProperties": false, "maxProperties": 1 },
    ] });
    json!({ "type": "array", "items": one })
}

fn replies() -> Value {
    let one = of_kind("reply/[reply]");
    let properties: Map<String, Value> = REPLIES
        .iter()
        .map(|(name, about)| ((*name).to_owned(), described(one.clone(), about)))
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": one })
}

#[cfg(test)]
mod tests;
