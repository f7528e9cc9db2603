//! Whether a connection is quiet: then it can do without hyper, which keeps two buffers of 8 KiB
//! for each that it has.
//!
//! hyper does not tell whether it has anything under way. So its side of the connection is watched:
//! nothing of a message read that is not whole, nothing written that has not left, no reply begun
//! whose body has not ended, and nothing of all this for a while.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use http_body_util::BodyExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::gate::Gate;
use crate::message::Body;

/// What happens on a connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Beats>);

struct Beats {
    /// Reads of bytes, and writes.
    count: AtomicU32,
    /// Calls that have begun.
    begun: AtomicU32,
    /// Those whose reply has been given to its end.
    ended: AtomicU32,
    is_read: AtomicBool,
    is_written: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Arc::new(Beats {
            count: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            is_read: AtomicBool::new(true),
            is_written: AtomicBool::new(true),
        }))
    }

    /// A call begins.
    pub(super) fn begin(&self) -> Busy {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// What has happened so far.
    pub(super) fn now(&self) -> Moment {
        let beats = &*self.0;
        let begun = beats.begun.load(Ordering::Relaxed);
        let is_idle = begun == beats.ended.load(Ordering::Relaxed);
        let is_read = beats.is_read.load(Ordering::Relaxed);
        Moment {
            count: beats.count.load(Ordering::Relaxed),
            begun,
            is_half_read: is_idle && !is_read,
            is_at_rest: is_idle && is_read && beats.is_written.load(Ordering::Relaxed),
        }
    }

    fn write(&self) {
        self.0.is_written.store(false, Ordering::Relaxed);
        self.beat();
    }

    fn beat(&self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// What has happened on a connection up to a moment.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// Reads of bytes, and writes; begins anew after four billion.
    pub(super) count: u32,
    /// Calls that have begun.
    pub(super) begun: u32,
    /// No call is under way, and a part of the next one's head has come.
    pub(super) is_half_read: bool,
    /// Nothing is under way.
    pub(super) is_at_rest: bool,
}

/// A call that is under way, until its reply has been given to its end.
pub(super) struct Busy(Pulse);

impl Busy {
    /// Stays with a body that is still coming, as a part of it.
    pub(super) fn until_end(self, body: Body) -> Body {
        match body {
            Body::Stream(stream) => Body::Stream(Box::pin(stream.map_err(move |fault| {
                let _stays = &self;
                fault
            }))),
            Body::Empty | Body::Held(_) => body,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.beat();
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// hyper's side of a connection, watched.
pub(super) struct Watched<I> {
    pub(super) gate: Gate<I>,
    pub(super) pulse: Pulse,
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.gate).poll_read(cx, buf);
        let is_whole = self.gate.is_between_messages();
        self.pulse.0.is_read.store(is_whole, Ordering::Relaxed);
        if buf.filled().len() > before {
            self.pulse.beat();
        }
        polled
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pulse.write();
        Pin::new(&mut self.gate).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pulse.write();
        Pin::new(&mut self.gate).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.gate.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.gate).poll_flush(cx))?;
        self.pulse.0.is_written.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // For good: it is not flushed again.
        self.pulse.write();
        Pin::new(&mut self.gate).poll_shutdown(cx)
    }
}
