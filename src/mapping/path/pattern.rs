//! I-Regexp (RFC 9485), translated for the regex crate.
//!
//! As in the RFC's own translations, `^` and `$` keep the meaning that other dialects give them.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use crate::mapping::path::plan::Extent;

/// Why a pattern was not compiled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotCompiled {
    /// It is no I-Regexp.
    Syntax,
    /// It would take more memory than it may.
    TooLarge,
}

/// Compiles a pattern.
pub(super) fn compile(
    pattern: &str,
    extent: Extent,
    bytes_max: usize,
) -> Result<Regex, NotCompiled> {
    let translated = translate(pattern).ok_or(NotCompiled::Syntax)?;
    let enclosed = match extent {
        Extent::Whole => format!(r"\A(?:{translated})\z"),
        Extent::Part => translated,
    };
    RegexBuilder::new(&enclosed)
        .size_limit(bytes_max)
        .dfa_size_limit(bytes_max)
        .nest_limit(NESTING_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => NotCompiled::TooLarge,
            _ => NotCompiled::Syntax,
        })
}

/// The same pattern for the regex crate; `None` where it is no I-Regexp.
fn translate(pattern: &str) -> Option<String> {
    let mut chars = pattern.chars().peekable();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut open = 0_u32;
    // Whether there is something that may be repeated.
    let mut is_atom = false;
    while let Some(c) = chars.next() {
        let after = match c {
            '(' => {
                open += 1;
                out.push_str("(?:");
                false
            }
            ')' => {
                open = open.checked_sub(1)?;
                out.push(')');
                true
            }
            '|' => {
                out.push('|');
                false
            }
            '*' | '+' | '?' if is_atom => {
                out.push(c);
                false
            }
            '{' if is_atom => {
                repetition(&mut chars, &mut out)?;
                false
            }
            '.' => {
                out.push_str(r"[^\n\r]");
                true
            }
            '\\' => {
                escape(&mut chars, &mut out)?;
                true
            }
            '[' => {
                class(&mut chars, &mut out)?;
                true
            }
            '^' | '$' => {
                out.push(c);
                true
            }
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            c => {
                literal(c, &mut out);
                true
            }
        };
        is_atom = after;
    }
    (open == 0).then_some(out)
}

/// `{2}`, `{2,}` or `{2,3}`, from behind the brace.
fn repetition(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('{');
    digits(chars, out)?;
    if chars.next_if_eq(&',').is_some() {
        out.push(',');
        if chars.peek() != Some(&'}') {
            digits(chars, out)?;
        }
    }
    out.push(chars.next_if_eq(&'}')?);
    Some(())
}

fn digits(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push(chars.next_if(char::is_ascii_digit)?);
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        out.push(digit);
    }
    Some(())
}

/// What stands behind a backslash: one character, or a category.
fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    match chars.peek()? {
        'p' | 'P' => category(chars, out),
        _ => {
            literal(escaped(chars)?, out);
            Some(())
        }
    }
}

/// The character that stands behind a backslash.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        c
        @ ('(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{' | '|' | '}') => {
            Some(c)
        }
        _ => None,
    }
}

/// `p{Lu}`, from behind the backslash.
fn category(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let kind = chars.next()?;
    chars.next_if_eq(&'{')?;
    let major = chars.next()?;
    let minor = chars.next_if(char::is_ascii_lowercase);
    chars.next_if_eq(&'}')?;
    let (_, minors) = CATEGORIES.iter().find(|(known, _)| *known == major)?;
    if minor.is_some_and(|minor| !minors.contains(minor)) {
        return None;
    }
    out.push('\\');
    out.push(kind);
    out.push('{');
    out.push(major);
    out.extend(minor);
    out.push('}');
    Some(())
}

/// `[a-z]`, from behind the bracket.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if let Some(not) = chars.next_if_eq(&'^') {
        out.push(not);
    }
    let mut is_first = true;
    loop {
        match chars.next()? {
            ']' if !is_first => break,
            // A hyphen means itself at the beginning and at the end.
            '-' if is_first || chars.peek() == Some(&']') => literal('-', out),
            '\\' if matches!(chars.peek(), Some('p' | 'P')) => category(chars, out)?,
            c => {
                member(c, chars, out)?;
                if chars.peek() == Some(&'-') {
                    range(chars, out)?;
                }
            }
        }
        is_first = false;
    }
    out.push(']');
    Some(())
}

/// The `-z` of `a-z`, or the hyphen of `a-]`.
fn range(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let hyphen = chars.next()?;
    if chars.peek() == Some(&']') {
        literal(hyphen, out);
        return Some(());
    }
    out.push(hyphen);
    let end = chars.next()?;
    member(end, chars, out)
}

/// One character of a class.
fn member(c: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    match c {
        '\\' => literal(escaped(chars)?, out),
        '[' | ']' | '-' => return None,
        c => literal(c, out),
    }
    Some(())
}

/// A character that means itself, wherever it stands.
fn literal(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// The Unicode categories of RFC 9485.
const CATEGORIES: [(char, &str); 7] = [
    ('L', "lmotu"),
    ('M', "cen"),
    ('N', "dlo"),
    ('P', "cdefios"),
    ('Z', "lps"),
    ('S', "ckmo"),
    ('C', "cfno"),
];
const NESTING_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str) -> bool {
        compile(pattern, Extent::Whole, 1 << 18)
            .unwrap()
            .is_match(text)
    }

    #[test]
    fn patterns_mean_what_the_rfc_says() {
        for (pattern, text, expected) in [
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("", "", true),
            ("a|", "", true),
            (".", "\r", false),
            (".", "\u{2028}", true),
            ("[^a-c]", "b", false),
            ("[-a]", "-", true),
            ("[a-]", "-", true),
            ("[^-]", "-", false),
            (r"[\]\[&&~]+", "[&~]", true),
            (r"[a-z\p{Lu}]{2,3}", "aÄ", true),
            (r"\p{Ll}+\P{L}", "ß1", true),
            (r"\+?[0-9]{5,}", "+49301", true),
            ("a b#c", "a b#c", true),
            ("(ab){2}", "abab", true),
            (r"\n\t", "\n\t", true),
        ] {
            assert_eq!(check(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_i_regexp_is_refused() {
        for pattern in [
            r"\d",
            r"\w",
            r"\b",
            r"\$",
            "(?i)a",
            "(?:a)",
            "a**",
            "a*?",
            "*",
            "a{",
            "a{,2}",
            "a{2,1}",
            "[",
            "[]",
            "[a",
            "(a",
            "a)",
            r"\p{Latin}",
            r"\p{Lx}",
            r"\p{Cs}",
            r"\pL",
            "[a--b]",
            "[[:alpha:]]",
            "[z-a]",
            "a]",
            "}",
            r"\u0041",
            r"\",
        ] {
            let why = compile(pattern, Extent::Part, 1 << 16).unwrap_err();
            assert_eq!(why, NotCompiled::Syntax, "{pattern}");
        }
        let large = compile(r"(\p{L}{100}){100}", Extent::Whole, 1 << 16);
        assert_eq!(large.unwrap_err(), NotCompiled::TooLarge);
    }
}
