//! A family of operations: how its answers are judged, how it logs in, which headers it gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::policy::{Login, Named, Verdict, resolve};
use crate::yaml::{Entries, Fault, Faults, Fields, Name, Node};

/// What every operation of a family has in common.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// How its answers are judged.
    pub verdict: Arc<Verdict>,
    /// How it logs in.
    pub login: FamilyLogin,
    /// Where its calls go.
    pub upstream: FamilyUpstream,
    /// Prefixes that put a path outside the catalogue into this family.
    pub prefixes: Vec<String>,
    /// Headers that every call gets, whatever the downstream sent.
    pub headers_set: Vec<(HeaderName, HeaderValue)>,
    /// Headers that a call with a body gets where the downstream sent none.
    pub headers_default: Vec<(HeaderName, HeaderValue)>,
}

/// How a family logs in.
#[derive(Debug)]
pub enum FamilyLogin {
    /// It needs no token.
    None,
    /// By this login, unless the account names another.
    By(Arc<Login>),
}

/// Where the calls of a family go.
#[derive(Debug, PartialEq, Eq)]
pub enum FamilyUpstream {
    /// To the account's base URL.
    Account,
    /// To an upstream of another system, which the account may or may not set.
    Named(String),
}

impl Family {
    pub(super) fn read(
        name: &str,
        node: &Node,
        verdicts: &Named<Verdict>,
        logins: &Named<Login>,
        faults: &Faults,
    ) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let verdict = fields.node("verdict");
        if verdict.is_none() {
            fields.required::<String>("verdict");
        }
        let verdict = verdict.and_then(|node| resolve(node, "verdict", verdicts, faults));
        let login = match fields.node("login") {
            Some(node) if node.text() == Some("none") => Some(FamilyLogin::None),
            Some(node) => {
                resolve(node, "login", logins, faults).map(|login| FamilyLogin::By(login.clone()))
            }
            None => {
                fields.required::<String>("login");
                None
            }
        };
        let upstream = fields
            .optional::<Name>("upstream")
            .map_or(FamilyUpstream::Account, |name| {
                FamilyUpstream::Named(name.0)
            });
        let prefixes = fields.or("paths", Vec::<String>::new());
        let (headers_set, headers_default) = fields
            .node("headers")
            .and_then(|node| headers(node, faults))
            .unwrap_or_default();
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        Some(Self {
            name: name.to_owned(),
            verdict: Arc::clone(verdict?),
            login: login?,
            upstream,
            prefixes,
            headers_set,
            headers_default,
        })
    }
}

type Headers = Vec<(HeaderName, HeaderValue)>;

fn headers(node: &Node, faults: &Faults) -> Option<(Headers, Headers)> {
    let mut fields = Fields::open(node, faults)?;
    let set = fields.or("set", Entries(Vec::new())).0;
    let default = fields.or("default", Entries(Vec::new())).0;
    fields.finish();
    Some((set, default))
}

/// Two families must not claim the same prefix, and some family must claim `/`.
pub(super) fn check_prefixes(families: &Named<Family>, nodes: &[(Node, Node)], faults: &Faults) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for family in families.values() {
        for prefix in &family.prefixes {
            let Some(other) = owners.insert(prefix, &family.name) else {
                continue;
            };
            let node = nodes
                .iter()
                .find(|(key, _)| key.text() == Some(&family.name));
            let Some((key, _)) = node else { continue };
            faults.push(
                Fault::at(
                    key,
                    format!(
                        "the families `{other}` and `{}` both claim `{prefix}`",
                        family.name
                    ),
                )
                .help("remove the prefix from the `paths` of one of the two"),
            );
        }
    }
}
