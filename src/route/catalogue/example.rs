//! Bodies written in YAML, as the JSON that they stand for.

use super::webhook::Example;
use crate::yaml::{Fault, Faults, Fields, Node, Read, Value};

/// Reads what is known of a body: `name: what it is`.
pub(super) fn read_fields(node: &Node, faults: &Faults) -> Vec<(String, String)> {
    let Value::Map(entries) = &node.value else {
        faults.push(
            Fault::at(node, format!("expected names, found {}", node.kind()))
                .help("write `name: what it is`, one a line"),
        );
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|(key, value)| Some((key.text()?.to_owned(), String::read(value, faults)?)))
        .collect()
}

/// Reads examples: a name and a body each.
pub(super) fn read_examples(node: &Node, faults: &Faults) -> Vec<Example> {
    let Value::List(items) = &node.value else {
        faults.push(
            Fault::at(node, format!("expected a list, found {}", node.kind()))
                .help("write `- name: what it shows`, and `body:` under it"),
        );
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            let mut fields = Fields::open(item, faults)?;
            let name = fields.required("name");
            let body = fields.required_node("body", "{ workflow_id: w1 }");
            fields.finish();
            Some(Example {
                name: name?,
                body: body?.to_json(),
            })
        })
        .collect()
}
