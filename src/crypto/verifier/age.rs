//! How old a signed timestamp may be, in either direction.

use std::time::Duration;

use http::HeaderName;

use super::ProofFailure;

/// A timestamp that a sender signs along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// Where it stands.
    pub place: TimestampPlace,
    /// What it counts.
    pub unit: TimestampUnit,
    /// How far it may be from now, to either side.
    pub tolerance: Duration,
}

/// Where a timestamp stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimestampPlace {
    /// In a header of its own.
    Header(HeaderName),
    /// In the list of the signature's header, under this key.
    Param(String),
}

/// What a timestamp counts, from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
}

/// Each unit with the word that files use.
pub const TIMESTAMP_UNITS: [(&str, TimestampUnit); 2] = [
    ("s", TimestampUnit::Second),
    ("ms", TimestampUnit::Millisecond),
];

impl Timestamp {
    /// Whether the time is near enough. At the tolerance exactly it is.
    pub(super) fn check(&self, text: &[u8], now_ms: i64) -> Result<(), ProofFailure> {
        let at_ms = match self.unit {
            TimestampUnit::Second => number(text)?.saturating_mul(1000),
            TimestampUnit::Millisecond => number(text)?,
        };
        let now_ms = match self.unit {
            // The sender has cut off its fraction of a second, too.
            TimestampUnit::Second => now_ms.saturating_sub(now_ms.rem_euclid(1000)),
            TimestampUnit::Millisecond => now_ms,
        };
        let tolerance_ms = i64::try_from(self.tolerance.as_millis()).unwrap_or(i64::MAX);
        if now_ms.saturating_sub(at_ms) > tolerance_ms {
            return Err(ProofFailure::Stale);
        }
        if at_ms.saturating_sub(now_ms) > tolerance_ms {
            return Err(ProofFailure::Future);
        }
        Ok(())
    }
}

/// Digits only, and one way to write each number: with a sign or zeros in front, digits could be
/// moved between the timestamp and what stands before it in the signed text.
fn number(text: &[u8]) -> Result<i64, ProofFailure> {
    let is_plain = text.iter().all(u8::is_ascii_digit) && text.first() != Some(&b'0');
    let text = str::from_utf8(text).ok().filter(|_| is_plain);
    text.and_then(|text| text.parse().ok())
        .ok_or(ProofFailure::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unit: TimestampUnit, text: &str, now_ms: i64) -> Result<(), ProofFailure> {
        let timestamp = Timestamp {
            place: TimestampPlace::Param("t".to_owned()),
            unit,
            tolerance: Duration::from_mins(5),
        };
        timestamp.check(text.as_bytes(), now_ms)
    }

    #[test]
    fn a_time_is_good_up_to_its_tolerance() {
        use TimestampUnit::{Millisecond, Second};
        for (unit, text, now_ms, expected) in [
            (Second, "1000", 1_300_000, Ok(())),
            (Second, "1000", 1_300_999, Ok(())),
            (Second, "1000", 1_301_000, Err(ProofFailure::Stale)),
            (Second, "1000", 700_000, Ok(())),
            (Second, "1000", 699_999, Err(ProofFailure::Future)),
            (Millisecond, "1000000", 1_300_000, Ok(())),
            (Millisecond, "1000000", 1_300_001, Err(ProofFailure::Stale)),
            (Millisecond, "1000000", 700_000, Ok(())),
            (Millisecond, "1000000", 699_999, Err(ProofFailure::Future)),
            (Second, "9223372036854775807", 0, Err(ProofFailure::Future)),
        ] {
            assert_eq!(check(unit, text, now_ms), expected, "{text} at {now_ms}");
        }
    }

    #[test]
    fn a_time_is_written_in_one_way() {
        for text in [
            "",
            "+1",
            "-1",
            "01",
            " 1",
            "1.5",
            "1e3",
            "٣",
            "9223372036854775808",
        ] {
            let said = check(TimestampUnit::Second, text, 1000);
            assert_eq!(said, Err(ProofFailure::Malformed), "{text}");
        }
    }
}
