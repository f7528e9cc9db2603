//! Loaded runs: what a contestant takes for each request, and whether the run can be believed.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::contestant::Contestant;
use crate::process::{ended_children_s, load_tool, machine_s};

/// One run.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) each_second: f64,
    pub(crate) cpu_s_100k: f64,
    pub(crate) p99_us: f64,
    /// The share of a core that something else used meanwhile.
    pub(crate) foreign: f64,
}

/// Requests that are not measured here.
pub(crate) fn warm(case: &Case, one: &Contestant, connections: usize, time: Duration) {
    wrk(case, one, connections, time);
}

/// A run that nothing else disturbed, within a bounded number of trials.
pub(crate) fn undisturbed(
    case: &Case,
    (one, upstream): (&Contestant, &Contestant),
    connections: usize,
    time: Duration,
) -> Run {
    for _ in 0..TRIALS {
        let run = run(case, (one, upstream), connections, time);
        if run.foreign < FOREIGN_MAX {
            return run;
        }
        eprintln!(
            "{} {}: thrown out, {:.0} % of a core went elsewhere",
            case.name,
            one.name,
            run.foreign * 100.0
        );
        std::thread::sleep(Duration::from_secs(2));
    }
    panic!("the machine was never quiet: end what else runs on it");
}

fn run(
    case: &Case,
    (one, upstream): (&Contestant, &Contestant),
    connections: usize,
    time: Duration,
) -> Run {
    let begun = Instant::now();
    let before = (
        machine_s(),
        one.process.cpu_s(),
        upstream.process.cpu_s(),
        ended_children_s(),
    );
    let (requests, each_second, p99_us) = wrk(case, one, connections, time);
    let wall = begun.elapsed().as_secs_f64();
    let spent = one.process.cpu_s() - before.1;
    let known = spent + upstream.process.cpu_s() - before.2 + ended_children_s() - before.3;
    Run {
        name: one.name,
        each_second,
        cpu_s_100k: spent / requests * 100_000.0,
        p99_us,
        foreign: (machine_s() - before.0 - known) / wall,
    }
}

/// Requests, requests a second, and the 99th percentile of their time.
fn wrk(case: &Case, one: &Contestant, connections: usize, time: Duration) -> (f64, f64, f64) {
    let mut command = load_tool("wrk");
    command.args(["-t1", "--latency", "--timeout", "20s"]);
    let mut script = tempfile::NamedTempFile::new().unwrap();
    if let Some(body) = case.body() {
        let body = String::from_utf8(body).unwrap();
        writeln!(
            script,
            "wrk.method = \"POST\"\nwrk.body = [==[{body}]==]\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.headers[\"X-Api-Key\"] = \"k\""
        )
        .unwrap();
        command.arg("-s").arg(script.path());
    }
    command
        .arg(format!("-c{connections}"))
        .arg(format!("-d{}s", time.as_secs()));
    let output = command
        .arg(format!("http://127.0.0.1:{}{}", one.port, case.path))
        .output()
        .unwrap_or_else(|error| panic!("wrk cannot be run ({error}): apt-get install wrk"));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        !told.contains("Non-2xx") && !told.contains("Socket errors"),
        "{} failed requests of {}:\n{told}",
        one.name,
        case.name
    );
    let line = |what: &str, is_it: fn(&str, &str) -> bool| {
        let mut lines = told.lines().map(str::trim);
        lines
            .find(|line| is_it(line, what))
            .unwrap_or_else(|| panic!("wrk tells no `{what}`:\n{told}"))
    };
    let requests = line(" requests in ", |line, what| line.contains(what));
    let requests = requests.split(' ').next().unwrap().parse().unwrap();
    let each_second = line("Requests/sec:", |line, what| line.starts_with(what));
    let each_second = each_second.rsplit(' ').next().unwrap().parse().unwrap();
    let p99 = line("99%", |line, what| line.starts_with(what));
    (requests, each_second, us(p99.rsplit(' ').next().unwrap()))
}

/// `1.23ms` in microseconds.
fn us(text: &str) -> f64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().unwrap();
    match &text[digits.len()..] {
        "us" => number,
        "ms" => number * 1e3,
        "s" => number * 1e6,
        other => panic!("wrk tells a time in `{other}`"),
    }
}

const TRIALS: usize = 30;
/// More than that makes a run no measurement.
const FOREIGN_MAX: f64 = 0.10;
