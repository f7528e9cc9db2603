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
        let mut text = Vec::new();
        self.encode_into(bytes, &mut text);
        text
    }

    /// Writes bytes in place of what `text` holds.
    pub fn encode_into(self, bytes: &[u8], text: &mut Vec<u8>) {
        text.clear();
        match self {
            Self::Base64 => STANDARD.encode_append(bytes, text),
            Self::Base64Url => URL_SAFE_NO_PAD.encode_append(bytes, text),
            Self::Hex => hex_into(bytes, text),
            Self::Raw => text.extend_from_slice(bytes),
        }
    }

    /// Reads bytes; anything around the text, such as a line break, is wrong.
    pub fn decode(self, text: &[u8]) -> Result<Vec<u8>, OpenFailure> {
        let mut bytes = Vec::new();
        self.decode_into(text, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads bytes in place of what `bytes` holds; after a failure that is nothing of use.
    pub fn decode_into(self, text: &[u8], bytes: &mut Vec<u8>) -> Result<(), OpenFailure> {
        bytes.clear();
        match self {
            Self::Base64 => STANDARD
                .decode_append(text, bytes)
                .map_err(|_| OpenFailure::Encoding),
            Self::Base64Url => URL_SAFE_NO_PAD
                .decode_append(text, bytes)
                .map_err(|_| OpenFailure::Encoding),
            Self::Hex => unhex_into(text, bytes).ok_or(OpenFailure::Encoding),
            Self::Raw => {
                bytes.extend_from_slice(text);
                Ok(())
            }
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    String::from_utf8(Encoding::Hex.encode(bytes)).unwrap_or_default()
}

fn hex_into(bytes: &[u8], text: &mut Vec<u8>) {
    // Sums, not branches or a table: sixteen digits at once.
    let digit = |nibble: u8| b'0' + nibble + u8::from(nibble > 9) * (b'a' - b'9' - 1);
    text.resize(bytes.len() * 2, 0);
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

fn unhex_into(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
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
    bytes.reserve(pairs.len());
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(())
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
