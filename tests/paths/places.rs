//! The places at the platform: who gets one, and who gives it back.

use pintle::sandbox::Sandbox;

use crate::support::{Stage, sandbox_options, settings_of_account, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_caller_left_before_it_was_sent_is_not_sent() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let text = settings_of_account(&sandbox.url(), "limits: { calls_max: 1 }", "");
    let stage = Stage::start(sandbox, &text).await;
    let hanging = tokio::spawn({
        let client = stage.client.clone();
        async move {
            let headers = [("x-sandbox-fault", "delay=1500ms")];
            client
                .send("GET", "/service/cloud/list", &headers, "")
                .await
        }
    });
    until("the first call is under way", || {
        stage.seen_at("/service/cloud/list") == 1
    })
    .await;
    let waiting = tokio::spawn({
        let client = stage.client.clone();
        async move { client.post("/service/cloud/operation", "{}").await }
    });
    tokio::task::yield_now().await;
    waiting.abort();
    drop(waiting.await);
    assert_eq!(hanging.await.unwrap().status, 200);
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
    assert_eq!(stage.seen_at("/service/cloud/operation"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_never_waits_behind_the_calls_that_need_it() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let more = "token: { rejection_age: 1ms }";
    let text = settings_of_account(&sandbox.url(), "limits: { calls_max: 2 }", more);
    let stage = Stage::start(sandbox, &text).await;
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
    let begun = std::time::Instant::now();
    until("the token is old enough to be thrown away", || {
        begun.elapsed().as_millis() > 1
    })
    .await;
    stage.sandbox.revoke_tokens();
    let calls = (0..40).map(|_| stage.client.get("/service/cloud/robot"));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.status, 200, "{:?}", reply.body);
    }
    assert_eq!(stage.sandbox.logins(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_nobody_takes_over_http2_gives_its_place_back() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let more = "local: { listen: 127.0.0.1:0, limits: { body_idle: 300ms } }";
    let text = settings_of_account(&sandbox.url(), "limits: { calls_max: 1 }", more);
    let stage = Stage::start(sandbox, &text).await;
    let address = stage
        .client
        .base()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut sender, driver) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(driver);
    let request = http::Request::get(format!(
        "http://{address}/service/cloud/recording?bytes=99000000"
    ))
    .body(http_body_util::Empty::<bytes::Bytes>::new())
    .unwrap();
    let untaken = sender.send_request(request).await.unwrap();
    assert_eq!(untaken.status(), 200);
    // The one place is taken by a reply that is not being read; the next call waits for it.
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
    drop(untaken);
}
