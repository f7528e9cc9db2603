//! `application/x-www-form-urlencoded`, as bodies and query strings have it.

use std::borrow::Cow;

use encoding_rs::UTF_8;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::codec::{Limits, Undecodable, Unencodable, add, charset, fields};

/// Writes name and value pairs as a form body.
pub fn encode<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut body = String::new();
    for (name, value) in pairs {
        if !body.is_empty() {
            body.push('&');
        }
        body.extend(utf8_percent_encode(name, ENCODED));
        body.push('=');
        body.extend(utf8_percent_encode(value, ENCODED));
    }
    body
}

/// The fields of a form or of a query string, in their order. What is no UTF-8 is replaced.
pub fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (lossy(name), lossy(value))
    })
}

fn lossy(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

/// Reads a form as an object of strings; a name that is repeated has an array of them. Keys mean
/// nothing: `a[b]` and `a.b` are names like any other.
pub(super) fn decode(
    content_type: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Value, Undecodable> {
    let encoding = charset::declared(content_type)?.unwrap_or(UTF_8);
    // In the others `&`, `=` and `%` may be halves of something else.
    if !encoding.is_ascii_compatible() {
        return Err(Undecodable::Charset(encoding.name()));
    }
    let decoded = |piece: &[u8]| {
        let spaced: Vec<u8> = piece
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        let bytes: Cow<'_, [u8]> = percent_decode(&spaced).into();
        charset::unmarked(&bytes, encoding).map(Cow::into_owned)
    };
    let mut members = Map::new();
    let pairs = body.split(|byte| *byte == b'&');
    for (at, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
        if at >= limits.nodes_max {
            let nodes_max = limits.nodes_max;
            return Err(Undecodable::TooManyNodes { nodes_max });
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(halves.next().unwrap_or_default())?;
        let value = decoded(halves.next().unwrap_or_default())?;
        add(&mut members, name, Value::String(value))?;
    }
    Ok(Value::Object(members))
}

/// Writes an object of scalars as a form body.
pub(super) fn encode_document(document: &Value) -> Result<String, Unencodable> {
    let fields = fields(document)?;
    Ok(encode(fields.iter().map(|(name, value)| (*name, &**value))))
}

/// The bytes that the URL standard leaves as they are in a form.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes_max: usize::MAX,
        depth_max: 64,
        nodes_max: 1000,
    };

    fn check(content_type: Option<&str>, body: &[u8], expected: &Result<Value, Undecodable>) {
        let read = decode(content_type, body, &LIMITS);
        assert_eq!(&read, expected, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn pairs_are_encoded() {
        let body = encode([("a b", "1&2=3"), ("é", "+/")]);
        assert_eq!(body, "a%20b=1%262%3D3&%C3%A9=%2B%2F");
    }

    #[test]
    fn a_form_is_read() {
        for (body, expected) in [
            ("", json!({})),
            ("a=1&b=2", json!({"a": "1", "b": "2"})),
            ("b=2&a=1&b=&b=3", json!({"b": ["2", "", "3"], "a": "1"})),
            ("a&b=&=c&&", json!({"a": "", "b": "", "": "c"})),
            ("a=b=c+d%20e%2B%26", json!({"a": "b=c d e+&"})),
            ("a=%zz%4&b=%00", json!({"a": "%zz%4", "b": "\0"})),
            ("é=%c3%A9", json!({"é": "é"})),
            (
                "__proto__=1&a[b]=2&a.b=3&a[]=4&a%5Bb%5D=5",
                json!({"__proto__": "1", "a[b]": ["2", "5"], "a.b": "3", "a[]": "4"}),
            ),
        ] {
            check(None, body.as_bytes(), &Ok(expected));
        }
    }

    #[test]
    fn a_form_has_a_charset() {
        let latin = Some("application/x-www-form-urlencoded; charset=ISO-8859-1");
        check(latin, b"\xE9=%E9", &Ok(json!({"é": "é"})));
        let body = b"a=%FF";
        check(None, body, &Err(Undecodable::Charset("UTF-8")));
        check(None, b"%C3=1", &Err(Undecodable::Charset("UTF-8")));
        check(
            Some("a; charset=gbk"),
            body,
            &Err(Undecodable::Charset("GBK")),
        );
        check(
            Some("a; charset=utf-16le"),
            b"a",
            &Err(Undecodable::Charset("UTF-16LE")),
        );
        check(
            Some("a; charset=none"),
            b"a",
            &Err(Undecodable::UnknownCharset),
        );
    }

    #[test]
    fn hostile_forms_are_refused() {
        let many = (0..1_000_000)
            .map(|n| format!("{n}&"))
            .collect::<Vec<_>>()
            .concat();
        let too_many = Undecodable::TooManyNodes { nodes_max: 1000 };
        check(None, many.as_bytes(), &Err(too_many.clone()));
        check(None, "a=1&".repeat(1001).as_bytes(), &Err(too_many));
        let marker = b"%24serde_json::private::Number=1";
        check(None, marker, &Err(Undecodable::ReservedKey));
    }

    #[test]
    fn a_flat_document_is_written() {
        let document = json!({"a": ["x y", 1, null, true], "n": null, "b": 1, "e": []});
        let body = encode_document(&document);
        assert_eq!(body.as_deref(), Ok("a=x%20y&a=1&a=true&b=1"));
        for (document, expected) in [
            (
                json!({"k": {"a": 1}}),
                Unencodable::Nested {
                    key: "k".to_owned(),
                },
            ),
            (
                json!({"k": [["a"]]}),
                Unencodable::Nested {
                    key: "k".to_owned(),
                },
            ),
            (json!(["a"]), Unencodable::NotObject),
            (json!("a=1"), Unencodable::NotObject),
        ] {
            assert_eq!(encode_document(&document), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            document in prop::collection::btree_map(any::<String>(), prop_oneof![
                any::<String>().prop_map(Value::from),
                prop::collection::vec(any::<String>(), 2..5).prop_map(Value::from),
            ], 0..8)
        ) {
            let document = Value::Object(document.into_iter().collect());
            let body = encode_document(&document).unwrap();
            prop_assert_eq!(decode(None, body.as_bytes(), &LIMITS), Ok(document));
        }
    }
}
