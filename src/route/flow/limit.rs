//! Who is left alone, and how often others are called, as a route says it.

use std::sync::Arc;

use super::read::Known;
use crate::mapping::Line;
use crate::mapping::expr::Expr;
use crate::policy::{Cap, Suppression};
use crate::yaml::{Fault, Fields, Name, Node};

/// A limit of a route, and what becomes of a push or an item that it stops.
#[derive(Debug)]
pub struct LimitRule {
    /// Where it stands; used where it stops something.
    pub line: Line,
    /// What it is.
    pub limit: Limit,
    /// Who it is about; where this is not there, nothing is limited.
    pub key: Expr,
    /// The answer.
    pub reply: String,
    /// The word for it: `$.reason` in the answer.
    pub reason: Option<String>,
}

/// What limits.
#[derive(Debug)]
pub enum Limit {
    /// So often within a time.
    Cap {
        /// By which policy.
        cap: Arc<Cap>,
        /// Where the called one is.
        place: Option<Expr>,
    },
    /// Not at all, while they are on a list.
    Suppression(Arc<Suppression>),
}

impl LimitRule {
    /// Hands over its expressions.
    pub(super) fn walk<'r>(&'r self, told: &mut dyn FnMut(&'r Expr)) {
        self.key.walk(told);
        if let Limit::Cap {
            place: Some(place), ..
        } = &self.limit
        {
            place.walk(told);
        }
    }
}

impl Known<'_> {
    pub(super) fn limits(&self, node: Option<&Node>) -> Vec<LimitRule> {
        let limits = self.list(node, |node| self.limit(node));
        if let Some(node) = node.filter(|_| limits.len() > LIMITS_MAX) {
            self.faults.push(
                Fault::at(node, "so many limits are not looked at")
                    .help(format!("keep {LIMITS_MAX} or fewer")),
            );
        }
        limits
    }

    fn limit(&self, node: &Node) -> Option<LimitRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let (cap, list) = (fields.node("cap"), fields.node("suppressed_by"));
        let key = fields.required_node("key", "$.vars.phone");
        let place = fields.node("place");
        let reply = fields.or("reply", Name("refused".to_owned()));
        let reason = fields.optional("reason");
        fields.finish();
        let limit = match (cap, list) {
            (Some(cap), None) => self.cap(cap, place),
            (None, Some(list)) => {
                self.refuse_place(place, "a list is the same everywhere");
                let lists = &self.policies.suppressions;
                let list = lists.resolve(list, self.faults);
                list.map(|list| Limit::Suppression(Arc::clone(list)))
            }
            _ => {
                self.faults.push(
                    Fault::at(node, "a limit is a cap or a list, one of the two").help(
                        "write `cap: NAME`, or `suppressed_by: NAME`, of policies/limits.yaml",
                    ),
                );
                None
            }
        };
        Some(LimitRule {
            line: Line::new(node.span.line),
            limit: limit?,
            key: self.expr(key)?,
            reply: reply.0,
            reason,
        })
    }

    fn cap(&self, name: &Node, place: Option<&Node>) -> Option<Limit> {
        let cap = self.policies.caps.resolve(name, self.faults)?;
        if !cap.differs_by_place() {
            self.refuse_place(place, "this cap is the same everywhere");
        } else if place.is_none() {
            self.faults.push(
                Fault::at(name, "this cap differs by place")
                    .help("add where the called one is: `place: $.vars.state`"),
            );
        }
        Some(Limit::Cap {
            cap: Arc::clone(cap),
            place: self.expr(place),
        })
    }

    fn refuse_place(&self, place: Option<&Node>, why: &str) {
        if let Some(place) = place {
            self.faults
                .push(Fault::at(place, why).help("remove `place`"));
        }
    }
}

/// How many limits a route has, and its items have, at most.
const LIMITS_MAX: usize = 8;
