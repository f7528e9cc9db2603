//! A body that can be sent a second time, as long as it is small: it is streamed at once, and a
//! copy is kept on the way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use crate::message::{Body, BodyFault};

/// The body of a call over its attempts.
pub(super) enum Repeatable {
    Empty,
    Held(Bytes),
    /// Not yet sent.
    Fresh {
        body: Body,
        bytes_max: usize,
    },
    /// Sent once; the copy grows while it is being sent.
    Sent(Arc<Mutex<Copy>>),
}

/// What was sent so far.
pub(super) struct Copy {
    /// One buffer: a body of many small chunks must not cost more than its bytes.
    bytes: BytesMut,
    state: CopyState,
}

#[derive(PartialEq, Eq)]
enum CopyState {
    Growing,
    Whole,
    /// Larger than the limit, broken off, or with trailers: it cannot be sent again.
    Lost,
}

impl Repeatable {
    pub(super) fn new(body: Body, bytes_max: usize) -> Self {
        match body {
            Body::Empty => Self::Empty,
            Body::Held(bytes) => Self::Held(bytes),
            body @ Body::Stream(_) => Self::Fresh { body, bytes_max },
        }
    }

    /// Whether it can be sent once more.
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Self::Empty | Self::Held(_) | Self::Fresh { .. } => true,
            Self::Sent(copy) => lock(copy).state == CopyState::Whole,
        }
    }

    /// The same body once more, where it is at hand.
    pub(super) fn twin(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Held(bytes) => Some(Self::Held(bytes.clone())),
            Self::Fresh { .. } | Self::Sent(_) => None,
        }
    }

    /// The body for the next attempt. After an attempt it is the copy, if that is whole.
    pub(super) fn next(&mut self) -> Body {
        match self {
            Self::Empty => Body::Empty,
            Self::Held(bytes) => Body::Held(bytes.clone()),
            Self::Fresh { body, bytes_max } => {
                let first = std::mem::replace(body, Body::Empty);
                let limit = *bytes_max;
                if first
                    .exact_len()
                    .is_some_and(|len| len > u64::try_from(limit).unwrap_or(0))
                {
                    // Known to be too large: nothing of it is kept.
                    *self = Self::Sent(Arc::new(Mutex::new(Copy::lost())));
                    return first;
                }
                let copy = Arc::new(Mutex::new(Copy::growing()));
                *self = Self::Sent(Arc::clone(&copy));
                let len = first.exact_len();
                Body::stream(Copying {
                    len,
                    body: first,
                    copy,
                    bytes_max: limit,
                })
            }
            Self::Sent(copy) => {
                let whole = std::mem::take(&mut lock(copy).bytes).freeze();
                *self = Self::Held(whole.clone());
                Body::held(whole)
            }
        }
    }
}

impl Copy {
    fn growing() -> Self {
        Self {
            bytes: BytesMut::new(),
            state: CopyState::Growing,
        }
    }

    fn lost() -> Self {
        Self {
            bytes: BytesMut::new(),
            state: CopyState::Lost,
        }
    }

    fn note(&mut self, frame: &Frame<Bytes>, bytes_max: usize) {
        if self.state != CopyState::Growing {
            return;
        }
        match frame.data_ref() {
            Some(data) if self.bytes.len().saturating_add(data.len()) <= bytes_max => {
                self.bytes.extend_from_slice(data);
            }
            _ => *self = Self::lost(),
        }
    }

    fn holds(&self, len: u64) -> bool {
        u64::try_from(self.bytes.len()).is_ok_and(|held| held == len)
    }

    fn end(&mut self) {
        if self.state == CopyState::Growing {
            self.state = CopyState::Whole;
        }
    }
}

/// A stream that leaves a copy of what passes.
struct Copying {
    body: Body,
    /// The announced length.
    len: Option<u64>,
    copy: Arc<Mutex<Copy>>,
    bytes_max: usize,
}

impl http_body::Body for Copying {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let mut copy = lock(&self.copy);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => copy.end(),
            Poll::Ready(Some(Err(_))) => *copy = Copy::lost(),
            Poll::Ready(Some(Ok(frame))) => {
                copy.note(frame, self.bytes_max);
                // A connection that knows the length does not ask for the end.
                let whole = self.len.is_some_and(|len| copy.holds(len));
                if whole || self.body.is_end_stream() {
                    copy.end();
                }
            }
        }
        drop(copy);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock(copy: &Mutex<Copy>) -> std::sync::MutexGuard<'_, Copy> {
    copy.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn stream(parts: &'static [&'static str]) -> Body {
        let frames = parts
            .iter()
            .map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes()))));
        Body::stream(StreamBody::new(futures_util::stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_small_stream_can_be_sent_twice() {
        let mut body = Repeatable::new(stream(&["ab", "cd"]), 4);
        assert_eq!(body.next().read(9).await.unwrap(), "abcd");
        assert!(body.is_repeatable());
        assert_eq!(body.next().read(9).await.unwrap(), "abcd");
    }

    #[tokio::test]
    async fn a_large_stream_and_a_half_sent_one_cannot() {
        let mut body = Repeatable::new(stream(&["ab", "cd"]), 3);
        assert_eq!(body.next().read(9).await.unwrap(), "abcd");
        assert!(!body.is_repeatable());
        let mut body = Repeatable::new(stream(&["ab", "cd"]), 4);
        let _half = body.next().read_up_to(1).await.unwrap();
        assert!(!body.is_repeatable());
    }
}
