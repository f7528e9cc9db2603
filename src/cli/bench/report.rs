//! What a load came to, as text for people and as JSON for scripts.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::aim::Aim;
use super::distribution::Distribution;
use super::load::{Outcome, Plan};
use super::tally::{KINDS, Kind, TOTAL, Tally};
use crate::cli::print;

/// Prints the report for people.
pub(super) fn text((aim, plan): (&Aim, &Plan), outcome: &Outcome) {
    let Outcome {
        tally,
        elapsed,
        unsent,
        ..
    } = outcome;
    let (how, early) = (
        how(plan),
        if outcome.is_early {
            ", ended early"
        } else {
            ""
        },
    );
    let elapsed_s = elapsed.as_secs_f64();
    print::line(&format!("{aim}\n{how}; {elapsed_s:.2} s{early}\n"));
    let (rate, bytes) = (per_second(tally.requests(), *elapsed), tally.body_bytes);
    let mut rows = vec![
        [
            "requests".to_owned(),
            format!("{}, {rate:.1}/s", tally.requests()),
        ],
        [
            "bodies".to_owned(),
            format!(
                "{bytes} bytes, {:.1} KiB/s",
                per_second(bytes, *elapsed) / 1024.0
            ),
        ],
        [
            "statuses".to_owned(),
            listed(
                tally
                    .statuses
                    .iter()
                    .map(|(status, count)| format!("{status}: {count}")),
            ),
        ],
        ["failures".to_owned(), listed(failures(tally))],
    ];
    if *unsent > 0 {
        let unsent = format!("{unsent} were due while all connections were busy");
        rows.push(["not sent".to_owned(), unsent]);
    }
    print::columns(&rows);
    print::line("");
    print::columns(&latency(&tally.latency));
    let stages = stages(tally);
    if !stages.is_empty() {
        print::line("");
        print::columns(&stages);
    }
}

/// The report as one document. Durations are milliseconds.
pub(super) fn json((aim, plan): (&Aim, &Plan), outcome: &Outcome) -> Value {
    let Outcome { tally, elapsed, .. } = outcome;
    let statuses = tally.statuses.iter();
    let statuses: Map<String, Value> = statuses
        .map(|(status, count)| (status.to_string(), Value::from(*count)))
        .collect();
    let failures: Map<String, Value> = KINDS
        .iter()
        .map(|(kind, key, _)| ((*key).to_owned(), Value::from(tally.failures_of(*kind))))
        .collect();
    let mut latency = Map::new();
    latency.insert("min".to_owned(), ms(tally.latency.min()).into());
    latency.insert("mean".to_owned(), ms(tally.latency.mean()).into());
    for (key, _, part) in QUANTILES {
        latency.insert(key.to_owned(), ms(tally.latency.quantile(part)).into());
    }
    latency.insert("max".to_owned(), ms(tally.latency.max()).into());
    let whole = tally.total().map(Distribution::sum).unwrap_or_default();
    let all = tally.stages().into_iter();
    let all = all.chain(tally.total().map(|total| (TOTAL, total)));
    let stages: Vec<Value> = all
        .map(|(name, spent)| stage_json(name, spent, whole))
        .collect();
    json!({
        "url": aim.url(),
        "method": aim.method().as_str(),
        "connections": plan.connections,
        "rate_wanted": plan.rate,
        "warm_up_ms": ms(plan.warm_up),
        "duration_ms": ms(plan.duration),
        "elapsed_ms": ms(*elapsed),
        "ended_early": outcome.is_early,
        "requests": tally.requests(),
        "requests_per_second": rounded(per_second(tally.requests(), *elapsed)),
        "not_sent": outcome.unsent,
        "body_bytes": tally.body_bytes,
        "statuses": statuses,
        "failures": failures,
        "latency_ms": latency,
        "stages": stages,
    })
}

/// What went wrong and what to do about it; `None` where every reply was 2xx.
pub(super) fn fault(outcome: &Outcome) -> Option<String> {
    let tally = &outcome.tally;
    let refused = tally
        .statuses
        .iter()
        .filter(|(status, _)| !(200..300).contains(*status));
    let refused: u64 = refused.map(|(_, count)| *count).sum();
    let of_kind = |kind| tally.failures_of(kind);
    let [connect, timed_out, broken] = [Kind::Connect, Kind::TimedOut, Kind::Broken].map(of_kind);
    let last = tally.last.as_deref().unwrap_or("no reason is known");
    let requests = tally.requests();
    if refused > 0 {
        Some(format!(
            "{refused} of {requests} replies were not 2xx (the last reason: {last}): docs/failures.md \
             says what to do about each code"
        ))
    } else if timed_out > 0 {
        Some(format!(
            "{timed_out} of {requests} requests timed out: see what the gateway waits for (its log, /readyz), \
             or give them more time with --timeout"
        ))
    } else if broken > 0 {
        Some(format!(
            "{broken} of {requests} requests broke off ({last}): see in the gateway's log whether it ended"
        ))
    } else if connect > 0 {
        Some(format!(
            "{connect} connections were not made ({last}): look whether the gateway still runs and takes \
             so many (`connections_max`), or raise `ulimit -n`"
        ))
    } else if tally.replies() == 0 {
        Some("no request was measured: give it more time with --duration, or ask for less with --rate".to_owned())
    } else {
        None
    }
}

/// `64 connections, each sends when its reply is here`.
fn how(plan: &Plan) -> String {
    let connections = print::count(plan.connections.into(), "connection");
    match plan.rate {
        None => format!("{connections}, each sends when its last reply is here"),
        Some(rate) => format!("{connections}, {rate} requests a second are due"),
    }
}

fn failures(tally: &Tally) -> impl Iterator<Item = String> {
    let counted = KINDS
        .iter()
        .map(|(kind, _, words)| (tally.failures_of(*kind), words));
    let counted = counted.filter(|(count, _)| *count > 0);
    counted.map(|(count, words)| format!("{count} {words}"))
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

/// The latency, a name over each figure.
fn latency(latency: &Distribution) -> [[String; 2]; 2] {
    let mut figures = vec![("min", latency.min()), ("mean", latency.mean())];
    figures.extend(QUANTILES.map(|(_, name, part)| (name, latency.quantile(part))));
    figures.push(("max", latency.max()));
    let names = figures.iter().map(|(name, _)| format!("{name:>WIDTH$}"));
    let names: Vec<String> = names.collect();
    let figures: Vec<String> = figures
        .into_iter()
        .map(|(_, spent)| figure(spent))
        .collect();
    [
        ["latency, ms".to_owned(), names.join("  ")],
        [String::new(), figures.join("  ")],
    ]
}

/// A line for each stage, its heading above and the whole below; empty where replies tell of none.
fn stages(tally: &Tally) -> Vec<[String; 5]> {
    let Some(total) = tally.total() else {
        return Vec::new();
    };
    let names = ["mean", "p50", "p99", "share"];
    let [mean, p50, p99, part] = names.map(|name| format!("{name:>WIDTH$}"));
    let mut rows = vec![["stage, ms".to_owned(), mean, p50, p99, part]];
    let row = |name: &str, spent: &Distribution| {
        let [mean, p50, p99] =
            [spent.mean(), spent.quantile(0.5), spent.quantile(0.99)].map(figure);
        let share = share(spent.sum(), total.sum()) * 100.0;
        [name.to_owned(), mean, p50, p99, format!("{share:>7.1} %")]
    };
    rows.extend(
        tally
            .stages()
            .into_iter()
            .map(|(name, spent)| row(name, spent)),
    );
    rows.push(row(TOTAL, total));
    let outside = tally.latency.mean().saturating_sub(total.mean());
    let nothing = String::new;
    rows.push([
        "outside".to_owned(),
        figure(outside),
        nothing(),
        nothing(),
        nothing(),
    ]);
    rows
}

fn stage_json(name: &str, spent: &Distribution, whole: Duration) -> Value {
    json!({
        "name": name,
        "replies": spent.count(),
        "mean_ms": ms(spent.mean()),
        "p50_ms": ms(spent.quantile(0.5)),
        "p99_ms": ms(spent.quantile(0.99)),
        "share": rounded(share(spent.sum(), whole)),
    })
}

fn figure(duration: Duration) -> String {
    format!("{:>WIDTH$.3}", duration.as_secs_f64() * 1000.0)
}

/// Milliseconds, to a microsecond.
fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

/// Three places after the point.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        0.0
    } else {
        part.as_secs_f64() / whole.as_secs_f64()
    }
}

/// 0 where no time passed.
fn per_second(count: u64, elapsed: Duration) -> f64 {
    // In thousands and a rest, each of which a float holds exactly.
    let [thousands, rest] =
        [count / 1000, count % 1000].map(|part| u32::try_from(part).unwrap_or(u32::MAX));
    let count = f64::from(thousands) * 1000.0 + f64::from(rest);
    if elapsed.is_zero() {
        0.0
    } else {
        count / elapsed.as_secs_f64()
    }
}

/// The percentiles of a report: their keys in JSON, their names for people, what they are.
const QUANTILES: [(&str, &str, f64); 4] = [
    ("p50", "p50", 0.5),
    ("p90", "p90", 0.9),
    ("p99", "p99", 0.99),
    ("p99_9", "p99.9", 0.999),
];
/// How wide a figure is.
const WIDTH: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(tally: Tally) -> Outcome {
        Outcome {
            tally,
            elapsed: Duration::from_secs(1),
            is_early: false,
            unsent: 0,
        }
    }

    #[test]
    fn each_failure_is_told_with_what_to_do() {
        let mut tally = Tally::new().unwrap();
        let told = |tally: &Tally| fault(&outcome(tally.clone())).unwrap();
        assert!(told(&tally).contains("--duration"));
        tally.failed(Kind::Connect, 3, Some("refused".to_owned()));
        let connect = "3 connections were not made (refused): ";
        assert!(told(&tally).starts_with(connect), "{}", told(&tally));
        tally.failed(Kind::Broken, 2, Some("reset".to_owned()));
        let broken = "2 of 2 requests broke off (reset): ";
        assert!(told(&tally).starts_with(broken), "{}", told(&tally));
        tally.timed_out(Duration::from_secs(1));
        let timed_out = "1 of 3 requests timed out: ";
        assert!(told(&tally).starts_with(timed_out), "{}", told(&tally));
    }

    #[test]
    fn requests_that_a_person_cut_off_are_no_failure() {
        let mut tally = Tally::new().unwrap();
        let reply = super::super::tally::Reply {
            status: 204,
            timing: None,
            body_bytes: 0,
            code: None,
        };
        tally.replied(&reply, Duration::from_millis(1));
        tally.failed(Kind::CutOff, 1, None);
        assert_eq!(fault(&outcome(tally)), None);
    }

    #[test]
    fn a_rate_is_told_of_any_number() {
        let minute = Duration::from_mins(1);
        assert!((per_second(90, minute) - 1.5).abs() < 1e-9);
        assert!((per_second(60_000_000_000, minute) - 1e9).abs() < 1e-3);
        assert!(per_second(1, Duration::ZERO).abs() < 1e-9);
    }
}
