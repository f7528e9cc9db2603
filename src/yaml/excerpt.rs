//! The one line of a file that a fault shows.
//!
//! No other line is ever kept: its neighbours may hold secrets. In a file that may hold secrets
//! itself, what follows a key that sounds like one is covered, whatever the fault is about.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::yaml::{Source, Span};

/// A line, and what in it the fault is about.
#[derive(Debug)]
pub(super) struct Excerpt {
    name: String,
    text: String,
    /// Line and column (in characters) of the caret, from 1.
    pub(super) line: usize,
    pub(super) column: usize,
    /// Where in the file the line begins, in bytes.
    begin: usize,
    /// Offset in the line and length of the caret, in bytes.
    caret: (usize, usize),
}

impl Excerpt {
    /// The line on which a span begins. Of an empty line, the end of the last one with text.
    pub(super) fn new(source: &Source, span: Span) -> Self {
        let whole = source.text.as_str();
        let start = source.byte(span.start);
        let end = source.byte(span.end).max(start);
        let (begin, finish) = bounds(whole, start);
        let text = whole.get(begin..finish).unwrap_or_default();
        if text.trim().is_empty()
            && let Some(last) = Self::last_before(source, span.line, begin)
        {
            return last;
        }
        let shown = whole.get(start..end.min(finish)).unwrap_or_default();
        let mut caret = (start - begin, shown.trim_end().len());
        if start == finish {
            // Nothing stands at the end of a line: the caret goes under its last character.
            caret = last_character(text);
        }
        let mut excerpt = Self {
            name: source.name.clone(),
            text: text.to_owned(),
            line: span.line,
            column: span.column,
            begin,
            caret,
        };
        if let Some(from) = source.covered_from(begin, finish) {
            excerpt.cover(from);
        }
        excerpt.clean();
        excerpt
    }

    /// Replaces control characters, which a terminal would obey.
    fn clean(&mut self) {
        if !self.text.contains(is_hidden) {
            return;
        }
        let (at, len) = self.caret;
        let cleaned = |range: Option<&str>| range.unwrap_or_default().replace(is_hidden, HIDDEN);
        let before = cleaned(self.text.get(..at));
        let inside = cleaned(self.text.get(at..at + len));
        let after = cleaned(self.text.get(at + len..));
        self.caret = (before.len(), inside.len());
        self.text = [before, inside, after].concat();
    }

    /// The end of the last line with text before a place.
    fn last_before(source: &Source, line: usize, place: usize) -> Option<Self> {
        let before = source.text.get(..place)?;
        let kept = before.trim_end();
        let (begin, _) = bounds(kept, kept.len());
        let text = kept.get(begin..)?;
        let breaks = before.get(kept.len()..)?.matches('\n').count();
        let mut excerpt = Self {
            name: source.name.clone(),
            text: text.to_owned(),
            line: line.checked_sub(breaks).filter(|line| *line > 0)?,
            column: text.chars().count(),
            begin,
            caret: last_character(text),
        };
        if let Some(from) = source.covered_from(begin, kept.len()) {
            excerpt.cover(from);
        }
        Some(excerpt)
    }

    /// Covers the line from a span on, where the span begins on it or before.
    pub(super) fn cover_span(&mut self, source: &Source, span: Span) {
        let from = source.byte(span.start);
        if from <= self.begin + self.text.len() {
            self.cover(from.saturating_sub(self.begin));
        }
    }

    /// Covers the line from an offset on, with a mark that does not tell how much it covers.
    fn cover(&mut self, from: usize) {
        let from = self.text.floor_char_boundary(from);
        if from == self.text.len() {
            return;
        }
        self.text.truncate(from);
        self.text.push_str(COVER);
        let (at, len) = self.caret;
        let at = at.min(from);
        let shown = self.text.get(..from).unwrap_or_default().chars().count();
        self.column = self.column.min(shown + 1);
        self.caret = (at, len.min(self.text.len() - at));
    }

    /// The file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the caret stands under.
    pub(super) fn caret(&self) -> SourceSpan {
        self.caret.into()
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            self.text.as_bytes(),
            (0, self.text.len()).into(),
            self.line.saturating_sub(1),
            self.column.saturating_sub(1),
            1,
        )))
    }
}

impl Source {
    /// The byte at which a character begins.
    fn byte(&self, chars: usize) -> usize {
        self.text
            .char_indices()
            .nth(chars)
            .map_or(self.text.len(), |(at, _)| at)
    }

    /// From which offset on a line may not be shown, where the file may hold secrets.
    fn covered_from(&self, begin: usize, finish: usize) -> Option<usize> {
        if !self.guarded {
            return None;
        }
        let line = self.text.get(begin..finish)?;
        let indent = line.len() - line.trim_start().len();
        if !line.contains(':') {
            // No key, so perhaps the rest of something that was pasted.
            let own = line
                .trim_start()
                .strip_prefix("- ")
                .map_or(indent, |_| indent + 2);
            return Some(own);
        }
        let from = secret_in(line).or_else(|| {
            let under = self.is_under_secret(begin, indent);
            under.then(|| after_colon(line, line.find(':').unwrap_or(0)))
        })?;
        let value = line.get(from..)?.trim_end();
        let reference = ["env:", "file:"]
            .iter()
            .any(|scheme| value.starts_with(scheme))
            && !value.contains([' ', ',', '#']);
        (!reference).then_some(from)
    }

    /// Whether a line above that this one is indented under has a key that sounds like a secret.
    fn is_under_secret(&self, begin: usize, indent: usize) -> bool {
        let mut indent = indent;
        let above = self.text.get(..begin).unwrap_or_default();
        for line in above.lines().rev() {
            let text = line.trim_start();
            let own = line.len() - text.len();
            if text.is_empty() || text.starts_with('#') || own >= indent {
                continue;
            }
            indent = own;
            let key = text.split(':').next().unwrap_or_default();
            if key != "token" && sounds_secret(key) {
                return true;
            }
            if indent == 0 {
                return false;
            }
        }
        false
    }
}

fn last_character(line: &str) -> (usize, usize) {
    line.char_indices()
        .next_back()
        .map_or((0, 0), |(at, c)| (at, c.len_utf8()))
}

/// The line around a place, without its line break.
fn bounds(text: &str, at: usize) -> (usize, usize) {
    let is_break = |c: char| c == '\n' || c == '\r';
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at..).unwrap_or_default();
    let begin = before.rfind(is_break).map_or(0, |found| found + 1);
    let finish = after.find(is_break).map_or(text.len(), |found| at + found);
    (begin, finish)
}

/// Where the value begins of the first key in a line that sounds like a secret.
fn secret_in(line: &str) -> Option<usize> {
    let credentials = line
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@'));
    if credentials {
        return line.find(':').map(|colon| after_colon(line, colon));
    }
    line.match_indices(':').find_map(|(colon, _)| {
        let before = line.get(..colon)?.trim_end().trim_end_matches(['"', '\'']);
        let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let key = before.rsplit(|c| !is_key(c)).next()?;
        sounds_secret(key).then(|| after_colon(line, colon))
    })
}

fn is_hidden(c: char) -> bool {
    c.is_control() && c != '\t'
}

fn after_colon(line: &str, colon: usize) -> usize {
    let rest = line.get(colon + 1..).unwrap_or_default();
    colon + 1 + rest.len() - rest.trim_start().len()
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "headers" || SECRET_WORDS.iter().any(|word| key.contains(word))
}

const COVER: &str = "***";
const HIDDEN: &str = "\u{fffd}";
const SECRET_WORDS: [&str; 5] = ["secr", "secer", "key", "token", "passw"];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shown(text: &str, line: usize) -> String {
        let source = Source::with_secrets("t", text);
        let start = text
            .split_inclusive('\n')
            .take(line - 1)
            .map(str::len)
            .sum();
        let span = Span {
            start,
            end: start,
            line,
            column: 1,
        };
        Excerpt::new(&source, span).text
    }

    #[test]
    fn what_sounds_like_a_secret_is_covered() {
        for (text, line, expected) in [
            ("app_key: hunter2\n", 1, "app_key: ***"),
            ("app_key: env:NAME\n", 1, "app_key: env:NAME"),
            ("app_key: env:NAME hunter2\n", 1, "app_key: ***"),
            ("secrets:\n  a: hunter2 # x\n", 2, "  a: ***"),
            ("secrets:\n# c\n\n  a: hunter2\n", 4, "  a: ***"),
            ("secrets:\n  a:\n    hunter2\n", 3, "    ***"),
            ("m: {secrets: {a: hunter2}}\n", 1, "m: {secrets: ***"),
            ("secerts: {a: hunter2}\n", 1, "secerts: ***"),
            ("base_url: https://u:hunter2@h\n", 1, "base_url: ***"),
            ("hunter2\n", 1, "***"),
            ("\"app_key\" : hunter2\n", 1, "\"app_key\" : ***"),
            ("token:\n  login: 5\n", 2, "  login: 5"),
            (
                "local:\n  listen: 127.0.0.1:1\n",
                2,
                "  listen: 127.0.0.1:1",
            ),
        ] {
            assert_eq!(shown(text, line), expected, "{text}");
        }
    }

    #[test]
    fn other_files_are_shown_as_they_are() {
        let source: Arc<Source> = Source::new("t", "token: $..x\n");
        let span = Span {
            start: 7,
            end: 11,
            line: 1,
            column: 8,
        };
        let excerpt = Excerpt::new(&source, span);
        assert_eq!(
            (excerpt.text.as_str(), excerpt.caret),
            ("token: $..x", (7, 4))
        );
    }

    #[test]
    fn an_empty_line_gives_way_to_the_one_before() {
        let source = Source::new("t", "é: [1\n\n\n");
        let span = Span {
            start: 8,
            end: 8,
            line: 4,
            column: 1,
        };
        let excerpt = Excerpt::new(&source, span);
        assert_eq!((excerpt.line, excerpt.column), (1, 5));
        assert_eq!(excerpt.text, "é: [1");
    }
}
