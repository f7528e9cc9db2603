//! Bytes to text. What is no text in its charset is refused, never replaced.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use crate::codec::{Undecodable, parameter};

/// The charset that a content type names.
pub(super) fn declared(
    content_type: Option<&str>,
) -> Result<Option<&'static Encoding>, Undecodable> {
    let label = content_type.and_then(|header| parameter::find(header, "charset"));
    label.map(|label| named(label.as_bytes())).transpose()
}

/// The charset of this name, as the Encoding Standard has them.
pub(super) fn named(label: &[u8]) -> Result<&'static Encoding, Undecodable> {
    Encoding::for_label_no_replacement(label).ok_or(Undecodable::UnknownCharset)
}

/// Reads a whole text. A byte order mark tells more than the declaration (RFC 7303, section 3.3),
/// and is dropped; with neither it is UTF-8.
pub(super) fn text<'b>(
    bytes: &'b [u8],
    declared: Option<&'static Encoding>,
) -> Result<Cow<'b, str>, Undecodable> {
    match Encoding::for_bom(bytes) {
        Some((encoding, length)) => unmarked(bytes.get(length..).unwrap_or_default(), encoding),
        None => unmarked(bytes, declared.unwrap_or(UTF_8)),
    }
}

/// Reads a piece of text, where a byte order mark is a character like any other.
pub(super) fn unmarked<'b>(
    bytes: &'b [u8],
    encoding: &'static Encoding,
) -> Result<Cow<'b, str>, Undecodable> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or(Undecodable::Charset(encoding.name()))
}
