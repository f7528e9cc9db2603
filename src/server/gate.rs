//! The front door of an HTTP/1 connection: bytes reach the parser behind only after they were
//! judged by [`crate::message::framing`].
//!
//! A head is let through whole or not at all, so the parser and the gate cannot disagree about
//! where a message ends. What is absent: time limits and connection reuse, which belong to the
//! parser, and HTTP/2, which must be told apart before. Upgrades are not followed: after a `101`
//! the bytes would be taken for a head.

use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

pub use crate::message::framing::REFUSED_METHOD;
use crate::message::framing::{
    BodyFraming, ChunkScanner, FramingFault, HeadLimits, HeadScanner, Progress, check_head,
};

/// A connection that gives only well-framed HTTP/1 requests to its reader.
///
/// - A faulty head is replaced by one of the gate's own making, which [`refused`] recognises;
///   requests that came before it are still answered first.
/// - A faulty chunked body ends in an [`io::Error`] of kind `InvalidData` with the fault inside;
///   [`body_fault`] finds it.
///
/// After either, no byte of the peer reaches the reader any more. Writes pass as they are.
///
/// The gate holds back at most `head_bytes_max` bytes and one read of the caller's buffer.
#[derive(Debug)]
pub struct Gate<I> {
    io: I,
    follower: Follower,
    /// Bytes read but not yet given on: first those let through, then a head still incomplete.
    held: BytesMut,
    /// How many of the held bytes were let through.
    released: usize,
    linger: Option<Linger>,
}

impl<I> Gate<I> {
    /// A gate before the first request of a connection.
    pub fn new(io: I, limits: HeadLimits) -> Self {
        Self {
            io,
            follower: Follower {
                limits,
                stage: Stage::head(),
            },
            held: BytesMut::new(),
            released: 0,
            linger: None,
        }
    }

    /// Sorts what was just read into `buf`, from `before` on, into let through and held back.
    fn sort(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if !self.held.is_empty() {
            self.hold(fresh);
            buf.set_filled(before);
            return;
        }
        // A whole head in one read stays where it is: nothing is copied.
        let admitted = self.follower.admit(fresh);
        if admitted.fault.is_none() {
            self.held
                .extend_from_slice(fresh.get(admitted.bytes..).unwrap_or_default());
        }
        buf.set_filled(before.saturating_add(admitted.bytes));
        self.end_at(admitted.fault);
    }

    /// Holds what was just read, and sorts it there.
    fn hold(&mut self, fresh: &[u8]) {
        self.held.extend_from_slice(fresh);
        let admitted = self.follower.admit(&self.held);
        self.released = admitted.bytes;
        self.end_at(admitted.fault);
    }

    /// Puts our own head in the place of one that is refused.
    fn end_at(&mut self, fault: Option<FramingFault>) {
        if let Some(fault) = fault {
            self.held.truncate(self.released);
            if let Stage::Refused = self.follower.stage {
                self.held.extend_from_slice(substitute(fault).as_bytes());
                self.released = self.held.len();
            }
        }
    }

    /// Gives on what was let through, as far as there is room.
    fn release(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.released.min(buf.remaining());
        buf.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.advance(count);
        self.released = self.released.saturating_sub(count);
        if self.held.is_empty() {
            // An idle connection should hold no buffer.
            self.held = BytesMut::new();
        }
    }

    /// Bytes that were let through before, and that nobody has looked at.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.held);
        self.released += bytes.len();
        self.held.extend_from_slice(bytes);
        self.held.extend_from_slice(&rest);
    }

    /// Whether the peer owes nothing: no message has begun that was not read to its end.
    pub(super) fn is_between_messages(&self) -> bool {
        matches!(self.follower.stage, Stage::Head(_)) && self.held.is_empty()
    }
}

impl<I: AsyncRead + Unpin> Gate<I> {
    /// Waits between two messages, with no buffer, until a whole head is at hand. `false` where the
    /// peer ends the connection instead.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.released == 0 {
            let mut scratch = [0; REST_READ_BYTES];
            let mut buf = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.hold(buf.filled());
        }
        Poll::Ready(Ok(true))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Gate<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            if gate.released > 0 {
                gate.release(buf);
                return Poll::Ready(Ok(()));
            }
            match gate.follower.stage {
                // Not the end of the stream: hyper takes that for a peer that left, and drops
                // the refusal it is about to write. It closes by itself, as the substitute asks.
                Stage::Refused => return Poll::Pending,
                Stage::Broken(fault) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
                Stage::Head(_) | Stage::Length(_) | Stage::Chunked(_) => {}
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut gate.io).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            gate.sort(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            // Everything was held back: ask for more, so that our waker is registered.
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    /// Closes our side, then lets a peer that is still sending come to an end.
    ///
    /// Closing a socket with unread bytes resets it, and a reset can overtake the answer.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        if let Some(linger) = &mut gate.linger {
            return linger.poll_drain(&mut gate.io, cx);
        }
        ready!(Pin::new(&mut gate.io).poll_shutdown(cx))?;
        if gate.is_between_messages() {
            return Poll::Ready(Ok(()));
        }
        gate.linger
            .insert(Linger::begin())
            .poll_drain(&mut gate.io, cx)
    }
}

/// Recognises the head that stands in for a refused one, and says why it was refused.
pub fn refused(request_method: &http::Method, path: &str) -> Option<FramingFault> {
    if request_method.as_str() != REFUSED_METHOD {
        return None;
    }
    FramingFault::from_code(path.strip_prefix('/')?)
}

/// Finds the fault of a body in the error that reading the body gave, or in its sources.
pub fn body_fault(error: &(dyn Error + 'static)) -> Option<FramingFault> {
    // An `io::Error` leaves what it wraps out of its chain of sources, hence the second look.
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| {
        error
            .downcast_ref::<io::Error>()?
            .get_ref()?
            .downcast_ref::<FramingFault>()
            .copied()
    })
}

/// Follows the messages of one connection.
#[derive(Debug)]
struct Follower {
    limits: HeadLimits,
    stage: Stage,
}

/// What the next byte of the peer belongs to.
#[derive(Debug)]
enum Stage {
    Head(HeadScanner),
    /// A body with so many bytes left.
    Length(u64),
    Chunked(ChunkScanner),
    /// A head was refused: nothing follows its substitute.
    Refused,
    /// A body was broken: nothing follows the fault.
    Broken(FramingFault),
}

impl Stage {
    fn head() -> Self {
        Self::Head(HeadScanner::new())
    }
}

/// How many bytes may be given on, and what is wrong with those after them.
struct Admitted {
    bytes: usize,
    fault: Option<FramingFault>,
}

impl Follower {
    /// Judges bytes that begin where the last call's admitted bytes ended.
    fn admit(&mut self, bytes: &[u8]) -> Admitted {
        let mut admitted = 0_usize;
        loop {
            let rest = bytes.get(admitted..).unwrap_or_default();
            let (count, next) = match &mut self.stage {
                Stage::Head(scanner) => match Self::admit_head(scanner, rest, self.limits) {
                    Ok(Some((head_bytes, next))) => (head_bytes, next),
                    Ok(None) => {
                        return Admitted {
                            bytes: admitted,
                            fault: None,
                        };
                    }
                    Err(fault) => {
                        self.stage = Stage::Refused;
                        return Admitted {
                            bytes: admitted,
                            fault: Some(fault),
                        };
                    }
                },
                Stage::Length(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left = left.saturating_sub(u64::try_from(count).unwrap_or(*left));
                    if *left > 0 {
                        return Admitted {
                            bytes: bytes.len(),
                            fault: None,
                        };
                    }
                    (count, Stage::head())
                }
                Stage::Chunked(scanner) => {
                    let scanned = scanner.scan(rest);
                    match scanned.outcome {
                        Ok(Progress::Done) => (scanned.taken, Stage::head()),
                        Ok(Progress::More) => {
                            return Admitted {
                                bytes: bytes.len(),
                                fault: None,
                            };
                        }
                        Err(fault) => {
                            self.stage = Stage::Broken(fault);
                            let bytes = admitted.saturating_add(scanned.taken);
                            return Admitted {
                                bytes,
                                fault: Some(fault),
                            };
                        }
                    }
                }
                Stage::Refused | Stage::Broken(_) => {
                    return Admitted {
                        bytes: admitted,
                        fault: None,
                    };
                }
            };
            admitted = admitted.saturating_add(count);
            self.stage = next;
        }
    }

    /// Judges a head that begins with these bytes, of which the scanner has seen some before.
    fn admit_head(
        scanner: &mut HeadScanner,
        bytes: &[u8],
        limits: HeadLimits,
    ) -> Result<Option<(usize, Stage)>, FramingFault> {
        let fresh = bytes.get(scanner.seen()..).unwrap_or_default();
        let Some(end) = scanner.scan(fresh, limits)? else {
            return Ok(None);
        };
        let next = match check_head(bytes.get(..end).unwrap_or_default(), limits)? {
            BodyFraming::None | BodyFraming::Length(0) => Stage::head(),
            BodyFraming::Length(length) => Stage::Length(length),
            BodyFraming::Chunked => Stage::Chunked(ChunkScanner::new()),
        };
        Ok(Some((end, next)))
    }
}

/// A head that no peer can send, for the service to answer with the fault in its path.
fn substitute(fault: FramingFault) -> String {
    format!(
        "{REFUSED_METHOD} /{} HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n",
        fault.code()
    )
}

/// The time and bytes a peer is still given after our side has closed.
#[derive(Debug)]
struct Linger {
    bytes_left: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Linger {
    fn begin() -> Self {
        Self {
            bytes_left: LINGER_BYTES_MAX,
            deadline: Box::pin(tokio::time::sleep(LINGER_MAX)),
        }
    }

    /// Reads and forgets, until the peer closes, fails, sends too much or takes too long.
    fn poll_drain<I: AsyncRead + Unpin>(
        &mut self,
        io: &mut I,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.bytes_left > 0 && self.deadline.as_mut().poll(cx).is_pending() {
            let mut scratch = [0; LINGER_READ_BYTES];
            let mut buf = ReadBuf::new(&mut scratch);
            // Our answer is out: how the peer ends is of no interest.
            if ready!(Pin::new(&mut *io).poll_read(cx, &mut buf)).is_err()
                || buf.filled().is_empty()
            {
                break;
            }
            self.bytes_left = self.bytes_left.saturating_sub(buf.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}

/// Bytes read and forgotten after our side has closed.
const LINGER_BYTES_MAX: usize = 64 * 1024;
/// How long a peer may take to close after us.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// Bytes of a new message that are read at a time.
const REST_READ_BYTES: usize = 4096;
/// Bytes forgotten at a time.
const LINGER_READ_BYTES: usize = 4096;

#[cfg(test)]
mod tests;
