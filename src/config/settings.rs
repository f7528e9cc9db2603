//! The settings file, read and checked against routes and policies.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::files::{embedded, read_folder};
use super::secret::Secrets;
use super::{Config, Log, account, inbound, listener};
use crate::cache;
use crate::outbound::{AccountOptions, Credentials, Limits};
use crate::policy::{Policies, choice};
use crate::route::Catalogue;
use crate::server;
use crate::token::Pace;
use crate::yaml::{Bytes, Fault, Faults, Fields, Name, Node, Read, Source, Value, meant};

/// Reads everything that hangs on a settings file.
pub(super) fn read(
    node: &Node,
    base: &Path,
    faults: &Faults,
    watched: &mut Vec<PathBuf>,
) -> Option<Config> {
    let mut fields = Fields::open(node, faults)?;
    let policies = folder(&mut fields, "policies", (base, watched), embedded::policies);
    let routes = folder(&mut fields, "routes", (base, watched), embedded::routes);
    let policies = Arc::new(Policies::read(&policies, faults));
    let catalogue = Arc::new(Catalogue::read(&routes, &policies, faults));
    let mut secrets = Secrets {
        base,
        watched,
        faults,
    };
    let (local, credentials, limits) = local(fields.node("local"), &mut secrets);
    let admin = admin(fields.node("admin"), &mut secrets);
    let accounts = accounts(&mut fields, (&policies, &catalogue), &mut secrets);
    let fleet = fields
        .node("store")
        .and_then(|node| super::fleet::read(node, &mut secrets));
    let inbound = inbound::read(&mut fields, &catalogue, &mut secrets);
    let default_account = default_account(&mut fields, node);
    check_loops(node, &accounts, [&local, &admin], faults);
    let cache = fields.node("cache").map(|node| cache(node, faults));
    let pace = fields.node("token").map_or(PACE, |node| pace(node, faults));
    let drain = fields.or("drain", Duration::from_secs(30));
    let log = log(fields.node("log"), faults);
    fields.finish();
    Some(Config {
        local,
        admin,
        fleet,
        inbound,
        accounts,
        default_account: default_account?,
        credentials,
        limits,
        cache,
        pace,
        drain,
        log,
        catalogue,
        policies,
        files: Vec::new(),
    })
}

/// The files of a folder, or the embedded ones where none is named.
fn folder(
    fields: &mut Fields<'_>,
    key: &'static str,
    (base, watched): (&Path, &mut Vec<PathBuf>),
    embedded: impl Fn() -> Vec<Arc<Source>>,
) -> Vec<Arc<Source>> {
    let Some(node) = fields.node(key) else {
        return embedded();
    };
    let found = PathBuf::read(node, fields.faults())
        .map(|path| read_folder(node, &base.join(path), fields.faults(), watched))
        .unwrap_or_default();
    if found.is_empty() {
        // It is told already; the built-in ones stand in, so that the rest can be checked.
        return embedded();
    }
    found
}

fn local(node: Option<&Node>, secrets: &mut Secrets<'_>) -> (server::Options, Credentials, Limits) {
    let faults = secrets.faults;
    let mut fields = Fields::open_or_empty(node, faults);
    let options = listener::read("local", &mut fields, LOCAL, secrets);
    let credentials = fields
        .node("credentials")
        .and_then(|node| {
            choice(
                node,
                faults,
                &[
                    ("drop", Credentials::Drop),
                    ("refuse", Credentials::Refuse),
                    ("pass", Credentials::Pass),
                ],
            )
        })
        .unwrap_or(Credentials::Drop);
    let limits = Limits {
        deadline: fields.or("deadline", Duration::from_mins(1)),
        repeat_bytes_max: listener::size(&mut fields, "repeat_bytes_max", 1 << 20),
        sealed_bytes_max: listener::size(&mut fields, "sealed_bytes_max", 16 << 20),
        verdict_bytes_max: listener::size(&mut fields, "verdict_bytes_max", 1 << 20),
    };
    fields.finish();
    (options, credentials, limits)
}

fn admin(node: Option<&Node>, secrets: &mut Secrets<'_>) -> server::Options {
    let faults = secrets.faults;
    let mut fields = Fields::open_or_empty(node, faults);
    let options = listener::read("admin", &mut fields, ADMIN, secrets);
    fields.finish();
    options
}

fn accounts(
    fields: &mut Fields<'_>,
    known: (&Policies, &Catalogue),
    secrets: &mut Secrets<'_>,
) -> Vec<AccountOptions> {
    let Some(node) = fields.required_node("accounts", "{ main: { base_url: …, secrets: … } }")
    else {
        return Vec::new();
    };
    let entries = account::entries(node, secrets.faults);
    if entries.is_empty() && matches!(node.value, Value::Map(_)) {
        secrets.faults.push(
            Fault::at(node, "there is no account")
                .help("write one: a name, and under it `base_url` and `secrets`"),
        );
    }
    entries
        .iter()
        .filter_map(|(key, value)| {
            let Name(name) = Name::read(key, secrets.faults)?;
            account::read(&name, value, known, secrets)
        })
        .collect()
}

/// The account of calls that name none: the one that is named, or the only one.
fn default_account(fields: &mut Fields<'_>, node: &Node) -> Option<String> {
    let faults = fields.faults();
    let named = fields.node("default_account");
    let accounts = node.child("accounts")?;
    let names: Vec<&str> = match &accounts.value {
        Value::Map(entries) if entries.is_empty() => return None,
        Value::Map(entries) => entries.iter().filter_map(|(key, _)| key.text()).collect(),
        _ => return None,
    };
    let Some(named) = named else {
        if let [only] = names.as_slice() {
            return Some((*only).to_owned());
        }
        faults.push(
            Fault::at(
                accounts,
                "several accounts, and none of them is the default",
            )
            .label("these")
            .help(format!(
                "add `default_account: {}`",
                names.first().unwrap_or(&"NAME")
            )),
        );
        return None;
    };
    let name = String::read(named, faults)?;
    if names.contains(&name.as_str()) {
        return Some(name);
    }
    faults.push(
        Fault::at(named, format!("there is no account `{name}`"))
            .label("not known")
            .help(meant(&name, names.iter().copied())),
    );
    None
}

/// A base URL that is one of our own listeners would call itself for ever.
fn check_loops(
    node: &Node,
    accounts: &[AccountOptions],
    listeners: [&server::Options; 2],
    faults: &Faults,
) {
    let [local, admin] = listeners;
    if local.address == admin.address && local.address.is_some_and(|address| address.port() != 0) {
        let place = ["admin", "local"]
            .into_iter()
            .find_map(|name| node.child(name)?.child("listen"));
        faults.push(
            Fault::at(
                place.unwrap_or(node),
                "both listeners have the same address",
            )
            .help("give `admin.listen` and `local.listen` a port each"),
        );
    }
    for account in accounts {
        let base = &account.upstream.base;
        let ours = listeners.into_iter().find(|listener| {
            listener.address.is_some_and(|address| {
                let same_host = base.is_loopback()
                    || base
                        .host()
                        .parse()
                        .is_ok_and(|host: std::net::IpAddr| host == address.ip());
                address.port() != 0 && address.port() == base.port() && same_host
            })
        });
        let Some(listener) = ours else { continue };
        let place = node
            .child("accounts")
            .and_then(|accounts| accounts.child(&account.name))
            .and_then(|account| account.child("base_url"))
            .unwrap_or(node);
        faults.push(
            Fault::at(
                place,
                format!(
                    "this is the {} listener of this gateway itself",
                    listener.name
                ),
            )
            .help("write the address of the platform, or of `pintle sandbox`"),
        );
    }
}

/// Reads the limits of the cache. An entry must fit into its share of the room.
fn cache(node: &Node, faults: &Faults) -> cache::Options {
    let mut fields = Fields::open_or_empty(Some(node), faults);
    let options = cache::Options {
        bytes_max: fields.or("bytes_max", Bytes(CACHE.bytes_max)).0,
        entry_bytes_max: listener::size(&mut fields, "entry_bytes_max", CACHE.entry_bytes_max),
    };
    let entry_max = options.bytes_max / ENTRIES_MIN;
    if u64::try_from(options.entry_bytes_max).is_ok_and(|bytes| bytes > entry_max) {
        let place = fields.node("entry_bytes_max").or(fields.node("bytes_max"));
        faults.push(
            Fault::at(
                place.unwrap_or(node),
                "one reply could fill too much of the cache",
            )
            .help(format!(
                "`bytes_max` must be at least {ENTRIES_MIN} times `entry_bytes_max`"
            )),
        );
    }
    fields.finish();
    options
}

fn pace(node: &Node, faults: &Faults) -> Pace {
    let Some(mut fields) = Fields::open(node, faults) else {
        return PACE;
    };
    let pace = Pace {
        login: fields.or("login", PACE.login),
        renew_percent: percent(&mut fields, "renew_percent", PACE.renew_percent),
        jitter_percent: percent(&mut fields, "jitter_percent", PACE.jitter_percent),
        backoff: fields.or("backoff", PACE.backoff),
        backoff_max: fields.or("backoff_max", PACE.backoff_max),
        rejection_age: fields.or("rejection_age", PACE.rejection_age),
    };
    fields.finish();
    pace
}

fn percent(fields: &mut Fields<'_>, key: &'static str, default: u32) -> u32 {
    let Some(node) = fields.node(key) else {
        return default;
    };
    let Some(written) = u64::read(node, fields.faults()) else {
        return default;
    };
    let fits = u32::try_from(written).ok().filter(|value| *value < 100);
    if fits.is_none() {
        fields.faults().push(
            Fault::at(node, format!("`{written}` is no share of a token's life"))
                .label("expected 0 to 99")
                .help(format!(
                    "write a percentage from 0 to 99, such as `{default}`"
                )),
        );
    }
    fits.unwrap_or(default)
}

fn log(node: Option<&Node>, faults: &Faults) -> Log {
    let mut log = Log {
        json: false,
        level: tracing::Level::INFO,
    };
    let Some(mut fields) = node.and_then(|node| Fields::open(node, faults)) else {
        return log;
    };
    if let Some(node) = fields.node("format") {
        log.json = choice(node, faults, &[("text", false), ("json", true)]).unwrap_or(false);
    }
    if let Some(node) = fields.node("level") {
        let levels = [
            ("error", tracing::Level::ERROR),
            ("warn", tracing::Level::WARN),
            ("info", tracing::Level::INFO),
            ("debug", tracing::Level::DEBUG),
        ];
        log.level = choice(node, faults, &levels).unwrap_or(log.level);
    }
    fields.finish();
    log
}

const CACHE: cache::Options = cache::Options {
    bytes_max: 64 << 20,
    entry_bytes_max: 1 << 20,
};
/// How many of the largest entries there must be room for.
const ENTRIES_MIN: u64 = 16;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7072);

/// How tokens are kept where the settings say nothing.
const PACE: Pace = Pace {
    login: Duration::from_secs(10),
    renew_percent: 80,
    jitter_percent: 10,
    backoff: Duration::from_millis(500),
    backoff_max: Duration::from_mins(1),
    rejection_age: Duration::from_secs(1),
};
