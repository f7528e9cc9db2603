//! A document as XML: keys are names, literally, so that prefixes and `@xmlns:…` can be written.

use serde_json::{Map, Value};

use crate::codec::xml::{is_char, is_name, is_space};
use crate::codec::{DEPTH_MAX, Unencodable, scalar};

/// Writes an object whose only member is the root element.
pub(in crate::codec) fn encode(document: &Value) -> Result<String, Unencodable> {
    let mut members = document.as_object().ok_or(Unencodable::NotObject)?.iter();
    let (Some((name, value)), None) = (members.next(), members.next()) else {
        return Err(Unencodable::NotOneRoot);
    };
    if value.is_array() {
        return Err(Unencodable::NotOneRoot);
    }
    let mut out = DECLARATION.to_owned();
    element(&mut out, name, value, 1)?;
    Ok(out)
}

fn element(out: &mut String, name: &str, value: &Value, depth: usize) -> Result<(), Unencodable> {
    if depth > DEPTH_MAX {
        return Err(Unencodable::TooDeep);
    }
    check_name(name)?;
    out.push('<');
    out.push_str(name);
    let mut content = String::new();
    if let Value::Object(members) = value {
        attributes(out, members)?;
        children(&mut content, members, depth)?;
    } else if let Some(text) = scalar(name, value)? {
        escape(&mut content, name, &text)?;
    }
    if content.is_empty() {
        out.push_str("/>");
    } else {
        for piece in [">", &content, "</", name, ">"] {
            out.push_str(piece);
        }
    }
    Ok(())
}

fn attributes(out: &mut String, members: &Map<String, Value>) -> Result<(), Unencodable> {
    for (key, value) in members {
        let Some(name) = key.strip_prefix('@') else {
            continue;
        };
        check_name(name)?;
        if let Some(text) = scalar(key, value)? {
            for piece in [" ", name, "=\""] {
                out.push_str(piece);
            }
            escape(out, key, &text)?;
            out.push('"');
        }
    }
    Ok(())
}

fn children(
    out: &mut String,
    members: &Map<String, Value>,
    depth: usize,
) -> Result<(), Unencodable> {
    for (key, value) in members {
        match value {
            _ if key.starts_with('@') => {}
            _ if key == "#text" => {
                if let Some(text) = scalar(key, value)? {
                    escape(out, key, &text)?;
                }
            }
            Value::Array(values) => {
                for value in values {
                    element(out, key, value, depth + 1)?;
                }
            }
            value => element(out, key, value, depth + 1)?,
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Unencodable> {
    if is_name(name) {
        Ok(())
    } else {
        Err(Unencodable::Name {
            key: name.to_owned(),
        })
    }
}

/// Writes text so that no reader trims or normalizes it.
fn escape(out: &mut String, key: &str, text: &str) -> Result<(), Unencodable> {
    if !text.chars().all(is_char) {
        return Err(Unencodable::Character {
            key: key.to_owned(),
        });
    }
    let last = text.len().saturating_sub(1);
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if is_space(c) && (at == 0 || at == last) => out.push_str("&#32;"),
            c => out.push(c),
        }
    }
    Ok(())
}

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
