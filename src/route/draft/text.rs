//! Values as YAML.

use std::fmt::Write as _;

use serde_json::Value;

/// A text as it can stand anywhere in a file: as it is where that is plain, else in quotes.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$' || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_$./".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in quotes, with every sign escaped that YAML would not print.
pub(super) fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    for c in text.chars() {
        let is_odd = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            _ if is_odd => {
                let _never = write!(written, "\\u{:04x}", u32::from(c));
            }
            _ => written.push(c),
        }
    }
    written.push('"');
    written
}

/// A value behind its key: on the same line where it is a single one, else in lines below it.
pub(super) fn value(value: &Value, indent: usize) -> String {
    match value {
        Value::Null => " null\n".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!(" {value}\n"),
        Value::String(text) => format!(" {}\n", quoted(text)),
        Value::Array(items) if items.is_empty() => " []\n".to_owned(),
        Value::Object(members) if members.is_empty() => " {}\n".to_owned(),
        Value::Array(items) => {
            let mut written = String::from("\n");
            for item in items {
                let below = self::value(item, indent + 2);
                // A mapping begins behind the dash.
                let below = match below.strip_prefix('\n') {
                    Some(lines) => format!(" {}", lines.trim_start_matches(' ')),
                    None => below,
                };
                let _never = write!(written, "{:indent$}-{below}", "");
            }
            written
        }
        Value::Object(members) => {
            let mut written = String::from("\n");
            for (name, member) in members {
                let below = self::value(member, indent + 2);
                let _never = write!(written, "{:indent$}{}:{below}", "", scalar(name));
            }
            written
        }
    }
}

/// Words that YAML, or some who read it, take for something else than a text.
const WORDS: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
