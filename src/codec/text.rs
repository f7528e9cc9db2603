//! Plain text: one string.

use std::borrow::Cow;

use serde_json::Value;

use crate::codec::{Undecodable, Unencodable, charset, scalar};

/// Reads a text in the charset that its mark or the content type says, else UTF-8.
pub(super) fn decode(content_type: Option<&str>, body: &[u8]) -> Result<Value, Undecodable> {
    let declared = charset::declared(content_type)?;
    charset::text(body, declared).map(|text| Value::String(text.into_owned()))
}

/// Writes a scalar; `null` is an empty text.
pub(super) fn encode(document: &Value) -> Result<String, Unencodable> {
    match scalar("", document) {
        Ok(text) => Ok(text.map(Cow::into_owned).unwrap_or_default()),
        Err(_) => Err(Unencodable::NotText),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(content_type: &str, body: &[u8], expected: Result<&str, Undecodable>) {
        let read = decode(Some(content_type), body);
        assert_eq!(read, expected.map(Value::from), "{content_type} {body:x?}");
    }

    #[test]
    fn a_text_is_read_in_its_charset() {
        for (content_type, body, expected) in [
            ("text/plain", "é\0\r\n".as_bytes(), "é\0\r\n"),
            ("anything at all", b"x", "x"),
            ("text/plain; charset=\"UTF8\"", "é".as_bytes(), "é"),
            ("text/plain; charset=iso-8859-1", b"\xE9\x80", "é€"),
            ("text/plain; charset=shift_jis", b"\x93\xFA", "日"),
            ("text/plain; charset=gbk", b"\xC4\xE3", "你"),
            ("text/plain; charset=utf-16be", b"\0a\x20\xAC", "a€"),
            ("text/plain; charset=gbk", b"\xEF\xBB\xBF\xC3\xA9", "é"),
            ("text/plain", b"\xFF\xFEa\0", "a"),
        ] {
            check(content_type, body, Ok(expected));
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let charset = |name| Err(Undecodable::Charset(name));
        for (content_type, body, expected) in [
            ("text/plain", b"\xE9".as_slice(), charset("UTF-8")),
            ("text/plain", b"\xED\xA0\x80", charset("UTF-8")),
            ("text/plain; charset=gbk", b"\xFF", charset("GBK")),
            ("text/plain; charset=utf-16le", b"a", charset("UTF-16LE")),
            (
                "text/plain; charset=utf-16le",
                b"\x00\xD8a\0",
                charset("UTF-16LE"),
            ),
            (
                "text/plain; charset=utf-7",
                b"x",
                Err(Undecodable::UnknownCharset),
            ),
            (
                "text/plain; charset=iso-2022-kr",
                b"x",
                Err(Undecodable::UnknownCharset),
            ),
            (
                "text/plain; charset=\"\"",
                b"x",
                Err(Undecodable::UnknownCharset),
            ),
        ] {
            check(content_type, body, expected);
        }
    }

    #[test]
    fn only_a_scalar_is_written() {
        for (document, expected) in [
            (json!("a\n"), Ok("a\n")),
            (json!(9_007_199_254_740_993_u64), Ok("9007199254740993")),
            (json!(true), Ok("true")),
            (json!(null), Ok("")),
            (json!({}), Err(Unencodable::NotText)),
            (json!(["a"]), Err(Unencodable::NotText)),
        ] {
            assert_eq!(encode(&document), expected.map(str::to_owned));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(text in "[^\u{FEFF}].*|") {
            let written = encode(&Value::from(text.clone())).unwrap();
            prop_assert_eq!(decode(None, written.as_bytes()), Ok(Value::from(text)));
        }
    }
}
