//! The body of a reply: it gives its connection back when it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::outgoing::Progress;
use super::pool::Lease;
use crate::message::{Body, BodyFault};

/// Joins a reply's body to the lease of its connection.
pub(super) fn attach(
    reply: Response<Incoming>,
    lease: Lease,
    progress: Arc<Progress>,
    idle: Duration,
) -> Response<Body> {
    reply.map(|incoming| {
        if incoming.is_end_stream() {
            lease.give_back(progress.is_finished());
            return Body::Empty;
        }
        Body::stream(ReplyBody {
            incoming,
            lease: Some(lease),
            progress,
            idle,
            timer: None,
        })
    })
}

struct ReplyBody {
    incoming: Incoming,
    /// Dropped unreturned when the body breaks off: such a connection is not used again.
    lease: Option<Lease>,
    progress: Arc<Progress>,
    idle: Duration,
    /// Runs only while nothing comes.
    timer: Option<Pin<Box<Sleep>>>,
}

impl ReplyBody {
    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back(self.progress.is_finished());
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<BodyFault> {
        let idle = self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
        timer.as_mut().poll(cx).map(|()| BodyFault::Idle {
            idle_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => self.poll_idle(cx).map(|fault| Some(Err(fault))),
            Poll::Ready(frame) => {
                let next = Instant::now() + self.idle;
                if let Some(timer) = &mut self.timer {
                    timer.as_mut().reset(next);
                }
                match frame {
                    // Trailers belong to the connection that they came on.
                    Some(Ok(frame)) if frame.is_trailers() => {
                        self.end();
                        Poll::Ready(None)
                    }
                    Some(Ok(frame)) => {
                        if self.incoming.is_end_stream() {
                            self.end();
                        }
                        Poll::Ready(Some(Ok(frame)))
                    }
                    Some(Err(error)) => {
                        self.lease = None;
                        Poll::Ready(Some(Err(BodyFault::Broken(Arc::new(error)))))
                    }
                    None => {
                        self.end();
                        Poll::Ready(None)
                    }
                }
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
