//! Reading the files of the catalogue.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::Method;

use super::{Catalogue, Effect, Entry, Guide, Kind, Line};
use crate::policy::{Family, Policies, Provenance, choice, resolve};
use crate::yaml::{Fault, Faults, Fields, Name, Node, Source, Value, nearest, parse};

/// An entry as it is written, before `same_as` is followed.
struct Written {
    entry: Entry,
    name_node: Node,
    path_node: Option<Node>,
    same_as: Option<Node>,
}

pub(super) fn read(sources: &[Arc<Source>], policies: &Policies, faults: &Faults) -> Catalogue {
    let mut written = Vec::new();
    let mut guides = Vec::new();
    for source in sources {
        if let Some(node) = parse(source, faults) {
            read_file(&node, policies, faults, (&mut written, &mut guides));
        }
    }
    refuse_taken_names(&written, faults);
    follow_same_as(&mut written, faults);
    refuse_clashing_paths(&written, faults);
    build(written, guides)
}

fn build(written: Vec<Written>, guides: Vec<Guide>) -> Catalogue {
    let entries: Vec<Arc<Entry>> = written
        .into_iter()
        .map(|written| Arc::new(written.entry))
        .collect();
    let mut by_path: HashMap<String, Vec<Arc<Entry>>> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.same_as.is_none()) {
        if let Some(path) = &entry.path {
            by_path
                .entry(path.clone())
                .or_default()
                .push(Arc::clone(entry));
        }
    }
    Catalogue {
        by_name: entries
            .iter()
            .map(|entry| (entry.name.clone(), Arc::clone(entry)))
            .collect(),
        reserved: entries
            .iter()
            .filter(|entry| entry.reserved)
            .map(Arc::clone)
            .collect(),
        by_path,
        entries,
        guides,
    }
}

fn read_file(
    node: &Node,
    policies: &Policies,
    faults: &Faults,
    (written, guides): (&mut Vec<Written>, &mut Vec<Guide>),
) {
    let Some(mut fields) = Fields::open(node, faults) else {
        return;
    };
    let family = fields
        .node("family")
        .and_then(|node| resolve(node, "family", &policies.families, faults).cloned());
    for (key, kind) in [
        ("operations", Kind::Operation),
        ("callbacks", Kind::Callback),
    ] {
        let Some(list) = fields.node(key) else {
            continue;
        };
        if fields.node("family").is_none() {
            fields.required::<Name>("family");
        }
        for item in items(list, faults) {
            if let Some(family) = &family {
                written.extend(read_entry(item, kind, family, faults));
            }
        }
    }
    if let Some(list) = fields.node("guides") {
        guides.extend(
            items(list, faults)
                .iter()
                .filter_map(|item| read_guide(item, faults)),
        );
    }
    fields.finish();
}

fn items<'n>(node: &'n Node, faults: &Faults) -> &'n [Node] {
    if let Value::List(items) = &node.value {
        return items;
    }
    faults.push(
        Fault::at(node, format!("expected a list, found {}", node.kind()))
            .help("write one entry a line, each beginning with `- name: …`"),
    );
    &[]
}

fn read_entry(node: &Node, kind: Kind, family: &Arc<Family>, faults: &Faults) -> Option<Written> {
    let mut fields = Fields::open(node, faults)?;
    let name: Option<Name> = fields.required("name");
    let titles = fields.required("titles");
    let pages = fields.or("pages", Vec::new());
    let same_as = fields.node("same_as").cloned();
    let method = fields.optional::<Method>("method");
    let path_node = fields.node("path").cloned();
    let path = path_node.as_ref().and_then(|node| read_path(node, faults));
    let effect = fields
        .node("effect")
        .and_then(|node| read_effect(node, faults));
    if kind == Kind::Operation && same_as.is_none() && fields.node("effect").is_none() {
        fields.required::<Effect>("effect");
    }
    if same_as.is_some() && (method.is_some() || path.is_some() || effect.is_some()) {
        faults.push(
            Fault::at(
                node,
                "an entry with `same_as` has its own method, path or effect",
            )
            .help("remove them here: they are those of the entry that `same_as` names"),
        );
    }
    let reserved = fields.or("reserved", false);
    let provenance = fields.required("source");
    let note = fields.optional("note");
    fields.finish();
    let entry = Entry {
        name: name?.0,
        titles: titles?,
        pages,
        kind,
        family: Arc::clone(family),
        method,
        path,
        effect: effect.unwrap_or(Effect::Once),
        reserved,
        same_as: None,
        provenance: provenance.unwrap_or(Provenance::Assumed),
        note,
        line: Line {
            file: node.source.name.clone(),
            line: node.span.line,
        },
    };
    let name_node = node.child("name").cloned()?;
    Some(Written {
        entry,
        name_node,
        path_node,
        same_as,
    })
}

fn read_path(node: &Node, faults: &Faults) -> Option<String> {
    let text = node.text().unwrap_or_default();
    let fits = text.starts_with('/')
        && !text.contains(['?', '#', '%', ' ', '\\'])
        && !text.contains("//")
        && (text.len() == 1 || !text.ends_with('/'));
    if !fits {
        faults.push(Fault::at(node, format!("`{text}` is no path")).help(
            "write a path that begins with `/`, without a query, an escape or a `/` at its end",
        ));
        return None;
    }
    Some(text.to_owned())
}

impl crate::yaml::Read for Effect {
    const EXAMPLE: &'static str = "once";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        read_effect(node, faults)
    }
}

fn read_effect(node: &Node, faults: &Faults) -> Option<Effect> {
    choice(
        node,
        faults,
        &[
            ("read", Effect::Read),
            ("repeatable", Effect::Repeatable),
            ("once", Effect::Once),
        ],
    )
}

fn read_guide(node: &Node, faults: &Faults) -> Option<Guide> {
    let mut fields = Fields::open(node, faults)?;
    let titles = fields.required("titles");
    let pages = fields.required("pages");
    let carried_by = fields.required("carried_by");
    let _note: Option<String> = fields.optional("note");
    fields.finish();
    Some(Guide {
        titles: titles?,
        pages: pages?,
        carried_by: carried_by?,
    })
}

fn refuse_taken_names(written: &[Written], faults: &Faults) {
    let mut first: HashMap<&str, &Line> = HashMap::new();
    for item in written {
        let name = item.entry.name.as_str();
        if let Some(line) = first.get(name) {
            faults.push(
                Fault::at(&item.name_node, format!("the name `{name}` is taken"))
                    .label("taken")
                    .help(format!("it stands at {line} already: choose another name")),
            );
        } else {
            first.insert(name, &item.entry.line);
        }
    }
}

fn refuse_clashing_paths(written: &[Written], faults: &Faults) {
    let mut first: BTreeMap<(&str, &str), &Line> = BTreeMap::new();
    for item in written.iter().filter(|item| item.same_as.is_none()) {
        let Some((path, node)) = item.entry.path.as_deref().zip(item.path_node.as_ref()) else {
            continue;
        };
        let method = item.entry.method.as_ref().map_or("", Method::as_str);
        if let Some(line) = first.get(&(method, path)) {
            faults.push(
                Fault::at(
                    node,
                    format!("`{method} {path}` stands in the catalogue twice"),
                )
                .label("again here")
                .help(format!(
                    "it stands at {line} already: if the two are one call, write \
                         `same_as: NAME` here instead of method, path and effect"
                )),
            );
        } else {
            first.insert((method, path), &item.entry.line);
        }
    }
}

fn follow_same_as(written: &mut [Written], faults: &Faults) {
    let targets: HashMap<String, (Option<Method>, Option<String>, Effect, bool)> = written
        .iter()
        .map(|item| {
            let Entry {
                name,
                method,
                path,
                effect,
                ..
            } = &item.entry;
            (
                name.clone(),
                (
                    method.clone(),
                    path.clone(),
                    *effect,
                    item.same_as.is_some(),
                ),
            )
        })
        .collect();
    for item in written {
        let Some(node) = &item.same_as else { continue };
        let name = node.text().unwrap_or_default();
        match targets.get(name) {
            None => {
                let help = nearest(name, targets.keys().map(String::as_str)).map_or_else(
                    || "write the name of another entry".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                faults.push(Fault::at(node, format!("there is no entry `{name}`")).help(help));
            }
            Some((.., true)) => faults.push(
                Fault::at(
                    node,
                    format!("`{name}` is itself the same as another entry"),
                )
                .help("name the entry that has the method and path"),
            ),
            Some((method, path, effect, false)) => {
                item.entry.method.clone_from(method);
                item.entry.path.clone_from(path);
                item.entry.effect = *effect;
                item.entry.same_as = Some(name.to_owned());
            }
        }
    }
}
