//! Where one HTTP/1 message ends and the next begins, decided strictly (RFC 9112).
//!
//! Pure and synchronous: bytes in, a verdict out. Nothing is repaired and nothing is guessed: a
//! head that two readers could take in two ways is refused. What is absent: reading, buffering,
//! and the status each fault is answered with.

use thiserror::Error;

mod chunk;
mod head;

pub use chunk::{
    CHUNK_LINE_BYTES_MAX, ChunkScanner, Progress, Scanned, TRAILER_BYTES_MAX, TRAILERS_MAX,
};
pub use head::{HeadScanner, check_head};

/// The method of the head that stands in for a refused one.
///
/// [`check_head`] refuses it like any other fault, so that only the gate can send it.
pub const REFUSED_METHOD: &str = "PINTLE-REFUSED";

/// How much of a head is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, from the request line to the empty line, both included.
    pub head_bytes_max: usize,
    /// Header lines. Keep it at or below the limit of the parser behind.
    pub headers_max: usize,
    /// Bytes of the request target.
    pub target_bytes_max: usize,
}

/// How the body after a head is delimited (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body: neither `Content-Length` nor `Transfer-Encoding` was sent.
    None,
    /// The body is exactly so many bytes, perhaps zero.
    Length(u64),
    /// The body is chunked.
    Chunked,
}

/// Declares the faults once: the variant, its stable code and its phrase.
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $phrase:literal;)+) => {
        /// Why the bytes of a connection are not taken for HTTP/1 messages.
        ///
        /// The phrase says what was wrong and nothing else: it may be shown to the sender.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
        pub enum FramingFault {
            $($(#[doc = $doc])+ #[error($phrase)] $name,)+
        }

        impl FramingFault {
            /// Every fault there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable name of this fault, in snake case.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

faults! {
    /// The head is longer than [`HeadLimits::head_bytes_max`].
    HeadTooLong = "head_too_long", "the head of the request is too long";
    /// There are more header lines than [`HeadLimits::headers_max`].
    TooManyHeaders = "too_many_headers", "the request has too many header lines";
    /// The target is longer than [`HeadLimits::target_bytes_max`].
    TargetTooLong = "target_too_long", "the request target is too long";
    /// The bytes do not end with the one empty line that ends a head.
    Incomplete = "head_incomplete", "the head does not end with one empty line";
    /// A line feed without a carriage return before it (RFC 9112, section 2.2).
    BareLineFeed = "bare_line_feed", "a line ends with a bare line feed";
    /// A carriage return without a line feed after it (RFC 9112, section 2.2).
    BareCarriageReturn = "bare_carriage_return", "there is a bare carriage return";
    /// The request line is not method, target and version with one space between.
    RequestLine = "bad_request_line", "the request line is malformed";
    /// The method is not a token (RFC 9110, section 5.6.2).
    Method = "bad_method", "the method is not a token";
    /// The method is [`REFUSED_METHOD`].
    ReservedMethod = "reserved_method", "the method is reserved";
    /// `CONNECT` was asked of something that is not a proxy.
    Connect = "connect_method", "this is not a proxy: CONNECT is refused";
    /// The target is in no form that fits the method (RFC 9112, section 3.2).
    TargetForm = "bad_target_form", "the form of the request target does not fit the method";
    /// The target has a character or an escape that RFC 3986 does not allow.
    Target = "bad_target", "the request target has a character that is not allowed";
    /// The version is neither `HTTP/1.0` nor `HTTP/1.1`.
    Version = "bad_version", "the version is neither HTTP/1.0 nor HTTP/1.1";
    /// A header line starts with whitespace (RFC 9112, sections 2.2 and 5.2).
    FoldedHeader = "folded_header", "a header line starts with whitespace";
    /// A header line has no colon.
    NoColon = "no_colon", "a header line has no colon";
    /// There is whitespace between a header name and its colon (RFC 9112, section 5.1).
    SpaceBeforeColon = "space_before_colon", "there is whitespace before the colon of a header";
    /// A header name is empty or not a token.
    HeaderName = "bad_header_name", "a header name is not a token";
    /// A header value has a control character other than a tab.
    HeaderValue = "bad_header_value", "a header value has a control character";
    /// HTTP/1.1 without `Host` (RFC 9112, section 3.2).
    MissingHost = "missing_host", "there is no Host header";
    /// More than one `Host`.
    DuplicateHost = "duplicate_host", "there is more than one Host header";
    /// `Host`, or the authority of the target, is not a host with an optional port.
    Host = "bad_host", "the host is not a name or address with an optional port";
    /// The authority in the target is not the one in `Host`.
    HostMismatch = "host_mismatch", "the request target and the Host header differ";
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112, section 6.3).
    LengthAndEncoding = "length_and_encoding",
        "there is both a Content-Length and a Transfer-Encoding header";
    /// More than one `Content-Length`, equal or not.
    DuplicateLength = "duplicate_length", "there is more than one Content-Length header";
    /// `Content-Length` is not 1 to 18 digits.
    Length = "bad_length", "the Content-Length header is not a number";
    /// More than one `Transfer-Encoding`.
    DuplicateEncoding = "duplicate_encoding", "there is more than one Transfer-Encoding header";
    /// `Transfer-Encoding` is not exactly `chunked`.
    Encoding = "bad_encoding", "the Transfer-Encoding header is not exactly chunked";
    /// `Transfer-Encoding` in HTTP/1.0 (RFC 9112, section 6.1).
    EncodingInOldVersion = "encoding_in_old_version",
        "a Transfer-Encoding header is not allowed in HTTP/1.0";
    /// A chunk size is not 1 to 16 hexadecimal digits below 2^63.
    ChunkSize = "bad_chunk_size", "a chunk size is not a hexadecimal number";
    /// A chunk extension is too long or not visible ASCII.
    ChunkExtension = "bad_chunk_extension", "a chunk extension is too long or malformed";
    /// The data of a chunk is not followed by the end of a line.
    ChunkEnd = "bad_chunk_end", "the data of a chunk is longer than its size";
    /// A trailer line is malformed.
    Trailer = "bad_trailer", "a trailer line is malformed";
    /// The trailers are more than [`TRAILERS_MAX`] or longer than [`TRAILER_BYTES_MAX`].
    TrailersTooLong = "trailers_too_long", "the trailers are too long";
}

impl FramingFault {
    /// The fault with this code, as [`FramingFault::code`] gives it.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.code() == code)
    }
}

/// Whether this byte may stand in a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether this byte may not stand in a field value (RFC 9110, section 5.5).
fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

#[cfg(test)]
mod tests;
