//! Pushes and items that come again, and many at once.

use pintle::rehearsal::{Expected, Turn};
use serde_json::{Value, json};

use crate::support::{NOW_MS, called, push, scene, told, yes};

/// Each of several items, in chunks.
const BATCH: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
items:
  each: $.body
  once: { key: [$.item.id], for: 30d, reason: seen }
  row: { callee: '+12025550123' }
  result: { id: $.item.id, ok: true }
  refusal: { id: $.item.id, ok: $.reason }
steps:
  - call: workflow.add_contacts
    over: $.rows
    chunk: 2
    body: { workflow_id: w1, details: $.chunk }
replies:
  accepted: { json: $.results }
";

fn item(id: &str) -> Value {
    json!({ "id": id, "phone": "+12025550123" })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_batch_is_taken_once() {
    let scene = scene(BATCH).await;
    let batch = json!([item("a"), item("b"), item("a"), item("c")]);
    let answers = vec![yes("workflow.add_contacts"), yes("workflow.add_contacts")];
    let played = scene.play(&batch, answers).await;
    let ok = |id: &str, ok: Value| json!({ "id": id, "ok": ok });
    let expected = json!([
        ok("a", true.into()),
        ok("b", true.into()),
        ok("a", "seen".into()),
        ok("c", true.into())
    ]);
    assert_eq!(told(&played).1, expected);
    assert_eq!(called(&played).len(), 2, "three rows, two at a time");
    let played = scene
        .play(
            &json!([item("c"), item("d")]),
            vec![yes("workflow.add_contacts")],
        )
        .await;
    assert_eq!(
        told(&played).1,
        json!([ok("c", "seen".into()), ok("d", true.into())])
    );
    assert_eq!(called(&played).len(), 1);
}

/// One at a time.
const SINGLE: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
once: { key: [$.body.id], for: 1d, reason: seen }
steps:
  - call: workflow.add_contacts
    body: { workflow_id: w1, details: [{ callee: '+12025550123' }] }
replies:
  accepted: { json: { ok: true } }
  repeated: { json: { ok: $.reason } }
";

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_copies_at_once_one_takes_effect() {
    let scene = scene(SINGLE).await;
    // The copies are pushed beside the one that is played, which has the only answer.
    let turn = Turn {
        now_ms: None,
        push: Some(push(&item("a"))),
        event: None,
        answers: vec![yes("workflow.add_contacts")],
        expected: Expected::default(),
    };
    let copies = (0..99).map(|_| scene.stage.send(&turn));
    let (played, replies) = tokio::join!(
        scene.stage.play(&turn),
        futures_util::future::join_all(copies)
    );
    let played = played.unwrap();
    let mut told: Vec<Value> = replies
        .into_iter()
        .map(|reply| serde_json::from_slice(&reply.unwrap().body).unwrap())
        .collect();
    told.push(serde_json::from_slice(&played.reply.as_ref().unwrap().body).unwrap());
    let taken = told
        .iter()
        .filter(|told| **told == json!({ "ok": true }))
        .count();
    let seen = told
        .iter()
        .filter(|told| **told == json!({ "ok": "seen" }))
        .count();
    assert_eq!((taken, seen), (1, 99));
    assert_eq!(called(&played), ["workflow.add_contacts"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_window_a_push_is_a_new_one() {
    let scene = scene(SINGLE).await;
    let first = scene
        .play(&item("a"), vec![yes("workflow.add_contacts")])
        .await;
    assert_eq!(told(&first).1, json!({ "ok": true }));
    scene.stage.clock().stand_at(NOW_MS + 86_400_000 + 1);
    let again = scene
        .play(&item("a"), vec![yes("workflow.add_contacts")])
        .await;
    assert_eq!(
        (told(&again).1, called(&again).len()),
        (json!({ "ok": true }), 1)
    );
}
