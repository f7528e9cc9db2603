//! A cache policy: which replies of an operation answer for how long, and what tells its calls apart.

use std::time::Duration;

use http::HeaderName;

use crate::mapping::SingularQuery;
use crate::policy::Provenance;
use crate::yaml::{Fault, Faults, Fields, Node, Read};

/// How the replies of an operation are cached.
///
/// What tells two calls apart has no default: [`Caching::key`] is written out, and a call that has
/// something beyond it is never answered from the cache. The account, the operation, the method and
/// the URL's path always tell calls apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Caching {
    /// Its name in `policies/`.
    pub name: String,
    /// For how long a reply is fresh.
    pub lifetime: Duration,
    /// For how long a stale reply still answers while a new one is fetched (RFC 5861, section 3).
    pub stale_while_revalidate: Duration,
    /// For how long a stale reply answers where no new one can be had (RFC 5861, section 4).
    pub stale_if_error: Duration,
    /// What tells the calls apart.
    pub key: Vec<KeyPart>,
    /// How sure this is.
    pub provenance: Provenance,
}

/// A part of a call that tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// The query, as it was written.
    Query,
    /// The values of one field of the query.
    QueryField(String),
    /// A header.
    Header(HeaderName),
    /// The body, byte for byte.
    Body,
    /// A scalar of a JSON body.
    BodyField(SingularQuery),
}

impl Caching {
    /// Whether something of the body is in the key.
    pub fn reads_body(&self) -> bool {
        let of_body = |part: &KeyPart| matches!(part, KeyPart::Body | KeyPart::BodyField(_));
        self.key.iter().any(of_body)
    }

    pub(super) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let lifetime = fields.required("lifetime");
        let stale_while_revalidate = fields.or("stale_while_revalidate", Duration::ZERO);
        let stale_if_error = fields.or("stale_if_error", Duration::ZERO);
        let key = fields.required("key");
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        Some(Self {
            name: name.to_owned(),
            lifetime: lifetime?,
            stale_while_revalidate,
            stale_if_error,
            key: key?,
            provenance: provenance?,
        })
    }
}

impl Read for KeyPart {
    const EXAMPLE: &'static str = "query";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        if text.starts_with('$') {
            return SingularQuery::read(node, faults).map(Self::BodyField);
        }
        let part = match text.split_once('.') {
            None if text == "query" => Some(Self::Query),
            None if text == "body" => Some(Self::Body),
            Some(("query", field)) if !field.is_empty() => Some(Self::QueryField(field.to_owned())),
            Some(("header", name)) => name.parse().ok().map(Self::Header),
            _ => None,
        };
        if part.is_none() {
            faults.push(
                Fault::at(node, format!("`{text}` is no part of a call"))
                    .label("not known here")
                    .help(
                        "write `query`, `query.NAME`, `header.NAME`, `body`, or a JSONPath into \
                         the body such as `$.page`",
                    ),
            );
        }
        part
    }
}
