//! The answers that a route names are there, and can be given.

use std::collections::BTreeSet;

use super::nodes::{each_step, fields, keys, list};
use crate::mapping::path::Path;
use crate::mapping::template::Template;
use crate::route::flow::reply::REPLIES;
use crate::route::flow::{Begins, Flow, When};
use crate::yaml::{Fault, Faults, Node, Value, nearest};

/// The checks and limits that name an answer.
fn answering(node: &Node) -> Vec<&Node> {
    let own = ["check", "limits"].into_iter();
    let mut all: Vec<&Node> = own.flat_map(|key| list(node.child(key))).collect();
    let of_items = node.child("items").and_then(|items| items.child("steps"));
    for steps in [of_items, node.child("steps")] {
        each_step(steps, &mut |step| all.extend(list(step.child("check"))));
    }
    all
}

/// Tells answers that are named and not there, and what cannot be answered.
pub(in crate::route::flow) fn check_replies(node: &Node, flow: &Flow, faults: &Faults) {
    if matches!(flow.begins, Begins::On(_)) {
        return;
    }
    let written = node.child("replies");
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for check in answering(node) {
        let place = check.child("reply");
        let name = place.and_then(Node::text).unwrap_or("refused");
        if flow.replies.contains_key(name) || !named.insert(name) {
            named.insert(name);
            continue;
        }
        faults.push(
            Fault::at(place.unwrap_or(check), format!("this answers with `{name}`, and there is no such answer"))
                .help(format!("add `{name}: {{ status: 400, json: {{ … }} }}` under `replies:`, or name another answer with `reply:`")),
        );
    }
    if !flow.replies.contains_key("accepted")
        && written.is_none_or(|node| node.child("accepted").is_none())
    {
        faults.push(
            Fault::at(
                written.unwrap_or(node),
                "nothing says what a good push is answered",
            )
            .help("add `accepted: { status: 200, json: { object: {} } }` under `replies:`"),
        );
    }
    for (key, _) in fields(written) {
        let name = key.text().unwrap_or_default();
        if REPLIES.iter().any(|(known, _)| *known == name) || named.contains(name) {
            continue;
        }
        let known = REPLIES.iter().map(|(known, _)| *known);
        let help = match nearest(name, known.chain(named.iter().copied())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name it in a check, `reply: {name}`, or remove it"),
        };
        faults.push(
            Fault::at(key, format!("nothing answers with `{name}`"))
                .label("not used")
                .help(help),
        );
    }
    if flow.answer == When::Stored
        && let Some(accepted) = written.and_then(|node| node.child("accepted"))
    {
        let taken: BTreeSet<&str> = {
            let mut taken = BTreeSet::new();
            each_step(node.child("steps"), &mut |step| {
                taken.extend(keys(step.child("take")));
            });
            &taken - &keys(node.child("vars"))
        };
        each_path(accepted, &mut |scalar, path| {
            let is_taken = path.root_name() == Some("vars")
                && path.second_name().is_some_and(|name| taken.contains(name));
            if path.root_name() == Some("steps") || is_taken {
                faults.push(
                    Fault::at(scalar, "the sender is answered before the steps are made")
                        .help("add `answer: when_done`, or answer without what the steps bring"),
                );
            }
        });
    }
}

/// Hands over every selector below a node, alone or within a text.
fn each_path(node: &Node, told: &mut dyn FnMut(&Node, &Path)) {
    match &node.value {
        Value::Null => {}
        Value::Scalar { text, .. } if text.starts_with('$') => {
            if let Ok(path) = Path::parse(text) {
                told(node, &path);
            }
        }
        Value::Scalar { text, .. } => {
            if let Ok(template) = Template::parse(text) {
                template.paths().for_each(|path| told(node, path));
            }
        }
        Value::List(items) => items.iter().for_each(|item| each_path(item, told)),
        Value::Map(entries) => {
            for (key, value) in entries {
                if key.text() != Some("literal") {
                    each_path(value, told);
                }
            }
        }
    }
}
