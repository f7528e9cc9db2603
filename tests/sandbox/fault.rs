//! Faults on demand, above and beneath HTTP.

use super::*;

#[tokio::test]
async fn a_fault_shows_in_the_reply() {
    let stage = Stage::set().await;
    let got = stage
        .faulty("status=503; retry-after=2; header=X-A:b")
        .await
        .unwrap();
    assert_eq!(
        (got.status.as_u16(), &got.json()["code"]),
        (503, &json!(503))
    );
    assert_eq!(
        (&got.headers["retry-after"], &got.headers["x-a"]),
        (&"2".parse().unwrap(), &"b".parse().unwrap())
    );
    let got = stage.faulty("code=10812").await.unwrap();
    assert_eq!(
        (got.status.as_u16(), &got.json()["code"]),
        (200, &json!(10812))
    );
    let got = stage.faulty("bad-json").await.unwrap();
    assert!(serde_json::from_slice::<Value>(&got.body).is_err());
    let got = stage.faulty("html; status=502").await.unwrap();
    assert_eq!(
        (got.status.as_u16(), &got.headers["content-type"]),
        (502, &"text/html".parse().unwrap())
    );
    let got = stage.faulty("empty").await.unwrap();
    assert_eq!((got.status.as_u16(), got.body.len()), (200, 0));
    let got = stage.faulty("close").await.unwrap();
    assert_eq!(got.headers["connection"], "close");
    let got = stage.faulty("echo").await.unwrap();
    let sent = format!("Token {}", stage.token);
    assert_eq!(got.headers["x-echo-authorization"], sent);
    assert_eq!(got.json()["data"]["authorization"], sent);
}

#[tokio::test]
async fn a_delayed_or_slow_reply_takes_its_time() {
    let stage = Stage::set().await;
    let begun = Instant::now();
    assert_eq!(stage.faulty("delay=150ms").await.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    let begun = Instant::now();
    let got = stage.faulty("slow-body=1kb/s").await.unwrap();
    let least = Duration::from_millis(u64::try_from(got.body.len()).unwrap() * 9 / 10 - 110);
    assert!(
        begun.elapsed() >= least,
        "{:?} < {least:?}",
        begun.elapsed()
    );
    assert_eq!(got.json()["code"], 200);
}

#[tokio::test]
async fn a_hanging_request_is_seen_and_never_answered() {
    let stage = Stage::set().await;
    let hanging = stage.faulty("hang");
    let seen = async {
        while stage.sandbox.seen().last().unwrap().target != ROBOTS {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        got = hanging => panic!("answered: {:?}", got.map(|got| got.status)),
        () = within(seen) => {}
    }
    assert_eq!(stage.sandbox.seen().last().unwrap().status, 0);
    within(stage.sandbox.stop()).await;
}

/// Sends bytes on a socket of their own and reads to the end, or to the error.
async fn raw(stage: &Stage, headers: &str) -> (Vec<u8>, std::io::Result<usize>) {
    let mut socket = TcpStream::connect(stage.sandbox.address()).await.unwrap();
    let head = format!(
        "GET {ROBOTS} HTTP/1.1\r\nhost: x\r\nauthorization: Token {}\r\n{headers}\r\n",
        stage.token
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let end = within(socket.read_to_end(&mut all)).await;
    (all, end)
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let stage = Stage::set().await;
    let (bytes, end) = raw(&stage, "x-sandbox-fault: reset\r\n").await;
    assert!(bytes.is_empty());
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    let (bytes, end) = raw(&stage, "x-sandbox-fault: reset-after=10\r\n").await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(body_of(&bytes).len(), 10);
}

#[tokio::test]
async fn a_truncated_reply_breaks_its_promise_in_good_order() {
    let stage = Stage::set().await;
    let (bytes, end) = raw(&stage, "x-sandbox-fault: truncate=7\r\n").await;
    end.unwrap();
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let whole = stage.get(ROBOTS).await.body.len();
    assert!(
        head.contains(&format!("content-length: {whole}\r\n")),
        "{head}"
    );
    assert_eq!(body_of(&bytes), br#"{"data""#);
    assert!(stage.faulty("truncate=7").await.is_err());
}

#[tokio::test]
async fn nonsense_is_not_http() {
    let stage = Stage::set().await;
    let (bytes, _) = raw(&stage, "x-sandbox-fault: nonsense\r\n").await;
    assert!(bytes.starts_with(b"SSH-2.0"));
    assert!(stage.faulty("nonsense").await.is_err());
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_body() {
    let stage = Stage::set().await;
    let mut socket = TcpStream::connect(stage.sandbox.address()).await.unwrap();
    let head = "POST /service/cloud/upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\
                x-sandbox-fault: early; status=413\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    within(socket.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_fault_that_was_set_holds_for_its_path_and_number() {
    let stage = Stage::set().await;
    let fault: Fault = "status=500".parse().unwrap();
    stage.sandbox.set_fault(fault.clone().at(ROBOTS).times(1));
    assert_eq!(stage.get("/service/cloud/list").await.status, 200);
    assert_eq!(stage.get(ROBOTS).await.status, 500);
    assert_eq!(stage.get(ROBOTS).await.status, 200);

    let body = json!({ "fault": "token-crlf", "path": "/service/cloud/auth", "times": 1 });
    let none = stage
        .send((Method::POST, "/sandbox/faults"), &[], &body)
        .await
        .unwrap();
    assert_eq!(none.status, 200);
    assert!(stage.login().await.contains("\r\n"));
    stage
        .sandbox
        .set_fault("token=chosen".parse::<Fault>().unwrap().times(1));
    assert_eq!(stage.login().await, "chosen");
    stage.sandbox.set_fault(fault);
    stage.sandbox.clear_faults();
    assert_eq!(
        stage.login().await,
        "chosen",
        "a chosen token is the token of the account"
    );
}

#[tokio::test]
async fn the_operation_is_carried_out_before_its_answer_is_lost() {
    let stage = Stage::set().await;
    stage
        .sandbox
        .set_fault("reset-after=0".parse::<Fault>().unwrap().at(CREATE));
    let token = format!("Token {}", stage.token);
    let body = json!({ "workflow_template_id": 1, "name": "a", "end_time": "b" });
    let lost = stage
        .send((Method::POST, CREATE), &[("Authorization", &token)], &body)
        .await;
    assert!(lost.is_err());
    let instances = stage.get("/service/cloud/workflow/instances").await.json();
    assert_eq!(instances["data"]["total"], 1);
}
