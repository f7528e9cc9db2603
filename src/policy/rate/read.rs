//! Rates as files have them.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Campaign, Counts, Names, Part, Rate, RateLimit, SHARE_PERCENT};
use crate::mapping::ScopeQuery;
use crate::yaml::{Fault, Faults, Fields, Node, Read, meant};

impl Rate {
    pub(in crate::policy) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let calls: Option<Vec<Names>> = fields.optional("calls");
        let pushes: Option<Vec<Names>> = fields.optional("pushes");
        let per: Vec<Part> = fields.or("per", Vec::new());
        let mut limits: Vec<RateLimit> = fields.or("limits", Vec::new());
        let in_flight_max = fields.optional("in_flight_max");
        let waiting_max = fields.or("waiting_max", WAITING_MAX);
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        let is_both = node.child("calls").is_some() == node.child("pushes").is_some();
        let counts = match (calls, pushes) {
            (Some(calls), None) => Counts::Calls(calls),
            (None, Some(pushes)) => Counts::Pushes(pushes),
            // What stands there is told where it stands.
            _ if !is_both => return None,
            _ => {
                faults.push(
                    Fault::at(node, "a rate counts calls or pushes, one of the two")
                        .help("write `calls: [\"*\"]`, or `pushes: [\"*\"]`"),
                );
                return None;
            }
        };
        if limits.is_empty() && in_flight_max.is_none() && node.child("limits").is_none() {
            faults.push(
                Fault::at(node, "this rate limits nothing")
                    .help("add `limits: [{ max: 20, per: 1s }]`, or `in_flight_max: 64`"),
            );
            return None;
        }
        check_parts(node, &counts, &per, faults)?;
        limits.sort_by_key(|limit| limit.per);
        Some(Self {
            name: name.to_owned(),
            provenance: provenance?,
            counts,
            per,
            limits,
            in_flight_max,
            waiting_max,
        })
    }
}

/// What a call has, a push may not have, and the other way round.
fn check_parts(node: &Node, counts: &Counts, per: &[Part], faults: &Faults) -> Option<()> {
    let (of_calls, of_pushes) = (
        [Part::Family, Part::Operation, Part::Caller],
        [Part::Route, Part::Partner],
    );
    let (wrong, what, help) = match counts {
        Counts::Calls(_) => (
            of_pushes.as_slice(),
            "a call has no route and no partner",
            "write `account`, `family`, `operation`, `caller`, or a selector",
        ),
        Counts::Pushes(_) => (
            of_calls.as_slice(),
            "a push has no family, no operation and no caller",
            "write `account`, `route`, `partner`, or a selector",
        ),
    };
    if per.iter().any(|part| wrong.contains(part)) {
        let place = node.child("per").unwrap_or(node);
        faults.push(Fault::at(place, what).help(help));
        return None;
    }
    Some(())
}

impl Read for Names {
    const EXAMPLE: &'static str = "workflow.*";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        let beginning = text.strip_suffix('*');
        if text.is_empty() || beginning.unwrap_or(&text).contains('*') {
            faults.push(
                Fault::at(node, format!("`{text}` is no name")).help(
                    "write a whole name, or its beginning with a `*` at the end: `workflow.*`",
                ),
            );
            return None;
        }
        Some(match beginning {
            Some(beginning) => Self::Beginning(beginning.to_owned()),
            None => Self::One(text),
        })
    }
}

impl Read for Part {
    const EXAMPLE: &'static str = "account";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        if text.starts_with('$') {
            let query = ScopeQuery::read(node, faults)?;
            if query.is_of_body() {
                faults.push(
                    Fault::at(node, "rates are counted before the body is read")
                        .help("begin with `$.headers` or `$.query`"),
                );
                return None;
            }
            return Some(Self::Value(query));
        }
        let found = part(&text);
        if found.is_none() {
            faults.push(
                Fault::at(node, format!("`{text}` tells no counts apart"))
                    .label("not known")
                    .help(meant(&text, PARTS)),
            );
        }
        found
    }
}

fn part(word: &str) -> Option<Part> {
    Some(match word {
        "account" => Part::Account,
        "family" => Part::Family,
        "operation" => Part::Operation,
        "caller" => Part::Caller,
        "route" => Part::Route,
        "partner" => Part::Partner,
        _ => return None,
    })
}

/// The words of [`part`].
const PARTS: [&str; 6] = [
    "account",
    "family",
    "operation",
    "caller",
    "route",
    "partner",
];

impl Read for RateLimit {
    const EXAMPLE: &'static str = "{ max: 20, per: 1s }";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let max: Option<usize> = fields.required("max");
        let per: Option<Duration> = fields.required("per");
        let burst: Option<usize> = fields.optional("burst");
        fields.finish();
        let number = |number: usize| NonZeroU32::new(u32::try_from(number).ok()?);
        let max = number(max?)?;
        // A tenth at once, where nothing is said: what comes evenly never waits for that.
        let tenth = max.get().div_ceil(10);
        Some(Self {
            max,
            per: per?,
            burst: burst.and_then(number).or_else(|| NonZeroU32::new(tenth))?,
        })
    }
}

impl Campaign {
    pub(in crate::policy) fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let share = fields.optional::<usize>("share_percent");
        let calls = fields.or("calls", Vec::new());
        let callers = fields.or("callers", Vec::new());
        fields.finish();
        let share = share.map_or(Some(SHARE_PERCENT), |share| {
            u32::try_from(share)
                .ok()
                .filter(|share| *share <= SHARE_MAX)
        });
        if share.is_none() {
            faults.push(
                Fault::at(
                    node.child("share_percent").unwrap_or(node),
                    "interactive calls would wait for campaigns",
                )
                .help(format!(
                    "write {SHARE_MAX} or less: campaigns get what is left besides"
                )),
            );
        }
        Some(Self {
            share_percent: share?,
            calls,
            callers,
        })
    }
}

/// How many of each class may wait where a rate says nothing: both together are fewer than the calls
/// that a listener takes, so that neither keeps the other out of the door.
const WAITING_MAX: usize = 500;
/// The largest share of campaigns, in percent.
const SHARE_MAX: u32 = 90;
