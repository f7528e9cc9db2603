//! Who calls us: listeners, connections, and the front door that every request passes.
//!
//! Absent here: what the calls mean. A listener hands each admitted call to a `tower::Service`.

mod abandon;
mod body;
mod connection;
mod detect;
mod door;
mod early;
pub mod gate;
mod guard;
mod listen;
mod quiet;
mod running;
mod stall;
pub mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

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
    /// Who may call by which name; `None` where every call has to prove itself.
    pub guard: Option<Guard>,
    /// Strangers call. Paths may hold secrets: a record has none until whoever takes the call sets
    /// it. And no reply tells what its stages took, which would tell how far a push came.
    pub is_public: bool,
    /// TLS, for the address.
    pub tls: Option<tls::Server>,
    /// Its limits.
    pub limits: Limits,
}

/// Gives a listener that serves the certificate of other options; `false` where it has no TLS, or
/// they do not.
pub fn exchange_certificate(tls: &SharedTls, options: &Options) -> bool {
    match (tls, &options.tls) {
        (Some(shared), Some(server)) => {
            shared.store(server.config());
            true
        }
        _ => false,
    }
}

/// The TLS of a listener, exchanged when its certificate is. Connections keep what they began with.
pub type SharedTls = Option<Arc<ArcSwap<rustls::ServerConfig>>>;
