//! Mode two: what RFC 9111 and RFC 5861 say of replies that are stale.

use crate::support::{Answer, Seen, Stage, answer, status, until};

const MODIFIED: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

fn asks(seen: &Seen, name: &str) -> Option<String> {
    Some(seen.headers.get(name)?.to_str().unwrap().to_owned())
}

/// An origin with one version that confirms what is its own.
fn honest(seen: &Seen, n: usize) -> Answer {
    let n = n.to_string();
    let tag = [
        ("etag", "\"a\""),
        ("cache-control", "max-age=60"),
        ("x-count", n.as_str()),
    ];
    if asks(seen, "if-none-match").is_some_and(|asked| asked.contains("\"a\"")) {
        return status(304, "", &tag);
    }
    answer("a", &tag)
}

#[tokio::test]
async fn a_304_makes_it_fresh_and_brings_its_fields() {
    let stage = Stage::new(honest).await;
    stage.client.get("/plain/x").await;
    stage.clock.turn(70);
    let reply = stage.client.get("/plain/x").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "a"));
    assert_eq!(reply.told(), "fwd=stale; fwd-status=304; stored");
    assert_eq!(reply.header("x-count"), "1");
    assert_eq!(
        asks(&stage.origin.last(), "if-none-match").as_deref(),
        Some("\"a\"")
    );
    let reply = stage.client.get("/plain/x").await;
    assert_eq!(
        (reply.told().as_str(), reply.header("x-count")),
        ("hit", "1")
    );
    assert_eq!(stage.origin.hits(), 2);
}

#[tokio::test]
async fn a_callers_own_condition_is_answered_by_what_was_confirmed() {
    let stage = Stage::new(honest).await;
    // Nothing is kept: it goes on as it is, and its 304 is for its caller.
    let own = [("if-none-match", "\"a\"")];
    let reply = stage.client.send("GET", "/plain/x", &own, "").await;
    assert_eq!(reply.status, 304);
    stage.client.get("/plain/x").await;
    stage.clock.turn(70);
    for (own, code) in [("\"a\"", 304), ("\"b\"", 200)] {
        let own = [("if-none-match", own), ("cache-control", "no-cache")];
        let reply = stage.client.send("GET", "/plain/x", &own, "").await;
        assert_eq!(reply.status.as_u16(), code);
        assert_eq!(
            asks(&stage.origin.last(), "if-none-match").as_deref(),
            Some("\"a\"")
        );
    }
}

#[tokio::test]
async fn a_304_for_something_else_is_not_believed() {
    let stage = Stage::new(|seen, _| match asks(seen, "if-none-match") {
        Some(_) => status(304, "", &[("etag", "\"b\"")]),
        None => answer("a", &[("etag", "\"a\""), ("cache-control", "max-age=60")]),
    })
    .await;
    stage.client.get("/plain/x").await;
    stage.clock.turn(70);
    let reply = stage.client.get("/plain/x").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "a"));
    assert_eq!(stage.origin.hits(), 3, "once more, without asking");
}

#[tokio::test]
async fn a_date_confirms_where_there_is_no_tag() {
    let stage = Stage::new(|seen, _| match asks(seen, "if-modified-since") {
        Some(since) if since == MODIFIED => status(304, "", &[("last-modified", MODIFIED)]),
        _ => answer(
            "a",
            &[("last-modified", MODIFIED), ("cache-control", "max-age=1")],
        ),
    })
    .await;
    stage.client.get("/plain/x").await;
    stage.clock.turn(5);
    let reply = stage.client.get("/plain/x").await;
    assert_eq!(
        (reply.body.as_str(), reply.told().as_str()),
        ("a", "fwd=stale; fwd-status=304; stored")
    );
}

#[tokio::test]
async fn a_stale_reply_stands_in_only_where_the_origin_lets_it() {
    let cut = || Answer {
        cut: true,
        ..Answer::default()
    };
    for (directives, error, stands_in) in [
        ("max-age=1", cut(), true),
        ("max-age=1", status(503, "", &[]), false),
        ("max-age=1, stale-if-error=60", status(503, "", &[]), true),
        ("max-age=1, stale-if-error=60", status(404, "", &[]), false),
        ("max-age=1, stale-if-error=2", cut(), false),
        ("max-age=1, must-revalidate", cut(), false),
        ("max-age=1, proxy-revalidate", cut(), false),
        ("s-maxage=1", cut(), false),
        ("max-age=1, no-cache", cut(), false),
        (
            "max-age=1, must-revalidate, stale-if-error=60",
            cut(),
            false,
        ),
    ] {
        let first = answer("a", &[("cache-control", directives), ("etag", "\"a\"")]);
        let shown = format!("{directives} {error:?}");
        let stage =
            Stage::new(move |_, n| if n == 0 { first.clone() } else { error.clone() }).await;
        stage.client.get("/plain/x").await;
        stage.clock.turn(10);
        let reply = stage.client.get("/plain/x").await;
        assert_eq!(
            reply.told() == "hit",
            stands_in,
            "{shown}: {:?}",
            reply.headers
        );
    }
}

#[tokio::test]
async fn a_stale_reply_answers_while_it_is_confirmed() {
    let stage = Stage::new(|seen, n| {
        let directives = ("cache-control", "max-age=10, stale-while-revalidate=30");
        match asks(seen, "if-none-match") {
            Some(_) => status(304, "", &[("etag", "\"a\""), directives]),
            None => answer(&n.to_string(), &[("etag", "\"a\""), directives]),
        }
    })
    .await;
    stage.client.get("/plain/x").await;
    stage.clock.turn(20);
    assert_eq!(stage.client.get("/plain/x").await.body, "0");
    until("the confirmation", || {
        stage.cache().cache.stats().stored == 2
    })
    .await;
    let reply = stage.client.get("/plain/x").await;
    assert!(
        reply.header("cache-status").contains("ttl=9")
            || reply.header("cache-status").contains("ttl=8")
    );
    assert_eq!(stage.origin.hits(), 2);
    stage.clock.turn(50);
    assert_eq!(
        stage.client.get("/plain/x").await.told(),
        "fwd=stale; fwd-status=304; stored"
    );
}

#[tokio::test]
async fn a_reply_to_head_tells_of_what_is_kept() {
    // Section 4.3.5.
    for (tag, len, left) in [
        ("\"a\"", "1", true),
        ("\"b\"", "1", false),
        ("\"a\"", "2", false),
    ] {
        let stage = Stage::new(move |seen, _| {
            if seen.method == "HEAD" {
                let headers = [
                    ("etag", tag),
                    ("content-length", len),
                    ("cache-control", "max-age=60"),
                ];
                return answer("", &headers);
            }
            answer("a", &[("etag", "\"a\""), ("cache-control", "max-age=1")])
        })
        .await;
        stage.client.get("/plain/x").await;
        stage.clock.turn(5);
        stage.client.send("HEAD", "/plain/x", &[], "").await;
        let reply = stage.client.get("/plain/x").await;
        assert_eq!(reply.told() == "hit", left, "{tag} {len}");
    }
}
