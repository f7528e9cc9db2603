//! Mode two: what RFC 9111 says of storing and answering. Each rule stands with its section.

use crate::support::{Stage, answer, status};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// Whether the second of two calls is answered by the reply to the first.
async fn is_kept(first: crate::support::Answer, call: &[(&str, &str)]) -> bool {
    let stage = Stage::new(move |_, _| first.clone()).await;
    for _ in 0..2 {
        stage.client.send("GET", "/plain/x", call, "").await;
    }
    stage.origin.hits() == 1
}

#[tokio::test]
async fn what_may_be_stored_is_section_three() {
    for (code, headers, kept) in [
        (200, &[FRESH][..], true),
        (200, &[("cache-control", "s-maxage=60")], true),
        (200, &[("expires", "Fri, 01 Jan 2038 01:01:01 GMT")], true),
        (200, &[("cache-control", "MAX-AGE=60")], true),
        (200, &[("cache-control", "max-age=60, private")], false),
        (200, &[("cache-control", "max-age=60, No-Store")], false),
        (200, &[("cache-control", "max-age=60, no-cache")], false),
        (200, &[("cache-control", "max-age=0, s-maxage=60")], true),
        (200, &[("cache-control", "max-age=60, s-maxage=0")], false),
        (200, &[("cache-control", "max-age='60'")], false),
        (200, &[("cache-control", "max-age=-60")], false),
        (200, &[("cache-control", "x=\"max-age=60\"")], false),
        (
            200,
            &[
                ("cache-control", "max-age=60"),
                ("cache-control", "max-age=0"),
            ],
            false,
        ),
        (200, &[("expires", "0")], false),
        (200, &[("expires", "Fri, 1 Jan 2038 01:01:01 GMT")], false),
        (
            200,
            &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
            false,
        ),
        (200, &[], false),
        (204, &[FRESH], true),
        (206, &[FRESH, ("content-range", "bytes 0-0/9")], false),
        (301, &[FRESH], true),
        (404, &[FRESH], true),
        (
            404,
            &[("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")],
            true,
        ),
        (
            403,
            &[("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")],
            false,
        ),
        (403, &[FRESH], true),
        (
            599,
            &[("cache-control", "max-age=60, must-understand")],
            false,
        ),
        (
            200,
            &[("cache-control", "max-age=60, no-store, must-understand")],
            true,
        ),
        (200, &[FRESH, ("age", "61")], false),
        (200, &[FRESH, ("age", "59, 999")], true),
        (200, &[FRESH, ("age", "x")], true),
        (200, &[FRESH, ("vary", "*")], false),
        (200, &[FRESH, ("vary", "accept, *")], false),
    ] {
        let body = if code == 204 { "" } else { "body" };
        let reply = status(code, body, headers);
        assert_eq!(is_kept(reply, &[]).await, kept, "{code} {headers:?}");
    }
}

#[tokio::test]
async fn credentials_need_the_origins_word() {
    // Section 3.5, for a caller's own and for the token that a gateway adds alike.
    for (directives, kept) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("max-age=60, must-revalidate", true),
        ("s-maxage=60", true),
    ] {
        let reply = answer("x", &[("cache-control", directives)]);
        let own = [("authorization", "Basic eA==")];
        assert_eq!(is_kept(reply, &own).await, kept, "{directives}");
    }
}

#[tokio::test]
async fn variants_stand_side_by_side() {
    let stage = Stage::new(|seen, n| {
        let said = seen
            .headers
            .get("accept-language")
            .map(|said| said.to_str().unwrap());
        let body = format!("{} {n}", said.unwrap_or("none"));
        answer(&body, &[FRESH, ("vary", "Accept-Language")])
    })
    .await;
    let get = async |said: &str| {
        let headers = [("accept-language", said)];
        stage.client.send("GET", "/plain/x", &headers, "").await
    };
    assert_eq!(get("de, en").await.told(), "fwd=uri-miss; stored");
    assert_eq!(get("fr").await.told(), "fwd=vary-miss; stored");
    assert_eq!(
        get("de,en").await.body,
        "de, en 0",
        "spaces in a list mean nothing"
    );
    assert_eq!(get("fr").await.body, "fr 1");
    assert_eq!(stage.client.get("/plain/x").await.body, "none 2");
    assert_eq!(stage.origin.hits(), 3);
}

#[tokio::test]
async fn a_kept_reply_has_its_age_and_its_date() {
    let stage = Stage::new(|_, _| answer("x", &[FRESH, ("age", "10")])).await;
    let date = stage.client.get("/plain/x").await.header("date").to_owned();
    stage.clock.turn(30);
    let reply = stage.client.get("/plain/x").await;
    assert!(
        ["40", "41"].contains(&reply.header("age")),
        "{:?}",
        reply.headers
    );
    assert_eq!(reply.header("date"), date);
    stage.clock.turn(30);
    assert_eq!(
        stage.client.get("/plain/x").await.told(),
        "fwd=stale; stored"
    );
}

#[tokio::test]
async fn what_changes_a_target_makes_it_invalid() {
    // Section 4.4: with the target, what `Location` and `Content-Location` name of its origin.
    for (method, code, location, left) in [
        ("POST", 200, "/plain/b", [false, false]),
        ("PUT", 204, "b", [false, false]),
        (
            "DELETE",
            303,
            "http://elsewhere.example/plain/b",
            [false, true],
        ),
        ("PATCH", 500, "/plain/b", [true, true]),
        ("OPTIONS", 200, "/plain/b", [true, true]),
    ] {
        let stage = Stage::new(move |seen, _| match seen.method.as_str() {
            "GET" => answer("x", &[FRESH]),
            _ => status(code, "", &[("content-location", location)]),
        })
        .await;
        for path in ["/plain/a", "/plain/b"] {
            stage.client.get(path).await;
        }
        let reply = stage.client.send(method, "/plain/a", &[], "").await;
        assert_eq!(reply.told(), "fwd=method");
        for (path, left) in ["/plain/a", "/plain/b"].into_iter().zip(left) {
            assert_eq!(
                stage.client.get(path).await.told() == "hit",
                left,
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn other_queries_accounts_and_hosts_are_other_keys() {
    let stage = Stage::new(|seen, _| answer(&seen.target, &[FRESH])).await;
    for path in [
        "/plain/x",
        "/plain/x?",
        "/plain/x?a=1",
        "/plain/x?a=2",
        "/plain/x%3fa=1",
        "/plain/X",
        "/accounts/other/plain/x",
    ] {
        let reply = stage.client.get(path).await;
        assert_eq!(reply.told(), "fwd=uri-miss; stored", "{path}");
        assert_eq!(stage.client.get(path).await.told(), "hit", "{path}");
    }
    // What names another host reaches no key: the upstream is that of the account.
    let headers = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-scheme", "nothttps"),
    ];
    assert_eq!(
        stage
            .client
            .send("GET", "/plain/x", &headers, "")
            .await
            .told(),
        "hit"
    );
}

#[tokio::test]
async fn a_no_in_a_good_status_is_not_kept() {
    // Only the family's rule can tell it; no header does.
    let stage = Stage::new(|_, _| answer(r#"{"code":1}"#, &[FRESH])).await;
    for _ in 0..2 {
        assert_eq!(
            stage.client.get("/cloud/unlisted").await.told(),
            "fwd=uri-miss"
        );
    }
}

#[tokio::test]
async fn heads_and_parts_come_from_what_is_kept() {
    let modified = ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT");
    let stage =
        Stage::new(move |_, _| answer("0123456789", &[FRESH, ("etag", "\"a\""), modified])).await;
    stage.client.get("/plain/x").await;
    let head = stage.client.send("HEAD", "/plain/x", &[], "").await;
    assert_eq!(
        (head.header("content-length"), head.body.as_str()),
        ("10", "")
    );
    for (headers, code, body, range) in [
        (&[("range", "bytes=2-4")][..], 206, "234", "bytes 2-4/10"),
        (&[("range", "bytes=-2")], 206, "89", "bytes 8-9/10"),
        (&[("range", "bytes=10-")], 416, "", "bytes */10"),
        (&[("range", "bytes=0-1,4-5")], 200, "0123456789", ""),
        (
            &[("range", "bytes=0-1"), ("if-range", "\"a\"")],
            206,
            "01",
            "bytes 0-1/10",
        ),
        (
            &[("range", "bytes=0-1"), ("if-range", "\"b\"")],
            200,
            "0123456789",
            "",
        ),
        (&[("if-none-match", "\"b\", W/\"a\"")], 304, "", ""),
        (&[("if-none-match", "*")], 304, "", ""),
        (
            &[
                ("if-none-match", "\"b\""),
                ("if-modified-since", modified.1),
            ],
            200,
            "0123456789",
            "",
        ),
        (&[("if-modified-since", modified.1)], 304, "", ""),
    ] {
        let reply = stage.client.send("GET", "/plain/x", headers, "").await;
        assert_eq!(
            (
                reply.status.as_u16(),
                reply.body.as_str(),
                reply.header("content-range")
            ),
            (code, body, range),
            "{headers:?}"
        );
    }
    assert_eq!(stage.origin.hits(), 1);
    let headers = [("if-match", "\"a\"")];
    assert_eq!(
        stage
            .client
            .send("GET", "/plain/x", &headers, "")
            .await
            .told(),
        "fwd=bypass"
    );
}
