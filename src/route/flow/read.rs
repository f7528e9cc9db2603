//! Reading a route with steps.

mod steps;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::reply::{Replies, ReplyRule};
use super::{
    Begins, Check, Closed, Flow, HoursRule, Items, KeepRule, Listen, Load, OnceRule, When, names,
};
use crate::codec::{CODECS, Format};
use crate::mapping::condition::Condition;
use crate::mapping::expr::Expr;
use crate::mapping::function::Tables;
use crate::mapping::{Line, MemberQuery};
use crate::mapping::path::Path;
use crate::policy::{Policies, Proof, Provenance, choice};
use crate::route::catalogue::{Line as Place, PushPath};
use crate::yaml::{Fault, Faults, Fields, Name, Node, Read, Value};

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
    let settings = fields.node("settings").map(read_settings).unwrap_or_default();
    let secrets: Vec<Name> = fields.or("secrets", Vec::new());
    let begins = read_begins(&mut fields, known);
    let never: Vec<MemberQuery> = fields.or("never", Vec::new());
    let load = known.entries(fields.node("load"), |node| known.load(node));
    let vars = known.exprs(fields.node("vars"));
    let checks = known.checks(fields.node("check"));
    let items = fields.node("items").and_then(|node| known.items(node));
    let once = fields.node("once").and_then(|node| known.once(node));
    let consent = known.object(fields.node("consent"));
    let keep = known.list(fields.node("keep"), |node| known.keep(node));
    let hours = fields.node("hours").and_then(|node| known.hours(node));
    let order = known.expr(fields.node("order"));
    let answer = fields.node("answer").and_then(|node| {
        let words = [("when_stored", When::Stored), ("when_done", When::Done)];
        choice(node, known.faults, &words)
    });
    let budget = fields.or("budget", BUDGET);
    let steps = known.list(fields.node("steps"), |node| known.step(node));
    let result = known.expr(fields.node("result"));
    let replies = known.replies(fields.node("replies"));
    let examples = match fields.node("examples").map(|node| &node.value) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    fields.finish();
    // Without a beginning it is not known what is there to look at.
    if begins.is_some() {
        refuse_idle(node, answer.unwrap_or(When::Stored), known.faults);
        names::check(node, known.faults);
    }
    let flow = Flow {
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
        items,
        once,
        consent,
        keep,
        hours,
        order,
        answer: answer.unwrap_or(When::Stored),
        budget,
        steps,
        result,
        replies,
        examples,
    };
    names::check_replies(node, &flow, known.faults);
    Some(flow)
}

/// Tells what stands in a route and does nothing there, or cannot do what it says.
fn refuse_idle(node: &Node, answer: When, faults: &Faults) {
    let replay = node.child("once").and_then(|once| once.child("replay"));
    if let Some(replay) = replay.filter(|_| answer == When::Done) {
        faults.push(
            Fault::at(replay, "the answer is not known yet when the mark of a push is stored")
                .help("remove `replay`, or `answer: when_done`: a repeat then gets the answer `repeated`"),
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
                Fault::at(place, format!("`{key}` does nothing in a route that begins with an event"))
                    .help(*help),
            );
        }
    }
    let checks = of_item.and_then(|items| items.child("check"));
    let checks = match checks.map(|node| &node.value) {
        Some(Value::List(checks)) => checks.as_slice(),
        _ => &[],
    };
    for check in checks {
        for key in ["reply", "fault"] {
            if let Some(place) = check.child(key) {
                faults.push(
                    Fault::at(place, format!("`{key}` does nothing in a check of an item"))
                        .help("write `reason:`, and what is told of the item under `refusal:`"),
                );
            }
        }
    }
    let once = of_item.and_then(|items| items.child("once"));
    if let Some(replay) = once.and_then(|once| once.child("replay")) {
        faults.push(
            Fault::at(replay, "an item has no answer of its own that could be given again")
                .help("remove `replay`; what is told of a repeated item stands under `refusal:`"),
        );
    }
}

fn read_settings(node: &Node) -> Vec<(String, Option<serde_json::Value>)> {
    let Value::Map(entries) = &node.value else {
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

/// `listen`, with its proof, or `on`.
fn read_begins(fields: &mut Fields<'_>, known: &Known<'_>) -> Option<Begins> {
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
                Fault::at(on, "a route begins with `listen` or with `on`, not with both")
                    .help("write a second route for the event"),
            );
            None
        }
        (None, None) => {
            known.faults.push(
                fields
                    .fault("this route begins with nothing")
                    .help("add `listen: { path: /in/partner, body: json }`, or `on: [lead.qualified]`"),
            );
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

impl Known<'_> {
    pub(super) fn expr(&self, node: Option<&Node>) -> Option<Expr> {
        Expr::read(node?, self.tables, self.faults)
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
    pub(super) fn list<T>(
        &self,
        node: Option<&Node>,
        read: impl Fn(&Node) -> Option<T>,
    ) -> Vec<T> {
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
                Fault::at(node, "a secret segment of the path and a proof that looks at it go together")
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
                self.faults.push(
                    Fault::at(node, "this says not what is looked up")
                        .help("write `{ space: pings, key: $.body.ping_id }`, or `{ counter: pings }`"),
                );
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
            once: fields.node("once").and_then(|node| self.once(node)),
            consent: self.object(fields.node("consent")),
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
        let is_strict = fields.node("differing").and_then(|node| {
            choice(node, self.faults, &[("conflict", true), ("repeat", false)])
        });
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

    fn hours(&self, node: &Node) -> Option<HoursRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let policy = fields.required_node("policy", "us_calling");
        let place = fields.required_node("place", "$.vars.state");
        let closed = fields.node("closed").and_then(|node| {
            choice(node, self.faults, &[("tell", Closed::Tell), ("hold", Closed::Hold)])
        });
        fields.finish();
        let hours = self.policies.hours.resolve(policy?, self.faults)?;
        Some(HoursRule {
            hours: Arc::clone(hours),
            place: self.expr(place)?,
            closed: closed.unwrap_or(Closed::Hold),
        })
    }

    fn replies(&self, node: Option<&Node>) -> Replies {
        let all = self.entries(node, |node| {
            let rules = match &node.value {
                Value::List(rules) => {
                    self.refuse_hidden(rules);
                    self.list(Some(node), |node| self.reply(node))
                }
                _ => self.reply(node).into_iter().collect(),
            };
            Some(rules)
        });
        all.into_iter().collect()
    }

    /// Of several answers, one without `when` hides those behind it.
    fn refuse_hidden(&self, rules: &[Node]) {
        let behind = rules.len().saturating_sub(1);
        for rule in rules.iter().take(behind).filter(|rule| rule.child("when").is_none()) {
            self.faults.push(
                Fault::at(rule, "what stands behind this answer is never given")
                    .help("add `when:`, or put the answer at the end"),
            );
        }
    }

    fn reply(&self, node: &Node) -> Option<ReplyRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let when = fields.node("when");
        let status = fields.node("status");
        let headers = fields.node("headers");
        let media = fields.optional::<HeaderValue>("content_type");
        let redirect = self.expr(fields.node("redirect"));
        let body = self.body(&mut fields);
        fields.finish();
        let default = if redirect.is_some() { 303 } else { 200 };
        let status = match status {
            Some(node) => node.text().and_then(|text| text.parse().ok()),
            None => StatusCode::from_u16(default).ok(),
        };
        let status = status.filter(|status: &StatusCode| (200..600).contains(&status.as_u16()));
        let is_bare = status == Some(StatusCode::NO_CONTENT) || status == Some(StatusCode::NOT_MODIFIED);
        if status.is_none() {
            self.faults.push(
                Fault::at(node.child("status").unwrap_or(node), "this is no status of an answer")
                    .help("write a number from 200 to 599"),
            );
        } else if is_bare && matches!(&body, Some(Some(_))) {
            self.faults.push(
                Fault::at(node.child("status").unwrap_or(node), "an answer with this status has no body")
                    .help("write `status: 200`, or remove the body"),
            );
        }
        let when = match when {
            None => None,
            Some(node) => Some(self.condition(Some(node))?),
        };
        Some(ReplyRule {
            line: Line::new(node.span.line),
            when,
            status: status?,
            headers: self.headers(headers),
            content_type: media,
            body: body?,
            redirect,
        })
    }

    /// Headers by name.
    pub(super) fn headers(&self, node: Option<&Node>) -> Vec<(HeaderName, Expr)> {
        if let Some(Node { value: Value::Map(entries), .. }) = node {
            for (key, _) in entries {
                self.check_header(key);
            }
        }
        let all = self.exprs(node).into_iter();
        let named = all.filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, value))
        });
        named.collect()
    }

    fn check_header(&self, key: &Node) {
        let text = key.text().unwrap_or_default();
        let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
            self.faults.push(
                Fault::at(key, format!("`{text}` is no name of a header"))
                    .help("write letters, digits and `-`"),
            );
            return;
        };
        if OF_CONNECTION.contains(&name) {
            self.faults.push(
                Fault::at(key, format!("the header `{name}` is made by the gateway"))
                    .help("remove it: it says how the message is carried"),
            );
        }
    }

    /// The body under the name of its format; the outer `None` is a fault.
    #[expect(clippy::option_option, reason = "a fault, no body, a body")]
    pub(super) fn body(&self, fields: &mut Fields<'_>) -> Option<Option<(Format, Expr)>> {
        let written = CODECS.iter().filter_map(|codec| {
            let node = fields.node(codec.name)?;
            Some((codec, node))
        });
        let written: Vec<_> = written.collect();
        if let [_, (codec, node), ..] = written.as_slice() {
            self.faults.push(
                Fault::at(node, "there is a body already")
                    .help(format!("remove `{}`, or the other body", codec.name)),
            );
            return None;
        }
        if let Some((codec, node)) = written.first()
            && codec.format == Format::Multipart
        {
            self.faults.push(
                Fault::at(node, "a multipart body is read, not written")
                    .help("write `form:` or `json:`"),
            );
            return None;
        }
        match written.first() {
            None => Some(None),
            Some((codec, node)) => self
                .expr(Some(node))
                .map(|expr| Some((codec.format, expr))),
        }
    }
}

/// What an event has no use for, and what to do instead.
const OF_PUSHES: &[(&str, &str)] = &[
    ("never", "remove it: what is never stored was left out when the push came in"),
    ("once", "remove it: an event is handed on once"),
    ("consent", "write `consent` in the route that takes the push"),
    ("order", "remove it: events are worked on as they come"),
    ("answer", "remove it: nobody waits for the answer to an event"),
    ("replies", "remove it: nobody waits for the answer to an event; `result` is what came of it"),
];
/// RFC 9110, section 7.6.1, and the headers that say where a message ends.
const OF_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// How long an answer that waits for its steps may take where the route says nothing.
const BUDGET: Duration = Duration::from_secs(20);
