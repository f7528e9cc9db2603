//! The steps of a route: calls of the platform and of third parties.

use std::time::Duration;

use http::{HeaderName, Method};

use super::Check;
use crate::codec::Format;
use crate::mapping::Line;
use crate::mapping::condition::Condition;
use crate::mapping::expr::Expr;
use crate::mapping::template::Template;

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Where it stands.
    pub line: Line,
    /// Its name: what it brought is under `$.steps.NAME`.
    pub name: String,
    /// It is made only where this holds.
    pub when: Option<Condition>,
    /// What it does.
    pub action: Action,
    /// It is made for so many rows at a time.
    pub over: Option<Batch>,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often it is tried while the sender waits.
    pub tries: u32,
    /// How the reply is read, whatever it says of itself.
    pub read: Option<Format>,
    /// What makes a reply a good one; without it, the status does, or the platform's verdict.
    pub good: Option<Condition>,
    /// Values taken out of the reply.
    pub take: Vec<(String, Expr)>,
    /// What must hold after it.
    pub checks: Vec<Check>,
    /// The route goes on where it failed.
    pub goes_on: bool,
    /// How it is found out whether a call with no known end took effect.
    pub reconcile: Option<Box<Reconcile>>,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Calls an operation of the platform.
    Call {
        /// Which.
        operation: String,
        /// With which account, if not the default one.
        account: Option<String>,
        /// The query.
        query: Option<Expr>,
        /// The body.
        body: Option<Expr>,
    },
    /// Calls a third party.
    Send(Send),
    /// Makes several steps at once.
    Together(Vec<Step>),
    /// Makes steps for one candidate after the other, until they end well.
    OfferTo {
        /// The candidates, the best first.
        candidates: Expr,
        /// How many are asked at most.
        max: usize,
        /// What is done for each.
        steps: Vec<Step>,
    },
}

/// A call of a third party.
#[derive(Debug)]
pub struct Send {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Template,
    /// A URL that a push gives may only begin with one of these.
    pub allow: Option<Expr>,
    /// Headers.
    pub headers: Vec<(HeaderName, Expr)>,
    /// The body, and how it is written.
    pub body: Option<(Format, Expr)>,
    /// The secrets that it is signed with, by Standard Webhooks, and the id of the message.
    pub sign: Option<(Vec<String>, Expr)>,
    /// Doing it twice does harm.
    pub is_once: bool,
}

/// Rows that go out in several calls.
#[derive(Debug)]
pub struct Batch {
    /// The rows.
    pub rows: Expr,
    /// How many go in one call.
    pub chunk: Expr,
}

/// How it is found out whether a call with no known end took effect.
#[derive(Debug)]
pub struct Reconcile {
    /// The query.
    pub step: Step,
    /// It took effect where this holds after the query.
    pub done: Condition,
}

impl Step {
    /// Hands over every expression of its own; those of steps inside of it are theirs.
    pub(super) fn walk<'s>(&'s self, told: &mut dyn FnMut(&'s Expr)) {
        for condition in [&self.when, &self.good].into_iter().flatten() {
            condition.walk(told);
        }
        self.take.iter().for_each(|(_, value)| value.walk(told));
        self.checks.iter().for_each(|check| check.walk(told));
        if let Some(batch) = &self.over {
            batch.rows.walk(told);
            batch.chunk.walk(told);
        }
        match &self.action {
            Action::Call { query, body, .. } => {
                let both = [query, body].into_iter().flatten();
                both.for_each(|expr| expr.walk(told));
            }
            Action::Send(send) => {
                let body = send.body.iter().map(|(_, body)| body);
                let headers = send.headers.iter().map(|(_, value)| value);
                let sign = send.sign.iter().map(|(_, id)| id);
                let all = body.chain(headers).chain(sign).chain(&send.allow);
                all.for_each(|expr| expr.walk(told));
            }
            Action::OfferTo { candidates, .. } => candidates.walk(told),
            Action::Together(_) => {}
        }
    }

    /// This step and those inside of it.
    pub(super) fn collect<'s>(&'s self, into: &mut Vec<&'s Step>) {
        into.push(self);
        let inner = match &self.action {
            Action::Together(steps) | Action::OfferTo { steps, .. } => steps.as_slice(),
            Action::Call { .. } | Action::Send(_) => &[],
        };
        for step in inner {
            step.collect(into);
        }
    }
}
