//! Tables that routes look things up in: `routes/tables/*.yaml`.

use std::sync::Arc;

use crate::mapping::{Table, Tables};
use crate::yaml::{Fault, Faults, Fields, Name, Node};

/// Reads the files that are tables.
pub(super) fn read(nodes: &[Node], faults: &Faults) -> Tables {
    let mut tables = Tables::default();
    for node in nodes {
        let Some((name, table)) = read_table(node, faults) else {
            continue;
        };
        if tables.0.contains_key(&name) {
            faults.push(
                Fault::at(node, format!("there is a table `{name}` already"))
                    .help("choose another name"),
            );
        }
        tables.0.insert(name, Arc::new(table));
    }
    tables
}

fn read_table(node: &Node, faults: &Faults) -> Option<(String, Table)> {
    let mut fields = Fields::open(node, faults)?;
    let name = fields.required::<Name>("table");
    let _note: Option<String> = fields.optional("note");
    let _source: Option<String> = fields.optional("source");
    let rows = fields.required::<Table>("rows");
    fields.finish();
    Some((name?.0, rows?))
}
