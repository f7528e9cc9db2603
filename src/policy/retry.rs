//! A retry policy: what is sent again, how soon, how often, and when nothing is sent any more.

use std::time::Duration;

use http::StatusCode;

use crate::policy::Provenance;
use crate::yaml::{Fault, Faults, Fields, Node, Read};

/// How calls of a family are sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Its name in `policies/`.
    pub name: String,
    /// How sure this is.
    pub provenance: Provenance,
    /// How often a call is sent at most.
    pub attempts_max: u32,
    /// The longest wait before the second attempt; it doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// The statuses after which a call that may be repeated is.
    pub statuses: Vec<StatusCode>,
    /// How many attempts more there may be than calls, in percent.
    pub budget_percent: u32,
    /// After which time a read is sent a second time beside the first.
    pub hedge_after: Option<Duration>,
    /// When nothing is sent any more.
    pub breaker: Option<Breaker>,
}

/// When an upstream is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// The share of failed calls, in percent.
    pub failures_percent: u32,
    /// Fewer calls say nothing.
    pub calls_min: u32,
    /// Within which time; whole seconds, at most a minute.
    pub window: Duration,
    /// For how long.
    pub pause: Duration,
}

impl Retry {
    pub(super) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let statuses = fields.or("statuses", Vec::<usize>::new());
        let retry = Self {
            name: name.to_owned(),
            provenance: provenance?,
            attempts_max: bounded(&mut fields, "attempts_max", 3, 1..=10),
            first: fields.or("first", Duration::from_millis(50)),
            max: fields.or("max", Duration::from_secs(2)),
            statuses: statuses
                .into_iter()
                .filter_map(|status| failing(status, node, faults))
                .collect(),
            budget_percent: bounded(&mut fields, "budget_percent", 20, 0..=100),
            hedge_after: fields.optional("hedge_after"),
            breaker: match fields.node("breaker") {
                None => None,
                Some(node) if node.text() == Some("none") => None,
                Some(node) => Breaker::read(node, faults),
            },
        };
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        Some(retry)
    }
}

impl Breaker {
    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let window: Duration = fields.or("window", Duration::from_secs(10));
        if window < Duration::from_secs(1) || window > WINDOW_MAX {
            let place = node.child("window").unwrap_or(node);
            faults.push(
                Fault::at(place, "the window is no time between 1s and 60s")
                    .help("write `window: 10s`"),
            );
        }
        let breaker = Self {
            failures_percent: bounded(&mut fields, "failures_percent", 50, 1..=100),
            calls_min: bounded(&mut fields, "calls_min", 20, 1..=100_000),
            window,
            pause: fields.or("pause", Duration::from_secs(5)),
        };
        fields.finish();
        Some(breaker)
    }
}

/// A status that tells of a failure.
fn failing(status: usize, node: &Node, faults: &Faults) -> Option<StatusCode> {
    let known = u16::try_from(status).ok();
    let known =
        known.filter(|status| *status == 408 || *status == 429 || (500..600).contains(status));
    if known.is_none() {
        let place = node.child("statuses").unwrap_or(node);
        faults.push(
            Fault::at(
                place,
                format!("{status} is no status after which a call is repeated"),
            )
            .help("write 408, 429, or statuses from 500 to 599: `[429, 502, 503, 504]`"),
        );
    }
    StatusCode::from_u16(known?).ok()
}

fn bounded(
    fields: &mut Fields<'_>,
    key: &'static str,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
) -> u32 {
    let Some(node) = fields.node(key) else {
        return default;
    };
    let faults = fields.faults();
    let read = usize::read(node, faults).and_then(|number| u32::try_from(number).ok());
    if let Some(read) = read.filter(|number| range.contains(number)) {
        return read;
    }
    let (from, to) = range.into_inner();
    faults.push(
        Fault::at(node, format!("`{key}` is no number from {from} to {to}"))
            .help(format!("write for example `{key}: {default}`")),
    );
    default
}

const WINDOW_MAX: Duration = Duration::from_mins(1);
