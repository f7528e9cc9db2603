//! `pintle check`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{CheckArguments, ConfigArgument, print};
use crate::config::{self, Config, Loaded};
use crate::route::Flow;
use crate::yaml::{Fault, Severity};

pub(super) fn run(arguments: &CheckArguments) -> ExitCode {
    let Loaded {
        config,
        faults,
        files,
    } = config::load(arguments.config.path().as_deref());
    if arguments.json {
        let list: Vec<Value> = faults.iter().map(as_json).collect();
        let document = json!({ "usable": config.is_some(), "faults": list });
        print::line(&format!("{document:#}"));
    } else {
        print::faults(&faults, print::colour_on_stderr());
        if let Some(config) = &config {
            print::line(&summary(config, &arguments.config, files.len()));
            for line in costs(config) {
                print::line(&line);
            }
        }
    }
    if config.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Loads the settings and prints every fault and warning; the status to end with where they cannot
/// be used.
pub(super) fn load_aloud(argument: &ConfigArgument) -> Result<Config, ExitCode> {
    let Loaded { config, faults, .. } = config::load(argument.path().as_deref());
    if config.is_some() {
        print::faults(&faults, print::colour_on_stderr());
    }
    usable(config, &faults, argument)
}

/// The same for whoever only looks something up: without warnings.
pub(super) fn load(argument: &ConfigArgument) -> Result<Config, ExitCode> {
    let Loaded { config, faults, .. } = config::load(argument.path().as_deref());
    usable(config, &faults, argument)
}

/// Settings that a command writes itself, as a person would, into a folder.
pub(super) fn load_written(folder: &Path, settings: &str) -> Result<Config, String> {
    let path = folder.join("pintle.yaml");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, settings))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let loaded = config::load(Some(&path));
    loaded
        .config
        .ok_or_else(|| "the settings that were written for it are faulty".to_owned())
}

fn usable(
    config: Option<Config>,
    faults: &[Fault],
    argument: &ConfigArgument,
) -> Result<Config, ExitCode> {
    config.ok_or_else(|| {
        print::faults(faults, print::colour_on_stderr());
        print::error(&format!(
            "{} cannot be used: nothing was started",
            argument.described()
        ));
        ExitCode::FAILURE
    })
}

fn summary(config: &Config, argument: &ConfigArgument, files: usize) -> String {
    format!(
        "{}: good ({}, {}, {} operations and callbacks)",
        argument.described(),
        print::count(files, "file"),
        print::count(config.accounts.len(), "account"),
        config.catalogue.entries().len(),
    )
}

/// What a push of each route that runs costs at most.
fn costs(config: &Config) -> Vec<String> {
    let running = config.inbound.iter().flat_map(|inbound| &inbound.flows);
    let cost = |flow: &Flow| format!("  {}: at most {}", flow.name, flow.cost());
    running.map(|options| cost(&options.running.flow)).collect()
}

fn as_json(fault: &Fault) -> Value {
    let position = fault.position();
    json!({
        "severity": match fault.level() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": fault.to_string(),
        "help": fault.help_text(),
        "file": position.map(|(file, ..)| file),
        "line": position.map(|(_, line, _)| line),
        "column": position.map(|(.., column)| column),
    })
}
