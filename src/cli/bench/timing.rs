//! `Server-Timing`, read (W3C Server Timing, section 3).

use std::time::Duration;

/// The metrics of a header's value that have a duration, in their order.
pub(super) fn metrics(value: &str) -> Vec<(&str, Duration)> {
    let metrics = pieces(value, ',').take(METRICS_MAX);
    metrics.filter_map(metric).collect()
}

/// `name;dur=1.234`, in milliseconds.
fn metric(text: &str) -> Option<(&str, Duration)> {
    let mut parts = pieces(text, ';');
    let name = parts.next()?;
    let mut parameters = parts.filter_map(|part| part.split_once('='));
    let (_, ms) = parameters.find(|(key, _)| key.trim().eq_ignore_ascii_case("dur"))?;
    let ms: f64 = ms.trim().trim_matches('"').parse().ok()?;
    let spent = Duration::try_from_secs_f64(ms / 1000.0).ok()?;
    let name = name.trim();
    (!name.is_empty()).then_some((name, spent))
}

/// What stands between separators that are not quoted.
fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
}

/// Further ones of a header are not looked at.
const METRICS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Stage, Timing};

    fn check(value: &str, wanted: &[(&str, u64)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(name, us)| (*name, Duration::from_micros(*us)))
            .collect();
        assert_eq!(metrics(value), wanted, "{value}");
    }

    #[test]
    fn stages_are_read_with_their_durations() {
        check(
            "token;dur=0.120, total;dur=1.5",
            &[("token", 120), ("total", 1500)],
        );
        check(
            "cdn;desc=\"a, b;dur=9\";DUR=2,x;dur=\"3\"",
            &[("cdn", 2000), ("x", 3000)],
        );
        check(
            "miss, a;dur=, b;dur=x, c;dur=-1, ;dur=1, d;dur=inf, e;dur=NaN",
            &[],
        );
        check("", &[]);
        check("total", &[]);
    }

    #[test]
    fn what_the_gateway_writes_is_read() {
        let mut timing = Timing::start();
        timing.mark(Stage::Admit);
        let header = timing.header();
        let read = metrics(header.to_str().unwrap());
        let names: Vec<&str> = read.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["admit", "total"]);
    }

    #[test]
    fn a_long_header_costs_no_more_than_a_bound() {
        assert_eq!(metrics(&"a;dur=1,".repeat(1000)).len(), METRICS_MAX);
    }
}
