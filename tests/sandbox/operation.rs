//! The operations, their envelopes, and what is remembered of them.

use super::*;

#[tokio::test]
async fn a_workflow_takes_ten_thousand_rows_and_not_one_more() {
    let stage = Stage::set().await;
    let id = stage.workflow().await;
    let add = async |count| {
        let body = json!({ "workflow_id": id, "details": rows(count) });
        stage.post(ADD, &body).await.json()
    };
    assert_eq!(add(9_999).await["code"], 200);
    let refused = add(2).await;
    assert_eq!(refused["code"], 400);
    assert!(
        refused["message"].as_str().unwrap().contains("10000"),
        "{refused}"
    );
    assert_eq!(add(1).await["code"], 200);

    let window = json!({ "start_time": "a", "end_time": "b", "callee": "+15550000007" });
    let found = stage
        .post("/service/cloud/workflow/detailinstances", &window)
        .await
        .json();
    assert_eq!(found["data"][0]["workflow_id"], json!(id));
    assert_eq!(found["data"][0]["case_id"], "7");
    let body = json!({ "workflow_id": id, "limit": 3 });
    let detail = stage
        .post("/service/cloud/workflow/taskdetail", &body)
        .await
        .json();
    assert_eq!(detail["data"]["total"], 10_000);
    assert_eq!(detail["data"]["list"].as_array().unwrap().len(), 3);

    stage
        .post(
            "/service/cloud/workflow/stopinstance",
            &json!({ "workflow_id": id }),
        )
        .await;
    let body = json!({ "workflow_id": id, "details": rows(1) });
    assert_eq!(stage.post(ADD, &body).await.json()["code"], 400);
}

#[tokio::test]
async fn a_workflow_call_with_a_bad_field_is_refused_by_name() {
    let stage = Stage::set().await;
    let check = async |path: &str, body: Value, named: &str| {
        let got = stage.post(path, &body).await.json();
        assert_eq!(got["code"], 400, "{got}");
        assert!(got["message"].as_str().unwrap().contains(named), "{got}");
    };
    check(
        CREATE,
        json!({ "name": "a", "end_time": "b" }),
        "workflow_template_id",
    )
    .await;
    let body = json!({ "workflow_template_id": "1", "name": "a", "end_time": "b" });
    check(CREATE, body, "integer").await;
    check(
        CREATE,
        json!({ "workflow_template_id": 1, "end_time": "b" }),
        "name",
    )
    .await;
    check(
        ADD,
        json!({ "workflow_id": "no", "details": rows(1) }),
        "workflow_id",
    )
    .await;
    let id = stage.workflow().await;
    let body = json!({ "workflow_id": id, "details": [{ "callee": "13711112222" }] });
    check(ADD, body, "details[0].callee").await;
}

#[tokio::test]
async fn a_task_is_made_listed_and_cancelled() {
    let stage = Stage::set().await;
    let body = json!({
        "TaskName": "april", "RobotID": "101", "Type": "normal",
        "ScheduleStartTime": "2026-04-01 09:00:00", "ScheduleEndTime": "2026-04-01 18:00:00",
        "Details": [{ "Mobile": "+8613711112222" }, { "Mobile": "+8613711113333" }],
    });
    let made = stage.post("/service/cloud/task", &body).await.json();
    let id = made["data"]["TaskID"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    let twice = stage.post("/service/cloud/task", &body).await.json();
    assert_eq!(twice["code"], 400);
    let list = stage.get("/service/cloud/list").await.json();
    assert_eq!(list["data"]["List"][0]["TaskName"], "april");
    let cancel = json!({ "TaskID": id, "Mobile": ["+8613711112222"] });
    let got = stage
        .post("/service/cloud/cancelphonecall", &cancel)
        .await
        .json();
    assert_eq!(got["data"]["Cancelled"], 1);
    stage
        .post("/service/cloud/operation", &json!({ "TaskID": id }))
        .await;
    let detail = stage
        .get(&format!("/service/cloud/detail?TaskID={id}"))
        .await
        .json();
    assert_eq!(detail["data"]["Status"], "Cancelled");
    assert_eq!(detail["data"]["Details"][0]["Status"], "Cancelled");
}

#[tokio::test]
async fn the_dialer_and_sms_answer_in_their_envelope() {
    let mut stage = Stage::set().await;
    let message = json!({ "to": ["+15550100"], "message": "hello", "from": "us" });
    let sent = stage
        .post("/service/sms/message/v2/send", &message)
        .await
        .json();
    assert_eq!(sent["code"], 0);
    assert!(sent["body"]["messageId"].is_string());

    let login = json!({ "APPKey": "sandbox-key", "APPSecret": "sandbox-secret" });
    let base = "/service/callcenter/call/predict";
    let got = stage.post(&format!("{base}/auth"), &login).await.json();
    stage.token = got["body"]["token"].as_str().unwrap().to_owned();
    let task = json!({
        "taskName": "may", "groupName": "g", "contactList": ["+15550100", "12"],
    });
    let made = stage
        .post(&format!("{base}/createtask"), &task)
        .await
        .json();
    assert_eq!(made["body"]["errorContactList"], json!(["12"]));
    let twice = stage
        .post(&format!("{base}/createtask"), &task)
        .await
        .json();
    assert_eq!(twice["code"], 10_508);
    let id = json!({ "taskId": made["body"]["taskId"] });
    let detail = stage
        .post(&format!("{base}/querytaskdetail"), &id)
        .await
        .json();
    assert_eq!(detail["body"]["total"], 1);

    let body = json!({ "header": { "traceId": "t1" }, "payload": {} });
    let path = "/api/v1/process/queryTaskQian";
    let got = stage
        .send((Method::POST, path), &[("tenantId", "9")], &body)
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&got["retcode"], &got["traceId"]),
        (&json!(0), &json!("t1"))
    );
    assert_eq!(got["msg"], "tenantId present");
}

#[tokio::test]
async fn unknown_paths_and_faults_are_told_plainly() {
    let stage = Stage::set().await;
    let got = stage.get("/service/cloud/nothing").await;
    assert_eq!(
        (got.status.as_u16(), &got.json()["code"]),
        (404, &json!(404))
    );
    let got = stage.faulty("statsu=500").await.unwrap();
    assert_eq!(got.status, 400);
    assert!(got.json()["known"].to_string().contains("reset-after=N"));
    let index = stage.get("/sandbox").await;
    let text = String::from_utf8(index.body.to_vec()).unwrap();
    for part in [
        "/service/cloud/auth",
        "POST /sandbox/faults",
        "slow-body",
        "assumed",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_streamed_both_ways() {
    const MEGABYTE: u64 = 1024 * 1024;
    let stage = Stage::set().await;
    let token = format!("Token {}", stage.token);
    for (query, announced) in [("", true), ("&chunked=1", false)] {
        let bytes = 100 * MEGABYTE;
        let url = format!(
            "{}/service/cloud/recording?bytes={bytes}{query}",
            stage.sandbox.url()
        );
        let request = Request::get(url)
            .header("authorization", &token)
            .body(Full::default())
            .unwrap();
        let mut body = stage.client.request(request).await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), announced.then_some(bytes));
        let mut total = 0;
        let mut first = None;
        while let Some(frame) = within(body.frame()).await {
            let data = frame.unwrap().into_data().unwrap();
            total += u64::try_from(data.len()).unwrap();
            first.get_or_insert(data);
        }
        assert_eq!(total, bytes);
        assert!(first.unwrap().starts_with(b"PK\x03\x04"));
    }

    let chunk = Bytes::from(vec![7; 64 * 1024]);
    let frames = (0..1600).map(move |_| Ok::<_, std::io::Error>(Frame::data(chunk.clone())));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("{}/service/cloud/upload", stage.sandbox.url()))
        .header("authorization", &token)
        .body(StreamBody::new(futures_util::stream::iter(frames)))
        .unwrap();
    let reply = within(client.request(request)).await.unwrap();
    let value: Value = serde_json::from_slice(&read(reply.into_body()).await.unwrap()).unwrap();
    assert_eq!(value["data"]["bytes"], 100 * MEGABYTE);
    let seen = stage.sandbox.seen().pop().unwrap();
    assert_eq!(
        (seen.body.len(), seen.body_bytes),
        (64 * 1024, 100 * MEGABYTE)
    );
}

#[tokio::test]
async fn the_journal_shows_tests_everything_and_masks_the_rest() {
    let stage = Stage::set().await;
    let token = format!("Token {}", stage.token);
    let headers = [("Authorization", token.as_str()), ("X-Request-Id", "r1")];
    stage
        .send(
            (Method::GET, "/service/cloud/list?Limit=1"),
            &headers,
            &Value::Null,
        )
        .await
        .unwrap();
    let seen = stage.sandbox.seen().pop().unwrap();
    assert_eq!(seen.request_id.as_deref(), Some("r1"));
    assert_eq!(
        (seen.target.as_str(), seen.status),
        ("/service/cloud/list?Limit=1", 200)
    );
    assert_eq!(seen.headers["authorization"], token);
    assert_eq!((seen.connection, seen.protocol), (1, Version::HTTP_11));

    let shown = stage.get("/sandbox/requests").await;
    let text = String::from_utf8(shown.body.to_vec()).unwrap();
    assert!(!text.contains(&stage.token) && !text.contains("sandbox-secret"));
    assert_eq!(shown.json()[1]["headers"]["authorization"], "Token ***");

    assert_eq!(stage.get("/sandbox/state").await.json()["logins"], 1);
    stage
        .send((Method::POST, "/sandbox/reset"), &[], &Value::Null)
        .await
        .unwrap();
    assert!(stage.sandbox.seen().is_empty());
    assert_eq!(stage.get(ROBOTS).await.status, 401);
    assert_eq!(
        stage.login().await,
        stage.token,
        "the same seed gives the same token"
    );
}
