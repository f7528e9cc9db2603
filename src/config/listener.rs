//! The settings of a listener.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::account::read_certificates;
use super::secret::Secrets;
use crate::policy::choice;
use crate::server::{Guard, Limits, Options, tls};
use crate::upstream::tls::TlsFault;
use crate::yaml::{Bytes, Fault, Faults, Fields, Node};

/// Reads a listener's own keys out of an open mapping; the caller finishes it.
pub(super) fn read(
    name: &'static str,
    fields: &mut Fields<'_>,
    default: SocketAddr,
    secrets: &mut Secrets<'_>,
) -> Options {
    let faults = fields.faults();
    let listen = fields.node("listen");
    let unix = fields
        .optional::<PathBuf>("unix")
        .map(|path| secrets.base.join(path));
    let address = match listen {
        Some(node) if node.text() == Some("none") => None,
        _ => Some(fields.or("listen", default)),
    };
    let hosts: Vec<String> = fields.or("hosts", Vec::new());
    let origins = fields.or("origins", Vec::new());
    let allow_remote = fields.or("allow_remote", false);
    let tls = fields.node("tls").and_then(|node| read_tls(node, secrets));
    let limits = match fields.node("limits") {
        Some(node) => read_limits(node, LIMITS, faults),
        None => LIMITS,
    };
    if let (Some(node), Some(address)) = (listen, address)
        && !address.ip().is_loopback()
    {
        check_remote(node, (name, address), allow_remote, (&hosts, faults));
    }
    if let (Some(node), None, None) = (listen, address, &unix) {
        faults.push(
            Fault::at(node, format!("the {name} listener listens nowhere"))
                .help("name an address, or a unix socket with `unix: /run/pintle.sock`"),
        );
    }
    let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    Options {
        name,
        address,
        unix,
        guard: Some(Guard { hosts, origins }),
        is_public: false,
        tls,
        limits,
    }
}

/// Reads the keys of the public listener, where every push has to prove itself: any name and any
/// address will do.
pub(super) fn read_public(
    name: &'static str,
    fields: &mut Fields<'_>,
    default: SocketAddr,
    secrets: &mut Secrets<'_>,
) -> Options {
    let faults = fields.faults();
    let address = Some(fields.or("listen", default));
    let tls = fields.node("tls").and_then(|node| read_tls(node, secrets));
    let mut limits = Limits {
        body_bytes_max: 1 << 20,
        ..LIMITS
    };
    if let Some(node) = fields.node("limits") {
        limits = read_limits(node, limits, faults);
    }
    Options {
        name,
        address,
        unix: None,
        guard: None,
        is_public: true,
        tls,
        limits,
    }
}

/// An address that other machines can reach needs a clear word and the names it is called by.
fn check_remote(
    node: &Node,
    (name, address): (&str, SocketAddr),
    allowed: bool,
    (hosts, faults): (&[String], &Faults),
) {
    if !allowed {
        faults.push(
            Fault::at(
                node,
                format!("other machines could reach the {name} listener at {address}"),
            )
            .label("not a loopback address")
            .help(
                "it asks nobody for credentials: listen on 127.0.0.1, or add \
                     `allow_remote: true` if something else guards it",
            ),
        );
    } else if hosts.is_empty() {
        faults.push(
            Fault::at(
                node,
                format!("the {name} listener does not say by which names it is called"),
            )
            .help("add `hosts: [the-name]`: calls with another Host are refused"),
        );
    }
}

fn read_tls(node: &Node, secrets: &mut Secrets<'_>) -> Option<tls::Server> {
    let mut fields = Fields::open(node, secrets.faults)?;
    let certificate = fields
        .required_node("certificate", "server.crt")
        .and_then(|node| read_certificates(node, secrets));
    let key = fields
        .required_node("key", "file:server.key")
        .and_then(|node| secrets.read(node));
    let ca = fields
        .node("client_ca")
        .map(|node| read_certificates(node, secrets));
    let clients = fields.node("clients").and_then(|node| {
        if ca.is_none() {
            secrets.faults.push(
                Fault::at(node, "nothing says whose certificates clients may show")
                    .help("add `client_ca: ca.pem`"),
            );
        }
        choice(
            node,
            secrets.faults,
            &[("required", true), ("optional", false)],
        )
    });
    fields.finish();
    let (certificate, key) = (certificate?, key?.secret);
    let clients = match ca {
        None => None,
        Some(ca) => Some(tls::Clients {
            ca: ca?,
            are_required: clients.unwrap_or(true),
        }),
    };
    match tls::Server::new(certificate, key, clients) {
        Ok(server) => Some(server),
        Err(fault) => {
            let place = match &fault {
                TlsFault::NoKey => node.child("key").unwrap_or(node),
                _ => node,
            };
            secrets.faults.push(
                Fault::at(place, format!("no TLS with these files: {fault}")).help(
                    "both must be PEM: a certificate chain, and the private key of its first one",
                ),
            );
            None
        }
    }
}

fn read_limits(node: &Node, default: Limits, faults: &Faults) -> Limits {
    let Some(mut fields) = Fields::open(node, faults) else {
        return default;
    };
    let limits = Limits {
        connections_max: fields.or("connections_max", default.connections_max),
        calls_max: fields.or("calls_max", default.calls_max),
        head_bytes_max: size(&mut fields, "head_bytes_max", default.head_bytes_max),
        headers_max: fields.or("headers_max", default.headers_max),
        target_bytes_max: size(&mut fields, "target_bytes_max", default.target_bytes_max),
        body_bytes_max: fields.or("body_bytes_max", Bytes(default.body_bytes_max)).0,
        head: fields.or("head", default.head),
        body_idle: fields.or("body_idle", default.body_idle),
        http2_streams_max: u32::try_from(fields.or("http2_streams_max", HTTP2_STREAMS_MAX))
            .unwrap_or(u32::MAX),
    };
    fields.finish();
    limits
}

/// A size that is held in memory.
pub(super) fn size(fields: &mut Fields<'_>, key: &'static str, default: usize) -> usize {
    fields
        .optional::<Bytes>(key)
        .map_or(default, |Bytes(bytes)| {
            usize::try_from(bytes).unwrap_or(usize::MAX)
        })
}

const HTTP2_STREAMS_MAX: usize = 128;

/// The limits of a listener that says nothing of them.
const LIMITS: Limits = Limits {
    connections_max: 1024,
    calls_max: 1024,
    head_bytes_max: 32 * 1024,
    headers_max: 100,
    target_bytes_max: 8 * 1024,
    body_bytes_max: 1 << 30,
    head: Duration::from_mins(1),
    body_idle: Duration::from_secs(30),
    http2_streams_max: 128,
};
