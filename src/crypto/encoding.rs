//! How sealed bytes are written.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};

use crate::crypto::OpenFailure;

/// How sealed bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Standard base64 with padding (RFC 4648, section 4).
    Base64,
    /// URL-safe base64 without padding (RFC 4648, section 5).
    Base64Url,
    /// Lower-case hex; read in either case.
    Hex,
    /// The bytes as they are.
    Raw,
}

/// Each encoding with the word that files use.
pub const ENCODINGS: [(&str, Encoding); 4] = [
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
    ("hex", Encoding::Hex),
    ("raw", Encoding::Raw),
];

impl Encoding {
    /// Writes bytes.
    pub fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Base64 => STANDARD.encode_type(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode_type(bytes),
            Self::Hex => hex(bytes).into_bytes(),
            Self::Raw => bytes.to_vec(),
        }
    }

    /// Reads bytes; anything around the text, such as a line break, is wrong.
    pub fn decode(self, text: &[u8]) -> Result<Vec<u8>, OpenFailure> {
        match self {
            Self::Base64 => STANDARD
                .decode_type(text)
                .map_err(|_| OpenFailure::Encoding),
            Self::Base64Url => URL_SAFE_NO_PAD
                .decode_type(text)
                .map_err(|_| OpenFailure::Encoding),
            Self::Hex => unhex(text).ok_or(OpenFailure::Encoding),
            Self::Raw => Ok(text.to_vec()),
        }
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| {
        char::from(if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        })
    };
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: Vec<u8>) {
            for (name, encoding) in ENCODINGS {
                prop_assert_eq!(encoding.decode(&encoding.encode(&bytes)).unwrap(), &*bytes, "{}", name);
            }
        }
    }

    #[test]
    fn what_is_not_written_so_is_refused() {
        for text in ["a", "ab=", "ab==\n", "a-b_", " abcd", "ab=c"] {
            assert_eq!(
                Encoding::Base64.decode(text.as_bytes()),
                Err(OpenFailure::Encoding),
                "{text}"
            );
        }
        for text in ["a", "0g", "0 "] {
            assert_eq!(
                Encoding::Hex.decode(text.as_bytes()),
                Err(OpenFailure::Encoding),
                "{text}"
            );
        }
        assert_eq!(Encoding::Hex.decode(b"0Af9").unwrap(), [0x0a, 0xf9]);
    }
}
