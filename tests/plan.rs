//! What routes make of pushes that nobody meant well: the same whatever the order of their keys,
//! and never late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use pintle::config::{catalogue, policies};
use pintle::mapping::{Document, Fuel, Moment};
use pintle::route::Flow;
use pintle::route::flow::Begins;
use pintle::route::flow::plan::{Planned, Planner};
use pintle::yaml::Faults;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The shipped routes that take pushes.
static FLOWS: LazyLock<Vec<Arc<Flow>>> = LazyLock::new(|| {
    let catalogue = catalogue(None, &policies(None), &Faults::new());
    let flows = catalogue.flows().iter();
    let listens = |flow: &&Arc<Flow>| matches!(flow.begins, Begins::Listen(_));
    flows.filter(listens).cloned().collect()
});

fn document(flow: &Flow, body: Value) -> Document {
    let given = |(name, default): &(String, Option<Value>)| {
        (name.clone(), default.clone().unwrap_or_else(|| json!("1")))
    };
    let settings: Map<String, Value> = flow.settings.iter().map(given).collect();
    let mut document = Document::default();
    document.share("settings", &Arc::new(Value::Object(settings)));
    document.put("headers", json!({}));
    document.put("query", json!({}));
    document.put("body", body);
    document
}

/// What a route makes of a body: what is passed on as it came has its own order, which is left out
/// of account here.
fn planned(flow: &Flow, body: Value) -> String {
    let mut document = document(flow, body);
    let planner = Planner {
        flow,
        moment: &Moment::at_ms(1_700_000_000_000),
        seen: &BTreeSet::new(),
    };
    let planned = match planner.plan(&mut document, &mut Fuel::default()) {
        Err(halt) => format!("{halt:?}"),
        Ok(Planned::Ends(ended)) => format!("{:?} {:?}", ended.name, ended.reason),
        Ok(Planned::Goes(plan)) => {
            let consents: Vec<Value> = plan.consents.iter().map(sorted).collect();
            let work: Vec<Value> = plan.work.iter().map(sorted).collect();
            let keeps = plan
                .keeps
                .iter()
                .map(|(space, key, value, _)| (space, key, sorted(value)));
            let keeps: Vec<_> = keeps.collect();
            format!(
                "{:?} {consents:?} {work:?} {keeps:?} {:?}",
                plan.claims, plan.order
            )
        }
    };
    let vars = document.take("vars").unwrap_or_default();
    format!("{planned} {:?}", sorted(&vars))
}

/// The value with its keys in order, without those of [`turned`].
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let own = members
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "__proto__" | "constructor"));
            let own: BTreeMap<&String, Value> =
                own.map(|(key, member)| (key, sorted(member))).collect();
            own.into_iter()
                .map(|(key, member)| (key.clone(), member))
                .collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        value => value.clone(),
    }
}

/// The same value, the keys of whose objects stand the other way round, with others among them
/// that mean something elsewhere.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut other = Map::new();
            other.insert("__proto__".to_owned(), json!({ "phone": "+12025550199" }));
            for (key, member) in members.iter().rev() {
                other.insert(key.clone(), turned(member));
            }
            other.insert("constructor".to_owned(), json!("prototype"));
            Value::Object(other)
        }
        Value::Array(items) => items.iter().map(turned).collect(),
        value => value.clone(),
    }
}

/// Bodies of the names that the routes look at.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!("(202) 555-0142")),
        Just(json!("Texas")),
        Just(json!("75001-1234")),
        Just(json!("")),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    let name = prop::sample::select(
        &[
            "phone",
            "state",
            "zip",
            "id",
            "lead_id",
            "first_name",
            "last_name",
            "email",
            "submission",
            "lead",
            "phones",
            "properties",
            "value",
            "payload",
            "data",
            "form_response",
            "answers",
            "to",
            "reference",
            "debt_amount",
            "vid",
            "firstname",
            "user_column_data",
            "column_id",
            "string_value",
            "triggerType",
            "siteId",
            "caller",
        ][..],
    );
    leaf.prop_recursive(4, 64, 8, move |inner| {
        let member = (name.clone().prop_map(str::to_owned), inner.clone());
        prop_oneof![
            3 => prop::collection::vec(member, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            1 => prop::collection::vec(inner, 0..5).prop_map(Value::Array),
        ]
    })
}

proptest! {
    #[test]
    fn the_order_of_keys_and_keys_of_other_languages_change_nothing(body in body()) {
        for flow in FLOWS.iter() {
            prop_assert_eq!(planned(flow, body.clone()), planned(flow, turned(&body)), "{}", &flow.name);
        }
    }
}

#[test]
fn an_adversarial_push_is_planned_or_refused_in_time() {
    let deep = |depth: usize| (0..depth).fold(json!("x"), |inner, _| json!({ "a": [inner] }));
    let text = "9".repeat(1 << 20);
    let wide: Map<String, Value> = (0..60_000)
        .map(|at| (format!("k{at:05}"), json!(at)))
        .collect();
    let list: Vec<Value> = (0..50_000).map(|at| json!({ "column_id": at })).collect();
    let answers = json!({ "form_response": { "answers": list.clone() }, "user_column_data": list.clone(), "entry": list });
    let bodies = [
        ("deep", deep(60)),
        ("wide", Value::Object(wide)),
        ("listed", answers),
        (
            "long",
            json!({ "phone": text, "to": text, "state": text, "lead_id": text, "caller": text }),
        ),
        (
            "many",
            Value::Array(vec![json!({ "phone": "2025550142" }); 1_000]),
        ),
    ];
    let most = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 5 });
    for (name, body) in bodies {
        for flow in FLOWS.iter() {
            // The best of some, since the machine does other things too.
            let took = (0..5).map(|_| {
                let mut document = document(flow, body.clone());
                let planner = Planner {
                    flow,
                    moment: &Moment::at_ms(1_700_000_000_000),
                    seen: &BTreeSet::new(),
                };
                let begun = Instant::now();
                let _planned = planner.plan(&mut document, &mut Fuel::default());
                begun.elapsed()
            });
            let least = took.min().unwrap();
            assert!(least <= most, "{name} in {}: {least:?}", flow.name);
        }
    }
}
