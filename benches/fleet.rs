//! What a fleet takes of one Redis: events of 1 KiB with marks stored, handed out and settled by two
//! processes' worth of callers; and what a shared rate costs a call.
//!
//! `cargo bench --bench fleet`. Needs `redis-server`; starts one of its own, which keeps every write
//! (`appendonly yes`, `appendfsync everysec`), on the same processors.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a bench prints, reckons and may fail"
)]

#[path = "../tests/servers/mod.rs"]
mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderMap;
use pintle::clock::Clock;
use pintle::limit::{Alone, Counting, Fleet, Quotas};
use pintle::policy::{Class, Policies};
use pintle::store::redis::{Acknowledged, Options, Place, Places};
use pintle::store::{Duty, Event, Mark, Queue as _, Redis, Settlement, UnixMs};
use pintle::yaml::{Faults, Source};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

const CALLERS: usize = 64;
const TAKERS: usize = 2;
const LEASES: usize = 64;
const FOR: Duration = Duration::from_secs(10);
const CALLS: u32 = 1_000_000;

fn main() {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = servers::redis::Server::start();
        let redis = Arc::new(Redis::open(options(server.port)).await.unwrap());
        cycle(&redis).await;
        let alone = rate(None).await;
        let fleet = Fleet {
            redis,
            alone: Alone::Refuse,
        };
        let shared = rate(Some(fleet)).await;
        let more = shared.saturating_sub(alone);
        println!("rate: {alone:?} a call alone, {shared:?} shared: {more:?} more; goal 3µs");
    });
}

fn options(port: u16) -> Options {
    let place = Place {
        host: "127.0.0.1".to_owned(),
        port,
    };
    Options {
        places: Places::Single { place, database: 0 },
        user: None,
        password: None,
        tls: None,
        prefix: "{bench}".to_owned(),
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(5),
        bytes_max: 8 << 30,
        acknowledged_by: Acknowledged::Present,
        may_forget: false,
        requests_max: 4096,
    }
}

fn event(number: u64, now_ms: UnixMs) -> Event {
    Event {
        id: format!("evt_{now_ms:012x}{number:012x}"),
        route: "lendswift".to_owned(),
        marks: vec![Mark {
            space: "lendswift".to_owned(),
            key: format!("{number:016x}"),
            digest: [7; 32],
            answer: Bytes::from_static(br#"{"success":true,"status":"queued"}"#),
            until_ms: now_ms + 86_400_000,
            after_success: false,
        }],
        content_type: "application/json".to_owned(),
        body: Bytes::from(vec![b'x'; 1024]),
        received_ms: now_ms,
        duties: vec![Duty {
            target: "dialer".to_owned(),
            order: None,
            due_ms: now_ms,
            is_once: false,
            leased_until_ms: None,
        }],
        keeps: Vec::new(),
    }
}

/// Stored, handed out and settled, as many as there can be.
async fn cycle(redis: &Arc<Redis>) {
    let end = Instant::now() + FOR;
    let count = Arc::new(AtomicU64::new(0));
    let mut storing = JoinSet::new();
    for _ in 0..CALLERS {
        let (redis, count) = (Arc::clone(redis), Arc::clone(&count));
        storing.spawn(async move {
            let clock = Clock::system();
            while Instant::now() < end {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let now_ms = clock.now_ms();
                redis.enqueue(event(number, now_ms), now_ms).await.unwrap();
            }
        });
    }
    let mut taking = JoinSet::new();
    for _ in 0..TAKERS {
        let redis = Arc::clone(redis);
        taking.spawn(async move {
            let clock = Clock::system();
            let mut settled = 0;
            while Instant::now() < end {
                let now_ms = clock.now_ms();
                let leases = redis.lease("dialer", LEASES, now_ms + 60_000, now_ms);
                let leases = leases.await.unwrap();
                let ends = leases
                    .iter()
                    .map(|one| redis.settle(one.id, one.attempt, Settlement::Done, now_ms));
                for end in join_all(ends).await {
                    assert_eq!(end, Ok(true));
                }
                settled += leases.len();
                if leases.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            settled
        });
    }
    storing.join_all().await;
    let settled: usize = taking.join_all().await.into_iter().sum();
    let stored = count.load(Ordering::Relaxed) as f64 / FOR.as_secs_f64();
    let settled = settled as f64 / FOR.as_secs_f64();
    println!(
        "deliveries: {stored:.0} stored and {settled:.0} handed out and settled a second; goal 5000"
    );
}

/// What a call's turn takes, one after the other.
async fn rate(fleet: Option<Fleet>) -> Duration {
    let text =
        "rates: { r: { source: assumed, calls: [\"*\"], limits: [{ max: 1000000, per: 1s }] } }";
    let policies = Policies::read(&[Source::new("rate.yaml", text)], &Faults::new());
    let quotas = Quotas::new(&policies, None, fleet, &TaskTracker::new());
    let headers = HeaderMap::new();
    let counting = Counting {
        account: "main",
        family: "cloud",
        operation: None,
        caller: "crm",
        route: None,
        partner: "",
        headers: &headers,
        query: "",
    };
    let begun = cpu();
    for _ in 0..CALLS {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let admitted = quotas.admit(&counting, Class::Interactive, deadline).await;
        drop(admitted.unwrap());
    }
    cpu().checked_sub(begun).unwrap() / CALLS
}

/// What this process has used of the processors.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |at: usize| fields.get(at).unwrap().parse::<u64>().unwrap();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
