//! The id that one call keeps in logs, replies, problems and at the platform.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

/// The id of one call. Unique over processes (64 random bits) and within one (a counter).
///
/// It is no secret and proves nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A new id: 24 lower-case hex digits.
    pub fn fresh() -> Self {
        static PROCESS: LazyLock<u128> = LazyLock::new(|| u128::from(fastrand::u64(..)) << 32);
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let number = PROCESS.wrapping_add(u128::from(serial)).to_be_bytes();
        let mut text = [b'0'; 24];
        for (byte, digits) in number.iter().skip(4).zip(text.chunks_exact_mut(2)) {
            digits.copy_from_slice(&hex_digits(*byte));
        }
        Self(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("unnamed")))
    }

    /// The id that the downstream sent, if it is 1 to 64 of `A-Z a-z 0-9 . _ -`; else a new one.
    pub fn accept(offered: Option<&HeaderValue>) -> Self {
        let fits = |value: &&HeaderValue| {
            (1..=64).contains(&value.len())
                && value
                    .as_bytes()
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        offered
            .filter(fits)
            .map_or_else(Self::fresh, |value| Self(value.clone()))
    }

    /// As the value of a header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("unnamed")
    }
}

/// A byte as two lower-case hex digits.
fn hex_digits(byte: u8) -> [u8; 2] {
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    [digit(byte >> 4), digit(byte & 0xf)]
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offered_id_is_kept_only_if_it_is_harmless() {
        let kept = HeaderValue::from_static("order-17.b_2");
        assert_eq!(RequestId::accept(Some(&kept)).as_str(), "order-17.b_2");
        let long = "x".repeat(65);
        for bad in ["", "a b", "a\"b", long.as_str()] {
            let bad = HeaderValue::from_str(bad).unwrap();
            assert_ne!(RequestId::accept(Some(&bad)).header(), bad);
        }
        assert_ne!(RequestId::fresh(), RequestId::fresh());
        let fresh = RequestId::fresh();
        let fits = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
        assert!(fresh.as_str().len() == 24 && fresh.as_str().chars().all(fits));
        assert_eq!(hex_digits(0x0a), *b"0a");
        assert_eq!(hex_digits(0xf9), *b"f9");
    }
}
