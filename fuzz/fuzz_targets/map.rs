//! Any JSON as the body of a push to each route with steps: it is planned or refused, the same
//! each time, and never makes the gateway fail.
#![no_main]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use pintle::config::{catalogue, policies};
use pintle::mapping::{Document, Fuel, Moment};
use pintle::route::Flow;
use pintle::route::flow::Begins;
use pintle::route::flow::plan::Planner;
use pintle::yaml::Faults;
use serde_json::{Map, Value, json};

static FLOWS: LazyLock<Vec<Arc<Flow>>> = LazyLock::new(|| {
    let catalogue = catalogue(None, &policies(None), &Faults::new());
    let flows = catalogue.flows().iter();
    let listens = |flow: &&Arc<Flow>| matches!(flow.begins, Begins::Listen(_));
    flows.filter(listens).cloned().collect()
});

fuzz_target!(|input: &[u8]| {
    let Ok(body) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    for flow in FLOWS.iter() {
        let given = |(name, default): &(String, Option<Value>)| {
            (name.clone(), default.clone().unwrap_or_else(|| json!("1")))
        };
        let settings: Map<String, Value> = flow.settings.iter().map(given).collect();
        let mut document = Document::default();
        document.share("settings", &Arc::new(Value::Object(settings)));
        document.put("headers", json!({}));
        document.put("query", json!({}));
        document.put("body", body.clone());
        let plan = |mut document: Document| {
            let planner = Planner {
                flow,
                moment: &Moment::at_ms(1_700_000_000_000),
                seen: &BTreeSet::new(),
            };
            let planned = planner.plan(&mut document, &mut Fuel::default());
            format!("{planned:?}")
        };
        assert_eq!(plan(document.clone()), plan(document));
    }
});
