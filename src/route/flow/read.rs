//! Reading a route with steps.

mod begins;
mod idle;
mod replies;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use super::{
    Check, Closed, Flow, HoursRule, Items, KeepRule, Listen, Load, OnceRule, RecordRule, When,
    names,
};
use crate::codec::{CODECS, Format};
use crate::mapping::condition::Condition;
use crate::mapping::expr::Expr;
use crate::mapping::function::Tables;
use crate::mapping::path::Path;
use crate::mapping::{Line, MemberQuery};
use crate::policy::{Policies, Proof, Provenance, choice};
use crate::route::catalogue::{Line as Place, PushPath};
use crate::yaml::{Fault, Faults, Fields, Name, Node, Value};

/// What a route may refer to.
#[derive(Debug)]
pub struct Known<'k> {
    /// The policies.
    pub policies: &'k Policies,
    /// The tables.
    pub tables: &'k Tables,
    /// Where faults go.
    pub faults: &'k Faults,
}

/// Reads a file that is a route.
pub(in crate::route) fn read(node: &Node, known: &Known<'_>) -> Option<Flow> {
    let mut fields = Fields::open(node, known.faults)?;
    let name = fields.required::<Name>("route");
    let about = fields.optional("about");
    let provenance = fields.or("source", Provenance::Assumed);
    let settings = fields
        .node("settings")
        .map(|node| read_settings(node, known.faults))
        .unwrap_or_default();
    let secrets: Vec<Name> = fields.or("secrets", Vec::new());
    let begins = begins::read(&mut fields, known);
    let never: Vec<MemberQuery> = fields.or("never", Vec::new());
    let load = known.entries(fields.node("load"), |node| known.load(node));
    let vars = known.exprs(fields.node("vars"));
    let checks = known.checks(fields.node("check"));
    let limits = known.limits(fields.node("limits"));
    let items = fields.node("items").and_then(|node| known.items(node));
    let once = fields.node("once").and_then(|node| known.once(node));
    let consent = known.consent(fields.node("consent"));
    let keep = known.list(fields.node("keep"), |node| known.keep(node));
    let hours = fields.node("hours").and_then(|node| known.hours(node));
    let order = known.expr(fields.node("order"));
    let answer = known.answer(&mut fields);
    let budget = fields.or("budget", BUDGET);
    let steps = known.list(fields.node("steps"), |node| known.step(node));
    let watches_drift = known.drift(&mut fields);
    let record = fields.node("record").and_then(|node| known.record(node));
    let result = known.expr(fields.node("result"));
    let replies = known.replies(fields.node("replies"));
    let examples = known.list(fields.node("examples"), |node| Some(node.clone()));
    fields.finish();
    // Without a beginning it is not known what is there to look at.
    if begins.is_some() {
        idle::refuse(node, answer, known.faults);
        names::check(node, known.faults);
    }
    let mut flow = Flow {
        headers: std::collections::BTreeSet::new(),
        name: name?.0,
        about,
        provenance,
        line: Place {
            file: node.source.name.clone(),
            line: node.span.line,
        },
        begins: begins?,
        settings,
        secrets: secrets.into_iter().map(|name| name.0).collect(),
        never,
        load,
        vars,
        checks,
        limits,
        items,
        once,
        consent,
        keep,
        hours,
        order,
        answer,
        budget,
        steps,
        watches_drift,
        record,
        result,
        replies,
        examples,
    };
    flow.headers = headers_read(&flow);
    names::check_replies(node, &flow, known.faults);
    Some(flow)
}

/// The headers that selectors name, in small letters.
fn headers_read(flow: &Flow) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    flow.paths(&mut |path| {
        if path.root_name() == Some("headers") {
            names.extend(path.second_name().map(str::to_ascii_lowercase));
        }
    });
    names
}

fn read_settings(node: &Node, faults: &Faults) -> Vec<(String, Option<serde_json::Value>)> {
    let Value::Map(entries) = &node.value else {
        faults.push(
            Fault::at(node, format!("expected names, found {}", node.kind()))
                .help("write `name: default` lines, or `name:` for one that must be given"),
        );
        return Vec::new();
    };
    let setting = |(key, value): &(Node, Node)| {
        let default = match &value.value {
            Value::Null => None,
            _ => Some(value.to_json()),
        };
        Some((key.text()?.to_owned(), default))
    };
    entries.iter().filter_map(setting).collect()
}

impl Known<'_> {
    /// When the sender is answered. One that waits for the steps is not put behind others.
    fn answer(&self, fields: &mut Fields<'_>) -> When {
        let words = [("when_stored", When::Stored), ("when_done", When::Done)];
        let answer = fields.node("answer");
        let answer = answer.and_then(|node| choice(node, self.faults, &words));
        if let (Some(order), Some(When::Done)) = (fields.node("order"), answer) {
            let message = "a sender that waits for the steps is not put behind others";
            self.faults
                .push(Fault::at(order, message).help("remove `order`, or `answer: when_done`"));
        }
        answer.unwrap_or(When::Stored)
    }

    fn drift(&self, fields: &mut Fields<'_>) -> bool {
        let words = [("watch", true), ("ignore", false)];
        let drift = fields.node("drift");
        let drift = drift.and_then(|node| choice(node, self.faults, &words));
        drift.unwrap_or(true)
    }

    pub(super) fn expr(&self, node: Option<&Node>) -> Option<Expr> {
        Expr::read(node?, self.tables, self.faults)
    }

    /// A record of consent. What nobody said is not recorded: it has no defaults.
    fn consent(&self, node: Option<&Node>) -> Option<Expr> {
        let record = self.object(node)?;
        let mut has_default = false;
        record.walk(&mut |expr| {
            has_default |= matches!(expr, Expr::Pipe(pipe) if pipe.default.is_some());
        });
        if let (true, Some(node)) = (has_default, node) {
            self.faults.push(
                Fault::at(node, "a record of consent says only what the person said")
                    .help("remove the `default`: a field that is not there is left out"),
            );
        }
        Some(record)
    }

    /// An object whose fields may be called like an operator.
    fn object(&self, node: Option<&Node>) -> Option<Expr> {
        Expr::read_object(node?, self.tables, self.faults)
    }

    pub(super) fn condition(&self, node: Option<&Node>) -> Option<Condition> {
        Condition::read(node?, self.tables, self.faults)
    }

    /// Reads named values.
    pub(super) fn exprs(&self, node: Option<&Node>) -> Vec<(String, Expr)> {
        let read = |node: &Node| {
            let expr = self.expr(Some(node))?;
            let line = Arc::new(Line::new(node.span.line));
            Some(Expr::Line(line, Box::new(expr)))
        };
        self.entries(node, read)
    }

    /// Reads a mapping whose names are free.
    pub(super) fn entries<T>(
        &self,
        node: Option<&Node>,
        read: impl Fn(&Node) -> Option<T>,
    ) -> Vec<(String, T)> {
        let Some(node) = node else {
            return Vec::new();
        };
        let Value::Map(entries) = &node.value else {
            self.faults.push(
                Fault::at(node, format!("expected names, found {}", node.kind()))
                    .help("write `name: …` lines"),
            );
            return Vec::new();
        };
        entries
            .iter()
            .filter_map(|(key, value)| Some((key.text()?.to_owned(), read(value)?)))
            .collect()
    }

    /// Reads a list.
    pub(super) fn list<T>(&self, node: Option<&Node>, read: impl Fn(&Node) -> Option<T>) -> Vec<T> {
        let Some(node) = node else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            let written = node.text().unwrap_or("…");
            self.faults.push(
                Fault::at(node, format!("expected a list, found {}", node.kind()))
                    .help(format!("write `[{written}]`, or one `- …` a line")),
            );
            return Vec::new();
        };
        items.iter().filter_map(read).collect()
    }

    fn listen(&self, node: &Node, prove: &Node) -> Option<Listen> {
        let mut fields = Fields::open(node, self.faults)?;
        let method = fields.or("method", Method::POST);
        let path = fields.required::<PushPath>("path");
        let format = fields.node("body").map(|node| self.format(node));
        fields.finish();
        let proof = self.proof(prove)?;
        let path = path?;
        if path.secret_at.is_some() != proof.needs_path_secret() {
            self.faults.push(
                Fault::at(
                    node,
                    "a secret segment of the path and a proof that looks at it go together",
                )
                .help("write `{secret}` in the path and `path_secret` in the proof, or neither"),
            );
        }
        Some(Listen {
            method,
            path,
            format: format.unwrap_or(Some(Format::Json))?,
            proof,
        })
    }

    /// A proof: the name of one, or one itself.
    fn proof(&self, node: &Node) -> Option<Arc<Proof>> {
        if matches!(node.value, Value::Map(_)) || node.text() == Some("none") {
            return Proof::inline(node, self.faults).map(Arc::new);
        }
        let proofs = &self.policies.proofs;
        proofs.resolve(node, self.faults).map(Arc::clone)
    }

    /// The name of a format.
    pub(super) fn format(&self, node: &Node) -> Option<Format> {
        let words: Vec<(&'static str, Format)> = CODECS
            .iter()
            .map(|codec| (codec.name, codec.format))
            .collect();
        choice(node, self.faults, &words)
    }

    fn load(&self, node: &Node) -> Option<Load> {
        let mut fields = Fields::open(node, self.faults)?;
        let counter = fields.optional::<Name>("counter");
        let space = fields.optional::<Name>("space");
        let key = fields.node("key");
        fields.finish();
        match (counter, space, key) {
            (Some(counter), None, None) => Some(Load::Counter(counter.0)),
            (None, Some(space), Some(key)) => Some(Load::Kept {
                space: space.0,
                key: self.expr(Some(key))?,
            }),
            _ => {
                self.faults
                    .push(Fault::at(node, "this says not what is looked up").help(
                        "write `{ space: pings, key: $.body.ping_id }`, or `{ counter: pings }`",
                    ));
                None
            }
        }
    }

    pub(super) fn checks(&self, node: Option<&Node>) -> Vec<Check> {
        self.list(node, |node| self.check(node))
    }

    fn check(&self, node: &Node) -> Option<Check> {
        let mut fields = Fields::open(node, self.faults)?;
        let given = fields.node("if");
        let unless = fields.node("unless");
        let reply = fields.or("reply", Name("refused".to_owned()));
        let reason = fields.optional("reason");
        let fault = fields.node("fault");
        fields.finish();
        if given.is_none() && unless.is_none() {
            self.faults.push(
                Fault::at(node, "this check fails for every push")
                    .help("add `if:` with what must not be, or `unless:` with what must be"),
            );
        }
        let read = |node: Option<&Node>| match node {
            None => Some(None),
            Some(node) => self.condition(Some(node)).map(Some),
        };
        let (given, unless) = (read(given)?, read(unless)?);
        let fault = match fault {
            None => None,
            Some(node) => Some(self.expr(Some(node))?),
        };
        Some(Check {
            line: Line::new(node.span.line),
            given,
            unless,
            reply: reply.0,
            reason,
            fault,
        })
    }

    fn items(&self, node: &Node) -> Option<Items> {
        let mut fields = Fields::open(node, self.faults)?;
        let each = fields.required::<Path>("each");
        let items = each.map(|each| Items {
            each,
            vars: self.exprs(fields.node("vars")),
            checks: self.checks(fields.node("check")),
            limits: self.limits(fields.node("limits")),
            once: fields.node("once").and_then(|node| self.once(node)),
            consent: self.consent(fields.node("consent")),
            row: self.expr(fields.node("row")),
            result: self.expr(fields.node("result")),
            refusal: self.expr(fields.node("refusal")),
            steps: self.list(fields.node("steps"), |node| self.step(node)),
        });
        fields.finish();
        items
    }

    fn once(&self, node: &Node) -> Option<OnceRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let key = fields.required_node("key", "[$.body.lead_id]");
        let window = fields.required::<Duration>("for");
        let is_strict = fields
            .node("differing")
            .and_then(|node| choice(node, self.faults, &[("conflict", true), ("repeat", false)]));
        let replay = fields.optional::<String>("replay");
        let reason = fields.optional("reason");
        fields.finish();
        let replay = match replay {
            None => None,
            Some(text) => Some(self.replay(node.child("replay").unwrap_or(node), &text)?),
        };
        Some(OnceRule {
            key: self.list(Some(key?), |node| self.expr(Some(node))),
            window: window?,
            is_strict: is_strict.unwrap_or(false),
            replay,
            reason,
        })
    }

    /// `Name: value`.
    fn replay(&self, node: &Node, text: &str) -> Option<(HeaderName, HeaderValue)> {
        let header = text.split_once(": ").and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        if header.is_none() {
            self.faults.push(
                Fault::at(node, format!("`{text}` is no header"))
                    .help("write name and value: `replay: \"Idempotent-Replayed: true\"`"),
            );
        }
        header
    }

    fn keep(&self, node: &Node) -> Option<KeepRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let space = fields.required::<Name>("space");
        let key = fields.required_node("key", "$.body.id");
        let value = fields.required_node("value", "{ price: $.vars.price }");
        let window = fields.required::<Duration>("for");
        fields.finish();
        Some(KeepRule {
            space: space?.0,
            key: self.expr(key)?,
            value: self.expr(value)?,
            window: window?,
        })
    }

    fn record(&self, node: &Node) -> Option<RecordRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let rule = RecordRule {
            max: fields.or("max", 500),
            window: fields.or("for", RECORDED_FOR),
            without: fields.or("without", Vec::new()),
        };
        fields.finish();
        if rule.max > RECORDED_MAX {
            self.faults.push(
                Fault::at(node, "so many pushes are not recorded")
                    .help(format!("write `max: {RECORDED_MAX}` or less")),
            );
        }
        Some(rule)
    }

    fn hours(&self, node: &Node) -> Option<HoursRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let policy = fields.required_node("policy", "us_calling");
        let place = fields.required_node("place", "$.vars.state");
        let closed = fields.node("closed").and_then(|node| {
            choice(
                node,
                self.faults,
                &[("tell", Closed::Tell), ("hold", Closed::Hold)],
            )
        });
        fields.finish();
        let hours = self.policies.hours.resolve(policy?, self.faults)?;
        Some(HoursRule {
            hours: Arc::clone(hours),
            place: self.expr(place)?,
            closed: closed.unwrap_or(Closed::Hold),
        })
    }
}

/// For how long a push is recorded where the route says nothing.
const RECORDED_FOR: Duration = Duration::from_hours(7 * 24);
/// The largest number of recorded pushes of one route.
const RECORDED_MAX: usize = 10_000;
/// How long an answer that waits for its steps may take where the route says nothing.
const BUDGET: Duration = Duration::from_secs(20);
