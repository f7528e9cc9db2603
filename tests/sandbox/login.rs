//! Logins, tokens and who is let in.

use super::*;

#[tokio::test]
async fn a_login_gives_a_token_that_opens_the_cloud_family() {
    let stage = Stage::set().await;
    let robots = stage.get(ROBOTS).await.json();
    assert_eq!(
        (&robots["code"], &robots["status"]),
        (&json!(200), &json!("OK"))
    );
    assert!(robots["data"].as_array().unwrap().len() >= 2);
    assert_eq!(
        stage.login().await,
        stage.token,
        "asking again keeps the token"
    );
    assert_eq!(stage.sandbox.logins(), 2);
}

#[tokio::test]
async fn a_login_is_json_or_form_and_refuses_a_wrong_secret() {
    let stage = Stage::set().await;
    let post = |path: &'static str, body: &'static str| {
        let url = format!("{}{path}", stage.sandbox.url());
        let request = Request::post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(body))
            .unwrap();
        stage.client.request(request)
    };
    let right = "APPKey=sandbox-key&APPSecret=sandbox-secret";
    let reply = post("/service/cloud/auth", right).await.unwrap();
    assert_eq!(reply.status(), 200);
    let reply = post("/service/callcenter/call/predict/auth", right)
        .await
        .unwrap();
    let value: Value = serde_json::from_slice(&read(reply.into_body()).await.unwrap()).unwrap();
    assert_eq!(
        (&value["code"], &value["message"]),
        (&json!(0), &json!("successfully"))
    );
    assert!(value["body"]["token"].is_string());

    let reply = post("/service/cloud/auth", "APPKey=sandbox-key&APPSecret=no")
        .await
        .unwrap();
    assert_eq!(reply.status(), 401);
    let value: Value = serde_json::from_slice(&read(reply.into_body()).await.unwrap()).unwrap();
    assert_eq!(value["code"], 401);

    let body = json!({ "user": "sandbox-key", "password": "sandbox-secret" });
    let got = stage
        .send((Method::POST, "/login"), &[], &body)
        .await
        .unwrap()
        .json();
    assert_eq!(got["expires_in"], 3600);
    assert!(got["access_token"].is_string());
}

#[tokio::test]
async fn a_token_ends_with_its_life_and_with_a_revocation() {
    let mut stage = Stage::set().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(24)).await;
    tokio::time::resume();
    let got = stage.get(ROBOTS).await;
    assert_eq!(
        (got.status.as_u16(), &got.json()["code"]),
        (401, &json!(401))
    );

    let fresh = stage.login().await;
    assert_ne!(fresh, stage.token);
    stage.token = fresh;
    assert_eq!(stage.get(ROBOTS).await.status, 200);
    stage.sandbox.revoke_tokens();
    assert_eq!(stage.get(ROBOTS).await.status, 401);
    assert_ne!(stage.login().await, stage.token);
}

#[tokio::test]
async fn each_family_refuses_a_bad_token_in_its_own_way() {
    let stage = Stage::set().await;
    let ask = async |path: &str, authorization: &str| {
        let headers = [("Authorization", authorization)];
        let got = stage
            .send((Method::POST, path), &headers, &json!({}))
            .await
            .unwrap();
        (got.status.as_u16(), got.json()["code"].clone())
    };
    let task = "/service/callcenter/call/predict/createtask";
    assert_eq!(ask(CREATE, "Token no").await, (401, json!(401)));
    assert_eq!(ask(task, "Token no").await, (200, json!(10812)));
    assert_eq!(
        ask(task, &format!("Token {}", stage.token)).await,
        (200, json!(10812))
    );
    let bearer = format!("Bearer {}", stage.token);
    assert_eq!(
        ask(CREATE, &bearer).await,
        (200, json!(400)),
        "workflow takes Bearer too"
    );
    assert_eq!(ask("/service/cloud/task", &bearer).await, (401, json!(401)));
    let blanks = format!("Token  {}", stage.token);
    assert_eq!(ask("/service/cloud/task", &blanks).await, (401, json!(401)));
}
