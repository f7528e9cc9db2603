//! What goes wrong between the caller and the platform: each fault has its status, code, blame and
//! outcome, within the deadline, and nothing is sent twice that may have been seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pintle::sandbox::{Options, Sandbox};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::child::Process;
use crate::scripted::{PROCESS, Scripted, YES, read_past};
use crate::support::{
    Reply, SENT_ONCE, Stage, free, policies_with, raw, sandbox_options, settings_of_account, until,
};

const ROBOTS: &str = "/service/cloud/robot";
const TASK: &str = "/service/cloud/operation";

/// A gateway whose `process` upstream is at `url`.
async fn before(url: &str, limits: &str, more: &str) -> Stage {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let upstream = format!(
        "upstreams: {{ process: {{ base_url: \"{url}\", limits: {{ connect: 500ms, {limits} }} }} }}"
    );
    let more = format!("policies: policies\n{more}");
    let settings = settings_of_account(&sandbox.url(), &upstream, &more);
    let folder = policies_with("retry.yaml", SENT_ONCE);
    Stage::start_in(folder, sandbox, &settings).await
}

/// A problem with all its members and no internals.
fn check_problem(reply: &Reply, what: &str, (status, code, blame, outcome): Row) {
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (status, code),
        "{what}: {:?}",
        reply.body
    );
    let problem = reply.json();
    assert_eq!(problem["blame"], blame, "{what}");
    assert_eq!(problem["outcome"], outcome, "{what}");
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["request_id"], reply.header("x-request-id"));
    let text = String::from_utf8_lossy(&reply.body).to_lowercase();
    for internal in [
        "127.0.0.1",
        "localhost",
        "invalid",
        "sandbox",
        "authorization",
        "::",
        "hyper",
        "tokio",
        "rustls",
        "os error",
        "{ ",
        "some(",
        "none",
    ] {
        assert!(!text.contains(internal), "{what}: {internal} in {text}");
    }
}

/// Status, code, blame and outcome.
type Row = (u16, &'static str, &'static str, &'static str);

#[tokio::test]
async fn each_fault_of_the_platform_has_its_status_code_blame_and_outcome() {
    let stage = Stage::sent_once("local: { listen: 127.0.0.1:0, deadline: 500ms }").await;
    let broken: Row = (502, "upstream_broken", "upstream", "unknown");
    let timeout: Row = (504, "upstream_timeout", "upstream", "unknown");
    for (fault, row) in [
        ("hang", timeout),
        ("delay=5s", timeout),
        ("reset", broken),
        (
            "nonsense",
            (502, "upstream_nonsense", "upstream", "unknown"),
        ),
        ("truncate=0", broken),
        ("truncate=5", broken),
        ("reset-after=5", broken),
    ] {
        for (method, path, body) in [("GET", ROBOTS, ""), ("POST", TASK, "{}")] {
            let asked = Instant::now();
            let headers = [("x-sandbox-fault", fault)];
            let reply = stage.client.send(method, path, &headers, body).await;
            check_problem(&reply, &format!("{method} {fault}"), row);
            assert!(asked.elapsed() < Duration::from_secs(3), "{method} {fault}");
        }
    }
    let seen = stage.seen_at(TASK);
    assert_eq!(seen, 7, "each was sent once");
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
}

#[tokio::test]
async fn a_platform_that_cannot_be_reached_was_sent_nothing() {
    let refusing = TcpListener::bind(free()).await.unwrap();
    let refused = refusing.local_addr().unwrap();
    drop(refusing);
    let silent = Scripted::start(|_, stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let plain = Sandbox::start(sandbox_options()).await.unwrap();
    let upstream = |status, code| (status, code, "upstream", "not_sent");
    for (url, row) in [
        (
            format!("http://{refused}"),
            upstream(502, "upstream_unreachable"),
        ),
        (
            "http://does-not-exist.invalid".to_owned(),
            upstream(502, "upstream_unresolved"),
        ),
        (
            format!("https://{}", plain.address()),
            upstream(502, "upstream_tls"),
        ),
        (
            format!("https://{}", silent.address),
            upstream(504, "upstream_connect_timeout"),
        ),
    ] {
        let stage = before(&url, "", "").await;
        let asked = Instant::now();
        let reply = stage.client.post(PROCESS, "{}").await;
        check_problem(&reply, &url, row);
        assert!(asked.elapsed() < Duration::from_secs(3), "{url}");
        // What one upstream lacks does not touch the other.
        assert_eq!(stage.client.get(ROBOTS).await.status, 200, "{url}");
    }
    assert_eq!(plain.seen().len(), 0);
}

#[tokio::test]
async fn each_bad_reply_has_its_failure() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let broken: Row = (502, "upstream_broken", "upstream", "unknown");
    let nonsense: Row = (502, "upstream_nonsense", "upstream", "unknown");
    let timeout: Row = (504, "upstream_timeout", "upstream", "unknown");
    // What is sent, whether the connection is then closed, and what becomes of it.
    for (reply, closes, row) in [
        ("", true, broken),
        ("HTTP/1.1 200 O", true, broken),
        ("HTTP/1.1 banana\r\n\r\n", true, nonsense),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}", true, nonsense),
        (&long, true, nonsense),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            false,
            nonsense,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
            true,
            broken,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            true,
            broken,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
            false,
            timeout,
        ),
        ("HTTP/1.1 200 OK\r\n", false, timeout),
    ] {
        let text = reply.to_owned();
        let platform = Scripted::start(move |_, mut stream| {
            let text = text.clone();
            async move {
                read_past(&mut stream, "\r\n\r\n{}").await;
                stream.write_all(text.as_bytes()).await.ok();
                if !closes {
                    std::future::pending::<()>().await;
                }
            }
        })
        .await;
        let url = format!("http://{}", platform.address);
        let more = "local: { listen: 127.0.0.1:0, deadline: 500ms }";
        let stage = before(&url, "body_idle: 300ms", more).await;
        let asked = Instant::now();
        let answer = stage.client.post(PROCESS, "{}").await;
        let what: String = reply.chars().take(60).collect();
        check_problem(&answer, &what, row);
        assert!(asked.elapsed() < Duration::from_secs(3), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_breaks_off_is_broken_for_the_caller_and_in_the_record() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let process = Process::start(&sandbox.url(), "");
    let client = process.client();
    for (query, fault) in [
        ("", "truncate=1000"),
        ("&chunked=1", "truncate=1000"),
        ("", "reset-after=1000"),
        ("&chunked=1", "reset-after=1000"),
    ] {
        let answer = raw(
            &client,
            format!(
                "GET /service/cloud/recording?bytes=100000{query} HTTP/1.1\r\nHost: localhost\r\n\
                 X-Sandbox-Fault: {fault}\r\n\r\n"
            )
            .as_bytes(),
        );
        // A break that comes at once may overtake the head: then nothing is answered at all.
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.is_empty() || head.starts_with("HTTP/1.1 200 "),
            "{fault}: {head}"
        );
        assert!(body.len() < 50_000, "{fault}");
        assert!(
            !body.ends_with("0\r\n\r\n"),
            "{fault}: it must not look whole"
        );
        let record = process.logged("call");
        assert_eq!(record["failure"], "upstream_broken", "{record}");
        assert_eq!(record["status"], 200, "{record}");
    }
    assert_eq!(client.get(ROBOTS).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_closed_between_calls_costs_no_call() {
    let closed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&closed);
    let platform = Scripted::start(move |_, mut stream| {
        let closed = Arc::clone(&counter);
        async move {
            read_past(&mut stream, "\r\n\r\n{}").await;
            stream.write_all(YES.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            // Closed for both sides once the gateway has noticed.
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
            closed.fetch_add(1, Ordering::Relaxed);
        }
    })
    .await;
    let stage = before(&format!("http://{}", platform.address), "", "").await;
    for turn in 1..=20 {
        let reply = stage.client.post(PROCESS, "{}").await;
        assert_eq!(reply.status, 200, "{turn}: {:?}", reply.body);
        until("it is closed", || closed.load(Ordering::Relaxed) == turn).await;
    }
    // The same of the sandbox, which says that it will close.
    for fault in ["close", "delay=1ms"] {
        let headers = [("x-sandbox-fault", fault)];
        let reply = stage.client.send("POST", TASK, &headers, "{}").await;
        assert_eq!(reply.status, 200, "{fault}");
    }
    assert_eq!(stage.seen_at(TASK), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_connection_breaks_takes_effect_at_most_once() {
    // The second call on a kept-alive connection is cut off after so many bytes of it.
    for cut in [1, 10, 40, 100, usize::MAX] {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&begun);
        let platform = Scripted::start(move |_, mut stream| {
            let begun = Arc::clone(&counter);
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                read_past(&mut stream, "\r\n\r\n{}").await;
                stream.write_all(YES.as_bytes()).await.unwrap();
                let mut byte = [0];
                if stream.read_exact(&mut byte).await.is_err() {
                    return;
                }
                begun.fetch_add(1, Ordering::Relaxed);
                match cut {
                    usize::MAX => {
                        read_past(&mut stream, "\r\n\r\n{}").await;
                    }
                    more => {
                        stream.read_exact(&mut vec![0; more - 1]).await.unwrap();
                    }
                }
                stream.set_zero_linger().unwrap();
            }
        })
        .await;
        let stage = before(&format!("http://{}", platform.address), "", "").await;
        assert_eq!(stage.client.post(PROCESS, "{}").await.status, 200);
        let reply = stage.client.post(PROCESS, "{}").await;
        let row = (502, "upstream_broken", "upstream", "unknown");
        check_problem(&reply, &cut.to_string(), row);
        assert_eq!(begun.load(Ordering::Relaxed), 2, "{cut}: begun once each");
    }
}

#[tokio::test]
async fn a_platform_that_went_and_came_back_is_called_again() {
    let stage = Stage::sent_once("token: { rejection_age: 1ms }").await;
    let address = stage.sandbox.address();
    let Stage {
        app: _app,
        sandbox,
        client,
        folder: _folder,
    } = stage;
    assert_eq!(client.get(ROBOTS).await.status, 200);
    sandbox.stop().await;
    for _ in 0..3 {
        let reply = client.get(ROBOTS).await;
        let row = (502, "upstream_unreachable", "upstream", "not_sent");
        check_problem(&reply, "down", row);
    }
    let options = Options {
        seed: 2,
        ..Options::local(address)
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let reply = client.get(ROBOTS).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(sandbox.logins(), 1, "the old token was no longer good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_taken_is_refused_and_the_connection_closed() {
    let more = "local: { listen: 127.0.0.1:0, limits: { body_bytes_max: 1000, body_idle: 200ms } }";
    let stage = Stage::with(more).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    let chunk = "1f4\r\n".to_owned() + &"x".repeat(500) + "\r\n";
    for (what, framed, status, code, forwarded) in [
        (
            "announced, unsent",
            "Content-Length: 1001\r\n\r\n".to_owned(),
            413,
            "body_too_large",
            false,
        ),
        (
            "announced, waiting to be asked",
            "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n".to_owned(),
            413,
            "body_too_large",
            false,
        ),
        (
            "chunked",
            format!("Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}"),
            413,
            "body_too_large",
            true,
        ),
        (
            "stalled",
            "Content-Length: 10\r\n\r\n{".to_owned(),
            408,
            "body_timeout",
            true,
        ),
        (
            "stalled at once",
            "Content-Length: 10\r\n\r\n".to_owned(),
            408,
            "body_timeout",
            true,
        ),
        (
            "stalled in chunks",
            format!("Transfer-Encoding: chunked\r\n\r\n{chunk}1"),
            408,
            "body_timeout",
            true,
        ),
    ] {
        let before = stage.seen_at(TASK);
        let head = format!("POST {TASK} HTTP/1.1\r\nHost: localhost\r\n");
        let answer = raw(&stage.client, format!("{head}{framed}").as_bytes());
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{what}: {answer}");
        assert!(answer.contains(code), "{what}: {answer}");
        assert!(answer.contains("\"blame\": \"downstream\""), "{what}");
        assert!(answer.contains("connection: close\r\n"), "{what}: {answer}");
        assert!(forwarded || stage.seen_at(TASK) == before, "{what}");
        // The platform never took half a body for a whole one.
        let whole = |seen: &pintle::sandbox::Seen| seen.target == TASK && seen.status == 200;
        assert!(!stage.sandbox.seen().iter().any(whole), "{what}");
    }
    let most = "x".repeat(1000);
    assert_eq!(stage.client.post(TASK, &most).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_the_limit_are_told_to_come_back() {
    let stage = Stage::with("local: { listen: 127.0.0.1:0, limits: { calls_max: 1 } }").await;
    let client = stage.client.clone();
    let slow = tokio::spawn(async move {
        let headers = [("x-sandbox-fault", "delay=500ms")];
        client.send("POST", TASK, &headers, "{}").await
    });
    until("the first is under way", || stage.seen_at(TASK) == 1).await;
    let reply = stage.client.get(ROBOTS).await;
    check_problem(
        &reply,
        "calls_max",
        (503, "overloaded", "pintle", "not_sent"),
    );
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(stage.seen_at(ROBOTS), 0);
    assert_eq!(slow.await.unwrap().status, 200);
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_for_the_platform_are_few_and_wait_no_longer_than_the_deadline() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let limits = "limits: { calls_max: 1, waiting_max: 1 }";
    let more = "local: { listen: 127.0.0.1:0, deadline: 1s }";
    let settings = settings_of_account(&sandbox.url(), limits, more);
    let stage = Stage::start(sandbox, &settings).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    let client = stage.client.clone();
    let slow = tokio::spawn(async move {
        let headers = [("x-sandbox-fault", "slow-body=10kb/s")];
        let path = "/service/cloud/recording?bytes=1000000";
        client.send("GET", path, &headers, "").await
    });
    let begun = || stage.seen_at("/service/cloud/recording") == 1;
    until("the only place is taken", begun).await;
    // One of the two waits for it in vain; for the other there is no room to wait.
    let asked = Instant::now();
    let (one, other) = tokio::join!(stage.client.get(ROBOTS), stage.client.get(ROBOTS));
    assert!(asked.elapsed() < Duration::from_secs(3));
    for reply in [one, other] {
        let row = (503, "upstream_crowded", "pintle", "not_sent");
        check_problem(&reply, "waiting_max", row);
        assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    assert_eq!(stage.seen_at(ROBOTS), 1);
    slow.abort();
    drop(slow.await);
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
}
