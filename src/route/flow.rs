//! A route with steps: what a partner pushes, or an event, becomes calls, and an answer.
//!
//! A [`Flow`] is what a file of `routes/flex/` or `routes/store/` says, checked. Reading it is in
//! `read`, what it makes of a push before anything is called in [`plan`]. Absent: calling
//! anybody, which is `crate::runner`'s.

mod against;
mod contract;
mod cost;
mod limit;
mod names;
pub mod outline;
pub mod plan;
mod read;
mod reply;
mod step;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;

pub(super) use against::{check as check_against, refuse_twins};
pub use cost::{Cost, Output, Share};
pub use limit::{Limit, LimitRule};
pub use plan::{Claim, Ended, Plan, Planned};
pub use read::Known;
pub(super) use read::read as read_flow;
pub use reply::{REPLIES, Replies, Reply, ReplyRule};
pub use step::{Action, Batch, Reconcile, Send, Step};

use super::catalogue::{Line, PushPath};
use crate::codec::Format;
use crate::mapping::condition::Condition;
use crate::mapping::expr::Expr;
use crate::mapping::path::Path;
use crate::mapping::{self, MemberQuery};
use crate::policy::{Hours, Proof, Provenance};

/// A route with steps.
#[derive(Debug)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: Option<String>,
    /// How sure its format is.
    pub provenance: Provenance,
    /// Where it stands.
    pub line: Line,
    /// What it begins with.
    pub begins: Begins,
    /// What the settings may give it, each with what stands in.
    pub settings: Vec<(String, Option<Value>)>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// What is taken out of the body before anything looks at it.
    pub never: Vec<MemberQuery>,
    /// What is looked up before its values are made.
    pub load: Vec<(String, Load)>,
    /// Its values, in their order.
    pub vars: Vec<(String, Expr)>,
    /// What must hold.
    pub checks: Vec<Check>,
    /// Who is left alone, and how often others are called.
    pub limits: Vec<LimitRule>,
    /// What is done with each of several.
    pub items: Option<Items>,
    /// When a push is a repeat.
    pub once: Option<OnceRule>,
    /// The record of consent.
    pub consent: Option<Expr>,
    /// What is kept for a later push.
    pub keep: Vec<KeepRule>,
    /// When calling is allowed.
    pub hours: Option<HoursRule>,
    /// Pushes with the same value here are worked on one after the other.
    pub order: Option<Expr>,
    /// When the sender is answered.
    pub answer: When,
    /// How long an answer that waits for the steps may take.
    pub budget: Duration,
    /// What is called.
    pub steps: Vec<Step>,
    /// Whether changes of what comes in are watched for.
    pub watches_drift: bool,
    /// Pushes that are recorded, to try changes of the route on.
    pub record: Option<RecordRule>,
    /// What came of an event.
    pub result: Option<Expr>,
    /// The answers.
    pub replies: Replies,
    /// The headers that its selectors name: of a push no others are kept.
    pub headers: std::collections::BTreeSet<String>,
    /// Pushes that are tried out when the route is tested, as they are written.
    pub examples: Vec<crate::yaml::Node>,
}

/// What a flow begins with.
#[derive(Debug)]
pub enum Begins {
    /// A push to the public listener.
    Listen(Listen),
    /// An event with one of these names: a callback of the platform, or what an application tells.
    On(Vec<String>),
}

/// A push that a flow takes.
#[derive(Debug)]
pub struct Listen {
    /// Its method.
    pub method: Method,
    /// Where it comes.
    pub path: PushPath,
    /// How its body is read.
    pub format: Format,
    /// How its sender is proved.
    pub proof: Arc<Proof>,
}

/// Which pushes are recorded.
#[derive(Debug)]
pub struct RecordRule {
    /// How many, the newest.
    pub max: usize,
    /// For how long.
    pub window: Duration,
    /// What is taken out of their bodies first, besides what the route never looks at.
    pub without: Vec<MemberQuery>,
}

/// What is looked up.
#[derive(Debug)]
pub enum Load {
    /// What an earlier push kept.
    Kept {
        /// In which space.
        space: String,
        /// Under which key.
        key: Expr,
    },
    /// A number that is one greater each time.
    Counter(String),
}

/// What must hold, and what becomes of a push where it does not.
#[derive(Debug)]
pub struct Check {
    /// Where it stands; used where it fails.
    pub line: mapping::Line,
    /// The check is made only where this holds.
    pub given: Option<Condition>,
    /// What must hold; without it, the check fails wherever it is made.
    pub unless: Option<Condition>,
    /// The answer.
    pub reply: String,
    /// The word for it: `$.reason` in the answer.
    pub reason: Option<String>,
    /// The text for the list of faults, where all are collected.
    pub fault: Option<Expr>,
}

/// What is done with each item of a push.
#[derive(Debug)]
pub struct Items {
    /// The items.
    pub each: Path,
    /// Values of an item.
    pub vars: Vec<(String, Expr)>,
    /// What must hold for an item.
    pub checks: Vec<Check>,
    /// Who of them is left alone, and how often others are called.
    pub limits: Vec<LimitRule>,
    /// When an item is a repeat.
    pub once: Option<OnceRule>,
    /// The record of consent for an item.
    pub consent: Option<Expr>,
    /// What an item gives to `$.rows`.
    pub row: Option<Expr>,
    /// What is told of an item that is taken.
    pub result: Option<Expr>,
    /// What is told of one that is not.
    pub refusal: Option<Expr>,
    /// What is called for each.
    pub steps: Vec<Step>,
}

/// When a push or an item is a repeat.
#[derive(Debug)]
pub struct OnceRule {
    /// What tells them apart; where one of these is not there, nothing is a repeat.
    pub key: Vec<Expr>,
    /// For how long it is remembered.
    pub window: Duration,
    /// Another body under the same key is a conflict.
    pub is_strict: bool,
    /// A repeat gets the answer of the first, with this header.
    pub replay: Option<(http::HeaderName, http::HeaderValue)>,
    /// The word for a repeat: `$.reason`.
    pub reason: Option<String>,
}

/// What is kept for a later push.
#[derive(Debug)]
pub struct KeepRule {
    /// In which space.
    pub space: String,
    /// Under which key.
    pub key: Expr,
    /// What.
    pub value: Expr,
    /// For how long.
    pub window: Duration,
}

/// When calling is allowed.
#[derive(Debug)]
pub struct HoursRule {
    /// By which policy.
    pub hours: Arc<Hours>,
    /// Where the called one is.
    pub place: Expr,
    /// What happens outside of the hours.
    pub closed: Closed,
}

/// What happens outside of calling hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// `$.hours.opens` says when calling is allowed again.
    Tell,
    /// The steps wait until then.
    Hold,
}

/// When the sender of a push is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When the push is stored; the steps come after.
    Stored,
    /// When the steps are done.
    Done,
}

impl Check {
    fn walk<'c>(&'c self, told: &mut dyn FnMut(&'c Expr)) {
        for condition in [&self.given, &self.unless].into_iter().flatten() {
            condition.walk(told);
        }
        if let Some(fault) = &self.fault {
            fault.walk(told);
        }
    }
}

impl Flow {
    /// Every step, those under `items` and inside of others included.
    pub fn all_steps(&self) -> Vec<&Step> {
        let items = self.items.iter().flat_map(|items| &items.steps);
        let mut all = Vec::new();
        for step in items.chain(&self.steps) {
            step.collect(&mut all);
        }
        all
    }

    /// Whether doing it twice does harm, as far as its own calls say; `is_once` tells it of an
    /// operation of the platform.
    pub fn is_once(&self, is_once: impl Fn(&str) -> bool) -> bool {
        self.all_steps().iter().any(|step| match &step.action {
            Action::Call { operation, .. } => is_once(operation),
            Action::Send(send) => send.is_once,
            Action::Together(_) | Action::OfferTo { .. } => false,
        })
    }

    /// Every line that can be used, and whether it has been.
    pub fn lines(&self) -> Vec<(usize, bool)> {
        let mut lines = Vec::new();
        let mut told = |expr: &Expr| {
            if let Expr::Line(line, _) = expr {
                lines.push((line.number, line.is_used()));
            }
        };
        self.walk(&mut told);
        let steps = self.all_steps();
        let items = self.items.iter().flat_map(|items| &items.checks);
        let of_steps = steps.iter().flat_map(|step| &step.checks);
        let checks = self.checks.iter().chain(items).chain(of_steps);
        let checks = checks.map(|check| &check.line);
        let of_items = self.items.iter().flat_map(|items| &items.limits);
        let limits = self.limits.iter().chain(of_items).map(|rule| &rule.line);
        let replies = self.replies.values().flatten().map(|rule| &rule.line);
        let made = steps.iter().map(|step| &step.line);
        let own = checks.chain(limits).chain(replies).chain(made);
        lines.extend(own.map(|line| (line.number, line.is_used())));
        lines
    }

    /// Hands over every expression.
    pub fn walk<'f>(&'f self, told: &mut dyn FnMut(&'f Expr)) {
        self.walk_own(told);
        self.walk_items(told);
    }

    /// Hands over the expressions that are worked out once for a push.
    fn walk_own<'f>(&'f self, told: &mut dyn FnMut(&'f Expr)) {
        self.vars.iter().for_each(|(_, value)| value.walk(told));
        self.checks.iter().for_each(|check| check.walk(told));
        self.limits.iter().for_each(|rule| rule.walk(told));
        for (_, load) in &self.load {
            if let Load::Kept { key, .. } = load {
                key.walk(told);
            }
        }
        for rule in &self.keep {
            rule.key.walk(told);
            rule.value.walk(told);
        }
        let hours = self.hours.iter().map(|rule| &rule.place);
        let single = [&self.consent, &self.order, &self.result];
        for expr in single.into_iter().flatten().chain(hours) {
            expr.walk(told);
        }
        let once = self.once.iter().flat_map(|once| &once.key);
        once.for_each(|key| key.walk(told));
        walk_steps(&self.steps, told);
        for rule in self.replies.values().flatten() {
            rule.walk(told);
        }
    }

    /// Hands over those that are worked out for each item.
    fn walk_items<'f>(&'f self, told: &mut dyn FnMut(&'f Expr)) {
        let Some(items) = &self.items else {
            return;
        };
        items.vars.iter().for_each(|(_, value)| value.walk(told));
        items.checks.iter().for_each(|check| check.walk(told));
        items.limits.iter().for_each(|rule| rule.walk(told));
        items
            .once
            .iter()
            .flat_map(|once| &once.key)
            .for_each(|key| key.walk(told));
        let single = [&items.consent, &items.row, &items.result, &items.refusal];
        single
            .into_iter()
            .flatten()
            .for_each(|expr| expr.walk(told));
        walk_steps(&items.steps, told);
    }

    /// Hands over every selector.
    pub fn paths<'f>(&'f self, told: &mut dyn FnMut(&'f Path)) {
        self.walk(&mut |expr| match expr {
            Expr::Select(path) | Expr::All(path) => told(path),
            Expr::Text(template) => template.paths().for_each(&mut *told),
            _ => {}
        });
        if let Some(items) = &self.items {
            told(&items.each);
        }
        for step in self.all_steps() {
            if let Action::Send(send) = &step.action {
                send.url.paths().for_each(&mut *told);
            }
        }
    }

    /// Whether it begins with an event of this name.
    pub fn begins_with(&self, event: &str) -> bool {
        let Begins::On(names) = &self.begins else {
            return false;
        };
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => event.starts_with(beginning),
            None => name == event,
        })
    }

    /// What a target of deliveries is called that is this route.
    pub fn target(&self) -> String {
        format!("{TARGET_PREFIX}{}", self.name)
    }
}

fn walk_steps<'f>(steps: &'f [Step], told: &mut dyn FnMut(&'f Expr)) {
    let mut all = Vec::new();
    for step in steps {
        step.collect(&mut all);
    }
    for step in all {
        step.walk(told);
    }
}

/// What the names of routes begin with where they stand among receivers.
pub const TARGET_PREFIX: &str = "route:";
