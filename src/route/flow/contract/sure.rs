//! What is known to be there when a step is made.

use std::collections::BTreeSet;
use std::ptr;

use crate::mapping::condition::Condition;
use crate::mapping::expr::Expr;
use crate::route::flow::{Action, Check, Step};

/// The selectors that are known to select something that is not empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Sure(pub(super) BTreeSet<String>);

impl Sure {
    /// Learns from a check: what comes after it comes only where it did not fail.
    pub(super) fn learn(&mut self, check: &Check) {
        match (&check.given, &check.unless) {
            (None, Some(unless)) => self.0.extend(proved(unless)),
            (Some(Condition::Not(given)), None) => self.0.extend(proved(given)),
            // Where it is known already what the check is made for, it is made for every push.
            (Some(Condition::Given(Expr::Select(given))), Some(unless))
                if self.0.contains(given.as_str()) =>
            {
                self.0.extend(proved(unless));
            }
            _ => {}
        }
    }

    /// Learns from what stands before a step, and from its own condition; whether the step is one
    /// of these or within one.
    pub(super) fn before(&mut self, steps: &[Step], wanted: &Step) -> bool {
        for step in steps {
            let mut within = self.clone();
            within.0.extend(step.when.iter().flat_map(proved));
            if ptr::eq(step, wanted) {
                *self = within;
                return true;
            }
            let inner: &[Step] = match &step.action {
                Action::Together(inner) | Action::OfferTo { steps: inner, .. } => inner,
                Action::Call { .. } | Action::Send(_) => &[],
            };
            // What stands beside a step that is made at once with it is not known to be done.
            let is_found = match &step.action {
                Action::Together(inner) => inner.iter().any(|step| {
                    let mut alone = within.clone();
                    let is_found = alone.before(std::slice::from_ref(step), wanted);
                    if is_found {
                        within = alone;
                    }
                    is_found
                }),
                _ => within.before(inner, wanted),
            };
            if is_found {
                *self = within;
                return true;
            }
            match &step.when {
                None if !step.goes_on => step.checks.iter().for_each(|check| self.learn(check)),
                // Either it was there and the step was not made, or the step's checks saw it.
                Some(Condition::Not(missing)) if !step.goes_on => {
                    let mut after = Self::default();
                    step.checks.iter().for_each(|check| after.learn(check));
                    let there = proved(missing);
                    self.0.extend(after.0.intersection(&there).cloned());
                }
                _ => {}
            }
        }
        false
    }
}

/// The selectors that select something where a condition holds.
pub(super) fn proved(condition: &Condition) -> BTreeSet<String> {
    let both = |of: [&Expr; 2]| of.into_iter().filter_map(selector).collect();
    match condition {
        Condition::Given(one) | Condition::Matches(one, _) | Condition::IsList(one) => {
            selector(one).into_iter().collect()
        }
        Condition::Equal(one, two)
        | Condition::In(one, two)
        | Condition::AtLeast(one, two)
        | Condition::Below(one, two) => both([one, two]),
        Condition::All(of) => of.iter().flat_map(proved).collect(),
        Condition::Any(of) => {
            let mut all = of.iter().map(proved);
            let first = all.next().unwrap_or_default();
            all.fold(first, |before, next| &before & &next)
        }
        Condition::Not(_) => BTreeSet::new(),
    }
}

pub(super) fn selector(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Select(path) => Some(path.as_str().to_owned()),
        Expr::Line(_, expr) => selector(expr),
        // Functions make nothing of nothing.
        Expr::Pipe(pipe) if pipe.default.is_none() => selector(&pipe.from),
        _ => None,
    }
}
