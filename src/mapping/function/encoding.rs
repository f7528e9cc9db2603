//! Text written in other ways, and JSON inside text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use super::{Function, Kind, Make, TEXT_MAX, absent, gives, text_of};
use crate::crypto::Encoding;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "base64",
        about: "Writes the text's UTF-8 bytes as base64, with padding.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[gives("", r#""é>?""#, r#""w6k+Pw==""#), absent("", "null")],
        make: Make::Text(|text| String::from_utf8(Encoding::Base64.encode(text.as_bytes())).ok()),
    },
    Function {
        name: "base64_decode",
        about: "Reads base64, with padding, or base64url, without; absent where no text comes out.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("", r#""w6k+Pw==""#, r#""é>?""#),
            gives("", r#""w6k-Pw""#, r#""é>?""#),
            absent("", r#""/w==""#),
        ],
        make: Make::Text(|text| {
            let decode = |encoding: Encoding| encoding.decode(text.as_bytes()).ok();
            let bytes = decode(Encoding::Base64).or_else(|| decode(Encoding::Base64Url))?;
            String::from_utf8(bytes).ok()
        }),
    },
    Function {
        name: "url_encode",
        about: "Writes a text so that it can be a part of a URL; a space becomes `%20`.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 4,
        examples: &[
            gives("", r#""a b&c=é""#, r#""a%20b%26c%3D%C3%A9""#),
            absent("", "false"),
        ],
        make: Make::Text(|text| Some(url_encode(text))),
    },
    Function {
        name: "url_decode",
        about: "Reads `%20` and the like; `+` stays. Absent where no text comes out.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("", r#""a%20b+c""#, r#""a b+c""#),
            absent("", r#""%FF""#),
        ],
        make: Make::Text(|text| {
            let decoded = percent_decode_str(text).decode_utf8().ok()?;
            Some(decoded.into_owned())
        }),
    },
    Function {
        name: "json_parse",
        about: "Reads a text as JSON; absent where it is none.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Any,
        cost: 16,
        examples: &[
            gives("", r#""{\"id\": 1.50}""#, r#"{"id": 1.50}"#),
            absent("", r#""{\"id\":""#),
            absent("", r#""null""#),
        ],
        make: Make::Bare(|value, _| {
            let value: Value = serde_json::from_str(&text_of(&value)?).ok()?;
            (!value.is_null()).then_some(value)
        }),
    },
    Function {
        name: "json_text",
        about: "Writes any value as JSON in a text, without white space.",
        argument: "",
        takes: Kind::Any,
        gives: Kind::Text,
        cost: 8,
        examples: &[
            gives("", r#"{ "id": 1.50 }"#, r#""{\"id\":1.50}""#),
            absent("", "null"),
        ],
        make: Make::Bare(|value, _| {
            if value.is_null() {
                return None;
            }
            let text = value.to_string();
            (text.len() <= TEXT_MAX).then_some(Value::String(text))
        }),
    },
];

/// All but the unreserved characters of RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as a part of a URL.
pub(in crate::mapping) fn url_encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
