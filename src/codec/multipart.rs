//! `multipart/form-data` (RFC 7578). Files are told of, not kept.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use memchr::memmem::{self, Finder};
use serde_json::{Map, Value, json};

use crate::codec::{Limits, Undecodable, Unencodable, add, charset, fields, parameter};

/// What the content type of an encoded document says.
pub(super) const CONTENT_TYPE: &str = "multipart/form-data; boundary=pintle-9c1d07b2e64f4a53";

/// Reads a form. A field is a string, in the charset of its part, else of the whole; a file is its
/// name and size.
pub(super) fn decode(
    content_type: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Value, Undecodable> {
    let boundary = content_type
        .and_then(|header| parameter::find(header, "boundary"))
        .filter(|boundary| (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()))
        .ok_or(Undecodable::NotMultipart("no boundary"))?;
    let encoding = charset::declared(content_type)?.unwrap_or(UTF_8);
    if !encoding.is_ascii_compatible() {
        return Err(Undecodable::Charset(encoding.name()));
    }
    let delimiter = format!("\r\n--{boundary}");
    let delimiter = Finder::new(&delimiter);
    let mut members = Map::new();
    let mut parts = 0;
    let mut rest = preamble(body, &delimiter)?;
    while let Some(part) = opened(rest)? {
        parts += 1;
        if parts > limits.nodes_max {
            let nodes_max = limits.nodes_max;
            return Err(Undecodable::TooManyNodes { nodes_max });
        }
        let part = headed(part)?;
        // By the grammar that is a part without content, but parsers differ.
        if part.content.starts_with(first_line(&delimiter)) {
            return Err(Undecodable::NotMultipart("a part has no content"));
        }
        let end = delimiter
            .find(part.content)
            .ok_or(Undecodable::NotMultipart("a part has no end"))?;
        let (bytes, after) = part.content.split_at(end);
        let (name, value) = field(part.head, bytes, encoding)?;
        add(&mut members, name, value)?;
        rest = after.get(delimiter.needle().len()..).unwrap_or_default();
    }
    Ok(Value::Object(members))
}

/// What follows the first delimiter. Its line break may be missing at the very beginning.
fn preamble<'b>(body: &'b [u8], delimiter: &Finder<'_>) -> Result<&'b [u8], Undecodable> {
    if let Some(rest) = body.strip_prefix(first_line(delimiter)) {
        return Ok(rest);
    }
    let needle = delimiter.needle();
    delimiter
        .find(body)
        .and_then(|at| body.get(at + needle.len()..))
        .ok_or(Undecodable::NotMultipart("the boundary is not found"))
}

/// A delimiter without the line break before it.
fn first_line<'d>(delimiter: &'d Finder<'_>) -> &'d [u8] {
    delimiter.needle().strip_prefix(b"\r\n").unwrap_or_default()
}

/// The part after a delimiter; `None` after the last one.
fn opened(rest: &[u8]) -> Result<Option<&[u8]>, Undecodable> {
    if rest.starts_with(b"--") {
        return Ok(None);
    }
    let mut rest = rest;
    // RFC 2046, section 5.1.1: transports may pad the line.
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    match rest.strip_prefix(b"\r\n") {
        Some(part) => Ok(Some(part)),
        None => Err(Undecodable::NotMultipart("a boundary is not a line")),
    }
}

struct Part<'b> {
    head: &'b [u8],
    content: &'b [u8],
}

fn headed(part: &[u8]) -> Result<Part<'_>, Undecodable> {
    let window = part.get(..HEAD_BYTES_MAX).unwrap_or(part);
    let at = memmem::find(window, b"\r\n\r\n").ok_or(Undecodable::NotMultipart(
        "a part has no head, or too long a one",
    ))?;
    Ok(Part {
        head: part.get(..at).unwrap_or_default(),
        content: part.get(at + 4..).unwrap_or_default(),
    })
}

/// Name and value of a part.
fn field(
    head: &[u8],
    content: &[u8],
    encoding: &'static Encoding,
) -> Result<(String, Value), Undecodable> {
    let head = charset::unmarked(head, encoding)?;
    let disposition = header(&head, "content-disposition")
        .filter(|value| {
            let kind = value.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("form-data")
        })
        .ok_or(Undecodable::NotMultipart("a part is no form-data"))?;
    let name =
        named(disposition, "name")?.ok_or(Undecodable::NotMultipart("a part has no name"))?;
    if let Some(filename) = named(disposition, "filename")? {
        return Ok((name, json!({"filename": filename, "bytes": content.len()})));
    }
    let transfer = header(&head, "content-transfer-encoding").unwrap_or("8bit");
    if !["7bit", "8bit", "binary"]
        .iter()
        .any(|as_it_is| transfer.eq_ignore_ascii_case(as_it_is))
    {
        return Err(Undecodable::NotMultipart("a transfer encoding"));
    }
    let own = charset::declared(header(&head, "content-type"))?;
    let text = charset::unmarked(content, own.unwrap_or(encoding))?;
    Ok((name, Value::String(text.into_owned())))
}

fn header<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim_end()
            .eq_ignore_ascii_case(wanted)
            .then_some(value.trim())
    })
}

/// A parameter, or the form of it that RFC 5987 spells for what is not ASCII.
fn named(disposition: &str, name: &str) -> Result<Option<String>, Undecodable> {
    if let Some(value) = parameter::find(disposition, name) {
        return Ok(Some(value.into_owned()));
    }
    let Some(value) = parameter::find(disposition, &format!("{name}*")) else {
        return Ok(None);
    };
    let mut pieces = value.splitn(3, '\'');
    let (Some(label), Some(_language), Some(text)) = (pieces.next(), pieces.next(), pieces.next())
    else {
        return Err(Undecodable::NotMultipart("a name has no charset"));
    };
    let bytes: Cow<'_, [u8]> = percent_encoding::percent_decode_str(text).into();
    let text = charset::unmarked(&bytes, charset::named(label.as_bytes())?)?;
    Ok(Some(text.into_owned()))
}

/// Writes a form of strings.
pub(super) fn encode(document: &Value) -> Result<String, Unencodable> {
    let boundary = parameter::find(CONTENT_TYPE, "boundary").unwrap_or_default();
    let mut body = String::new();
    for (name, value) in fields(document)? {
        let key = || name.to_owned();
        // Senders and receivers do not agree on how to escape these.
        if name.contains(['"', '\\', '\r', '\n']) {
            return Err(Unencodable::Name { key: key() });
        }
        // The boundary is fixed, so that equal documents are equal bytes.
        if name.contains(&*boundary) || value.contains(&*boundary) {
            return Err(Unencodable::Character { key: key() });
        }
        for piece in [
            "--",
            &boundary,
            "\r\nContent-Disposition: form-data; name=\"",
            name,
            "\"\r\n\r\n",
            &value,
            "\r\n",
        ] {
            body.push_str(piece);
        }
    }
    body.push_str("--");
    body.push_str(&boundary);
    body.push_str("--\r\n");
    Ok(body)
}

/// RFC 2046, section 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// The most bytes that the headers of a part have.
const HEAD_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes_max: usize::MAX,
        depth_max: 64,
        nodes_max: 1000,
    };

    const B: &str = "multipart/form-data; boundary=B";

    /// A form of parts, each a head with its content.
    fn form(parts: &[(&str, &str)]) -> String {
        let parts = parts
            .iter()
            .map(|(head, content)| format!("--B\r\n{head}\r\n\r\n{content}\r\n"));
        parts.collect::<Vec<_>>().concat() + "--B--\r\n"
    }

    fn check(content_type: &str, body: impl AsRef<[u8]>, expected: &Result<Value, Undecodable>) {
        let body = body.as_ref();
        let read = decode(Some(content_type), body, &LIMITS);
        assert_eq!(&read, expected, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn fields_are_read_and_files_are_told_of() {
        let body = form(&[
            ("Content-Disposition: form-data; name=\"a\"", "1\r\n2"),
            (
                "content-disposition:FORM-DATA;name=b\r\nContent-Type: text/plain",
                "",
            ),
            ("Content-Disposition: form-data; name=\"a\"", "-\r\n-B"),
            (
                "Content-Disposition: form-data; name=\"f\"; filename=\"x \\\"y\\\".png\"\r\n\
                 Content-Type: image/png",
                "\0\u{1}\r\n--C",
            ),
            ("Content-Disposition: form-data; name*=utf-8''%C3%A9", "é"),
            ("Content-Disposition: form-data; name=\"é\"", "è"),
        ]);
        let expected = json!({
            "a": ["1\r\n2", "-\r\n-B"],
            "b": "",
            "f": {"filename": "x \"y\".png", "bytes": 7},
            "é": ["é", "è"],
        });
        check(B, &body, &Ok(expected.clone()));
        check(B, format!("before\r\n{body}after"), &Ok(expected.clone()));
        check(B, body.replace("--B\r\n", "--B \t\r\n"), &Ok(expected));
        check(B, "--B--", &Ok(json!({})));
    }

    #[test]
    fn a_part_has_a_charset() {
        let head = "--B\r\nContent-Disposition: form-data; name=a\r\n";
        let own = [
            head.as_bytes(),
            b"Content-Type: text/plain; charset=latin1\r\n\r\n\xE9\r\n--B--",
        ];
        check(B, own.concat(), &Ok(json!({"a": "é"})));
        let whole = [head.as_bytes(), b"\r\n\xE9\r\n--B--"].concat();
        check(B, &whole, &Err(Undecodable::Charset("UTF-8")));
        check(
            &format!("{B}; charset=latin1"),
            &whole,
            &Ok(json!({"a": "é"})),
        );
        check(
            &format!("{B}; charset=utf-16le"),
            &whole,
            &Err(Undecodable::Charset("UTF-16LE")),
        );
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let whole = form(&[("Content-Disposition: form-data; name=a", "1")]);
        for end in 0..whole.len() - "--\r\n".len() {
            let read = decode(Some(B), &whole.as_bytes()[..end], &LIMITS);
            assert!(matches!(read, Err(Undecodable::NotMultipart(_))), "{end}");
        }
        for (content_type, body) in [
            ("multipart/form-data", whole.as_str()),
            ("multipart/form-data; boundary=\"\"", &whole),
            (&format!("a; boundary={}", "B".repeat(71)), &whole),
            ("multipart/form-data; boundary=C", &whole),
            (B, ""),
            (B, "--Bx\r\n\r\n--B--"),
            (B, &whole.replace("\r\n", "\n")),
            (B, &form(&[("Content-Disposition: form-data", "1")])),
            (
                B,
                &form(&[("Content-Disposition: attachment; name=a", "1")]),
            ),
            (B, &form(&[("Content-Type: text/plain", "1")])),
            (
                B,
                &form(&[("Content-Disposition: form-data; name*=x", "1")]),
            ),
            (
                B,
                &whole.replace("=a", "=a\r\nContent-Transfer-Encoding: base64"),
            ),
            (
                B,
                &form(&[("Content-Disposition: form-data; name=a", "--B")]),
            ),
            (B, &form(&[(&"x".repeat(20_000), "1")])),
        ] {
            let read = decode(Some(content_type), body.as_bytes(), &LIMITS);
            assert!(
                matches!(read, Err(Undecodable::NotMultipart(_))),
                "{read:?} {body}"
            );
        }
    }

    #[test]
    fn hostile_forms_are_refused() {
        let head = "Content-Disposition: form-data; name=a";
        check(
            B,
            form(&vec![(head, "1"); 1001]),
            &Err(Undecodable::TooManyNodes { nodes_max: 1000 }),
        );
        let marker = format!(
            "Content-Disposition: form-data; name={}",
            "$serde_json::private::Number"
        );
        check(B, form(&[(&marker, "1")]), &Err(Undecodable::ReservedKey));
    }

    #[test]
    fn what_cannot_be_written_is_told_by_its_key() {
        let key = |key: &str| key.to_owned();
        for (document, expected) in [
            (json!({"a\"": "1"}), Unencodable::Name { key: key("a\"") }),
            (
                json!({"a\r\nb": "1"}),
                Unencodable::Name { key: key("a\r\nb") },
            ),
            (
                json!({"k": CONTENT_TYPE}),
                Unencodable::Character { key: key("k") },
            ),
            (
                json!({"k": {"a": "1"}}),
                Unencodable::Nested { key: key("k") },
            ),
            (json!(1), Unencodable::NotObject),
        ] {
            assert_eq!(encode(&document), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            document in prop::collection::btree_map("[^\"\\\\\r\n]{0,8}", prop_oneof![
                any::<String>().prop_map(Value::from),
                "[\r\n-]{0,8}".prop_map(Value::from),
                prop::collection::vec(any::<String>(), 2..5).prop_map(Value::from),
            ], 0..8)
        ) {
            let document = Value::Object(document.into_iter().collect());
            let body = encode(&document).unwrap();
            prop_assert_eq!(decode(Some(CONTENT_TYPE), body.as_bytes(), &LIMITS), Ok(document));
        }
    }
}
