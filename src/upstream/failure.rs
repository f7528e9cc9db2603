//! Why an upstream gave no reply.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::message::BodyFault;

/// Why an upstream gave no reply, or none that can be used.
#[derive(Debug, Clone, Error)]
pub enum SendFailure {
    /// The path cannot be joined to the base URL.
    #[error("the path does not fit below the base URL")]
    Target,
    /// As many calls as may wait for a place are waiting.
    #[error("too many calls wait for the upstream")]
    Crowded,
    /// No place became free within the deadline.
    #[error("no connection became free in time")]
    NoPlace,
    /// The host's name has no address.
    #[error("the name of the upstream cannot be resolved")]
    Resolve(#[source] Arc<io::Error>),
    /// No address took the connection.
    #[error("the upstream refused the connection")]
    Connect(#[source] Arc<io::Error>),
    /// Connecting took too long.
    #[error("connecting to the upstream took too long")]
    ConnectTimeout,
    /// The TLS handshake failed.
    #[error("the TLS handshake with the upstream failed")]
    Tls(#[source] Arc<io::Error>),
    /// The HTTP handshake failed.
    #[error("the upstream does not speak HTTP")]
    Handshake(#[source] Arc<hyper::Error>),
    /// A fresh connection was closed before the request was put on it.
    #[error("the upstream closed the connection before the call was sent")]
    ClosedUnsent,
    /// The head of the reply did not come in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// What came is no HTTP reply.
    #[error("the upstream's reply is not HTTP")]
    Nonsense(#[source] Arc<hyper::Error>),
    /// It switched to another protocol, which nobody asked for.
    #[error("the upstream switched protocols unasked")]
    Upgraded,
    /// The connection ended before the head of the reply.
    #[error("the upstream closed the connection without a reply")]
    Broken(#[source] Arc<hyper::Error>),
    /// The body that was to be sent failed; that is not the upstream's fault.
    #[error("the body of the call broke off")]
    Body(#[source] BodyFault),
}

impl SendFailure {
    /// Whether the upstream cannot have seen the request.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Target
            | Self::Crowded
            | Self::NoPlace
            | Self::Resolve(_)
            | Self::Connect(_)
            | Self::ConnectTimeout
            | Self::Tls(_)
            | Self::Handshake(_)
            | Self::ClosedUnsent => true,
            Self::Timeout
            | Self::Upgraded
            | Self::Nonsense(_)
            | Self::Broken(_)
            | Self::Body(_) => false,
        }
    }

    pub(super) fn from_hyper(error: hyper::Error) -> Self {
        let error = Arc::new(error);
        if error.is_parse() || error.is_parse_status() || error.is_parse_too_large() {
            Self::Nonsense(error)
        } else {
            Self::Broken(error)
        }
    }
}
