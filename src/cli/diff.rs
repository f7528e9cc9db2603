//! `pintle diff`: what a changed route would have made of recorded pushes, field by field.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::print;
use crate::config;
use crate::mapping::Document;
use crate::mapping::function::Moment;
use crate::rehearsal::difference_of;
use crate::route::flow::outline::outline;
use crate::route::flow::plan::Planner;
use crate::route::{Catalogue, Flow};
use crate::yaml::Faults;

/// The options of `pintle diff`.
#[derive(Debug, clap::Args)]
pub(super) struct DiffArguments {
    /// The recorded pushes, as `pintle export recordings` writes them
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The folder of the routes as they are
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The folder of the routes as they would be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// A field that does not count, such as `vars.received`; may be given several times
    #[arg(long, value_name = "FIELD")]
    ignore: Vec<String>,
    /// How many samples of each field are shown
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    samples: usize,
    /// One JSON document instead of text for people
    #[arg(long)]
    json: bool,
}

/// A field of a route that changed.
#[derive(Default)]
struct Changed {
    count: usize,
    samples: Vec<(String, String)>,
}

/// What was found: changes by route and field, and how many pushes of each route were looked at.
#[derive(Default)]
struct Found {
    changed: BTreeMap<(String, String), Changed>,
    pushes: BTreeMap<String, usize>,
    /// Pushes of routes that one of the folders does not have.
    missing: BTreeMap<String, usize>,
}

pub(super) fn run(arguments: &DiffArguments) -> ExitCode {
    let catalogues = [&arguments.old, &arguments.new].map(|folder| read(folder));
    let [Ok(old), Ok(new)] = catalogues else {
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(&arguments.from) {
        Ok(text) => text,
        Err(error) => {
            print::error(&format!(
                "cannot read {}: {error}",
                arguments.from.display()
            ));
            return ExitCode::from(2);
        }
    };
    let mut found = Found::default();
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let Ok(push) = serde_json::from_str::<Value>(line) else {
            let file = arguments.from.display();
            print::error(&format!("{file}:{}: this line is no recorded push", at + 1));
            return ExitCode::from(2);
        };
        look(&push, (&old, &new), arguments, &mut found);
    }
    tell(&found, arguments);
    if found.changed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn read(folder: &Path) -> Result<Catalogue, ()> {
    let faults = Faults::new();
    let catalogue = config::catalogue(Some(folder), &config::policies(None), &faults);
    let is_faulty = faults.any_error();
    if is_faulty {
        print::faults(&faults.into_sorted(), print::colour_on_stderr());
        return Err(());
    }
    Ok(catalogue)
}

/// Makes one push of both versions, and notes where they differ.
fn look(
    push: &Value,
    (old, new): (&Catalogue, &Catalogue),
    arguments: &DiffArguments,
    found: &mut Found,
) {
    let name = push
        .get("route")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let flow = |catalogue: &Catalogue| {
        let mut flows = catalogue.flows().iter();
        flows.find(|flow| flow.name == name).cloned()
    };
    let (Some(before), Some(after)) = (flow(old), flow(new)) else {
        *found.missing.entry(name.to_owned()).or_default() += 1;
        return;
    };
    *found.pushes.entry(name.to_owned()).or_default() += 1;
    let (before, after) = (made(&before, push), made(&after, push));
    for difference in difference_of(&before, &after) {
        let field = general(&difference.at);
        if arguments
            .ignore
            .iter()
            .any(|ignored| field.starts_with(ignored.as_str()))
        {
            continue;
        }
        let changed = found.changed.entry((name.to_owned(), field)).or_default();
        changed.count += 1;
        if changed.samples.len() < arguments.samples {
            let side = |side: Option<String>| side.unwrap_or_else(|| "nothing".to_owned());
            changed
                .samples
                .push((side(difference.expected), side(difference.seen)));
        }
    }
}

/// What a version of a route makes of a recorded push.
fn made(flow: &Arc<Flow>, push: &Value) -> Value {
    let mut document = Document::default();
    let settings = flow.settings.iter().map(|(name, default)| {
        let given = push.get("settings").and_then(|settings| settings.get(name));
        let value = given.cloned().or_else(|| default.clone());
        (
            name.clone(),
            value.unwrap_or_else(|| Value::from(format!("[{name}]"))),
        )
    });
    document.share("settings", &Arc::new(Value::Object(settings.collect())));
    let secrets = flow.secrets.iter();
    let secrets = secrets.map(|name| (name.clone(), Value::from("[secret]")));
    document.share("secrets", &Arc::new(Value::Object(secrets.collect())));
    if let Some(recorded) = push.get("document") {
        document.restore(recorded.clone());
    }
    let moment = push
        .get("received_ms")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let moment = Moment::at_ms(moment);
    let planner = Planner {
        flow,
        moment: &moment,
        seen: &std::collections::BTreeSet::new(),
    };
    outline(&planner, &mut document)
}

/// A field without the places in lists, so that the same field of all items counts as one.
fn general(at: &str) -> String {
    let mut general = String::with_capacity(at.len());
    let mut is_place = false;
    for c in at.trim_start_matches('.').chars() {
        match c {
            '[' => {
                is_place = true;
                general.push_str("[*");
            }
            ']' => {
                is_place = false;
                general.push(']');
            }
            _ if is_place => {}
            c => general.push(c),
        }
    }
    general
}

fn tell(found: &Found, arguments: &DiffArguments) {
    if arguments.json {
        let changed: Vec<Value> = found
            .changed
            .iter()
            .map(|((route, field), changed)| {
                let samples: Vec<Value> = changed
                    .samples
                    .iter()
                    .map(|(old, new)| json!({ "old": old, "new": new }))
                    .collect();
                json!({ "route": route, "field": field, "pushes": changed.count, "samples": samples })
            })
            .collect();
        let told = json!({ "pushes": found.pushes, "missing": found.missing, "changed": changed });
        print::line(&format!("{told:#}"));
        return;
    }
    for ((route, field), changed) in &found.changed {
        let of = found.pushes.get(route).copied().unwrap_or_default();
        print::line(&format!(
            "{route}: {field} differs in {} of {of}",
            changed.count
        ));
        for (old, new) in &changed.samples {
            print::line(&format!("  old  {old}\n  new  {new}"));
        }
    }
    for (route, count) in &found.missing {
        print::line(&format!(
            "{route}: {} of a route that one of the folders does not have",
            print::count(*count, "push")
        ));
    }
    let total: usize = found.pushes.values().sum();
    print::line(&format!(
        "{} looked at, {} changed",
        print::count(total, "push"),
        print::count(found.changed.len(), "field")
    ));
}
