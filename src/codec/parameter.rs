//! The parameters of a header: `form-data; name="a"` (RFC 9110, section 5.6.6).

use std::borrow::Cow;

/// The first parameter of this name.
pub(super) fn find<'h>(header: &'h str, wanted: &str) -> Option<Cow<'h, str>> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let end = rest.find(['=', ';'])?;
        let (name, after) = rest.split_at_checked(end)?;
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let after = after.trim_start_matches([' ', '\t']);
        let value;
        (value, rest) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, rest) = after.split_at_checked(after.find(';').unwrap_or(after.len()))?;
            (Cow::Borrowed(value.trim_end_matches([' ', '\t'])), rest)
        };
        if name
            .trim_end_matches([' ', '\t'])
            .eq_ignore_ascii_case(wanted)
        {
            return Some(value);
        }
    }
}

/// A quoted string without its first quote, and what follows it; `None` where it has no end.
fn unquote(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find(['"', '\\'])?;
        let (plain, after) = rest.split_at_checked(end)?;
        if let Some(after) = after.strip_prefix('"') {
            if value.is_empty() {
                return Some((Cow::Borrowed(plain), after));
            }
            value.push_str(plain);
            return Some((Cow::Owned(value), after));
        }
        value.push_str(plain);
        let after = after.strip_prefix('\\')?;
        // Some senders write a Windows path with bare backslashes, so only these two are escapes.
        let escaped = after.chars().next().filter(|c| matches!(c, '"' | '\\'));
        value.push(escaped.unwrap_or('\\'));
        rest = escaped.map_or(Some(after), |c| after.strip_prefix(c))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found() {
        for (header, expected) in [
            ("text/plain; charset=utf-8", Some("utf-8")),
            ("text/plain;CHARSET = \"utf-8\" ; x=y", Some("utf-8")),
            (
                "text/plain; x=\"; charset=no\"; charset=yes ; z",
                Some("yes"),
            ),
            ("a; flag; charset=\"a\\\"b\\\\c\\d\"", Some("a\"b\\c\\d")),
            ("a; charset=\"\"", Some("")),
            ("a; charset=\"open", None),
            ("charset=utf-8", None),
            ("a; xcharset=1", None),
            ("", None),
        ] {
            assert_eq!(find(header, "charset").as_deref(), expected, "{header}");
        }
    }
}
