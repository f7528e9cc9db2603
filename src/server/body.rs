//! The body of a request as it comes in: under a limit, and not for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::gate::body_fault;
use crate::message::{Body, BodyFault};

/// Puts a request's body under a limit and a clock.
pub(super) fn limit(incoming: Incoming, bytes_max: u64, idle: Duration) -> Body {
    Body::stream(Limited {
        incoming,
        left: bytes_max,
        bytes_max,
        idle,
        timer: None,
        came: 0,
    })
}

struct Limited {
    incoming: Incoming,
    left: u64,
    bytes_max: u64,
    idle: Duration,
    /// Runs while too little comes.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes that came since the timer was set.
    came: usize,
}

impl Limited {
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<BodyFault> {
        let idle = self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
        timer.as_mut().poll(cx).map(|()| BodyFault::Idle {
            idle_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyFault> {
        let came = frame
            .data_ref()
            .map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.left = self.left.checked_sub(came).ok_or(BodyFault::TooLarge {
            limit: self.bytes_max,
        })?;
        Ok(frame)
    }
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => self.poll_idle(cx).map(|fault| Some(Err(fault))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(broken(error)))),
            // Trailers belong to the connection that they came on.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => {
                self.came += frame.data_ref().map_or(0, Bytes::len);
                // A drip of single bytes is no progress: it would hold a place for ever.
                if self.came >= PROGRESS_BYTES {
                    self.came = 0;
                    let next = Instant::now() + self.idle;
                    if let Some(timer) = &mut self.timer {
                        timer.as_mut().reset(next);
                    }
                }
                Poll::Ready(Some(self.count(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The gate's word, if it was the gate that ended the body.
fn broken(error: hyper::Error) -> BodyFault {
    match body_fault(&error) {
        Some(fault) => BodyFault::Framing(fault),
        None => BodyFault::Broken(Arc::new(error)),
    }
}

/// What has to come within the idle time to count as progress.
const PROGRESS_BYTES: usize = 1024;
