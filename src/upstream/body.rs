//! The body of a reply: it gives its connection back when it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
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
    let (head, incoming) = reply.into_parts();
    let mut body = ReplyBody {
        incoming,
        first: None,
        lease: Some(lease),
        progress,
        idle,
        timer: None,
    };
    let body = match body.at_hand() {
        Some(whole) => Body::held(whole),
        None => Body::stream(body),
    };
    Response::from_parts(head, body)
}

type Piece = Option<hyper::Result<Frame<Bytes>>>;

struct ReplyBody {
    incoming: Incoming,
    /// What came with the head, where that is not all.
    first: Option<Piece>,
    /// Dropped unreturned when the body breaks off: such a connection is not used again.
    lease: Option<Lease>,
    progress: Arc<Progress>,
    idle: Duration,
    /// Runs only while nothing comes.
    timer: Option<Pin<Box<Sleep>>>,
}

impl ReplyBody {
    /// The whole body, where it came with the head: such a one needs no stream.
    fn at_hand(&mut self) -> Option<Bytes> {
        if self.incoming.is_end_stream() {
            self.end();
            return Some(Bytes::new());
        }
        // Without a length, the end is not known before it was asked for.
        self.incoming.size_hint().exact()?;
        let Poll::Ready(first) = self.poll_incoming(&mut Context::from_waker(Waker::noop())) else {
            return None;
        };
        match first {
            Some(Ok(frame)) if frame.is_data() && self.incoming.is_end_stream() => {
                self.end();
                frame.into_data().ok()
            }
            first => {
                self.first = Some(first);
                None
            }
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(first);
        }
        match &mut self.lease {
            Some(lease) => lease.poll_frame(&mut self.incoming, cx),
            None => Poll::Ready(None),
        }
    }

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
        match self.poll_incoming(cx) {
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
        self.first.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.incoming.size_hint();
        let Some(Some(Ok(first))) = &self.first else {
            return rest;
        };
        let first = first.data_ref().map_or(0, Bytes::len);
        let len = rest
            .exact()
            .and_then(|rest| rest.checked_add(u64::try_from(first).ok()?));
        len.map_or(rest, SizeHint::with_exact)
    }
}
