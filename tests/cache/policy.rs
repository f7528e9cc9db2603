//! Mode one: operations that a policy names.

use crate::support::{Answer, Stage, answer, status, until};

const YES: &str = r#"{"code":200,"data":[]}"#;

fn yes() -> Answer {
    answer(YES, &[("content-type", "application/json")])
}

#[tokio::test]
async fn a_fresh_reply_answers_and_says_so() {
    let stage = Stage::new(|_, _| yes()).await;
    let first = stage.client.get("/cloud/robots?Limit=1").await;
    assert_eq!(first.told(), "fwd=uri-miss; stored");
    stage.clock.turn(20);
    let second = stage.client.get("/cloud/robots?Limit=1").await;
    assert_eq!((second.status.as_u16(), second.body.as_str()), (200, YES));
    assert_eq!(second.told(), "hit");
    assert!(
        second.header("cache-status").contains("ttl=39")
            || second.header("cache-status").contains("ttl=40")
    );
    assert!(["20", "21"].contains(&second.header("age")));
    assert_eq!(second.header("x-pintle-verdict"), "accepted");
    assert_eq!(second.header("content-type"), "application/json");
    assert!(second.header("server-timing").contains("cache;dur="));
    assert!(!second.header("server-timing").contains("token;dur="));
    // By its name it is the same operation.
    let named = stage.client.get("/operations/cloud.robots?Limit=1").await;
    assert_eq!((named.told().as_str(), stage.origin.hits()), ("hit", 1));
}

#[tokio::test]
async fn what_the_key_does_not_cover_is_never_answered_from_the_cache() {
    let stage = Stage::new(|_, _| yes()).await;
    for (path, told) in [
        ("/cloud/robots?Limit=1", "fwd=uri-miss; stored"),
        ("/cloud/robots?Limit=2", "fwd=uri-miss; stored"),
        ("/cloud/pages?page=1", "fwd=uri-miss; stored"),
        ("/cloud/pages?page=1", "hit"),
        ("/cloud/pages?page=2", "fwd=uri-miss; stored"),
        ("/cloud/pages?page=1&x=1", "fwd=bypass"),
        ("/cloud/pages?page=1&x=1", "fwd=bypass"),
        ("/cloud/live", ""),
    ] {
        let reply = stage.client.get(path).await;
        if path != "/cloud/live" {
            assert_eq!(reply.told(), told, "{path}");
        }
    }
    for (body, told) in [
        (r#"{"page":1,"size":9}"#, "fwd=uri-miss; stored"),
        (r#"{"size":9,"page":1}"#, "hit"),
        (r#"{"page":"1","size":9}"#, "fwd=uri-miss; stored"),
        (r#"{"page":[1],"size":9}"#, "fwd=bypass"),
        ("no JSON", "fwd=bypass"),
    ] {
        let headers = [("content-type", "application/json")];
        let reply = stage
            .client
            .send("POST", "/cloud/search", &headers, body)
            .await;
        assert_eq!(reply.told(), told, "{body}");
    }
}

#[tokio::test]
async fn a_header_of_the_key_tells_calls_apart() {
    let tongue = |seen: &crate::support::Seen, _| {
        let said = seen.headers.get("accept-language");
        let said = said.map_or("", |said| said.to_str().unwrap());
        let body = format!(r#"{{"code":200,"data":"{said}"}}"#);
        answer(&body, &[("vary", "Accept-Language")])
    };
    let stage = Stage::new(tongue).await;
    for _ in 0..2 {
        for said in ["de", "fr"] {
            let headers = [("accept-language", said)];
            let reply = stage
                .client
                .send("GET", "/cloud/tongues", &headers, "")
                .await;
            assert!(reply.body.contains(said), "{}", reply.body);
        }
    }
    assert_eq!(stage.origin.hits(), 2);
    // A reply that varies by what is not in the key is not kept.
    stage.client.get("/cloud/robots").await;
    assert_eq!(
        stage.client.get("/cloud/robots").await.told(),
        "fwd=uri-miss"
    );
}

#[tokio::test]
async fn two_accounts_never_share() {
    let stage = Stage::new(|_, n| answer(&format!(r#"{{"code":200,"data":{n}}}"#), &[])).await;
    for path in ["/cloud/robots", "/accounts/other/cloud/robots"] {
        assert_eq!(stage.client.get(path).await.told(), "fwd=uri-miss; stored");
    }
    let by_header = [("x-pintle-account", "other")];
    let other = stage
        .client
        .send("GET", "/cloud/robots", &by_header, "")
        .await;
    assert_eq!(
        (other.told().as_str(), other.body.as_str()),
        ("hit", r#"{"code":200,"data":1}"#)
    );
    let main = stage.client.get("/accounts/main/cloud/robots").await;
    assert_eq!(
        (main.told().as_str(), main.body.as_str()),
        ("hit", r#"{"code":200,"data":0}"#)
    );
    assert_eq!(stage.origin.hits(), 2);
}

#[tokio::test]
async fn only_what_the_family_calls_a_yes_is_kept() {
    for reply in [
        answer(r#"{"code":10503}"#, &[]),
        answer("<html>OK</html>", &[("content-type", "text/html")]),
        status(500, YES, &[]),
        answer(YES, &[("content-type", "application/zip")]),
        answer(YES, &[("cache-control", "no-store")]),
    ] {
        let shown = format!("{reply:?}");
        let stage = Stage::new(move |_, _| reply.clone()).await;
        for _ in 0..2 {
            assert_eq!(
                stage.client.get("/cloud/robots").await.told(),
                "fwd=uri-miss",
                "{shown}"
            );
        }
        assert_eq!(stage.origin.hits(), 2, "{shown}");
    }
}

#[tokio::test]
async fn cookies_and_the_connections_own_headers_are_not_kept() {
    let reply = answer(
        YES,
        &[
            ("set-cookie", "session=1"),
            ("connection", "x-own"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("x-kept", "1"),
        ],
    );
    let stage = Stage::new(move |_, _| reply.clone()).await;
    let first = stage.client.get("/cloud/robots").await;
    assert_eq!(
        first.header("set-cookie"),
        "session=1",
        "it is for its caller"
    );
    let second = stage.client.get("/cloud/robots").await;
    assert_eq!(
        (second.told().as_str(), second.header("x-kept")),
        ("hit", "1")
    );
    for name in ["set-cookie", "x-own", "keep-alive"] {
        assert_eq!(second.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn a_stale_reply_answers_while_one_fetch_brings_the_next() {
    let stage = Stage::new(|_, n| answer(&format!(r#"{{"code":200,"data":{n}}}"#), &[])).await;
    stage.client.get("/operations/cloud.robots").await;
    stage.clock.turn(70);
    stage.origin.hold();
    for _ in 0..5 {
        let reply = stage.client.get("/cloud/robots").await;
        assert_eq!(
            (reply.told().as_str(), reply.body.as_str()),
            ("hit", r#"{"code":200,"data":0}"#)
        );
        assert!(
            reply.header("cache-status").contains("ttl=-1"),
            "{:?}",
            reply.headers
        );
    }
    until("the refresh", || stage.origin.hits() == 2).await;
    stage.origin.let_go(1);
    until("the new reply", || stage.cache().cache.stats().stored == 2).await;
    let reply = stage.client.get("/cloud/robots").await;
    assert_eq!(reply.body, r#"{"code":200,"data":1}"#);
    assert_eq!(stage.origin.hits(), 2);
}

#[tokio::test]
async fn a_stale_reply_stands_in_for_an_error() {
    for error in [
        status(503, "{}", &[]),
        answer("<html>", &[("content-type", "text/html")]),
        Answer {
            cut: true,
            ..Answer::default()
        },
    ] {
        let shown = format!("{error:?}");
        let stage = Stage::new(move |_, n| if n == 0 { yes() } else { error.clone() }).await;
        stage.client.get("/cloud/robots").await;
        stage.clock.turn(130);
        let reply = stage.client.get("/cloud/robots").await;
        assert_eq!(
            (reply.status.as_u16(), reply.body.as_str()),
            (200, YES),
            "{shown}"
        );
        assert_eq!(
            (reply.told().as_str(), stage.origin.hits()),
            ("hit", 2),
            "{shown}"
        );
        // What says no is no error, and after the time that the policy gives nothing stands in.
        stage.clock.turn(600);
        assert_ne!(
            stage.client.get("/cloud/robots").await.told(),
            "hit",
            "{shown}"
        );
    }
    let no = r#"{"code":10503}"#;
    let stage = Stage::new(move |_, n| if n == 0 { yes() } else { answer(no, &[]) }).await;
    stage.client.get("/cloud/robots").await;
    stage.clock.turn(130);
    assert_eq!(stage.client.get("/cloud/robots").await.body, no);
}

#[tokio::test]
async fn a_caller_may_want_it_anew_or_from_the_cache_alone() {
    let stage = Stage::new(|_, _| yes()).await;
    for (wish, told, hits) in [
        ("only-if-cached", "", 0),
        ("no-store", "fwd=bypass", 1),
        ("max-age=5", "fwd=uri-miss; stored", 2),
        ("only-if-cached", "hit", 2),
        ("max-age=5", "hit", 2),
        ("no-cache", "fwd=request; stored", 3),
        ("no-store", "fwd=bypass", 4),
        ("min-fresh=120", "fwd=stale; stored", 5),
    ] {
        let headers = [("cache-control", wish)];
        let reply = stage
            .client
            .send("GET", "/cloud/robots", &headers, "")
            .await;
        assert_eq!(
            (reply.told().as_str(), stage.origin.hits()),
            (told, hits),
            "{wish}"
        );
        assert_eq!(
            reply.status.as_u16(),
            if told.is_empty() { 504 } else { 200 }
        );
    }
    stage.clock.turn(10);
    let headers = [("cache-control", "max-age=5")];
    stage
        .client
        .send("GET", "/cloud/robots", &headers, "")
        .await;
    assert_eq!(stage.origin.hits(), 6);
}

#[tokio::test]
async fn a_callers_own_credentials_keep_it_out_of_the_cache() {
    let stage = Stage::with(
        "cache: {}\nlocal: { listen: \"127.0.0.1:0\", credentials: pass }",
        |_, _| yes(),
    )
    .await;
    for _ in 0..2 {
        let headers = [("authorization", "Bearer a")];
        let reply = stage
            .client
            .send("GET", "/cloud/robots", &headers, "")
            .await;
        assert_eq!(reply.header("cache-status"), "");
        assert_eq!(stage.origin.last().headers["authorization"], "Bearer a");
    }
    assert_eq!(stage.origin.hits(), 2);
}

#[tokio::test]
async fn nothing_is_kept_where_the_settings_have_no_cache() {
    let stage = Stage::with("", |_, _| yes()).await;
    for _ in 0..2 {
        assert_eq!(
            stage
                .client
                .get("/cloud/robots")
                .await
                .header("cache-status"),
            ""
        );
    }
    assert_eq!(stage.origin.hits(), 2);
}

#[tokio::test]
async fn a_changed_policy_does_not_find_what_the_old_one_kept() {
    let stage = Stage::new(|_, _| yes()).await;
    stage.client.get("/cloud/robots").await;
    stage.app.reload();
    assert_eq!(stage.client.get("/cloud/robots").await.told(), "hit");
    let path = stage.folder.path().join("policies/all.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("accepted: [200]", "accepted: [200, 0]")).unwrap();
    stage.app.reload();
    assert_eq!(
        stage.client.get("/cloud/robots").await.told(),
        "fwd=uri-miss; stored"
    );
}
