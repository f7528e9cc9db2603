//! A YAML document as a tree in which every node knows its place.

use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::Value as Json;

use crate::yaml::syntax::{line_before, syntax, unprintable};
use crate::yaml::{Fault, Faults};

/// A file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that faults show: a path as the person wrote it.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The file may hold secrets: what sounds like one is covered when a fault shows a line.
    pub(super) guarded: bool,
}

/// A piece of a source: character offsets, and line and column of its start, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first character.
    pub start: usize,
    /// Offset after the last character.
    pub end: usize,
    /// Line of the first character, from 1.
    pub line: usize,
    /// Column of the first character, from 1.
    pub column: usize,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Where in the file.
    pub span: Span,
    /// Where the key stands that this is the value of.
    pub(super) key: Option<Span>,
    /// What it is.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing was written, or `~` or `null`.
    Null,
    /// A scalar, as text. `plain` is false where it was quoted or a block.
    Scalar {
        /// The text, after YAML's escapes.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; the keys are scalars.
    Map(Vec<(Node, Node)>),
}

impl Source {
    /// Names a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            guarded: false,
        })
    }

    /// Names a text that may hold secrets.
    pub fn with_secrets(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            guarded: true,
        })
    }
}

impl Node {
    /// A word for what the node is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Where a fault about the node stands: a list or mapping, or one that is not there, is best
    /// told by its key.
    pub(super) fn caret(&self) -> Span {
        match self.value {
            Value::Scalar { .. } => self.span,
            Value::Null | Value::List(_) | Value::Map(_) => self.key.unwrap_or(self.span),
        }
    }

    /// The scalar's text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value under a key, where the node is a mapping that has it.
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(name, _)| name.text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The node as JSON. What is quoted is text; a plain word is a number, a truth value or `null`
    /// where it reads as JSON, and else text. Numbers keep every digit.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Scalar { text, plain: true } => {
                serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()))
            }
            Value::Scalar { text, .. } => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                let member = |(key, value): &(Self, Self)| {
                    (key.text().unwrap_or_default().to_owned(), value.to_json())
                };
                Json::Object(entries.iter().map(member).collect())
            }
        }
    }
}

/// Reads one document.
///
/// Returns `None`, with the reason in `faults`, where the text is no YAML that we accept. Nothing
/// in the result can expand: what would (anchors, aliases, merge keys) is refused.
pub fn parse(source: &Arc<Source>, faults: &Faults) -> Option<Node> {
    if source.text.len() > BYTES_MAX {
        faults.push(
            Fault::nowhere(format!("{} is larger than {BYTES_MAX} bytes", source.name))
                .help("split the file: every file of a folder is read"),
        );
        return None;
    }
    if let Some(fault) = unprintable(source) {
        faults.push(fault);
        return None;
    }
    let mut builder = Builder {
        source,
        parser: Parser::new_from_str(&source.text),
        nodes: 0,
        faults,
    };
    match builder.document() {
        Ok(node) => Some(node),
        Err(fault) => {
            faults.push(*fault);
            None
        }
    }
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    parser: Parser<'a, StrInput<'a>>,
    nodes: usize,
    faults: &'a Faults,
}

type Step<T> = Result<T, Box<Fault>>;

impl<'a> Builder<'a> {
    fn document(&mut self) -> Step<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::StreamEnd => return root.ok_or_else(|| self.empty(START)),
                _ if root.is_some() => {
                    return Err(self
                        .fault(span, "a second document in one file")
                        .help_boxed(
                            "keep one document a file: remove the `---` and what follows it",
                        ));
                }
                event => {
                    let node = self.value(event, span, 0)?;
                    if matches!(node.value, Value::Null) {
                        return Err(self.empty(node.span));
                    }
                    root = Some(node);
                }
            }
        }
    }

    fn value(&mut self, event: Event<'a>, span: Span, depth: usize) -> Step<Node> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            return Err(self
                .fault(span, "the file is nested too deep or has too many values")
                .help_boxed(format!(
                    "at most {DEPTH_MAX} levels and {NODES_MAX} values: split the file"
                )));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some())?;
                let plain = style == ScalarStyle::Plain;
                if plain && matches!(text.as_ref(), "" | "~" | "null") {
                    return Ok(self.node(span, Value::Null));
                }
                Ok(self.node(
                    span,
                    Value::Scalar {
                        text: text.into_owned(),
                        plain,
                    },
                ))
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some())?;
                self.list(span, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some())?;
                self.map(span, depth)
            }
            Event::Alias(_) => Err(self
                .fault(span, "an alias (`*name`) is not allowed")
                .help_boxed("write the value out where it is used")),
            _ => Err(self.fault(span, "this is not a value")),
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Step<Node> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let whole = Span {
                    end: span.end.max(start.end),
                    ..start
                };
                return Ok(self.node(whole, Value::List(items)));
            }
            items.push(self.value(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Step<Node> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let whole = Span {
                    end: span.end.max(start.end),
                    ..start
                };
                return Ok(self.node(whole, Value::Map(entries)));
            }
            let key = self.value(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.value(event, span, depth + 1)?;
            value.key = Some(key.span);
            match key.text() {
                None => {
                    return Err(self
                        .fault(key.span, "a key must be a single word")
                        .help_boxed("quote it, or write `key: value`"));
                }
                Some("<<") => {
                    return Err(self
                        .fault(key.span, "a merge key (`<<`) is not allowed")
                        .help_boxed("write the values out where they are used"));
                }
                Some(text) => {
                    let first = entries.iter().find(|(known, _)| known.text() == Some(text));
                    if let Some((known, _)) = first {
                        self.faults.push(
                            Fault::at(&key, format!("the key `{text}` stands here twice"))
                                .label("again here")
                                .help(format!(
                                    "the first one is on line {}: keep one of the two",
                                    known.span.line
                                )),
                        );
                        continue;
                    }
                }
            }
            entries.push((key, value));
        }
    }

    fn refuse_extras(&self, span: Span, anchor: usize, tagged: bool) -> Step<()> {
        if anchor != 0 {
            return Err(self
                .fault(span, "an anchor (`&name`) is not allowed")
                .help_boxed("write the value out where it is used"));
        }
        if tagged {
            return Err(self
                .fault(span, "a tag (`!name`) is not allowed")
                .help_boxed("remove the tag: each key knows its own type"));
        }
        Ok(())
    }

    fn next(&mut self) -> Step<(Event<'a>, Span)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span.start, span.end))),
            Some(Err(error)) => {
                let at = place(*error.marker(), *error.marker());
                let before = line_before(&self.source.text, at);
                let (what, help) = syntax(error.info(), before);
                Err(self.fault(at, &what).help_boxed(help))
            }
            None => Ok((Event::StreamEnd, START)),
        }
    }

    fn empty(&self, span: Span) -> Box<Fault> {
        self.fault(span, "the file is empty")
            .help_boxed("write `key: value` lines, or remove the file")
    }

    fn node(&self, span: Span, value: Value) -> Node {
        Node {
            source: Arc::clone(self.source),
            span,
            key: None,
            value,
        }
    }

    fn fault(&self, span: Span, message: &str) -> Box<Fault> {
        Box::new(Fault::in_source(self.source, span, message))
    }
}

trait HelpBoxed {
    fn help_boxed(self, help: impl Into<String>) -> Self;
}

impl HelpBoxed for Box<Fault> {
    fn help_boxed(self, help: impl Into<String>) -> Self {
        Box::new((*self).help(help))
    }
}

fn place(start: saphyr_parser::Marker, end: saphyr_parser::Marker) -> Span {
    Span {
        start: start.index(),
        end: end.index(),
        line: start.line(),
        column: start.col() + 1,
    }
}

/// The beginning of a file.
const START: Span = Span {
    start: 0,
    end: 0,
    line: 1,
    column: 1,
};
const BYTES_MAX: usize = 4 * 1024 * 1024;
const NODES_MAX: usize = 200_000;
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str) -> Vec<String> {
        let faults = Faults::new();
        parse(&Source::new("t.yaml", text), &faults);
        faults
            .into_sorted()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_could_expand_or_mislead_is_refused() {
        for (text, expected) in [
            ("a: &x 1\nb: *x\n", "an anchor (`&name`) is not allowed"),
            ("a: !!str 1\n", "a tag (`!name`) is not allowed"),
            ("<<: {a: 1}\n", "a merge key (`<<`) is not allowed"),
            ("a: 1\na: 2\n", "the key `a` stands here twice"),
            ("a: 1\n---\nb: 2\n", "a second document in one file"),
            ("? [a]\n: 1\n", "a key must be a single word"),
        ] {
            assert_eq!(faults_of(text), [expected], "{text}");
        }
        assert_eq!(faults_of("a: [1, 2\n"), ["a `[` or `{` is not closed"]);
        assert_eq!(faults_of("# nothing\n"), ["the file is empty"]);
        let deep = faults_of(&"[".repeat(100_000));
        assert!(
            deep[0].starts_with("the file is nested too deep"),
            "{deep:?}"
        );
    }

    #[test]
    fn scalars_stay_text() {
        let faults = Faults::new();
        let node = parse(&Source::new("t", "a: no\nb: 0o7\nc: 1e3\nd: ~\n"), &faults).unwrap();
        for (key, expected) in [("a", "no"), ("b", "0o7"), ("c", "1e3")] {
            assert_eq!(node.child(key).unwrap().text(), Some(expected));
        }
        assert!(matches!(node.child("d").unwrap().value, Value::Null));
    }

    #[test]
    fn spans_name_line_and_column_in_characters() {
        let faults = Faults::new();
        let node = parse(&Source::new("t", "é: 张三\nkey: value\n"), &faults).unwrap();
        let span = node.child("key").unwrap().span;
        assert_eq!((span.line, span.column), (2, 6));
    }
}
