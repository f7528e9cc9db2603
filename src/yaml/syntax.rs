//! What is wrong with a text that is no YAML, in words for a person who writes settings.

use std::sync::Arc;

use crate::yaml::{Fault, Source, Span};

/// What the parser found, and what to do about it. `before` is the line up to that place.
pub(super) fn syntax(info: &str, before: &str) -> (String, &'static str) {
    let has = |pieces: &[&str]| pieces.iter().any(|piece| info.contains(piece));
    let told = if has(&["tab"]) {
        ("a tab stands where only spaces may", "indent with spaces")
    } else if has(&["recursion limit"]) {
        (
            "the file is nested too deep",
            "a settings file needs a handful of levels: this is likely not the one that was meant",
        )
    } else if has(&["mapping values are not allowed"]) && before.contains(": ") {
        (
            "a second `: ` in one line",
            "put the text after the first `: ` into double quotes, or begin a new line",
        )
    } else if has(&["mapping values are not allowed"]) {
        (
            "a key stands where the text of the line before goes on",
            "the line before lacks a `: ` after its key, or this one is indented too far",
        )
    } else if has(&["unknown anchor"]) {
        (
            "an alias (`*name`) is not allowed",
            "write the value out where it is used; put text that begins with `*` into quotes",
        )
    } else if has(&["simple key expect"]) {
        (
            "this line has no `: ` after its key",
            "write `key: value`, with a space after the colon",
        )
    } else if has(&["did not find expected key", "invalid indentation"]) && !has(&["quoted"]) {
        (
            "this line is indented unlike those around it",
            "keys of one mapping begin in the same column",
        )
    } else if has(&[
        "quoted scalar, found unexpected end",
        "indentation in quoted",
    ]) {
        (
            "a quoted text is not closed",
            "look for a text that begins with a quote and does not end with one",
        )
    } else if has(&[
        "flow sequence",
        "flow mapping",
        "placement of ':'",
        "node content",
    ]) {
        (
            "a `[` or `{` is not closed",
            "close it with `]` or `}` before this place, with commas between the values",
        )
    } else {
        return (
            format!("this is not YAML: {info}"),
            "look at the indentation and quotes of this line and the one before it",
        );
    };
    (told.0.to_owned(), told.1)
}

/// The line that a span begins on, up to there.
pub(super) fn line_before(text: &str, span: Span) -> &str {
    let at = text
        .char_indices()
        .nth(span.start)
        .map_or(text.len(), |(at, _)| at);
    let before = text.get(..at).unwrap_or_default();
    before.rsplit(['\n', '\r']).next().unwrap_or_default()
}

/// A fault at the first character that nobody can see. The parser would end the file at some.
pub(super) fn unprintable(source: &Arc<Source>) -> Option<Fault> {
    let is_one = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let (start, c) = source.text.chars().enumerate().find(|(_, c)| is_one(*c))?;
    let before = source.text.chars().take(start);
    let lines = before.clone().filter(|c| *c == '\n').count();
    let column = before.fold(0, |column, c| if c == '\n' { 0 } else { column + 1 });
    let span = Span {
        start,
        end: start + 1,
        line: lines + 1,
        column: column + 1,
    };
    let name = u32::from(c);
    Some(
        Fault::in_source(
            source,
            span,
            format!("an unprintable character (U+{name:04X}) stands here"),
        )
        .help("remove it: in an editor it may look like nothing at all"),
    )
}
