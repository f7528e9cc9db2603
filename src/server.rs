//! Who calls us: listeners, connections, and the front door that every request passes.
//!
//! Absent here: what the calls mean. A listener hands each admitted call to a `tower::Service`.

mod abandon;
mod body;
mod connection;
mod detect;
mod door;
pub mod gate;
mod guard;
mod listen;
mod stall;
pub mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use door::Door;
pub use guard::Guard;
pub use listen::{BindFailure, Bound, bind, serve};

/// The limits of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; further ones wait in the kernel.
    pub connections_max: usize,
    /// Calls under way; further ones are refused.
    pub calls_max: usize,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Header fields of a request.
    pub headers_max: usize,
    /// Bytes of a request target.
    pub target_bytes_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: u64,
    /// How long a connection may take for the head of a request, idling before it included.
    pub head: Duration,
    /// How long a body may stand still.
    pub body_idle: Duration,
    /// Calls under way on one HTTP/2 connection.
    pub http2_streams_max: u32,
}

/// A listener, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What it is called in records and messages.
    pub name: &'static str,
    /// Its address; `None` for a unix socket alone.
    pub address: Option<SocketAddr>,
    /// A unix socket besides.
    pub unix: Option<PathBuf>,
    /// Who may call by which name.
    pub guard: Guard,
    /// TLS, for the address.
    pub tls: Option<tls::Server>,
    /// Its limits.
    pub limits: Limits,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The network, loopback included.
    Tcp,
    /// A unix socket, which no web page can reach.
    Unix,
}

/// Makes TLS configuration shareable among connections.
type SharedTls = Option<Arc<rustls::ServerConfig>>;
