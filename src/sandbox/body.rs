//! The bodies that come in and go out: read under a limit, sent whole, made up while sending,
//! paced, or cut short.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::sandbox::wire::Wire;

/// What was read of an incoming body.
pub(super) struct Intake {
    /// The bytes kept, at most as many as asked.
    pub(super) bytes: Bytes,
    /// How many bytes came, kept or not.
    pub(super) total: u64,
}

/// How an incoming body is read.
pub(super) struct Appetite {
    /// Bytes to keep.
    pub(super) keep_max: usize,
    /// Whether bytes past `keep_max` are counted and thrown away, or end the reading.
    pub(super) discard: bool,
    /// Bytes a second, where the reading is slowed.
    pub(super) rate: Option<u64>,
}

impl Appetite {
    /// Reads `body`; `None` where it broke off.
    ///
    /// A body longer than `keep_max` that may not be discarded is left where the limit was passed,
    /// and `total` is then larger than `bytes`.
    pub(super) async fn read(self, mut body: Incoming) -> Option<Intake> {
        let mut kept = BytesMut::new();
        let mut total = 0_u64;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.ok()?.into_data() else {
                continue;
            };
            let room = self.keep_max.saturating_sub(kept.len());
            kept.extend_from_slice(data.get(..room).unwrap_or(&data));
            total = total.saturating_add(length(data.len()));
            if !self.discard && total > length(self.keep_max) {
                break;
            }
            if let Some(rate) = self.rate {
                sleep(time_for(length(data.len()), rate)).await;
            }
        }
        Some(Intake {
            bytes: kept.freeze(),
            total,
        })
    }
}

/// The body of a reply.
pub(super) struct ReplyBody {
    source: Source,
    pace: Option<Pace>,
    cut: Option<Cut>,
}

/// Where the bytes of a reply come from.
pub(super) enum Source {
    /// Held in memory.
    Whole(Bytes),
    /// Made while sending: `block` over and over, so that any size costs one block of memory.
    Made {
        /// The repeated bytes; not empty.
        block: Bytes,
        /// Position within the block.
        at: usize,
        /// Bytes still to send.
        left: u64,
        /// Whether the length is announced; otherwise the reply is chunked.
        announced: bool,
    },
}

impl Source {
    /// Bytes still to send.
    pub(super) fn left(&self) -> u64 {
        match self {
            Source::Whole(bytes) => length(bytes.len()),
            Source::Made { left, .. } => *left,
        }
    }

    /// Whether the reply says beforehand how long it is.
    pub(super) fn announced(&self) -> bool {
        match self {
            Source::Whole(_) => true,
            Source::Made { announced, .. } => *announced,
        }
    }

    fn take(&mut self, most: u64) -> Bytes {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match self {
            Source::Whole(bytes) => bytes.split_to(most.min(bytes.len())),
            Source::Made {
                block, at, left, ..
            } => {
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(most);
                let end = at.saturating_add(wanted).min(block.len());
                let piece = block.slice(*at..end);
                *at = if end == block.len() { 0 } else { end };
                *left = left.saturating_sub(length(piece.len()));
                piece
            }
        }
    }
}

struct Pace {
    rate: u64,
    next: Pin<Box<Sleep>>,
}

/// Where a reply is broken off, and how.
pub(super) struct Cut {
    /// Bytes to send before the break.
    pub(super) left: u64,
    /// Whether the connection is reset, or closed in good order.
    pub(super) reset: bool,
    /// The connection to break.
    pub(super) wire: Arc<Wire>,
    /// On HTTP/2 another task does the writing; this wait lets it finish.
    pub(super) grace: Option<Pin<Box<Sleep>>>,
}

impl Cut {
    /// A break after `left` bytes; `shared` where the connection carries several streams.
    pub(super) fn new(left: u64, reset: bool, wire: Arc<Wire>, shared: bool) -> Self {
        let grace = shared.then(|| Box::pin(sleep(GRACE)));
        Cut {
            left,
            reset,
            wire,
            grace,
        }
    }
}

impl ReplyBody {
    /// A body of `source`, sent at `rate` bytes a second, broken off at `cut`.
    pub(super) fn new(source: Source, rate: Option<u64>, cut: Option<Cut>) -> Self {
        let pace = rate.map(|rate| Pace {
            rate,
            next: Box::pin(sleep(Duration::ZERO)),
        });
        ReplyBody { source, pace, cut }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let mut most = FRAME_MAX;
        if let Some(cut) = &mut this.cut {
            if cut.left == 0 {
                cut.wire.cut_when_flushed(cut.reset);
                if let Some(grace) = &mut cut.grace {
                    ready!(grace.as_mut().poll(context));
                    cut.wire.ended.cancel();
                }
                // The connection is dropped under this body; it never ends by itself.
                return Poll::Pending;
            }
            most = most.min(cut.left);
        }
        if this.source.left() == 0 {
            return Poll::Ready(None);
        }
        if let Some(pace) = &mut this.pace {
            ready!(pace.next.as_mut().poll(context));
            most = most.min((pace.rate / TICKS_A_SECOND).max(1));
        }
        let piece = this.source.take(most);
        let sent = length(piece.len());
        if let Some(cut) = &mut this.cut {
            cut.left = cut.left.saturating_sub(sent);
            if let Some(grace) = &mut cut.grace {
                grace.as_mut().reset(Instant::now() + GRACE);
            }
        }
        if let Some(pace) = &mut this.pace {
            let next = Instant::now() + time_for(sent, pace.rate);
            pace.next.as_mut().reset(next);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.source.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        if self.cut.is_none() && self.source.announced() {
            SizeHint::with_exact(self.source.left())
        } else {
            SizeHint::default()
        }
    }
}

/// A length in memory as a count of bytes on the wire.
pub(super) fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn time_for(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
}

const FRAME_MAX: u64 = 64 * 1024;
const TICKS_A_SECOND: u64 = 10;
const GRACE: Duration = Duration::from_millis(50);
