//! JSON, read: no key twice, no digit lost, and nothing built beyond the limits.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::codec::{Limits, Undecodable, check_key};

/// Reads a text, which RFC 8259 (section 8.1) has in UTF-8, whatever a charset says.
pub(super) fn decode(body: &[u8], limits: &Limits) -> Result<Value, Undecodable> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| Undecodable::Charset("UTF-8"))?;
    let reading = Reading {
        text: text.as_bytes().as_ptr_range(),
        depth_max: limits.depth_max(),
        nodes_max: limits.nodes_max,
        nodes: Cell::new(0),
        refusal: Cell::new(None),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let node = Node {
        reading: &reading,
        depth: 0,
    };
    node.deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|fault| {
            // What we refused ourselves came through serde as a fault of the text.
            reading.refusal.take().unwrap_or(Undecodable::NotJson {
                line: fault.line(),
                column: fault.column(),
            })
        })
}

/// What all nodes of one text share.
struct Reading {
    /// Where the text lies in memory.
    text: Range<*const u8>,
    depth_max: usize,
    nodes_max: usize,
    nodes: Cell<usize>,
    refusal: Cell<Option<Undecodable>>,
}

impl Reading {
    fn refuse<E: Error>(&self, refusal: Undecodable) -> E {
        self.refusal.set(Some(refusal));
        E::custom("refused")
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let nodes = self.nodes.get() + 1;
        self.nodes.set(nodes);
        if nodes > self.nodes_max {
            let nodes_max = self.nodes_max;
            return Err(self.refuse(Undecodable::TooManyNodes { nodes_max }));
        }
        Ok(())
    }
}

/// A value that is to be read.
#[derive(Clone, Copy)]
struct Node<'r> {
    reading: &'r Reading,
    depth: usize,
}

impl Node<'_> {
    /// A value one level down.
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth_max = self.reading.depth_max;
        if self.depth >= depth_max {
            return Err(self.reading.refuse(Undecodable::TooDeep { depth_max }));
        }
        Ok(Self {
            reading: self.reading,
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        self.reading.count()?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        let mut next = entries.next_key_seed(NextKey(self.reading))?;
        if matches!(next, Some(Key::Number)) {
            let digits = entries.next_value::<String>()?;
            return digits
                .parse::<Number>()
                .map(Value::Number)
                .map_err(A::Error::custom);
        }
        let inner = self.inner()?;
        while let Some(Key::Name(name)) = next {
            check_key(&name).map_err(|refusal| self.reading.refuse(refusal))?;
            if members.contains_key(&name) {
                return Err(self.reading.refuse(Undecodable::DuplicateKey));
            }
            let value = entries.next_value_seed(inner)?;
            members.insert(name, value);
            next = entries.next_key_seed(NextKey(self.reading))?;
        }
        Ok(Value::Object(members))
    }
}

enum Key {
    /// No key: the text has a number here.
    Number,
    Name(String),
}

struct NextKey<'r>(&'r Reading);

impl<'de> DeserializeSeed<'de> for NextKey<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Key, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NextKey<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key, E> {
        // With `arbitrary_precision` a number comes as a map with one private key. That key is
        // serde_json's own constant and so lies outside of the text, where any sender's key that
        // is borrowed lies; a sender's key that has escapes is not borrowed.
        if key == NUMBER_MARKER && !self.0.text.contains(&key.as_ptr()) {
            return Ok(Key::Number);
        }
        Ok(Key::Name(key.to_owned()))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key::Name(key.to_owned()))
    }
}

/// The key under which `serde_json` hands over a number with `arbitrary_precision`.
pub(super) const NUMBER_MARKER: &str = "$serde_json::private::Number";

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::codec::{Format, encode};

    const LIMITS: Limits = Limits {
        bytes_max: usize::MAX,
        depth_max: 64,
        nodes_max: 1000,
    };

    fn check(text: &str, expected: &Result<Value, Undecodable>) {
        assert_eq!(decode(text.as_bytes(), &LIMITS), *expected, "{text}");
    }

    #[test]
    fn a_document_is_read() {
        check(
            "\u{FEFF} {\"a\": [1, -2.5, true, null, \"x\\u00e9\\ud83d\\ude00\"], \"\": {}, \"b\\n\": []} ",
            &Ok(json!({"a": [1, -2.5, true, null, "xé😀"], "": {}, "b\n": []})),
        );
        check("7", &Ok(json!(7)));
        check("\"a\\u0000b\"", &Ok(json!("a\0b")));
    }

    #[test]
    fn numbers_keep_their_digits() {
        for digits in [
            "0",
            "-0",
            "-0.0",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "9007199254740993",
            "1.10",
            "1e+400",
            "1E-400",
            "123456789012345678901234567890.12345678901234567890",
        ] {
            let text = format!("{{\"n\":[{digits}]}}");
            let document = decode(text.as_bytes(), &LIMITS).unwrap();
            assert_eq!(document.to_string(), text.replace('E', "e"));
        }
        // serde_json spells an exponent's sign out.
        assert_eq!(decode(b"1e400", &LIMITS).unwrap().to_string(), "1e+400");
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        for (text, line, column) in [
            ("", 1, 0),
            ("{} x", 1, 4),
            ("{}{}", 1, 3),
            ("[1,\n,]", 2, 1),
            ("[01]", 1, 3),
            ("NaN", 1, 1),
            ("\"\\ud800\"", 1, 8),
            ("\"\\udc00\"", 1, 7),
            ("\"a\0b\"", 1, 3),
            ("\0", 1, 1),
            ("{\"a\":1", 1, 6),
        ] {
            check(text, &Err(Undecodable::NotJson { line, column }));
        }
        for bytes in [b"\"\xFF\"".as_slice(), b"\xFE\xFF\0{\0}"] {
            assert_eq!(decode(bytes, &LIMITS), Err(Undecodable::Charset("UTF-8")));
        }
    }

    #[test]
    fn a_key_may_not_be_repeated_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[[{"x":{"y":[{"b":1,"c":2,"b":3}]}}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            check(text, &Err(Undecodable::DuplicateKey));
        }
        check(
            r#"[{"a":1},{"a":{"a":2}}]"#,
            &Ok(json!([{"a": 1}, {"a": {"a": 2}}])),
        );
    }

    #[test]
    fn a_marker_of_serde_json_is_no_key() {
        for marker in [NUMBER_MARKER, "$serde_json::private::RawValue"] {
            for text in [
                format!("{{\"{marker}\":\"1\"}}"),
                format!("[{{\"a\":1,\"{marker}\":\"1\"}}]"),
                format!("{{\"{}\":\"1\"}}", marker.replace('$', "\\u0024")),
            ] {
                check(&text, &Err(Undecodable::ReservedKey));
            }
            check(&format!("[\"{marker}\"]"), &Ok(json!([marker])));
        }
    }

    #[test]
    fn depth_and_nodes_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(decode(nested(64).as_bytes(), &LIMITS).is_ok());
        check(&nested(65), &Err(Undecodable::TooDeep { depth_max: 64 }));
        check(
            &"[".repeat(100_000),
            &Err(Undecodable::TooDeep { depth_max: 64 }),
        );
        check(
            &"{\"a\":".repeat(100_000),
            &Err(Undecodable::TooDeep { depth_max: 64 }),
        );
        let deep = Limits {
            depth_max: usize::MAX,
            ..LIMITS
        };
        assert!(decode(nested(126).as_bytes(), &deep).is_ok());
        assert_eq!(
            decode(nested(127).as_bytes(), &deep),
            Err(Undecodable::TooDeep { depth_max: 126 })
        );
        let many = (0..1_000_000)
            .map(|n| format!("\"{n}\":0,"))
            .collect::<Vec<_>>()
            .concat();
        check(
            &format!("{{{many}\"\":0}}"),
            &Err(Undecodable::TooManyNodes { nodes_max: 1000 }),
        );
        let fitting = format!("[{}0]", "0,".repeat(998));
        assert!(decode(fitting.as_bytes(), &LIMITS).is_ok());
        assert!(decode(fitting.replace("[0", "[0,0").as_bytes(), &LIMITS).is_err());
    }

    fn document() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "-?[1-9][0-9]{0,40}(\\.[0-9]{1,40})?(e[+-][0-9]{1,4})?"
                .prop_map(|digits| Value::Number(digits.parse().unwrap())),
        ];
        scalar.prop_recursive(6, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(document in document()) {
            let encoded = encode(Format::Json, &document).unwrap();
            prop_assert_eq!(decode(&encoded.body, &LIMITS), Ok(document));
        }

        #[test]
        fn bytes_are_read_as_serde_json_reads_them(
            text in "[\\[\\]{},:\"\\\\ud01e+-. ntfalse]{0,24}"
        ) {
            let theirs = serde_json::from_str::<Value>(&text).ok();
            match decode(text.as_bytes(), &LIMITS) {
                Ok(value) => prop_assert_eq!(Some(value), theirs),
                Err(Undecodable::DuplicateKey) => {}
                Err(_) => prop_assert_eq!(None, theirs),
            }
        }
    }
}
