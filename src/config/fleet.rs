//! The settings of a store that a fleet shares.

use std::sync::Arc;
use std::time::Duration;

use super::account::read_material;
use super::secret::Secrets;
use crate::config::FleetOptions;
use crate::limit::Alone;
use crate::policy::choice;
use crate::store::redis::{Acknowledged, Options, Place, Places};
use crate::upstream::tls::{Client, Material};
use crate::yaml::{Bytes, Fault, Faults, Fields, Node, Read, Value};

/// Reads `store`: a URL, or a mapping that says more.
pub(super) fn read(node: &Node, secrets: &mut Secrets<'_>) -> Option<FleetOptions> {
    let faults = secrets.faults;
    if !matches!(node.value, Value::Map(_)) {
        let url = read_url(node, faults)?;
        warn_of_plain(node, url.is_tls, &[&url.place], faults);
        let tls = url.is_tls.then(|| tls(node, None, secrets));
        let redis = Options {
            places: Places::Single {
                place: url.place,
                database: url.database,
            },
            tls: match tls {
                None => None,
                Some(tls) => Some(tls?),
            },
            ..plain()
        };
        return Some(FleetOptions {
            redis: Arc::new(redis),
            alone: Alone::Count,
            holds: false,
        });
    }
    let mut fields = Fields::open(node, faults)?;
    let (places, is_tls) = read_places(&mut fields, node)?;
    let tls_node = fields.node("tls");
    let tls = if is_tls || tls_node.is_some() {
        Some(tls(node, tls_node, secrets)?)
    } else {
        None
    };
    let plain = plain();
    let password = fields.node("password");
    let redis = Options {
        user: fields.optional("user"),
        password: match password {
            None => None,
            Some(node) => Some(secrets.read_for(node, is_near(&places))?),
        },
        tls,
        prefix: read_prefix(&mut fields, plain.prefix),
        connect: fields.or("connect", plain.connect),
        answer: fields.or("answer", plain.answer),
        bytes_max: fields.or("bytes_max", Bytes(plain.bytes_max)).0,
        acknowledged_by: read_acknowledged(fields.node("acknowledged_by"), faults),
        may_forget: fields
            .node("without_persistence")
            .and_then(|node| choice(node, faults, &[("refuse", false), ("allow", true)]))
            .unwrap_or(false),
        requests_max: plain.requests_max,
        places,
    };
    let holds = fields
        .node("hold")
        .and_then(|node| choice(node, faults, &[("none", false), ("journal", true)]));
    let words = [("count", Alone::Count), ("refuse", Alone::Refuse)];
    let alone = fields
        .node("rates_alone")
        .and_then(|node| choice(node, faults, &words));
    fields.finish();
    Some(FleetOptions {
        redis: Arc::new(redis),
        alone: alone.unwrap_or(Alone::Count),
        holds: holds.unwrap_or(false),
    })
}

/// What the settings need not say.
fn plain() -> Options {
    Options {
        places: Places::Cluster { nodes: Vec::new() },
        user: None,
        password: None,
        tls: None,
        prefix: "{pintle}".to_owned(),
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        bytes_max: BYTES_MAX,
        requests_max: 4096,
        acknowledged_by: Acknowledged::Present,
        may_forget: false,
    }
}

/// How the node that takes writes is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
}

/// Where the settings say it is; each as it is written.
#[derive(Clone, Copy)]
struct Written<'n> {
    whole: &'n Node,
    url: Option<&'n Node>,
    nodes: Option<&'n Node>,
    name: Option<&'n Node>,
    database: Option<&'n Node>,
}

fn read_places(fields: &mut Fields<'_>, whole: &Node) -> Option<(Places, bool)> {
    let faults = fields.faults();
    let kind = fields.node("kind").map_or(Some(Kind::Single), |node| {
        let kinds = [
            ("single", Kind::Single),
            ("sentinel", Kind::Sentinel),
            ("cluster", Kind::Cluster),
        ];
        choice(node, faults, &kinds)
    });
    let written = Written {
        whole,
        url: fields.node("url"),
        nodes: fields.node("nodes"),
        name: fields.node("name"),
        database: fields.node("database"),
    };
    match kind? {
        Kind::Single => single(written, faults),
        Kind::Sentinel => Some((sentinel(written, faults)?, false)),
        Kind::Cluster => {
            refuse(
                "a cluster",
                &[("name", written.name), ("database", written.database)],
                faults,
            );
            let nodes = several(written, faults)?;
            Some((Places::Cluster { nodes }, false))
        }
    }
}

fn single(written: Written<'_>, faults: &Faults) -> Option<(Places, bool)> {
    refuse(
        "a single Redis",
        &[("nodes", written.nodes), ("name", written.name)],
        faults,
    );
    let Some(url) = written.url else {
        faults.push(
            Fault::at(written.whole, "it is not said where Redis is")
                .help("add `url: redis://127.0.0.1:6379`, or `kind` and `nodes`"),
        );
        return None;
    };
    let read = read_url(url, faults)?;
    let is_tls = read.is_tls || written.whole.child("tls").is_some();
    warn_of_plain(url, is_tls, &[&read.place], faults);
    let database = read_database(written.database, faults);
    let places = Places::Single {
        place: read.place,
        database: database.unwrap_or(read.database),
    };
    Some((places, read.is_tls))
}

fn sentinel(written: Written<'_>, faults: &Faults) -> Option<Places> {
    let sentinels = several(written, faults)?;
    let Some(name) = written.name else {
        faults.push(
            Fault::at(
                written.whole,
                "it is not said which master the sentinels watch",
            )
            .help("add `name: mymaster`, as their `sentinel monitor` line has it"),
        );
        return None;
    };
    Some(Places::Sentinel {
        sentinels,
        name: String::read(name, faults)?,
        database: read_database(written.database, faults).unwrap_or(0),
    })
}

/// The nodes of what has several.
fn several(written: Written<'_>, faults: &Faults) -> Option<Vec<Place>> {
    refuse("what has several nodes", &[("url", written.url)], faults);
    let Some(nodes) = written.nodes else {
        faults.push(
            Fault::at(written.whole, "it is not said where the nodes are")
                .help("add `nodes: [10.0.0.1:6379, 10.0.0.2:6379]`"),
        );
        return None;
    };
    let places = read_nodes(nodes, faults)?;
    let all: Vec<&Place> = places.iter().collect();
    warn_of_plain(nodes, written.whole.child("tls").is_some(), &all, faults);
    Some(places)
}

/// Keys that mean nothing for a kind.
fn refuse(what: &str, keys: &[(&str, Option<&Node>)], faults: &Faults) {
    for (key, written) in keys {
        if let Some(written) = written {
            faults.push(
                Fault::at(written, format!("{what} has no `{key}`"))
                    .help("remove it, or write another `kind`: single, sentinel, cluster"),
            );
        }
    }
}

fn read_database(node: Option<&Node>, faults: &Faults) -> Option<i64> {
    i64::try_from(usize::read(node?, faults)?).ok()
}

struct Url {
    place: Place,
    database: i64,
    is_tls: bool,
}

/// `redis://HOST:PORT/DATABASE`, or `rediss://…` with TLS.
fn read_url(node: &Node, faults: &Faults) -> Option<Url> {
    let text = String::read(node, faults)?;
    let (scheme, rest) = text.split_once("://").unwrap_or(("", &text));
    let is_tls = match scheme {
        "redis" => false,
        "rediss" => true,
        _ => {
            faults.push(
                Fault::at(node, "this is no URL of a Redis")
                    .help("write `redis://127.0.0.1:6379`, or `rediss://…` with TLS"),
            );
            return None;
        }
    };
    if rest.contains('@') {
        faults.push(
            Fault::at(node, "a password has no place in a URL")
                .concealed()
                .help("write `store: { url: …, user: …, password: env:REDIS_PASSWORD }`"),
        );
        return None;
    }
    let (place, database) = match rest.split_once('/') {
        None | Some((_, "")) => (rest.trim_end_matches('/'), Some(0)),
        Some((place, number)) => (place, number.parse().ok().filter(|number| *number >= 0)),
    };
    let (Some(place), Some(database)) = (read_place(place), database) else {
        faults.push(Fault::at(node, "this is no URL of a Redis").help(
            "write host, port and, where it is not 0, the database: `redis://127.0.0.1:6379/1`",
        ));
        return None;
    };
    Some(Url {
        place,
        database,
        is_tls,
    })
}

/// `HOST:PORT`, or `HOST` with the port that Redis has by default.
fn read_place(text: &str) -> Option<Place> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().ok()?)
        }
        _ => (text, PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    is_host.then(|| Place {
        host: host.to_owned(),
        port,
    })
}

fn read_nodes(node: &Node, faults: &Faults) -> Option<Vec<Place>> {
    let texts = Vec::<String>::read(node, faults)?;
    let mut places = Vec::new();
    for text in &texts {
        match read_place(text) {
            Some(place) => places.push(place),
            None => faults.push(
                Fault::at(node, format!("`{text}` is no place of a node"))
                    .help("write host and port: `10.0.0.1:6379`"),
            ),
        }
    }
    if texts.is_empty() || texts.len() > NODES_MAX {
        faults.push(
            Fault::at(node, format!("{} nodes", texts.len()))
                .help(format!("name some of them, at most {NODES_MAX}")),
        );
        return None;
    }
    (places.len() == texts.len()).then_some(places)
}

/// A prefix stands in braces in every key, and so must have none.
fn read_prefix(fields: &mut Fields<'_>, default: String) -> String {
    let Some(node) = fields.node("prefix") else {
        return default;
    };
    let faults = fields.faults();
    let text = String::read(node, faults).unwrap_or_default();
    let is_good = !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_good {
        faults.push(
            Fault::at(node, "this is no beginning of a key")
                .help("write letters, digits, `-`, `_` and `.`: `prefix: pintle-test`"),
        );
    }
    format!("{{{text}}}")
}

fn read_acknowledged(node: Option<&Node>, faults: &Faults) -> Acknowledged {
    let Some(node) = node else {
        return Acknowledged::Present;
    };
    if node.text() == Some("present") {
        return Acknowledged::Present;
    }
    let number = node.text().and_then(|text| text.parse::<u32>().ok());
    let number = number.filter(|number| *number <= 16);
    if number.is_none() {
        faults.push(Fault::at(node, "this says nothing of replicas").help(
            "write `present` (one, as long as one is connected), or how many: `1`; `0` is the \
                 master alone",
        ));
    }
    Acknowledged::Replicas(number.unwrap_or(0))
}

fn tls(node: &Node, material: Option<&Node>, secrets: &mut Secrets<'_>) -> Option<Client> {
    let read = match material {
        None => Material {
            extra_ca: None,
            client: None,
        },
        Some(node) => read_material(node, secrets)?,
    };
    let client = Client::new(read, None).map_err(|fault| {
        let place = material.unwrap_or(node);
        secrets.faults.push(
            Fault::at(place, format!("no TLS with these files: {fault}"))
                .help("`ca`, `certificate` and `key` must be PEM files"),
        );
    });
    client.ok()
}

fn warn_of_plain(node: &Node, is_tls: bool, places: &[&Place], faults: &Faults) {
    if !is_tls && !places.iter().all(|place| is_loopback(place)) {
        faults.push(
            Fault::at(node, "events and tokens go to another machine without TLS")
                .help("write rediss:// or `tls: {}`, unless the network between is your own")
                .warning(),
        );
    }
}

fn is_near(places: &Places) -> bool {
    match places {
        Places::Single { place, .. } => is_loopback(place),
        Places::Sentinel { sentinels: all, .. } | Places::Cluster { nodes: all } => {
            all.iter().all(is_loopback)
        }
    }
}

fn is_loopback(place: &Place) -> bool {
    let address = place.host.parse::<std::net::IpAddr>();
    place.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

const PORT: u16 = 6379;
const NODES_MAX: usize = 64;
const BYTES_MAX: u64 = 4 << 30;
