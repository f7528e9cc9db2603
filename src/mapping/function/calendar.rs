//! Formats, zones and units of time, as arguments name them.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::argument::Argument;
use crate::yaml::{Fault, Node, Read as _, Value as Yaml};

/// What a number counts from 1970.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Second,
    Ms,
}

/// Reads one format or a list of them.
pub(super) fn formats(node: &Node, argument: &Argument<'_>) -> Option<Vec<String>> {
    let nodes = match &node.value {
        Yaml::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() || nodes.len() > FORMATS_MAX {
        return argument.refuse(format!("from 1 to {FORMATS_MAX} formats"));
    }
    nodes.iter().map(|node| format(node, argument)).collect()
}

/// Reads a format; one that writes what it cannot read is no format.
pub(super) fn format(node: &Node, argument: &Argument<'_>) -> Option<String> {
    let format = String::read(node, argument.faults)?;
    let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let is_known = format.contains('%') && strtime::format(&format, &sample).is_ok();
    if !is_known || format.len() > FORMAT_BYTES_MAX {
        argument.faults.push(
            Fault::at(node, format!("`{format}` is not a format of a time"))
                .help("write for example `%Y-%m-%d %H:%M:%S` or `%m/%d/%Y`"),
        );
        return None;
    }
    Some(format)
}

/// Reads the name of a time zone.
pub(super) fn zone(node: &Node, argument: &Argument<'_>) -> Option<TimeZone> {
    let name = String::read(node, argument.faults)?;
    let zone = jiff::tz::db().get(&name).ok();
    if zone.is_none() {
        argument.faults.push(
            Fault::at(node, format!("`{name}` is not a time zone")).help(
                "write its name as in the IANA database, such as `America/New_York` or `UTC`",
            ),
        );
    }
    zone
}

/// Reads what numbers count.
pub(super) fn unit(node: &Node, argument: &Argument<'_>) -> Option<Unit> {
    match String::read(node, argument.faults)?.as_str() {
        "s" => Some(Unit::Second),
        "ms" => Some(Unit::Ms),
        other => {
            argument.faults.push(
                Fault::at(node, format!("`{other}` is not a unit of time"))
                    .help("write `s` or `ms`"),
            );
            None
        }
    }
}

const FORMAT_BYTES_MAX: usize = 64;
const FORMATS_MAX: usize = 16;
