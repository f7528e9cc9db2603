//! Dropping by hand, what is fetched meanwhile, and the bound of the memory.

use crate::support::{Stage, answer, until};

const YES: &str = r#"{"code":200,"data":[]}"#;

#[tokio::test]
async fn an_operation_is_dropped_for_one_account_or_all() {
    let stage = Stage::new(|_, _| answer(YES, &[])).await;
    let paths = [
        "/cloud/robots",
        "/accounts/other/cloud/robots",
        "/cloud/pages?page=1",
    ];
    let admin = stage.admin();
    for (query, purged, hits) in [
        ("operation=cloud.robots&account=other", 1, 1),
        ("operation=cloud.robots", 2, 2),
        ("account=main", 2, 2),
    ] {
        for path in paths {
            stage.client.get(path).await;
        }
        let before = stage.origin.hits();
        let reply = admin
            .send("POST", &format!("/cache/purge?{query}"), &[], "")
            .await;
        assert!(
            reply.body.contains(&format!("\"purged\": {purged}")),
            "{}",
            reply.body
        );
        for path in paths {
            stage.client.get(path).await;
        }
        assert_eq!(stage.origin.hits() - before, hits, "{query}");
    }
    for (query, why) in [
        ("operation=cloud.robot", "there is no operation"),
        ("account=mine", "there is no account"),
        ("", "name an `operation`"),
        ("path=/x", "not known here"),
    ] {
        let reply = admin
            .send("POST", &format!("/cache/purge?{query}"), &[], "")
            .await;
        assert_eq!(reply.status, 400);
        assert!(reply.body.contains(why), "{}", reply.body);
    }
}

#[tokio::test]
async fn what_is_kept_is_listed_without_what_was_said() {
    let stage = Stage::new(|_, _| answer(YES, &[])).await;
    for _ in 0..3 {
        stage.client.get("/cloud/robots?name=secret").await;
    }
    let admin = stage.admin();
    let kept = admin.get("/cache/entries").await.body;
    assert!(
        kept.contains("cloud.robots") && !kept.contains("secret"),
        "{kept}"
    );
    let stats = admin.get("/cache").await.body;
    for line in ["\"hits\": 2", "\"misses\": 1", "\"stored\": 1"] {
        assert!(stats.contains(line), "{stats}");
    }
}

#[tokio::test]
async fn what_was_being_fetched_when_it_was_dropped_is_not_kept() {
    let stage = Stage::new(|_, n| answer(&format!(r#"{{"code":200,"data":{n}}}"#), &[])).await;
    stage.origin.hold();
    let fetching = stage.client.get("/cloud/robots");
    let purging = async {
        until("the fetch", || stage.origin.hits() == 1).await;
        let path = "/cache/purge?operation=cloud.robots";
        stage.admin().send("POST", path, &[], "").await;
        stage.origin.let_go(9);
    };
    let (reply, ()) = tokio::join!(fetching, purging);
    assert_eq!(reply.body, r#"{"code":200,"data":0}"#);
    let reply = stage.client.get("/cloud/robots").await;
    assert_eq!(reply.body, r#"{"code":200,"data":1}"#);
}

#[tokio::test]
async fn a_fetch_that_began_before_a_change_is_not_kept() {
    let fresh = |body: &str| answer(body, &[("cache-control", "max-age=60")]);
    let stage = Stage::new(move |seen, n| fresh(&format!("{}{n}", seen.method))).await;
    stage.origin.hold();
    let fetching = stage.client.get("/plain/x");
    let changing = async {
        until("the fetch", || stage.origin.hits() == 1).await;
        let changing = stage.client.send("POST", "/plain/x", &[], "new");
        let letting_go = async {
            until("the change", || stage.origin.hits() == 2).await;
            // The first to wait is the first to go: the old reply leaves before the change is done.
            stage.origin.let_go(9);
        };
        tokio::join!(changing, letting_go);
    };
    tokio::join!(fetching, changing);
    let reply = stage.client.get("/plain/x").await;
    assert_eq!(reply.body, "GET2", "{:?}", reply.headers);
}
