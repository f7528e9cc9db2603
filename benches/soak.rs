//! Whether memory stays where it is while events pass through: stored with a mark for ten minutes,
//! handed out and settled, but for one in a thousand, whose target is down all the time. Time is the
//! bench's own, at [`RATE`] events a second, so that windows fill and run out as they would.
//!
//! `cargo bench --bench soak -- --events N [FOLDER]`; ten million where it is not said. It fails
//! where the memory at the end is more than 1.3 times that after a quarter, and 64 MiB.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, reckons and may fail"
)]

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use pintle::store::{
    Duty, Enqueued, Event, Filter, Journal, Mark, Options, Queue, Reason, Retention, Settlement,
    State, UnixMs,
};

/// Events a second of the bench's own time: 3 million marks hold at once.
const RATE: u64 = 5_000;
const WINDOW_MS: i64 = 600_000;
/// Stored together.
const PART: u64 = 500;
const TOLD_EVERY: u64 = 500_000;
const BEGIN_MS: UnixMs = 1_700_000_000_000;
const RETENTION: Retention = Retention {
    done_ms: 60_000,
    buried_ms: 60_000,
};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let mut after = arguments
        .iter()
        .skip_while(|one| *one != "--events")
        .skip(1);
    let count: u64 = after
        .next()
        .map_or(10_000_000, |count| count.parse().unwrap());
    let folder = arguments.iter().skip(1).find(|one| Path::new(one).is_dir());
    let folder = match folder {
        Some(folder) => tempfile::tempdir_in(folder).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(pass(folder.path(), count));
}

async fn pass(folder: &Path, count: u64) {
    let options = Options {
        folder: folder.to_owned(),
        bytes_max: 1 << 40,
        queue_max: 4096,
        batch_max: 1024,
    };
    let journal = Journal::open(&options).unwrap();
    let begun = Instant::now();
    let (mut quarter, mut now_ms) = (None, BEGIN_MS);
    for first in (0..count).step_by(usize::try_from(PART).unwrap()) {
        now_ms = BEGIN_MS + i64::try_from(first * 1000 / RATE).unwrap();
        let events =
            (first..first + PART).map(|number| journal.enqueue(event(number, now_ms), now_ms));
        for became in join_all(events).await {
            assert_eq!(became, Ok(Enqueued::Stored { leased: vec![] }));
        }
        settle(&journal, now_ms).await;
        // A repeat of long ago is known.
        if let Some(old) = first.checked_sub(RATE * 500) {
            let repeat = journal.enqueue(event(old, now_ms), now_ms).await;
            assert!(
                matches!(repeat, Ok(Enqueued::Repeated { .. })),
                "{repeat:?}"
            );
        }
        while journal.sweep(RETENTION, now_ms).await.unwrap() > PART * 2 {}
        let passed = first + PART;
        if passed.is_multiple_of(TOLD_EVERY) {
            let (rss, rate) = (
                rss_kib(),
                u128::from(passed) * 1000 / begun.elapsed().as_millis(),
            );
            println!("{passed} events: {} MiB; {rate} events/s", rss / 1024);
        }
        if quarter.is_none() && passed >= count / 4 {
            quarter = Some(rss_kib());
        }
    }
    let waiting = Filter {
        state: Some(State::Waiting),
        ..Filter::default()
    };
    assert_eq!(journal.count(&waiting).await, Ok(count.div_ceil(1000)));
    let (quarter, end) = (quarter.unwrap(), rss_kib());
    println!(
        "{} MiB after a quarter, {} MiB at the end",
        quarter / 1024,
        end / 1024
    );
    journal.close().await;
    let opening = Instant::now();
    let journal = Journal::open(&options).unwrap();
    println!("opened again in {} ms", opening.elapsed().as_millis());
    let repeat = journal.enqueue(event(count - 1, now_ms), now_ms).await;
    assert!(
        matches!(repeat, Ok(Enqueued::Repeated { .. })),
        "{repeat:?}"
    );
    journal.close().await;
    assert!(end * 10 <= quarter * 13 + (640 << 10), "memory grows");
}

/// Hands out what is due and settles it; the target that is down takes nothing.
async fn settle(journal: &Journal, now_ms: UnixMs) {
    for target in ["crm", "down"] {
        loop {
            let leases = journal.lease(target, 512, now_ms + 60_000, now_ms).await;
            let leases = leases.unwrap();
            let settled = leases.iter().map(|lease| {
                let how = if target == "crm" {
                    Settlement::Done
                } else {
                    Settlement::Retry {
                        due_ms: now_ms + 60_000,
                        reason: Reason {
                            class: "upstream_unreachable".to_owned(),
                            status: None,
                        },
                        progress: None,
                    }
                };
                journal.settle(lease.id, lease.attempt, how, now_ms)
            });
            for settled in join_all(settled).await {
                assert_eq!(settled, Ok(true));
            }
            if leases.is_empty() {
                break;
            }
        }
    }
}

fn event(number: u64, now_ms: UnixMs) -> Event {
    let target = if number.is_multiple_of(1000) {
        "down"
    } else {
        "crm"
    };
    Event {
        id: format!("evt_{number:024x}"),
        route: "leads".to_owned(),
        marks: vec![Mark {
            space: "leads".to_owned(),
            key: format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            digest: [7; 32],
            answer: Bytes::from_static(b"{}"),
            until_ms: now_ms + WINDOW_MS,
            after_success: false,
        }],
        content_type: "application/json".to_owned(),
        body: Bytes::from_static(b"{\"small\":true}"),
        received_ms: now_ms,
        duties: vec![Duty {
            target: target.to_owned(),
            order: None,
            due_ms: now_ms,
            is_once: false,
            leased_until_ms: None,
        }],
        keeps: Vec::new(),
    }
}

fn rss_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("Linux tells it").parse().unwrap()
}
