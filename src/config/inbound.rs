//! The settings of the inbound bridge: the public listener, the journal, the receivers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::InboundOptions;
use super::account::{self, entries};
use super::secret::Secrets;
use super::{hooks, listener};
use crate::crypto::{Cidr, Signer};
use crate::delivery::{Retry, TargetOptions};
use crate::inbound::TrustedProxies;
use crate::policy::choice;
use crate::route::Catalogue;
use crate::secret::Secret;
use crate::server;
use crate::store::{self, Choice, Retention};
use crate::upstream::BaseUrl;
use crate::yaml::{Bytes, Fault, Faults, Fields, Name, Node, Read, Value, nearest};

/// Reads everything inbound; `None` where there is no public listener.
pub(super) fn read(
    fields: &mut Fields<'_>,
    catalogue: &Catalogue,
    secrets: &mut Secrets<'_>,
) -> Option<InboundOptions> {
    let faults = fields.faults();
    let public = fields.node("public");
    let journal = fields.node("journal");
    let store = fields.node("store");
    let receivers = fields.node("receivers");
    let run = fields.node("run");
    let Some(public) = public else {
        for (key, node) in [
            ("journal", journal),
            ("store", store),
            ("receivers", receivers),
            ("run", run),
        ] {
            if let Some(node) = node {
                faults.push(
                    Fault::at(
                        node,
                        format!("`{key}` does nothing without a public listener"),
                    )
                    .help("add `public: { listen: 127.0.0.1:7071 }`, where pushes come in"),
                );
            }
        }
        return None;
    };
    let taken = read_public(public, secrets)?;
    let (journal, retention) = read_journal(journal, secrets);
    let store = match store {
        None => Some(Choice::Journal(journal)),
        Some(node) => super::store::read(node, journal, secrets),
    };
    let are_written = receivers.is_some();
    let flows = run
        .map(|node| super::flows::read(node, catalogue, secrets))
        .unwrap_or_default();
    let receivers = receivers
        .map(|node| read_receivers(node, catalogue, secrets))
        .unwrap_or_default();
    if !are_written && run.is_none() {
        faults.push(
            Fault::at(public, "nobody receives what comes in")
                .help("add `receivers: { app: { url: \"http://127.0.0.1:9000/platform\" } }`"),
        );
    }
    let secrets = (public, &taken.secrets);
    let hooks = hooks::read(catalogue, &receivers, &flows, secrets, faults);
    Some(InboundOptions {
        url: taken.url,
        proxies: taken.proxies,
        failures_max: taken.failures_max,
        listener: taken.listener,
        store: store?,
        retention,
        receivers,
        parties: account::parties(faults)?,
        stand_in: None,
        witness: None,
        flows,
        hooks,
    })
}

/// What `public` says.
struct Public {
    listener: server::Options,
    url: String,
    proxies: TrustedProxies,
    failures_max: NonZeroU32,
    secrets: BTreeMap<String, Vec<Secret>>,
}

fn read_public(node: &Node, secrets: &mut Secrets<'_>) -> Option<Public> {
    let faults = secrets.faults;
    let mut open = Fields::open(node, faults)?;
    let listener = listener::read_public("public", &mut open, PUBLIC, secrets);
    check_limits(&listener, node, faults);
    let scheme = if listener.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let url = open
        .optional::<BaseUrl>("url")
        .map(|url| url.to_string().trim_end_matches('/').to_owned());
    let proxies = open
        .node("trusted_proxies")
        .map(|node| read_networks(node, faults))
        .unwrap_or_default();
    let failures_max = open.optional("failures_max").and_then(nonzero);
    let proof_secrets = open
        .node("secrets")
        .map(|node| read_secrets(node, secrets))
        .unwrap_or_default();
    open.finish();
    let host = listener.address.unwrap_or(PUBLIC);
    Some(Public {
        url: url.unwrap_or_else(|| format!("{scheme}://{host}")),
        proxies: TrustedProxies(proxies),
        failures_max: failures_max.unwrap_or(FAILURES_MAX),
        listener,
        secrets: proof_secrets,
    })
}

fn check_limits(listener: &server::Options, public: &Node, faults: &Faults) {
    if listener.limits.body_bytes_max > EVENT_BYTES_MAX {
        let place = public.child("limits").unwrap_or(public);
        faults.push(
            Fault::at(place, "an event of more than 16 MiB is not stored")
                .help("write `body_bytes_max: 16MiB` or less"),
        );
    }
}

fn read_networks(node: &Node, faults: &Faults) -> Vec<Cidr> {
    let texts = Vec::<String>::read(node, faults).unwrap_or_default();
    let networks = texts.iter().filter_map(|text| {
        let network = Cidr::parse(text).ok();
        if network.is_none() {
            faults.push(
                Fault::at(node, format!("`{text}` is no network"))
                    .help("write an address, or a network such as `10.0.0.0/8`"),
            );
        }
        network
    });
    networks.collect()
}

/// One reference, or a list of them while a secret is exchanged.
fn read_secrets(node: &Node, secrets: &mut Secrets<'_>) -> BTreeMap<String, Vec<Secret>> {
    let mut all = BTreeMap::new();
    for (key, value) in entries(node, secrets.faults) {
        if let Some(Name(name)) = Name::read(key, secrets.faults) {
            all.insert(name, read_several(value, secrets));
        }
    }
    all
}

pub(super) fn read_several(node: &Node, secrets: &mut Secrets<'_>) -> Vec<Secret> {
    let nodes = match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    nodes
        .into_iter()
        .filter_map(|node| secrets.read(node).map(|found| found.secret))
        .collect()
}

fn read_journal(node: Option<&Node>, secrets: &Secrets<'_>) -> (store::Options, Retention) {
    let mut fields = Fields::open_or_empty(node, secrets.faults);
    let folder = fields.or("folder", PathBuf::from("journal"));
    let bytes_max = fields.or("bytes_max", Bytes(BYTES_MAX)).0;
    let mut keep = Fields::open_or_empty(fields.node("keep"), secrets.faults);
    let done = keep.or("done", Duration::from_hours(7 * 24));
    let buried = keep.or("buried", Duration::from_hours(90 * 24));
    keep.finish();
    fields.finish();
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let journal = store::Options {
        folder: secrets.base.join(folder),
        bytes_max,
        queue_max: 4096,
        batch_max: 1024,
    };
    let retention = Retention {
        done_ms: millis(done),
        buried_ms: millis(buried),
    };
    (journal, retention)
}

fn read_receivers(
    node: &Node,
    catalogue: &Catalogue,
    secrets: &mut Secrets<'_>,
) -> Vec<TargetOptions> {
    entries(node, secrets.faults)
        .iter()
        .filter_map(|(key, value)| {
            let Name(name) = Name::read(key, secrets.faults)?;
            read_receiver(name, value, catalogue, secrets)
        })
        .collect()
}

fn read_receiver(
    name: String,
    node: &Node,
    catalogue: &Catalogue,
    secrets: &mut Secrets<'_>,
) -> Option<TargetOptions> {
    let faults = secrets.faults;
    let mut fields = Fields::open(node, faults)?;
    let url = fields
        .required_node("url", "http://127.0.0.1:9000/platform")
        .and_then(|node| read_url(node, faults));
    let base = url.as_ref().map(|(base, _)| base.clone());
    let upstream = account::read_upstream(&mut fields, "url", base, secrets);
    let signing = fields
        .node("secrets")
        .map(|node| read_several(node, secrets))
        .unwrap_or_default();
    check_signing(&fields, node.child("secrets"), (&signing, faults));
    let routes = match fields.node("routes") {
        None => vec!["*".to_owned()],
        Some(node) => read_routes(node, catalogue, faults),
    };
    let effect = fields
        .node("effect")
        .and_then(|node| choice(node, faults, &[("repeatable", false), ("once", true)]));
    let timeout = fields.or("timeout", Duration::from_secs(30));
    let attempts_max = fields.or("attempts_max", 8);
    let rate_max = fields.optional("rate_max").and_then(nonzero);
    let retry = fields
        .node("retry")
        .map_or(RETRY, |node| read_retry(node, faults));
    fields.finish();
    Some(TargetOptions {
        name,
        upstream: upstream?,
        path: url?.1,
        secrets: signing,
        routes,
        is_once: effect.unwrap_or(false),
        timeout,
        attempts_max,
        rate_max,
        retry,
    })
}

/// Deliveries leave signed, with secrets that can sign.
fn check_signing(
    fields: &Fields<'_>,
    node: Option<&Node>,
    (secrets, faults): (&[Secret], &Faults),
) {
    let Some(node) = node else {
        faults.push(
            fields
                .fault("deliveries to this receiver leave unsigned")
                .help("add `secrets: [env:NAME]`, with `whsec_` and base64 in it: it can then tell that they are ours")
                .warning(),
        );
        return;
    };
    let secrets: Vec<&Secret> = secrets.iter().collect();
    if !secrets.is_empty() && Signer::standard_webhooks(&secrets).is_err() {
        faults.push(
            Fault::at(node, "with one of these secrets nothing can be signed")
                .concealed()
                .help("write `whsec_` and 24 to 64 bytes in base64 behind it: `echo whsec_$(openssl rand -base64 32)`"),
        );
    }
}

/// A URL as the base of an upstream, and path and query below it.
fn read_url(node: &Node, faults: &Faults) -> Option<(BaseUrl, Uri)> {
    let text = String::read(node, faults)?;
    let split = text.parse::<Uri>().ok().and_then(|uri| {
        let authority = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let path = uri.path_and_query()?.clone();
        Some((BaseUrl::parse(&authority).ok()?, Uri::from(path)))
    });
    if split.is_none() || text.contains('#') {
        faults.push(
            Fault::at(node, "this is no URL of a receiver")
                .help("write scheme, host and path: `http://127.0.0.1:9000/platform`"),
        );
        return None;
    }
    split
}

/// Names of pushes, or beginnings of names with a `*` behind; each must fit one at least.
fn read_routes(node: &Node, catalogue: &Catalogue, faults: &Faults) -> Vec<String> {
    let patterns = Vec::<String>::read(node, faults).unwrap_or_default();
    let names = || {
        let pushes = catalogue
            .entries()
            .iter()
            .filter(|entry| entry.webhook.is_some());
        pushes.map(|entry| entry.name.as_str())
    };
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => names().any(|name| name.starts_with(beginning)),
        None => names().any(|name| name == pattern),
    };
    for pattern in patterns.iter().filter(|pattern| !fits(pattern)) {
        let help = nearest(pattern, names()).map_or_else(
            || "`pintle routes` lists the names; `workflow.*` means all of a family".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        faults.push(
            Fault::at(node, format!("no push is called `{pattern}`"))
                .label("not known")
                .help(help),
        );
    }
    patterns
}

pub(super) fn read_retry(node: &Node, faults: &Faults) -> Retry {
    let Some(mut fields) = Fields::open(node, faults) else {
        return RETRY;
    };
    let retry = Retry {
        first: fields.or("first", RETRY.first),
        max: fields.or("max", RETRY.max),
        horizon: fields.or("horizon", RETRY.horizon),
    };
    fields.finish();
    retry
}

fn nonzero(number: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(number).ok()?)
}

const PUBLIC: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7071);
const BYTES_MAX: u64 = 10 << 30;
/// What the store promises to take.
const EVENT_BYTES_MAX: u64 = 16 << 20;
/// Pushes of one sender a minute that may fail to be proved.
const FAILURES_MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// How often a delivery is tried where the settings say nothing.
pub(super) const RETRY: Retry = Retry {
    first: Duration::from_secs(5),
    max: Duration::from_hours(1),
    horizon: Duration::from_hours(72),
};
