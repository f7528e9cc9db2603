//! The schemas beside the readers: what is shipped is good by both, and a wrong key by neither.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Kind, document};
use crate::config;
use crate::route::Catalogue;
use crate::yaml::{Faults, Source, parse};

const KINDS: &[(Kind, &str)] = &[
    (Kind::Route, "route"),
    (Kind::Policy, "policy"),
    (Kind::Settings, "settings"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Why a value does not fit, as far as the schemas here go; no other keyword may stand in them.
fn misfit(schema: &Value, value: &Value, whole: &Value) -> Option<String> {
    let fits = |schema: &Value, value: &Value| misfit(schema, value, whole).is_none();
    for (keyword, given) in schema.as_object().unwrap() {
        let why = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "pattern" | "minimum" | "then"
            | "else" => None,
            "$ref" => {
                let name = given.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                misfit(&whole["$defs"][name], value, whole)
            }
            "type" => (!is_of(given, value)).then(|| format!("{value} is no {given}")),
            "const" => (given != value).then(|| format!("{value} is not {given}")),
            "enum" => (!given.as_array().unwrap().contains(value))
                .then(|| format!("{value} is none of {given}")),
            "required" => {
                let mut names = given.as_array().unwrap().iter().filter_map(Value::as_str);
                let missing = value
                    .as_object()
                    .and_then(|of| names.find(|name| !of.contains_key(*name)));
                missing.map(|name| format!("`{name}` is missing"))
            }
            "properties" => value.as_object().and_then(|of| {
                of.iter()
                    .find_map(|(key, value)| misfit(given.get(key)?, value, whole))
            }),
            "additionalProperties" => value.as_object().and_then(|of| {
                let known = schema.get("properties");
                let mut others = of
                    .iter()
                    .filter(|(key, _)| known.is_none_or(|known| known.get(key).is_none()));
                others.find_map(|(key, value)| match given {
                    Value::Bool(false) => Some(format!("`{key}` is not known")),
                    _ => misfit(given, value, whole),
                })
            }),
            "items" => value
                .as_array()
                .and_then(|of| of.iter().find_map(|item| misfit(given, item, whole))),
            "anyOf" => {
                let any = given.as_array().unwrap().iter().any(|one| fits(one, value));
                (!any).then(|| format!("{value} fits none of several"))
            }
            "allOf" => given
                .as_array()
                .unwrap()
                .iter()
                .find_map(|one| misfit(one, value, whole)),
            "not" => fits(given, value).then(|| format!("{value} fits what it may not")),
            "if" => {
                let branch = if fits(given, value) { "then" } else { "else" };
                schema
                    .get(branch)
                    .and_then(|branch| misfit(branch, value, whole))
            }
            "maxProperties" => {
                let many = value.as_object().is_some_and(|of| of.len() > 1);
                many.then(|| "there are several keys".to_owned())
            }
            "minItems" | "maxItems" => {
                let two = value.as_array().is_none_or(|of| of.len() == 2);
                (!two).then(|| format!("{value} are not two"))
            }
            other => panic!("the keyword {other} is not known here"),
        };
        if why.is_some() {
            return why;
        }
    }
    None
}

fn is_of(kinds: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => value.is_null(),
    };
    kinds
        .as_array()
        .map_or_else(|| is(kinds), |kinds| kinds.iter().any(is))
}

fn as_json(text: &str) -> Value {
    let faults = Faults::new();
    let node = parse(&Source::new("a file", text), &faults);
    node.expect("the file is YAML").to_json()
}

fn listed(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            listed(&entry.unwrap().path(), into);
        }
    } else {
        into.push(path.to_owned());
    }
}

#[test]
fn the_shipped_schemas_are_those_of_the_code() {
    for (kind, name) in KINDS {
        let path = root().join(format!("schemas/{name}.schema.json"));
        let shipped = std::fs::read_to_string(path).unwrap();
        assert!(
            shipped == format!("{:#}\n", document(*kind)),
            "write it with `pintle schema {name} > schemas/{name}.schema.json`"
        );
    }
}

#[test]
fn every_shipped_file_names_its_schema_and_fits_it() {
    for ((kind, name), place) in KINDS.iter().zip(["routes", "policies", "pintle.yaml"]) {
        let schema = document(*kind);
        let mut files = Vec::new();
        listed(&root().join(place), &mut files);
        assert!(!files.is_empty());
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let below = file.strip_prefix(root()).unwrap();
            let up = "../".repeat(below.components().count() - 1);
            let first = format!("# yaml-language-server: $schema={up}schemas/{name}.schema.json\n");
            assert!(
                text.starts_with(&first),
                "{}: begin with {first}",
                below.display()
            );
            assert_eq!(
                misfit(&schema, &as_json(&text), &schema),
                None,
                "{}",
                below.display()
            );
        }
    }
}

#[test]
fn a_wrong_key_is_told_by_the_schema_and_by_the_reader() {
    let schema = document(Kind::Route);
    let good = "route: own\nlisten: { path: /in/own }\nprove: none\nreplies: { accepted: { json: {} }, refused: { status: 400 } }\n";
    let is_good = |text: &str| {
        let faults = Faults::new();
        let sources = [Source::new("own.yaml", text)];
        Catalogue::read(&sources, &config::policies(None), &faults);
        let by_reader = !faults.any_error();
        let why = misfit(&schema, &as_json(text), &schema);
        assert_eq!(
            why.is_none(),
            by_reader,
            "{text}\n{why:?}\n{:?}",
            faults.into_sorted()
        );
        by_reader
    };
    assert!(is_good(good));
    for more in [
        "vars: { a: { from: $.body.a, then: [trim, { to_e164: US }], default: x } }",
        "vars: { a: { choose: [{ when: { equal: [$.body.a, b] }, give: 1 }, { give: 2 }] } }",
        "check: [{ unless: { all: [$.body.a, { not: $.body.b }] }, reason: no a }]",
        "consent: { text: $.body.text, from: $.body.b }",
    ] {
        assert!(is_good(&format!("{good}{more}\n")), "{more}");
    }
    for wrong in [
        "setings: { a: 1 }",
        "check: [{ unles: $.body.a, if: $.body.b }]",
        "check: [{ unless: { equals: [$.body.a, b] } }]",
        "check: [{ unless: { equal: [$.body.a] } }]",
        "vars: { a: { from: $.body.a, than: [trim] } }",
        "vars: { a: { from: $.body.a, then: [trimm] } }",
        "vars: { a: { choose: [{ whenn: $.body.a, give: 1 }] } }",
        "once: { key: [$.body.a], window: 1h }",
        "once: { key: [$.body.a], for: 1h, differing: no }",
        "hours: { policy: us, place: TX, close: tell }",
        "keep: [{ space: a, key: b, for: 1h }]",
        "load: { a: { spaces: b } }",
        "answer: later",
        "steps: [{ name: a, send: { uri: 'https://a.example' } }]",
        "steps: [{ name: a, send: { url: 'https://a.example', jsn: {} } }]",
        "items: { every: $.body.a }",
    ] {
        assert!(!is_good(&format!("{good}{wrong}\n")), "{wrong}");
    }
}
