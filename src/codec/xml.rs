//! XML 1.0, as an object with the root element. Prefixes are dropped, attributes are `@name`, and
//! text beside either is `#text`. There are no document types and so no entities of a sender's own.

#[cfg(test)]
mod tests;
mod write;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use quick_xml::XmlVersion;
use quick_xml::errors::Error;
use quick_xml::escape::{EscapeError, resolve_xml_entity};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceError, ResolveResult};
use quick_xml::reader::NsReader;
use serde_json::{Map, Value};

use crate::codec::{Limits, Undecodable, add, charset};

pub(super) use write::encode;

/// Reads a document.
pub(super) fn decode(
    content_type: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Value, Undecodable> {
    let declared = match charset::declared(content_type)? {
        Some(encoding) => Some(encoding),
        None => written(body)?,
    };
    let text = charset::text(body, declared)?;
    let mut reader = NsReader::from_str(&text);
    reader
        .resolver_mut()
        .set_max_namespace_bindings(BINDINGS_MAX);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut reading = Reading {
        reader,
        limits,
        nodes: 0,
        open: Vec::new(),
        root: Map::new(),
    };
    if !text.chars().all(is_char) {
        return Err(reading.malformed());
    }
    while reading.step()? {}
    if !reading.open.is_empty() || reading.root.is_empty() {
        return Err(reading.malformed());
    }
    Ok(Value::Object(reading.root))
}

/// The charset that the text itself tells (XML 1.0, appendix F), unless by a byte order mark.
fn written(body: &[u8]) -> Result<Option<&'static Encoding>, Undecodable> {
    if body.starts_with(b"<\0") {
        return Ok(Some(UTF_16LE));
    }
    if body.starts_with(b"\0<") {
        return Ok(Some(UTF_16BE));
    }
    let label = (|| {
        let body = body.get(..DECLARATION_BYTES_MAX).unwrap_or(body);
        let declaration = body.strip_prefix(b"<?xml")?;
        let end = memchr::memmem::find(declaration, b"?>")?;
        let declaration = std::str::from_utf8(declaration.get(..end)?).ok()?;
        let (_, value) = declaration.split_once("encoding")?;
        let value = value.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value.strip_prefix(quote)?.split(quote).next()
    })();
    let Some(label) = label else {
        return Ok(None);
    };
    let encoding = charset::named(label.as_bytes())?;
    // We have just read it as ASCII.
    if !encoding.is_ascii_compatible() {
        return Err(Undecodable::Charset(encoding.name()));
    }
    Ok(Some(encoding))
}

struct Reading<'t> {
    reader: NsReader<&'t [u8]>,
    limits: &'t Limits,
    nodes: usize,
    /// The elements that have begun, the outermost first.
    open: Vec<Element>,
    /// The root, once it has ended.
    root: Map<String, Value>,
}

#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    has_children: bool,
    is_nil: bool,
    text: Text,
}

impl Reading<'_> {
    /// Takes in one piece of the text; false at its end.
    fn step(&mut self) -> Result<bool, Undecodable> {
        let is_first = self.reader.buffer_position() == 0;
        let event = self
            .reader
            .read_event()
            .map_err(|fault| self.refused(&fault))?;
        match event {
            Event::Start(start) => self.begin(&start)?,
            Event::End(_) => self.end()?,
            Event::Text(text) => {
                let text = text.xml10_content();
                match self.open.last_mut() {
                    Some(element) if !text.contains("]]>") => element.text.push(&text),
                    None if text.chars().all(is_space) => {}
                    _ => return Err(self.malformed()),
                }
            }
            Event::CData(text) => self.exact(&text.xml10_content())?,
            Event::GeneralRef(reference) => self.reference(&reference)?,
            Event::Decl(_) if is_first => {}
            Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(Undecodable::Doctype),
            Event::Decl(_) | Event::Empty(_) => return Err(self.malformed()),
            Event::Eof => return Ok(false),
        }
        Ok(true)
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), Undecodable> {
        let depth_max = self.limits.depth_max();
        if self.open.len() >= depth_max {
            return Err(Undecodable::TooDeep { depth_max });
        }
        if self.open.is_empty() && !self.root.is_empty() || !is_name(start.name().into_inner()) {
            return Err(self.malformed());
        }
        self.count()?;
        let mut element = Element {
            name: start.local_name().into_inner().to_owned(),
            ..Element::default()
        };
        for (at, attribute) in start.attributes().enumerate() {
            if at >= ATTRIBUTES_MAX {
                let nodes_max = ATTRIBUTES_MAX;
                return Err(Undecodable::TooManyNodes { nodes_max });
            }
            let attribute = attribute.map_err(|_| self.malformed())?;
            self.attribute(&mut element, &attribute)?;
        }
        self.open.push(element);
        Ok(())
    }

    fn attribute(
        &mut self,
        element: &mut Element,
        attribute: &Attribute<'_>,
    ) -> Result<(), Undecodable> {
        self.count()?;
        let name = attribute.key.into_inner();
        if !is_name(name) || attribute.value.contains('<') {
            return Err(self.malformed());
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|fault| self.refused(&fault))?;
        if !value.chars().all(is_char) {
            return Err(self.malformed());
        }
        if attribute.key.as_namespace_binding().is_some() {
            return Ok(());
        }
        let local = attribute.key.local_name().into_inner();
        if local == "nil" && self.is_instance(attribute) {
            element.is_nil = matches!(value.trim(), "true" | "1");
            return Ok(());
        }
        let name = format!("@{local}");
        if element.members.contains_key(&name) {
            return Err(Undecodable::DuplicateKey);
        }
        element
            .members
            .insert(name, Value::String(value.into_owned()));
        Ok(())
    }

    /// Whether an attribute is of XML Schema's instance namespace. Its usual prefix need not be
    /// declared: there are senders who forget it.
    fn is_instance(&self, attribute: &Attribute<'_>) -> bool {
        let (namespace, _) = self.reader.resolver().resolve_attribute(attribute.key);
        match namespace {
            ResolveResult::Bound(Namespace(uri)) => uri == INSTANCE,
            ResolveResult::Unknown(prefix) => prefix == "xsi",
            ResolveResult::Unbound => false,
        }
    }

    fn end(&mut self) -> Result<(), Undecodable> {
        let Some(element) = self.open.pop() else {
            return Err(self.malformed());
        };
        let text = element.text.trimmed(element.has_children);
        let value = if element.is_nil {
            // XML Schema, part 1, section 3.3.4: such an element is empty.
            if element.has_children || !text.is_empty() {
                return Err(self.malformed());
            }
            Value::Null
        } else if element.members.is_empty() {
            Value::from(text)
        } else {
            let mut members = element.members;
            if !text.is_empty() {
                members.insert("#text".to_owned(), Value::from(text));
            }
            Value::Object(members)
        };
        match self.open.last_mut() {
            Some(parent) => {
                parent.has_children = true;
                add(&mut parent.members, element.name, value)
            }
            None => add(&mut self.root, element.name, value),
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Undecodable> {
        match reference.resolve_char_ref() {
            Ok(Some(c)) if is_char(c) => self.exact(c.encode_utf8(&mut [0; 4])),
            Ok(None) => {
                let text = resolve_xml_entity(reference).ok_or(Undecodable::Entity)?;
                self.exact(text)
            }
            _ => Err(self.malformed()),
        }
    }

    /// Takes in text whose spaces were meant.
    fn exact(&mut self, text: &str) -> Result<(), Undecodable> {
        match self.open.last_mut() {
            Some(element) => {
                element.text.push_exact(text);
                Ok(())
            }
            None => Err(self.malformed()),
        }
    }

    fn count(&mut self) -> Result<(), Undecodable> {
        self.nodes += 1;
        let nodes_max = self.limits.nodes_max;
        if self.nodes > nodes_max {
            return Err(Undecodable::TooManyNodes { nodes_max });
        }
        Ok(())
    }

    fn refused(&self, fault: &Error) -> Undecodable {
        match fault {
            Error::Escape(EscapeError::UnrecognizedEntity(..)) => Undecodable::Entity,
            Error::Namespace(NamespaceError::TooManyBindings(nodes_max)) => {
                let nodes_max = *nodes_max;
                Undecodable::TooManyNodes { nodes_max }
            }
            _ => self.malformed(),
        }
    }

    fn malformed(&self) -> Undecodable {
        Undecodable::NotXml {
            at: self.reader.buffer_position(),
        }
    }
}

/// The text of an element, and which of its spaces were meant.
#[derive(Default)]
struct Text {
    text: String,
    /// Where the first and the last exact piece begin and end.
    exact: Option<(usize, usize)>,
}

impl Text {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn push_exact(&mut self, text: &str) {
        let from = self.exact.map_or(self.text.len(), |(from, _)| from);
        self.text.push_str(text);
        self.exact = Some((from, self.text.len()));
    }

    /// The text without the spaces around it that only lay the document out: all of them beside
    /// children, else those with a line break.
    fn trimmed(&self, is_mixed: bool) -> &str {
        let (from, to) = self.exact.unwrap_or((self.text.len(), 0));
        let head = self.text.get(..from).unwrap_or_default();
        let tail = self.text.get(to..).unwrap_or_default();
        let start = head.len() - head.trim_start_matches(is_space).len();
        let end = self.text.len() - (tail.len() - tail.trim_end_matches(is_space).len());
        let inner = self.text.get(start..end.max(start)).unwrap_or_default();
        let around = [self.text.get(..start), self.text.get(end..)];
        let is_laid_out = around.iter().flatten().any(|space| space.contains('\n'));
        if is_mixed || is_laid_out {
            inner
        } else {
            &self.text
        }
    }
}

/// White space (XML 1.0, production 3).
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// A character that a document may have (XML 1.0, production 2).
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// A name with at most one prefix (Namespaces in XML, production 7).
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
    };
    match name.split_once(':') {
        Some((prefix, local)) => is_part(prefix) && is_part(local),
        None => is_part(name),
    }
}

/// XML 1.0, production 4, without the colon.
fn is_name_start(c: char) -> bool {
    matches!(
        c,
        'A'..='Z'
            | '_'
            | 'a'..='z'
            | '\u{C0}'..='\u{D6}'
            | '\u{D8}'..='\u{F6}'
            | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}'
            | '\u{37F}'..='\u{1FFF}'
            | '\u{200C}'..='\u{200D}'
            | '\u{2070}'..='\u{218F}'
            | '\u{2C00}'..='\u{2FEF}'
            | '\u{3001}'..='\u{D7FF}'
            | '\u{F900}'..='\u{FDCF}'
            | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}'
    )
}

/// XML 1.0, production 4a, without the colon.
fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The most attributes of an element: each is compared with those before it.
const ATTRIBUTES_MAX: usize = 256;

/// The most namespaces in scope: each attribute looks through them.
const BINDINGS_MAX: usize = 256;

/// How far a declaration is looked for.
const DECLARATION_BYTES_MAX: usize = 256;
