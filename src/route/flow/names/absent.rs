//! Members of the document that are not there at a place of a route.

use crate::yaml::{Fault, Node};

/// A member that is not there at this place.
pub(super) fn absent(node: &Node, member: &str) -> Fault {
    let fault = |message: &str, help: &str| Fault::at(node, message).help(help);
    match member {
        "body" | "headers" | "query" | "push" => Fault::at(
            node,
            format!("a route that begins with an event has no `$.{member}`"),
        )
        .help("write `$.event`: the whole event stands there"),
        "event" => fault(
            "a route that listens has no `$.event`",
            "write `$.body` for what was pushed",
        ),
        "item" => fault(
            "there is no `$.item` here",
            "it is there under `items:` only; a value of all items is made with `row` and `$.rows`",
        ),
        "rows" | "results" => Fault::at(node, format!("there is no `$.{member}` here"))
            .help("it is made by `items:`, and is there for what comes after: `once`, `consent`, `keep`, `steps`, `replies`"),
        "hours" => fault(
            "there is no `$.hours` here",
            "add `hours: { policy: us, place: $.vars.state, closed: tell }`; it is there after the checks",
        ),
        "chunk" => fault(
            "there is no `$.chunk` here",
            "add `over: $.rows` to the step: its call then has the rows of one chunk",
        ),
        "candidate" => fault(
            "there is no `$.candidate` here",
            "it is there in the steps under `offer_to` only",
        ),
        _ => Fault::at(node, format!("there is no `$.{member}` here"))
            .help("it is there in answers and in `result` only"),
    }
}
