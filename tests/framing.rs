//! The front door against raw bytes: a hyper server behind the gate, spoken to over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pintle::message::framing::{FramingFault, HeadLimits};
use pintle::server::gate::{Gate, body_fault, refused};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 8192,
    headers_max: 32,
    target_bytes_max: 2048,
};
const HEAD_READ_MAX: Duration = Duration::from_secs(5);
const GOOD: &[u8] = b"POST /good HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
const CASES: &str = include_str!("data/framing.txt");

/// Method, target and body of what the service was given, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Notes the request, then answers: the fault with 400, `/early` at once, all else with an echo.
async fn answer(
    request: Request<Incoming>,
    seen: Seen,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, mut body) = request.into_parts();
    if let Some(fault) = refused(&parts.method, parts.uri.path()) {
        // The refusal must not depend on being answered at once.
        tokio::task::yield_now().await;
        return Ok(refusal(fault));
    }
    let line = format!("{} {}", parts.method, parts.uri);
    if parts.uri.path() == "/early" {
        seen.lock().unwrap().push(line);
        let mut response = Response::new(Full::from("early"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Err(error) => return Ok(refusal(body_fault(&error).expect("a fault of framing"))),
        }
    }
    seen.lock()
        .unwrap()
        .push(format!("{line} {}", String::from_utf8_lossy(&bytes)));
    Ok(Response::new(Full::from(bytes)))
}

fn refusal(fault: FramingFault) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(fault.code()));
    *response.status_mut() = match fault {
        FramingFault::HeadTooLong | FramingFault::TooManyHeaders => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        FramingFault::TargetTooLong => StatusCode::URI_TOO_LONG,
        _ => StatusCode::BAD_REQUEST,
    };
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Serves one connection to its end.
async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, seen: Seen) -> hyper::Result<()> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .keep_alive(true)
        .serve_connection(
            TokioIo::new(Gate::new(io, LIMITS)),
            service_fn(|request| answer(request, Arc::clone(&seen))),
        )
        .await
}

/// What came of one connection.
struct Outcome {
    /// Everything the peer was sent before the connection was closed.
    answer: String,
    seen: Vec<String>,
    served: hyper::Result<()>,
}

impl Outcome {
    /// The status and the body of each answer, in order.
    fn answers(&self) -> Vec<(u16, &str)> {
        self.answer
            .split("HTTP/1.")
            .skip(1)
            .map(|answer| {
                let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
                (
                    head.get(2..5)
                        .and_then(|status| status.parse().ok())
                        .expect("a status"),
                    body,
                )
            })
            .collect()
    }
}

/// Sends the parts, one write each, over a socket, and reads until the server closes.
async fn exchange(parts: &[&[u8]]) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    peer.set_nodelay(true).unwrap();
    let seen = Seen::default();
    let server = async {
        let (io, _) = listener.accept().await.unwrap();
        serve(io, Arc::clone(&seen)).await
    };
    let client = async move {
        for part in parts {
            peer.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer)
            .await
            .expect("closed, not reset");
        String::from_utf8(answer).unwrap()
    };
    let both = async { tokio::join!(server, client) };
    let (served, answer) = timeout(Duration::from_secs(10), both)
        .await
        .expect("the connection is closed");
    let seen = seen.lock().unwrap().clone();
    Outcome {
        answer,
        seen,
        served,
    }
}

/// The bytes that `\r \n \t \0 \\ \xHH` stand for.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        (rest, bytes) = match rest {
            [b'\\', b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                let digits = str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                (after, bytes)
            }
            [b'\\', letter, after @ ..] => {
                bytes.push(match letter {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'0' => 0,
                    b'\\' => b'\\',
                    other => panic!("unknown escape {}", char::from(*other)),
                });
                (after, bytes)
            }
            _ => {
                bytes.push(*first);
                (after, bytes)
            }
        };
    }
    bytes
}

/// The cases of the table: name, code, bytes.
fn cases() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let lines = CASES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.splitn(3, " | ");
            let mut column = || columns.next().unwrap_or_else(|| panic!("bad line: {line}"));
            (column(), column(), unescape(column()))
        })
        .collect()
}

/// Sends these parts and expects `good` echoes, then the refusal, and no other request seen.
async fn check_refused(name: &str, parts: &[&[u8]], good: usize, expected: (u16, &str)) {
    let outcome = exchange(parts).await;
    let mut answers = vec![(200, "ok"); good];
    answers.push(expected);
    assert_eq!(outcome.answers(), answers, "{name}: {}", outcome.answer);
    assert_eq!(outcome.seen, vec!["POST /good ok"; good], "{name}");
    assert!(
        outcome.answer.contains("connection: close"),
        "{name}: {}",
        outcome.answer
    );
    assert!(outcome.served.is_ok(), "{name}: {:?}", outcome.served);
}

#[tokio::test]
async fn a_malformed_head_is_answered_400_and_the_connection_closed() {
    let cases = cases();
    assert!(cases.len() >= 75, "only {} cases", cases.len());
    for (name, code, bytes) in &cases {
        check_refused(name, &[bytes], 0, (400, code)).await;
    }
}

#[tokio::test]
async fn a_malformed_head_behind_a_good_request_waits_for_its_turn() {
    for (name, code, bytes) in &cases() {
        check_refused(name, &[&[GOOD, bytes].concat()], 1, (400, code)).await;
        check_refused(name, &[&[GOOD, GOOD].concat(), bytes], 2, (400, code)).await;
    }
}

#[tokio::test]
async fn a_malformed_head_is_refused_when_it_comes_byte_by_byte() {
    for (name, code, bytes) in &cases() {
        let parts: Vec<_> = bytes.chunks(1).collect();
        // Bytes after the fault are read and forgotten, so the peer can send them all.
        check_refused(name, &parts, 0, (400, code)).await;
    }
}

#[tokio::test]
async fn an_oversized_head_is_answered_with_its_own_status() {
    let long = "x".repeat(9000);
    let head = "GET /x HTTP/1.1\r\nHost: a\r\n";
    let cases = [
        (
            "target",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..2048]),
            414,
        ),
        ("endless_target", format!("GET /{long}"), 414),
        ("endless_value", format!("{head}X: {long}"), 431),
        ("long_value", format!("{head}X: {long}\r\n\r\n"), 431),
        (
            "many_headers",
            format!("{head}{}\r\n", "X: y\r\n".repeat(32)),
            431,
        ),
    ];
    let codes = [
        "target_too_long",
        "target_too_long",
        "head_too_long",
        "head_too_long",
    ];
    for ((name, head, status), code) in cases.iter().zip(codes.iter().chain(&["too_many_headers"]))
    {
        check_refused(name, &[head.as_bytes()], 0, (*status, code)).await;
    }
}

#[tokio::test]
async fn a_broken_chunked_body_is_answered_400_and_the_connection_closed() {
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let next = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let cases = [
        ("bare_line_feed", "5\nhello\r\n0\r\n\r\n", "bare_line_feed"),
        ("size_is_not_hexadecimal", "g\r\n", "bad_chunk_size"),
        (
            "size_with_prefix",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "bad_chunk_size",
        ),
        (
            "size_with_space",
            "5 \r\nhello\r\n0\r\n\r\n",
            "bad_chunk_size",
        ),
        (
            "size_with_plus",
            "+5\r\nhello\r\n0\r\n\r\n",
            "bad_chunk_size",
        ),
        (
            "size_over_63_bits",
            "ffffffffffffffff\r\n",
            "bad_chunk_size",
        ),
        (
            "size_wraps",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
            "bad_chunk_size",
        ),
        ("data_too_long", "5\r\nhello!\r\n0\r\n\r\n", "bad_chunk_end"),
        (
            "data_then_bare_line_feed",
            "5\r\nhello\n0\r\n\r\n",
            "bad_chunk_end",
        ),
        (
            "extension_with_line_feed",
            "5;a\nhello\r\n0\r\n\r\n",
            "bare_line_feed",
        ),
        (
            "extension_with_nul",
            "5;\0\r\nhello\r\n0\r\n\r\n",
            "bad_chunk_extension",
        ),
        ("trailer_without_colon", "0\r\nX\r\n\r\n", "bad_trailer"),
        ("folded_trailer", "0\r\nX: y\r\n z\r\n\r\n", "bad_trailer"),
        ("request_for_a_trailer", "0\r\n", "bad_trailer"),
        (
            "long_extension",
            &format!("5;{}", "x".repeat(300)),
            "bad_chunk_extension",
        ),
        (
            "long_trailers",
            &format!("0\r\nX: {}", "x".repeat(5000)),
            "trailers_too_long",
        ),
    ];
    for (name, body, code) in cases {
        let whole = format!("{head}{body}{next}");
        check_refused(name, &[whole.as_bytes()], 0, (400, code)).await;
        let after_good = [GOOD, whole.as_bytes()].concat();
        check_refused(name, &[&after_good], 1, (400, code)).await;
    }
}

#[tokio::test]
async fn well_formed_requests_come_through() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "plain",
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            &["GET /a "],
        ),
        ("old", "GET /a HTTP/1.0\r\nHost: a\r\n\r\n", &["GET /a "]),
        ("old_without_host", "GET /a HTTP/1.0\r\n\r\n", &["GET /a "]),
        (
            "lower_case_names_and_an_empty_line_first",
            "\r\nPOST /a HTTP/1.1\r\nhost:a\r\ncontent-length:2\r\nconnection:close\r\n\r\nhi",
            &["POST /a hi"],
        ),
        (
            "chunks_with_extension_and_trailer",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n",
            &["POST /a hello!"],
        ),
        (
            "two_in_one_write",
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            &["GET /a ", "GET /b "],
        ),
        (
            "absolute_form",
            "GET http://A:80/b?c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            &["GET http://A:80/b?c "],
        ),
        (
            "asterisk",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            &["OPTIONS * "],
        ),
        (
            "a_request_inside_a_body",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\nGET /b HTTP/1.0\r\n\r\n",
            &["POST /a GET /admin HTTP/1.1\r\nHost: a\r\n", "GET /b "],
        ),
        (
            "a_request_inside_a_chunk",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             13\r\nGET /admin HTTP/1.1\r\n0\r\n\r\n",
            &["POST /a GET /admin HTTP/1.1"],
        ),
    ];
    for (name, bytes, seen) in cases {
        let outcome = exchange(&[bytes.as_bytes()]).await;
        assert_eq!(outcome.seen, *seen, "{name}: {}", outcome.answer);
        let parts: Vec<_> = bytes.as_bytes().chunks(3).collect();
        assert_eq!(exchange(&parts).await.seen, *seen, "{name} in small parts");
    }
}

#[tokio::test]
async fn a_body_left_unread_is_never_parsed_as_a_request() {
    let admin = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let frames = [
        // Far more is announced than comes.
        format!("Content-Length: 100000\r\n\r\n0123456789{admin}"),
        // The whole body is there, followed by a request of its own.
        format!(
            "Content-Length: {}\r\n\r\n{admin}GET /b HTTP/1.0\r\n\r\n",
            admin.len()
        ),
        format!(
            "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{admin}\r\n",
            admin.len()
        ),
        format!("Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n{admin}"),
    ];
    for frame in frames {
        let bytes = format!("POST /early HTTP/1.1\r\nHost: a\r\n{frame}");
        let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
        for parts in [
            vec![bytes.as_bytes()],
            vec![head.as_bytes(), b"\r\n\r\n", body.as_bytes()],
        ] {
            let outcome = exchange(&parts).await;
            assert_eq!(outcome.answers()[0].0, 413, "{frame:?}");
            assert_eq!(outcome.seen[0], "POST /early", "{frame:?}");
            assert!(
                !outcome.seen.iter().any(|line| line.contains("admin")),
                "{:?}",
                outcome.seen
            );
        }
    }
}

#[tokio::test]
async fn a_large_upload_answered_early_still_gets_its_answer() {
    let head = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let outcome = exchange(&[head, &vec![b'x'; 40_000]]).await;
    assert_eq!(outcome.answers(), [(413, "early")]);
}

/// Serves one end of a pipe on paused time and gives the seconds until it was closed.
async fn seconds_until_closed(
    peer: impl AsyncFnOnce(tokio::io::DuplexStream) -> io::Result<()>,
) -> u64 {
    let (near, far) = tokio::io::duplex(4096);
    let started = Instant::now();
    let mut served = pin!(serve(far, Seen::default()));
    let mut sent = pin!(peer(near));
    loop {
        tokio::select! {
            _ = &mut served => return started.elapsed().as_secs(),
            result = &mut sent => result.unwrap(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_cut_off_by_the_head_timeout() {
    let seconds = seconds_until_closed(async |mut near| {
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: "
            .iter()
            .chain([b'y'; 1000].iter())
        {
            near.write_all(&[*byte]).await?;
            sleep(Duration::from_millis(900)).await;
        }
        Ok(())
    });
    assert_eq!(seconds.await, HEAD_READ_MAX.as_secs());
}

#[tokio::test(start_paused = true)]
async fn silence_is_cut_off_by_the_head_timeout_before_and_between_requests() {
    let never = std::future::pending::<()>;
    let before = seconds_until_closed(async |near| {
        never().await;
        drop(near);
        Ok(())
    });
    assert_eq!(before.await, HEAD_READ_MAX.as_secs());
    let between = seconds_until_closed(async |mut near| {
        sleep(Duration::from_secs(3)).await;
        near.write_all(GOOD).await?;
        never().await;
        Ok(())
    });
    assert_eq!(between.await, 3 + HEAD_READ_MAX.as_secs());
}
