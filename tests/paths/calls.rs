//! The plain path: what goes up, what comes back, and what does not.

use crate::support::Stage;

#[tokio::test]
async fn a_plain_call_gets_the_token_and_the_usual_headers() {
    let stage = Stage::new().await;
    let body = r#"{"workflow_template_id":1,"name":"n","end_time":"2030-01-01 00:00:00+08:00"}"#;
    let reply = stage
        .client
        .post("/service/cloud/workflow/createinstance", body)
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["code"], 200);
    assert_eq!(reply.header("x-pintle-verdict"), "accepted");
    let seen = stage.last_seen();
    assert!(
        seen.headers["authorization"]
            .to_str()
            .unwrap()
            .starts_with("Token ")
    );
    assert_eq!(seen.headers["user-agent"], "Airudder");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.body, body);
    assert_eq!(seen.headers["x-request-id"], reply.headers["x-request-id"]);
    assert_eq!(stage.sandbox.logins(), 1);
}

#[tokio::test]
async fn every_reply_has_an_id_and_the_cost_of_its_stages() {
    let stage = Stage::new().await;
    for path in ["/service/cloud/robot", "/operations/nothing", "/a//b"] {
        let reply = stage
            .client
            .send("GET", path, &[("x-request-id", "my-id_1")], "")
            .await;
        assert_eq!(reply.header("x-request-id"), "my-id_1", "{path}");
        assert!(
            reply.header("server-timing").contains("total;dur="),
            "{path}"
        );
    }
    let timing = stage.client.get("/service/cloud/robot").await;
    for stage in ["admit", "find", "token", "send"] {
        assert!(
            timing
                .header("server-timing")
                .contains(&format!("{stage};dur=")),
            "{stage}"
        );
    }
}

#[tokio::test]
async fn the_platforms_own_refusal_passes_untouched() {
    let stage = Stage::new().await;
    let headers = [("x-sandbox-fault", "status=418; header=X-Own:kept")];
    let reply = stage
        .client
        .send("GET", "/service/cloud/robot", &headers, "")
        .await;
    assert_eq!(reply.status, 418);
    assert_eq!(reply.header("x-own"), "kept");
    assert_ne!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.header("x-pintle-verdict"), "refused");
}

#[tokio::test]
async fn the_verdict_is_the_familys() {
    let stage = Stage::new().await;
    let reply = stage
        .client
        .post("/service/callcenter/call/predict/querytasklist", "{}")
        .await;
    let expected = if reply.json()["code"] == 0 {
        "accepted"
    } else {
        "refused"
    };
    assert_eq!(reply.header("x-pintle-verdict"), expected);
    assert_eq!(
        stage.sandbox.logins(),
        2,
        "the callcenter family has a login of its own"
    );
    for (fault, verdict) in [
        ("code=10503", "refused"),
        ("html", "unclear"),
        ("bad-json", "unclear"),
        ("empty", "unclear"),
    ] {
        let headers = [("x-sandbox-fault", fault)];
        let reply = stage
            .client
            .send("GET", "/service/cloud/robot", &headers, "")
            .await;
        assert_eq!(
            reply.header("x-pintle-verdict"),
            verdict,
            "{fault}: {:?}",
            reply.body
        );
    }
}

#[tokio::test]
async fn an_operation_can_be_called_by_its_name() {
    let stage = Stage::new().await;
    let reply = stage
        .client
        .get("/operations/collection.robots?Limit=1")
        .await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(stage.last_seen().target, "/service/cloud/robot?Limit=1");
    let reply = stage
        .client
        .post("/operations/collection.robots", "{}")
        .await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "GET"));
    assert_eq!(
        stage.client.get("/operations/nothing").await.code(),
        "operation_unknown"
    );
}

#[tokio::test]
async fn an_operation_without_a_path_says_where_to_fill_it_in() {
    let stage = Stage::new().await;
    let reply = stage.client.get("/operations/workflow.templates").await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (501, "path_unknown")
    );
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("routes/platform/workflow.yaml:"),
        "{detail}"
    );
    assert_eq!(stage.seen_at("/service/cloud/workflow"), 0);
}

#[tokio::test]
async fn a_path_outside_the_catalogue_passes_with_the_token() {
    let stage = Stage::new().await;
    let reply = stage
        .client
        .get("/service/cloud/workflow/templates?a=%20b")
        .await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let seen = stage.last_seen();
    assert_eq!(seen.target, "/service/cloud/workflow/templates?a=%20b");
    assert!(seen.headers.contains_key("authorization"));
}

#[tokio::test]
async fn nobody_but_pintle_logs_in() {
    let stage = Stage::new().await;
    for path in [
        "/service/cloud/auth",
        "/service/cloud/auth/",
        "/service/cloud/%61uth",
        "/SERVICE/cloud/Auth",
        "/service/cloud/auth;v=1",
        "/service/callcenter/call/predict/auth",
        "/operations/auth.token",
        "/accounts/main/service/cloud/auth",
    ] {
        let reply = stage.client.post(path, "{}").await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (403, "operation_reserved")
        );
    }
}

#[tokio::test]
async fn a_call_cannot_remove_or_bring_what_is_ours() {
    let stage = Stage::new().await;
    let headers = [
        (
            "connection",
            "authorization, user-agent, x-request-id, content-length, x-hop",
        ),
        ("x-hop", "1"),
        ("authorization", "Bearer mine"),
        ("cookie", "session=1"),
        ("proxy-authorization", "Basic eA=="),
        ("x-forwarded-for", "10.1.2.3"),
        ("forwarded", "for=10.1.2.3"),
        ("x-real-ip", "10.1.2.3"),
        ("te", "trailers"),
        ("x-pintle-account", "main"),
        ("x-business", "kept"),
    ];
    let reply = stage
        .client
        .send("POST", "/service/cloud/operation", &headers, "{}")
        .await;
    assert_eq!(reply.headers.get("connection"), None);
    let seen = stage.last_seen().headers;
    assert!(
        seen["authorization"]
            .to_str()
            .unwrap()
            .starts_with("Token ")
    );
    assert_eq!(seen["user-agent"], "Airudder");
    assert_eq!(seen["content-length"], "2");
    assert_eq!(seen["x-business"], "kept");
    assert!(seen.contains_key("x-request-id"));
    for gone in [
        "x-hop",
        "cookie",
        "proxy-authorization",
        "x-forwarded-for",
        "forwarded",
    ] {
        assert!(!seen.contains_key(gone), "{gone}");
    }
    for gone in ["x-real-ip", "te", "x-pintle-account", "connection"] {
        assert!(!seen.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn the_token_never_comes_back() {
    let stage = Stage::new().await;
    let headers = [("x-sandbox-fault", "echo")];
    let reply = stage
        .client
        .send("GET", "/service/cloud/robot", &headers, "")
        .await;
    let token = stage.last_seen().headers["authorization"].to_str().unwrap()[6..].to_owned();
    assert!(
        reply
            .headers
            .values()
            .all(|value| !value.to_str().unwrap().contains(&token))
    );
    assert_eq!(reply.headers.get("x-echo-authorization"), None);
}

#[tokio::test]
async fn credentials_are_refused_where_the_settings_say_so() {
    let stage = Stage::with("local: { listen: 127.0.0.1:0, credentials: refuse }").await;
    let headers = [("authorization", "Bearer mine")];
    let reply = stage
        .client
        .send("GET", "/service/cloud/robot", &headers, "")
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (400, "credentials_refused")
    );
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
}
