//! What an operation requires, and whether a route always gives it.
//!
//! A proof over expressions, without a push: a literal is there and of its kind; what a selector
//! selects may be missing unless a check, or the condition of the step, says that it is there;
//! what comes out of functions may be missing unless it has a `default` or is `required`. What may
//! be of any kind is let through where a kind is wanted, and refused where fields are.

mod sure;

use std::ptr;

use http::Method;
use serde_json::Value as Json;

use super::{Action, Flow, Step};
use crate::mapping::Kind;
use crate::mapping::expr::{Expr, Pipe};
use crate::mapping::path::{Path, Step as Part};
use crate::route::catalogue::{Entry, Shape};
use crate::yaml::{Fault, Faults, Node, Value};
use sure::Sure;

/// Tells what the operation requires and the step does not always set.
pub(super) fn check(
    flow: &Flow,
    step: &Step,
    (entry, place, route): (&Entry, &Node, &Node),
    faults: &Faults,
) {
    let (Some(shape), Action::Call { query, body, .. }) = (&entry.requires, &step.action) else {
        return;
    };
    let sent = if entry.method == Some(Method::GET) {
        query
    } else {
        body
    };
    let items = flow.items.as_ref().filter(|items| {
        let mut all = Vec::new();
        items.steps.iter().for_each(|step| step.collect(&mut all));
        all.iter().any(|other| ptr::eq(*other, step))
    });
    let mut sure = Sure::default();
    flow.checks.iter().for_each(|check| sure.learn(check));
    if let Some(items) = items {
        items.checks.iter().for_each(|check| sure.learn(check));
        sure.before(&items.steps, step);
    } else {
        sure.before(&flow.steps, step);
    }
    let mut proof = Proof {
        flow,
        step,
        is_item: items.is_some(),
        sure,
        wrong: Vec::new(),
        depth: 0,
    };
    let nothing = Expr::Object(Vec::new());
    let at = Spot {
        path: String::new(),
        name: String::new(),
        line: step.line.number,
    };
    proof.fit(sent.as_ref().unwrap_or(&nothing), shape, &at);
    for wrong in proof.wrong {
        let place = find(route, &wrong.spot.name, wrong.spot.line).unwrap_or(place);
        faults.push(wrong.fault(&entry.name, place));
    }
}

/// Where something is set.
#[derive(Debug, Clone)]
struct Spot {
    /// As a person would write it: `details[].callee`.
    path: String,
    /// Its last name.
    name: String,
    line: usize,
}

impl Spot {
    fn field(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            path: format!("{}{dot}{name}", self.path),
            name: name.to_owned(),
            line: self.line,
        }
    }
}

/// What is not as it must be.
#[derive(Debug)]
struct Wrong {
    spot: Spot,
    must_be: &'static str,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// It is not set at all.
    Unset,
    /// It may be missing; what it is made of.
    Missing(Option<String>),
    /// It is of this kind.
    Kind(&'static str),
    /// Its fields are not known.
    Unknown,
}

impl Wrong {
    fn fault(&self, operation: &str, place: &Node) -> Fault {
        let Spot { path, name, .. } = &self.spot;
        match &self.why {
            Why::Unset => Fault::at(place, format!("`{operation}` requires `{path}`, which is not set"))
                .label("not set here")
                .help(format!("add `{name}: …`: it is {}", self.must_be)),
            Why::Missing(of) => Fault::at(place, format!("`{operation}` requires `{path}`, which may be missing"))
                .label("may be missing")
                .help(match of {
                    Some(of) => format!("add a check before it, `- {{ unless: {of}, reason: {name}_missing }}`, or give it a `default`, or `required: true`"),
                    None => "give it a `default`, or write `required: true`; or make it under `vars:` and check that it is there".to_owned(),
                }),
            Why::Kind(kind) => Fault::at(place, format!("`{path}` of `{operation}` must be {}, and this is {kind}", self.must_be))
                .label(format!("must be {}", self.must_be))
                .help(match (self.must_be, *kind) {
                    ("a text", "a number" | "a truth value" | "a text, number or truth value") => {
                        "put it in quotes where it is written here, or `to_text` at the end of its `then`"
                    }
                    ("a number", "a text") => "write it without quotes, or put `to_number` at the end of its `then`",
                    ("a list", _) => "write it as a list: `[…]`, or one `- …` a line",
                    ("an object", _) => "write its fields, `name: value`, one a line",
                    _ => "write another value",
                }),
            Why::Unknown => {
                let what = if path.is_empty() { "what is sent".to_owned() } else { format!("`{path}`") };
                Fault::at(place, format!("it is not known whether {what} has in it what `{operation}` requires"))
                    .label("may be anything")
                    .help("write its fields one by one, each with its value, so that they can be checked")
            }
        }
    }
}

/// One proof.
struct Proof<'f> {
    flow: &'f Flow,
    step: &'f Step,
    /// It is about a step, or a row, of an item.
    is_item: bool,
    sure: Sure,
    wrong: Vec<Wrong>,
    depth: usize,
}

impl<'f> Proof<'f> {
    /// Tells where a value that is there is not of a shape.
    fn fit(&mut self, expr: &'f Expr, shape: &Shape, at: &Spot) {
        // A value that is made of itself is told elsewhere.
        if self.depth > DEPTH_MAX {
            return;
        }
        self.depth += 1;
        self.fit_one(expr, shape, at);
        self.depth -= 1;
    }

    fn fit_one(&mut self, expr: &'f Expr, shape: &Shape, at: &Spot) {
        match (expr, shape) {
            (Expr::Line(line, expr), _) => {
                let at = Spot {
                    line: line.number,
                    ..at.clone()
                };
                self.fit(expr, shape, &at);
            }
            (Expr::First(of), _) => of.iter().for_each(|one| self.fit(one, shape, at)),
            (Expr::Choose(arms), _) => arms.iter().for_each(|arm| self.fit(&arm.give, shape, at)),
            (Expr::Pipe(pipe), _) => self.fit_pipe(pipe, shape, at),
            (Expr::Object(entries), Shape::Fields(fields)) => {
                for field in fields {
                    let entry = entries.iter().find(|(name, _)| *name == field.name);
                    let spot = at.field(&field.name);
                    match entry {
                        None if field.is_optional => {}
                        None => self.tell(&spot, &field.shape, Why::Unset),
                        Some((_, value)) => {
                            if !field.is_optional && !self.is_there(value) {
                                let spot = Spot {
                                    line: line_of(value).unwrap_or(spot.line),
                                    ..spot.clone()
                                };
                                self.tell(&spot, &field.shape, Why::Missing(made_of(value)));
                            }
                            self.fit(value, &field.shape, &spot);
                        }
                    }
                }
            }
            (Expr::Object(entries), Shape::ObjectOf(kind)) => {
                for (name, value) in entries {
                    self.fit(value, &Shape::Kind(*kind), &at.field(name));
                }
            }
            (Expr::List(items), Shape::ListOf(of)) => {
                let at = Spot {
                    path: format!("{}[]", at.path),
                    ..at.clone()
                };
                for item in items {
                    self.fit(item, of, &at);
                }
            }
            (Expr::Literal(value), _) => self.fit_json(value, shape, at),
            (Expr::Select(path), _) => self.fit_path(path, shape, at),
            _ => self.fit_kind(kind_of(expr), shape, at),
        }
    }

    fn fit_pipe(&mut self, pipe: &'f Pipe, shape: &Shape, at: &Spot) {
        let makes_texts = pipe.then.names().any(|name| name == "to_strings");
        let keeps = pipe
            .then
            .names()
            .all(|name| matches!(name, "to_strings" | "drop_empty"));
        match shape {
            _ if pipe.then.is_empty() => self.fit(&pipe.from, shape, at),
            Shape::ObjectOf(Kind::Text | Kind::Scalar) if makes_texts => {}
            Shape::Fields(_) if keeps => self.fit(&pipe.from, shape, at),
            _ => self.fit_kind(pipe.then.gives(), shape, at),
        }
        if let Some(default) = &pipe.default {
            self.fit(default, shape, at);
        }
    }

    /// What a selector selects is of the shape of what it was made of, where that is known.
    fn fit_path(&mut self, path: &Path, shape: &Shape, at: &Spot) {
        let flow = self.flow;
        match (names(path).as_slice(), shape) {
            (["rows"], Shape::ListOf(of)) => {
                let Some((items, row)) = flow
                    .items
                    .as_ref()
                    .and_then(|items| Some((items, items.row.as_ref()?)))
                else {
                    return self.tell(at, shape, Why::Unknown);
                };
                let before = (self.sure.clone(), self.is_item);
                self.is_item = true;
                items.checks.iter().for_each(|check| self.sure.learn(check));
                let at = Spot {
                    path: format!("{}[]", at.path),
                    ..at.clone()
                };
                self.fit(row, of, &at);
                (self.sure, self.is_item) = before;
            }
            (["chunk"], Shape::ListOf(_)) => match &self.step.over {
                Some(batch) => self.fit(&batch.rows, shape, at),
                None => self.tell(at, shape, Why::Unknown),
            },
            (["vars", name], _) => match self.var(name) {
                Some(expr) => self.fit(expr, shape, at),
                None => self.fit_kind(Kind::Any, shape, at),
            },
            (["rows" | "results" | "chunk" | "faults"], _) => self.fit_kind(Kind::List, shape, at),
            _ => self.fit_kind(Kind::Any, shape, at),
        }
    }

    fn fit_kind(&mut self, kind: Kind, shape: &Shape, at: &Spot) {
        let wanted = match shape {
            Shape::Kind(kind) => *kind,
            Shape::ObjectOf(_) | Shape::Fields(_) => Kind::Object,
            Shape::ListOf(_) => Kind::List,
        };
        if !may_be(kind, wanted) {
            self.tell(at, shape, Why::Kind(kind.word()));
        } else if !matches!(shape, Shape::Kind(_) | Shape::ObjectOf(_)) && has_required(shape) {
            self.tell(at, shape, Why::Unknown);
        }
    }

    fn fit_json(&mut self, value: &Json, shape: &Shape, at: &Spot) {
        match (value, shape) {
            (Json::Null, _) => {}
            (Json::Object(members), Shape::Fields(fields)) => {
                for field in fields {
                    let spot = at.field(&field.name);
                    match members.get(&field.name) {
                        Some(member) => self.fit_json(member, &field.shape, &spot),
                        None if field.is_optional => {}
                        None => self.tell(&spot, &field.shape, Why::Unset),
                    }
                }
            }
            (Json::Object(members), Shape::ObjectOf(kind)) => {
                for (name, member) in members {
                    self.fit_json(member, &Shape::Kind(*kind), &at.field(name));
                }
            }
            (Json::Array(items), Shape::ListOf(of)) => {
                let at = Spot {
                    path: format!("{}[]", at.path),
                    ..at.clone()
                };
                for item in items {
                    self.fit_json(item, of, &at);
                }
            }
            _ => self.fit_kind(kind_of_json(value), shape, at),
        }
    }

    /// What a value of the route is made of; `None` where steps may give it too.
    fn var(&self, name: &str) -> Option<&'f Expr> {
        let flow = self.flow;
        let is_taken = flow
            .all_steps()
            .iter()
            .any(|step| step.take.iter().any(|(taken, _)| taken == name));
        let of_items = flow
            .items
            .iter()
            .filter(|_| self.is_item)
            .flat_map(|items| &items.vars);
        let mut known = of_items
            .chain(&flow.vars)
            .filter(|(known, _)| known == name);
        let (_, expr) = known.next().filter(|_| !is_taken)?;
        // What is told stands where the value is used.
        match expr {
            Expr::Line(_, expr) => Some(expr),
            expr => Some(expr),
        }
    }

    /// Whether there is always something.
    fn is_there(&mut self, expr: &'f Expr) -> bool {
        if self.depth > DEPTH_MAX {
            return true;
        }
        self.depth += 1;
        let is_there = match expr {
            Expr::Literal(value) => !value.is_null(),
            Expr::All(_) | Expr::Object(_) | Expr::List(_) => true,
            Expr::Line(_, expr) => self.is_there(expr),
            Expr::First(of) => of.iter().any(|one| self.is_there(one)),
            Expr::Text(template) => template.paths().all(|path| self.is_path_there(path)),
            Expr::Choose(arms) => {
                let has_last = arms.last().is_some_and(|arm| arm.when.is_none());
                has_last && arms.iter().all(|arm| self.is_there(&arm.give))
            }
            Expr::Pipe(pipe) => {
                pipe.required.is_some()
                    || pipe
                        .default
                        .as_ref()
                        .is_some_and(|default| self.is_there(default))
                    || (pipe.then.is_empty() && self.is_there(&pipe.from))
            }
            Expr::Select(path) => self.is_path_there(path),
        };
        self.depth -= 1;
        is_there
    }

    fn is_path_there(&mut self, path: &Path) -> bool {
        if self.sure.0.contains(path.as_str()) {
            return true;
        }
        match names(path).as_slice() {
            // The settings are whole before a route runs.
            ["settings" | "secrets", _] => true,
            ["rows" | "results"] => self.flow.items.is_some(),
            ["chunk"] => self.step.over.is_some(),
            ["vars", name] => self.var(name).is_some_and(|expr| self.is_there(expr)),
            _ => false,
        }
    }

    fn tell(&mut self, spot: &Spot, shape: &Shape, why: Why) {
        let (spot, must_be) = (spot.clone(), shape.word());
        self.wrong.push(Wrong { spot, must_be, why });
    }
}

/// Whether a value of one kind may be of another, as it goes out: no text is a number there.
fn may_be(given: Kind, wanted: Kind) -> bool {
    let is_scalar = |kind| matches!(kind, Kind::Scalar | Kind::Text | Kind::Number | Kind::Bool);
    match (given, wanted) {
        (Kind::Any, _) | (_, Kind::Any) => true,
        (Kind::Scalar, other) | (other, Kind::Scalar) => is_scalar(other),
        (given, wanted) => given == wanted,
    }
}

/// Whether a shape has something in it that must be there.
fn has_required(shape: &Shape) -> bool {
    match shape {
        Shape::Kind(_) | Shape::ObjectOf(_) => false,
        Shape::ListOf(of) => has_required(of),
        Shape::Fields(fields) => fields.iter().any(|field| !field.is_optional),
    }
}

fn kind_of(expr: &Expr) -> Kind {
    match expr {
        Expr::Text(_) => Kind::Text,
        Expr::Object(_) => Kind::Object,
        Expr::All(_) | Expr::List(_) => Kind::List,
        _ => Kind::Any,
    }
}

fn kind_of_json(value: &Json) -> Kind {
    match value {
        Json::Null => Kind::Any,
        Json::Bool(_) => Kind::Bool,
        Json::Number(_) => Kind::Number,
        Json::String(_) => Kind::Text,
        Json::Array(_) => Kind::List,
        Json::Object(_) => Kind::Object,
    }
}

/// The names of a selector that is nothing but names.
fn names(path: &Path) -> Vec<&str> {
    let is_plain = path.is_singular()
        && path
            .steps()
            .iter()
            .all(|step| matches!(step, Part::Name(_)));
    path.names().filter(|_| is_plain).collect()
}

fn line_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Line(line, _) => Some(line.number),
        _ => None,
    }
}

/// What a person would check so that a value is there.
fn made_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Line(_, expr) => made_of(expr),
        Expr::Select(path) => Some(path.as_str().to_owned()),
        Expr::Text(template) => template.paths().next().map(|path| path.as_str().to_owned()),
        _ => None,
    }
}

/// Where a name is set on a line.
fn find<'n>(node: &'n Node, name: &str, line: usize) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find_map(|(key, value)| {
            let is_it = key.text() == Some(name) && key.span.line == line;
            is_it.then_some(value).or_else(|| find(value, name, line))
        }),
        Value::List(items) => items.iter().find_map(|item| find(item, name, line)),
        Value::Null | Value::Scalar { .. } => None,
    }
}

/// How deep values may be made of values.
const DEPTH_MAX: usize = 48;
