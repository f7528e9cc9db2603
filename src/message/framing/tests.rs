//! The rules of framing, one by one and as properties.

use proptest::prelude::*;

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 1024,
    headers_max: 8,
    target_bytes_max: 256,
};

/// What the scanner and then the check say of the first head in these bytes.
fn judge(bytes: &[u8]) -> Result<BodyFraming, FramingFault> {
    match HeadScanner::new().scan(bytes, LIMITS)? {
        Some(end) => check_head(&bytes[..end], LIMITS),
        None => Err(FramingFault::Incomplete),
    }
}

fn check(head: &str, expected: Result<BodyFraming, FramingFault>) {
    assert_eq!(judge(head.as_bytes()), expected, "{head:?}");
}

fn scan_whole(body: &[u8]) -> (usize, Result<Progress, FramingFault>) {
    scan_split(body, usize::MAX)
}

fn scan_split(body: &[u8], size: usize) -> (usize, Result<Progress, FramingFault>) {
    let mut scanner = ChunkScanner::new();
    let mut taken = 0;
    for part in body.chunks(size) {
        let scanned = scanner.scan(part);
        taken += scanned.taken;
        if scanned.outcome != Ok(Progress::More) {
            return (taken, scanned.outcome);
        }
    }
    (taken, Ok(Progress::More))
}

#[test]
fn codes_are_unique_and_lead_back_to_their_fault() {
    for (index, &fault) in FramingFault::ALL.iter().enumerate() {
        let first = FramingFault::ALL
            .iter()
            .position(|other| other.code() == fault.code());
        assert_eq!(first, Some(index), "{} is used twice", fault.code());
        assert_eq!(FramingFault::from_code(fault.code()), Some(fault));
        assert!(
            fault
                .to_string()
                .starts_with(|c: char| c.is_ascii_lowercase()),
            "{fault}"
        );
    }
    assert_eq!(FramingFault::from_code("bad"), None);
}

#[test]
fn well_formed_heads_say_how_their_body_is_framed() {
    let none = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b;c=d?e[]=f%20g&h=?/ HTTP/1.1\r\nhost:a.example:8443\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t a \t\r\nX:\r\nY: a\tb \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a.example HTTP/1.1\r\nHost: A.example:80\r\n\r\n",
        "GET HTTPS://a:443?x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://[::1]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for head in none {
        check(head, Ok(BodyFraming::None));
    }
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        Ok(BodyFraming::Length(0)),
    );
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH:\t999999999999999999 \r\n\r\n",
        Ok(BodyFraming::Length(999_999_999_999_999_999)),
    );
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
        Ok(BodyFraming::Chunked),
    );
}

#[test]
fn obsolete_text_in_a_value_is_let_pass() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xe9\r\n\r\n";
    assert_eq!(judge(head), Ok(BodyFraming::None));
}

#[test]
fn a_head_over_a_limit_is_refused_as_such() {
    let long = "x".repeat(2000);
    let many = "X: y\r\n".repeat(8);
    check(
        &format!("GET /{long} HTTP/1.1\r\n"),
        Err(FramingFault::TargetTooLong),
    );
    check(
        &format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(256)),
        Err(FramingFault::TargetTooLong),
    );
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"),
        Err(FramingFault::HeadTooLong),
    );
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        Err(FramingFault::TooManyHeaders),
    );
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n");
    assert_eq!(
        check_head(head.as_bytes(), LIMITS),
        Err(FramingFault::HeadTooLong)
    );
}

#[test]
fn the_limits_themselves_are_accepted() {
    let many = "X: y\r\n".repeat(7);
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        Ok(BodyFraming::None),
    );
    let target = "x".repeat(255);
    check(
        &format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n"),
        Ok(BodyFraming::None),
    );
    let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
    let value = "x".repeat(1024 - frame.len());
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n"),
        Ok(BodyFraming::None),
    );
    let value = "x".repeat(1025 - frame.len());
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n"),
        Err(FramingFault::HeadTooLong),
    );
}

#[test]
fn bytes_that_are_not_one_whole_head_are_refused() {
    for head in [
        "",
        "\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nx",
    ] {
        assert_eq!(
            check_head(head.as_bytes(), LIMITS),
            Err(FramingFault::Incomplete),
            "{head:?}"
        );
    }
}

#[test]
fn well_formed_chunks_end_where_they_say() {
    let bodies = [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n0;last\r\n\r\n",
        "00005\r\nhello\r\n000\r\n\r\n",
        "A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
        "0\r\nX: y\r\nZ:\r\n\r\n",
    ];
    for body in bodies {
        let both = format!("{body}GET / HTTP/1.1");
        assert_eq!(
            scan_whole(both.as_bytes()),
            (body.len(), Ok(Progress::Done)),
            "{body:?}"
        );
    }
}

#[test]
fn malformed_chunks_are_refused_where_they_break() {
    let longest = "x".repeat(CHUNK_LINE_BYTES_MAX);
    let trailer = "X: y\r\n".repeat(TRAILERS_MAX + 1);
    let value = "x".repeat(TRAILER_BYTES_MAX);
    let cases = [
        ("\r\n", 0, FramingFault::ChunkSize),
        (";a\r\n", 0, FramingFault::ChunkSize),
        (" 5\r\n", 0, FramingFault::ChunkSize),
        ("5 \r\n", 1, FramingFault::ChunkSize),
        ("5 ;a\r\n", 1, FramingFault::ChunkSize),
        ("0x5\r\n", 1, FramingFault::ChunkSize),
        ("+5\r\n", 0, FramingFault::ChunkSize),
        ("-5\r\n", 0, FramingFault::ChunkSize),
        ("5_0\r\n", 1, FramingFault::ChunkSize),
        ("g\r\n", 0, FramingFault::ChunkSize),
        ("8000000000000000\r\n", 15, FramingFault::ChunkSize),
        ("00000000000000005\r\n", 16, FramingFault::ChunkSize),
        ("5\nhello\r\n", 1, FramingFault::BareLineFeed),
        ("5;a\nhello\r\n", 3, FramingFault::BareLineFeed),
        ("5\rhello\r\n", 2, FramingFault::BareCarriageReturn),
        ("5;a\0\r\n", 3, FramingFault::ChunkExtension),
        ("5;\u{e9}\r\n", 2, FramingFault::ChunkExtension),
        ("5\r\nhelloo\r\n", 8, FramingFault::ChunkEnd),
        ("5\r\nhello\n0\r\n\r\n", 8, FramingFault::ChunkEnd),
        ("5\r\nhello\r0\r\n\r\n", 9, FramingFault::ChunkEnd),
        ("0\r\nX\r\n\r\n", 4, FramingFault::Trailer),
        ("0\r\nX : y\r\n\r\n", 4, FramingFault::Trailer),
        ("0\r\n: y\r\n\r\n", 3, FramingFault::Trailer),
        ("0\r\n X: y\r\n\r\n", 3, FramingFault::Trailer),
        ("0\r\nX: \0\r\n\r\n", 6, FramingFault::Trailer),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", 6, FramingFault::Trailer),
        ("0\r\nX: y\n\r\n", 7, FramingFault::BareLineFeed),
        ("0\r\n\n", 3, FramingFault::BareLineFeed),
        ("0\r\nX: y\r\r\n", 8, FramingFault::BareCarriageReturn),
        ("0\r\n\r\r\n", 4, FramingFault::BareCarriageReturn),
        (
            &format!("5;{longest}\r\n"),
            CHUNK_LINE_BYTES_MAX,
            FramingFault::ChunkExtension,
        ),
        (
            &format!("0\r\n{trailer}\r\n"),
            3 + 6 * TRAILERS_MAX,
            FramingFault::TrailersTooLong,
        ),
        (
            &format!("0\r\nX:{value}\r\n\r\n"),
            3 + TRAILER_BYTES_MAX,
            FramingFault::TrailersTooLong,
        ),
    ];
    for (body, taken, fault) in cases {
        assert_eq!(scan_whole(body.as_bytes()), (taken, Err(fault)), "{body:?}");
        assert_eq!(
            scan_split(body.as_bytes(), 1),
            (taken, Err(fault)),
            "{body:?} byte by byte"
        );
    }
}

/// Bytes that are often almost a request.
fn almost_head() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"GET / HTTP/1.1\r\n".to_vec()),
        Just(b"Host: a\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
        Just(vec![b'x'; 600]),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Bytes that are often almost a chunked body.
fn almost_chunks() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"5\r\nhello\r\n".to_vec()),
        Just(b"3;a=b\r\n".to_vec()),
        Just(b"abc".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"0\r\n".to_vec()),
        Just(b"X: y\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_split_never_changes_what_is_said_of_a_head(bytes in almost_head(), size in 1_usize..40) {
        let whole = HeadScanner::new().scan(&bytes, LIMITS);
        let mut scanner = HeadScanner::new();
        let mut split = Ok(None);
        for part in bytes.chunks(size) {
            split = scanner.scan(part, LIMITS);
            if split != Ok(None) {
                break;
            }
        }
        prop_assert_eq!(split, whole);
    }

    #[test]
    fn a_head_that_passes_ends_where_the_scanner_says(bytes in almost_head()) {
        if check_head(&bytes, LIMITS).is_ok() {
            prop_assert_eq!(HeadScanner::new().scan(&bytes, LIMITS), Ok(Some(bytes.len())));
        }
    }

    #[test]
    fn a_split_never_changes_what_is_said_of_chunks(bytes in almost_chunks(), size in 1_usize..20) {
        prop_assert_eq!(scan_split(&bytes, size), scan_whole(&bytes));
    }
}
