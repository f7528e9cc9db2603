//! Which HTTP a connection speaks, told by its first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A connection whose first bytes were looked at, and are read again.
pub(super) struct Rewound<S> {
    first: [u8; PREFACE.len()],
    /// The part of `first` that was not read again yet.
    unread: std::ops::Range<usize>,
    stream: S,
}

/// Looks at the first bytes; returns whether they are HTTP/2's preface (RFC 9113, section 3.4).
///
/// An error where the peer leaves before it says anything.
pub(super) async fn detect<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Rewound<S>, bool)> {
    let mut first = [0; PREFACE.len()];
    let mut len = 0;
    while first.get(..len) == PREFACE.get(..len) && len < PREFACE.len() {
        let Some(rest) = first.get_mut(len..) else {
            break;
        };
        match stream.read(rest).await? {
            0 if len == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            0 => break,
            read => len += read,
        }
    }
    let http2 = first == *PREFACE;
    Ok((
        Rewound {
            first,
            unread: 0..len,
            stream,
        },
        http2,
    ))
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let len = self.unread.len().min(buf.remaining());
        let end = self.unread.start + len;
        if let Some(bytes) = self.first.get(self.unread.start..end) {
            buf.put_slice(bytes);
        }
        self.unread.start = end;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_preface_is_told_and_every_byte_is_read_again() {
        for (sent, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"[..], true),
            (b"PRI / HTTP/1.1\r\n\r\n", false),
            (b"P", false),
            (b"GET / HTTP/1.1\r\n\r\n", false),
        ] {
            let stream = tokio_test_stream(sent);
            let (mut stream, http2) = detect(stream).await.unwrap();
            assert_eq!(http2, expected);
            let mut again = Vec::new();
            stream.read_to_end(&mut again).await.unwrap();
            assert_eq!(again, sent);
        }
        assert!(detect(tokio_test_stream(b"")).await.is_err());
    }

    /// One byte a read, so that every split is met.
    fn tokio_test_stream(bytes: &'static [u8]) -> impl AsyncRead + Unpin {
        struct Drip(&'static [u8]);
        impl AsyncRead for Drip {
            fn poll_read(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                if let Some((first, rest)) = self.0.split_first() {
                    buf.put_slice(&[*first]);
                    self.0 = rest;
                }
                Poll::Ready(Ok(()))
            }
        }
        Drip(bytes)
    }
}
