//! Functions on lists.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::slice;
use std::sync::Arc;

use serde_json::Value;

use super::decimal::Decimal;
use super::{Apply, Function, Kind, LIST_MAX, Make, TEXT_MAX, absent, gives, scalar_of};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "first_item",
        about: "The first item; absent where it is `null` or there is none.",
        argument: "",
        takes: Kind::List,
        gives: Kind::Any,
        cost: 1,
        examples: &[
            gives("", r#"["a", "b"]"#, r#""a""#),
            absent("", "[]"),
            absent("", r#""a""#),
        ],
        make: Make::Bare(|value, _| {
            items(value)?
                .into_iter()
                .next()
                .filter(|item| !item.is_null())
        }),
    },
    Function {
        name: "last_item",
        about: "The last item; absent where it is `null` or there is none.",
        argument: "",
        takes: Kind::List,
        gives: Kind::Any,
        cost: 1,
        examples: &[gives("", r#"["a", "b"]"#, r#""b""#), absent("", "[]")],
        make: Make::Bare(|value, _| items(value)?.pop().filter(|item| !item.is_null())),
    },
    Function {
        name: "join",
        about: "Writes the items one after the other, without those that are empty, `null` or no \
                single value. A single value is a list of one.",
        argument: "what to put between them",
        takes: Kind::Any,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives(r#"", ""#, r#"["a", "", null, 7]"#, r#""a, 7""#),
            gives(r#"", ""#, r#""a""#, r#""a""#),
            absent(r#"", ""#, "[null]"),
            absent(r#"", ""#, "{}"),
        ],
        make: Make::With(|argument| {
            let between: String = argument.read()?;
            let between = argument.short(between)?;
            Some(Arc::new(move |value, _| join(&value, &between)))
        }),
    },
    Function {
        name: "flatten",
        about: "Puts the items of inner lists in the place of these lists, one level deep.",
        argument: "",
        takes: Kind::List,
        gives: Kind::List,
        cost: 2,
        examples: &[
            gives("", "[[1, 2], 3, [[4]]]", "[1, 2, 3, [4]]"),
            absent("", "1"),
        ],
        make: Make::Bare(|value, _| flatten(items(value)?)),
    },
    Function {
        name: "distinct",
        about: "Drops every item that stood there before; the order stays.",
        argument: "",
        takes: Kind::List,
        gives: Kind::List,
        cost: 16,
        examples: &[
            gives("", r#"["b", "a", "b", 1]"#, r#"["b", "a", 1]"#),
            absent("", "null"),
        ],
        make: Make::Bare(|value, _| {
            let mut seen = HashSet::new();
            let mut list = items(value)?;
            list.retain(|item| seen.insert(item.to_string()));
            Some(Value::Array(list))
        }),
    },
    Function {
        name: "max_by",
        about: "The object whose member is the greatest number; the first of equal ones.",
        argument: "the name of the member",
        takes: Kind::List,
        gives: Kind::Object,
        cost: 8,
        examples: &[
            gives(
                "bid",
                r#"[{"id": 1, "bid": "9.50"}, {"id": 2, "bid": 10}]"#,
                r#"{"id": 2, "bid": 10}"#,
            ),
            absent("bid", r#"[{"id": 1}]"#),
        ],
        make: Make::With(|argument| {
            let member = argument.word()?;
            Some(ranked(member, |list| list.into_iter().next()))
        }),
    },
    Function {
        name: "min_by",
        about: "The object whose member is the smallest number; the first of equal ones.",
        argument: "the name of the member",
        takes: Kind::List,
        gives: Kind::Object,
        cost: 8,
        examples: &[
            gives(
                "rank",
                r#"[{"id": 1, "rank": 2}, {"id": 2, "rank": 1}]"#,
                r#"{"id": 2, "rank": 1}"#,
            ),
            absent("rank", "[]"),
        ],
        make: Make::With(|argument| {
            let member = argument.word()?;
            Some(sorted(member, Decimal::compare, |list| {
                list.into_iter().next()
            }))
        }),
    },
    Function {
        name: "sort_desc_by",
        about: "The objects whose member is a number, the greatest first; others are dropped.",
        argument: "the name of the member",
        takes: Kind::List,
        gives: Kind::List,
        cost: 16,
        examples: &[
            gives(
                "bid",
                r#"[{"bid": 1}, {}, {"bid": "2.5"}]"#,
                r#"[{"bid": "2.5"}, {"bid": 1}]"#,
            ),
            absent("bid", r#"{"bid": 1}"#),
        ],
        make: Make::With(|argument| {
            let member = argument.word()?;
            Some(ranked(member, |list| Some(Value::Array(list))))
        }),
    },
];

/// The items of a list that is not too long.
pub(super) fn items(value: Cow<'_, Value>) -> Option<Vec<Value>> {
    if value.as_array()?.len() > LIST_MAX {
        return None;
    }
    match value.into_owned() {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn join(value: &Value, between: &str) -> Option<Value> {
    let items = match value {
        Value::Array(items) if items.len() > LIST_MAX => return None,
        Value::Array(items) => items,
        single => slice::from_ref(single),
    };
    let mut joined = String::new();
    for text in items
        .iter()
        .filter_map(scalar_of)
        .filter(|text| !text.is_empty())
    {
        if !joined.is_empty() {
            joined.push_str(between);
        }
        joined.push_str(&text);
        if joined.len() > TEXT_MAX {
            return None;
        }
    }
    (!joined.is_empty()).then_some(Value::String(joined))
}

fn flatten(items: Vec<Value>) -> Option<Value> {
    let mut flat = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::Array(inner) => flat.extend(inner),
            item => flat.push(item),
        }
        if flat.len() > LIST_MAX {
            return None;
        }
    }
    Some(Value::Array(flat))
}

/// What comes of the objects that have a number as their member, the greatest first.
fn ranked(member: String, last: fn(Vec<Value>) -> Option<Value>) -> Apply {
    sorted(member, |a, b| b.compare(a), last)
}

fn sorted(
    member: String,
    order: fn(Decimal, Decimal) -> Ordering,
    last: fn(Vec<Value>) -> Option<Value>,
) -> Apply {
    Arc::new(move |value, _| {
        let numbered = |item: Value| Some((Decimal::of(item.get(&member)?)?, item));
        let mut list: Vec<(Decimal, Value)> =
            items(value)?.into_iter().filter_map(numbered).collect();
        list.sort_by(|(a, _), (b, _)| order(*a, *b));
        last(list.into_iter().map(|(_, item)| item).collect())
    })
}
