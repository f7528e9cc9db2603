//! Scalars as texts, and what counts as given.

use std::borrow::Cow;

use serde_json::Value;

/// A string, number or truth value as text; `None` for anything else.
pub fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The same, for whoever keeps it.
pub fn as_text(value: &Value) -> Option<String> {
    text_of(value).map(Cow::into_owned)
}

/// Whether a value says something: it is there, not empty, and not `false`.
pub fn is_given(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}
