//! Calls that are sent again, and those that never are; circuits, budgets and hedges.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pintle::sandbox::Sandbox;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::scripted::{PROCESS, Scripted, YES, read_past};
use crate::support::{Stage, fault, policies_with, sandbox_options, settings_of_account};

const ROBOTS: &str = "/service/cloud/robot";
/// Nothing is known of it.
const TASK: &str = "/service/cloud/unlisted";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

fn retry(of: &str) -> String {
    format!("retries: {{ usual: {{ source: assumed, {of} }} }}\n")
}

/// A gateway with this retry policy, whose `process` upstream is the scripted one.
async fn stage(platform: Option<&Scripted>, policy: &str, more: &str) -> Stage {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let of_account = platform.map_or_else(String::new, |platform| {
        format!(
            "upstreams: {{ process: {{ base_url: \"http://{}\" }} }}",
            platform.address
        )
    });
    let more = format!("policies: policies\n{more}");
    let settings = settings_of_account(&sandbox.url(), &of_account, &more);
    let folder = policies_with("retry.yaml", policy);
    let stage = Stage::start_in(folder, sandbox, &settings).await;
    stage.client.get("/service/cloud/list").await;
    stage.sandbox.forget_seen();
    stage
}

/// Answers the calls of every connection with these replies in turn, and then with a yes; counts them.
async fn answering(replies: &[&'static str]) -> (Scripted, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let replies: Arc<Mutex<VecDeque<&'static str>>> =
        Arc::new(Mutex::new(replies.iter().copied().collect()));
    let counted = Arc::clone(&count);
    let platform = Scripted::start(move |_, mut stream: TcpStream| {
        let (count, replies) = (Arc::clone(&counted), Arc::clone(&replies));
        async move {
            loop {
                let read = read_past(&mut stream, "\r\n\r\n{}").await;
                if read == 0 {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let reply = replies.lock().unwrap().pop_front().unwrap_or(YES);
                if stream.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (platform, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_nothing_is_sent_again_and_nothing_else() {
    let policy = retry("attempts_max: 3, first: 10ms, statuses: [503]");
    let stage = stage(None, &policy, "").await;
    stage
        .sandbox
        .set_fault(fault("status=503").at(ROBOTS).times(2));
    let reply = stage.client.get(ROBOTS).await;
    assert_eq!(reply.status, 200);
    assert_eq!(stage.seen_at(ROBOTS), 3);
    // An effect of its own each time: the platform may have acted before it answered.
    stage
        .sandbox
        .set_fault(fault("status=503").at(TASK).times(2));
    let reply = stage.client.post(TASK, "{}").await;
    assert_eq!(reply.status, 503);
    assert_eq!(stage.seen_at(TASK), 1);
    // As often as the policy says, and no more.
    stage.sandbox.clear_faults();
    stage.sandbox.forget_seen();
    stage
        .sandbox
        .set_fault(fault("status=503").at(ROBOTS).times(9));
    assert_eq!(stage.client.get(ROBOTS).await.status, 503);
    assert_eq!(stage.seen_at(ROBOTS), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_costs_a_read_nothing_and_an_effect_is_never_doubled() {
    for cut in [1, 10, 60, 120] {
        for (path, is_read) in [(PROCESS, true), ("/api/v1/process/unlisted", false)] {
            let begun = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&begun);
            let platform = Scripted::start(move |serial, mut stream: TcpStream| {
                let begun = Arc::clone(&counter);
                async move {
                    use tokio::io::AsyncReadExt as _;
                    begun.fetch_add(1, Ordering::SeqCst);
                    if serial == 0 {
                        stream.read_exact(&mut vec![0; cut]).await.unwrap();
                        stream.set_zero_linger().unwrap();
                        return;
                    }
                    read_past(&mut stream, "\r\n\r\n{}").await;
                    stream.write_all(YES.as_bytes()).await.unwrap();
                }
            })
            .await;
            let policy = retry("attempts_max: 3, first: 1ms");
            let stage = stage(Some(&platform), &policy, "").await;
            let reply = stage.client.post(path, "{}").await;
            let begun = begun.load(Ordering::SeqCst);
            if is_read {
                assert_eq!((reply.status.as_u16(), begun), (200, 2), "{cut}");
            } else {
                assert_eq!((reply.status.as_u16(), begun), (502, 1), "{cut}");
                assert_eq!(reply.json()["outcome"], "unknown");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_as_long_as_it_is_asked_to_or_passes_the_reply_on() {
    let later = "HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
    let much_later = "HTTP/1.1 503 Busy\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n";
    let (platform, count) = answering(&[later, YES, much_later]).await;
    let policy = retry("first: 1ms, statuses: [503]");
    let stage = stage(Some(&platform), &policy, "").await;
    let patient = [
        ("x-pintle-timeout", "5s"),
        ("content-type", "application/json"),
    ];
    let begun = Instant::now();
    let reply = stage.client.send("POST", PROCESS, &patient, "{}").await;
    assert_eq!(reply.status, 200);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let begun = Instant::now();
    let reply = stage.client.send("POST", PROCESS, &patient, "{}").await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("retry-after")),
        (503, "30")
    );
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_opens_lets_a_few_see_and_closes() {
    let (platform, count) = answering(&[BUSY; 8]).await;
    let policy = retry(
        "attempts_max: 1, breaker: { failures_percent: 50, calls_min: 8, window: 10s, pause: 1s }",
    );
    let stage = stage(Some(&platform), &policy, "").await;
    for _ in 0..8 {
        assert_eq!(stage.client.post(PROCESS, "{}").await.status, 503);
    }
    let reply = stage.client.post(PROCESS, "{}").await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (503, "circuit_open")
    );
    assert_eq!(reply.json()["outcome"], "not_sent");
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(count.load(Ordering::SeqCst), 8, "nothing was sent");
    let ready = stage.admin().get("/readyz").await.json();
    assert_eq!(
        ready["accounts"]["main"]["circuits"]["process usual"],
        "open"
    );
    // The platform's own circuit is another one.
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    for _ in 0..4 {
        assert_eq!(stage.client.post(PROCESS, "{}").await.status, 200);
    }
    let ready = stage.admin().get("/readyz").await.json();
    assert_eq!(
        ready["accounts"]["main"]["circuits"]["process usual"],
        "closed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_stay_within_their_budget_and_come_back_scattered() {
    const CALLS: usize = 600;
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let (seen, begun) = (Arc::clone(&arrivals), Instant::now());
    // Fails for two seconds, and is well from then on.
    let platform = Scripted::start(move |_, mut stream: TcpStream| {
        let seen = Arc::clone(&seen);
        async move {
            while read_past(&mut stream, "\r\n\r\n{}").await > 0 {
                let at = begun.elapsed();
                seen.lock().unwrap().push(at);
                let reply = if at < Duration::from_secs(2) {
                    BUSY
                } else {
                    YES
                };
                if stream.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let policy =
        retry("attempts_max: 5, first: 200ms, max: 1s, statuses: [503], budget_percent: 20");
    let stage = stage(Some(&platform), &policy, "").await;
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let client = stage.client.clone();
        calls.spawn(async move { client.post(PROCESS, "{}").await.status });
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    calls.join_all().await;
    let arrivals = arrivals.lock().unwrap().clone();
    // A fifth more than calls, and three a second for the ten that the budget looks back.
    let most = CALLS + CALLS / 5 + 3 * 10;
    assert!(arrivals.len() <= most, "{} of {most}", arrivals.len());
    assert!(arrivals.len() > CALLS + 30, "{}", arrivals.len());
    let mut each = std::collections::BTreeMap::new();
    for at in &arrivals {
        *each.entry(at.as_millis() / 100).or_insert(0_usize) += 1;
    }
    let mean = arrivals.len() / each.len();
    let peak = each.values().max().unwrap();
    assert!(
        *peak <= mean * 3,
        "a peak of {peak} where {mean} is the mean"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_beside_a_slow_one_wins() {
    let policy = retry("attempts_max: 2, hedge_after: 100ms");
    let stage = stage(None, &policy, "").await;
    stage
        .sandbox
        .set_fault(fault("delay=5s").at(ROBOTS).times(1));
    let begun = Instant::now();
    let reply = stage.client.get(ROBOTS).await;
    assert_eq!(reply.status, 200);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(stage.seen_at(ROBOTS), 2);
    // What has an effect goes once, however slow it is.
    stage
        .sandbox
        .set_fault(fault("delay=400ms").at(TASK).times(1));
    stage.client.post(TASK, "{}").await;
    assert_eq!(stage.seen_at(TASK), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_in_a_hurry_open_no_circuit_and_an_open_one_hides_no_attempt() {
    let policy = retry(
        "attempts_max: 2, first: 1ms, statuses: [503], breaker: { calls_min: 2, window: 10s, pause: 5s }",
    );
    let stage = stage(None, &policy, "").await;
    stage
        .sandbox
        .set_fault(fault("delay=300ms").at(ROBOTS).times(3));
    for _ in 0..3 {
        let hurried = [("x-pintle-timeout", "50ms")];
        let reply = stage.client.send("GET", ROBOTS, &hurried, "").await;
        assert_eq!(reply.status, 504);
    }
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    // The second attempt opens the circuit; the call is answered by what came, not as if unsent.
    stage
        .sandbox
        .set_fault(fault("status=503").at(ROBOTS).times(9));
    let mut codes = Vec::new();
    for _ in 0..4 {
        let reply = stage.client.get(ROBOTS).await;
        assert_eq!(reply.status, 503);
        let is_ours = reply.header("content-type") == "application/problem+json";
        codes.push(if is_ours {
            reply.code()
        } else {
            "platform".to_owned()
        });
    }
    assert_eq!(codes.last().unwrap(), "circuit_open");
    assert_eq!(codes.first().unwrap(), "platform");
}
