//! How much the journal takes: events of 1 KiB with marks, stored durably by 64 callers at once; the
//! whole way of storing, handing out and settling; and opening it with a million waiting.
//!
//! `cargo bench --bench journal [-- enqueue|cycle|open] [FOLDER]`. The folder decides which disk is
//! measured; it is the system's for temporary files where none is given.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a bench prints, reckons and may fail"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use pintle::clock::Clock;
use pintle::store::{
    Duty, Enqueued, Event, Filter, Journal, Mark, Options, Queue, Settlement, UnixMs,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const CALLERS: u64 = 64;
const TAKERS: usize = 2;
const LEASES: usize = 64;
/// Stored and not settled yet, at most.
const BACKLOG: usize = 10_000;
const FOR: Duration = Duration::from_secs(20);
const MILLION: u64 = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let is_meant = |name: &str| {
        let named = ["enqueue", "cycle", "open"];
        let mut asked = arguments.iter().filter(|one| named.contains(&one.as_str()));
        asked.clone().next().is_none() || asked.any(|one| one == name)
    };
    let folder = arguments.iter().skip(1).find(|one| Path::new(one).is_dir());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for (name, path) in [("enqueue", 0), ("cycle", 1), ("open", 2)] {
        if !is_meant(name) {
            continue;
        }
        let folder = match folder {
            Some(folder) => tempfile::tempdir_in(folder).unwrap(),
            None => tempfile::tempdir().unwrap(),
        };
        match path {
            0 => runtime.block_on(enqueue(folder.path())),
            1 => runtime.block_on(cycle(folder.path())),
            _ => runtime.block_on(million(folder.path())),
        }
    }
}

fn open(folder: &Path) -> Arc<Journal> {
    let options = Options {
        folder: folder.to_owned(),
        bytes_max: 1 << 40,
        queue_max: 4096,
        batch_max: 1024,
    };
    Arc::new(Journal::open(&options).unwrap())
}

/// Events come as they do in life: ids that grow with time, keys without any order.
fn event(number: u64, now_ms: UnixMs) -> Event {
    Event {
        id: format!("evt_{now_ms:012x}{number:012x}"),
        route: "lendswift".to_owned(),
        marks: vec![Mark {
            space: "lendswift".to_owned(),
            key: format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
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
            is_once: true,
            leased_until_ms: None,
        }],
        keeps: Vec::new(),
    }
}

/// 64 callers store one event after the other, until `stop` says so; tells their waits in µs.
async fn store(journal: &Arc<Journal>, stop: Stop, backlog: Option<Arc<Semaphore>>) -> Vec<u128> {
    let count = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (journal, count, backlog) = (Arc::clone(journal), Arc::clone(&count), backlog.clone());
        callers.spawn(async move {
            let clock = Clock::system();
            let mut waits = Vec::new();
            loop {
                if let Some(backlog) = &backlog {
                    backlog.acquire().await.unwrap().forget();
                }
                let number = count.fetch_add(1, Ordering::Relaxed);
                if stop.is_over(number) {
                    return waits;
                }
                let now_ms = clock.now() * 1000;
                let event = event(number, now_ms);
                let begun = Instant::now();
                let became = journal.enqueue(event, now_ms).await.unwrap();
                waits.push(begun.elapsed().as_micros());
                assert_eq!(became, Enqueued::Stored { leased: vec![] });
            }
        });
    }
    callers.join_all().await.concat()
}

#[derive(Clone, Copy)]
enum Stop {
    At(Instant),
    After(u64),
}

impl Stop {
    fn is_over(self, number: u64) -> bool {
        match self {
            Self::At(end) => Instant::now() >= end,
            Self::After(count) => number >= count,
        }
    }
}

async fn enqueue(folder: &Path) {
    let journal = open(folder);
    let spent = Spent::now();
    let waits = store(&journal, Stop::At(Instant::now() + FOR), None).await;
    spent.tell("enqueue", waits);
    journal.close().await;
}

async fn cycle(folder: &Path) {
    let journal = open(folder);
    let spent = Spent::now();
    let backlog = Arc::new(Semaphore::new(BACKLOG));
    let mut takers = JoinSet::new();
    let end = Instant::now() + FOR;
    for _ in 0..TAKERS {
        let (journal, backlog) = (Arc::clone(&journal), Arc::clone(&backlog));
        takers.spawn(async move {
            let clock = Clock::system();
            let mut count = 0usize;
            while Instant::now() < end {
                let now_ms = clock.now() * 1000;
                let leases = journal.lease("dialer", LEASES, now_ms + 60_000, now_ms);
                let leases = leases.await.unwrap();
                let settled = leases
                    .iter()
                    .map(|lease| journal.settle(lease.id, lease.attempt, Settlement::Done, now_ms));
                for settled in join_all(settled).await {
                    assert_eq!(settled, Ok(true));
                }
                count += leases.len();
                backlog.add_permits(leases.len());
                if leases.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            // Nobody is left waiting for room.
            backlog.add_permits(BACKLOG);
            count
        });
    }
    let waits = store(&journal, Stop::At(end), Some(backlog)).await;
    let settled: usize = takers.join_all().await.iter().sum();
    println!("cycle: {settled} handed out and settled");
    spent.tell("cycle", waits);
    journal.close().await;
}

async fn million(folder: &Path) {
    let journal = open(folder);
    let spent = Spent::now();
    let waits = store(&journal, Stop::After(MILLION), None).await;
    spent.tell("a million", waits);
    journal.close().await;
    drop(journal);
    let begun = Instant::now();
    let journal = open(folder);
    let opened = begun.elapsed();
    let leases = journal.lease("dialer", 1, UnixMs::MAX, UnixMs::MAX - 1);
    assert_eq!(leases.await.unwrap().len(), 1);
    let handed_out = begun.elapsed();
    let count = journal.count(&Filter::default()).await.unwrap();
    println!(
        "open with {count} waiting: {} ms; the first handed out after {} ms; counted after {} ms; {} MiB of memory",
        opened.as_millis(),
        handed_out.as_millis(),
        begun.elapsed().as_millis(),
        of_proc("/proc/self/status", "VmRSS:") / 1024,
    );
    journal.close().await;
}

/// What the process had used when something began.
struct Spent {
    begun: Instant,
    cpu_us: u64,
    written: u64,
}

impl Spent {
    fn now() -> Self {
        Self {
            begun: Instant::now(),
            cpu_us: cpu_us(),
            written: of_proc("/proc/self/io", "write_bytes:"),
        }
    }

    fn tell(&self, what: &str, mut waits: Vec<u128>) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let count = waits.len() as f64;
        let cpu = (cpu_us() - self.cpu_us) as f64;
        let written = (of_proc("/proc/self/io", "write_bytes:") - self.written) as f64;
        waits.sort_unstable();
        let at = |part: f64| {
            waits[((count - 1.0) * part)
                .floor()
                .to_string()
                .parse::<usize>()
                .unwrap()] as f64
                / 1000.0
        };
        println!(
            "{what}: {:.0} events/s over {seconds:.1} s; waits in ms: p50 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.1}; {:.1} us of CPU and {:.0} bytes written an event",
            count / seconds,
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
            cpu / count,
            written / count,
        );
    }
}

/// What the process has used of the processors, threads and system calls included.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    // A tick is a hundredth of a second on every Linux that we build for.
    ticks * 10_000
}

fn of_proc(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}
