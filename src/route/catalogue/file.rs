//! Reading the files of the catalogue.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use http::Method;

use super::{Catalogue, Effect, Entry, Guide, Kind, Line, Shape, table, webhook};
use crate::policy::{Caching, Family, Policies, Provenance, SealingChoice, choice, read_sealing};
use crate::route::flow::{self, Flow};
use crate::yaml::{Fault, Faults, Fields, Name, Node, Read, Source, Value, nearest, parse};

/// An entry as it is written, before `same_as` is followed.
struct Written {
    entry: Entry,
    name_node: Node,
    path_node: Option<Node>,
    same_as: Option<Node>,
}

/// What was read so far.
#[derive(Default)]
struct Pages {
    written: Vec<Written>,
    guides: Vec<Guide>,
    flows: Vec<(Flow, Node)>,
    /// Names of entries that are faulty: what refers to one is not told a second time.
    faulty: HashSet<String>,
    /// Some file could not be read.
    is_partial: bool,
}

pub(super) fn read(sources: &[Arc<Source>], policies: &Policies, faults: &Faults) -> Catalogue {
    let mut pages = Pages::default();
    let mut nodes = Vec::new();
    for source in sources {
        match parse(source, faults) {
            Some(node) => nodes.push(node),
            None => pages.is_partial = true,
        }
    }
    // Tables first: routes look things up in them.
    let (tables, others): (Vec<Node>, Vec<Node>) = nodes
        .into_iter()
        .partition(|node| node.child("table").is_some());
    let tables = table::read(&tables, faults);
    let known = flow::Known {
        policies,
        tables: &tables,
        faults,
    };
    for node in &others {
        if node.child("route").is_none() {
            read_file(node, policies, faults, &mut pages);
        } else if let Some(flow) = flow::read_flow(node, &known) {
            pages.flows.push((flow, node.clone()));
        }
    }
    refuse_taken_names(&pages.written, faults);
    follow_same_as(&mut pages, faults);
    refuse_clashing_paths(&pages.written, faults);
    let is_partial = pages.is_partial || !pages.faulty.is_empty();
    let (flows, places): (Vec<Flow>, Vec<Node>) = pages.flows.into_iter().unzip();
    let entries = pages.written.into_iter();
    let entries = entries.map(|written| Arc::new(written.entry)).collect();
    let mut catalogue = build(entries, pages.guides, Vec::new());
    // What is faulty was left out: nothing can be proved of the rest.
    let is_sound = !faults.any_error();
    for (flow, node) in flows.iter().zip(&places) {
        flow::check_against(flow, node, (&catalogue, is_partial, is_sound), faults);
    }
    flow::refuse_twins(&flows, &places, faults);
    catalogue.flows = flows.into_iter().map(Arc::new).collect();
    catalogue
}

pub(super) fn build(
    entries: Vec<Arc<Entry>>,
    guides: Vec<Guide>,
    flows: Vec<Arc<Flow>>,
) -> Catalogue {
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
        flows,
    }
}

fn read_file(node: &Node, policies: &Policies, faults: &Faults, pages: &mut Pages) {
    let Some(mut fields) = Fields::open(node, faults) else {
        return;
    };
    let lists = [
        ("operations", Kind::Operation),
        ("callbacks", Kind::Callback),
    ]
    .map(|(key, kind)| (fields.node(key), kind));
    let family = if lists.iter().any(|(list, _)| list.is_some()) {
        fields.required_node("family", "cloud")
    } else {
        fields.node("family")
    };
    let family = family.and_then(|node| policies.families.resolve(node, faults));
    for (list, kind) in lists {
        for item in list.map_or(&[][..], |list| items(list, faults)) {
            if let Some(written) = read_entry(item, kind, (family, policies), faults) {
                pages.written.push(written);
            } else {
                let name = item.child("name").and_then(Node::text);
                pages.faulty.extend(name.map(str::to_owned));
            }
        }
    }
    if let Some(list) = fields.node("guides") {
        pages.guides.extend(
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

fn read_entry(
    node: &Node,
    kind: Kind,
    (family, policies): (Option<&Arc<Family>>, &Policies),
    faults: &Faults,
) -> Option<Written> {
    let mut fields = Fields::open(node, faults)?;
    let name: Option<Name> = fields.required("name");
    let titles = fields.required("titles");
    let pages = fields.or("pages", Vec::new());
    let same_as = fields.node("same_as").cloned();
    let webhook = match kind {
        Kind::Callback => webhook::read(&mut fields, policies).map(Arc::new),
        Kind::Operation => None,
    };
    let has_own = ["method", "path", "effect", "requires", "sealing", "cache"]
        .into_iter()
        .find(|key| fields.node(key).is_some());
    let method = fields.optional::<Method>("method");
    let path_node = fields.node("path").cloned();
    let path = path_node.as_ref().and_then(|node| read_path(node, faults));
    let effect = if kind == Kind::Operation && same_as.is_none() {
        fields.required("effect")
    } else {
        fields.optional("effect")
    };
    if let (Some(key), Some(_)) = (has_own, &same_as) {
        faults.push(
            Fault::at(
                node.child(key).unwrap_or(node),
                format!("an entry with `same_as` has a `{key}` of its own"),
            )
            .help("remove method, path, effect, requires, sealing and cache here: they are those of the entry that `same_as` names"),
        );
    }
    let requires = match kind {
        Kind::Operation => fields.optional("requires"),
        Kind::Callback => None,
    };
    let sealing = read_sealing(&mut fields, &policies.sealings);
    let of_entry = (kind, effect, method.as_ref());
    let cache = read_cache(&mut fields, of_entry, policies);
    let reserved = fields.or("reserved", false);
    let provenance = fields.required("source");
    let note = fields.optional("note");
    fields.finish();
    let entry = Entry {
        name: name?.0,
        titles: titles?,
        pages,
        kind,
        family: Arc::clone(family?),
        method,
        path,
        effect: effect.unwrap_or(Effect::Once),
        requires,
        sealing,
        cache,
        webhook,
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

/// Reads which cache an operation has, which only one that changes nothing may have.
fn read_cache(
    fields: &mut Fields<'_>,
    (kind, effect, method): (Kind, Option<Effect>, Option<&Method>),
    policies: &Policies,
) -> Option<Arc<Caching>> {
    if kind == Kind::Callback {
        return None;
    }
    let node = fields.node("cache")?;
    let faults = fields.faults();
    let caching = policies.caches.resolve(node, faults)?;
    if effect.is_some_and(|effect| effect != Effect::Read) {
        faults.push(
            Fault::at(
                node,
                "this operation does not only read: each call must be made",
            )
            .help("remove `cache`, or write `effect: read` if calling it changes nothing"),
        );
    }
    let has_body = method.is_some_and(|method| !matches!(*method, Method::GET | Method::HEAD));
    if has_body && !caching.reads_body() {
        faults.push(
            Fault::at(
                node,
                format!("the key of `{}` has nothing of the body", caching.name),
            )
            .help("add `body`, or a JSONPath into it such as `$.page`, to the cache's `key`"),
        );
    }
    Some(Arc::clone(caching))
}

fn read_path(node: &Node, faults: &Faults) -> Option<String> {
    let text = String::read(node, faults)?;
    let fits = text.starts_with('/')
        && !text.contains(['?', '#', '%', ' ', '\\'])
        && !text.contains("//")
        && (text.len() == 1 || !text.ends_with('/'))
        && text.parse::<http::uri::PathAndQuery>().is_ok();
    if !fits {
        faults.push(Fault::at(node, format!("`{text}` is no path")).help(
            "write a path that begins with `/`, without a query, an escape or a `/` at its end",
        ));
        return None;
    }
    Some(text)
}

impl Read for Effect {
    const EXAMPLE: &'static str = "once";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        choice(
            node,
            faults,
            &[
                ("read", Self::Read),
                ("repeatable", Self::Repeatable),
                ("once", Self::Once),
            ],
        )
    }
}

fn read_guide(node: &Node, faults: &Faults) -> Option<Guide> {
    let mut fields = Fields::open(node, faults)?;
    let titles = fields.required("titles");
    let pages = fields.required("pages");
    let carried_by = fields
        .required_node("carried_by", "README.md")
        .and_then(|node| String::read(node, faults));
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

/// Two entries must not stand at one path with one method; an entry without a method has all.
fn refuse_clashing_paths(written: &[Written], faults: &Faults) {
    let mut known: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for item in written.iter().filter(|item| item.same_as.is_none()) {
        let Some((path, node)) = item.entry.path.as_deref().zip(item.path_node.as_ref()) else {
            continue;
        };
        let method = item.entry.method.as_ref();
        let others = known.entry(path).or_default();
        let clash = others.iter().find(|other| {
            let other = other.method.as_ref();
            other.is_none() || method.is_none() || other == method
        });
        if let Some(other) = clash {
            let shown = method.map_or(String::new(), |method| format!("{method} "));
            faults.push(
                Fault::at(
                    node,
                    format!("`{shown}{path}` stands in the catalogue twice"),
                )
                .label("again here")
                .help(format!(
                    "`{}` has it already, at {}: if the two are one call, write `same_as: {}` \
                     here instead of method, path and effect",
                    other.name, other.line, other.name
                )),
            );
        } else {
            others.push(&item.entry);
        }
    }
}

/// What an entry gives to those that are the same as it.
struct Target {
    kind: Kind,
    method: Option<Method>,
    path: Option<String>,
    effect: Effect,
    requires: Option<Shape>,
    sealing: SealingChoice,
    cache: Option<Arc<Caching>>,
    reserved: bool,
    is_alias: bool,
}

fn follow_same_as(pages: &mut Pages, faults: &Faults) {
    let target = |item: &Written| Target {
        kind: item.entry.kind,
        method: item.entry.method.clone(),
        path: item.entry.path.clone(),
        effect: item.entry.effect,
        requires: item.entry.requires.clone(),
        sealing: item.entry.sealing.clone(),
        cache: item.entry.cache.clone(),
        reserved: item.entry.reserved,
        is_alias: item.same_as.is_some(),
    };
    let targets: HashMap<String, Target> = pages
        .written
        .iter()
        .map(|item| (item.entry.name.clone(), target(item)))
        .collect();
    for item in &mut pages.written {
        let Some(node) = &item.same_as else { continue };
        let Some(name) = String::read(node, faults) else {
            continue;
        };
        match targets.get(&name) {
            _ if name == item.entry.name => faults.push(
                Fault::at(node, "an entry cannot be the same as itself")
                    .help("name another entry, or write method, path and effect"),
            ),
            None if pages.is_partial || pages.faulty.contains(&name) => {}
            None => {
                let help = nearest(&name, targets.keys().map(String::as_str)).map_or_else(
                    || "write the name of another entry".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                faults.push(
                    Fault::at(node, format!("there is no entry `{name}`"))
                        .label("not known")
                        .help(help),
                );
            }
            Some(target) if target.is_alias => faults.push(
                Fault::at(
                    node,
                    format!("`{name}` is itself the same as another entry"),
                )
                .help("name the entry that has the method and path"),
            ),
            Some(target) if target.kind != item.entry.kind => {
                let words = [target.kind, item.entry.kind].map(Kind::as_str);
                let [other, own] = words;
                faults.push(
                    Fault::at(
                        node,
                        format!(
                            "`{name}` is no {own}, as this entry is: it is in a list of {other}s"
                        ),
                    )
                    .help(format!("name one of the `{own}s`")),
                );
            }
            Some(target) => {
                item.entry.method.clone_from(&target.method);
                item.entry.path.clone_from(&target.path);
                item.entry.effect = target.effect;
                item.entry.requires.clone_from(&target.requires);
                item.entry.sealing = target.sealing.clone();
                item.entry.cache.clone_from(&target.cache);
                item.entry.reserved = target.reserved;
                item.entry.same_as = Some(name);
            }
        }
    }
}
