//! What is taken, and what is not.

use super::*;
use crate::support::until;

#[tokio::test]
async fn a_push_is_stored_delivered_and_known_again() {
    let app = Receiver::start().await;
    let bridge = Bridge::start(&receiver(
        "app",
        &app,
        &format!("secrets: [\"literal:{SECRET}\"]"),
    ))
    .await;
    let first = bridge.public.post(CALL, BODY).await;
    assert_eq!(first.status, 200, "{:?}", first.body);
    let again = bridge.public.post(CALL, BODY).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
    until("the delivery", || app.count() == 1).await;
    let received = app.received().remove(0);
    assert_eq!(received.body, BODY, "numbers and unknown fields are kept");
    assert_eq!(received.path, "/platform?from=pintle");
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("x-pintle-route"), "workflow.call_finished");
    assert!(received.header("webhook-id").starts_with("evt_"));
    assert!(received.header("webhook-signature").starts_with("v1,"));
    // The target has it a moment before it is settled.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let listed = loop {
        let listed = bridge.listed("state=done").await;
        if !listed.is_empty() || tokio::time::Instant::now() > deadline {
            break listed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["event"], received.header("webhook-id"));
    assert_eq!(listed[0]["attempts"], 1);
}

#[tokio::test]
async fn of_a_hundred_copies_at_once_one_is_delivered() {
    let app = Receiver::start().await;
    let bridge = Bridge::start(&receiver("app", &app, "")).await;
    let pushes: Vec<_> = (0..100)
        .map(|_| {
            let public = bridge.public.clone();
            tokio::spawn(async move { public.post(CALL, BODY).await.status })
        })
        .collect();
    for push in pushes {
        assert_eq!(push.await.unwrap(), 200);
    }
    let other = bridge
        .public
        .post(CALL, &BODY.replace("call-1", "call-2"))
        .await;
    assert_eq!(other.status, 200);
    until("both deliveries", || app.count() == 2).await;
    assert_eq!(bridge.listed("").await.len(), 2);
}

#[tokio::test]
async fn what_is_not_proved_gets_one_answer_and_then_has_to_wait() {
    let app = Receiver::start().await;
    let bridge = Bridge::with(&receiver("app", &app, ""), "failures_max: 3", "").await;
    let mut told = std::collections::BTreeSet::new();
    for path in [
        "/callback/wrong/workflow/call-finished",
        "/callback/s3cre/workflow/call-finished",
        "/callback/s3crett/workflow/call-finished",
    ] {
        let headers = [("x-request-id", "the-same")];
        let reply = bridge.public.send("POST", path, &headers, BODY).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (403, "push_refused")
        );
        assert!(
            !reply.headers.contains_key("server-timing"),
            "it tells how far a push came"
        );
        let names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
        told.insert((names, reply.body));
    }
    assert_eq!(told.len(), 1);
    bridge
        .public
        .post("/callback/wrong/workflow/call-finished", BODY)
        .await;
    let reply = bridge.public.post(CALL, BODY).await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (429, "sender_held_back")
    );
    assert!(reply.headers.contains_key("retry-after"));
    assert_eq!(bridge.listed("").await.len(), 0);
}

#[tokio::test]
async fn what_nobody_declared_is_not_there() {
    let app = Receiver::start().await;
    let only_calls = receiver("app", &app, "routes: [workflow.call_finished]");
    let bridge = Bridge::start(&only_calls).await;
    for (method, path) in [
        ("POST", "/"),
        ("POST", "/callback/s3cret/workflow/nothing"),
        ("GET", CALL),
        ("POST", LIST),
        (
            "POST",
            "/accounts/nobody/callback/s3cret/workflow/call-finished",
        ),
        ("GET", "/deliveries"),
        ("GET", "/readyz"),
    ] {
        let reply = bridge.public.send(method, path, &[], BODY).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (404, "nothing_here"),
            "{path}"
        );
    }
    let named = format!("/accounts/main{CALL}");
    assert_eq!(bridge.public.post(&named, BODY).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_stored() {
    let app = Receiver::start().await;
    let bridge = Bridge::start(&receiver("app", &app, "")).await;
    for (body, headers) in [
        ("{\"a\":", &[][..]),
        ("", &[]),
        ("{} {}", &[]),
        ("{}", &[("content-encoding", "gzip")]),
    ] {
        let reply = bridge.public.send("POST", CALL, headers, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (400, "push_malformed"),
            "{body}"
        );
    }
    let huge = bridge.public.post(CALL, &"1".repeat((1 << 20) + 1)).await;
    assert_eq!(huge.code(), "body_too_large");
    assert_eq!(bridge.listed("").await.len(), 0);
    // It is counted, and nothing more.
    let counted = bridge.stage.admin().get("/pushes").await.json();
    let of_route = counted.as_object().unwrap().values().next().unwrap();
    assert_eq!(of_route["push_malformed"], 4, "{counted}");
}

#[tokio::test]
async fn pushes_over_their_rate_come_again_later_and_only_proved_ones_count() {
    let app = Receiver::start().await;
    let folder = crate::support::policies_with(
        "rate.yaml",
        "rates: { calls_back: { source: assumed, pushes: [\"workflow.*\"], per: [route], limits: [{ max: 2, per: 10m, burst: 2 }] } }",
    );
    let more = "policies: policies\n";
    let bridge = Bridge::in_folder(folder, &receiver("app", &app, ""), "", more).await;
    let wrong = "/callback/wrong/workflow/call-finished";
    for _ in 0..4 {
        assert_eq!(bridge.public.post(wrong, BODY).await.status, 403);
    }
    for call in ["a", "b"] {
        let body = BODY.replace("call-1", call);
        assert_eq!(bridge.public.post(CALL, &body).await.status, 200);
    }
    let refused = bridge.public.post(CALL, BODY).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (429, "over_quota")
    );
    assert_eq!(refused.json()["outcome"], "not_stored");
    assert_eq!(refused.header("ratelimit"), "\"calls_back\";r=0;t=300");
    assert_eq!(bridge.listed("").await.len(), 2);
    let counted = bridge.stage.admin().get("/pushes").await.json();
    assert!(counted.to_string().contains("over_quota"), "{counted}");
    assert_eq!(
        bridge.public.post(LIST, BODY).await.status,
        200,
        "another route"
    );
}
