//! How a token is had: one call, described.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use crate::mapping::SingularQuery;
use crate::policy::{Named, Provenance, SealingChoice, choice, read_sealing};
use crate::yaml::{Entries, Fault, Faults, Fields, Node, Read};

/// How the fields of a login are written into its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A JSON object.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// A login, described: what is sent, and where the token stands in the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Login {
    /// Its name in `policies/`.
    pub name: String,
    /// The method of the call.
    pub method: Method,
    /// The path of the call, below the account's base URL.
    pub path: String,
    /// How the body is written.
    pub encoding: Encoding,
    /// Headers besides the content type.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Wire name of each field, with the name of the account's secret that fills it.
    pub fields: Vec<(String, String)>,
    /// Where a code stands and which of its values mean yes; else the HTTP status alone decides.
    pub accepted: Option<(SingularQuery, Vec<i64>)>,
    /// Where the token stands.
    pub token: SingularQuery,
    /// How long a token lives when the answer does not say.
    pub lifetime: Duration,
    /// Where the answer says how long, in seconds.
    pub lifetime_at: Option<SingularQuery>,
    /// The scheme before the token in `Authorization`.
    pub authorization: String,
    /// How the login itself is sealed; an account's own sealing does not cover it.
    pub sealing: SealingChoice,
    /// How sure this is.
    pub provenance: Provenance,
}

impl Login {
    pub(super) fn read(
        name: &str,
        node: &Node,
        sealings: &Named<SealingChoice>,
        faults: &Faults,
    ) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let method = fields.or("method", Method::POST);
        let path: Option<String> = path(&mut fields);
        let encoding = match fields.node("encoding") {
            Some(node) => choice(
                node,
                faults,
                &[("json", Encoding::Json), ("form", Encoding::Form)],
            ),
            None => Some(Encoding::Json),
        };
        let headers = fields.or("headers", Entries(Vec::new())).0;
        let sent: Option<Entries<String, String>> = fields
            .required_node("fields", "{ APPKey: app_key, APPSecret: app_secret }")
            .and_then(|node| Entries::read(node, faults));
        let accepted = fields
            .node("accepted")
            .and_then(|node| accepted(node, faults));
        let token = fields.required("token");
        let lifetime = fields
            .required_node("lifetime", "24h")
            .and_then(|node| Duration::read(node, faults));
        let lifetime_at = fields.optional("lifetime_at");
        let authorization = fields.node("authorization").map_or_else(
            || Some("Token".to_owned()),
            |node| authorization_scheme(node, faults),
        );
        let sealing = read_sealing(&mut fields, sealings);
        let provenance = fields.or("source", Provenance::Assumed);
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        Some(Self {
            name: name.to_owned(),
            method,
            path: path?,
            encoding: encoding?,
            headers,
            fields: sent?.0,
            accepted,
            token: token?,
            lifetime: lifetime?,
            lifetime_at,
            authorization: authorization?,
            sealing,
            provenance,
        })
    }
}

/// Reads the scheme of `Authorization`: a token of RFC 9110.
pub(crate) fn authorization_scheme(node: &Node, faults: &Faults) -> Option<String> {
    let scheme = String::read(node, faults)?;
    let fits = (1..=32).contains(&scheme.len())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !fits {
        faults.push(
            Fault::at(
                node,
                format!("`{scheme}` is no scheme of an Authorization header"),
            )
            .help("write one word: `Token` or `Bearer`"),
        );
        return None;
    }
    Some(scheme)
}

fn path(fields: &mut Fields<'_>) -> Option<String> {
    let path: String = fields.required("path")?;
    let is_path = path.starts_with('/') && !path.contains(['?', '#']);
    if is_path && path.parse::<http::uri::PathAndQuery>().is_ok() {
        return Some(path);
    }
    fields.faults().push(
        Fault::at(fields.node("path")?, format!("`{path}` is no path"))
            .help("write a path that begins with `/` and has no query"),
    );
    None
}

fn accepted(node: &Node, faults: &Faults) -> Option<(SingularQuery, Vec<i64>)> {
    let mut fields = Fields::open(node, faults)?;
    let code = fields.required("code");
    let values = fields.required("values");
    fields.finish();
    Some((code?, values?))
}
