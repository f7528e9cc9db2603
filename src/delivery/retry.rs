//! When a failed delivery is tried again, and for how long at all.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::store::UnixMs;

/// How often a delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The longest wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest wait at all.
    pub max: Duration,
    /// How long after the event came it is tried at all.
    pub horizon: Duration,
}

impl Retry {
    /// When the next attempt is due; `None` when the horizon is reached.
    ///
    /// The wait is drawn evenly between nothing and twice the last one ("full jitter"), so that
    /// the many that failed together do not come back together. What the target asked for in
    /// `Retry-After` is a lower bound, within `max`.
    pub(super) fn due(
        &self,
        attempt: u32,
        asked: Option<Duration>,
        (received_ms, now_ms): (UnixMs, UnixMs),
    ) -> Option<UnixMs> {
        let doubled = self
            .first
            .saturating_mul(1 << attempt.saturating_sub(1).min(24));
        let cap = millis(doubled.min(self.max)).max(LEAST_MS);
        let drawn = fastrand::i64(LEAST_MS..=cap);
        let asked = asked.map_or(0, |asked| millis(asked.min(self.max)));
        let due_ms = now_ms.saturating_add(drawn.max(asked));
        let end_ms = received_ms.saturating_add(millis(self.horizon));
        (due_ms < end_ms).then_some(due_ms)
    }
}

/// What a target asks for in `Retry-After` (RFC 9110, section 10.2.3), in either of its forms.
pub(super) fn retry_after(headers: &HeaderMap, now_ms: UnixMs) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(text).ok()?;
    let wait_ms = moment.timestamp().as_millisecond().saturating_sub(now_ms);
    Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// A duration in milliseconds.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

const LEAST_MS: i64 = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const RETRY: Retry = Retry {
        first: Duration::from_secs(1),
        max: Duration::from_mins(10),
        horizon: Duration::from_hours(1),
    };

    #[test]
    fn waits_double_up_to_the_greatest_and_end_at_the_horizon() {
        for (attempt, cap_ms) in [
            (1, 1_000),
            (2, 2_000),
            (5, 16_000),
            (12, 600_000),
            (99, 600_000),
        ] {
            let dues: Vec<i64> = (0..400)
                .map(|_| RETRY.due(attempt, None, (0, 0)).unwrap())
                .collect();
            assert!(dues.iter().all(|due| (LEAST_MS..=cap_ms).contains(due)));
            assert!(dues.iter().any(|due| *due > cap_ms / 2), "{attempt}");
            assert!(dues.iter().any(|due| *due < cap_ms / 2), "{attempt}");
        }
        assert_eq!(RETRY.due(1, None, (0, 3_600_000)), None);
    }

    #[test]
    fn what_the_target_asks_for_is_honoured_within_bounds() {
        let asked = Some(Duration::from_secs(30));
        assert!(RETRY.due(1, asked, (0, 0)).unwrap() >= 30_000);
        let too_long = Some(Duration::from_hours(5));
        assert_eq!(RETRY.due(1, too_long, (0, 0)), Some(600_000));
        for (text, expected_s) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            let found = retry_after(&headers, 784_111_740_000);
            assert_eq!(found, expected_s.map(Duration::from_secs), "{text}");
        }
    }
}
