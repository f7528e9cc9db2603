//! Limits: who is left alone, and how often others are called.
//!
//! A cap of three is three marks. Who takes one of them is counted for as long as the mark lasts,
//! so that the cap holds over every stretch of that length; and as the marks are stored in the same
//! act as the push, two pushes at once do not take the same one.

use std::collections::BTreeSet;

use super::{Ask, Claim, Claimed, Planner, claim_key};
use crate::mapping::Document;
use crate::mapping::expr::{Expr, Halt};
use crate::mapping::path::Fuel;
use crate::mapping::scalar::as_text;
use crate::policy::Cap;
use crate::route::flow::limit::{Limit, LimitRule};

/// What limits make of a push or an item.
pub(super) enum Limited<'r> {
    /// It goes on, with marks that count it.
    Free(Vec<Claim>),
    /// This one stops it.
    Stopped(&'r LimitRule),
}

impl Planner<'_> {
    /// Looks at limits in their order. `here` are the marks that this push takes already; `asks`
    /// gets what has to be known of the store.
    pub(super) fn limits<'r>(
        &self,
        rules: &'r [LimitRule],
        document: &Document,
        (here, asks): (&BTreeSet<String>, &mut Vec<Ask>),
        fuel: &mut Fuel,
    ) -> Result<Limited<'r>, Halt> {
        let mut claims: Vec<Claim> = Vec::new();
        for rule in rules {
            let Some(key) = self.text(&rule.key, document, fuel)? else {
                continue;
            };
            let is_free = match &rule.limit {
                Limit::Suppression(list) => {
                    let ask = Ask::Kept {
                        space: list.name.clone(),
                        key,
                    };
                    let is_on = list.has(ask.key()) || self.seen.contains(&ask);
                    asks.push(ask);
                    !is_on
                }
                Limit::Cap { cap, place } => {
                    let place = match place {
                        Some(place) => self.text(place, document, fuel)?,
                        None => None,
                    };
                    let taken = |mark: &str| {
                        here.contains(mark) || claims.iter().any(|claim| claim.key == mark)
                    };
                    let counted = self.counted(cap, (&key, place.as_deref()), taken, asks);
                    let is_free = !matches!(counted, Counted::Full);
                    if let Counted::As(claim) = counted {
                        claims.push(claim);
                    }
                    is_free
                }
            };
            if !is_free {
                rule.line.touch();
                return Ok(Limited::Stopped(rule));
            }
        }
        Ok(Limited::Free(claims))
    }

    /// The first mark of a cap that nobody has.
    fn counted(
        &self,
        cap: &Cap,
        (key, place): (&str, Option<&str>),
        taken: impl Fn(&str) -> bool,
        asks: &mut Vec<Ask>,
    ) -> Counted {
        let Some(max) = cap.max(place) else {
            return Counted::Unlimited;
        };
        let space = cap.space();
        let mut free = None;
        for count in 0..max {
            let ask = Ask::Marked {
                space: space.clone(),
                key: claim_key(&[&cap.name, key, &count.to_string()]),
            };
            if free.is_none() && !self.seen.contains(&ask) && !taken(ask.key()) {
                free = Some(ask.key().to_owned());
            }
            asks.push(ask);
        }
        free.map_or(Counted::Full, |key| {
            Counted::As(Claim {
                space,
                key,
                window: cap.per,
                is_strict: false,
                of: Claimed::Count,
            })
        })
    }

    fn text(
        &self,
        expr: &Expr,
        document: &Document,
        fuel: &mut Fuel,
    ) -> Result<Option<String>, Halt> {
        let value = self.value(expr, document, fuel)?;
        Ok(value.as_ref().and_then(as_text))
    }
}

/// What counts somebody.
enum Counted {
    /// There is no limit there.
    Unlimited,
    /// Nothing is free any more.
    Full,
    /// This mark.
    As(Claim),
}
