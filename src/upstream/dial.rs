//! Opening a connection: resolve, connect, TLS. Every egress of the process passes here.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::SendFailure;
use super::tls::Client;

/// Opens connections to one place.
pub struct Dialer {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

/// An open connection, plain or TLS.
pub enum Connection {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dialer {
    /// For a host and a port, plain where there is no TLS client.
    pub fn new(host: &str, port: u16, tls: Option<&Client>) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls: tls.map(|tls| TlsConnector::from(tls.config())),
        }
    }

    /// Resolves, connects and shakes hands, within the deadline. The name is resolved anew each
    /// time, so that a changed address is followed.
    pub async fn dial(&self, deadline: Instant) -> Result<Connection, SendFailure> {
        let host = (self.host.as_str(), self.port);
        let addresses: Vec<SocketAddr> = timeout_at(deadline, lookup_host(host))
            .await
            .map_err(|_| SendFailure::ConnectTimeout)?
            .map_err(|error| SendFailure::Resolve(Arc::new(error)))?
            .take(ADDRESSES_MAX)
            .collect();
        let stream = connect(&addresses, deadline).await?;
        // Small writes are whole requests here: waiting to join them only delays.
        stream
            .set_nodelay(true)
            .map_err(|error| SendFailure::Connect(Arc::new(error)))?;
        let Some(connector) = &self.tls else {
            return Ok(Connection::Plain(stream));
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| SendFailure::Tls(Arc::new(io::Error::other(error))))?;
        let handshake = connector.connect(name, stream);
        let stream = timeout_at(deadline, handshake)
            .await
            .map_err(|_| SendFailure::ConnectTimeout)?
            .map_err(|error| SendFailure::Tls(Arc::new(error)))?;
        Ok(Connection::Tls(Box::new(stream)))
    }
}

/// Tries one address after the other; each gets its share of the time that is left.
async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, SendFailure> {
    let mut last = SendFailure::Resolve(Arc::new(io::ErrorKind::NotFound.into()));
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = SendFailure::Connect(Arc::new(error)),
            Err(_) => last = SendFailure::ConnectTimeout,
        }
    }
    Err(last)
}

impl Connection {
    /// Whether ALPN agreed on HTTP/2.
    pub(super) fn agreed_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// How many addresses of one name are tried.
const ADDRESSES_MAX: usize = 8;
