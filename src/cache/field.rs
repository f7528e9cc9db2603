//! Fields of HTTP that caches live by, read strictly: `Cache-Control`, `Vary`, dates and ages.

use http::header::{AGE, VARY};
use http::{HeaderMap, HeaderName};
use std::time::{Duration, UNIX_EPOCH};

/// The directives of a field, with names in lower case (RFC 9111, section 5.2).
#[derive(Debug, Default)]
pub struct Directives(Vec<(String, Option<String>)>);

/// What a call said in the fields that a reply's `Vary` names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vary(Vec<(HeaderName, Option<Vec<u8>>)>);

impl Directives {
    /// Reads all lines of a field. What is no directive is left out.
    pub fn read(headers: &HeaderMap, name: &HeaderName) -> Self {
        let lines = headers.get_all(name).iter();
        let members = lines.flat_map(|line| members(line.as_bytes()));
        Self(members.filter_map(directive).collect())
    }

    /// Whether a directive is there.
    pub fn has(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    /// The argument of a directive, if it is there and has one.
    pub fn argument(&self, name: &str) -> Option<Option<&str>> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_deref())
    }

    /// The seconds of a directive that is there; `Some(None)` where they are no number. Of several
    /// the least counts, since they contradict each other (section 4.2.1).
    pub fn seconds(&self, name: &str) -> Option<Option<i64>> {
        let of_name = self.0.iter().filter(|(known, _)| known == name);
        of_name
            .map(|(_, argument)| argument.as_deref().and_then(delta))
            .min()
    }
}

/// One directive: a token, and perhaps a token or a quoted string behind `=`.
fn directive(member: &[u8]) -> Option<(String, Option<String>)> {
    let text = std::str::from_utf8(member).ok()?;
    let (name, argument) = match text.split_once('=') {
        None => (text, None),
        Some((name, argument)) => (name, Some(unquoted(argument)?)),
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let good = !name.is_empty() && name.chars().all(is_token);
    good.then(|| (name.to_ascii_lowercase(), argument))
}

fn unquoted(argument: &str) -> Option<String> {
    let Some(rest) = argument.strip_prefix('"') else {
        return (!argument.contains([' ', '\t', '"'])).then(|| argument.to_owned());
    };
    let inner = rest.strip_suffix('"')?;
    Some(inner.replace('\\', ""))
}

/// The members of a list, where a comma in a quoted string is none of the list's.
fn members(line: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                found.extend(line.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(line.get(start..));
    let trimmed = found.into_iter().map(<[u8]>::trim_ascii);
    trimmed.filter(|member| !member.is_empty()).collect()
}

/// Delta-seconds (RFC 9111, section 1.2.2): digits alone; what is too large counts as the largest.
fn delta(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(DELTA_MAX).min(DELTA_MAX))
}

/// The `Age` of a reply: the first member counts, and what is no number is ignored (section 5.1).
pub(super) fn age_s(headers: &HeaderMap) -> i64 {
    let first = headers
        .get(AGE)
        .and_then(|line| members(line.as_bytes()).into_iter().next());
    let text = first.and_then(|first| std::str::from_utf8(first).ok());
    // A parameter is none of the field's; the number before it is its value all the same.
    let number = text.and_then(|text| text.split(';').next());
    number.and_then(|number| delta(number.trim())).unwrap_or(0)
}

/// A date, in any of the three formats, in any case (sections 4.2 and 5.3; RFC 9110, section
/// 5.6.7), in seconds of Unix time. `None` where there is not exactly one good one.
pub(super) fn date_s(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let mut lines = headers.get_all(name).iter();
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let text = recased(line.to_str().ok()?);
    let date = httpdate::parse_http_date(&text).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// A second of Unix time as a date.
pub(super) fn date_text(second: i64) -> String {
    let since = Duration::from_secs(u64::try_from(second).unwrap_or(0));
    httpdate::fmt_http_date(UNIX_EPOCH + since)
}

/// Each word with a capital first, and `GMT`.
fn recased(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        out.push(if in_word {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        });
        in_word = c.is_ascii_alphabetic();
    }
    match out.strip_suffix("Gmt") {
        Some(before) => format!("{before}GMT"),
        None => out,
    }
}

impl Vary {
    /// Notes what a call said, for its reply; `None` where the reply is for that call alone.
    pub fn note(reply: &HeaderMap, call: &HeaderMap) -> Option<Self> {
        let mut fields: Vec<(HeaderName, Option<Vec<u8>>)> = Vec::new();
        for member in reply
            .get_all(VARY)
            .iter()
            .flat_map(|line| members(line.as_bytes()))
        {
            // `*`, and what is no name of a field, could mean anything.
            let name = HeaderName::from_bytes(member)
                .ok()
                .filter(|name| name != "*")?;
            if !fields.iter().any(|(known, _)| *known == name) {
                let said = said(call, &name);
                fields.push((name, said));
            }
        }
        fields.sort_by(|(one, _), (two, _)| one.as_str().cmp(two.as_str()));
        Some(Self(fields))
    }

    /// Whether another call said the same.
    pub fn fits(&self, call: &HeaderMap) -> bool {
        self.0
            .iter()
            .all(|(name, said_then)| said(call, name) == *said_then)
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }
}

/// What a call says in a field: all lines as one list, without the spaces between its members
/// (RFC 9111, section 4.1, lets a cache normalise so).
pub(super) fn said(call: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    if !call.contains_key(name) {
        return None;
    }
    let lines = call.get_all(name).iter();
    let all: Vec<&[u8]> = lines.flat_map(|line| members(line.as_bytes())).collect();
    Some(all.join(&b','))
}

/// 2^31, which the RFC asks to be taken for what is greater.
const DELTA_MAX: i64 = 1 << 31;
