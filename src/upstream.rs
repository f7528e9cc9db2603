//! Whom we call: one pool of connections for each upstream, over TCP or TLS, HTTP/1.1 or HTTP/2.
//!
//! Every connection that Pintle opens to another system is dialled here. There are no redirects,
//! no proxies from the environment, and nothing is sent twice except a request that provably
//! never left (a kept-alive connection that was closed before it was used).

mod base;
mod body;
mod dial;
mod exclusive;
mod failure;
mod outgoing;
mod pool;
pub mod tls;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri, Version};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use base::BaseUrl;
pub use dial::{Connection, Dialer};
pub use failure::SendFailure;

use crate::message::{Body, Interim};
use crate::upstream::outgoing::{Outgoing, Progress};
use crate::upstream::pool::{Lease, Pool};

/// Which HTTP an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// What ALPN agrees on; HTTP/1.1 without TLS.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS by prior knowledge.
    Http2,
}

/// The limits of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls under way at once; with HTTP/1.1 this is the number of connections.
    pub calls_max: usize,
    /// Calls that may wait for one of those places.
    pub waiting_max: usize,
    /// HTTP/2 connections.
    pub http2_connections_max: usize,
    /// Calls on one HTTP/2 connection before another is opened.
    pub http2_streams_max: usize,
    /// Resolve, connect and TLS handshake together.
    pub connect: Duration,
    /// How long a connection may idle before it is not used again.
    pub idle: Duration,
    /// How long a body may stand still, in either direction.
    pub body_idle: Duration,
}

/// Where an upstream is and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Scheme, host, port and path prefix.
    pub base: BaseUrl,
    /// Which HTTP.
    pub protocol: Protocol,
    /// The TLS client, for `https`.
    pub tls: tls::Client,
    /// Its limits.
    pub limits: Limits,
}

/// An upstream and its connections.
pub struct Upstream {
    base: BaseUrl,
    host: HeaderValue,
    body_idle: Duration,
    pool: Arc<Pool>,
}

/// What a connection is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A call.
    Call,
    /// A login. It has places of its own, so that it never waits behind the calls that wait for
    /// its token.
    Login,
}

/// A connection at hand, with nothing sent yet.
pub struct Ready<'u> {
    upstream: &'u Upstream,
    lease: Lease,
    purpose: Purpose,
}

impl Upstream {
    /// An upstream that connects when it is first called. `tasks` owns its connections.
    pub fn new(options: Options, tasks: TaskTracker) -> Self {
        Self {
            host: options.base.host_header(),
            body_idle: options.limits.body_idle,
            base: options.base.clone(),
            pool: Arc::new(Pool::new(options, tasks)),
        }
    }

    /// The base URL.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// What goes on the wire, but for its target.
    fn request(&self, head: &mut Parts, body: Outgoing) -> Request<Outgoing> {
        // Before they are cloned, since a clone has no room.
        head.headers.insert(HOST, self.host.clone());
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.headers_mut() = head.headers.clone();
        if let Some(interim) = head.extensions.get::<Interim>().cloned() {
            hyper::ext::on_informational(&mut request, move |reply| {
                interim.tell(reply.status(), reply.headers());
            });
        }
        request
    }

    /// Waits for a place and a connection.
    pub async fn ready(
        &self,
        deadline: Instant,
        purpose: Purpose,
    ) -> Result<Ready<'_>, SendFailure> {
        let lease = self.pool.lease(deadline, purpose).await?;
        Ok(Ready {
            upstream: self,
            lease,
            purpose,
        })
    }
}

impl Ready<'_> {
    /// Sends a request and waits for the head of the reply.
    ///
    /// `head.uri` is a path with an optional query, below the base URL; `Host` is put in. While a long body is
    /// still being sent and moves on, the clock of the deadline stands still. `begun` is set right
    /// before the platform may see anything of the request.
    pub async fn send(
        self,
        head: &mut Parts,
        body: Body,
        (deadline, begun): (Instant, &AtomicBool),
    ) -> Result<Response<Body>, SendFailure> {
        let Self {
            upstream,
            mut lease,
            purpose,
        } = self;
        let target = upstream.base.below(&head.uri)?;
        let progress = Progress::new();
        let mut request = upstream.request(head, Outgoing::new(body, Arc::clone(&progress)));
        loop {
            if lease.is_http2() {
                *request.uri_mut() = upstream.base.absolute(&target)?;
                *request.version_mut() = Version::HTTP_2;
                // `:authority` has it (RFC 9113, section 8.3.1); some servers refuse to hear it twice.
                request.headers_mut().remove(HOST);
            } else {
                *request.uri_mut() = Uri::from(target.clone());
                *request.version_mut() = Version::HTTP_11;
            }
            begun.store(true, Ordering::Release);
            let sent = {
                let sending = pin!(lease.send(request));
                let watched = progress.watch(sending, deadline, upstream.body_idle);
                watched.await
            };
            match sent {
                Ok(reply) if reply.status().is_informational() => {
                    return Err(SendFailure::Upgraded);
                }
                Ok(reply) => return Ok(body::attach(reply, lease, progress, upstream.body_idle)),
                // A kept-alive connection was closed before the request was put on it: nobody
                // has seen the request, so it goes out on another connection.
                Err(Rejected::Unsent(back)) if lease.was_reused() => {
                    request = *back;
                    let headers = request.headers_mut();
                    headers.insert(HOST, upstream.host.clone());
                    drop(lease);
                    lease = upstream.pool.lease(deadline, purpose).await?;
                }
                Err(Rejected::Unsent(_)) => return Err(SendFailure::ClosedUnsent),
                Err(Rejected::Failed(failure)) => return Err(failure),
            }
        }
    }
}

/// Why a connection gave no reply.
enum Rejected {
    /// The request was never put on it, and is whole.
    Unsent(Box<Request<Outgoing>>),
    /// It failed, and what the upstream has seen of the request is for the failure to say.
    Failed(SendFailure),
}
