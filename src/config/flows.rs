//! Which routes run, and what the settings give each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::account::entries;
use super::inbound::{RETRY, read_retry, read_several};
use super::secret::Secrets;
use crate::delivery::Retry;
use crate::route::flow::Action;
use crate::route::{Catalogue, Effect, Flow};
use crate::runner::Running;
use crate::secret::Secret;
use crate::yaml::{Fault, Faults, Fields, Node, nearest};

/// A route that runs.
pub struct FlowOptions {
    /// The route, with what it is given.
    pub running: Arc<Running>,
    /// How often its steps are tried.
    pub retry: Retry,
    /// Pushes that are worked on at once.
    pub attempts_max: usize,
}

impl std::fmt::Debug for FlowOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowOptions")
            .field("route", &self.running.flow.name)
            .finish_non_exhaustive()
    }
}

/// Reads `run`: the name of a route, and what it is given.
pub(super) fn read(
    node: &Node,
    catalogue: &Catalogue,
    secrets: &mut Secrets<'_>,
) -> Vec<FlowOptions> {
    let faults = secrets.faults;
    let mut all = Vec::new();
    for (key, value) in entries(node, faults) {
        let name = key.text().unwrap_or_default();
        let Some(flow) = catalogue.flows().iter().find(|flow| flow.name == name) else {
            let names = catalogue.flows().iter().map(|flow| flow.name.as_str());
            let help = nearest(name, names).map_or_else(
                || "`pintle routes` lists the names".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            faults.push(
                Fault::at(key, format!("no route is called `{name}`"))
                    .label("not known")
                    .help(help),
            );
            continue;
        };
        warn_of_paths(key, flow, catalogue, faults);
        all.extend(read_one(value, flow, catalogue, secrets));
    }
    all
}

/// A route that is only there does no harm; one that runs fails at what has no path.
fn warn_of_paths(key: &Node, flow: &Flow, catalogue: &Catalogue, faults: &Faults) {
    let mut told = BTreeSet::new();
    for step in flow.all_steps() {
        let Action::Call { operation, .. } = &step.action else {
            continue;
        };
        let entry = catalogue
            .entry(operation)
            .filter(|entry| entry.path.is_none());
        if let Some(entry) = entry.filter(|entry| told.insert(entry.name.as_str())) {
            faults.push(
                Fault::at(
                    key,
                    format!(
                        "the route `{}` calls `{operation}`, whose path is not known",
                        flow.name
                    ),
                )
                .label("fails when it comes to that step")
                .help(format!(
                    "fill the path in at {}, or do not run the route",
                    entry.line
                ))
                .warning(),
            );
        }
    }
}

fn read_one(
    node: &Node,
    flow: &Arc<Flow>,
    catalogue: &Catalogue,
    secrets: &mut Secrets<'_>,
) -> Option<FlowOptions> {
    let faults = secrets.faults;
    let mut fields = Fields::open_or_empty(Some(node), faults);
    let given = fields.node("settings");
    let secret = fields.node("secrets");
    let retry = fields
        .node("retry")
        .map_or(RETRY, |node| read_retry(node, faults));
    let attempts_max = fields.or("attempts_max", 8);
    fields.finish();
    let settings = read_settings((node, given), flow, secrets);
    let signing = read_flow_secrets((node, secret), flow, secrets)?;
    let is_once = flow.is_once(|operation| {
        let entry = catalogue.entry(operation);
        entry.is_some_and(|entry| entry.effect == Effect::Once)
    });
    let sent = signing.iter().filter_map(|(name, secrets)| {
        let first = secrets.first()?;
        Some((name.clone(), Json::from(first.expose())))
    });
    Some(FlowOptions {
        running: Arc::new(Running {
            flow: Arc::clone(flow),
            settings: Arc::new(settings?),
            secrets: Arc::new(Json::Object(sent.collect())),
            signing,
            is_once,
        }),
        retry,
        attempts_max,
    })
}

fn read_settings(
    (node, given): (&Node, Option<&Node>),
    flow: &Flow,
    secrets: &Secrets<'_>,
) -> Option<Json> {
    let mut settings = Map::new();
    let mut is_whole = true;
    for (name, default) in &flow.settings {
        let written = given.and_then(|node| node.child(name)).map(Node::to_json);
        let written = written.filter(|value| !value.is_null());
        if let Some(value) = written.or_else(|| default.clone()) {
            settings.insert(name.clone(), value);
            continue;
        }
        is_whole = false;
        secrets.faults.push(
            Fault::at(
                given.unwrap_or(node),
                format!("the route `{}` needs the setting `{name}`", flow.name),
            )
            .help(format!("add `settings: {{ {name}: … }}`")),
        );
    }
    let known = flow.settings.iter().map(|(name, _)| name.as_str());
    refuse_unknown(given, ("setting", &flow.name), &known, secrets);
    is_whole.then_some(Json::Object(settings))
}

fn read_flow_secrets(
    (node, given): (&Node, Option<&Node>),
    flow: &Flow,
    secrets: &mut Secrets<'_>,
) -> Option<BTreeMap<String, Vec<Secret>>> {
    let mut all = BTreeMap::new();
    let mut is_whole = true;
    let of_proof = match &flow.begins {
        crate::route::flow::Begins::Listen(listen) => listen.proof.secret_names(),
        crate::route::flow::Begins::On(_) => Vec::new(),
    };
    let names = flow.secrets.iter().cloned().chain(of_proof);
    let names: BTreeSet<String> = names.collect();
    for name in &names {
        let Some(reference) = given.and_then(|node| node.child(name)) else {
            is_whole = false;
            secrets.faults.push(
                Fault::at(
                    given.unwrap_or(node),
                    format!("the route `{}` needs the secret `{name}`", flow.name),
                )
                .help(format!("add `secrets: {{ {name}: env:NAME }}`")),
            );
            continue;
        };
        let read = read_several(reference, secrets);
        is_whole &= !read.is_empty();
        all.insert(name.clone(), read);
    }
    let known = names.iter().map(String::as_str);
    refuse_unknown(given, ("secret", &flow.name), &known, secrets);
    is_whole.then_some(all)
}

/// What is given and not asked for was likely misspelt.
fn refuse_unknown<'k>(
    given: Option<&Node>,
    (what, route): (&str, &str),
    known: &(impl Iterator<Item = &'k str> + Clone),
    secrets: &Secrets<'_>,
) {
    let Some(given) = given else { return };
    for (key, _) in entries(given, secrets.faults) {
        let name = key.text().unwrap_or_default();
        if known.clone().any(|known| known == name) {
            continue;
        }
        let help = nearest(name, known.clone()).map_or_else(
            || "remove it".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        secrets.faults.push(
            Fault::at(key, format!("the route `{route}` has no {what} `{name}`"))
                .label("not known")
                .help(help),
        );
    }
}
