//! What cannot be sealed or opened, and what is said of it.

use super::*;

#[tokio::test]
async fn whatever_is_wrong_with_a_reply_the_answer_is_the_same() {
    for (name, spoils) in [
        (
            "airudder",
            &["json", "length", "encoding", "first", "last"][..],
        ),
        (
            "prefixed",
            &["plain", "json", "length", "encoding", "first", "last"],
        ),
        (
            "fixed",
            &["plain", "json", "length", "encoding", "first", "last"],
        ),
    ] {
        let stage = stage(name).await;
        let mut told = Vec::new();
        for spoil in spoils {
            let headers = [
                ("x-sandbox-fault", format!("spoil={spoil}")),
                ("x-request-id", "the-same".to_owned()),
            ];
            let headers = headers
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let reply = stage.client.send("POST", CREATE, &headers, INSTANCE).await;
            assert_eq!(reply.code(), "open_failed", "{name} {spoil}");
            assert_eq!(reply.json()["outcome"], "unknown");
            let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            told.push((reply.status, headers, reply.body));
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert_eq!(told[0].0, 502);
    }
}

#[tokio::test]
async fn a_plain_reply_is_taken_where_the_policy_says_so() {
    let stage = stage("airudder").await;
    let fault = [("x-sandbox-fault", "spoil=plain")];
    let reply = stage.client.send("POST", CREATE, &fault, INSTANCE).await;
    assert_eq!(reply.json()["code"], 200);
    for name in ["airudder", "prefixed", "wrapped", "raw"] {
        let stage = self::stage(name).await;
        let fault = [("x-sandbox-fault", "status=418")];
        let reply = stage.client.send("POST", CREATE, &fault, INSTANCE).await;
        assert_eq!(reply.status, 418, "{name}");
        assert_eq!(reply.json()["code"], 418, "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_sealed_is_refused_before_it_is_sent() {
    let stage = stage("airudder").await;
    stage.client.get(ROBOTS).await;
    // What a call holds is for the platform to judge.
    let told = stage.client.post(CREATE, "no JSON").await.json();
    assert_eq!(told["message"], "the body is not JSON");
    let before = stage.sandbox.seen().len();
    let plain: &[(&str, &str)] = &[];
    for (path, headers, body, status, detail) in [
        (CREATE, plain, "{\"a\":1}\0", 400, "zero byte"),
        (CREATE, &[("is-encrypted", "1")], "{}", 400, "send it plain"),
        (CREATE, &[("signed", "ab")], "{}", 400, "send it plain"),
        (
            "/service/cloud/x?a=1",
            plain,
            "{}",
            400,
            "a query beside its body",
        ),
        (
            CREATE,
            &[("content-encoding", "gzip")],
            "{}",
            415,
            "content coding",
        ),
    ] {
        let reply = stage.client.send("POST", path, headers, body).await;
        assert_eq!(reply.status, status, "{detail}");
        let told = reply.json();
        assert!(told["detail"].as_str().unwrap().contains(detail), "{told}");
        assert_eq!(told["outcome"], "not_sent", "{detail}");
    }
    assert_eq!(stage.sandbox.seen().len(), before);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_whole() {
    let of_account = format!(
        "sealing: airudder, keys: {{ aes: [{}] }}",
        key_entry("airudder", "1", KEY)
    );
    let more = "local: { listen: 127.0.0.1:0, sealed_bytes_max: 256 }";
    let options = sealing_platform("airudder");
    let stage = stage_in(folder(|text| text), options, &of_account, more).await;
    let reply = stage.client.post(CREATE, &"x".repeat(257)).await;
    assert_eq!(reply.code(), "body_too_large");
    assert_eq!(stage.seen_at(CREATE), 0);
    // That a reply is too large may be told: there is nothing secret about its length.
    let reply = stage.client.get(&format!("{ROBOTS}?a=1")).await;
    assert_eq!(reply.code(), "reply_too_large");
}

#[tokio::test]
async fn too_many_replies_that_do_not_open_hold_calls_back_before_they_are_sent() {
    let options = Options {
        seals: Some(seals("airudder", "another key here")),
        ..sandbox_options()
    };
    let keys = format!("aes: [{}]", key_entry("airudder", "1", KEY));
    let stage = stage_with(
        options,
        &format!("sealing: airudder, keys: {{ {keys} }}, open_failures_max: 3"),
    )
    .await;
    let fault = [("x-sandbox-fault", "header=is-encrypted:1")];
    for _ in 0..4 {
        let reply = stage.client.send("GET", ROBOTS, &fault, "").await;
        assert_eq!(reply.code(), "open_failed");
    }
    let sent = stage.seen_at(ROBOTS);
    let reply = stage.client.send("GET", ROBOTS, &fault, "").await;
    assert_eq!(reply.code(), "opening_held_back");
    assert_eq!(reply.json()["outcome"], "not_sent");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=21).contains(&wait), "{wait}");
    assert_eq!(stage.seen_at(ROBOTS), sent);
}
