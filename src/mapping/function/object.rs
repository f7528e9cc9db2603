//! Functions on objects.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Function, Kind, Make, absent, gives, scalar_of};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "to_strings",
        about: "Writes every member as text, and drops those that are `null`, a list or an object.",
        argument: "",
        takes: Kind::Object,
        gives: Kind::Object,
        cost: 2,
        examples: &[
            gives(
                "",
                r#"{"a": 1.50, "b": true, "c": null, "d": [1], "e": ""}"#,
                r#"{"a": "1.50", "b": "true", "e": ""}"#,
            ),
            gives("", r#"{"__proto__": 1}"#, r#"{"__proto__": "1"}"#),
            absent("", "[1]"),
        ],
        make: Make::Bare(|value, _| {
            let mut members = members(value)?;
            members.retain(|_, value| {
                if !value.is_string() {
                    let text = scalar_of(value).map(Cow::into_owned);
                    *value = text.map_or(Value::Null, Value::String);
                }
                !value.is_null()
            });
            Some(Value::Object(members))
        }),
    },
    Function {
        name: "drop_empty",
        about: "Drops every member that is `null` or an empty text.",
        argument: "",
        takes: Kind::Object,
        gives: Kind::Object,
        cost: 2,
        examples: &[
            gives(
                "",
                r#"{"a": "", "b": null, "c": 0, "constructor": "x"}"#,
                r#"{"c": 0, "constructor": "x"}"#,
            ),
            absent("", r#""""#),
        ],
        make: Make::Bare(|value, _| {
            let mut members = members(value)?;
            members.retain(|_, value| !(value.is_null() || *value == ""));
            Some(Value::Object(members))
        }),
    },
    Function {
        name: "member",
        about: "One member of an object; absent where it is `null` or there is none.",
        argument: "the name of the member",
        takes: Kind::Object,
        gives: Kind::Any,
        cost: 1,
        examples: &[
            gives("id", r#"{"id": 7}"#, "7"),
            absent("constructor", "{}"),
            absent("id", "[]"),
        ],
        make: Make::With(|argument| {
            let name = argument.word()?;
            Some(std::sync::Arc::new(move |value, _: &_| {
                let member = value.as_object()?.get(&name);
                member.filter(|member| !member.is_null()).cloned()
            }))
        }),
    },
];

fn members(value: Cow<'_, Value>) -> Option<Map<String, Value>> {
    match value.into_owned() {
        Value::Object(members) => Some(members),
        _ => None,
    }
}
