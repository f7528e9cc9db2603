//! Steps that fail.

use serde_json::json;

use crate::support::{answer, called, late, scene, told, yes};

/// Waits for the steps.
const WAITS: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
once: { key: [$.body.id], for: 1d, reason: seen }
answer: when_done
budget: 1s
steps:
  - call: workflow.create
    body: { workflow_template_id: 1, name: tried, end_time: '2026-12-31 00:00:00' }
    take: { workflow: $.steps.create.body.data.workflow_id }
  - call: workflow.add_contacts
    body: { workflow_id: { from: $.vars.workflow, required: true }, details: [{ callee: '+12025550123' }] }
replies:
  accepted: { json: { ok: true, workflow: $.vars.workflow } }
  repeated: { json: { ok: $.reason } }
  failed: { status: 503, json: { ok: false } }
";

fn created() -> (String, pintle::sandbox::Canned) {
    answer(
        "workflow.create",
        200,
        &json!({ "code": 200, "data": { "workflow_id": "w1" } }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_failed_before_anything_took_effect_may_come_again() {
    let scene = scene(WAITS).await;
    let refused = answer("workflow.create", 503, &json!({}));
    let played = scene.play(&json!({ "id": "a" }), vec![refused]).await;
    assert_eq!(told(&played), (503, json!({ "ok": false })));
    assert_eq!(played.state, None, "nothing of it is left");
    // The sender comes again, and then it works; a third time it is a repeat.
    let answers = vec![created(), yes("workflow.add_contacts")];
    let played = scene.play(&json!({ "id": "a" }), answers).await;
    assert_eq!(
        told(&played),
        (200, json!({ "ok": true, "workflow": "w1" }))
    );
    let played = scene.play(&json!({ "id": "a" }), Vec::new()).await;
    assert_eq!(
        (told(&played), called(&played)),
        ((200, json!({ "ok": "seen" })), vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_effect_is_not_made_again() {
    let scene = scene(WAITS).await;
    // The first step took effect, the second did not: the rest is owed, and the sender that comes
    // again is a repeat.
    let busy = answer("workflow.add_contacts", 503, &json!({}));
    let played = scene
        .play(&json!({ "id": "a" }), vec![created(), busy])
        .await;
    assert_eq!(told(&played).0, 503);
    assert_eq!(played.state, Some("waiting"));
    scene.stage.clock().turn(3600);
    let answers = vec![yes("workflow.add_contacts")];
    let played = scene.play(&json!({ "id": "a" }), answers).await;
    assert_eq!(told(&played), (200, json!({ "ok": "seen" })));
    assert_eq!(
        called(&played),
        ["workflow.add_contacts"],
        "and create is not called again"
    );
    let body = String::from_utf8_lossy(&played.calls[0].body);
    assert!(
        body.contains("w1"),
        "what was taken from the first step is known: {body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_with_no_known_end_is_not_repeated() {
    let scene = scene(WAITS).await;
    let played = scene
        .play(&json!({ "id": "a" }), vec![late("workflow.create")])
        .await;
    assert_eq!(told(&played).0, 503);
    assert_eq!(played.state, Some("unknown"));
    scene.stage.clock().turn(36_000);
    let played = scene.play(&json!({ "id": "a" }), vec![created()]).await;
    assert_eq!(
        (told(&played).1, called(&played)),
        (json!({ "ok": "seen" }), vec![])
    );
}

/// Asks whether a call with no known end took effect.
const RECONCILES: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
answer: when_done
budget: 8s
steps:
  - call: workflow.add_contacts
    timeout: 1s
    body: { workflow_id: w1, details: [{ callee: '+12025550123' }] }
    reconcile:
      step: { name: found, call: workflow.find_by_contact, body: { case_id: c1, start_time: a, end_time: b } }
      done: \"$.steps.found.body.data[0]\"
replies:
  accepted: { json: { ok: true } }
  failed: { status: 503, json: { ok: false } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_knows_how_asks_whether_a_call_took_effect() {
    let scene = scene(RECONCILES).await;
    let found = answer(
        "workflow.find_by_contact",
        200,
        &json!({ "code": 200, "data": [{ "id": 1 }] }),
    );
    let played = scene
        .play(
            &json!({ "id": "a" }),
            vec![late("workflow.add_contacts"), found],
        )
        .await;
    assert_eq!(told(&played), (200, json!({ "ok": true })));
    assert_eq!(
        called(&played),
        ["workflow.add_contacts", "workflow.find_by_contact"]
    );
    // It did not: then it may be made again, here by the sender.
    let none = answer(
        "workflow.find_by_contact",
        200,
        &json!({ "code": 200, "data": [] }),
    );
    let played = scene
        .play(
            &json!({ "id": "b" }),
            vec![late("workflow.add_contacts"), none],
        )
        .await;
    assert_eq!(
        (told(&played).0, played.state),
        (503, Some("done")),
        "withdrawn: only the first is left"
    );
}

/// Offers a lead to one bidder after the other.
const CASCADE: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
answer: when_done
vars:
  bids: { from: $.body.bids, then: [{ sort_desc_by: price }] }
steps:
  - name: sold
    offer_to:
      candidates: $.vars.bids
      max: 3
      steps:
        - name: post
          send: { url: 'https://buyer.example/{$.candidate.who}', effect: repeatable, json: { price: $.candidate.price } }
          check:
            - { unless: { equal: [$.steps.post.body.taken, true] }, reply: accepted }
replies:
  accepted: { json: { sold_to: $.steps.sold.body.who } }
  failed: { json: { sold_to: nobody } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_offered_to_the_best_bidder_and_then_to_the_next() {
    let scene = scene(CASCADE).await;
    let bids = json!({ "bids": [
        { "who": "low", "price": 1 }, { "who": "high", "price": 9 }, { "who": "middle", "price": 5.5 },
    ] });
    let no = || answer("post", 200, &json!({ "taken": false }));
    let yes = || answer("post", 200, &json!({ "taken": true }));
    let played = scene.play(&bids, vec![no(), yes()]).await;
    assert_eq!(told(&played).1, json!({ "sold_to": "middle" }));
    let urls: Vec<&str> = played.calls.iter().map(|made| made.url.as_str()).collect();
    assert_eq!(
        urls,
        ["https://buyer.example/high", "https://buyer.example/middle"]
    );
    let played = scene.play(&bids, vec![no(), no(), no()]).await;
    assert_eq!(told(&played).1, json!({ "sold_to": "nobody" }));
}
