//! How long requests take while each contestant has 60 % of what it could do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::case::{CASES, Case, Work};
use crate::contestant::{self, Contestant};
use crate::load;
use crate::process::load_tool;

/// The 99th percentile of each contestant at 60 % of its own top rate, 64 connections.
pub(crate) fn held() {
    println!("\n### p99: each at 60 % of its own top rate, 64 connections\n");
    println!("| | | a second | p99, µs (least to most) |\n|---|---|---|---|");
    for case in CASES.iter().filter(|case| case.work != Work::Beside) {
        let upstream = contestant::upstream();
        let mut all = contestant::all(case, upstream.port);
        all.retain(|one| !["forwarder", "bare"].contains(&one.name));
        let mut times: BTreeMap<&str, Vec<Held>> = BTreeMap::new();
        for repeat in 0..=REPEATS {
            for one in &all {
                let top = load::undisturbed(case, (one, &upstream), CONNECTIONS, TOP).each_second;
                let held = hold(case, one, top * SHARE);
                // The first of all finds caches and pools empty.
                if repeat > 0 {
                    times.entry(one.name).or_default().push(held);
                }
                case.check(one, &upstream);
            }
        }
        for (name, times) in &mut times {
            times.sort_by_key(|held| held.p99_us);
            let (middle, most) = (&times[times.len() / 2], &times[times.len() - 1]);
            println!(
                "| {} | {name} | {:.0} | {} ({} to {}) |",
                case.name, middle.each_second, middle.p99_us, times[0].p99_us, most.p99_us
            );
        }
    }
}

/// Requests at a rate.
struct Held {
    each_second: f64,
    p99_us: u64,
}

/// Sends at a rate for a while. A request that must wait for its connection counts from when it is sent: below
/// its top rate none should.
fn hold(case: &Case, one: &Contestant, each_second: f64) -> Held {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let mut command = load_tool("h2load");
    let connections = u32::try_from(CONNECTIONS).unwrap();
    command.args(["--h1", "-t1", "-c", &connections.to_string(), "-D"]);
    command.arg(HELD_S.to_string()).arg("--rps");
    command.arg(format!("{:.0}", each_second / f64::from(connections)));
    command.arg("--log-file").arg(&log);
    if let Some(body) = case.body() {
        let path = folder.path().join("body");
        std::fs::write(&path, body).unwrap();
        command.arg("-d").arg(path);
        command.args(["-H", "content-type: application/json", "-H", "x-api-key: k"]);
    }
    command.arg(format!("http://127.0.0.1:{}{}", one.port, case.path));
    let mut held = read(&log, &mut command);
    held.each_second /= f64::from(HELD_S);
    let reached = held.each_second / each_second;
    assert!(
        reached > 0.9,
        "{} at {}: {:.0} % of the rate were sent",
        one.name,
        case.name,
        reached * 100.0
    );
    held
}

/// Runs it, and reads from its log how many requests there were and how long they took.
fn read(log: &Path, command: &mut Command) -> Held {
    let output = command.output().unwrap_or_else(|error| {
        panic!("h2load cannot be run ({error}): apt-get install nghttp2-client")
    });
    let told = String::from_utf8_lossy(&output.stdout);
    let lines = std::fs::read_to_string(log).unwrap_or_else(|error| panic!("{error}:\n{told}"));
    // When it was sent, the status, and the microseconds to the end of the reply.
    let mut times: Vec<u64> = lines
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields[1], "200", "{line}:\n{told}");
            fields[2].parse().unwrap()
        })
        .collect();
    times.sort_unstable();
    Held {
        each_second: f64::from(u32::try_from(times.len()).unwrap()),
        p99_us: times[times.len() * 99 / 100],
    }
}

const CONNECTIONS: usize = 64;
const REPEATS: usize = 5;
/// The share of its top rate that each one gets.
const SHARE: f64 = 0.6;
const TOP: Duration = Duration::from_secs(1);
const HELD_S: u32 = 2;
