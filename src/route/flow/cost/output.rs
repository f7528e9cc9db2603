//! How much a route sends and keeps: as many bytes of its own, and so many times what it reads.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::mapping::expr::Expr;
use crate::mapping::path::Path;
use crate::mapping::template::Template;
use crate::route::flow::{Action, Flow, Step};

/// What the route's own values come to: as much as what they were made of.
type Made<'f> = BTreeMap<&'f str, Output>;

/// A bound of what calls carry, before it is encoded: bytes that stand in the route, and how often
/// they have a part of what was read, which is at most all of it each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Output {
    /// Bytes of the route's own.
    pub own_bytes: u64,
    /// How many parts of what was read.
    pub reads: u64,
}

impl Output {
    /// What one push makes of all its calls, and what each item adds to them.
    pub(super) fn of(flow: &Flow) -> (Self, Self) {
        let of_items = flow.items.iter().flat_map(|items| &items.vars);
        let mut made = Made::new();
        // Values look only at those above them.
        for (name, expr) in flow.vars.iter().chain(of_items) {
            let mut value = Self::default();
            value.add(&made, expr);
            made.insert(name, value);
        }
        let mut of_push = Self::default();
        of_push.add_steps(&made, &flow.steps);
        let mut of_item = Self::default();
        if let Some(items) = &flow.items {
            of_item.add_steps(&made, &items.steps);
            for told in [&items.row, &items.result].into_iter().flatten() {
                of_item.add(&made, told);
            }
        }
        (of_push, of_item)
    }

    fn add_steps(&mut self, made: &Made<'_>, steps: &[Step]) {
        for step in steps {
            match &step.action {
                Action::Call { query, body, .. } => {
                    [query, body]
                        .into_iter()
                        .flatten()
                        .for_each(|sent| self.add(made, sent));
                }
                Action::Send(send) => {
                    self.add_template(made, &send.url);
                    let headers = send.headers.iter().map(|(_, value)| value);
                    let body = send.body.iter().map(|(_, body)| body);
                    headers.chain(body).for_each(|sent| self.add(made, sent));
                }
                Action::Together(steps) => self.add_steps(made, steps),
                Action::OfferTo { steps, max, .. } => {
                    let mut each = Self::default();
                    each.add_steps(made, steps);
                    self.add_times(each, u64::try_from(*max).unwrap_or(u64::MAX));
                }
            }
        }
    }

    fn add(&mut self, made: &Made<'_>, expr: &Expr) {
        match expr {
            Expr::Literal(value) => self.add_own(&value.to_string()),
            Expr::Select(path) | Expr::All(path) => self.read(made, path),
            Expr::Text(template) => self.add_template(made, template),
            Expr::First(of) => self.greatest(made, of.iter()),
            Expr::Choose(arms) => self.greatest(made, arms.iter().map(|arm| &arm.give)),
            Expr::Pipe(pipe) => {
                self.greatest(made, std::iter::once(&pipe.from).chain(&pipe.default));
            }
            Expr::Object(entries) => {
                for (name, value) in entries {
                    self.add_own(&Value::from(name.as_str()).to_string());
                    self.add(made, value);
                }
            }
            Expr::List(of) => of.iter().for_each(|one| self.add(made, one)),
            Expr::Line(_, expr) => self.add(made, expr),
        }
    }

    /// The greatest of several, of which one is taken.
    fn greatest<'e>(&mut self, made: &Made<'_>, of: impl Iterator<Item = &'e Expr>) {
        let mut greatest = Self::default();
        for expr in of {
            let mut one = Self::default();
            one.add(made, expr);
            greatest.own_bytes = greatest.own_bytes.max(one.own_bytes);
            greatest.reads = greatest.reads.max(one.reads);
        }
        self.add_times(greatest, 1);
    }

    fn add_template(&mut self, made: &Made<'_>, template: &Template) {
        template.texts().for_each(|text| self.add_own(text));
        template.paths().for_each(|path| self.read(made, path));
    }

    /// Rows are counted with the items that they come from.
    fn read(&mut self, made: &Made<'_>, path: &Path) {
        let own = path.second_name().and_then(|name| made.get(name));
        match (path.root_name(), own) {
            (Some("rows" | "results" | "chunk"), _) => {}
            (Some("vars"), Some(own)) => self.add_times(*own, 1),
            _ => self.reads = self.reads.saturating_add(1),
        }
    }

    fn add_own(&mut self, text: &str) {
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.own_bytes = self.own_bytes.saturating_add(len);
    }

    fn add_times(&mut self, other: Self, times: u64) {
        let add = |own: u64, other: u64| own.saturating_add(other.saturating_mul(times));
        self.own_bytes = add(self.own_bytes, other.own_bytes);
        self.reads = add(self.reads, other.reads);
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, reads) = (self.own_bytes, self.reads);
        let parts = if reads == 1 { "part" } else { "parts" };
        write!(f, "{bytes} bytes and {reads} {parts} of what was read")
    }
}
