//! The compliance suite of JSONPath; paths and documents that would take for ever, or end the process.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::time::{Duration, Instant};

use pintle::mapping::{Fuel, OutOfFuel, Path, PathFault};
use serde_json::{Value, json};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// The shortest of some turns: the machine may be busy with something else.
fn shortest(mut turn: impl FnMut()) -> Duration {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        turn();
        start.elapsed()
    });
    times.min().unwrap()
}

fn limit() -> Duration {
    // Without optimisation everything takes some twenty times as long.
    Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 5 })
}

#[test]
fn a_query_that_would_take_for_ever_runs_out_of_fuel() {
    let items: Vec<Value> = (0..5_000).map(|k| json!({"k": [k, {"k": k}]})).collect();
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"a": deep, "b": [1]});
    }
    let pattern = "(a|aa|a?b)".repeat(20);
    let patterns: Vec<String> = (0..100).map(|n| format!("{pattern}{n}")).collect();
    let long = json!({"l": vec!["x".repeat(10_000); 1_000], "p": patterns});
    for (text, document) in [
        ("$..[?$..[?@.k==1]]", json!(items)),
        ("$..*..*..*..*", deep),
        ("$.l[?$.l[?@==$.l[999]] && 1>2]", long.clone()),
        ("$.l[?length(@)<1 || search(@, '[^x]{30}y')]", long.clone()),
        ("$.p[?match($.l[0], @)]", long),
    ] {
        let path = path(text);
        let time = shortest(|| {
            let mut fuel = Fuel::new(100_000);
            assert_eq!(
                path.select(&document, &mut fuel).unwrap_err(),
                OutOfFuel,
                "{text}"
            );
            assert_eq!(fuel.left(), 0, "{text}");
        });
        assert!(time < limit(), "{text}: {time:?}");
    }
}

#[test]
fn a_document_of_any_depth_does_not_end_the_process() {
    let mut document = json!(1);
    for _ in 0..2_000 {
        document = Value::Array(vec![document]);
    }
    for text in ["$..a", "$..[?$..[?@.a]]", "$..*..*"] {
        let found = path(text).select(&document, &mut Fuel::new(u64::MAX));
        assert_eq!(found.unwrap_err(), OutOfFuel, "{text}");
    }
    let steps = path(&format!("${}", "[0]".repeat(1_300)));
    assert!(
        steps
            .first(&document, &mut Fuel::new(2_000))
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_text_that_is_too_large_is_refused_at_once() {
    let mut calls = String::from("@.a");
    for _ in 0..20 {
        calls = format!("count(@[?{calls}])>1");
    }
    for (text, expected) in [
        (format!("${}", "[".repeat(10_000)), PathFault::TooLarge),
        (format!("$[?{}", "(".repeat(10_000)), PathFault::TooLarge),
        (format!("$[?{}", "(".repeat(1_000)), PathFault::TooLarge),
        (format!("$[?{}", "@[?".repeat(1_000)), PathFault::TooLarge),
        (format!("$[?{}", "count(".repeat(500)), PathFault::TooLarge),
        (format!("$[?{calls}]"), PathFault::TooLarge),
        (format!("${}", ".a".repeat(5_000)), PathFault::TooLarge),
        (
            format!("$[?{}", "!".repeat(4_000)),
            PathFault::Syntax { column: Some(5) },
        ),
    ] {
        let time = shortest(|| assert_eq!(Path::parse(&text).unwrap_err(), expected));
        assert!(time < limit(), "{time:?}");
    }
}

/// What is wrong with one case of the compliance suite, or nothing.
fn fault(case: &Value) -> Option<String> {
    let selector = case["selector"].as_str()?;
    let path = Path::parse(selector);
    if case["invalid_selector"] == true {
        return path.ok().map(|_| format!("taken: {selector}"));
    }
    let path = match path {
        Ok(path) => path,
        Err(fault) => return Some(format!("refused: {selector}: {fault}")),
    };
    let nodes = match path.select(&case["document"], &mut Fuel::new(1_000_000)) {
        Ok(nodes) => nodes,
        Err(fault) => return Some(format!("{selector}: {fault}")),
    };
    let found: Value = nodes.iter().cloned().collect();
    let is_right = match (case.get("result"), case.get("results")) {
        (Some(result), _) => *result == found,
        (None, Some(Value::Array(results))) => results.contains(&found),
        _ => false,
    };
    (!is_right).then(|| format!("wrong: {selector}: {found}"))
}

#[test]
fn every_case_of_the_compliance_suite_passes() {
    let file = std::fs::read_to_string("tests/data/jsonpath/cts.json").unwrap();
    let suite: Value = serde_json::from_str(&file).unwrap();
    let cases = suite["tests"].as_array().unwrap();
    let faults: Vec<String> = cases.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(cases.len(), 687);
}
