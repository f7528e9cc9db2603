//! Reading what a route begins with.

use super::Known;
use crate::route::flow::Begins;
use crate::yaml::{Fault, Faults, Fields, Node, Read as _};

/// `listen`, with its proof, or `on`.
pub(super) fn read(fields: &mut Fields<'_>, known: &Known<'_>) -> Option<Begins> {
    let (listen, on) = (fields.node("listen"), fields.node("on"));
    let prove = fields.node("prove");
    match (listen, on) {
        (Some(listen), None) => {
            let Some(prove) = prove else {
                known.faults.push(
                    fields
                        .fault("this route says nothing of who proves the sender")
                        .help("add `prove: NAME` with a proof of policies/proof.yaml, a proof itself, or `prove: none`"),
                );
                return None;
            };
            let listen = known.listen(listen, prove);
            listen.map(Begins::Listen)
        }
        (None, Some(on)) => {
            if let Some(prove) = prove {
                known.faults.push(
                    Fault::at(prove, "an event was proved when it came in")
                        .help("remove `prove`, or write `listen` instead of `on`"),
                );
            }
            read_events(on, known.faults).map(Begins::On)
        }
        (Some(_), Some(on)) => {
            known.faults.push(
                Fault::at(
                    on,
                    "a route begins with `listen` or with `on`, not with both",
                )
                .help("write a second route for the event"),
            );
            None
        }
        (None, None) => {
            known
                .faults
                .push(fields.fault("this route begins with nothing").help(
                    "add `listen: { path: /in/partner, body: json }`, or `on: [lead.qualified]`",
                ));
            None
        }
    }
}

/// Names of events, each whole or with a `*` at its end.
fn read_events(node: &Node, faults: &Faults) -> Option<Vec<String>> {
    let names = Vec::<String>::read(node, faults)?;
    if names.is_empty() {
        faults.push(
            Fault::at(node, "a route that begins with no event never begins")
                .help("name one or more: `on: [lead.qualified]`"),
        );
    }
    for name in &names {
        let beginning = name.strip_suffix('*').unwrap_or(name);
        if name.is_empty() || beginning.contains('*') {
            faults.push(
                Fault::at(node, format!("`{name}` is the name of no event"))
                    .help("write a whole name, or its beginning with a `*` at the end: `call.*`"),
            );
        }
    }
    Some(names)
}
