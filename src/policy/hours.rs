//! Calling hours: when a person at a place may be called.
//!
//! Which hours those are is data. The zones come with the binary, so that the same file means the
//! same on every machine; the moment comes from who asks.

mod read;

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::policy::Provenance;

/// The calling hours of some places.
#[derive(Debug)]
pub struct Hours {
    /// Its name in `policies/`.
    pub name: String,
    /// How sure this is.
    pub provenance: Provenance,
    places: BTreeMap<String, Place>,
}

/// Whether a person may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Opening {
    /// Now.
    Open,
    /// Not before this moment, the first at which every zone of the place is open.
    ClosedUntil(Timestamp),
    /// No hours are known of the place.
    Unknown,
}

#[derive(Debug)]
struct Place {
    zones: Vec<TimeZone>,
    week: Week,
}

impl Hours {
    /// Whether a person at a place (`FL`, in any letter case) may be called at a moment.
    pub fn opening(&self, place: &str, now: Timestamp) -> Opening {
        let Some(place) = self.places.get(&place.to_ascii_uppercase()) else {
            return Opening::Unknown;
        };
        if place.is_open(now) {
            return Opening::Open;
        }
        // Reading made sure that every place opens; where clocks are changed so oddly that it does
        // not, nothing is known.
        place
            .next(now)
            .map_or(Opening::Unknown, Opening::ClosedUntil)
    }
}

impl Place {
    /// Whether every zone is within its hours.
    fn is_open(&self, moment: Timestamp) -> bool {
        self.zones.iter().all(|zone| {
            let local = zone.to_datetime(moment);
            let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
            self.week
                .window(local.date().weekday())
                .is_some_and(|window| window.open <= minute && minute < window.close)
        })
    }

    /// The first moment after `now` at which every zone is open.
    ///
    /// That is when one of them opens, or when its clocks change: a time that is skipped may be
    /// the one to open at, and one that comes twice opens twice.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let end = now.checked_add(HORIZON_HOURS.hours()).ok()?;
        let mut moments = Vec::new();
        for zone in &self.zones {
            let today = zone.to_datetime(now).date();
            let days = today.series(1.day()).take(HORIZON_DAYS);
            moments.extend(days.flat_map(|day| self.openings(zone, day)).flatten());
            let changes = zone.following(now).map(|change| change.timestamp());
            moments.extend(changes.take_while(|moment| *moment <= end));
        }
        moments.sort_unstable();
        moments
            .into_iter()
            .find(|moment| *moment > now && self.is_open(*moment))
    }

    /// When a zone's clocks show the opening of a day: twice where they are put back over it.
    fn openings(&self, zone: &TimeZone, day: Date) -> [Option<Timestamp>; 2] {
        let Some(window) = self.week.window(day.weekday()) else {
            return [None; 2];
        };
        let (Ok(hour), Ok(minute)) = (
            i8::try_from(window.open / 60),
            i8::try_from(window.open % 60),
        ) else {
            return [None; 2];
        };
        let moment = zone.to_ambiguous_timestamp(day.at(hour, minute, 0, 0));
        [moment.earlier().ok(), moment.later().ok()]
    }
}

/// From the minute of the day at which it opens to just before the one at which it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    open: i16,
    close: i16,
}

/// The hours of each day from Monday; `None` where it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Week([Option<Window>; 7]);

impl Week {
    fn window(&self, day: Weekday) -> Option<Window> {
        let day = usize::try_from(day.to_monday_zero_offset()).ok()?;
        self.0.get(day).copied().flatten()
    }
}

/// How far the next opening is looked for: a week, and a day for clocks that differ.
const HORIZON_DAYS: usize = 9;
const HORIZON_HOURS: i64 = 9 * 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Faults, Source, parse};

    fn written(text: &str) -> Hours {
        let faults = Faults::new();
        let node = parse(&Source::new("t", text), &faults).unwrap();
        let hours = Hours::read("t", &node, &faults);
        assert!(faults.into_sorted().is_empty());
        hours.unwrap()
    }

    fn sample() -> Hours {
        let source = Source::new("hours.yaml", include_str!("../../policies/hours.yaml"));
        let faults = Faults::new();
        let node = parse(&source, &faults).unwrap();
        let node = node.child("calling_hours").unwrap().child("us").unwrap();
        let hours = Hours::read("us", node, &faults);
        assert!(faults.into_sorted().is_empty());
        hours.unwrap()
    }

    fn opening(hours: &Hours, place: &str, now: &str) -> String {
        match hours.opening(place, now.parse().unwrap()) {
            Opening::Open => "open".to_owned(),
            Opening::ClosedUntil(moment) => moment.to_string(),
            Opening::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_place_is_open_while_all_its_zones_are() {
        let hours = sample();
        for (place, now, expected) in [
            // 20:30 in New York; Chicago opens an hour later than New York.
            ("FL", "2026-03-10T00:30:00Z", "2026-03-10T13:00:00Z"),
            ("fl", "2026-03-10T13:00:00Z", "open"),
            ("FL", "2026-03-10T12:59:59.999Z", "2026-03-10T13:00:00Z"),
            // 20:00 in New York, 19:00 in Chicago.
            ("FL", "2026-03-09T23:59:59Z", "open"),
            ("FL", "2026-03-10T00:00:00Z", "2026-03-10T13:00:00Z"),
            // Saturday evening, and closed on Sunday.
            ("AL", "2026-03-15T01:00:00Z", "2026-03-16T13:00:00Z"),
            ("AL", "2026-03-15T17:00:00Z", "2026-03-16T13:00:00Z"),
            // By default, over the night in which clocks are put forward: 8 o'clock is an hour earlier.
            ("NY", "2026-03-08T02:00:00Z", "2026-03-08T12:00:00Z"),
            ("NY", "2026-03-07T02:00:00Z", "2026-03-07T13:00:00Z"),
            // And back.
            ("NY", "2026-11-01T01:00:00Z", "2026-11-01T13:00:00Z"),
            // Arizona has no summer time.
            ("AZ", "2026-07-01T14:59:00Z", "2026-07-01T15:00:00Z"),
            ("AZ", "2026-01-01T14:59:00Z", "2026-01-01T15:00:00Z"),
            ("OR", "2026-07-01T14:30:00Z", "2026-07-01T15:00:00Z"),
            ("ZZ", "2026-07-01T14:30:00Z", "unknown"),
            ("", "2026-07-01T14:30:00Z", "unknown"),
        ] {
            assert_eq!(opening(&hours, place, now), expected, "{place} {now}");
        }
    }

    #[test]
    fn times_that_are_skipped_or_come_twice_are_right() {
        let hours = written(
            "source: assumed
places:
  gap: { zones: [America/New_York], open: { mon-sun: [02:30, 03:30] } }
  fold: { zones: [America/New_York], open: { mon-sun: [01:30, 01:45] } }
  night: { zones: [America/New_York], open: { mon-sat: [00:00, 24:00], sun: [] } }
",
        );
        for (place, now, expected) in [
            // From 02:00 clocks are put forward to 03:00.
            ("gap", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"),
            ("gap", "2026-03-08T07:29:00Z", "open"),
            ("gap", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"),
            // At 02:00 clocks are put back to 01:00.
            ("fold", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"),
            ("fold", "2026-11-01T05:45:00Z", "2026-11-01T06:30:00Z"),
            ("fold", "2026-11-01T06:45:00Z", "2026-11-02T06:30:00Z"),
            ("night", "2026-03-15T03:59:59Z", "open"),
            ("night", "2026-03-15T04:00:00Z", "2026-03-16T04:00:00Z"),
        ] {
            assert_eq!(opening(&hours, place, now), expected, "{place} {now}");
        }
    }

    /// What stands before the next opening is closed, minute by minute.
    #[test]
    fn the_next_opening_is_the_first() {
        let hours = sample();
        for place in hours.places.values() {
            for hour in 0..40 {
                let now: Timestamp = "2026-10-30T00:17:00Z".parse().unwrap();
                let now = now + (hour * 5).hours();
                if place.is_open(now) {
                    continue;
                }
                let next = place.next(now).unwrap();
                let mut moment = now;
                while moment < next {
                    assert!(!place.is_open(moment), "{moment}");
                    moment += 1.minute();
                }
                assert!(place.is_open(next));
            }
        }
    }
}
