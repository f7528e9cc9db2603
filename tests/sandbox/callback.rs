//! Callbacks, pushed to a receiver of our own.

use super::*;

/// Answers the first push with 500 and every other with 200; hands out what came.
async fn receiver(listener: TcpListener, pushes: usize) -> Vec<String> {
    let mut got = Vec::new();
    for place in 0..pushes {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut push = Vec::new();
        // The body is one JSON object with nothing after it.
        while !(push.ends_with(b"}") && serde_json::from_slice::<Value>(body_of(&push)).is_ok()) {
            assert_ne!(socket.read_buf(&mut push).await.unwrap(), 0);
        }
        let status = if place == 0 { "500 No" } else { "200 OK" };
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        socket.write_all(reply.as_bytes()).await.unwrap();
        got.push(String::from_utf8(push).unwrap());
    }
    got
}

#[tokio::test]
async fn a_callback_is_pushed_until_it_is_taken() {
    let mut options = Options::local("127.0.0.1:0".parse().unwrap());
    options.callback_retry = Duration::from_millis(1);
    let stage = Stage::with(options).await;
    let id = stage.workflow().await;
    let body = json!({ "workflow_id": id, "details": rows(1) });
    stage.post(ADD, &body).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/webhook?a=1", listener.local_addr().unwrap());
    let order = json!({ "to": to, "kind": "call_finished", "workflow_id": id });
    let started = stage
        .send((Method::POST, "/sandbox/callbacks"), &[], &order)
        .await
        .unwrap();
    assert_eq!(started.status, 202);
    let got = within(receiver(listener, 2)).await;
    assert!(
        got[0].starts_with("POST /webhook?a=1 HTTP/1.1\r\n"),
        "{}",
        got[0]
    );
    assert!(got[0].contains("user-agent: Airudder\r\n"));
    assert_eq!(got[0], got[1]);
    let pushed: Value = serde_json::from_slice(body_of(got[0].as_bytes())).unwrap();
    assert_eq!(
        (&pushed["workflow_id"], &pushed["Mobile"]),
        (&json!(id), &json!("+15550000000"))
    );

    let taken = async {
        loop {
            let list = stage.get("/sandbox/callbacks").await.json();
            if list[0]["outcome"] == "taken" {
                return list;
            }
        }
    };
    assert_eq!(within(taken).await[0]["attempts"], json!(["500", "200"]));
}

#[tokio::test]
async fn a_callback_goes_nowhere_but_to_loopback() {
    let stage = Stage::set().await;
    for order in [
        json!({ "to": "http://192.0.2.1/x", "kind": "call_finished" }),
        json!({ "to": "http://127.0.0.1:9/x", "kind": "nothing" }),
    ] {
        let got = stage
            .send((Method::POST, "/sandbox/callbacks"), &[], &order)
            .await
            .unwrap();
        assert_eq!(got.status, 400);
    }
}
