//! The process is killed at any moment, over and over; what it had acknowledged is there, once.
//!
//! The process that is killed is this test binary itself, which runs [`child`] with a folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pintle::store::{
    Delivery, Enqueued, Event, Filter, Journal, Queue, Settlement, State, StoreFailure, UnixMs,
};

use crate::support::{NOW, copied, event, marked, open, options, reason, store};

const FOLDER: &str = "PINTLE_TEST_FOLDER";
const ROUND: &str = "PINTLE_TEST_ROUND";
const ROUNDS: i64 = 220;
/// A round's time is so far from the one before that all leases have run out.
const ROUND_MS: i64 = 1000;

/// What the killed process had told.
#[derive(Default)]
struct Told {
    stored: HashSet<String>,
    settled: HashMap<String, State>,
    /// What was about to be withdrawn.
    leaving: HashSet<String>,
}

impl Told {
    fn read(&mut self, text: &str) {
        // A line without an end was not told whole.
        for line in text
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
        {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["stored", id] => assert!(self.stored.insert(id.to_owned()), "{id} twice"),
                ["done", id] => assert!(self.settled.insert(id.to_owned(), State::Done).is_none()),
                ["buried", id] => {
                    assert!(self.settled.insert(id.to_owned(), State::Buried).is_none());
                }
                ["leaving", id] => {
                    self.leaving.insert(id.to_owned());
                }
                // What the test harness itself says.
                _ => {}
            }
        }
    }
}

#[test]
fn what_was_acknowledged_outlives_any_number_of_kills() {
    let folder = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut told = Told::default();
    let mut empty_rounds = 0;
    for round in 0..ROUNDS {
        let text = killed(folder.path(), round, &mut random);
        let before = told.stored.len();
        told.read(&text);
        empty_rounds += i64::from(told.stored.len() == before);
        if round % 55 == 54 {
            runtime().block_on(account(folder.path(), &told, round + 1));
        }
    }
    // In every other round it was waited for the first.
    assert!(told.stored.len() > 50 && empty_rounds < ROUNDS * 3 / 4);
    println!(
        "{} events acknowledged, {} settled, {empty_rounds} of {ROUNDS} rounds ended before the first",
        told.stored.len(),
        told.settled.len()
    );
}

/// Lets the child live for a while, at times no longer than its start takes; gives back what it said.
fn killed(folder: &Path, round: i64, random: &mut fastrand::Rng) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let awaited = ["", "open ", "stored ", "stored "][random.usize(..4)];
    while !text.contains(awaited) && said.read_line(&mut text).unwrap() > 0 {}
    std::thread::sleep(Duration::from_millis(random.u64(1..40)));
    child.kill().unwrap();
    child.wait().unwrap();
    said.read_to_string(&mut text).unwrap();
    text
}

/// Everything that was told is so, and nothing is there twice.
async fn account(folder: &Path, told: &Told, round: i64) {
    let journal = open(folder);
    let found = all(&journal).await;
    let mut by_event: BTreeMap<&str, &Delivery> = BTreeMap::new();
    for delivery in &found {
        let before = by_event.insert(&delivery.event, delivery);
        assert!(before.is_none(), "{} is there twice", delivery.event);
    }
    for id in &told.stored {
        let is_there = by_event.contains_key(id.as_str());
        assert!(is_there || told.leaving.contains(id), "{id} is lost");
    }
    for (id, state) in &told.settled {
        assert_eq!(by_event[id.as_str()].state, *state, "{id}");
    }
    for delivery in found.iter().take(200) {
        let body = journal.body(delivery.id).await.unwrap();
        assert_eq!(body, Some(event(&delivery.event, "crm").body));
    }
    let now_ms = NOW + round * ROUND_MS;
    let ids: Vec<String> = told.stored.iter().cloned().collect();
    for part in ids.chunks(1000) {
        let seen = journal.seen("leads", part, now_ms).await.unwrap();
        for (id, seen) in part.iter().zip(seen) {
            // A mark that is given back is given back in one act with what gives it up.
            let found = by_event.get(id.as_str()).map(|found| found.state);
            let is_given_up = matches!(found, None | Some(State::Buried));
            let wanted = !(is_given_up && of_round(id).marks[0].after_success);
            assert_eq!(seen, wanted, "{id} is {found:?}");
        }
    }
    let marked = ids.iter().filter(|id| !of_round(id).marks[0].after_success);
    let repeats = marked
        .take(2000)
        .map(|id| journal.enqueue(of_round(id), now_ms));
    for repeat in join_all(repeats).await {
        let is_repeat = matches!(repeat, Ok(Enqueued::Repeated { .. }));
        assert!(is_repeat, "{repeat:?}");
    }
    journal.close().await;
    sound(folder);
}

/// SQLite finds nothing wrong with the file, and nothing in one table lacks its other half.
pub(crate) fn sound(folder: &Path) {
    let file = rusqlite::Connection::open(folder.join("journal.sqlite")).unwrap();
    let check: String = file
        .query_row("PRAGMA integrity_check", (), |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let halves: i64 = file
        .query_row(
            "SELECT (SELECT count(*) FROM deliveries WHERE event NOT IN (SELECT event FROM bodies))
                  + (SELECT count(*) FROM bodies WHERE event NOT IN (SELECT event FROM deliveries))
                  + (SELECT count(*) FROM progress WHERE id NOT IN (SELECT id FROM deliveries))
                  + (SELECT count(*) FROM marks
                     WHERE event IS NOT NULL AND event NOT IN (SELECT event FROM bodies))",
            (),
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(halves, 0);
}

async fn all(journal: &Journal) -> Vec<Delivery> {
    let mut found: Vec<Delivery> = Vec::new();
    loop {
        let before = found.last().map(|last| last.id);
        let page = journal.list(&Filter::default(), before, 5000).await;
        let page = page.unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// An event as the child makes it; every other one must not take effect twice.
fn of_round(id: &str) -> Event {
    let mut event = marked(id, id);
    event.duties[0].is_once = id.len().is_multiple_of(2);
    event.duties[0].order = id.ends_with('7').then(|| "seven".to_owned());
    event.marks[0].until_ms = UnixMs::MAX;
    event.marks[0].after_success = id.ends_with(['1', '3', '5']);
    event
}

/// The process that is killed: stores, hands out and settles, and tells each of it when it is done.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's own variables, which no settings have"
)]
fn child() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else {
        // Run as a test among the others it has nothing to do.
        return;
    };
    let round: i64 = round.parse().unwrap();
    let journal = Arc::new(open(Path::new(&folder)));
    tell("open", "");
    let count = Arc::new(AtomicU64::new(0));
    let now_ms = NOW + round * ROUND_MS;
    runtime().block_on(async move {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (journal, count) = (Arc::clone(&journal), Arc::clone(&count));
            tasks.spawn(async move {
                loop {
                    let id = format!("r{round}n{}", count.fetch_add(1, Ordering::Relaxed));
                    let became = journal.enqueue(of_round(&id), now_ms).await;
                    assert_eq!(became, Ok(Enqueued::Stored { leased: vec![] }));
                    tell("stored", &id);
                }
            });
        }
        for _ in 0..2 {
            let journal = Arc::clone(&journal);
            tasks.spawn(async move {
                loop {
                    settle_some(&journal, now_ms).await;
                }
            });
        }
        tasks.join_all().await;
    });
}

async fn settle_some(journal: &Journal, now_ms: UnixMs) {
    let leases = journal.lease("crm", 16, now_ms + ROUND_MS, now_ms).await;
    for lease in leases.unwrap() {
        let reason = reason("status");
        let (word, how) = match fastrand::u8(..6) {
            0 => (
                "",
                Settlement::Retry {
                    due_ms: now_ms,
                    reason,
                    progress: Some(lease.event.clone().into()),
                },
            ),
            1 => (
                "buried",
                Settlement::Bury {
                    reason,
                    progress: Some(lease.event.clone().into()),
                },
            ),
            // Left to run out.
            2 => continue,
            3 if of_round(&lease.event).marks[0].after_success => {
                tell("leaving", &lease.event);
                ("", Settlement::Withdraw)
            }
            _ => ("done", Settlement::Done),
        };
        let settled = journal.settle(lease.id, lease.attempt, how, now_ms).await;
        assert_eq!(settled, Ok(true));
        tell(word, &lease.event);
    }
}

fn tell(what: &str, id: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {id}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn of_a_torn_log_a_whole_beginning_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    for n in 0..150 {
        store(&journal, marked(&format!("e{n}"), &format!("k{n}"))).await;
    }
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut shortest = 150;
    for _ in 0..40 {
        let copy = copied(folder.path());
        tear(&copy.path().join("journal.sqlite-wal"), &mut random);
        let torn = open(copy.path());
        let left = all(&torn).await;
        for (n, delivery) in left.iter().rev().enumerate() {
            assert_eq!(delivery.event, format!("e{n}"));
        }
        shortest = shortest.min(left.len());
        // Event and mark are there both or neither.
        for n in 0..150 {
            let became = torn.enqueue(marked("again", &format!("k{n}")), NOW).await;
            let is_there = matches!(became, Ok(Enqueued::Repeated { .. }));
            assert_eq!(
                is_there,
                n < left.len(),
                "{n} of {}: {became:?}",
                left.len()
            );
        }
        torn.close().await;
        sound(copy.path());
    }
    assert!(shortest < 150, "nothing was torn");
    journal.close().await;
}

/// Cuts the end of a file off, or changes some bytes near it, as a failing disk would.
fn tear(file: &Path, random: &mut fastrand::Rng) {
    let mut bytes = std::fs::read(file).unwrap();
    let from = random.usize(bytes.len() / 4..bytes.len());
    if random.bool() {
        bytes.truncate(from);
    } else {
        let end = bytes.len().min(from + random.usize(1..5000));
        for byte in &mut bytes[from..end] {
            *byte ^= random.u8(1..);
        }
    }
    std::fs::write(file, bytes).unwrap();
}

/// The process that has no room: the limit is on the size of its files, which needs no rights.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's own variable, which no settings have"
)]
async fn cramped() {
    let Ok(folder) = std::env::var("PINTLE_TEST_CRAMPED") else {
        // Run as a test among the others it has nothing to do.
        return;
    };
    let journal = Journal::open(&options(Path::new(&folder))).unwrap();
    let large = |n: u32| {
        let mut large = marked(&format!("e{n}"), &format!("k{n}"));
        large.body = vec![b'x'; 20_000].into();
        large
    };
    limit("3000000");
    let (mut n, mut failures) = (0, 0);
    while failures < 20 {
        match journal.enqueue(large(n), NOW).await {
            Ok(became) => {
                assert_eq!(became, Enqueued::Stored { leased: vec![] });
                tell("stored", &format!("e{n}"));
            }
            Err(StoreFailure::Unwritable { .. }) => failures += 1,
            Err(other) => panic!("{other:?}"),
        }
        n += 1;
    }
    assert!(n > 50, "there was room for some: {n}");
    let probe = journal.probe().await;
    let known = journal.enqueue(large(0), NOW).await;
    // What is there can be looked at, and is known as a repeat, room or no room.
    assert!(journal.count(&Filter::default()).await.unwrap() > 50);
    assert!(
        matches!(known, Ok(Enqueued::Repeated { .. })),
        "{known:?}, {probe:?}"
    );
    limit("unlimited");
    for more in n..n + 50 {
        assert_eq!(
            journal.enqueue(large(more), NOW).await,
            Ok(Enqueued::Stored { leased: vec![] })
        );
        tell("stored", &format!("e{more}"));
    }
    assert_eq!(journal.probe().await, Ok(()));
    tell("end", "");
}

/// Sets this process's own limit on the size of files, which only the soft one is, and can be undone.
fn limit(bytes: &str) {
    let limited = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string()])
        .arg(format!("--fsize={bytes}:"))
        .status()
        .expect("prlimit is needed: apt-get install util-linux");
    assert!(limited.success(), "{limited}");
}

#[test]
fn without_room_nothing_acknowledged_is_lost_and_with_room_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // Ignoring the signal lets the limit show as an error of writing.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "crash::cramped", "--nocapture"])
        .env("PINTLE_TEST_CRAMPED", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("end"),
        "{output:?}"
    );
    let mut told = Told::default();
    told.read(&said);
    runtime().block_on(async {
        let journal = open(folder.path());
        let found = all(&journal).await;
        let mut events: Vec<&str> = found.iter().map(|one| one.event.as_str()).collect();
        events.sort_unstable();
        let whole = events.len();
        events.dedup();
        assert_eq!(events.len(), whole, "something is there twice");
        for id in &told.stored {
            assert!(events.binary_search(&id.as_str()).is_ok(), "{id} is lost");
        }
        journal.close().await;
    });
    sound(folder.path());
}
