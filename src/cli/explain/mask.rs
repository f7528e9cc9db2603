//! Covers what a push says, and leaves what the route itself says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::mapping::expr::Expr;
use crate::route::Flow;

/// What may be shown.
pub(super) struct Mask {
    /// Texts of the route and of its settings.
    own: BTreeSet<String>,
    show: bool,
}

impl Mask {
    pub(super) fn of(flow: &Flow, settings: &Value, show: bool) -> Self {
        let mut own = BTreeSet::new();
        collect(settings, &mut own);
        let items = flow.items.iter().flat_map(|items| &items.checks);
        let checks = flow.checks.iter().chain(items);
        own.extend(checks.filter_map(|check| check.reason.clone()));
        let once = flow.items.iter().filter_map(|items| items.once.as_ref());
        let once = once.chain(&flow.once);
        own.extend(once.filter_map(|once| once.reason.clone()));
        flow.walk(&mut |expr| {
            if let Expr::Literal(value) = expr {
                collect(value, &mut own);
            }
        });
        Self { own, show }
    }

    /// The value with everything covered that comes from the push.
    pub(super) fn cover(&self, value: &Value) -> Value {
        match value {
            Value::String(text)
                if text.contains('/')
                    && crate::codec::CODECS.iter().any(|codec| {
                        codec
                            .media_types
                            .iter()
                            .any(|media| text.starts_with(media))
                    }) =>
            {
                value.clone()
            }
            Value::String(text) if self.show || self.is_own(text) => Value::from(text.clone()),
            Value::String(text) => Value::from(covered(text)),
            Value::Number(number) if !self.show && number.to_string().len() > PLAIN_MAX => {
                Value::from(covered(&number.to_string()))
            }
            Value::Array(items) => items.iter().map(|item| self.cover(item)).collect(),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.cover(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// Short words and what the route says itself.
    fn is_own(&self, text: &str) -> bool {
        text.len() <= PLAIN_MAX || self.own.contains(text)
    }
}

fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(members) => members.values().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// The first two and the last two characters.
fn covered(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    match chars.as_slice() {
        [first, second, middle @ .., before, last] => {
            let stars = "*".repeat(middle.len().min(12));
            format!("{first}{second}{stars}{before}{last}")
        }
        _ => "*".repeat(chars.len()),
    }
}

/// In the place of a secret.
pub(super) const COVERED: &str = "[secret]";
/// Words so short say little of anybody.
const PLAIN_MAX: usize = 4;
