//! What a route refers to must be there: members of the document, its own values, its answers.

use std::collections::BTreeSet;

use super::reply::REPLIES;
use super::{Check, Flow, When};
use crate::mapping::document::MEMBERS;
use crate::mapping::path::Path;
use crate::yaml::{Fault, Faults, Node, Value, meant};

/// What a route defines, by the member of the document under which it is found.
struct Defined<'n> {
    settings: BTreeSet<&'n str>,
    secrets: BTreeSet<&'n str>,
    kept: BTreeSet<&'n str>,
    vars: BTreeSet<&'n str>,
    steps: BTreeSet<&'n str>,
}

/// Tells every selector that looks at what is never there.
pub(super) fn check(node: &Node, faults: &Faults) {
    let mut defined = Defined {
        settings: keys(node.child("settings")),
        secrets: texts(node.child("secrets")),
        kept: keys(node.child("load")),
        vars: keys(node.child("vars")),
        steps: BTreeSet::new(),
    };
    defined.vars.extend(keys(
        node.child("items").and_then(|items| items.child("vars")),
    ));
    collect_steps(node, &mut defined);
    let is_event = node.child("on").is_some();
    let Value::Map(entries) = &node.value else {
        return;
    };
    for (key, value) in entries {
        if !matches!(
            key.text(),
            Some("examples" | "about" | "route" | "settings" | "prove" | "never" | "record")
        ) {
            walk(value, &mut |scalar, path| {
                check_path(scalar, path, &defined, (is_event, faults));
            });
        }
    }
}

fn keys(node: Option<&Node>) -> BTreeSet<&str> {
    match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().filter_map(|(key, _)| key.text()).collect(),
        _ => BTreeSet::new(),
    }
}

fn texts(node: Option<&Node>) -> BTreeSet<&str> {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().filter_map(Node::text).collect(),
        _ => BTreeSet::new(),
    }
}

/// Names of steps and of what they take, wherever they stand.
fn collect_steps<'n>(node: &'n Node, defined: &mut Defined<'n>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect_steps(item, defined)),
        Value::Map(entries) => {
            let is_step = ["call", "send", "together", "offer_to"]
                .iter()
                .any(|key| node.child(key).is_some());
            if is_step {
                let named = node.child("name").and_then(Node::text);
                let called = node.child("call").and_then(Node::text);
                let called = called.and_then(|name| name.rsplit('.').next());
                defined.steps.extend(named.or(called));
                defined.vars.extend(keys(node.child("take")));
            }
            for (key, value) in entries {
                if key.text() != Some("examples") {
                    collect_steps(value, defined);
                }
            }
        }
        Value::Null | Value::Scalar { .. } => {}
    }
}

/// Hands over every selector, alone or within a text.
fn walk(node: &Node, told: &mut impl FnMut(&Node, &Path)) {
    match &node.value {
        Value::Scalar { text, .. } if text.starts_with('$') => {
            if let Ok(path) = Path::parse(text) {
                told(node, &path);
            }
        }
        Value::Scalar { text, .. } if text.contains("{$") => {
            if let Ok(template) = crate::mapping::template::Template::parse(text) {
                template.paths().for_each(|path| told(node, path));
            }
        }
        Value::Null | Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| walk(item, told)),
        Value::Map(entries) => {
            for (key, value) in entries {
                if key.text() != Some("literal") {
                    walk(value, told);
                }
            }
        }
    }
}

fn check_path(
    node: &Node,
    path: &Path,
    defined: &Defined<'_>,
    (is_event, faults): (bool, &Faults),
) {
    let Some(member) = path.root_name() else {
        faults.push(
            Fault::at(
                node,
                format!("`{}` names no part of the push", path.as_str()),
            )
            .help("begin with a name: `$.body`, `$.vars`, `$.settings`, …"),
        );
        return;
    };
    let known = MEMBERS.iter().map(|(name, _)| *name);
    if !known.clone().any(|name| name == member) {
        faults.push(
            Fault::at(node, format!("there is no `$.{member}`"))
                .label("not known")
                .help(meant(member, known)),
        );
        return;
    }
    let is_of_push = matches!(member, "body" | "headers" | "query");
    if is_of_push && is_event {
        faults.push(
            Fault::at(
                node,
                format!("a route that begins with an event has no `$.{member}`"),
            )
            .help("write `$.event`: the whole event stands there"),
        );
    }
    if member == "event" && !is_event {
        faults.push(
            Fault::at(node, "a route that listens has no `$.event`")
                .help("write `$.body` for what was pushed"),
        );
    }
    let (of, what, add) = match member {
        "settings" => (
            &defined.settings,
            "setting",
            "add it under `settings:`, with a default or without a value",
        ),
        "secrets" => (&defined.secrets, "secret", "add it to the list `secrets:`"),
        "kept" => (
            &defined.kept,
            "value that is looked up",
            "add it under `load:`",
        ),
        "vars" => (&defined.vars, "value", "add it under `vars:`"),
        "steps" => (
            &defined.steps,
            "step",
            "write the name of a step of this route",
        ),
        _ => return,
    };
    if let Some(name) = path.second_name()
        && !of.contains(name)
    {
        let help = crate::yaml::nearest(name, of.iter().copied())
            .map_or_else(|| add.to_owned(), |near| format!("did you mean `{near}`?"));
        faults.push(
            Fault::at(node, format!("this route has no {what} `{name}`"))
                .label("not known")
                .help(help),
        );
    }
}

/// Tells answers that are named and not there, and what cannot be answered.
pub(super) fn check_replies(node: &Node, flow: &Flow, faults: &Faults) {
    let is_push = matches!(flow.begins, super::Begins::Listen(_));
    let written = node.child("replies");
    let place = written.unwrap_or(node);
    let of_steps = flow.all_steps().into_iter().flat_map(|step| &step.checks);
    let checks: Vec<&Check> = flow.checks.iter().chain(of_steps).collect();
    for check in &checks {
        let known = flow.replies.contains_key(&check.reply);
        if is_push && !known {
            faults.push(
                Fault::at(
                    place,
                    format!(
                        "a check answers with `{}`, and there is no such answer",
                        check.reply
                    ),
                )
                .help(format!(
                    "add `{}: {{ status: 400, json: {{ … }} }}` under `replies:`",
                    check.reply
                )),
            );
            return;
        }
    }
    if is_push && !flow.replies.contains_key("accepted") {
        faults.push(
            Fault::at(place, "nothing says what a good push is answered")
                .help("add `replies: { accepted: { status: 200, json: {} } }`"),
        );
    }
    let named: BTreeSet<&str> = checks.iter().map(|check| check.reply.as_str()).collect();
    for name in keys(written) {
        let is_known = REPLIES.iter().any(|(known, _)| *known == name) || named.contains(name);
        if !is_known && is_push {
            let known = REPLIES.iter().map(|(known, _)| *known);
            faults.push(
                Fault::at(
                    written.and_then(|node| node.child(name)).unwrap_or(node),
                    format!("nothing answers with `{name}`"),
                )
                .help(meant(name, known)),
            );
        }
    }
    if flow.answer == When::Stored
        && let Some(accepted) = written.and_then(|node| node.child("accepted"))
    {
        walk(accepted, &mut |scalar, path| {
            if path.root_name() == Some("steps") {
                faults.push(
                    Fault::at(scalar, "the sender is answered before the steps are made")
                        .help("add `answer: when_done`, or answer without what the steps bring"),
                );
            }
        });
    }
}
