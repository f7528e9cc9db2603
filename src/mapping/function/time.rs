//! Dates and instants. The time zones are those of the build, and "now" is what the caller says.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::argument::Argument;
use super::calendar::{Unit, format, formats, unit, zone};
use super::decimal::Decimal;
use super::{Apply, Function, Kind, Make, absent, gives, on_text, text_of};
use crate::yaml::{Fields, Value as Yaml};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "date",
        about: "Writes a date as `2025-07-01`.",
        argument: "the formats it may have, the first that fits counts; without them, `2025-07-01` with or without a time",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 16,
        examples: &[
            gives(
                "['%m/%d/%Y', '%Y%m%d']",
                r#""07/01/2025""#,
                r#""2025-07-01""#,
            ),
            gives("['%m/%d/%Y', '%Y%m%d']", "20250701", r#""2025-07-01""#),
            gives("", r#""2025-07-01T23:30:00-07:00""#, r#""2025-07-01""#),
            absent("'%m/%d/%Y'", r#""02/30/2025""#),
        ],
        make: Make::With(date),
    },
    Function {
        name: "instant",
        about: "Writes a point in time in UTC, whole seconds: `2025-07-01T17:00:00Z`. Without \
                `formats` it reads RFC 3339 and its kin. A time without an offset needs `zone`.",
        argument: "`formats` that it may have, the `zone` of times without an offset, and `epoch`, `s` or `ms`, where numbers count from 1970",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 32,
        examples: &[
            gives(
                "",
                r#""2025-07-01T10:00:00.9-0700""#,
                r#""2025-07-01T17:00:00Z""#,
            ),
            gives(
                "{ zone: America/New_York }",
                r#""2025-07-01 13:00:00""#,
                r#""2025-07-01T17:00:00Z""#,
            ),
            gives(
                "{ epoch: ms }",
                "1751389200999",
                r#""2025-07-01T17:00:00Z""#,
            ),
            gives(
                "{ formats: ['%m/%d/%Y %I:%M %p'], zone: America/Chicago }",
                r#""07/01/2025 12:00 PM""#,
                r#""2025-07-01T17:00:00Z""#,
            ),
            absent("", r#""2025-07-01T10:00:00""#),
        ],
        make: Make::With(instant),
    },
    Function {
        name: "time_in",
        about: "Writes an instant as the clocks of a place show it.",
        argument: "`zone`, such as `America/New_York`, and `format`, such as `%Y-%m-%d %H:%M:%S`",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 32,
        examples: &[
            gives(
                "{ zone: America/New_York, format: '%Y-%m-%d %H:%M:%S' }",
                r#""2025-07-01T17:00:00Z""#,
                r#""2025-07-01 13:00:00""#,
            ),
            absent("{ zone: UTC, format: '%H:%M' }", r#""noon""#),
        ],
        make: Make::With(time_in),
    },
    Function {
        name: "later",
        about: "The instant that comes so much later.",
        argument: "a duration such as `90s` or `7d`",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 16,
        examples: &[
            gives(
                "90s",
                r#""2025-07-01T17:00:00Z""#,
                r#""2025-07-01T17:01:30Z""#,
            ),
            absent("90s", r#""soon""#),
        ],
        make: Make::With(|argument| shifted(argument, Timestamp::checked_add)),
    },
    Function {
        name: "earlier",
        about: "The instant that was so much earlier.",
        argument: "a duration such as `90s` or `7d`",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 16,
        examples: &[
            gives(
                "24h",
                r#""2025-07-01T17:00:00Z""#,
                r#""2025-06-30T17:00:00Z""#,
            ),
            absent("24h", "null"),
        ],
        make: Make::With(|argument| shifted(argument, Timestamp::checked_sub)),
    },
    Function {
        name: "now",
        about: "The present instant, whatever came in.",
        argument: "",
        takes: Kind::Any,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", "null", r#""2025-07-01T17:00:00Z""#),
            gives("", "{}", r#""2025-07-01T17:00:00Z""#),
        ],
        make: Make::Bare(|_, moment| written(moment.now)),
    },
    Function {
        name: "now_plus",
        about: "The instant that comes a number of seconds from now.",
        argument: "",
        takes: Kind::Number,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("", r#""90""#, r#""2025-07-01T17:01:30Z""#),
            gives("", "-60", r#""2025-07-01T16:59:00Z""#),
            absent("", r#""soon""#),
        ],
        make: Make::Bare(|value, moment| {
            let seconds = Decimal::of(&value)?.integer()?;
            written(
                moment
                    .now
                    .checked_add(SignedDuration::from_secs(seconds))
                    .ok()?,
            )
        }),
    },
    Function {
        name: "epoch",
        about: "Counts an instant from 1970.",
        argument: "`s` or `ms`",
        takes: Kind::Text,
        gives: Kind::Number,
        cost: 16,
        examples: &[
            gives("s", r#""2025-07-01T17:00:00Z""#, "1751389200"),
            gives("ms", r#""2025-07-01T17:00:00Z""#, "1751389200000"),
            absent("s", r#""2025-07-01""#),
        ],
        make: Make::With(|argument| {
            let count = match unit(argument.node()?, argument)? {
                Unit::Second => Timestamp::as_second,
                Unit::Ms => Timestamp::as_millisecond,
            };
            Some(on_text(move |text| Some(count(iso(text)?).into())))
        }),
    },
    Function {
        name: "age_s",
        about: "The whole seconds from an instant until now; below zero where it is still to come.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Number,
        cost: 16,
        examples: &[
            gives("", r#""2025-07-01T16:59:00Z""#, "60"),
            gives("", r#""2025-07-01T17:00:01Z""#, "-1"),
            absent("", r#""yesterday""#),
        ],
        make: Make::Bare(|value, moment| {
            let then = iso(&text_of(&value)?)?;
            Some((moment.now.as_second().checked_sub(then.as_second())?).into())
        }),
    },
];

/// How a text becomes an instant.
struct Reading {
    formats: Vec<String>,
    zone: Option<TimeZone>,
    epoch: Option<Unit>,
}

fn date(argument: &Argument<'_>) -> Option<Apply> {
    let formats = match argument.node {
        Some(node) => formats(node, argument)?,
        None => Vec::new(),
    };
    Some(on_text(move |text| {
        let text = short(text)?;
        let date: Date = if formats.is_empty() {
            day(text)?
        } else {
            let read = |format: &String| Date::strptime(format, text).ok();
            formats.iter().find_map(read)?
        };
        (date.year() >= 0).then(|| Value::String(date.to_string()))
    }))
}

fn instant(argument: &Argument<'_>) -> Option<Apply> {
    let mut fields = Fields::open_or_empty(argument.node, argument.faults);
    let listed = fields.node("formats");
    let placed = fields.node("zone");
    let counted = fields.node("epoch");
    fields.finish();
    if argument
        .node
        .is_some_and(|node| !matches!(node.value, Yaml::Map(_)))
    {
        return None;
    }
    let reading = Reading {
        formats: match listed {
            Some(node) => formats(node, argument)?,
            None => Vec::new(),
        },
        zone: match placed {
            Some(node) => Some(zone(node, argument)?),
            None => None,
        },
        epoch: match counted {
            Some(node) => Some(unit(node, argument)?),
            None => None,
        },
    };
    Some(on_text(move |text| written(reading.read(short(text)?)?)))
}

impl Reading {
    fn read(&self, text: &str) -> Option<Timestamp> {
        if let Some(unit) = self.epoch
            && let Some(number) = Decimal::parse(text)
        {
            let count = number.floor()?;
            return match unit {
                Unit::Second => Timestamp::from_second(count),
                Unit::Ms => Timestamp::from_millisecond(count),
            }
            .ok();
        }
        if self.formats.is_empty() {
            // The name of a zone in the text would count for nothing.
            let time = || text.parse().ok().filter(|_| !text.contains('['));
            return iso(text).or_else(|| self.placed(time()?));
        }
        let read = |format: &String| {
            let parts = strtime::parse(format, text).ok()?;
            let placed = || self.placed(parts.to_datetime().or_else(|_| midnight(&parts)).ok()?);
            parts.to_timestamp().ok().or_else(placed)
        };
        self.formats.iter().find_map(read)
    }

    /// A time of the zone; one that the clocks skip or show twice is as RFC 5545 has it.
    fn placed(&self, time: DateTime) -> Option<Timestamp> {
        Some(time.to_zoned(self.zone.clone()?).ok()?.timestamp())
    }
}

fn midnight(parts: &BrokenDownTime) -> Result<DateTime, jiff::Error> {
    Ok(parts.to_date()?.to_datetime(jiff::civil::Time::midnight()))
}

fn time_in(argument: &Argument<'_>) -> Option<Apply> {
    let mut fields = argument.fields()?;
    let placed = fields.required_node("zone", "America/New_York");
    let shown = fields.required_node("format", "'%Y-%m-%d %H:%M:%S'");
    fields.finish();
    let zone = zone(placed?, argument)?;
    let format = format(shown?, argument)?;
    Some(on_text(move |text| {
        let time = iso(text)?.to_zoned(zone.clone());
        let shown = strtime::format(&format, &time).ok()?;
        Some(Value::String(shown))
    }))
}

fn shifted<E>(
    argument: &Argument<'_>,
    shift: fn(Timestamp, SignedDuration) -> Result<Timestamp, E>,
) -> Option<Apply>
where
    E: 'static,
{
    let duration: Duration = argument.read()?;
    let duration = SignedDuration::try_from(duration).ok()?;
    Some(Arc::new(move |value, _: &_| {
        written(shift(iso(&text_of(&value)?)?, duration).ok()?)
    }))
}

/// The date of a text in ISO 8601, as it stands there, whatever the time after it means.
fn day(text: &str) -> Option<Date> {
    let is_sound = text.parse::<Date>().is_ok() || iso(text).is_some();
    let (day, _) = text.split_at_checked(DATE_BYTES)?;
    is_sound.then(|| day.parse().ok())?
}

/// An instant with its offset, as RFC 3339 or near it.
fn iso(text: &str) -> Option<Timestamp> {
    short(text)?.parse().ok()
}

/// A text without white space around it, where it is short enough to be a time.
fn short(text: &str) -> Option<&str> {
    let text = text.trim();
    (text.len() <= TIME_BYTES_MAX).then_some(text)
}

/// An instant in UTC, the fraction of its second cut off; only of the years 0 to 9999.
fn written(instant: Timestamp) -> Option<Value> {
    let time = DateTime::from(instant.to_zoned(TimeZone::UTC));
    let shown = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    (time.year() >= 0).then_some(Value::String(shown))
}

/// The longest text that is read as a time, in bytes.
const TIME_BYTES_MAX: usize = 64;
/// The length of `2025-07-01`.
const DATE_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::check;

    #[test]
    fn times_are_read_as_senders_write_them() {
        for (list, text, expected) in [
            (
                "[ instant ]",
                "2025-07-01T17:00:00Z",
                Some("2025-07-01T17:00:00Z"),
            ),
            (
                "[ instant ]",
                "2025-07-01T17:00:00+0000",
                Some("2025-07-01T17:00:00Z"),
            ),
            (
                "[ instant ]",
                "2025-07-01 17:00:00+00:00",
                Some("2025-07-01T17:00:00Z"),
            ),
            ("[ instant ]", "1751389200", None),
            (
                "[ { instant: { epoch: s } } ]",
                "1751389200.9",
                Some("2025-07-01T17:00:00Z"),
            ),
            (
                "[ { instant: { epoch: s } } ]",
                "-1",
                Some("1969-12-31T23:59:59Z"),
            ),
            (
                "[ { instant: { epoch: s } } ]",
                "99999999999999999999",
                None,
            ),
            (
                "[ { instant: { epoch: s } } ]",
                "2025-07-01T17:00:00Z",
                Some("2025-07-01T17:00:00Z"),
            ),
            (
                "[ { instant: { zone: America/New_York } } ]",
                "2025-01-01",
                Some("2025-01-01T05:00:00Z"),
            ),
        ] {
            check(list, text, expected.map(Value::from));
        }
    }

    #[test]
    fn times_of_a_zone_and_of_formats_are_read() {
        for (list, text, expected) in [
            // An hour that the clocks skip, and one that they show twice.
            (
                "[ { instant: { zone: America/New_York } } ]",
                "2025-03-09T02:30:00",
                Some("2025-03-09T07:30:00Z"),
            ),
            (
                "[ { instant: { zone: America/New_York } } ]",
                "2025-11-02T01:30:00",
                Some("2025-11-02T05:30:00Z"),
            ),
            (
                "[ { instant: { formats: ['%Y-%m-%d %H:%M:%S %z'] } } ]",
                "2025-07-01 10:00:00 -0700",
                Some("2025-07-01T17:00:00Z"),
            ),
            (
                "[ { instant: { formats: '%m/%d/%Y', zone: UTC } } ]",
                "07/01/2025",
                Some("2025-07-01T00:00:00Z"),
            ),
            (
                "[ { instant: { formats: '%m/%d/%Y' } } ]",
                "07/01/2025",
                None,
            ),
            ("[ date ]", "2025-02-29", None),
            ("[ date ]", "2025-07-01T23:30:00Z", Some("2025-07-01")),
            ("[ date ]", "2025-07-01 23:30", Some("2025-07-01")),
            ("[ date ]", "2025-07-01 noon", None),
            (
                "[ { instant: { zone: UTC } } ]",
                "2025-07-01T10:00:00[America/Chicago]",
                None,
            ),
            ("[ date ]", "07/01/2025", None),
            ("[ { later: 7d } ]", "9999-12-30T00:00:00Z", None),
        ] {
            check(list, text, expected.map(Value::from));
        }
    }
}
