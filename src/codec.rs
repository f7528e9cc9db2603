//! Documents to bytes and back. Bodies that nothing has to read never come here. What is read is
//! bounded while it is read, and no message repeats any of it.

pub mod form;

mod charset;
mod inflate;
mod json;
mod multipart;
mod parameter;
mod text;
mod xml;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Map, Value};
use thiserror::Error;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON (RFC 8259), always in UTF-8.
    Json,
    /// `application/x-www-form-urlencoded`, and query strings.
    Form,
    /// `multipart/form-data` (RFC 7578).
    Multipart,
    /// XML 1.0 without a document type; SOAP is XML.
    Xml,
    /// Text as it is.
    Text,
}

/// A format with what there is to say about it.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    /// The word that files use.
    pub name: &'static str,
    /// What a document looks like, in a sentence.
    pub about: &'static str,
    /// The media types it goes by; the first is the usual one.
    pub media_types: &'static [&'static str],
    /// The format.
    pub format: Format,
}

/// Every format.
pub const CODECS: &[Codec] = &[
    Codec {
        name: "json",
        about: "JSON, where no object may repeat a key; numbers keep their digits.",
        media_types: &["application/json", "text/json"],
        format: Format::Json,
    },
    Codec {
        name: "form",
        about: "An object of strings; a name that is repeated becomes an array.",
        media_types: &["application/x-www-form-urlencoded"],
        format: Format::Form,
    },
    Codec {
        name: "multipart",
        about: "An object of strings, where a file is its `filename` and its size in `bytes`.",
        media_types: &["multipart/form-data"],
        format: Format::Multipart,
    },
    Codec {
        name: "xml",
        about: "An object with the root element; attributes are `@name`, text beside others is `#text`.",
        media_types: &["text/xml", "application/xml", "application/soap+xml"],
        format: Format::Xml,
    },
    Codec {
        name: "text",
        about: "One string.",
        media_types: &["text/plain"],
        format: Format::Text,
    },
];

/// How much of a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, after inflating.
    pub bytes_max: usize,
    /// Objects and arrays, or elements, within each other; never more than 126.
    pub depth_max: usize,
    /// Values, fields, or elements and attributes, all together.
    pub nodes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 1024 * 1024,
            depth_max: 64,
            nodes_max: 100_000,
        }
    }
}

impl Limits {
    fn depth_max(&self) -> usize {
        self.depth_max.min(DEPTH_MAX)
    }
}

/// A body is not what its format says, or more than is read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Undecodable {
    /// The text is not JSON from here on; both count from 1, as `serde_json` counts.
    #[error("not JSON, at line {line} column {column}")]
    NotJson {
        /// The line.
        line: usize,
        /// The byte within the line.
        column: usize,
    },
    /// An object has a key twice, or an element has an attribute twice once prefixes are dropped.
    #[error("a key occurs twice in the same object")]
    DuplicateKey,
    /// A key is one by which `serde_json` marks numbers and raw text.
    #[error("a key is reserved")]
    ReservedKey,
    /// The bytes are no text of this charset.
    #[error("not text in {0}")]
    Charset(&'static str),
    /// The charset is none of the Encoding Standard.
    #[error("the charset is not known")]
    UnknownCharset,
    /// The content coding is neither gzip, deflate nor br, or there are several.
    #[error("the content coding is not supported")]
    Coding,
    /// The bytes are not one whole stream of this content coding.
    #[error("not a whole {0} stream")]
    NotInflated(&'static str),
    /// The body has more bytes than are read.
    #[error("longer than {bytes_max} bytes")]
    TooLarge {
        /// How many are read.
        bytes_max: usize,
    },
    /// Something is nested deeper than is read.
    #[error("nested deeper than {depth_max} levels")]
    TooDeep {
        /// How many levels are read.
        depth_max: usize,
    },
    /// There is more in the body than is read.
    #[error("more than {nodes_max} values")]
    TooManyNodes {
        /// How many are read.
        nodes_max: usize,
    },
    /// The text is not well-formed XML.
    #[error("not XML, at byte {at}")]
    NotXml {
        /// Counted in the text as UTF-8, roughly.
        at: u64,
    },
    /// The text has a document type, which could define entities.
    #[error("a document type is not allowed")]
    Doctype,
    /// A reference is to an entity that XML does not define itself.
    #[error("an entity is not predefined")]
    Entity,
    /// The body is not `multipart/form-data`.
    #[error("not multipart/form-data: {0}")]
    NotMultipart(&'static str),
}

/// A document as a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What `Content-Type` says.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// A document has no form in a format. The keys are those of a mapping, not of somebody's data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unencodable {
    /// Only an object has fields.
    #[error("not an object")]
    NotObject,
    /// Only a scalar is text.
    #[error("not a string, number or truth value")]
    NotText,
    /// XML has one root element.
    #[error("not an object with one element as its only member")]
    NotOneRoot,
    /// A value is an object or an array where there can be none.
    #[error("`{key}` holds an object or an array")]
    Nested {
        /// Where.
        key: String,
    },
    /// The format cannot write this name.
    #[error("`{key}` is no name")]
    Name {
        /// The name.
        key: String,
    },
    /// A value has a character, or a run of them, that the format cannot write.
    #[error("`{key}` holds what cannot be written")]
    Character {
        /// Where.
        key: String,
    },
    /// Something is nested deeper than is written.
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

impl Format {
    /// The format that a media type means; JSON where it means none of them.
    pub fn of_media(media: Option<&str>) -> Self {
        let media = media.unwrap_or_default().split(';').next();
        let media = media.unwrap_or_default().trim().to_ascii_lowercase();
        let is_meant = |codec: &&Codec| codec.media_types.contains(&media.as_str());
        match CODECS.iter().find(is_meant) {
            Some(codec) => codec.format,
            None if media.ends_with("+xml") => Self::Xml,
            None if media.starts_with("text/") => Self::Text,
            None => Self::Json,
        }
    }
}

/// Reads a body, which may be compressed.
///
/// `content_type` tells charset and boundary only: which format it is, the caller knows.
pub fn decode(
    format: Format,
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Value, Undecodable> {
    let body = inflate::inflate(content_encoding, body, limits.bytes_max)?;
    match format {
        Format::Json => json::decode(&body, limits),
        Format::Form => form::decode(content_type, &body, limits),
        Format::Multipart => multipart::decode(content_type, &body, limits),
        Format::Xml => xml::decode(content_type, &body, limits),
        Format::Text => text::decode(content_type, &body),
    }
}

/// Writes a document as a body.
pub fn encode(format: Format, document: &Value) -> Result<Encoded, Unencodable> {
    let (content_type, body) = match format {
        Format::Json => ("application/json", document.to_string()),
        Format::Form => (
            "application/x-www-form-urlencoded",
            form::encode_document(document)?,
        ),
        Format::Multipart => (multipart::CONTENT_TYPE, multipart::encode(document)?),
        Format::Xml => ("text/xml; charset=utf-8", xml::encode(document)?),
        Format::Text => ("text/plain; charset=utf-8", text::encode(document)?),
    };
    Ok(Encoded {
        content_type,
        body: Bytes::from(body),
    })
}

/// Adds a member whose name may be there already: then they become an array.
fn add(members: &mut Map<String, Value>, name: String, value: Value) -> Result<(), Undecodable> {
    check_key(&name)?;
    match members.get_mut(&name) {
        None => {
            members.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
    Ok(())
}

/// Refuses keys that `serde_json` would take for its own when the document is read again.
fn check_key(key: &str) -> Result<(), Undecodable> {
    if RESERVED.contains(&key) {
        return Err(Undecodable::ReservedKey);
    }
    Ok(())
}

/// A scalar as text; `None` for `null`.
fn scalar<'v>(key: &str, value: &'v Value) -> Result<Option<Cow<'v, str>>, Unencodable> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Cow::Borrowed(text))),
        Value::Bool(_) | Value::Number(_) => Ok(Some(Cow::Owned(value.to_string()))),
        Value::Array(_) | Value::Object(_) => Err(Unencodable::Nested {
            key: key.to_owned(),
        }),
    }
}

/// The fields of a flat document: an array repeats its name, and `null` is left out.
fn fields(document: &Value) -> Result<Vec<(&str, Cow<'_, str>)>, Unencodable> {
    let members = document.as_object().ok_or(Unencodable::NotObject)?;
    let mut fields = Vec::with_capacity(members.len());
    for (name, value) in members {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            if let Some(text) = scalar(name, value)? {
                fields.push((name.as_str(), text));
            }
        }
    }
    Ok(fields)
}

/// `serde_json` reads 127 levels, and what it refuses it does not tell apart from bad text.
const DEPTH_MAX: usize = 126;

/// The keys by which `serde_json` hands numbers and raw text to itself.
const RESERVED: [&str; 2] = [json::NUMBER_MARKER, "$serde_json::private::RawValue"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_format_is_listed_once() {
        let names: Vec<&str> = CODECS.iter().map(|codec| codec.name).collect();
        assert_eq!(names, ["json", "form", "multipart", "xml", "text"]);
        for codec in CODECS {
            assert!(codec.about.ends_with('.') && !codec.media_types.is_empty());
            let with_format = |other: &&Codec| other.format == codec.format;
            assert_eq!(CODECS.iter().filter(with_format).count(), 1);
        }
    }

    #[test]
    fn what_is_written_goes_by_its_usual_media_type() {
        for codec in CODECS {
            let document = match codec.format {
                Format::Text => json!("x"),
                _ => json!({"a": "x"}),
            };
            let Encoded { content_type, body } = encode(codec.format, &document).unwrap();
            assert!(
                content_type.starts_with(codec.media_types[0]),
                "{content_type}"
            );
            let read = decode(
                codec.format,
                Some(content_type),
                None,
                &body,
                &Limits::default(),
            );
            assert_eq!(read, Ok(document));
        }
    }

    #[test]
    fn no_message_repeats_the_body() {
        let secret = "5ecret";
        for codec in CODECS {
            for body in [
                format!("{{\"{secret}\":1,\"{secret}\":1}}"),
                format!("<{secret} a='{secret}'>&{secret};</{secret}x>"),
                format!("%FF{secret}\u{0}"),
            ] {
                let limits = Limits {
                    nodes_max: 1,
                    ..Limits::default()
                };
                for content_type in [None, Some("a; boundary=5ecret; charset=gbk")] {
                    let read = decode(codec.format, content_type, None, body.as_bytes(), &limits);
                    if let Err(fault) = read {
                        assert!(!format!("{fault} {fault:?}").contains(secret), "{fault}");
                    }
                }
            }
        }
    }
}
