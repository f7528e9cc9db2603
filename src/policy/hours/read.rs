//! Calling hours as files have them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::policy::hours::{Hours, Place, Week, Window};
use crate::yaml::{Entries, Fault, Faults, Fields, Node, Read, Value};

impl Hours {
    pub(in crate::policy) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let default = fields.node("default");
        let default = match default {
            Some(node) => Days::read(node, faults)?,
            None => Days::default(),
        };
        let places: Option<Entries<String, Row>> = fields.required("places");
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        let mut good = BTreeMap::new();
        let places = places?.0;
        let count = places.len();
        for ((name, row), (key, node)) in places.into_iter().zip(entries(node)) {
            let whole = name.to_ascii_uppercase();
            match row.place(&default) {
                Ok(place) if !good.contains_key(&whole) => drop(good.insert(whole, place)),
                Ok(_) => faults.push(
                    Fault::at(key, format!("the place `{name}` stands here twice"))
                        .help("letter case does not matter: keep one of the two"),
                ),
                Err(why) => faults
                    .push(Fault::at(node, format!("`{name}` {}", why.message())).help(why.help())),
            }
        }
        let is_whole = good.len() == count;
        let hours = Self {
            name: name.to_owned(),
            provenance: provenance?,
            places: good,
        };
        is_whole.then_some(hours)
    }
}

/// The places as they are written.
fn entries(node: &Node) -> impl Iterator<Item = &(Node, Node)> {
    let places = node.child("places").map(|places| &places.value);
    match places {
        Some(Value::Map(entries)) => entries.as_slice(),
        _ => &[],
    }
    .iter()
}

/// The hours of the days that were written, from Monday.
#[derive(Debug, Clone, Copy, Default)]
struct Days([Option<Hour>; 7]);

/// A place as it is written.
struct Row {
    zones: Vec<Zone>,
    days: Days,
}

/// Why a place cannot be used.
#[derive(Debug, Clone, Copy)]
enum Unusable {
    NoZone,
    DayMissing(&'static str),
    NeverOpen,
}

impl Unusable {
    fn message(self) -> String {
        match self {
            Self::NoZone => "has no zone".to_owned(),
            Self::DayMissing(day) => format!("has no hours for `{day}`, nor has `default`"),
            Self::NeverOpen => "never opens in all its zones at once".to_owned(),
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::NoZone => "write for example `zones: [America/New_York]`",
            Self::DayMissing(_) => "write `[]` for a day that is closed",
            Self::NeverOpen => {
                "widen its hours, or leave the place out: it is unknown then, and nobody is called"
            }
        }
    }
}

impl Row {
    fn place(self, default: &Days) -> Result<Place, Unusable> {
        if self.zones.is_empty() {
            return Err(Unusable::NoZone);
        }
        let mut week = Week([None; 7]);
        let written = self.days.0.iter().zip(&default.0);
        for ((into, day), (own, default)) in week.0.iter_mut().zip(DAYS).zip(written) {
            let Hour(window) = own.or(*default).ok_or(Unusable::DayMissing(day))?;
            *into = window;
        }
        let place = Place {
            zones: self.zones.into_iter().map(|zone| zone.0).collect(),
            week,
        };
        place
            .next(Timestamp::UNIX_EPOCH)
            .ok_or(Unusable::NeverOpen)?;
        Ok(place)
    }
}

impl Read for Row {
    const EXAMPLE: &'static str = "{ zones: [America/New_York] }";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let zones = fields
            .required_node("zones", "[America/New_York]")
            .and_then(|node| Vec::read(node, faults));
        let days = match fields.node("open") {
            Some(node) => Days::read(node, faults),
            None => Some(Days::default()),
        };
        fields.finish();
        Some(Self {
            zones: zones?,
            days: days?,
        })
    }
}

impl Read for Days {
    const EXAMPLE: &'static str = "{ mon-sat: [08:00, 21:00], sun: [] }";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let Entries(rows) = Entries::<Range, Hour>::read(node, faults)?;
        let mut days = Self::default();
        for (Range(first, last), hour) in rows {
            let range = days.0.iter_mut().enumerate();
            for (_, day) in range.filter(|(at, _)| (first..=last).contains(at)) {
                if day.replace(hour).is_some() {
                    faults.push(
                        Fault::at(node, "a day stands in two of these").help("name each day once"),
                    );
                    return None;
                }
            }
        }
        Some(days)
    }
}

/// A day, or the days from one to another, counted from Monday.
struct Range(usize, usize);

impl Read for Range {
    const EXAMPLE: &'static str = "mon-sat";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        let day = |word: &str| DAYS.iter().position(|day| *day == word);
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let range = day(first)
            .zip(day(last))
            .filter(|(first, last)| first <= last);
        if range.is_none() {
            faults.push(
                Fault::at(node, format!("`{text}` is no day"))
                    .help("write a day or several: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`, `mon-sat`"),
            );
        }
        range.map(|(first, last)| Self(first, last))
    }
}

/// The hours of a day: `[08:00, 21:00]`, or `[]`.
#[derive(Debug, Clone, Copy)]
struct Hour(Option<Window>);

impl Read for Hour {
    const EXAMPLE: &'static str = "[08:00, 21:00]";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let times: Vec<String> = Vec::read(node, faults)?;
        let times: Option<Vec<i16>> = times.iter().map(|text| minute(text)).collect();
        let window = match times.as_deref() {
            Some([]) => return Some(Self(None)),
            Some([open, close]) if open < close => Window {
                open: *open,
                close: *close,
            },
            _ => {
                faults.push(Fault::at(node, "these are no hours of a day").help(format!(
                    "write when it opens and closes, `{}`, or `[]`; midnight at the end is 24:00",
                    Self::EXAMPLE
                )));
                return None;
            }
        };
        Some(Self(Some(window)))
    }
}

/// `08:00` as a minute of the day; 24:00 is its end.
fn minute(text: &str) -> Option<i16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<i16>().ok()).flatten()
    };
    let minute = number(minute).filter(|minute| *minute < 60)?;
    Some(number(hour)? * 60 + minute).filter(|minute| *minute <= 24 * 60)
}

struct Zone(TimeZone);

impl Read for Zone {
    const EXAMPLE: &'static str = "America/New_York";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        let zone = TimeZoneDatabase::bundled().get(&text);
        if zone.is_err() {
            faults.push(
                Fault::at(node, format!("there is no time zone `{text}`")).help(format!(
                    "write a name of the IANA database: `{}`",
                    Self::EXAMPLE
                )),
            );
        }
        zone.ok().map(Self)
    }
}

/// The days as files name them.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};

    fn read(text: &str) -> Result<Hours, String> {
        let faults = Faults::new();
        let node = parse(&Source::new("t", text), &faults).unwrap();
        let hours = Hours::read("t", &node, &faults);
        let first = faults.into_sorted().first().map(ToString::to_string);
        first.map_or_else(|| Ok(hours.unwrap()), Err)
    }

    #[test]
    fn hours_that_cannot_be_meant_are_refused() {
        for (row, expected) in [
            ("{ zones: [] }", "`X` has no zone"),
            (
                "{ zones: [Mars/Base] }",
                "there is no time zone `Mars/Base`",
            ),
            (
                "{ zones: [UTC], open: { sat: [08:00, 07:00] } }",
                "these are no hours of a day",
            ),
            (
                "{ zones: [UTC], open: { sat: [8:00, 9:00] } }",
                "these are no hours of a day",
            ),
            (
                "{ zones: [UTC], open: { sat: [08:00] } }",
                "these are no hours of a day",
            ),
            (
                "{ zones: [UTC], open: { sat-mon: [] } }",
                "`sat-mon` is no day",
            ),
            (
                "{ zones: [UTC], open: { mon-sat: [], fri: [] } }",
                "a day stands in two of these",
            ),
            (
                "{ zones: [UTC], open: { mon-sun: [] } }",
                "`X` never opens in all its zones at once",
            ),
            (
                "{ zones: [UTC, Asia/Tokyo], open: { mon-sun: [08:00, 10:00] } }",
                "`X` never opens in all its zones at once",
            ),
            ("{ zones: [UTC], opens: {} }", "unknown key `opens`"),
        ] {
            let text = format!(
                "source: assumed\ndefault: {{ mon-sun: [08:00, 21:00] }}\nplaces:\n  X: {row}\n"
            );
            assert_eq!(read(&text).err().as_deref(), Some(expected), "{row}");
        }
        let missing =
            read("source: assumed\nplaces:\n  X: { zones: [UTC], open: { mon-sat: [] } }\n");
        let expected = "`X` has no hours for `sun`, nor has `default`";
        assert_eq!(missing.err().as_deref(), Some(expected));
        let twice = read(
            "source: assumed\ndefault: { mon-sun: [08:00, 21:00] }\nplaces:\n  X: { zones: [UTC] }\n  x: { zones: [UTC] }\n",
        );
        assert_eq!(
            twice.err().as_deref(),
            Some("the place `x` stands here twice")
        );
    }
}
