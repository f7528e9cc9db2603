//! The keyrings of an account: keys by reference, with ids and the time in which each is valid.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::account::entries;
use super::secret::Secrets;
use crate::clock::UnixSecond;
use crate::crypto::{AesKey, Encoding, Keyring, Keys, MacKey, NamedKey};
use crate::policy::{FamilyLogin, Login, Policies, Sealing, SealingChoice, choice};
use crate::route::Catalogue;
use crate::yaml::{Fault, Faults, Fields, Name, Node, Read, Source, Value, parse};
use zeroize::Zeroizing;

/// Keyrings by name; one that is faulty is known as `None`.
type Keyrings = BTreeMap<String, Option<Arc<Keyring>>>;

/// Reads the keyrings of an account.
pub(super) fn read(node: &Node, loopback: bool, secrets: &mut Secrets<'_>) -> Keyrings {
    let mut all = BTreeMap::new();
    for (key, value) in entries(node, secrets.faults) {
        if let Some(Name(name)) = Name::read(key, secrets.faults) {
            all.insert(name, read_ring(value, loopback, secrets).map(Arc::new));
        }
    }
    all
}

fn read_ring(node: &Node, loopback: bool, secrets: &mut Secrets<'_>) -> Option<Keyring> {
    let Value::List(items) = &node.value else {
        secrets.faults.push(
            Fault::at(
                node,
                format!("expected a list of keys, found {}", node.kind()),
            )
            .concealed()
            .help("write `- { id: \"1\", key: env:NAME }`, the key that seals first"),
        );
        return None;
    };
    if items.is_empty() {
        secrets.faults.push(
            Fault::at(node, "this keyring has no key")
                .help("write `- { id: \"1\", key: env:NAME }`"),
        );
    }
    let mut ids = BTreeSet::new();
    let mut keys = Vec::new();
    for item in items {
        let key = read_key(item, loopback, secrets)?;
        if !ids.insert(key.id.clone()) {
            secrets.faults.push(
                Fault::at(item, format!("there is a key `{}` already", key.id))
                    .concealed()
                    .help("give each key of a keyring an id of its own"),
            );
        }
        keys.push(key);
    }
    Some(Keyring::new(keys))
}

fn read_key(node: &Node, loopback: bool, secrets: &mut Secrets<'_>) -> Option<NamedKey> {
    let faults = secrets.faults;
    let mut fields = Fields::open(node, faults)?;
    let id = fields.required::<Id>("id");
    let written = match fields.node("encoding") {
        None => Some(Written::Text),
        Some(node) => choice(node, faults, &WRITTEN),
    };
    let cipher =
        fields.required_node("key", "env:NAME").and_then(|node| {
            let bytes = read_bytes(node, written?, loopback, secrets)?;
            AesKey::new(&bytes)
                .map_err(|fault| {
                    faults.push(Fault::at(node, fault.to_string()).concealed().help(
                        "check the key and its `encoding`: text (the default), hex or base64",
                    ));
                })
                .ok()
        });
    let mac = fields
        .node("mac")
        .map(|node| Some(MacKey::new(&read_bytes(node, written?, loopback, secrets)?)));
    let from = fields.node("from").map(|node| read_moment(node, faults));
    let until = fields.node("until").map(|node| read_moment(node, faults));
    if let (Some(Some(from)), Some(Some(until))) = (from, until)
        && from >= until
    {
        faults.push(
            fields
                .fault("this key is never valid: `until` is not after `from`")
                .concealed()
                .help("let `until` be later than `from`"),
        );
    }
    fields.finish();
    Some(NamedKey {
        id: id?.0,
        keys: Keys {
            cipher: cipher?,
            mac: mac.map_or(Some(None), |mac| mac.map(Some))?,
        },
        from: from.map_or(Some(None), |from| from.map(Some))?,
        until: until.map_or(Some(None), |until| until.map(Some))?,
    })
}

/// A keyring of one key, given by reference outside of any file; every fault about it otherwise.
pub fn of_references(key: &str, mac: Option<&str>, encoding: &str) -> Result<Keyring, Vec<Fault>> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mac = mac.map_or_else(String::new, |mac| format!("mac: {}\n", quoted(mac)));
    let text = format!("id: '1'\nencoding: {encoding}\nkey: {}\n{mac}", quoted(key));
    let faults = Faults::new();
    let mut secrets = Secrets {
        base: Path::new(""),
        watched: &mut Vec::new(),
        faults: &faults,
    };
    let key = parse(&Source::with_secrets("the key".to_owned(), text), &faults)
        .and_then(|node| read_key(&node, true, &mut secrets));
    match key {
        Some(key) if !faults.any_error() => Ok(Keyring::new(vec![key])),
        _ => Err(faults.into_sorted()),
    }
}

/// The id of a key: it may have to travel in a header.
struct Id(String);

impl Read for Id {
    const EXAMPLE: &'static str = "2026-11";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let id = String::read(node, faults)?;
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            faults.push(
                Fault::at(node, "an id of a key is 1 to 64 visible ASCII characters")
                    .help(format!("write for example `{}`", Self::EXAMPLE)),
            );
        }
        fits.then_some(Self(id))
    }
}

/// How a key is written where the reference points.
#[derive(Debug, Clone, Copy)]
enum Written {
    /// The bytes of the text are the key.
    Text,
    As(Encoding),
}

const WRITTEN: [(&str, Written); 3] = [
    ("text", Written::Text),
    ("hex", Written::As(Encoding::Hex)),
    ("base64", Written::As(Encoding::Base64)),
];

fn read_bytes(
    node: &Node,
    written: Written,
    loopback: bool,
    secrets: &mut Secrets<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let secret = secrets.read_for(node, loopback)?;
    let text = secret.expose().as_bytes();
    match written {
        Written::Text => Some(Zeroizing::new(text.to_vec())),
        Written::As(encoding) => {
            let bytes = encoding.decode(text).ok().map(Zeroizing::new);
            if bytes.is_none() {
                secrets.faults.push(
                    Fault::at(node, "the key is not written in this encoding")
                        .concealed()
                        .help("check `encoding`: text (the default), hex or base64"),
                );
            }
            bytes
        }
    }
}

fn read_moment(node: &Node, faults: &Faults) -> Option<UnixSecond> {
    let text = String::read(node, faults)?;
    let moment = text.parse::<jiff::Timestamp>().ok();
    if moment.is_none() {
        faults.push(
            Fault::at(node, "this is no moment in time")
                .help("write date, time and zone: `2026-11-23T08:00:00Z` or `…+08:00`"),
        );
    }
    moment.map(jiff::Timestamp::as_second)
}

/// What of an account decides which sealings it uses.
pub(super) struct Uses<'a> {
    pub(super) policies: &'a Policies,
    pub(super) catalogue: &'a Catalogue,
    pub(super) sealing: &'a SealingChoice,
    pub(super) login: Option<&'a Arc<Login>>,
}

/// Every sealing that the account uses must find its keyring, and in it the keys it needs.
pub(super) fn check(node: &Node, uses: &Uses<'_>, keyrings: &Keyrings, faults: &Faults) {
    let place = node.child("keys").unwrap_or(node);
    let used = uses.sealings();
    for sealing in &used {
        let name = &sealing.keys;
        match keyrings.get(name) {
            None => faults.push(
                Fault::at(
                    place,
                    format!(
                        "the keyring `{name}` is missing: the sealing `{}` needs it",
                        sealing.name
                    ),
                )
                .label(if node.child("keys").is_some() {
                    "in this mapping"
                } else {
                    "of this account"
                })
                .help(format!(
                    "add `{name}: [{{ id: \"1\", key: env:NAME }}]` under `keys`, or write \
                     `sealing: none` where nothing is to be sealed"
                )),
            ),
            Some(Some(ring)) if sealing.is_tagged && !ring.has_mac() => faults.push(
                Fault::at(
                    place,
                    format!("a key of the keyring `{name}` has no MAC key"),
                )
                .help(format!(
                    "the sealing `{}` has a MAC: add `mac: env:NAME` to each key",
                    sealing.name
                )),
            ),
            Some(Some(ring)) if !sealing.is_tagged && ring.has_mac() => faults.push(
                Fault::at(
                    place,
                    format!(
                        "the sealing `{}` does not use the MAC key of `{name}`",
                        sealing.name
                    ),
                )
                .help("add `mac: appended` to the sealing, or remove `mac` from the keys")
                .warning(),
            ),
            Some(_) => {}
        }
    }
    if *uses.sealing == SealingChoice::Inherited && node.child("sealing").is_some() {
        // What it names is faulty, and may well be what uses the keyrings.
        return;
    }
    for (key, _) in node
        .child("keys")
        .map_or(&[][..], |keys| match &keys.value {
            Value::Map(entries) => entries,
            _ => &[],
        })
    {
        let name = key.text().unwrap_or_default();
        if keyrings.contains_key(name) && !used.iter().any(|sealing| sealing.keys == name) {
            faults.push(
                Fault::at(
                    key,
                    format!("no sealing of this account uses the keyring `{name}`"),
                )
                .label("not used")
                .help("name a sealing that does: `sealing: airudder`")
                .warning(),
            );
        }
    }
}

impl Uses<'_> {
    /// Every sealing in use, once.
    fn sealings(&self) -> Vec<&Arc<Sealing>> {
        let of_entries = self.catalogue.entries().iter().map(|entry| {
            SealingChoice::decide([&entry.sealing, &entry.family.sealing, self.sealing])
        });
        let families = || self.policies.families.values();
        let of_families = families().map(|family| {
            SealingChoice::decide([&SealingChoice::Inherited, &family.sealing, self.sealing])
        });
        let of_logins = families().map(|family| match &family.login {
            FamilyLogin::None => None,
            FamilyLogin::By(login) => self.login.unwrap_or(login).sealing.sealing(),
        });
        let used: BTreeMap<&str, &Arc<Sealing>> = of_entries
            .chain(of_families)
            .chain(of_logins)
            .flatten()
            .map(|sealing| (sealing.name.as_str(), sealing))
            .collect();
        used.into_values().collect()
    }
}
