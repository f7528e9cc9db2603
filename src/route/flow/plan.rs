//! What a route makes of a push before anybody is called: values, checks, items, marks.
//!
//! Pure, and the same each time: a plan can be made again when it turns out that an item was seen
//! before.

mod claim;
mod limits;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::reply::{self, Reply};
use super::{Check, Flow, Items, LimitRule, OnceRule};
use crate::mapping::Document;
use crate::mapping::expr::{Expr, Halt, Means};
use crate::mapping::function::{Moment, instant};
use crate::mapping::path::{Fuel, Root as _};
use crate::mapping::scalar::as_text;
use crate::policy::Opening;
pub(crate) use claim::claim_key;
pub use claim::{Ask, CLAIMS_MAX, Claim, Claimed, NOTHING_SEEN};
use limits::Limited;

/// What becomes of a push.
#[derive(Debug)]
pub enum Planned {
    /// It ends here, with this answer.
    Ends(Box<Ended>),
    /// It is stored, and its steps are made.
    Goes(Plan),
}

/// The end of a push.
#[derive(Debug)]
pub struct Ended {
    /// The name of the answer, which tells how it ended.
    pub name: String,
    /// The word for it.
    pub reason: Option<String>,
    /// The answer; `None` where the route has none of that name.
    pub reply: Option<Reply>,
}

/// What is to be stored and done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The marks, by which repeats are known and caps count.
    pub claims: Vec<Claim>,
    /// What the store has to be asked: the plan supposes that the answer is no.
    pub asks: Vec<Ask>,
    /// Records of consent.
    pub consents: Vec<Value>,
    /// What is kept: space, key, value, for how long.
    pub keeps: Vec<(String, String, Value, Duration)>,
    /// The items whose steps are made: `item` and `vars` each.
    pub work: Vec<Value>,
    /// What pushes are worked on one after the other.
    pub order: Option<String>,
    /// The steps wait until then: milliseconds since 1970.
    pub held_until_ms: Option<i64>,
}

/// How far the checks came.
enum Checked {
    Good,
    Failed(Box<Ended>, Vec<Value>),
}

/// What became of an item.
enum Looked {
    Taken,
    /// With a word for it.
    Refused(Option<String>),
}

/// One planning.
pub struct Planner<'p> {
    /// The route.
    pub flow: &'p Flow,
    /// What the clock shows.
    pub moment: &'p Moment,
    /// What the store answers with yes; what is not here, with no.
    pub seen: &'p BTreeSet<Ask>,
}

impl Planner<'_> {
    /// Makes values, checks them, and says what is to be done. The document is left with what
    /// answers and steps look at.
    pub fn plan(&self, document: &mut Document, fuel: &mut Fuel) -> Result<Planned, Halt> {
        let vars = Map::with_capacity(self.flow.vars.len());
        document.put("vars", Value::Object(vars));
        self.make_vars(&self.flow.vars, document, fuel)?;
        if let Checked::Failed(mut ended, faults) = self.check(&self.flow.checks, document, fuel)? {
            tell(document, ended.reason.as_deref(), faults);
            ended.reply = self.reply(&ended.name, document, fuel)?;
            return Ok(Planned::Ends(ended));
        }
        let mut plan = Plan::default();
        let here = BTreeSet::new();
        match self.limits(&self.flow.limits, document, (&here, &mut plan.asks), fuel)? {
            Limited::Free(claims) => plan.claims.extend(claims),
            Limited::Stopped(rule) => {
                let mut ended = rule.ended();
                tell(document, ended.reason.as_deref(), Vec::new());
                ended.reply = self.reply(&ended.name, document, fuel)?;
                return Ok(Planned::Ends(ended));
            }
        }
        self.hours(document, &mut plan, fuel)?;
        if let Some(items) = &self.flow.items {
            self.items(items, document, &mut plan, fuel)?;
        }
        if let Some(once) = &self.flow.once
            && let Some(claim) = self.claim(once, Claimed::Push, document, fuel)?
        {
            // A repeat is told so, also where a limit would stop it by now.
            if !plan.asks.is_empty() {
                plan.asks.push(claim.ask());
            }
            plan.claims.push(claim);
        }
        self.consent(self.flow.consent.as_ref(), document, &mut plan, fuel)?;
        for rule in &self.flow.keep {
            let key = self.value(&rule.key, document, fuel)?;
            let value = self.value(&rule.value, document, fuel)?;
            if let Some((key, value)) = key.as_ref().and_then(as_text).zip(value) {
                plan.keeps
                    .push((rule.space.clone(), key, value, rule.window));
            }
        }
        if let Some(order) = &self.flow.order {
            plan.order = self
                .value(order, document, fuel)?
                .as_ref()
                .and_then(as_text);
        }
        Ok(Planned::Goes(plan))
    }

    /// The answer of a name.
    pub fn reply(
        &self,
        name: &str,
        document: &Document,
        fuel: &mut Fuel,
    ) -> Result<Option<Reply>, Halt> {
        reply::shape(&self.flow.replies, name, &self.means(document), fuel)
    }

    /// The first check that fails, with its answer.
    pub fn checked(
        &self,
        checks: &[Check],
        document: &mut Document,
        fuel: &mut Fuel,
    ) -> Result<Option<Box<Ended>>, Halt> {
        let Checked::Failed(mut ended, faults) = self.check(checks, document, fuel)? else {
            return Ok(None);
        };
        tell(document, ended.reason.as_deref(), faults);
        ended.reply = self.reply(&ended.name, document, fuel)?;
        Ok(Some(ended))
    }

    /// Makes values under `$.vars`; each may look at those before it.
    pub fn make_vars(
        &self,
        vars: &[(String, Expr)],
        document: &mut Document,
        fuel: &mut Fuel,
    ) -> Result<(), Halt> {
        for (name, expr) in vars {
            match self.value(expr, document, fuel)? {
                Some(value) => document.put_in("vars", name, value),
                None => drop(document.take_from("vars", name)),
            }
        }
        Ok(())
    }

    /// What an expression gives.
    pub fn value(
        &self,
        expr: &Expr,
        document: &Document,
        fuel: &mut Fuel,
    ) -> Result<Option<Value>, Halt> {
        expr.value(&self.means(document), fuel)
    }

    /// What an evaluation works with.
    pub fn means<'m>(&'m self, document: &'m Document) -> Means<'m> {
        Means {
            document,
            moment: self.moment,
        }
    }

    fn check(
        &self,
        checks: &[Check],
        document: &Document,
        fuel: &mut Fuel,
    ) -> Result<Checked, Halt> {
        let mut faults = Vec::new();
        let mut of_faults: Option<&Check> = None;
        let means = self.means(document);
        for check in checks {
            // The faults of a run are collected; what stands behind it is for those without.
            if let Some(first) = of_faults.filter(|_| check.fault.is_none()) {
                return Ok(Checked::Failed(first.ended(), faults));
            }
            let is_made = match &check.given {
                None => true,
                Some(given) => given.holds(&means, fuel)?,
            };
            let holds = match &check.unless {
                None => false,
                Some(unless) => unless.holds(&means, fuel)?,
            };
            if !is_made || holds {
                continue;
            }
            check.line.touch();
            match &check.fault {
                None => return Ok(Checked::Failed(check.ended(), faults)),
                Some(fault) => {
                    faults.extend(fault.value(&means, fuel)?);
                    of_faults = of_faults.or(Some(check));
                }
            }
        }
        Ok(match of_faults {
            None => Checked::Good,
            Some(first) => Checked::Failed(first.ended(), faults),
        })
    }

    fn hours(&self, document: &mut Document, plan: &mut Plan, fuel: &mut Fuel) -> Result<(), Halt> {
        let Some(rule) = &self.flow.hours else {
            return Ok(());
        };
        let place = self.value(&rule.place, document, fuel)?;
        let place = place.as_ref().and_then(as_text).unwrap_or_default();
        if let Opening::ClosedUntil(opens) = rule.hours.opening(&place, self.moment.now) {
            match rule.closed {
                super::Closed::Tell => {
                    document.put_in("hours", "opens", Value::String(instant(opens)));
                }
                super::Closed::Hold => plan.held_until_ms = Some(opens.as_millisecond()),
            }
        }
        Ok(())
    }

    fn items(
        &self,
        items: &Items,
        document: &mut Document,
        plan: &mut Plan,
        fuel: &mut Fuel,
    ) -> Result<(), Halt> {
        let each = taken_apart(items.each.select(&*document, fuel)?.into_iter().collect());
        if each.len() > ITEMS_MAX {
            return Err(Halt::TooLarge);
        }
        let (mut rows, mut results) = (Vec::new(), Vec::new());
        let mut here = BTreeSet::new();
        let of_route = document.member("vars").cloned().unwrap_or_default();
        for item in each {
            document.put("item", item);
            document.put("vars", of_route.clone());
            document.take("reason");
            let looked = self.item(items, document, (plan, &mut here), fuel)?;
            if let Looked::Refused(reason) = looked {
                tell(document, reason.as_deref(), Vec::new());
                results.extend(self.optional(items.refusal.as_ref(), document, fuel)?);
                continue;
            }
            rows.extend(self.optional(items.row.as_ref(), document, fuel)?);
            results.extend(self.optional(items.result.as_ref(), document, fuel)?);
            self.consent(items.consent.as_ref(), document, plan, fuel)?;
            let vars = document.take("vars").unwrap_or_default();
            let item = document.take("item").unwrap_or_default();
            plan.work
                .push(serde_json::json!({ "item": item, "vars": vars }));
        }
        document.take("item");
        document.take("reason");
        document.put("vars", of_route);
        document.put("rows", Value::Array(rows));
        document.put("results", Value::Array(results));
        Ok(())
    }

    /// Looks at one item.
    fn item(
        &self,
        items: &Items,
        document: &mut Document,
        (plan, here): (&mut Plan, &mut BTreeSet<String>),
        fuel: &mut Fuel,
    ) -> Result<Looked, Halt> {
        self.make_vars(&items.vars, document, fuel)?;
        if let Checked::Failed(ended, _) = self.check(&items.checks, document, fuel)? {
            return Ok(Looked::Refused(ended.reason));
        }
        let limited = self.limits(&items.limits, document, (here, &mut plan.asks), fuel)?;
        let counts = match limited {
            Limited::Free(counts) => counts,
            Limited::Stopped(rule) => return Ok(Looked::Refused(rule.reason.clone())),
        };
        if let Some(once) = &items.once
            && let Some(claim) = self.claim(once, Claimed::Item, document, fuel)?
        {
            let ask = claim.ask();
            if self.seen.contains(&ask) || !here.insert(claim.key.clone()) {
                return Ok(Looked::Refused(once.reason.clone()));
            }
            plan.asks.push(ask);
            plan.claims.push(claim);
        }
        here.extend(counts.iter().map(|count| count.key.clone()));
        plan.claims.extend(counts);
        if plan.claims.len() > CLAIMS_MAX {
            return Err(Halt::TooLarge);
        }
        Ok(Looked::Taken)
    }

    fn optional(
        &self,
        expr: Option<&Expr>,
        document: &Document,
        fuel: &mut Fuel,
    ) -> Result<Option<Value>, Halt> {
        expr.map_or(Ok(None), |expr| self.value(expr, document, fuel))
    }

    fn consent(
        &self,
        record: Option<&Expr>,
        document: &Document,
        plan: &mut Plan,
        fuel: &mut Fuel,
    ) -> Result<(), Halt> {
        let Some(Value::Object(mut record)) = self.optional(record, document, fuel)? else {
            return Ok(());
        };
        record.retain(|_, value| *value != Value::String(String::new()));
        let push = document.member("push");
        if let Some(sum) = push.and_then(|push| push.get("sha256")) {
            record.insert("raw_sha256".to_owned(), sum.clone());
        }
        plan.consents.push(Value::Object(record));
        Ok(())
    }

    fn claim(
        &self,
        once: &OnceRule,
        of: Claimed,
        document: &Document,
        fuel: &mut Fuel,
    ) -> Result<Option<Claim>, Halt> {
        let mut parts = Vec::new();
        for part in &once.key {
            let Some(part) = self.value(part, document, fuel)?.as_ref().and_then(as_text) else {
                return Ok(None);
            };
            parts.push(part);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(Some(Claim {
            space: self.flow.name.clone(),
            key: claim_key(&parts),
            window: once.window,
            is_strict: once.is_strict,
            of,
        }))
    }
}

impl LimitRule {
    fn ended(&self) -> Box<Ended> {
        Box::new(Ended {
            name: self.reply.clone(),
            reason: self.reason.clone(),
            reply: None,
        })
    }
}

impl Check {
    fn ended(&self) -> Box<Ended> {
        Box::new(Ended {
            name: self.reply.clone(),
            reason: self.reason.clone(),
            reply: None,
        })
    }
}

/// Puts in what an answer says about what was wrong.
fn tell(document: &mut Document, reason: Option<&str>, faults: Vec<Value>) {
    if let Some(reason) = reason {
        document.put("reason", Value::String(reason.to_owned()));
    }
    document.put("faults", Value::Array(faults));
}

/// What a selector of items selects; one list alone is taken apart.
fn taken_apart(selected: Vec<&Value>) -> Vec<Value> {
    match selected.as_slice() {
        [Value::Array(items)] => items.clone(),
        _ => selected.into_iter().cloned().collect(),
    }
}

/// How many items one push may have.
const ITEMS_MAX: usize = 1000;
