//! One connection beneath HTTP: a byte stream that can be told to break in a chosen way.
//!
//! hyper never breaks its own promises, so every fault that HTTP forbids is done here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// The orders that an exchange gives to the connection it runs on.
pub(super) struct Wire {
    /// Serial number of the connection, counted from 1.
    pub(super) serial: u64,
    /// Cancelled when the connection must be dropped where it stands.
    pub(super) ended: CancellationToken,
    /// Cancelled when the connection must take no further request and then close.
    pub(super) closing: CancellationToken,
    reset: AtomicBool,
    cut: AtomicBool,
    nonsense: AtomicBool,
}

impl Wire {
    /// Makes the orders of a new connection, which also ends when `parent` is cancelled.
    pub(super) fn new(serial: u64, parent: &CancellationToken) -> Self {
        Wire {
            serial,
            ended: parent.child_token(),
            closing: CancellationToken::new(),
            reset: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            nonsense: AtomicBool::new(false),
        }
    }

    /// Drops the connection at once, with a TCP RST.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.ended.cancel();
    }

    /// Drops the connection as soon as what was written has left, with a RST where asked.
    pub(super) fn cut_when_flushed(&self, reset: bool) {
        if reset {
            self.reset.store(true, Ordering::Release);
        }
        self.cut.store(true, Ordering::Release);
    }

    /// Replaces whatever is written next by bytes that are not HTTP, then ends.
    pub(super) fn talk_nonsense(&self) {
        self.nonsense.store(true, Ordering::Release);
    }
}

/// The accepted socket, with or without TLS.
pub(super) enum Stream {
    /// Bare TCP.
    Plain(TcpStream),
    /// TLS over TCP; boxed because its session is large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// A stream that obeys its [`Wire`].
pub(super) struct Line {
    stream: Stream,
    wire: Arc<Wire>,
    nonsense_left: &'static [u8],
}

impl Line {
    /// Puts `stream` under the orders of `wire`.
    pub(super) fn new(stream: Stream, wire: Arc<Wire>) -> Self {
        Line {
            stream,
            wire,
            nonsense_left: NONSENSE,
        }
    }

    fn poll_nonsense(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while !self.nonsense_left.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, self.nonsense_left)) {
                Ok(written) => {
                    self.nonsense_left = self.nonsense_left.get(written..).unwrap_or_default();
                }
                Err(failure) => return Poll::Ready(failure),
            }
        }
        if let Err(failure) = ready!(Pin::new(&mut self.stream).poll_flush(context)) {
            return Poll::Ready(failure);
        }
        self.wire.ended.cancel();
        Poll::Ready(io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.wire.reset.load(Ordering::Acquire) {
            // A socket that refuses the option closes with a FIN; nothing better is left to do.
            self.stream.socket().set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.wire.nonsense.load(Ordering::Acquire) {
            return self.poll_nonsense(context).map(Err);
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.wire.cut.load(Ordering::Acquire) {
            self.wire.ended.cancel();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_read(context, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// The banner of another protocol, and bytes that are not text.
const NONSENSE: &[u8] = b"SSH-2.0-sandbox\r\n\0\xff\xfe";
