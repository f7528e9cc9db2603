//! A text with values in it: `lead-{$.body.id}`.

use std::borrow::Cow;

use super::path::{Fuel, Path, PathFault};
use super::scalar::text_of;
use super::{Document, Halt};

/// A text with places for values.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Place(Path),
}

/// Why a text is no template.
#[derive(Debug)]
pub enum TemplateFault {
    /// A `{` without its `}`, or a `}` alone.
    Braces,
    /// What stands between them is no selector.
    Path(String, PathFault),
}

impl Template {
    /// Reads a template. `{{` and `}}` stand for braces.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            let doubled = ["{{", "}}"].into_iter().find(|two| from.starts_with(two));
            if let Some(two) = doubled {
                plain.push_str(two.get(..1).unwrap_or_default());
                rest = from.get(2..).unwrap_or_default();
                continue;
            }
            let inner = from.strip_prefix('{').ok_or(TemplateFault::Braces)?;
            let end = end_of_place(inner).ok_or(TemplateFault::Braces)?;
            let (path, after) = inner.split_at(end);
            let path = path.trim();
            let read =
                Path::parse(path).map_err(|why| TemplateFault::Path(path.to_owned(), why))?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Place(read));
            rest = after.get(1..).unwrap_or_default();
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// The text, or `None` where one of the values is not there: half a text is never made.
    pub fn fill(&self, document: &Document, fuel: &mut Fuel) -> Result<Option<String>, Halt> {
        self.fill_with(document, fuel, |text, _| text)
    }

    /// The text of a URL: what is put in is percent-encoded, except where the text begins with it.
    pub fn fill_url(&self, document: &Document, fuel: &mut Fuel) -> Result<Option<String>, Halt> {
        self.fill_with(document, fuel, |text, at| match at {
            0 => text,
            _ => Cow::Owned(super::function::url_encode(&text)),
        })
    }

    fn fill_with(
        &self,
        document: &Document,
        fuel: &mut Fuel,
        put: impl for<'t> Fn(Cow<'t, str>, usize) -> Cow<'t, str>,
    ) -> Result<Option<String>, Halt> {
        let mut filled = String::new();
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Place(path) => {
                    let value = path.first(document, fuel)?.and_then(text_of);
                    let Some(value) = value else {
                        return Ok(None);
                    };
                    filled.push_str(&put(value, at));
                }
            }
            if filled.len() > TEXT_BYTES_MAX {
                return Err(Halt::TooLarge);
            }
        }
        Ok(Some(filled))
    }

    /// The texts between its places.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Place(_) => None,
        })
    }

    /// The selectors in it.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(path) => Some(path),
            Part::Text(_) => None,
        })
    }

    /// Whether it is a URL of the web whose scheme and host come from its own text, or from what
    /// `is_trusted`: other values stand behind a `/`, `?` or `#` that ends the host.
    pub fn has_fixed_host(&self, is_trusted: impl Fn(&Path) -> bool) -> bool {
        let mut has_scheme = false;
        for part in &self.parts {
            match part {
                Part::Place(path) if is_trusted(path) => has_scheme = true,
                Part::Place(_) => return false,
                Part::Text(text) => {
                    let bare = ["https://", "http://"]
                        .iter()
                        .find_map(|scheme| text.strip_prefix(scheme));
                    let rest = match (has_scheme, bare) {
                        (false, None) => return false,
                        (false, Some(bare)) => bare,
                        (true, _) => text,
                    };
                    let ends_at_once = !has_scheme && rest.starts_with(['/', '?', '#']);
                    if rest.contains(['/', '?', '#']) {
                        return !ends_at_once;
                    }
                    has_scheme = true;
                }
            }
        }
        has_scheme
    }
}

/// Where the selector of a place ends: at a `}` that stands in no quotes.
fn end_of_place(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// The longest text that a mapping makes.
const TEXT_BYTES_MAX: usize = 64 << 10;
