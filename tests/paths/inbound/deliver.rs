//! Deliveries: until they are taken, and without harm to each other.

use std::time::Duration;

use super::*;
use crate::receiver::Manner;
use crate::support::until;

async fn push(bridge: &Bridge, call: &str) {
    let reply = bridge
        .public
        .post(CALL, &BODY.replace("call-1", call))
        .await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
}

#[tokio::test]
async fn a_delivery_is_tried_until_it_is_taken() {
    let app = Receiver::start().await;
    app.behave([
        Manner::Status(500),
        Manner::Break,
        Manner::Status(302),
        Manner::Status(404),
    ]);
    let bridge = Bridge::start(&receiver("app", &app, "")).await;
    push(&bridge, "a").await;
    until("it is taken", || app.count() == 5).await;
    let listed = loop {
        let listed = bridge.listed("state=done").await;
        if !listed.is_empty() {
            break listed;
        }
    };
    assert_eq!(listed[0]["attempts"], 5);
    let ids: std::collections::BTreeSet<_> = app
        .received()
        .iter()
        .map(|received| received.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "every attempt has the id of the event");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let app = Receiver::start().await;
    app.behave([Manner::After(503, 1)]);
    let url = app.url();
    let receivers = format!("  app: {{ url: \"{url}\", retry: {{ first: 50ms, max: 5s }} }}\n");
    let bridge = Bridge::start(&receivers).await;
    push(&bridge, "a").await;
    until("the first attempt", || app.count() == 1).await;
    let begun = tokio::time::Instant::now();
    until("the second attempt", || app.count() == 2).await;
    assert!(
        begun.elapsed() > Duration::from_millis(900),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_target_that_hangs_holds_up_nobody_else() {
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.always(Some(Manner::Slow(Duration::from_mins(1))));
    let receivers = receiver("slow", &slow, "attempts_max: 1") + &receiver("quick", &quick, "");
    let bridge = Bridge::start(&receivers).await;
    for call in 0..20 {
        push(&bridge, &format!("call-{call}")).await;
    }
    until("all at the quick one", || quick.count() == 20).await;
    assert_eq!(slow.count(), 1);
}

#[tokio::test]
async fn an_attempt_whose_end_is_not_known_is_not_repeated_where_that_does_harm() {
    let app = Receiver::start().await;
    app.behave([Manner::Break]);
    let bridge = Bridge::start(&receiver("app", &app, "effect: once")).await;
    push(&bridge, "a").await;
    until("the attempt", || app.count() == 1).await;
    push(&bridge, "b").await;
    until("another one goes on", || app.count() == 2).await;
    let listed = bridge.listed("state=unknown").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["class"], "upstream_broken");
    let admin = bridge.stage.admin();
    let asked = admin
        .send("POST", "/deliveries/replay?state=unknown", &[], "")
        .await;
    assert_eq!(asked.json()["would_mean_at_most"], 1);
    let replayed = "/deliveries/replay?state=unknown&yes=true";
    assert_eq!(
        admin.send("POST", replayed, &[], "").await.json()["changed"],
        0
    );
    let forced = format!("{replayed}&force=true");
    assert_eq!(
        admin.send("POST", &forced, &[], "").await.json()["changed"],
        1
    );
    until("it is delivered again", || app.count() == 3).await;
}

#[tokio::test]
async fn what_is_given_up_is_buried_and_can_be_replayed() {
    let app = Receiver::start().await;
    app.always(Some(Manner::Status(500)));
    let url = app.url();
    let receivers = format!(
        "  app: {{ url: \"{url}\", retry: {{ first: 50ms, max: 100ms, horizon: 300ms }} }}\n"
    );
    let bridge = Bridge::start(&receivers).await;
    push(&bridge, "a").await;
    let buried = loop {
        let buried = bridge.listed("state=buried").await;
        if !buried.is_empty() {
            break buried;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(
        (&buried[0]["class"], &buried[0]["status"]),
        (&"status".into(), &500.into())
    );
    app.always(None);
    let tried = app.count();
    let admin = bridge.stage.admin();
    let id = buried[0]["id"].as_i64().unwrap();
    let shown = admin.get(&format!("/deliveries/{id}")).await.json();
    assert_eq!(shown["body"]["CallID"], "a");
    let path = format!("/deliveries/replay?id={id}&yes=true");
    let replayed = admin.send("POST", &path, &[], "");
    assert_eq!(replayed.await.json()["changed"], 1);
    until("it is delivered", || app.count() == tried + 1).await;
}

#[tokio::test]
async fn a_target_that_is_gone_is_left_alone() {
    let app = Receiver::start().await;
    app.behave([Manner::Status(410)]);
    let bridge = Bridge::start(&receiver("app", &app, "")).await;
    push(&bridge, "a").await;
    until("the attempt", || app.count() == 1).await;
    push(&bridge, "b").await;
    let ready = bridge.stage.admin().get("/readyz").await.json();
    assert_eq!(ready["receivers"]["app"], "gone");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.count(), 1);
    assert_eq!(bridge.listed("state=waiting").await.len(), 2);
}
