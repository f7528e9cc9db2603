//! Pintle beside what people use instead: every contestant of a case runs at once, each on its own port
//! and all on one core; upstream and load generator have the other one. Repeats are interleaved.
//!
//! `cargo bench --bench peers [-- CASE…] [--repeats 5] [--seconds 5] [--connections 64,256]`. Needs
//! `nginx` (with Lua: `libnginx-mod-http-lua`, `lua-cjson`), `haproxy`, `wrk`, `openssl`, `strace` and two cores. The figure that survives a noisy machine is the CPU time
//! of the contestant for each request; it is quoted beside that of a peer in the same run.
//!
//! A run is thrown out, never averaged, when a contestant answered differently, failed a request, or
//! when something else used the machine meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench prints, reckons and may fail"
)]

mod bare;
mod case;
mod contestant;
mod held;
mod load;
mod lua;
mod pintle;
mod plot;
mod probe;
mod process;
mod servers;
mod table;
mod tls;

use std::time::Duration;

use crate::case::{CASES, Case};
use crate::contestant::Contestant;
use crate::load::Run;
use crate::probe::PROBES;

/// What was asked for.
struct Wish {
    cases: Vec<&'static Case>,
    probes: Vec<fn()>,
    repeats: usize,
    seconds: u64,
    connections: Vec<usize>,
    /// Files of Pintle that are compared with each other, instead of with peers.
    builds: Vec<String>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream", address] => servers::upstream(address),
        ["forwarder", listen, to] => servers::forward(listen, to),
        ["bare", listen, to] => bare::bare(listen, to),
        ["plot", from, to, ..] => plot::plot(from, to),
        // `cargo test --all-targets` runs benches too: there is nothing to find out then.
        words if words.contains(&"--bench") => compare(&Wish::read(words)),
        _ => {}
    }
}

impl Wish {
    fn read(words: &[&str]) -> Self {
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let number = |name: &str, default: u64| {
            after(name).map_or(default, |text| {
                text.parse()
                    .unwrap_or_else(|_| panic!("{name} takes a whole number, not `{text}`"))
            })
        };
        let named = CASES.iter().filter(|case| words.contains(&case.name));
        let mut cases: Vec<&Case> = named.collect();
        let named = PROBES.iter().filter(|(name, _)| words.contains(name));
        let mut probes: Vec<fn()> = named.map(|(_, probe)| *probe).collect();
        if cases.is_empty() && probes.is_empty() {
            cases = CASES.iter().collect();
            probes = PROBES.iter().map(|(_, probe)| *probe).collect();
        }
        Self {
            cases,
            probes,
            repeats: usize::try_from(number("--repeats", 5)).unwrap(),
            seconds: number("--seconds", 5),
            connections: after("--connections")
                .unwrap_or("64,256")
                .split(',')
                .map(|text| text.parse().unwrap())
                .collect(),
            builds: after("--builds")
                .into_iter()
                .flat_map(|files| files.split(','))
                .map(str::to_owned)
                .collect(),
        }
    }
}

fn compare(wish: &Wish) {
    process::pin_to_load_core();
    table::machine();
    for case in &wish.cases {
        let upstream = contestant::upstream();
        let contestants = if wish.builds.is_empty() {
            contestant::all(case, upstream.port)
        } else {
            contestant::builds(&wish.builds, case, upstream.port)
        };
        for one in &contestants {
            case.check(one, &upstream);
        }
        for connections in &wish.connections {
            let runs = interleaved(case, (&contestants, &upstream), *connections, wish);
            table::print(case, *connections, &runs);
        }
    }
    for probe in &wish.probes {
        probe();
    }
}

/// Every contestant gets one run before any gets its second; who begins changes each time.
fn interleaved(
    case: &Case,
    (contestants, upstream): (&[Contestant], &Contestant),
    connections: usize,
    wish: &Wish,
) -> Vec<Run> {
    let mut runs = Vec::new();
    for one in contestants {
        load::warm(case, one, connections, Duration::from_secs(1));
    }
    for repeat in 0..wish.repeats {
        let (behind, first) = contestants.split_at(repeat % contestants.len());
        for one in first.iter().chain(behind) {
            let seconds = Duration::from_secs(wish.seconds);
            let run = load::undisturbed(case, (one, upstream), connections, seconds);
            eprintln!(
                "{} {} {connections}: {:.2} CPU-s for 100,000, {:.0} a second",
                case.name, one.name, run.cpu_s_100k, run.each_second
            );
            runs.push(run);
            // Between two cases the answers must still be the same.
            case.check(one, upstream);
        }
    }
    runs
}
