//! Who is left alone, and how often others are called.

use std::sync::Arc;

use pintle::policy::Policies;
use pintle::rehearsal::{Expected, Turn};
use pintle::yaml::{Faults, Source};
use serde_json::{Value, json};

use crate::support::{NOW_MS, answer, called, push, scene, told, yes};

const HOUR_MS: i64 = 3_600_000;

/// One lead at a time; three calls a day to somebody in Florida.
const LEAD: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
limits:
  - { suppressed_by: do_not_call, key: $.body.phone, reason: left alone }
  - { cap: us_attempts, key: $.body.phone, place: $.body.state, reason: too often }
once: { key: [$.body.id], for: 30d, reason: seen }
steps:
  - call: workflow.add_contacts
    body: { workflow_id: w1, details: [{ callee: '+12025550123' }] }
replies:
  accepted: { json: { ok: true } }
  refused: { status: 422, json: { why: $.reason } }
  repeated: { json: { again: true } }
";

/// Puts those on the list who ask for it.
const OPT_OUT: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
limits:
  - { suppressed_by: do_not_call, key: $.body.phone, reply: skipped }
keep:
  - { space: do_not_call, key: $.body.phone, value: true, for: 1d }
replies:
  accepted: { json: { ok: true } }
  skipped: { json: { ok: skipped } }
";

fn lead(id: &str, phone: &str) -> Value {
    json!({ "id": id, "phone": phone, "state": "fl" })
}

fn at(now_ms: i64, body: &Value) -> Turn {
    Turn {
        now_ms: Some(now_ms),
        push: Some(push(body)),
        event: None,
        answers: vec![yes("workflow.add_contacts")],
        expected: Expected::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_over_every_stretch_of_its_length() {
    let scene = scene(LEAD).await;
    let too_often = (422, json!({ "why": "too often" }));
    let good = (200, json!({ "ok": true }));
    for (id, phone, after_h, expected) in [
        ("a", "+13055550100", 0, &good),
        ("b", "+13055550100", 10, &good),
        ("c", "+13055550100", 20, &good),
        ("d", "+13055550100", 21, &too_often),
        ("e", "+13055550101", 21, &good),
        ("f", "+13055550100", 23, &too_often),
        ("g", "+13055550100", 24, &good),
        ("h", "+13055550100", 25, &too_often),
        ("i", "+13055550100", 34, &good),
        ("j", "+13055550100", 43, &too_often),
    ] {
        let turn = at(NOW_MS + after_h * HOUR_MS, &lead(id, phone));
        let played = scene.stage.play(&turn).await.unwrap();
        assert_eq!(&told(&played), expected, "{id}");
        assert_eq!(
            called(&played).len(),
            usize::from(expected == &good),
            "{id}"
        );
    }
    // Where there is no limit, nobody is counted.
    for id in 0..5 {
        let elsewhere = json!({ "id": format!("tx-{id}"), "phone": "+12145550100", "state": "TX" });
        let played = scene.stage.play(&at(NOW_MS, &elsewhere)).await.unwrap();
        assert_eq!(told(&played), good);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_no_more_are_taken_than_the_cap_allows() {
    let scene = scene(LEAD).await;
    let turns: Vec<Turn> = (0..40)
        .map(|id| {
            let mut turn = at(NOW_MS, &lead(&format!("l{id}"), "+13055550100"));
            turn.answers.clear();
            turn
        })
        .collect();
    let sent = turns.iter().map(|turn| scene.stage.send(turn));
    let replies = futures_util::future::join_all(sent).await;
    let statuses: Vec<u16> = replies
        .into_iter()
        .map(|reply| reply.unwrap().status.as_u16())
        .collect();
    let taken = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 422).count();
    assert_eq!((taken, refused), (3, 37));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_no_attempt_and_what_was_given_up_is_not_counted() {
    let scene = scene(LEAD).await;
    let no = || {
        vec![answer(
            "workflow.add_contacts",
            400,
            &json!({ "code": 400 }),
        )]
    };
    for id in ["a", "b", "c", "d"] {
        let mut turn = at(NOW_MS, &lead(id, "+13055550100"));
        turn.answers = no();
        let played = scene.stage.play(&turn).await.unwrap();
        assert_eq!(
            (told(&played).0, played.state),
            (200, Some("buried")),
            "{id}"
        );
    }
    for (id, expected) in [
        ("e", json!({ "ok": true })),
        ("e", json!({ "again": true })),
        ("f", json!({ "ok": true })),
        ("g", json!({ "ok": true })),
        ("h", json!({ "why": "too often" })),
        // A repeat is told so, also where the cap is full.
        ("e", json!({ "again": true })),
    ] {
        let turn = at(NOW_MS, &lead(id, "+13055550100"));
        let played = scene.stage.play(&turn).await.unwrap();
        assert_eq!(told(&played).1, expected, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_a_list_is_left_alone_until_taken_off_it() {
    let scene = scene(LEAD).await;
    let faults = Faults::new();
    let file = Source::new("limits.yaml", include_str!("../../policies/limits.yaml"));
    let policies = Policies::read(&[file], &faults);
    let list = Arc::clone(policies.suppressions.get("do_not_call").unwrap());
    let play = async |id: &str, after_h: i64| {
        let turn = at(NOW_MS + after_h * HOUR_MS, &lead(id, "+13055550100"));
        told(&scene.stage.play(&turn).await.unwrap()).1
    };
    let alone = json!({ "why": "left alone" });
    assert_eq!(play("a", 0).await, json!({ "ok": true }));
    let inbound = scene.stage.inbound().unwrap();
    inbound
        .suppress(&list, &["+13055550100", "+1"])
        .await
        .unwrap();
    assert_eq!(play("b", 0).await, alone);
    assert_eq!(play("a", 0).await, json!({ "again": true }));
    let listed = inbound.suppressed(&list, None).await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|keep| keep.key.as_str()).collect();
    assert_eq!(keys, ["+1", "+13055550100"]);
    assert_eq!(play("b", 4 * 366 * 24).await, alone, "for years");
    scene.stage.clock().stand_at(NOW_MS);
    inbound.release(&list, &["+13055550100"]).await.unwrap();
    assert_eq!(play("b", 0).await, json!({ "ok": true }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_puts_those_on_a_list_who_ask_for_it() {
    let scene = scene(OPT_OUT).await;
    let play = async |after_h: i64| {
        let turn = at(NOW_MS + after_h * HOUR_MS, &lead("a", "+13055550100"));
        told(&scene.stage.play(&turn).await.unwrap()).1
    };
    assert_eq!(play(0).await, json!({ "ok": true }));
    assert_eq!(play(23).await, json!({ "ok": "skipped" }));
    assert_eq!(play(24).await, json!({ "ok": true }));
}

/// Each of several leads.
const BATCH: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
items:
  each: $.body
  limits:
    - { cap: us_attempts, key: $.item.phone, place: $.item.state, reason: too often }
  once: { key: [$.item.id], for: 30d, reason: seen }
  row: { callee: '+12025550123' }
  result: $.item.id
  refusal: $.reason
steps:
  - call: workflow.add_contacts
    over: $.rows
    body: { workflow_id: w1, details: $.chunk }
replies:
  accepted: { json: $.results }
";

#[tokio::test(flavor = "multi_thread")]
async fn the_items_of_a_batch_are_counted_one_by_one() {
    let scene = scene(BATCH).await;
    let batch = |ids: &[&str]| {
        let leads = ids.iter().map(|id| lead(id, "+13055550100"));
        Value::Array(leads.collect())
    };
    let play =
        async |ids: &[&str]| told(&scene.stage.play(&at(NOW_MS, &batch(ids))).await.unwrap()).1;
    assert_eq!(play(&["a", "a", "b"]).await, json!(["a", "seen", "b"]));
    assert_eq!(
        play(&["b", "c", "d"]).await,
        json!(["seen", "c", "too often"])
    );
}
