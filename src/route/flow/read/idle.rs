//! What stands in a route and does nothing there, or cannot do what it says.

use crate::route::flow::When;
use crate::route::flow::names::list;
use crate::yaml::{Fault, Faults, Node};

/// Tells all of it.
pub(super) fn refuse(node: &Node, answer: When, faults: &Faults) {
    let replay = node.child("once").and_then(|once| once.child("replay"));
    if let Some(replay) = replay.filter(|_| answer == When::Done) {
        faults.push(
            Fault::at(
                replay,
                "the answer is not known yet when the mark of a push is stored",
            )
            .help(
                "remove `replay`, or `answer: when_done`: a repeat then gets the answer `repeated`",
            ),
        );
    }
    if let Some(hours) = node.child("hours").filter(|_| node.child("on").is_some())
        && hours.child("closed").and_then(Node::text) != Some("tell")
    {
        faults.push(
            Fault::at(hours, "the steps of an event do not wait for calling hours")
                .help("write `closed: tell`, and look at `$.hours.opens`"),
        );
    }
    let (of_event, of_item) = (node.child("on").is_some(), node.child("items"));
    for (key, help) in OF_PUSHES {
        if let Some(place) = node.child(key).filter(|_| of_event) {
            faults.push(
                Fault::at(
                    place,
                    format!("`{key}` does nothing in a route that begins with an event"),
                )
                .help(*help),
            );
        }
    }
    let checks = of_item.map_or(&[][..], |items| list(items.child("check")));
    let limits = of_item.map_or(&[][..], |items| list(items.child("limits")));
    for check in checks.iter().chain(limits) {
        for key in ["reply", "fault"] {
            if let Some(place) = check.child(key) {
                faults.push(
                    Fault::at(place, format!("`{key}` does nothing for an item"))
                        .help("write `reason:`, and what is told of the item under `refusal:`"),
                );
            }
        }
    }
    let once = of_item.and_then(|items| items.child("once"));
    if let Some(replay) = once.and_then(|once| once.child("replay")) {
        faults.push(
            Fault::at(
                replay,
                "an item has no answer of its own that could be given again",
            )
            .help("remove `replay`; what is told of a repeated item stands under `refusal:`"),
        );
    }
}

/// What an event has no use for, and what to do instead.
const OF_PUSHES: &[(&str, &str)] = &[
    (
        "never",
        "remove it: what is never stored was left out when the push came in",
    ),
    ("limits", "write `limits` in the route that takes the push"),
    ("once", "remove it: an event is handed on once"),
    (
        "consent",
        "write `consent` in the route that takes the push",
    ),
    ("order", "remove it: events are worked on as they come"),
    (
        "answer",
        "remove it: nobody waits for the answer to an event",
    ),
    (
        "replies",
        "remove it: nobody waits for the answer to an event; `result` is what came of it",
    ),
];
