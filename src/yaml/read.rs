//! How a node becomes a value of a type. Each type says what it would have liked to see.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::yaml::{Fault, Faults, Node, Value};

/// A type that can be read from a node.
pub trait Read: Sized {
    /// What a person would write, for help texts.
    const EXAMPLE: &'static str;

    /// Reads it; on a fault, pushes it and returns `None`.
    fn read(node: &Node, faults: &Faults) -> Option<Self>;
}

/// A number of bytes, written as `65536`, `64KiB`, `1MiB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A name: lower-case letters, digits, `-`, `_` and `.`, at most 64 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub String);

/// A mapping whose keys are not known beforehand, in the order of the file.
#[derive(Debug, Clone)]
pub struct Entries<K, V>(pub Vec<(K, V)>);

/// Reads a scalar by a function that says no with `None`.
fn scalar<T: Read>(
    node: &Node,
    faults: &Faults,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let help = match T::EXAMPLE {
        "text" => "write one value, not a list or a mapping".to_owned(),
        example => format!("write for example `{example}`"),
    };
    let Some(text) = node.text() else {
        faults.push(
            Fault::at(node, format!("expected {expected}, found {}", node.kind())).help(help),
        );
        return None;
    };
    let value = parse(text);
    if value.is_none() {
        faults.push(
            Fault::at(node, format!("`{}` is not {expected}", shorten(text)))
                .label(format!("expected {expected}"))
                .help(instead(text, T::EXAMPLE).map_or(help, |text| format!("write `{text}`"))),
        );
    }
    value
}

/// What was likely meant by a text that is no value of its type.
fn instead(text: &str, example: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if example == bool::EXAMPLE {
        return match lower.as_str() {
            "yes" | "on" | "1" | "true" => Some("true".to_owned()),
            "no" | "off" | "0" | "false" => Some("false".to_owned()),
            _ => None,
        };
    }
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match example {
        // A number without its unit.
        "30s" if bare && text != "0" => Some(format!("{text}s` or `{text}ms")),
        "a-name" => Some(lower.trim().replace(' ', "-")).filter(|name| is_name(name)),
        "POST" => ["GET", "POST", "PUT", "PATCH", "DELETE"]
            .contains(&lower.to_ascii_uppercase().as_str())
            .then(|| lower.to_ascii_uppercase()),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
        })
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    text.chars().take(37).chain("...".chars()).collect()
}

impl Read for String {
    const EXAMPLE: &'static str = "text";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "text", |text| Some(text.to_owned()))
    }
}

impl Read for bool {
    const EXAMPLE: &'static str = "true";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "`true` or `false`", |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }
}

impl Read for u64 {
    const EXAMPLE: &'static str = "100";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "a whole number from 0", |text| {
            text.parse().ok()
        })
    }
}

impl Read for usize {
    const EXAMPLE: &'static str = "100";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "a whole number from 1 to 1000000", |text| {
            text.parse()
                .ok()
                .filter(|number| (1..=1_000_000).contains(number))
        })
    }
}

impl Read for i64 {
    const EXAMPLE: &'static str = "200";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "a whole number", |text| text.parse().ok())
    }
}

impl Read for Duration {
    const EXAMPLE: &'static str = "30s";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(
            node,
            faults,
            "a duration such as 500ms, 30s, 5m or 24h",
            |text| {
                let digits =
                    text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                let (number, unit) = text.split_at(digits);
                let number: u64 = number.parse().ok()?;
                let ms = match unit {
                    "ms" => 1,
                    "s" => 1_000,
                    "m" => 60_000,
                    "h" => 3_600_000,
                    "d" => 86_400_000,
                    _ => return None,
                };
                number
                    .checked_mul(ms)
                    .filter(|ms| (1..=DURATION_MS_MAX).contains(ms))
                    .map(Duration::from_millis)
            },
        )
    }
}

impl Read for Bytes {
    const EXAMPLE: &'static str = "64KiB";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(
            node,
            faults,
            "a size such as 65536, 64KiB, 1MiB or 2GiB",
            |text| {
                let digits =
                    text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                let (number, unit) = text.split_at(digits);
                let number: u64 = number.parse().ok()?;
                let scale = match unit {
                    "" => 1,
                    "KiB" => 1 << 10,
                    "MiB" => 1 << 20,
                    "GiB" => 1_u64 << 30,
                    _ => return None,
                };
                number.checked_mul(scale).map(Bytes)
            },
        )
    }
}

impl Read for Name {
    const EXAMPLE: &'static str = "a-name";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(
            node,
            faults,
            "a name of lower-case letters, digits, `-`, `_` or `.`",
            |text| is_name(text).then(|| Name(text.to_owned())),
        )
    }
}

impl Read for PathBuf {
    const EXAMPLE: &'static str = "/etc/pintle/file";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "a path", |text| {
            (!text.is_empty()).then(|| Self::from(text))
        })
    }
}

impl Read for SocketAddr {
    const EXAMPLE: &'static str = "127.0.0.1:7070";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(
            node,
            faults,
            "an address such as 127.0.0.1:7070 or [::1]:7070",
            |text| text.parse().ok(),
        )
    }
}

impl Read for http::Method {
    const EXAMPLE: &'static str = "POST";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(
            node,
            faults,
            "GET, POST, PUT, PATCH or DELETE",
            |text| match text {
                "GET" => Some(Self::GET),
                "POST" => Some(Self::POST),
                "PUT" => Some(Self::PUT),
                "PATCH" => Some(Self::PATCH),
                "DELETE" => Some(Self::DELETE),
                _ => None,
            },
        )
    }
}

impl Read for http::HeaderName {
    const EXAMPLE: &'static str = "content-type";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(node, faults, "the name of a header", |text| {
            text.parse().ok()
        })
    }
}

impl Read for http::HeaderValue {
    const EXAMPLE: &'static str = "application/json";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        scalar(
            node,
            faults,
            "the value of a header, without line breaks",
            |text| text.parse().ok(),
        )
    }
}

/// A list.
impl<T: Read> Read for Vec<T> {
    const EXAMPLE: &'static str = "[…]";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let Value::List(items) = &node.value else {
            let example = node.text().map_or(T::EXAMPLE.to_owned(), shorten);
            faults.push(
                Fault::at(node, format!("expected a list, found {}", node.kind()))
                    .help(format!("write `[{example}]`, or one `- {example}` a line")),
            );
            return None;
        };
        let read: Vec<Option<T>> = items.iter().map(|item| T::read(item, faults)).collect();
        read.into_iter().collect()
    }
}

impl<K: Read, V: Read> Read for Entries<K, V> {
    const EXAMPLE: &'static str = "{ … }";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            faults.push(
                Fault::at(
                    node,
                    format!("expected keys and values, found {}", node.kind()),
                )
                .help(format!("write `{}: {}` lines", K::EXAMPLE, V::EXAMPLE)),
            );
            return None;
        };
        let read: Vec<_> = entries
            .iter()
            .map(|(key, value)| (K::read(key, faults), V::read(value, faults)))
            .collect();
        let read: Option<Vec<_>> = read
            .into_iter()
            .map(|(key, value)| Some((key?, value?)))
            .collect();
        read.map(Entries)
    }
}

/// The longest duration that a setting may name: ten years, so that no deadline overflows.
const DURATION_MS_MAX: u64 = 3_660 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};

    fn read<T: Read>(text: &str) -> Result<T, String> {
        let faults = Faults::new();
        let node = parse(&Source::new("t", text), &faults).unwrap();
        let value = T::read(&node, &faults);
        value.ok_or_else(|| faults.into_sorted()[0].to_string())
    }

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        assert_eq!(
            read::<Duration>("500ms").unwrap(),
            Duration::from_millis(500)
        );
        assert_eq!(read::<Duration>("24h").unwrap(), Duration::from_hours(24));
        assert_eq!(read::<Bytes>("64KiB").unwrap(), Bytes(65_536));
        assert_eq!(read::<Bytes>("7").unwrap(), Bytes(7));
        for text in ["5", "-1s", "1.5s", "s", "99999999999999999999h", "0s"] {
            assert!(
                read::<Duration>(text)
                    .unwrap_err()
                    .contains("is not a duration"),
                "{text}"
            );
        }
        assert!(read::<Bytes>("64KB").unwrap_err().contains("is not a size"));
    }

    #[test]
    fn only_true_and_false_are_truth_values() {
        assert!(read::<bool>("true").unwrap());
        for text in ["yes", "on", "True", "1"] {
            assert!(read::<bool>(text).is_err(), "{text}");
        }
    }
}
