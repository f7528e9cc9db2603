//! The results, as Markdown.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::load::Run;

/// What was measured, on what.
pub(crate) fn machine() {
    let told = |command: &str, words: &[&str]| {
        let output = std::process::Command::new(command).args(words).output();
        output.map_or_else(
            |error| format!("{command}: {error}"),
            |output| {
                let all = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&all).into_owned();
                text.lines().next().unwrap_or_default().to_owned()
            },
        )
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find(|line| line.starts_with("model name"));
    println!("{}", cpu.unwrap_or("model name: unknown"));
    for (command, words) in [
        ("nginx", &["-v"][..]),
        ("haproxy", &["-v"]),
        ("wrk", &["-v"]),
        (env!("CARGO_BIN_EXE_pintle"), &["--version"]),
        ("uname", &["-r"]),
    ] {
        println!("{}", told(command, words));
    }
}

pub(crate) fn print(case: &Case, connections: usize, runs: &[Run]) {
    println!(
        "\n### {}: {}, {connections} connections\n",
        case.name, case.about
    );
    println!("| | CPU-s for 100,000 (least to most) | a second | p99 | elsewhere |");
    println!("|---|---|---|---|---|");
    let mut by_name: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        by_name.entry(run.name).or_default().push(run);
    }
    let cost = |name: &str| {
        by_name
            .get(name)
            .map(|runs| middle(runs, |run| run.cpu_s_100k))
    };
    for (name, runs) in &by_name {
        let costs = runs.iter().map(|run| run.cpu_s_100k);
        println!(
            "| {name} | {:.2} ({:.2} to {:.2}) | {:.0} | {:.0} µs | {:.0} % |",
            middle(runs, |run| run.cpu_s_100k),
            costs.clone().fold(f64::MAX, f64::min),
            costs.fold(0.0, f64::max),
            middle(runs, |run| run.each_second),
            middle(runs, |run| run.p99_us),
            middle(runs, |run| run.foreign) * 100.0,
        );
    }
    println!();
    for (peer, most) in case.goals {
        let (Some(own), Some(other)) = (cost("pintle"), cost(peer)) else {
            continue;
        };
        let ratio = own / other;
        let held = if ratio <= *most { "held" } else { "not held" };
        println!("- {ratio:.2} × {peer}; goal {most}: {held}");
    }
}

/// The median.
fn middle(runs: &[&Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(|run| of(run)).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}
