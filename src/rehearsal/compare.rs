//! What was seen beside what was expected, field by field.

use std::collections::BTreeSet;

use serde_json::Value;

use super::script::{Expected, ExpectedCall, Shape};
use super::{Made, Played};
use crate::codec::{self, Limits};

/// One place where something else was seen than was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: `calls[0].json.details[0].callee`.
    pub at: String,
    /// What was expected; `None` where nothing was.
    pub expected: Option<String>,
    /// What was seen; `None` where nothing was.
    pub seen: Option<String>,
}

/// Every difference of a turn.
pub fn differences(expected: &Expected, played: &Played) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(calls) = &expected.calls {
        compare_calls(calls, (&played.calls, expected.any_order), &mut found);
    }
    compare_reply(expected, played, &mut found);
    if let Some(consents) = &expected.consents {
        let (wanted, seen) = (
            Value::from(consents.clone()),
            Value::from(played.consents.clone()),
        );
        compare("consents", &wanted, &seen, &mut found);
    }
    if let Some(result) = &expected.result {
        let seen = played.results.first().cloned().unwrap_or_default();
        compare("result", result, &seen, &mut found);
    }
    for text in &expected.never {
        for (place, seen) in everything(played) {
            if seen.contains(text.as_str()) {
                found.push(Difference {
                    at: place,
                    expected: Some(format!("no `{text}`")),
                    seen: Some("it is there".to_owned()),
                });
            }
        }
    }
    found
}

/// Every difference of two documents.
pub fn difference_of(one: &Value, two: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", one, two, &mut found);
    found
}

fn compare_calls(
    expected: &[ExpectedCall],
    (made, any_order): (&[Made], bool),
    found: &mut Vec<Difference>,
) {
    let mut left: Vec<&Made> = made.iter().collect();
    for (at, wanted) in expected.iter().enumerate() {
        let place = format!("calls[{at}]");
        let position = if any_order {
            left.iter().position(|made| made.of == wanted.of)
        } else {
            (!left.is_empty()).then_some(0)
        };
        let Some(position) = position else {
            found.push(Difference {
                at: place,
                expected: Some(wanted.of.clone()),
                seen: None,
            });
            continue;
        };
        compare_call(&place, wanted, left.remove(position), found);
    }
    for made in left {
        found.push(Difference {
            at: "calls".to_owned(),
            expected: None,
            seen: Some(format!(
                "{} {}",
                made.of,
                String::from_utf8_lossy(&made.body)
            )),
        });
    }
}

fn compare_call(place: &str, wanted: &ExpectedCall, made: &Made, found: &mut Vec<Difference>) {
    let mut text = |what: &str, wanted: &str, seen: &str| {
        if wanted != seen {
            found.push(Difference {
                at: format!("{place}.{what}"),
                expected: Some(wanted.to_owned()),
                seen: Some(seen.to_owned()),
            });
        }
    };
    text("of", &wanted.of, &made.of);
    if let Some(url) = &wanted.url {
        text("url", url, &made.url);
    }
    if let Some(method) = &wanted.method {
        text("method", method.as_str(), made.method.as_str());
    }
    for (name, value) in &wanted.headers {
        let seen = made.headers.get(name).and_then(|seen| seen.to_str().ok());
        text(&format!("headers.{name}"), value, seen.unwrap_or_default());
    }
    if let Some(body) = &wanted.body {
        compare_body(place, body, &made.body, found);
    }
}

fn compare_reply(expected: &Expected, played: &Played, found: &mut Vec<Difference>) {
    let Some(reply) = &played.reply else {
        return;
    };
    if let Some(status) = expected.status
        && status != reply.status
    {
        found.push(Difference {
            at: "reply.status".to_owned(),
            expected: Some(status.as_u16().to_string()),
            seen: Some(reply.status.as_u16().to_string()),
        });
    }
    if let Some(body) = &expected.reply {
        compare_body("reply", body, &reply.body, found);
    }
}

fn compare_body(place: &str, wanted: &Shape, seen: &[u8], found: &mut Vec<Difference>) {
    let name = codec::CODECS
        .iter()
        .find(|codec| codec.format == wanted.format)
        .map_or("body", |codec| codec.name);
    let place = format!("{place}.{name}");
    match codec::decode(wanted.format, None, None, seen, &Limits::default()) {
        Ok(seen) => compare(&place, &wanted.document, &seen, found),
        Err(_) => found.push(Difference {
            at: place,
            expected: Some(wanted.document.to_string()),
            seen: Some(String::from_utf8_lossy(seen).into_owned()),
        }),
    }
}

/// Compares two documents, field by field.
fn compare(place: &str, wanted: &Value, seen: &Value, found: &mut Vec<Difference>) {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => {
            let names: BTreeSet<&String> = wanted.keys().chain(seen.keys()).collect();
            for name in names {
                let place = format!("{place}.{name}");
                match (wanted.get(name), seen.get(name)) {
                    (Some(wanted), Some(seen)) => compare(&place, wanted, seen, found),
                    (wanted, seen) => found.push(differ(place, wanted, seen)),
                }
            }
        }
        (Value::Array(wanted), Value::Array(seen)) => {
            for at in 0..wanted.len().max(seen.len()) {
                let place = format!("{place}[{at}]");
                match (wanted.get(at), seen.get(at)) {
                    (Some(wanted), Some(seen)) => compare(&place, wanted, seen, found),
                    (wanted, seen) => found.push(differ(place, wanted, seen)),
                }
            }
        }
        (wanted, seen) if wanted == seen => {}
        (wanted, seen) => found.push(differ(place.to_owned(), Some(wanted), Some(seen))),
    }
}

fn differ(at: String, wanted: Option<&Value>, seen: Option<&Value>) -> Difference {
    Difference {
        at,
        expected: wanted.map(Value::to_string),
        seen: seen.map(Value::to_string),
    }
}

/// Everything that left the gateway or was stored, with its place.
fn everything(played: &Played) -> Vec<(String, String)> {
    let mut all = vec![("stored".to_owned(), played.stored.clone())];
    for (at, made) in played.calls.iter().enumerate() {
        let body = String::from_utf8_lossy(&made.body);
        all.push((format!("calls[{at}]"), format!("{} {body}", made.url)));
    }
    if let Some(reply) = &played.reply {
        all.push((
            "reply".to_owned(),
            String::from_utf8_lossy(&reply.body).into_owned(),
        ));
    }
    let consents = played.consents.iter().map(Value::to_string).collect();
    all.push(("consents".to_owned(), consents));
    all
}
