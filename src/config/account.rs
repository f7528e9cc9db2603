//! The settings of an account.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::keyring;
use super::secret::Secrets;
use crate::outbound::{AccountOptions, OtherOptions};
use crate::policy::{
    FamilyLogin, FamilyUpstream, Login, Policies, authorization_scheme, choice, read_sealing,
};
use crate::route::Catalogue;
use crate::secret::Secret;
use crate::upstream::tls::{Client, Material, certificates};
use crate::upstream::{self, BaseUrl, Protocol};
use crate::yaml::{Fault, Faults, Fields, Name, Node, Read, Value, meant};

/// Reads one account.
pub(super) fn read(
    name: &str,
    node: &Node,
    (policies, catalogue): (&Policies, &Catalogue),
    secrets: &mut Secrets<'_>,
) -> Option<AccountOptions> {
    let faults = secrets.faults;
    let mut fields = Fields::open(node, faults)?;
    let base = fields.required("base_url");
    let upstream = read_upstream(&mut fields, "base_url", base, secrets);
    let loopback = upstream
        .as_ref()
        .is_none_or(|upstream| upstream.base.is_loopback());
    let of_account = fields
        .required_node("secrets", "{ app_key: env:NAME, app_secret: env:NAME }")
        .map(|node| read_secrets(node, loopback, secrets));
    let login = fields
        .node("login")
        .and_then(|node| policies.logins.resolve(node, faults).cloned());
    let authorization = fields
        .node("authorization")
        .and_then(|node| authorization_scheme(node, faults));
    let sealing = read_sealing(&mut fields, &policies.sealings);
    let keys = fields
        .node("keys")
        .map(|node| keyring::read(node, loopback, secrets))
        .unwrap_or_default();
    let uses = keyring::Uses {
        policies,
        catalogue,
        sealing: &sealing,
        login: login.as_ref(),
    };
    keyring::check(node, &uses, &keys, faults);
    let open_failures_max = fields
        .optional::<usize>("open_failures_max")
        .and_then(|max| NonZeroU32::new(u32::try_from(max).ok()?));
    let http_cache = read_http_cache(&mut fields);
    let others = fields
        .node("upstreams")
        .map(|node| read_others(node, policies, secrets));
    let are_named = node
        .child("secrets")
        .is_some_and(|node| matches!(node.value, Value::Map(_)));
    if let Some(found) = of_account.as_ref().filter(|_| are_named) {
        check_secrets(node, found, (login.as_ref(), policies), faults);
    }
    fields.finish();
    Some(AccountOptions {
        name: name.to_owned(),
        upstream: upstream?,
        secrets: of_account?,
        login,
        authorization,
        sealing,
        keys: keys
            .into_iter()
            .filter_map(|(name, ring)| Some((name, ring?)))
            .collect(),
        open_failures_max: open_failures_max.unwrap_or(OPEN_FAILURES_MAX),
        http_cache,
        others: others.unwrap_or_default(),
    })
}

/// Reads the keys that every upstream has, besides where it is; the caller finishes the mapping.
pub(super) fn read_upstream(
    fields: &mut Fields<'_>,
    key: &'static str,
    base: Option<BaseUrl>,
    secrets: &mut Secrets<'_>,
) -> Option<upstream::Options> {
    let faults = fields.faults();
    if let (Some(base), Some(node)) = (&base, fields.node(key))
        && !base.is_tls()
        && !base.is_loopback()
    {
        faults.push(
            Fault::at(
                node,
                "tokens and payloads go to another machine without TLS",
            )
            .help("write https:// unless the network between is your own")
            .warning(),
        );
    }
    let protocol = match fields.node("http") {
        None => Protocol::Auto,
        Some(node) => choice(
            node,
            faults,
            &[
                ("auto", Protocol::Auto),
                ("1.1", Protocol::Http1),
                ("2", Protocol::Http2),
            ],
        )
        .unwrap_or(Protocol::Auto),
    };
    let limits = fields
        .node("limits")
        .map_or(LIMITS, |node| read_limits(node, faults));
    let tls_node = fields.node("tls");
    let material = match tls_node {
        None => Material {
            extra_ca: None,
            client: None,
        },
        Some(node) => read_material(node, secrets)?,
    };
    let tls = Client::new(material, Some(protocol)).map_err(|fault| {
        let message = format!("no TLS with these files: {fault}");
        let fault = match tls_node {
            Some(node) => Fault::at(node, message),
            None => fields.fault(message),
        };
        faults.push(fault.help("`ca`, `certificate` and `key` must be PEM files"));
    });
    Some(upstream::Options {
        base: base?,
        protocol,
        tls: tls.ok()?,
        limits,
    })
}

/// How third parties are spoken to; their bases are those of the calls.
pub(super) fn parties(faults: &Faults) -> Option<upstream::Options> {
    let material = Material {
        extra_ca: None,
        client: None,
    };
    let tls = Client::new(material, Some(Protocol::Auto)).map_err(|fault| {
        faults.push(Fault::nowhere(format!("no TLS: {fault}")));
    });
    Some(upstream::Options {
        base: BaseUrl::parse("https://localhost").ok()?,
        protocol: Protocol::Auto,
        tls: tls.ok()?,
        limits: LIMITS,
    })
}

pub(super) fn read_material(node: &Node, secrets: &mut Secrets<'_>) -> Option<Material> {
    let mut fields = Fields::open(node, secrets.faults)?;
    let ca = fields
        .node("ca")
        .map(|node| read_certificates(node, secrets));
    let certificate = fields
        .node("certificate")
        .map(|node| read_certificates(node, secrets));
    let key = fields
        .node("key")
        .map(|node| secrets.read(node).map(|found| found.secret));
    let missing = match (&certificate, &key) {
        (Some(_), None) => Some("key: file:client.key"),
        (None, Some(_)) => Some("certificate: client.crt"),
        _ => None,
    };
    if let Some(missing) = missing {
        let message = "a client certificate needs both `certificate` and `key`";
        secrets
            .faults
            .push(Fault::at(node, message).help(format!("add `{missing}`")));
    }
    fields.finish();
    let client = match certificate.zip(key) {
        None => None,
        Some((certificate, key)) => Some((certificate?, key?)),
    };
    let extra_ca = match ca {
        None => None,
        Some(read) => Some(read?),
    };
    Some(Material { extra_ca, client })
}

/// Reads a PEM file of certificates that a setting points to.
pub(super) fn read_certificates(node: &Node, secrets: &mut Secrets<'_>) -> Option<Vec<u8>> {
    let pem = secrets.file(node, &String::read(node, secrets.faults)?)?;
    if certificates(&pem).is_err() {
        secrets.faults.push(
            Fault::at(node, "there is no certificate in this file")
                .help("it must be PEM: `-----BEGIN CERTIFICATE-----` and what follows"),
        );
        return None;
    }
    Some(pem)
}

fn read_limits(node: &Node, faults: &Faults) -> upstream::Limits {
    let Some(mut fields) = Fields::open(node, faults) else {
        return LIMITS;
    };
    let limits = upstream::Limits {
        calls_max: fields.or("calls_max", LIMITS.calls_max),
        waiting_max: fields.or("waiting_max", LIMITS.waiting_max),
        http2_connections_max: fields.or("http2_connections_max", LIMITS.http2_connections_max),
        http2_streams_max: fields.or("http2_streams_max", LIMITS.http2_streams_max),
        connect: fields.or("connect", LIMITS.connect),
        idle: fields.or("idle", LIMITS.idle),
        body_idle: fields.or("body_idle", LIMITS.body_idle),
    };
    fields.finish();
    limits
}

fn read_secrets(
    node: &Node,
    loopback: bool,
    secrets: &mut Secrets<'_>,
) -> BTreeMap<String, Secret> {
    let mut all = BTreeMap::new();
    for (key, value) in entries(node, secrets.faults) {
        let Some(Name(name)) = Name::read(key, secrets.faults) else {
            continue;
        };
        // The name is known, so that what needs it does not complain a second time.
        let empty = || Secret::new(String::new());
        let secret = secrets.read_for(value, loopback).unwrap_or_else(empty);
        all.insert(name, secret);
    }
    all
}

/// Every login that the account uses must find its secrets.
fn check_secrets(
    node: &Node,
    found: &BTreeMap<String, Secret>,
    (own, policies): (Option<&Arc<Login>>, &Policies),
    faults: &Faults,
) {
    let of_families = policies
        .families
        .values()
        .filter_map(|family| match &family.login {
            FamilyLogin::None => None,
            FamilyLogin::By(login) => Some(login),
        });
    let used: BTreeMap<&str, &Arc<Login>> = match own {
        Some(login) => [(login.name.as_str(), login)].into(),
        None => of_families
            .map(|login| (login.name.as_str(), login))
            .collect(),
    };
    let place = node.child("secrets").unwrap_or(node);
    let mut told = Vec::new();
    for login in used.values() {
        for (wire, secret) in &login.fields {
            if found.contains_key(secret) || told.contains(&secret) {
                continue;
            }
            told.push(secret);
            faults.push(
                Fault::at(
                    place,
                    format!(
                        "the secret `{secret}` is missing: the login `{}` needs it",
                        login.name
                    ),
                )
                .label("in this mapping")
                .help(format!("add `{secret}: env:NAME`; it is sent as `{wire}`")),
            );
        }
    }
}

fn read_others(
    node: &Node,
    policies: &Policies,
    secrets: &mut Secrets<'_>,
) -> BTreeMap<String, OtherOptions> {
    let mut all = BTreeMap::new();
    for (key, value) in entries(node, secrets.faults) {
        let name = key.text().unwrap_or_default();
        let known = policies
            .families
            .values()
            .filter_map(|family| match &family.upstream {
                FamilyUpstream::Named(name) => Some(name.as_str()),
                FamilyUpstream::Account => None,
            });
        if !known.clone().any(|known| known == name) {
            secrets.faults.push(
                Fault::at(key, format!("no family uses an upstream `{name}`"))
                    .label("not known")
                    .help(meant(name, known)),
            );
        }
        let Some(mut fields) = Fields::open(value, secrets.faults) else {
            continue;
        };
        let base = fields.required("base_url");
        let upstream = read_upstream(&mut fields, "base_url", base, secrets);
        let headers = fields
            .node("headers")
            .map(|node| read_headers(node, secrets));
        let http_cache = read_http_cache(&mut fields);
        fields.finish();
        if let Some(upstream) = upstream {
            let other = OtherOptions {
                upstream,
                http_cache,
                headers: headers.unwrap_or_default(),
            };
            all.insert(name.to_owned(), other);
        }
    }
    all
}

/// Whether what an upstream says of caching is believed.
fn read_http_cache(fields: &mut Fields<'_>) -> bool {
    let faults = fields.faults();
    let choices = [("off", false), ("shared", true)];
    let node = fields.node("http_cache");
    node.and_then(|node| choice(node, faults, &choices))
        .unwrap_or(false)
}

fn read_headers(node: &Node, secrets: &mut Secrets<'_>) -> Vec<(HeaderName, Secret)> {
    entries(node, secrets.faults)
        .iter()
        .filter_map(|(key, value)| {
            let name = HeaderName::read(key, secrets.faults)?;
            Some((name, secrets.read(value)?.secret))
        })
        .collect()
}

/// The entries of a mapping; anything else is a fault.
pub(super) fn entries<'n>(node: &'n Node, faults: &Faults) -> &'n [(Node, Node)] {
    if let Value::Map(entries) = &node.value {
        return entries;
    }
    faults.push(
        Fault::at(
            node,
            format!("expected keys and values, found {}", node.kind()),
        )
        .help("write `name: …` lines, indented under the key"),
    );
    &[]
}

/// Enough for a platform that stumbles; few for whoever tries texts out.
const OPEN_FAILURES_MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// The limits of an upstream that says nothing of them.
const LIMITS: upstream::Limits = upstream::Limits {
    calls_max: 256,
    waiting_max: 1024,
    http2_connections_max: 4,
    http2_streams_max: 100,
    connect: Duration::from_secs(5),
    idle: Duration::from_secs(15),
    body_idle: Duration::from_mins(1),
};
