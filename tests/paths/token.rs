//! Tokens: one login for however many calls, renewed in time, never old, and clear about failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pintle::config::embedded;
use pintle::sandbox::{Options, Sandbox};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::{
    Client, Reply, Stage, fault, raw, sandbox_options, settings, settings_of_account, until,
};

const LOGIN: &str = "/service/cloud/auth";
const ROBOTS: &str = "/service/cloud/robot";
const DIALER: &str = "/service/callcenter/call/predict/querytasklist";
/// A rejected token is thrown away however young it is.
const HASTY: &str = "token: { rejection_age: 1ms }";

/// The embedded policies in a folder, with some of their text replaced.
fn policies(changes: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut found = vec![false; changes.len()];
    for source in embedded::policies() {
        let mut text = source.text.clone();
        for (at, (from, to)) in changes.iter().enumerate() {
            found[at] |= text.contains(from);
            text = text.replace(from, to);
        }
        let name = source.name.rsplit('/').next().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    assert!(found.iter().all(|found| *found), "{changes:?}");
    folder
}

/// The policies with another lifetime of the cloud token.
fn lifetime(lifetime: &str) -> TempDir {
    policies(&[("lifetime: 24h ", &format!("lifetime: {lifetime} "))])
}

fn named(policies: &TempDir) -> String {
    format!("policies: {}\n", policies.path().display())
}

async fn at_once(count: usize, client: &Client, path: &'static str) -> Vec<Reply> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        calls.spawn(async move { client.get(path).await });
    }
    calls.join_all().await
}

/// Waits until a moment is this long ago.
async fn since(moment: Instant, age: Duration) {
    until("the time has come", || moment.elapsed() >= age).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_first_calls_share_one_login() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("delay=200ms").at(LOGIN));
    let settings = settings(&sandbox.url(), "");
    let stage = Stage::start(sandbox, &settings).await;
    for reply in at_once(500, &stage.client, ROBOTS).await {
        assert_eq!(reply.status, 200, "{:?}", reply.body);
    }
    assert_eq!(stage.seen_at(LOGIN), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_rejected_calls_share_one_login() {
    let stage = Stage::with(HASTY).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    since(Instant::now(), Duration::from_millis(5)).await;
    stage.sandbox.revoke_tokens();
    for reply in at_once(500, &stage.client, ROBOTS).await {
        assert_eq!(reply.status, 200, "{:?}", reply.body);
    }
    assert_eq!(stage.sandbox.logins(), 2);
}

#[tokio::test]
async fn a_rejected_call_is_repeated_once_with_a_new_token_and_the_same_body() {
    let stage = Stage::with(HASTY).await;
    let body = r#"{"taskName":"once"}"#;
    for (path, rejection) in [
        ("/service/cloud/operation", "status=401"),
        ("/service/cloud/operation", "code=401"),
        (DIALER, "code=10812"),
        (DIALER, "code=10813"),
        (DIALER, "status=401"),
    ] {
        stage.client.post(path, body).await;
        since(Instant::now(), Duration::from_millis(5)).await;
        let before = stage.sandbox.logins();
        stage.sandbox.set_fault(fault(rejection).at(path).times(1));
        let reply = stage.client.post(path, body).await;
        assert_eq!(reply.status, 200, "{path} {rejection}");
        let code = reply.json()["code"].as_i64().unwrap();
        assert!(![401, 10812, 10813].contains(&code), "{path} {rejection}");
        assert_eq!(stage.sandbox.logins(), before + 1, "{path} {rejection}");
        assert_eq!(stage.last_seen().body, body, "{path} {rejection}");
    }
}

#[tokio::test]
async fn an_operation_that_always_answers_401_causes_no_storm_of_logins() {
    let stage = Stage::new().await;
    let started = Instant::now();
    let headers = [("x-sandbox-fault", "status=401")];
    for _ in 0..50 {
        let reply = stage.client.send("GET", ROBOTS, &headers, "").await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.header("x-pintle-verdict"), "refused");
        assert_ne!(reply.header("content-type"), "application/problem+json");
    }
    // At most one for each second that passed: that is `rejection_age`.
    let most = 1 + started.elapsed().as_secs();
    assert!(stage.sandbox.logins() <= most);
    assert!(stage.seen_at(ROBOTS) < 50 + usize::try_from(most).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_call_with_a_large_body_is_not_repeated() {
    let more = format!("local: {{ listen: 127.0.0.1:0, repeat_bytes_max: 8 }}\n{HASTY}");
    let stage = Stage::with(&more).await;
    let path = "/service/cloud/operation";
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let body = r#"{"TaskID":"12345"}"#;
    for (logins, framed) in [
        (2, format!("Content-Length: {}\r\n\r\n{body}", body.len())),
        (
            3,
            format!(
                "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            ),
        ),
    ] {
        assert_eq!(stage.client.get(ROBOTS).await.status, 200);
        since(Instant::now(), Duration::from_millis(5)).await;
        stage.sandbox.revoke_tokens();
        let before = stage.seen_at(path);
        let answer = raw(&stage.client, format!("{head}{framed}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert_eq!(stage.seen_at(path), before + 1, "{framed}");
        // The token was thrown away all the same: the next call has a new one at once.
        assert_eq!(stage.client.get(ROBOTS).await.status, 200);
        assert_eq!(stage.sandbox.logins(), logins);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_from_before_a_rejection_does_not_bring_the_token_back() {
    let policies = lifetime("20s");
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let renewing = "token: { rejection_age: 1ms, renew_percent: 1, jitter_percent: 0 }";
    let settings = settings(&sandbox.url(), &format!("{}{renewing}", named(&policies)));
    let stage = Stage::start(sandbox, &settings).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    // The renewal is granted, but its answer is still on the way when the tokens are revoked.
    let slow = fault("slow-body=200b/s").at(LOGIN).times(1);
    stage.sandbox.set_fault(slow);
    until("the renewal is granted", || stage.sandbox.logins() == 2).await;
    stage.sandbox.revoke_tokens();
    let reply = stage.client.get(ROBOTS).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_no_call_notices() {
    let policies = lifetime("10s");
    let more = format!(
        "{}token: {{ renew_percent: 2, jitter_percent: 1 }}",
        named(&policies)
    );
    let stage = Stage::with(&more).await;
    let started = Instant::now();
    while stage.sandbox.logins() < 4 {
        assert_eq!(stage.client.get(ROBOTS).await.status, 200);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    // Each of the three renewals came after at least one percent of ten seconds.
    assert!(started.elapsed() >= Duration::from_millis(290));
}

#[tokio::test]
async fn an_expired_token_is_never_sent() {
    let policies = lifetime("1s");
    let more = format!(
        "{}local: {{ listen: 127.0.0.1:0, deadline: 400ms }}\n\
         token: {{ renew_percent: 10, jitter_percent: 0, backoff: 60s, backoff_max: 60s }}",
        named(&policies)
    );
    for (failing, code) in [("status=500", "login_status"), ("hang", "login_timeout")] {
        let stage = Stage::with(&more).await;
        assert_eq!(stage.client.get(ROBOTS).await.status, 200);
        let born = Instant::now();
        stage.sandbox.set_fault(fault(failing).at(LOGIN));
        since(born, Duration::from_millis(500)).await;
        assert_eq!(stage.client.get(ROBOTS).await.status, 200, "still good");
        since(born, Duration::from_secs(1)).await;
        let before = stage.seen_at(ROBOTS);
        for _ in 0..5 {
            let asked = Instant::now();
            let reply = stage.client.get(ROBOTS).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code().as_str()),
                (503, code),
                "{failing}"
            );
            assert_eq!(reply.json()["outcome"], "not_sent");
            assert!(asked.elapsed() < Duration::from_secs(2), "{failing}");
        }
        assert_eq!(stage.seen_at(ROBOTS), before, "{failing}");
    }
}

#[tokio::test]
async fn a_token_ages_from_the_moment_it_was_asked_for() {
    let policies = lifetime("2s");
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("slow-body=100b/s").at(LOGIN).times(1));
    sandbox.set_fault(fault("status=500").at(LOGIN));
    let settings = settings(&sandbox.url(), &named(&policies));
    let stage = Stage::start(sandbox, &settings).await;
    until("the platform is asked", || stage.seen_at(LOGIN) == 1).await;
    let asked = Instant::now();
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    assert!(asked.elapsed() > Duration::from_millis(500), "a slow login");
    since(asked, Duration::from_secs(2)).await;
    assert_eq!(stage.client.get(ROBOTS).await.code(), "login_status");
    assert_eq!(stage.seen_at(ROBOTS), 1);
}

#[tokio::test]
async fn failed_logins_back_off_further_and_further() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("status=500").at(LOGIN));
    let pace = "token: { backoff: 40ms, backoff_max: 10s }";
    let settings = settings(&sandbox.url(), pace);
    let stage = Stage::start(sandbox, &settings).await;
    until("the first login", || stage.seen_at(LOGIN) == 1).await;
    let first = Instant::now();
    // Calls that come in the meantime do not hurry it.
    while stage.seen_at(LOGIN) < 5 {
        assert_eq!(stage.client.get(ROBOTS).await.code(), "login_status");
        assert!(first.elapsed() < Duration::from_secs(10));
    }
    // At least half of 40, 80, 160 and 320 ms; a little less for when the first was noticed.
    assert!(first.elapsed() >= Duration::from_millis(280));
    stage.sandbox.clear_faults();
    while stage.client.get(ROBOTS).await.status != 200 {
        assert!(first.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_during_a_backoff_are_told_when_to_come_back() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("status=500").at(LOGIN));
    let settings = settings(&sandbox.url(), "token: { backoff: 60s, backoff_max: 60s }");
    let stage = Stage::start(sandbox, &settings).await;
    for reply in at_once(100, &stage.client, ROBOTS).await {
        assert_eq!(reply.code(), "login_status");
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((20..=61).contains(&wait), "{wait}");
    }
    assert_eq!(stage.seen_at(LOGIN), 1);
    assert_eq!(stage.seen_at(ROBOTS), 0);
}

#[tokio::test]
async fn each_bad_answer_to_a_login_has_its_own_failure() {
    for (answer, code, blame) in [
        ("empty", "login_without_token", "upstream"),
        ("token=", "login_without_token", "upstream"),
        ("html", "login_not_json", "upstream"),
        ("bad-json", "login_not_json", "upstream"),
        ("status=500", "login_status", "upstream"),
        ("status=500; html", "login_status", "upstream"),
        (
            "status=302; header=Location:/login",
            "login_status",
            "upstream",
        ),
        ("hang", "login_timeout", "upstream"),
        ("slow-body=10b/s", "login_timeout", "upstream"),
        ("token-crlf", "login_bad_token", "upstream"),
        ("token=two words", "login_bad_token", "upstream"),
        ("status=401", "login_refused", "pintle"),
        ("status=403; html", "login_refused", "pintle"),
        ("code=10301", "login_refused", "pintle"),
        ("reset", "login_unreachable", "upstream"),
        ("nonsense", "login_unreachable", "upstream"),
        ("truncate=10", "login_unreadable", "upstream"),
    ] {
        let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
        sandbox.set_fault(fault(answer).at(LOGIN));
        let pace = "token: { login: 300ms, backoff: 60s, backoff_max: 60s }";
        let settings = settings(&sandbox.url(), pace);
        let stage = Stage::start(sandbox, &settings).await;
        let reply = stage.client.get(ROBOTS).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (503, code),
            "{answer}"
        );
        assert_eq!(reply.json()["blame"], blame, "{answer}");
        assert_eq!(reply.json()["outcome"], "not_sent", "{answer}");
        assert_eq!(stage.seen_at(ROBOTS), 0, "{answer}");
        assert_eq!(stage.seen_at(LOGIN), 1, "{answer}");
    }
}

#[tokio::test]
async fn the_platforms_logins_are_written_in_json_and_as_a_form() {
    let (key, secret) = ("k&=+ %\u{fc}", "s\"\\;/?#");
    let options = Options {
        app_key: key.to_owned(),
        app_secret: secret.to_owned(),
        ..sandbox_options()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let settings = settings(&sandbox.url(), "")
        .replace("literal:sandbox-key", &format!("file:{}", file("k", key)))
        .replace(
            "literal:sandbox-secret",
            &format!("file:{}", file("s", secret)),
        );
    let stage = Stage::start(sandbox, &settings).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    let reply = stage.client.post(DIALER, "{}").await;
    assert_ne!(reply.json()["code"], 10812, "{:?}", reply.body);
    let seen = stage.sandbox.seen();
    let login = |path: &str| seen.iter().find(|seen| seen.target == path).unwrap();
    let json = login(LOGIN);
    assert_eq!(json.headers["content-type"], "application/json");
    assert_eq!(json.headers["user-agent"], "Airudder");
    let body: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "APPKey": key, "APPSecret": secret })
    );
    let form = login("/service/callcenter/call/predict/auth");
    assert_eq!(
        form.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        form.body,
        "APPKey=k%26%3D%2B%20%25%C3%BC&APPSecret=s%22%5C%3B%2F%3F%23"
    );
    for login in [json, form] {
        assert!(!login.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn a_login_of_ones_own_is_described_in_a_file() {
    let policies = policies(&[]);
    let own = "logins:\n  own:\n    path: /login\n    fields: { user: app_key, password: app_secret }\n    \
               token: $.access_token\n    lifetime: 24h\n    lifetime_at: $.expires_in\n";
    std::fs::write(policies.path().join("own.yaml"), own).unwrap();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings_of_account(&sandbox.url(), "login: own", &named(&policies));
    let stage = Stage::start(sandbox, &settings).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    let reply = stage.client.post(DIALER, "{}").await;
    assert_ne!(reply.json()["code"], 10812, "{:?}", reply.body);
    assert_eq!(stage.sandbox.logins(), 1, "it serves every family");
    assert_eq!(stage.seen_at("/login"), 1);
    let ready = stage.admin().get("/readyz").await.json();
    let left = ready["accounts"]["main"]["expires_in_s"].as_u64().unwrap();
    assert!(
        (3000..=3600).contains(&left),
        "the answer's lifetime: {left}"
    );
}

#[tokio::test]
async fn an_account_may_change_the_scheme_of_its_token() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings_of_account(&sandbox.url(), "authorization: Bearer", "");
    let stage = Stage::start(sandbox, &settings).await;
    let reply = stage.client.get("/service/cloud/workflow/templates").await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let shown = stage.last_seen().headers["authorization"].clone();
    assert!(shown.to_str().unwrap().starts_with("Bearer "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_goes_on_when_the_call_that_began_it_leaves() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings(&sandbox.url(), HASTY);
    let stage = Stage::start(sandbox, &settings).await;
    stage.client.get(ROBOTS).await;
    since(Instant::now(), Duration::from_millis(5)).await;
    stage.sandbox.revoke_tokens();
    stage
        .sandbox
        .set_fault(fault("delay=200ms").at(LOGIN).times(1));
    let before = stage.seen_at(LOGIN);
    let client = Arc::new(stage.client.clone());
    let first = tokio::spawn(async move { client.get(ROBOTS).await });
    until("the login is under way", || stage.seen_at(LOGIN) > before).await;
    first.abort();
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    assert_eq!(stage.sandbox.logins(), 2);
}
