//! `pintle test`: the examples of the routes, played on the engine that production runs.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::print;
use crate::config::{self, Signature};
use crate::rehearsal::{Difference, NotStaged, Script, Setting, Stage, differences, read_scripts};
use crate::route::{Catalogue, Flow};
use crate::yaml::Faults;

/// The options of `pintle test`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TestArguments {
    /// The routes to test [default: all that have examples]
    #[arg(value_name = "ROUTE")]
    routes: Vec<String>,
    /// The folder of the routes [default: those built into the binary]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The folder of the policies [default: those built into the binary]
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Write a report in the XML of `JUnit`
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Fail where fewer lines of a route are used by its examples, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    cover_min: Option<u8>,
    /// One JSON document instead of text for people
    #[arg(long)]
    json: bool,
    /// Test again whenever a file changes
    #[arg(long, requires = "folder", conflicts_with = "json")]
    watch: bool,
}

/// How one example went.
struct Outcome {
    route: String,
    example: String,
    took: Duration,
    /// What was not as expected, by turn.
    wrong: Vec<(usize, Difference)>,
    /// Why it could not be played to its end.
    broken: Option<String>,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.broken.is_none()
    }
}

/// How much of a route its examples use.
struct Cover {
    route: String,
    used: usize,
    lines: Vec<usize>,
    unused: Vec<usize>,
}

impl Cover {
    fn percent(&self) -> usize {
        (self.used * 100)
            .checked_div(self.lines.len())
            .unwrap_or(100)
    }
}

pub(super) async fn run(arguments: TestArguments) -> ExitCode {
    loop {
        let seen = arguments
            .folder
            .as_ref()
            .map(|folder| Signature::of_folder(folder));
        let status = once(&arguments).await;
        let (true, Some(mut seen), Some(folder)) = (arguments.watch, seen, &arguments.folder)
        else {
            return status;
        };
        print::line("waiting for a change; end with Ctrl-C");
        loop {
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                _ = tokio::signal::ctrl_c() => return status,
            }
            let now = Signature::of_folder(folder);
            if now != seen {
                seen = now;
                break;
            }
        }
        drop(seen);
    }
}

async fn once(arguments: &TestArguments) -> ExitCode {
    let catalogue = match catalogue(arguments) {
        Ok(catalogue) => catalogue,
        Err(status) => return status,
    };
    let flows: Vec<&Flow> = catalogue
        .flows()
        .iter()
        .map(AsRef::as_ref)
        .filter(|flow| arguments.routes.is_empty() || arguments.routes.contains(&flow.name))
        .collect();
    for wanted in &arguments.routes {
        if !flows.iter().any(|flow| flow.name == *wanted) {
            let names = catalogue.flows().iter().map(|flow| flow.name.as_str());
            print::error(&format!(
                "no route is called `{wanted}`: {}",
                crate::yaml::meant(wanted, names)
            ));
            return ExitCode::FAILURE;
        }
    }
    let mut outcomes = Vec::new();
    let mut covers = Vec::new();
    for flow in flows {
        let faults = Faults::new();
        let scripts = read_scripts(flow, &faults);
        let faults = faults.into_sorted();
        if !faults.is_empty() {
            print::faults(&faults, print::colour_on_stderr());
            return ExitCode::FAILURE;
        }
        if scripts.is_empty() {
            continue;
        }
        let mut used = std::collections::BTreeSet::new();
        for script in &scripts {
            let (outcome, lines) = play(flow, script, arguments).await;
            used.extend(lines);
            outcomes.push(outcome);
        }
        covers.push(cover(flow, &used));
    }
    report::tell(&outcomes, &covers, arguments)
}

fn catalogue(arguments: &TestArguments) -> Result<Catalogue, ExitCode> {
    let faults = Faults::new();
    let policies = config::policies(arguments.policies.as_deref());
    let catalogue = config::catalogue(arguments.folder.as_deref(), &policies, &faults);
    let is_faulty = faults.any_error();
    let faults = faults.into_sorted();
    if is_faulty {
        print::faults(&faults, print::colour_on_stderr());
        return Err(ExitCode::FAILURE);
    }
    Ok(catalogue)
}

/// Plays one example, and tells which lines of the route it used.
async fn play(flow: &Flow, script: &Script, arguments: &TestArguments) -> (Outcome, Vec<usize>) {
    let started = Instant::now();
    let mut outcome = Outcome {
        route: flow.name.clone(),
        example: script.name.clone(),
        took: Duration::ZERO,
        wrong: Vec::new(),
        broken: None,
    };
    let setting = Setting {
        routes: arguments.folder.clone(),
        policies: arguments.policies.clone(),
        run: script.run.clone(),
        url: script.url.clone(),
        now_ms: script
            .turns
            .first()
            .and_then(|turn| turn.now_ms)
            .unwrap_or(NOW_MS),
    };
    let stage = match Stage::start(&setting).await {
        Ok(stage) => stage,
        Err(why) => {
            outcome.broken = Some(told(&why));
            return (outcome, Vec::new());
        }
    };
    for (at, turn) in script.turns.iter().enumerate() {
        match stage.play(turn).await {
            Ok(played) => {
                let found = differences(&turn.expected, &played);
                outcome
                    .wrong
                    .extend(found.into_iter().map(|found| (at, found)));
            }
            Err(why) => {
                outcome.broken = Some(why);
                break;
            }
        }
    }
    let lines = stage.used_lines(&flow.name);
    stage.end().await;
    outcome.took = started.elapsed();
    (outcome, lines)
}

fn told(why: &NotStaged) -> String {
    match why {
        NotStaged::Machine(what) => what.clone(),
        NotStaged::Faults(faults) => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            lines.join("; ")
        }
    }
}

fn cover(flow: &Flow, used: &std::collections::BTreeSet<usize>) -> Cover {
    let mut lines: Vec<usize> = flow.lines().into_iter().map(|(line, _)| line).collect();
    lines.sort_unstable();
    lines.dedup();
    let unused: Vec<usize> = lines
        .iter()
        .copied()
        .filter(|line| !used.contains(line))
        .collect();
    Cover {
        route: flow.name.clone(),
        used: lines.len() - unused.len(),
        lines,
        unused,
    }
}

/// The clock of examples that say nothing of it: 2026-01-01T12:00:00Z.
const NOW_MS: i64 = 1_767_268_800_000;
const LOOK_EVERY: Duration = Duration::from_millis(200);
