//! A family of operations: how its answers are judged, how it logs in, which headers it gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::policy::{Login, Named, Retry, SealingChoice, Verdict, read_sealing};
use crate::yaml::{Entries, Fault, Faults, Fields, Name, Node, Value};

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
    /// How its calls are sent again, if they are.
    pub retry: Option<Arc<Retry>>,
    /// How its messages are sealed.
    pub sealing: SealingChoice,
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

/// The policies that a family may name.
pub(super) struct Known<'p> {
    pub(super) retries: &'p Named<Retry>,
    pub(super) verdicts: &'p Named<Verdict>,
    pub(super) logins: &'p Named<Login>,
    pub(super) sealings: &'p Named<SealingChoice>,
}

impl Family {
    pub(super) fn read(
        name: &str,
        node: &Node,
        known: &Known<'_>,
        faults: &Faults,
    ) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let verdict = fields
            .required_node("verdict", "plain")
            .and_then(|node| known.verdicts.resolve(node, faults));
        let login = match fields.required_node("login", "none") {
            Some(node) if node.text() == Some("none") => Some(FamilyLogin::None),
            Some(node) => known
                .logins
                .resolve(node, faults)
                .map(|login| FamilyLogin::By(Arc::clone(login))),
            None => None,
        };
        let upstream = fields
            .optional::<Name>("upstream")
            .map_or(FamilyUpstream::Account, |name| {
                FamilyUpstream::Named(name.0)
            });
        let retry = match fields.node("retry") {
            Some(node) if node.text() != Some("none") => {
                known.retries.resolve(node, faults).map(Arc::clone)
            }
            _ => None,
        };
        let sealing = read_sealing(&mut fields, known.sealings);
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
            retry,
            sealing,
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

/// Every prefix is a path, and two families must not claim the same one.
pub(super) fn check_prefixes(families: &[(Node, Node)], faults: &Faults) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, family) in families {
        let name = key.text().unwrap_or_default();
        for node in prefixes(family) {
            let Some(prefix) = node.text() else { continue };
            if !prefix.starts_with('/') {
                faults.push(
                    Fault::at(node, format!("`{prefix}` is no beginning of a path"))
                        .help(format!("write `/{prefix}`")),
                );
            }
            if let Some(other) = owners.insert(prefix, name) {
                faults.push(
                    Fault::at(node, told_twice(name, other, prefix))
                        .label("again here")
                        .help("remove it from the `paths` of one of the two"),
                );
            }
        }
    }
}

/// Where paths outside the catalogue pass, some family must take those that no other claims.
pub(super) fn check_root(families: &[(Node, Node)], faults: &Faults) {
    let claims = |(_, family): &(Node, Node)| {
        prefixes(family)
            .iter()
            .any(|prefix| prefix.text() == Some("/"))
    };
    if families.iter().any(claims) {
        return;
    }
    let message = "no family claims `/`, the paths that no other prefix claims";
    let fault = match families.first() {
        Some((key, _)) => Fault::at(key, message).label("the first family"),
        None => Fault::nowhere(message),
    };
    faults.push(
        fault.help("add `/` to the `paths` of one family, or write `unlisted_paths: refuse`"),
    );
}

fn prefixes(family: &Node) -> &[Node] {
    match family.child("paths").map(|paths| &paths.value) {
        Some(Value::List(prefixes)) => prefixes,
        _ => &[],
    }
}

fn told_twice(name: &str, other: &str, prefix: &str) -> String {
    if name == other {
        return format!("the family `{name}` claims `{prefix}` twice");
    }
    format!("the families `{other}` and `{name}` both claim `{prefix}`")
}
