//! The parts of a route as they are written.

use std::collections::BTreeSet;

use crate::yaml::{Fault, Node, Value};

pub(super) fn keys(node: Option<&Node>) -> BTreeSet<&str> {
    match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().filter_map(|(key, _)| key.text()).collect(),
        _ => BTreeSet::new(),
    }
}

pub(super) fn texts(node: Option<&Node>) -> BTreeSet<&str> {
    list(node).iter().filter_map(Node::text).collect()
}

pub(in crate::route::flow) fn list(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

pub(super) fn fields(node: Option<&Node>) -> &[(Node, Node)] {
    match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries,
        _ => &[],
    }
}

/// The steps that stand within a step.
pub(super) fn inner(step: &Node) -> impl Iterator<Item = &Node> {
    let offered = step
        .child("offer_to")
        .and_then(|offer| offer.child("steps"));
    list(step.child("together")).iter().chain(list(offered))
}

/// Hands over every step of a list, those within others included.
pub(super) fn each_step<'n>(steps: Option<&'n Node>, told: &mut dyn FnMut(&'n Node)) {
    for step in list(steps) {
        each_inner(step, told);
    }
}

pub(super) fn each_inner<'n>(step: &'n Node, told: &mut dyn FnMut(&'n Node)) {
    told(step);
    if let Some(asked) = step.child("reconcile").and_then(|node| node.child("step")) {
        told(asked);
    }
    inner(step).for_each(|step| each_inner(step, told));
}

/// The name of a step, also where it has none of its own.
pub(super) fn step_name(step: &Node) -> Option<&str> {
    let called = step.child("call").and_then(Node::text);
    let called = called.and_then(|name| name.rsplit('.').next());
    let offer = step.child("offer_to").map(|_| "offer");
    step.child("name").and_then(Node::text).or(called).or(offer)
}

/// Two steps have one name.
pub(super) fn twice(step: &Node, name: &str) -> Fault {
    let place = step
        .child("name")
        .or_else(|| step.child("call"))
        .unwrap_or(step);
    Fault::at(place, format!("there is a step `{name}` already"))
        .label("taken")
        .help(format!("add a `name` of its own: `name: {name}_again`; by its name a step is known when it is tried again"))
}
