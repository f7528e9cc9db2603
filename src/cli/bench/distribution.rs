//! How a duration was distributed, in memory that does not grow.

use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

/// Durations that were counted. Percentiles are right to one in a thousand, the rest is exact.
#[derive(Debug, Clone)]
pub(super) struct Distribution {
    /// In nanoseconds.
    histogram: Histogram<u64>,
    sum: Duration,
    min: Option<Duration>,
    max: Duration,
}

impl Distribution {
    /// Nothing yet.
    pub(super) fn new() -> Result<Self, CreationError> {
        Histogram::new_with_max(NANOSECONDS_MAX, DIGITS).map(Self::of)
    }

    /// Nothing yet, beside another one.
    pub(super) fn beside(other: &Self) -> Self {
        Self::of(Histogram::new_from(&other.histogram))
    }

    fn of(histogram: Histogram<u64>) -> Self {
        Self {
            histogram,
            sum: Duration::ZERO,
            min: None,
            max: Duration::ZERO,
        }
    }

    /// Counts one.
    pub(super) fn record(&mut self, spent: Duration) {
        let nanoseconds = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(nanoseconds);
        self.sum = self.sum.saturating_add(spent);
        self.min = Some(self.min.map_or(spent, |min| min.min(spent)));
        self.max = self.max.max(spent);
    }

    /// How many were counted.
    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// All of them together.
    pub(super) fn sum(&self) -> Duration {
        self.sum
    }

    /// The shortest.
    pub(super) fn min(&self) -> Duration {
        self.min.unwrap_or_default()
    }

    /// The longest.
    pub(super) fn max(&self) -> Duration {
        self.max
    }

    /// The arithmetic mean.
    pub(super) fn mean(&self) -> Duration {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        self.sum.checked_div(count).unwrap_or_default()
    }

    /// The least duration that so large a part of them does not exceed; 0.99 for the 99th
    /// percentile.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        let nanoseconds = self.histogram.value_at_quantile(part);
        // What stands for its neighbours may lie a little past the longest.
        Duration::from_nanos(nanoseconds).clamp(self.min(), self.max)
    }
}

/// Two hours.
const NANOSECONDS_MAX: u64 = 7_200_000_000_000;
const DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut counted = Distribution::new().unwrap();
        for ms in (1..=1000).rev() {
            counted.record(Duration::from_millis(ms));
        }
        let near = |part: f64, ms: u64| {
            let told = counted.quantile(part);
            let off = told.abs_diff(Duration::from_millis(ms));
            assert!(off <= told / 1000, "{part}: {told:?}");
        };
        near(0.5, 500);
        near(0.9, 900);
        near(0.99, 990);
        near(0.999, 999);
        assert_eq!(counted.min(), Duration::from_millis(1));
        assert_eq!(counted.max(), Duration::from_secs(1));
        assert_eq!(counted.quantile(1.0), counted.max());
        assert_eq!(counted.mean(), Duration::from_micros(500_500));
        assert_eq!(counted.count(), 1000);
    }

    #[test]
    fn nothing_and_too_much_are_no_fault() {
        let mut counted = Distribution::new().unwrap();
        assert_eq!(counted.mean(), Duration::ZERO);
        assert_eq!(counted.quantile(0.99), Duration::ZERO);
        counted.record(Duration::from_hours(3));
        assert_eq!(counted.max(), Duration::from_hours(3));
        assert_eq!(counted.quantile(0.5), Duration::from_hours(3));
        let beside = Distribution::beside(&counted);
        assert_eq!((beside.count(), beside.sum()), (0, Duration::ZERO));
    }
}
