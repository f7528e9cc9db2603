//! The front door, through the whole gateway: what it refuses never reaches the platform.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pintle::sandbox::Sandbox;

use crate::child::Process;
use crate::support::{Stage, raw, sandbox_options};

/// `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` as bytes.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'x' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ambiguous_framing_is_refused_and_nothing_is_forwarded() {
    let stage = Stage::new().await;
    stage.client.get("/service/cloud/robot").await;
    let seen = stage.sandbox.seen().len();
    let table = std::fs::read_to_string("tests/data/framing.txt").unwrap();
    let mut cases = 0;
    for line in table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let [name, code, bytes] = line
            .splitn(3, " | ")
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        if name == "http_2_preface" {
            // Here it begins an HTTP/2 connection, which is served.
            continue;
        }
        let answer = raw(&stage.client, &unescape(bytes));
        let good = ["HTTP/1.1 400 ", "HTTP/1.1 414 ", "HTTP/1.1 431 "];
        assert!(
            good.iter().any(|start| answer.starts_with(start)),
            "{name} ({code}): {answer}"
        );
        assert!(
            answer.contains("application/problem+json"),
            "{name}: {answer}"
        );
        assert!(answer.contains("connection: close"), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
        cases += 1;
    }
    assert!(cases >= 75, "{cases}");
    assert_eq!(stage.sandbox.seen().len(), seen, "nothing was forwarded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_chunk_is_refused_and_the_call_is_cut_off() {
    let stage = Stage::new().await;
    let answer = raw(
        &stage.client,
        b"POST /service/cloud/upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\nhello\r\n5\nhello\r\n0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("bad_framing"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_behind_a_good_call_comes_after_its_answer() {
    let stage = Stage::new().await;
    let good = "GET /service/cloud/robot HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let bad = "GET /service/cloud/list HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
    let answer = raw(&stage.client, format!("{good}{bad}").as_bytes());
    let first = answer.find("HTTP/1.1 200 ").expect(&answer);
    let second = answer.find("HTTP/1.1 400 ").expect(&answer);
    assert!(first < second, "{answer}");
    assert_eq!(stage.seen_at("/service/cloud/list"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_answer_never_takes_the_body_for_a_request() {
    let stage = Stage::new().await;
    let inner = "GET /service/cloud/list HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let outer = format!(
        "POST /operations/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len() + 100_000
    );
    let answer = raw(&stage.client, outer.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(stage.seen_at("/service/cloud/list"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_head_and_a_silent_connection_are_cut_off() {
    let stage = Stage::with("local: { listen: 127.0.0.1:0, limits: { head: 300ms } }").await;
    for begin in ["", "GET /service/cloud/robot HTTP/1.1\r\nHost: loc"] {
        let started = Instant::now();
        let answer = raw(&stage.client, begin.as_bytes());
        assert_eq!(answer, "", "{begin:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{begin:?}");
    }
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
}

#[tokio::test]
async fn web_pages_and_foreign_names_are_refused() {
    let stage = Stage::with(
        "local: { listen: 127.0.0.1:0, hosts: [pintle.test], origins: [\"https://tool.test\"] }",
    )
    .await;
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
    for (name, value, status) in [
        ("host", "evil.test", 403),
        ("host", "pintle.test:7070", 200),
        ("origin", "https://evil.test", 403),
        ("origin", "null", 403),
        ("origin", "https://tool.test", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "none", 200),
    ] {
        let before = stage.sandbox.seen().len();
        let reply = stage
            .client
            .send("GET", "/service/cloud/robot", &[(name, value)], "")
            .await;
        assert_eq!(reply.status, status, "{name}: {value}");
        let forwarded = stage.sandbox.seen().len() > before;
        assert_eq!(forwarded, status == 200, "{name}: {value}");
        let admin = stage
            .admin()
            .send("GET", "/livez", &[(name, value)], "")
            .await;
        let of_local_alone = ["pintle.test:7070", "https://tool.test"].contains(&value);
        assert_eq!(
            admin.status == 200,
            status == 200 && !of_local_alone,
            "{name}: {value}"
        );
    }
    let preflight = [
        ("origin", "https://evil.test"),
        ("access-control-request-method", "POST"),
    ];
    let reply = stage
        .client
        .send("OPTIONS", "/service/cloud/task", &preflight, "")
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (403, "origin_refused")
    );
    assert_eq!(reply.headers.get("access-control-allow-origin"), None);
}

#[tokio::test]
async fn methods_and_expectations_that_are_no_calls_are_refused() {
    let stage = Stage::new().await;
    for method in ["TRACE", "BREW"] {
        let reply = stage
            .client
            .send(method, "/service/cloud/robot", &[], "")
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (405, "method_not_served")
        );
    }
    let expect = [("expect", "the-impossible")];
    let reply = stage
        .client
        .send("POST", "/service/cloud/operation", &expect, "{}")
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (417, "expectation_failed")
    );
    for path in ["/a/../service/cloud/robot", "/a%2fb", "/%2e%2e/x", "//x"] {
        let reply = stage.client.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (400, "bad_target"),
            "{path}"
        );
    }
    assert_eq!(stage.seen_at("/service/cloud/robot"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_wait() {
    let stage = Stage::with("local: { listen: 127.0.0.1:0, limits: { connections_max: 2 } }").await;
    let address = stage
        .client
        .base()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream
                .write_all(b"GET /service/cloud/robot HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            stream
        })
        .collect();
    let mut third = TcpStream::connect(&address).unwrap();
    third
        .write_all(b"GET /service/cloud/robot HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    third
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut first = [0; 12];
    assert!(third.read_exact(&mut first).is_err(), "the third waits");
    drop(held);
    third
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    third.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stands_still_is_let_go() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let more = "local: { listen: 127.0.0.1:0, limits: { body_idle: 300ms } }";
    let process = Process::start(&sandbox.url(), more);
    let mut stream = TcpStream::connect(process.local.strip_prefix("http://").unwrap()).unwrap();
    let request =
        "GET /service/cloud/recording?bytes=100000000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let record = process.logged("call");
    assert_eq!(record["left"], true, "{record}");
    let sent = record["reply_bytes"].as_u64().unwrap();
    assert!((1..90_000_000).contains(&sent), "{record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_of_the_head_hold_for_both_protocols() {
    let stage = Stage::new().await;
    stage.client.get("/service/cloud/robot").await;
    let before = stage.sandbox.seen().len();
    let url = format!("{}/service/cloud/robot", stage.client.base());
    let long = format!("{url}?{}", "a".repeat(9_000));
    let many: Vec<String> = (0..120).map(|n| format!("x-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().flat_map(|header| ["-H", header]).collect();
    let large = format!("x-large: {}", "a".repeat(40_000));
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        for (status, code, arguments) in [
            ("414", "target_too_long", vec![long.as_str()]),
            (
                "431",
                "head_too_large",
                [many.as_slice(), &[url.as_str()]].concat(),
            ),
            (
                "431",
                "head_too_large",
                vec!["-H", large.as_str(), url.as_str()],
            ),
        ] {
            let answer = crate::wires::curl(&[&["-i", protocol], arguments.as_slice()].concat());
            assert!(
                answer.lines().next().unwrap().contains(status),
                "{protocol} {answer}"
            );
            assert!(answer.contains(code), "{protocol} {answer}");
        }
    }
    assert_eq!(stage.sandbox.seen().len(), before, "nothing was forwarded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_let_go() {
    let more = "local: { listen: 127.0.0.1:0, limits: { body_idle: 400ms } }";
    let stage = Stage::with(more).await;
    let mut stream =
        TcpStream::connect(stage.client.base().strip_prefix("http://").unwrap()).unwrap();
    let head =
        "POST /service/cloud/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut drip = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while drip.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 408");
}
