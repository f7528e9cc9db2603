//! How many instructions a call and a push take, each over its whole path, in the binary as it is
//! shipped: a count does not depend on what else the machine does.
//!
//! `cargo bench --bench instructions` counts and holds each count against `baseline.json`: more than
//! 3 % above it is a failure. `-- --write` stores the counts of now. Needs `valgrind`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench prints, reckons and may fail"
)]

mod gateway;
mod peer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

use crate::gateway::{Gateway, Listener};
use crate::peer::Connection;

/// One kind of message, sent again and again over one connection.
struct Case {
    name: &'static str,
    about: &'static str,
    to: Listener,
    request: Vec<u8>,
}

/// What was counted, and by what.
#[derive(Serialize, Deserialize)]
struct Baseline {
    rustc: String,
    valgrind: String,
    /// Instructions of one message, in user space.
    counts: BTreeMap<String, u64>,
    /// Pieces of memory that one message takes and gives back.
    allocations: BTreeMap<String, u64>,
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    let words: Vec<String> = std::env::args().collect();
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let upstream = peer::upstream();
    let mut now = Baseline {
        rustc: told("rustc", "--version"),
        valgrind: told("valgrind", "--version"),
        counts: BTreeMap::new(),
        allocations: BTreeMap::new(),
    };
    for case in cases() {
        let (count, allocations) = counted(&case, upstream);
        now.counts.insert(case.name.to_owned(), count);
        now.allocations.insert(case.name.to_owned(), allocations);
    }
    if words.iter().any(|word| word == "--write") {
        let text = serde_json::to_string_pretty(&now).unwrap() + "\n";
        std::fs::write(place(), text).unwrap();
        println!("written: {}", place().display());
        return ExitCode::SUCCESS;
    }
    held(&now)
}

fn cases() -> Vec<Case> {
    let lead = r#"{"id":"L-1","phone":"702-555-0177","first":"Morgan","last":"Sample","email":"m@example.com","state":"NV","amount":"$18,500.00"}"#;
    let plain = format!(r#"{{"note":"{}"}}"#, "x".repeat(1000));
    let big = format!(r#"{{"note":"{}"}}"#, "x".repeat(16 << 10));
    let case = |name, about, to, request| Case {
        name,
        about,
        to,
        request,
    };
    vec![
        case(
            "call",
            "GET, reply of 200 B",
            Listener::Local,
            peer::get("/s"),
        ),
        case(
            "post",
            "POST of 16 KiB, reply of 200 B",
            Listener::Local,
            peer::post("/s", "", &big),
        ),
        case(
            "kept",
            "GET, answered from the cache",
            Listener::Local,
            peer::get("/kept/s"),
        ),
        case(
            "sealed",
            "POST of 1 KiB, sealed; its reply opened",
            Listener::Local,
            peer::post("/sealed", "X-Pintle-Account: sealed\r\n", &plain),
        ),
        case(
            "lead",
            "push proved, mapped, stored, called, answered",
            Listener::Public,
            peer::post("/in/lead", "X-Api-Key: k\r\n", lead),
        ),
    ]
}

/// Instructions and allocations of one message.
fn counted(case: &Case, upstream: u16) -> (u64, u64) {
    let gateway = Gateway::start(upstream);
    let mut connection = Connection::open(gateway.port(case.to));
    for _ in 0..WARM {
        connection.ask(&case.request);
    }
    let (instructions, allocations) = gateway.counting(|| {
        for _ in 0..COUNTED {
            connection.ask(&case.request);
        }
    });
    (instructions / COUNTED, allocations / COUNTED)
}

/// Shows the counts beside the baseline.
fn held(now: &Baseline) -> ExitCode {
    let text = std::fs::read_to_string(place())
        .unwrap_or_else(|_| panic!("no baseline is stored: run it with `-- --write`"));
    let before: Baseline = serde_json::from_str(&text).unwrap();
    for (what, then, now) in [
        ("rustc", &before.rustc, &now.rustc),
        ("valgrind", &before.valgrind, &now.valgrind),
    ] {
        if then != now {
            println!("the baseline is of another {what}: {then}, not {now}");
        }
    }
    println!("| | instructions | baseline | allocations | |\n|---|---|---|---|---|");
    let mut are_held = true;
    for case in cases() {
        let (count, allocations) = (now.counts[case.name], now.allocations[case.name]);
        let Some(then) = before.counts.get(case.name) else {
            println!(
                "| {} | {count} | none | {allocations} | {} |",
                case.name, case.about
            );
            continue;
        };
        let is_held = count * 100 <= then * (100 + MORE_PERCENT);
        are_held &= is_held;
        let verdict = if is_held {
            ""
        } else {
            " **more than 3 % above**"
        };
        println!(
            "| {} | {count} | {then}{verdict} | {allocations} | {} |",
            case.name, case.about
        );
    }
    if are_held {
        ExitCode::SUCCESS
    } else {
        println!("\nmend it, or store the new counts with `-- --write` and say why in the commit");
        ExitCode::FAILURE
    }
}

fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/baseline.json")
}

fn told(command: &str, word: &str) -> String {
    let output = Command::new(command).arg(word).output();
    let output = output.unwrap_or_else(|error| panic!("{command} cannot be run: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

const WARM: u64 = 200;
const COUNTED: u64 = 1000;
const MORE_PERCENT: u64 = 3;
