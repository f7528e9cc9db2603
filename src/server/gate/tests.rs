//! The gate in front of a connection, fed piece by piece.

use std::collections::VecDeque;

use futures_util::task::noop_waker_ref;
use proptest::prelude::*;

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 512,
    headers_max: 16,
    target_bytes_max: 128,
};

/// A peer whose bytes arrive in these parts, and who then leaves.
struct Parts(VecDeque<Vec<u8>>);

impl AsyncRead for Parts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut part) = self.0.pop_front() {
            let rest = part.split_off(part.len().min(buf.remaining()));
            buf.put_slice(&part);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// How reading through the gate came to its end.
#[derive(Debug, PartialEq)]
enum End {
    Eof,
    Withheld,
    Fault(FramingFault),
}

/// Everything that comes through the gate when the peer's bytes arrive in pieces of these sizes,
/// in turn, and are read with a buffer of so many bytes.
fn through(bytes: &[u8], sizes: &[usize], room: usize) -> (Vec<u8>, End) {
    let mut parts = VecDeque::new();
    let mut rest = bytes;
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, after) = rest.split_at(size.min(rest.len()));
        parts.push_back(part.to_vec());
        rest = after;
    }
    let mut gate = Gate::new(Parts(parts), LIMITS);
    let mut cx = Context::from_waker(noop_waker_ref());
    let mut out = Vec::new();
    loop {
        let mut scratch = vec![0; room];
        let mut buf = ReadBuf::new(&mut scratch);
        let end = match Pin::new(&mut gate).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => End::Eof,
            Poll::Ready(Ok(())) => {
                out.extend_from_slice(buf.filled());
                continue;
            }
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                End::Fault(body_fault(&error).expect("the fault is inside"))
            }
            Poll::Pending => End::Withheld,
        };
        return (out, end);
    }
}

#[test]
fn the_substitute_is_a_head_that_only_the_gate_can_send() {
    for &fault in FramingFault::ALL {
        let head = substitute(fault);
        assert_eq!(
            check_head(head.as_bytes(), LIMITS),
            Err(FramingFault::ReservedMethod)
        );
        let method = http::Method::from_bytes(REFUSED_METHOD.as_bytes()).unwrap();
        assert_eq!(refused(&method, &format!("/{}", fault.code())), Some(fault));
        assert_eq!(
            refused(&http::Method::GET, &format!("/{}", fault.code())),
            None
        );
    }
}

#[test]
fn a_head_cut_short_never_comes_through() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for end in 1..head.len() {
        assert_eq!(
            through(&head[..end], &[7], 64),
            (Vec::new(), End::Eof),
            "{end} bytes"
        );
    }
}

#[test]
fn a_read_into_a_buffer_already_begun_keeps_what_is_there() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut gate = Gate::new(
        Parts([head[..9].to_vec(), head[9..].to_vec()].into()),
        LIMITS,
    );
    let mut scratch = [0; 64];
    let mut buf = ReadBuf::new(&mut scratch);
    buf.put_slice(b"old");
    let mut cx = Context::from_waker(noop_waker_ref());
    assert!(Pin::new(&mut gate).poll_read(&mut cx, &mut buf).is_ready());
    assert_eq!(buf.filled(), [b"old".as_slice(), head].concat());
}

#[test]
fn an_emptied_gate_holds_no_buffer() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut gate = Gate::new(
        Parts([head[..9].to_vec(), head[9..].to_vec()].into()),
        LIMITS,
    );
    let mut scratch = [0; 64];
    let mut buf = ReadBuf::new(&mut scratch);
    let mut cx = Context::from_waker(noop_waker_ref());
    assert!(Pin::new(&mut gate).poll_read(&mut cx, &mut buf).is_ready());
    assert_eq!(gate.held.capacity(), 0);
    assert!(gate.is_between_messages());
}

/// One request that is well framed.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        Just(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        Just(b"\r\nGET /b HTTP/1.0\r\nX: y\r\n\r\n".to_vec()),
        body.clone().prop_map(|body| {
            let head = format!(
                "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), &body].concat()
        }),
        proptest::collection::vec(body, 0..4).prop_map(|chunks| {
            let head = b"POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut bytes = head.to_vec();
            for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                bytes.extend_from_slice(format!("{:x};e=f\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\nT: u\r\n\r\n");
            bytes
        }),
    ]
}

proptest! {
    #[test]
    fn well_framed_requests_come_through_unchanged_however_they_are_split(
        requests in proptest::collection::vec(request(), 1..6),
        sizes in proptest::collection::vec(1_usize..80, 1..6),
        room in 1_usize..300,
    ) {
        let bytes = requests.concat();
        prop_assert_eq!(through(&bytes, &sizes, room), (bytes, End::Eof));
    }

    #[test]
    fn a_refused_head_is_replaced_however_it_is_split(
        requests in proptest::collection::vec(request(), 0..4),
        sizes in proptest::collection::vec(1_usize..80, 1..6),
        room in 1_usize..300,
    ) {
        let good = requests.concat();
        let bad = b"GET /x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
        let substitute = substitute(FramingFault::SpaceBeforeColon);
        let expected = [good.as_slice(), substitute.as_bytes()].concat();
        let bytes = [good.as_slice(), bad].concat();
        prop_assert_eq!(through(&bytes, &sizes, room), (expected, End::Withheld));
    }

    #[test]
    fn a_broken_body_ends_in_its_fault_however_it_is_split(
        requests in proptest::collection::vec(request(), 0..4),
        sizes in proptest::collection::vec(1_usize..80, 1..6),
        room in 1_usize..300,
    ) {
        let good = b"POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello";
        let good = [requests.concat().as_slice(), good].concat();
        let bytes = [good.as_slice(), b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let end = End::Fault(FramingFault::ChunkEnd);
        prop_assert_eq!(through(&bytes, &sizes, room), (good, end));
    }
}
