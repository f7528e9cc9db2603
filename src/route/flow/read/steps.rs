//! Reading the steps of a route.

use std::time::Duration;

use http::Method;

use super::Known;
use crate::mapping::Line;
use crate::mapping::expr::{Expr, read_template};
use crate::route::flow::step::{Action, Batch, Reconcile, Send, Step};
use crate::yaml::{Fault, Fields, Name, Node, Read as _};

impl Known<'_> {
    /// Reads one step.
    pub(super) fn step(&self, node: &Node) -> Option<Step> {
        let mut fields = Fields::open(node, self.faults)?;
        let named = fields.optional::<Name>("name");
        let when = fields.node("when");
        let over = fields.node("over");
        let chunk = fields.node("chunk");
        let timeout = fields.or("timeout", TIMEOUT);
        let tries = fields.or("tries", 1_usize);
        let read = fields.node("read").map(|node| self.format(node));
        let good = fields.node("good");
        let take = self.exprs(fields.node("take"));
        let checks = self.checks(fields.node("check"));
        let goes_on = fields.node("else").and_then(|node| {
            crate::policy::choice(node, self.faults, &[("fail", false), ("go_on", true)])
        });
        let reconcile = fields.node("reconcile");
        let action = self.action(&mut fields);
        fields.finish();
        let action = action?;
        let name = named.map(|name| name.0).or_else(|| action.own_name());
        let Some(name) = name else {
            self.faults.push(
                Fault::at(node, "this step has no name")
                    .help("add `name: ping`: what it brings is then `$.steps.ping`"),
            );
            return None;
        };
        let condition = |node: Option<&Node>| match node {
            None => Some(None),
            Some(node) => self.condition(Some(node)).map(Some),
        };
        let reconcile = match reconcile {
            None => None,
            Some(node) => Some(Box::new(self.reconcile(node)?)),
        };
        Some(Step {
            line: Line::new(node.span.line),
            name,
            when: condition(when)?,
            action,
            over: self.batch(over, chunk)?,
            timeout,
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
            read: read.map_or(Some(None), |read| read.map(Some))?,
            good: condition(good)?,
            take,
            checks,
            goes_on: goes_on.unwrap_or(false),
            reconcile,
        })
    }

    #[expect(clippy::option_option, reason = "a fault, no batch, a batch")]
    fn batch(&self, over: Option<&Node>, chunk: Option<&Node>) -> Option<Option<Batch>> {
        match (over, chunk) {
            (None, None) => Some(None),
            (None, Some(chunk)) => {
                self.faults.push(
                    Fault::at(chunk, "`chunk` says how many, and not of what")
                        .help("add `over: $.rows`"),
                );
                None
            }
            (Some(over), chunk) => Some(Some(Batch {
                rows: self.expr(Some(over))?,
                chunk: match chunk {
                    None => Expr::Literal(CHUNK.into()),
                    Some(node) => self.expr(Some(node))?,
                },
            })),
        }
    }

    fn action(&self, fields: &mut Fields<'_>) -> Option<Action> {
        let call = fields.node("call");
        let send = fields.node("send");
        let together = fields.node("together");
        let offer_to = fields.node("offer_to");
        let several = [call, send, together, offer_to];
        match several.iter().flatten().count() {
            1 => {}
            0 => {
                self.faults.push(
                    fields
                        .fault("this step does nothing")
                        .help("add `call: workflow.add_contacts`, or `send: { url: https://…, form: {…} }`"),
                );
                return None;
            }
            _ => {
                self.faults.push(
                    fields
                        .fault("this step does several things")
                        .help("write a step for each of `call`, `send`, `together` and `offer_to`"),
                );
                return None;
            }
        }
        if let Some(node) = call {
            return self.call(node, fields);
        }
        if let Some(node) = send {
            return self.send(node).map(Action::Send);
        }
        if let Some(node) = together {
            let steps = self.list(Some(node), |node| self.step(node));
            return Some(Action::Together(steps));
        }
        let mut open = Fields::open(offer_to?, self.faults)?;
        let candidates = open.required_node("candidates", "$.vars.bids");
        let max = open.or("max", CANDIDATES);
        let steps = self.list(open.required_node("steps", "[…]"), |node| self.step(node));
        open.finish();
        Some(Action::OfferTo {
            candidates: self.expr(candidates)?,
            max,
            steps,
        })
    }

    fn call(&self, node: &Node, fields: &mut Fields<'_>) -> Option<Action> {
        let Name(operation) = Name::read(node, self.faults)?;
        let account = fields.optional::<Name>("account").map(|name| name.0);
        let (query, body) = (fields.node("query"), fields.node("body"));
        let read = |node: Option<&Node>| match node {
            None => Some(None),
            Some(node) => self.expr(Some(node)).map(Some),
        };
        Some(Action::Call {
            operation,
            account,
            query: read(query)?,
            body: read(body)?,
        })
    }

    fn send(&self, node: &Node) -> Option<Send> {
        let mut fields = Fields::open(node, self.faults)?;
        let method = fields.optional::<Method>("method");
        let url = fields.required_node("url", "https://partner.example/leads");
        let allow = fields.node("allow");
        let headers = self.headers(fields.node("headers"));
        let body = self.body(&mut fields);
        let sign = fields.node("sign");
        let effect = fields.node("effect").and_then(|node| {
            let words = [("read", false), ("repeatable", false), ("once", true)];
            crate::policy::choice(node, self.faults, &words)
        });
        fields.finish();
        let body = body?;
        let method = method.unwrap_or(if body.is_some() { Method::POST } else { Method::GET });
        let url_node = url?;
        let url = read_template(url_node, self.faults)?;
        self.check_url(url_node, &url, allow.is_some());
        let sign = match sign {
            None => None,
            Some(node) => Some(self.sign(node)?),
        };
        let allow = match allow {
            None => None,
            Some(node) => Some(self.expr(Some(node))?),
        };
        // RFC 9110, section 9.2: what a method promises, where the route says nothing.
        let is_once = effect.unwrap_or(method == Method::POST || method == Method::PATCH);
        Some(Send {
            method,
            url,
            allow,
            headers,
            body,
            sign,
            is_once,
        })
    }

    /// Where a call goes is for the route or the settings to say, not for a push.
    fn check_url(&self, node: &Node, url: &crate::mapping::template::Template, has_allow: bool) {
        let begins_fixed = url.has_fixed_host(|path| path.root_name() == Some("settings"));
        if !begins_fixed && !has_allow {
            self.faults.push(
                Fault::at(node, "what is not fixed decides where this call goes")
                    .label("its host is not fixed")
                    .help("begin with `https://host/` or `{$.settings.NAME}/`, or add `allow:` with the beginnings that a URL may have"),
            );
        }
    }

    fn sign(&self, node: &Node) -> Option<(Vec<String>, Expr)> {
        let mut fields = Fields::open(node, self.faults)?;
        let secrets: Vec<Name> = fields.required("secrets")?;
        let id = fields.required_node("id", "evt_{$.event.event_id}");
        fields.finish();
        let id = self.expr(id)?;
        Some((secrets.into_iter().map(|name| name.0).collect(), id))
    }

    fn reconcile(&self, node: &Node) -> Option<Reconcile> {
        let mut fields = Fields::open(node, self.faults)?;
        let step = fields.required_node("step", "{ call: workflow.find_by_contact, body: {…} }");
        let done = fields.required_node("done", "$.steps.find.body.data[0]");
        fields.finish();
        Some(Reconcile {
            step: self.step(step?)?,
            done: self.condition(done)?,
        })
    }
}

impl Action {
    /// A call of the platform can go by the last part of its operation's name.
    fn own_name(&self) -> Option<String> {
        match self {
            Self::Call { operation, .. } => {
                let last = operation.rsplit('.').next()?;
                Some(last.to_owned())
            }
            Self::Together(_) => Some("together".to_owned()),
            Self::OfferTo { .. } => Some("offer".to_owned()),
            Self::Send(_) => None,
        }
    }
}

const TIMEOUT: Duration = Duration::from_secs(10);
const CHUNK: u64 = 500;
const CANDIDATES: usize = 5;
