//! Interim replies, put between the messages of an HTTP/1.1 connection: hyper's server sends none
//! but 100.
//!
//! hyper flushes only what it has written whole. So after a flush, and until it writes again, the
//! connection stands between two messages, as long as the call of an interim reply has no final
//! one yet: before that hyper writes nothing for it but a 100.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::message::InterimLine;

/// A connection on which interim replies go out.
pub(super) struct Early<S> {
    stream: S,
    line: InterimLine,
    /// Nothing of hyper's is half written.
    is_between: bool,
    /// What is being sent of interim replies, and how much of it was.
    sending: Vec<u8>,
    sent: usize,
}

impl<S> Early<S> {
    pub(super) fn new(stream: S, line: InterimLine) -> Self {
        Self {
            stream,
            line,
            is_between: true,
            sending: Vec::new(),
            sent: 0,
        }
    }
}

impl<S: AsyncWrite + Unpin> Early<S> {
    /// Sends what waits, where it may stand here.
    fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_between {
            self.line.drop_late();
            return Poll::Ready(Ok(()));
        }
        loop {
            if self.sent == self.sending.len() {
                self.sending = self.line.take(cx.waker());
                self.sent = 0;
            }
            let rest = self.sending.get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Early<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Early<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_early(cx))?;
        self.is_between = false;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_early(cx))?;
        self.is_between = false;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What came too late for its call must not stand before the next.
        self.line.drop_late();
        self.is_between = true;
        ready!(self.poll_early(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
