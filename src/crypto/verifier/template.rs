//! What a sender signs: literals, and pieces of the push.

use std::borrow::Cow;

use http::HeaderName;
use thiserror::Error;

use super::{Evidence, ProofFailure, form, only};

/// What is signed: `{header:webhook-id}.{header:webhook-timestamp}.{raw_body}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Method,
    Url,
    Path,
    Query,
    RawBody,
    SortedForm,
    Secret,
    Header(HeaderName),
    Param(String),
}

/// Every placeholder, and what stands there in the signed text.
pub const PLACEHOLDERS: [(&str, &str); 9] = [
    ("method", "the method, in capitals"),
    ("url", "the full URL as the sender sees it"),
    ("path", "the path of the URL, not decoded"),
    (
        "query",
        "the query of the URL, not decoded and without its `?`",
    ),
    ("raw_body", "the body, byte for byte as it came"),
    (
        "sorted_form",
        "name and value of each field of a form body, sorted by name; of a repeated name each \
         value once and sorted",
    ),
    (
        "secret",
        "the secret itself; only for `sha256`, and only there",
    ),
    ("header:NAME", "the value of a header"),
    (
        "param:NAME",
        "a value of the list in the signature's header; only with `parse: { pairs: … }`",
    ),
];

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateFault {
    /// A brace has no partner.
    #[error("a brace has no partner")]
    Brace,
    /// A placeholder that does not exist.
    #[error("there is no placeholder `{{{0}}}`")]
    Unknown(String),
    /// What stands behind `header:` is no name of a header.
    #[error("`{0}` is not the name of a header")]
    Header(String),
    /// It signs the same text for every push.
    #[error("it signs nothing of the push")]
    Constant,
}

/// What the pieces of a template are taken from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    /// The URL, as it is or with its other port.
    pub(super) url: &'a str,
    /// The list of the signature's header.
    pub(super) params: &'a [(&'a [u8], &'a [u8])],
    pub(super) secret: &'a [u8],
}

impl Template {
    /// Reads a template. `{{` and `}}` stand for a brace.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                literal.extend(from.chars().next());
                rest = after;
                continue;
            }
            let inside = from.strip_prefix('{').ok_or(TemplateFault::Brace)?;
            let (name, after) = inside.split_once('}').ok_or(TemplateFault::Brace)?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(piece(name)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        let is_constant = |piece: &Piece| matches!(piece, Piece::Literal(_) | Piece::Secret);
        if pieces.iter().all(is_constant) {
            return Err(TemplateFault::Constant);
        }
        Ok(Self(pieces))
    }

    /// The headers that are signed.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Header(name) => Some(name),
            _ => None,
        })
    }

    /// The values that are signed out of the list in the signature's header.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Param(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the secret is part of the text.
    pub fn has_secret(&self) -> bool {
        self.0.contains(&Piece::Secret)
    }

    /// Whether the body is signed, as it came or as a form.
    pub fn has_body(&self) -> bool {
        self.0.contains(&Piece::RawBody) || self.0.contains(&Piece::SortedForm)
    }

    /// Whether the query is signed, alone or in the URL.
    pub fn has_query(&self) -> bool {
        self.has_url() || self.0.contains(&Piece::Query)
    }

    /// Whether the URL is signed.
    pub fn has_url(&self) -> bool {
        self.0.contains(&Piece::Url)
    }

    /// The text that is signed. What is missing or there twice is left out and told, so that the
    /// work goes on.
    pub(super) fn fill<'a>(&self, scope: Scope<'a>) -> (Cow<'a, [u8]>, Result<(), ProofFailure>) {
        let evidence = scope.evidence;
        if self.0 == [Piece::RawBody] {
            return (Cow::Borrowed(evidence.body), Ok(()));
        }
        let mut text = Vec::with_capacity(evidence.body.len() + SPARE_BYTES);
        let mut is_whole = Ok(());
        for piece in &self.0 {
            let found = match piece {
                Piece::Literal(literal) => Ok(literal.as_bytes()),
                Piece::Method => Ok(evidence.method.as_str().as_bytes()),
                Piece::Url => Ok(scope.url.as_bytes()),
                Piece::Path => Ok(evidence.path.as_bytes()),
                Piece::Query => Ok(evidence.query.unwrap_or_default().as_bytes()),
                Piece::RawBody => Ok(evidence.body),
                Piece::SortedForm => {
                    text.extend(form::sorted(evidence.body));
                    continue;
                }
                Piece::Secret => Ok(scope.secret),
                Piece::Header(name) => only(evidence.headers, name),
                Piece::Param(name) => param(scope.params, name),
            };
            match found {
                Ok(bytes) => text.extend_from_slice(bytes),
                Err(failure) => is_whole = is_whole.and(Err(failure)),
            }
        }
        (Cow::Owned(text), is_whole)
    }
}

/// The value of a list that must be there exactly once.
pub(super) fn param<'p>(
    params: &[(&'p [u8], &'p [u8])],
    name: &str,
) -> Result<&'p [u8], ProofFailure> {
    let mut named = params.iter().filter(|(key, _)| *key == name.as_bytes());
    match (named.next(), named.next()) {
        (Some((_, value)), None) => Ok(value),
        (Some(_), Some(_)) => Err(ProofFailure::Repeated),
        (None, _) => Err(ProofFailure::Missing),
    }
}

fn piece(name: &str) -> Result<Piece, TemplateFault> {
    if let Some(header) = name.strip_prefix("header:") {
        let parsed = header.parse().map(Piece::Header);
        return parsed.map_err(|_| TemplateFault::Header(header.to_owned()));
    }
    Ok(match name {
        "method" => Piece::Method,
        "url" => Piece::Url,
        "path" => Piece::Path,
        "query" => Piece::Query,
        "raw_body" => Piece::RawBody,
        "sorted_form" => Piece::SortedForm,
        "secret" => Piece::Secret,
        _ => match name.strip_prefix("param:") {
            Some(param) if !param.is_empty() => Piece::Param(param.to_owned()),
            _ => return Err(TemplateFault::Unknown(name.to_owned())),
        },
    })
}

/// Room for what is signed beside the body.
const SPARE_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};

    fn fill(template: &str) -> (String, Result<(), ProofFailure>) {
        let mut headers = HeaderMap::new();
        headers.insert("x-one", HeaderValue::from_static("1"));
        headers.append("x-two", HeaderValue::from_static("a"));
        headers.append("x-two", HeaderValue::from_static("b"));
        let evidence = Evidence {
            method: &Method::POST,
            url: "https://a.example/p?q=1",
            path: "/p",
            query: Some("q=1"),
            headers: &headers,
            body: b"b=2&a=1",
            plain: None,
            document: None,
            peer: None,
            path_secret: None,
            certificate: None,
            now_ms: 0,
        };
        let scope = Scope {
            evidence: &evidence,
            url: evidence.url,
            params: &[(b"t", b"7"), (b"u", b"8"), (b"u", b"9")],
            secret: b"s",
        };
        let template = Template::parse(template).unwrap();
        let (text, is_whole) = template.fill(scope);
        (String::from_utf8(text.into_owned()).unwrap(), is_whole)
    }

    #[test]
    fn a_template_is_filled() {
        for (template, text) in [
            ("{raw_body}", "b=2&a=1"),
            ("{method}{url}", "POSThttps://a.example/p?q=1"),
            ("{path}?{query}", "/p?q=1"),
            ("{secret}{sorted_form}", "sa1b2"),
            ("v0:{header:X-One}.{param:t}", "v0:1.7"),
            ("{{{method}}}", "{POST}"),
        ] {
            assert_eq!(fill(template), (text.to_owned(), Ok(())));
        }
    }

    #[test]
    fn what_is_missing_or_there_twice_is_told() {
        for (template, failure) in [
            ("{header:x-none}{method}", ProofFailure::Missing),
            ("{header:x-two}{method}", ProofFailure::Repeated),
            ("{param:none}{method}", ProofFailure::Missing),
            ("{param:u}{method}", ProofFailure::Repeated),
        ] {
            assert_eq!(fill(template), ("POST".to_owned(), Err(failure)));
        }
    }

    #[test]
    fn what_is_no_template_is_told() {
        let unknown = |name: &str| TemplateFault::Unknown(name.to_owned());
        for (text, fault) in [
            ("{raw_body", TemplateFault::Brace),
            ("raw_body}", TemplateFault::Brace),
            ("{body}", unknown("body")),
            ("{}", unknown("")),
            ("{param:}", unknown("param:")),
            ("{header:a b}", TemplateFault::Header("a b".to_owned())),
            ("", TemplateFault::Constant),
            ("{secret}.", TemplateFault::Constant),
        ] {
            assert_eq!(Template::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn every_placeholder_is_read() {
        for (name, _) in PLACEHOLDERS {
            let text = format!("{{{}}}{{method}}", name.replace("NAME", "x"));
            assert!(Template::parse(&text).is_ok(), "{text}");
        }
    }
}
