//! The one body type of every message: nothing, held bytes, or a stream with backpressure.
//!
//! A stream is never collected without a limit: [`Body::read`] takes one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use thiserror::Error;

use crate::message::framing::FramingFault;

/// Why a body ended early.
#[derive(Debug, Clone, Error)]
pub enum BodyFault {
    /// More bytes than the limit allows.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Nothing came for too long.
    #[error("nothing of the body came for {idle_ms} ms")]
    Idle {
        /// How long was waited, in milliseconds.
        idle_ms: u64,
    },
    /// Its HTTP/1 framing is not strict.
    #[error("the body is not valid HTTP: {0}")]
    Framing(FramingFault),
    /// The connection under it failed.
    #[error("the body broke off")]
    Broken(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// A body of bytes.
pub enum Body {
    /// No body at all.
    Empty,
    /// Bytes in memory.
    Held(Bytes),
    /// Bytes still to come.
    Stream(Stream),
}

/// A body that is still coming.
pub type Stream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyFault> + Send>>;

impl Body {
    /// Bytes in memory; none of them is [`Body::Empty`].
    pub fn held(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Held(bytes)
        }
    }

    /// A body that comes from elsewhere; one that is known to be empty becomes [`Body::Empty`].
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyFault> + Send + 'static,
    {
        if body.is_end_stream() {
            Self::Empty
        } else {
            Self::Stream(Box::pin(body))
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The number of bytes to come, where it is known.
    pub fn exact_len(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// Reads up to `limit` bytes, and gives back what was read together with the rest.
    ///
    /// The rest is [`Body::Empty`] when the whole body fitted.
    pub async fn read_up_to(self, limit: usize) -> Result<(Bytes, Body), BodyFault> {
        let mut stream = match self {
            Self::Empty => return Ok((Bytes::new(), Self::Empty)),
            Self::Held(bytes) if bytes.len() <= limit => return Ok((bytes, Self::Empty)),
            Self::Held(bytes) => return Ok((Bytes::new(), Self::Held(bytes))),
            Self::Stream(stream) => stream,
        };
        let mut first: Option<Bytes> = None;
        let mut joined = BytesMut::new();
        while let Some(frame) = stream.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            match first.take() {
                None if joined.is_empty() => first = Some(data),
                None => joined.extend_from_slice(&data),
                Some(held) => {
                    joined.extend_from_slice(&held);
                    joined.extend_from_slice(&data);
                }
            }
            if first.as_ref().map_or(joined.len(), Bytes::len) > limit {
                return Ok((
                    first.unwrap_or_else(|| joined.freeze()),
                    Self::Stream(stream),
                ));
            }
        }
        Ok((first.unwrap_or_else(|| joined.freeze()), Self::Empty))
    }

    /// Reads the whole body, or says that it is larger than `limit` bytes.
    pub async fn read(self, limit: usize) -> Result<Bytes, BodyFault> {
        let too_large = BodyFault::TooLarge {
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
        };
        match self.read_up_to(limit).await? {
            (bytes, Self::Empty) if bytes.len() <= limit => Ok(bytes),
            _ => Err(too_large),
        }
    }

    /// Puts bytes that were read already in front of the rest.
    #[must_use]
    pub fn with_prefix(self, prefix: Bytes) -> Self {
        match self {
            Self::Empty => Self::held(prefix),
            rest if prefix.is_empty() => rest,
            rest => Self::Stream(Box::pin(Prefixed {
                prefix: Some(prefix),
                rest,
            })),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Held(bytes) => write!(f, "Held({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Held(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Held(_) => false,
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Held(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

/// Bytes that were read, then the rest.
struct Prefixed {
    prefix: Option<Bytes>,
    rest: Body,
}

impl http_body::Body for Prefixed {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.prefix.take() {
            Some(prefix) => Poll::Ready(Some(Ok(Frame::data(prefix)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let before = self
            .prefix
            .as_ref()
            .map_or(0, |prefix| u64::try_from(prefix.len()).unwrap_or(u64::MAX));
        self.rest
            .size_hint()
            .exact()
            .map_or_else(SizeHint::new, |rest| {
                SizeHint::with_exact(rest.saturating_add(before))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn chunks(parts: &'static [&'static str]) -> Body {
        let frames = parts
            .iter()
            .map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes()))));
        Body::stream(StreamBody::new(futures_util::stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        assert_eq!(chunks(&["ab", "cd", "e"]).read(5).await.unwrap(), "abcde");
        assert!(matches!(
            chunks(&["ab", "cd", "e"]).read(4).await,
            Err(BodyFault::TooLarge { limit: 4 })
        ));
        assert_eq!(Body::Empty.read(0).await.unwrap(), "");
        assert!(Body::held("abc").read(2).await.is_err());
    }

    #[tokio::test]
    async fn what_was_read_is_put_back_in_front() {
        let (read, rest) = chunks(&["ab", "cd", "ef"]).read_up_to(3).await.unwrap();
        assert_eq!(read, "abcd");
        assert_eq!(rest.with_prefix(read).read(9).await.unwrap(), "abcdef");
        let (read, rest) = chunks(&["ab"]).read_up_to(3).await.unwrap();
        assert!(rest.is_empty());
        assert_eq!(rest.with_prefix(read).exact_len(), Some(2));
    }
}
