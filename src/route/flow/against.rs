//! What a route calls must be in the catalogue, and routes must not stand in each other's way.

use std::collections::HashMap;

use super::{Action, Begins, Flow};
use crate::route::Catalogue;
use crate::yaml::{Fault, Faults, Node, Value, nearest};

/// Tells operations that are called and not known.
pub(in crate::route) fn check(
    flow: &Flow,
    node: &Node,
    (catalogue, is_partial, is_sound): (&Catalogue, bool, bool),
    faults: &Faults,
) {
    let steps = flow.all_steps();
    let queries = steps
        .iter()
        .filter_map(|step| step.reconcile.as_deref())
        .map(|reconcile| &reconcile.step);
    for step in steps.iter().copied().chain(queries) {
        let Action::Call { operation, .. } = &step.action else {
            continue;
        };
        let place = place_of(node, (operation, step.line.number)).unwrap_or(node);
        match catalogue.entry(operation) {
            Some(entry) if entry.reserved => faults.push(
                Fault::at(
                    place,
                    format!("`{operation}` is a call that the gateway makes by itself"),
                )
                .help("remove the step: there is a token whenever one is needed"),
            ),
            Some(_) if !is_sound => {}
            Some(entry) => super::contract::check(flow, step, (entry, place, node), faults),
            None if is_partial => {}
            None => faults.push(unknown(operation, place, catalogue)),
        }
    }
}

fn unknown(operation: &str, place: &Node, catalogue: &Catalogue) -> Fault {
    let names = catalogue.entries().iter().map(|entry| entry.name.as_str());
    let help = nearest(operation, names).map_or_else(
        || "`pintle routes` lists the names".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Fault::at(place, format!("there is no operation `{operation}`"))
        .label("not known")
        .help(help)
}

/// Where an operation is named, in the step that stands on a line.
fn place_of<'n>(node: &'n Node, (operation, line): (&str, usize)) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => {
            let call = node
                .child("call")
                .filter(|call| call.text() == Some(operation));
            if call.is_some() && node.span.line == line {
                return call;
            }
            entries
                .iter()
                .find_map(|(_, value)| place_of(value, (operation, line)))
        }
        Value::List(items) => items
            .iter()
            .find_map(|item| place_of(item, (operation, line))),
        Value::Null | Value::Scalar { .. } => None,
    }
}

/// Two routes of one name, or at one path, are told.
pub(in crate::route) fn refuse_twins(flows: &[Flow], nodes: &[Node], faults: &Faults) {
    let mut names: HashMap<&str, &Flow> = HashMap::new();
    let mut paths: HashMap<(String, &str), &Flow> = HashMap::new();
    for (flow, node) in flows.iter().zip(nodes) {
        if let Some(other) = names.insert(flow.name.as_str(), flow) {
            faults.push(
                Fault::at(
                    node.child("route").unwrap_or(node),
                    format!("the name `{}` is taken", flow.name),
                )
                .label("taken")
                .help(format!(
                    "it stands at {} already: choose another name",
                    other.line
                )),
            );
        }
        let Begins::Listen(listen) = &flow.begins else {
            continue;
        };
        let place = (listen.method.to_string(), listen.path.pattern.as_str());
        if let Some(other) = paths.insert(place, flow) {
            faults.push(
                Fault::at(
                    node.child("listen").unwrap_or(node),
                    format!("`{}` listens at `{}` too", other.name, listen.path.pattern),
                )
                .help(format!("that is at {}: choose another path", other.line)),
            );
        }
    }
}
