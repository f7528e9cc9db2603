//! What is not a matter of load: idle connections, the start, connections used again, system calls.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::case::CASES;
use crate::contestant::{self, Contestant};
use crate::load;
use crate::process::{Process, fetch, free_port};
use crate::{held, pintle, tls};

/// The probes by name.
pub(crate) const PROBES: [(&str, fn()); 7] = [
    ("idle", idle),
    ("start", start),
    ("reuse", reuse),
    ("syscalls", syscalls),
    ("cores", cores),
    ("tls", tls::tls),
    ("p99", held::held),
];

/// Memory of connections that have made one request and are kept, a while after it.
fn idle() {
    let upstream = contestant::upstream();
    println!("\n### idle: memory of {IDLE} kept connections\n\n| | KiB each |\n|---|---|");
    for one in contestant::all(&CASES[0], upstream.port) {
        if ["forwarder", "bare"].contains(&one.name) {
            continue;
        }
        fetch(one.port, CASES[0].path, None);
        let before = one.process.memory_kib();
        let held: Vec<TcpStream> = (0..IDLE).map(|_| asked(&one)).collect();
        std::thread::sleep(SETTLE);
        let each = (one.process.memory_kib() - before) / f64::from(IDLE);
        println!("| {} | {each:.1} |", one.name);
        drop(held);
    }
    println!("\ngoal: 8 KiB");
}

/// A connection on which one request was answered.
fn asked(one: &Contestant) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", one.port)).unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", CASES[0].path);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while answer.len() < CASES[0].came || !answer.windows(4).any(|part| part == b"\r\n\r\n") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{} closes", one.name);
        answer.extend_from_slice(&piece[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", one.name);
    stream
}

/// What a request takes on one core, and on both, of which load and upstream have one too.
fn cores() {
    let (upstream, case) = (contestant::upstream(), &CASES[0]);
    println!("\n### cores: {}, 64 connections\n", case.about);
    println!("| | CPU-s for 100,000 | a second |\n|---|---|---|");
    for (cores, begin) in WAYS {
        let (port, folder) = (free_port(), TempDir::new().unwrap());
        let settings = pintle::with_routes(folder.path(), (upstream.port, port, free_port()), 1);
        let process = begin(&pintle::words(&settings), folder.path());
        let one = contestant::started("pintle", port, process, folder);
        load::warm(case, &one, 64, WARM);
        let mut runs: Vec<load::Run> = (0..5)
            .map(|_| load::undisturbed(case, (&one, &upstream), 64, 2 * WARM))
            .collect();
        runs.sort_by(|one, two| one.cpu_s_100k.total_cmp(&two.cpu_s_100k));
        let run = &runs[2];
        println!(
            "| {cores} | {:.2} | {:.0} |",
            run.cpu_s_100k, run.each_second
        );
    }
}

/// From the start of the process to the first answer, with 200 routes.
fn start() {
    let upstream = contestant::upstream();
    println!("\n### start: process begun to ready, 200 routes\n");
    for (cores, begin) in WAYS {
        let starts = (0..STARTS).map(|_| started(upstream.port, begin));
        let mut times: Vec<Duration> = starts.collect();
        times.sort_unstable();
        println!(
            "- {cores}, {STARTS} starts: {:.0} ms (least {:.0}, most {:.0}); goal: 50 ms",
            millis(times[STARTS / 2]),
            millis(times[0]),
            millis(times[STARTS - 1]),
        );
    }
}

type Begin = fn(&[&str], &Path) -> Process;

const WAYS: [(&str, Begin); 2] = [
    ("one core", Process::on_own_core),
    ("both cores", Process::on_both_cores),
];

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn started(upstream: u16, begin: Begin) -> Duration {
    let folder = TempDir::new().unwrap();
    let admin = free_port();
    let settings = pintle::with_routes(folder.path(), (upstream, free_port(), admin), 200);
    let begun = Instant::now();
    let _process = begin(&pintle::words(&settings), folder.path());
    loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never starts");
        if is_ready(admin) {
            return begun.elapsed();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn is_ready(admin: u16) -> bool {
    TcpStream::connect(("127.0.0.1", admin)).is_ok() && fetch(admin, "/readyz", None).0 == 200
}

/// Requests for which no connection to the upstream had to be opened.
fn reuse() {
    let upstream = contestant::upstream();
    let count = |path| {
        let told = fetch(upstream.port, path, None).1;
        String::from_utf8(told).unwrap().parse::<f64>().unwrap()
    };
    println!(
        "\n### reuse: calls on a connection that was there, 64 connections\n\n| | % |\n|---|---|"
    );
    for one in contestant::all(&CASES[0], upstream.port) {
        // The connections of the beginning are opened here.
        load::warm(&CASES[0], &one, 64, WARM);
        let before = (count("/count"), count("/connections"));
        load::warm(&CASES[0], &one, 64, WARM);
        // Asking opens connections too: one for the count of requests, and one for this.
        let opened = count("/connections") - before.1 - 1.0;
        let requests = count("/count") - before.0;
        println!(
            "| {} | {:.3} |",
            one.name,
            100.0 * (1.0 - opened / requests)
        );
    }
    println!("\ngoal: 99.9 %");
}

/// System calls of a contestant for each request, under load.
fn syscalls() {
    let upstream = contestant::upstream();
    let count = || {
        let told = fetch(upstream.port, "/count", None).1;
        String::from_utf8(told).unwrap().parse::<f64>().unwrap()
    };
    println!(
        "\n### syscalls: for each request, 64 connections\n\n| | calls | most of them |\n|---|---|---|"
    );
    for one in contestant::all(&CASES[0], upstream.port) {
        let pid = one.process.busiest().to_string();
        let strace = Command::new("strace")
            .args(["-c", "-f", "-p", &pid])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("strace cannot be run ({error}): apt-get install strace")
            });
        std::thread::sleep(Duration::from_millis(500));
        let before = count();
        load::warm(&CASES[0], &one, 64, TRACED);
        let requests = count() - before;
        let traced = strace.id().to_string();
        drop(Command::new("kill").args(["-s", "INT", &traced]).status());
        let told = strace.wait_with_output().unwrap().stderr;
        let told = String::from_utf8_lossy(&told);
        // `% time, seconds, usecs/call, calls, errors, syscall`; errors may be left out.
        let mut calls: Vec<(f64, &str)> = told
            .lines()
            .filter_map(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let count = fields.get(3)?.parse().ok()?;
                Some((count, *fields.last()?))
            })
            .filter(|(_, name)| *name != "total")
            .collect();
        calls.sort_by(|one, two| two.0.total_cmp(&one.0));
        let all: f64 = calls.iter().map(|(count, _)| count).sum();
        let most: Vec<String> = calls
            .iter()
            .take(4)
            .map(|(count, name)| format!("{name} {:.2}", count / requests))
            .collect();
        println!(
            "| {} | {:.2} | {} |",
            one.name,
            all / requests,
            most.join(", ")
        );
    }
}

const IDLE: u16 = 9_000;
const STARTS: usize = 9;
/// Time to give memory back.
const SETTLE: Duration = Duration::from_secs(4);
const WARM: Duration = Duration::from_secs(1);
/// Under strace little is done in a second, and each connection is made once.
const TRACED: Duration = Duration::from_secs(8);
