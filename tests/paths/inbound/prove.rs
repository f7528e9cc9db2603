//! Who is believed, and by what.

use std::sync::Arc;

use pintle::crypto::Signer;
use pintle::sandbox::Options;
use pintle::secret::Secret;

use super::*;
use crate::sealing::{folder, seals};
use crate::support::until;

/// A folder with one push of our own, proved by `proof`.
fn with_route(proof: &str) -> TempDir {
    let folder = folder(|text| text);
    std::fs::create_dir(folder.path().join("routes")).unwrap();
    let route = format!(
        "family: workflow\ncallbacks:\n  - name: workflow.ours\n    titles: [ours]\n    \
         source: assumed\n    listen: /in/ours\n    prove: {proof}\n    \
         answer: {{ status: 202, json: {{ taken: true, n: 1 }} }}\n    \
         once: {{ key: [$.body.id] }}\n"
    );
    std::fs::write(folder.path().join("routes/ours.yaml"), route).unwrap();
    folder
}

const OWN: &str = "policies: policies\nroutes: routes";

#[tokio::test]
async fn a_signed_push_is_taken_once_and_a_changed_one_is_told_apart() {
    let app = Receiver::start().await;
    let of_public = format!(
        "secrets: {{ callback_path: \"literal:s3cret\", standard_webhooks: \"literal:{SECRET}\" }}"
    );
    let settings = |url: &str| {
        inbound_settings(url, &receiver("app", &app, ""), "", OWN)
            .replace("secrets: { callback_path: \"literal:s3cret\" }", &of_public)
    };
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings(&sandbox.url());
    let stage = Stage::start_in(with_route("standard_webhooks"), sandbox, &settings).await;
    let public = Client::new(&format!("http://{}", stage.app.addresses().public.unwrap()));
    let secret = Secret::new(SECRET.to_owned());
    let signer = Signer::standard_webhooks(&[&secret]).unwrap();
    let now = stage.app.outbound().clock.now();
    let push = |body: &'static str, at: i64| {
        let signed = signer.sign("msg_1", at, body.as_bytes()).unwrap();
        let public = public.clone();
        async move {
            let headers: Vec<(&str, String)> = signed
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned()))
                .collect();
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            public.send("POST", "/in/ours", &headers, body).await
        }
    };
    let first = push(r#"{"id":"1"}"#, now).await;
    assert_eq!(
        (first.status.as_u16(), first.json()["taken"].clone()),
        (202, true.into())
    );
    let again = push(r#"{"id":"1"}"#, now + 1).await;
    assert_eq!((again.status.as_u16(), again.body), (202, first.body));
    let other = push(r#"{"id":"1","amount":2}"#, now).await;
    assert_eq!(
        (other.status.as_u16(), other.code().as_str()),
        (409, "push_conflict")
    );
    let stale = push(r#"{"id":"2"}"#, now - 301).await;
    assert_eq!(stale.code(), "push_refused");
    let unsigned = public.post("/in/ours", r#"{"id":"3"}"#).await;
    assert_eq!(unsigned.code(), "push_refused");
    until("one delivery", || app.count() == 1).await;
}

#[tokio::test]
async fn a_sender_that_asks_first_is_answered() {
    let app = Receiver::start().await;
    let secrets = "secrets: { callback_path: \"literal:s3cret\", meta_app: \"literal:app\", \
                   meta_verify_token: \"literal:v1\" }";
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = inbound_settings(&sandbox.url(), &receiver("app", &app, ""), "", OWN)
        .replace("secrets: { callback_path: \"literal:s3cret\" }", secrets);
    let stage = Stage::start_in(with_route("meta"), sandbox, &settings).await;
    let public = Client::new(&format!("http://{}", stage.app.addresses().public.unwrap()));
    let asked = "/in/ours?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";
    let answered = public.get(&format!("{asked}v1")).await;
    assert_eq!(
        (answered.status.as_u16(), &answered.body[..]),
        (200, &b"1158201444"[..])
    );
    assert_eq!(answered.header("content-type"), "text/plain");
    let refused = public.get(&format!("{asked}v2")).await;
    assert_eq!(refused.code(), "push_refused");
    let unsigned = public.post("/in/ours", r#"{"id":"1"}"#).await;
    assert_eq!(unsigned.code(), "push_refused");
    // From `printf '{"id":"1"}' | openssl dgst -sha256 -hmac app`.
    let mut command = std::process::Command::new("openssl");
    command.args(["dgst", "-sha256", "-hmac", "app", "-r"]);
    let told = crate::sealing::piped(command, br#"{"id":"1"}"#);
    let tag = String::from_utf8(told).unwrap();
    let signature = format!("sha256={}", tag.split_whitespace().next().unwrap());
    let headers = [("x-hub-signature-256", signature.as_str())];
    let taken = public
        .send("POST", "/in/ours", &headers, r#"{"id":"1"}"#)
        .await;
    assert_eq!(taken.status, 202);
    until("the delivery", || app.count() == 1).await;
}

#[tokio::test]
async fn a_sealed_callback_is_delivered_plain() {
    let app = Receiver::start().await;
    let options = Options {
        seals: Some(seals("airudder", "airudderredduria")),
        ..sandbox_options()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let url = sandbox.url();
    let sealing = |plain: &str| {
        folder(|text| {
            let by_path = "    path_secret: callback_path\n";
            let and_digest =
                "    all: [{ path_secret: callback_path }, { digest: { header: signed } }]\n";
            let text = text.replace(by_path, and_digest);
            let callback = "callback: { body: whole, plain: allowed }";
            let changed = format!("callback: {{ body: whole, plain: {plain} }}");
            text.replace(callback, &changed)
        })
    };
    let of_account = "sealing: airudder, \
                      keys: { aes: [{ id: a, key: \"literal:airudderredduria\" }] }";
    let settings = inbound_settings(&url, &receiver("app", &app, ""), "", "policies: policies")
        .replace("}, \n", &format!("}}, {of_account} }}\n"))
        .replace(
            "\"literal:sandbox-secret\" },  }",
            &format!("\"literal:sandbox-secret\" }}, {of_account} }}"),
        );
    let stage = Stage::start_in(sealing("refused"), sandbox, &settings).await;
    let public = stage.app.addresses().public.unwrap();
    let wish = format!(r#"{{"to":"http://{public}{CALL}","kind":"call_finished"}}"#);
    let started = Client::new(&url).post("/sandbox/callbacks", &wish).await;
    assert_eq!(started.status, 202);
    until("the delivery", || app.count() == 1).await;
    let body: serde_json::Value = serde_json::from_slice(&app.received()[0].body).unwrap();
    assert_eq!(body["Status"], "Finished");
    assert!(!app.received()[0].headers.contains_key("signed"));
    // Plain where the policy demands a seal, and damaged: refused as what is not proved.
    let public = Client::new(&format!("http://{public}"));
    let plain = public.post(CALL, BODY).await;
    let damaged = [("is-encrypted", "1"), ("signed", "00")];
    let damaged = public.send("POST", CALL, &damaged, "AAAA").await;
    assert_eq!(
        (plain.code(), damaged.code()),
        ("push_refused".into(), "push_refused".into())
    );
}

#[tokio::test]
async fn a_proxy_that_is_trusted_names_the_sender() {
    let app = Receiver::start().await;
    let of_public = "failures_max: 1, trusted_proxies: [127.0.0.1]";
    let bridge = Bridge::with(&receiver("app", &app, ""), of_public, "").await;
    let wrong = "/callback/wrong/workflow/call-finished";
    let push = |sender: &'static str, path: &'static str| {
        let public = bridge.public.clone();
        async move {
            let headers = [("x-forwarded-for", sender)];
            public
                .send("POST", path, &headers, BODY)
                .await
                .status
                .as_u16()
        }
    };
    for _ in 0..2 {
        assert_eq!(push("203.0.113.7", wrong).await, 403);
    }
    assert_eq!(push("203.0.113.7", CALL).await, 429);
    assert_eq!(push("198.51.100.1, 203.0.113.7", CALL).await, 429);
    assert_eq!(push("203.0.113.8", CALL).await, 200);
}

#[tokio::test]
async fn every_example_of_every_push_is_taken_and_delivered() {
    let app = Receiver::start().await;
    let bridge = Bridge::start(&receiver("app", &app, "attempts_max: 32")).await;
    let catalogue = Arc::clone(&bridge.stage.app.outbound().catalogue);
    let mut sent = Vec::new();
    for entry in catalogue.entries() {
        let Some(webhook) = &entry.webhook else {
            continue;
        };
        assert!(
            !webhook.examples.is_empty(),
            "{} has no example",
            entry.name
        );
        let path = webhook.path.pattern.replace("{secret}", "s3cret");
        for example in &webhook.examples {
            let body = example.body.to_string();
            let reply = bridge.public.post(&path, &body).await;
            assert_eq!(reply.status, webhook.answer.status, "{}", entry.name);
            assert_eq!(reply.body, webhook.answer.body, "{}", entry.name);
            sent.push((entry.name.clone(), body));
        }
    }
    assert!(sent.len() > 20, "{}", sent.len());
    until("all deliveries", || app.count() == sent.len()).await;
    for (name, body) in sent {
        let is_it = |received: &crate::receiver::Received| {
            received.header("x-pintle-route") == name && received.body == body
        };
        assert!(app.received().iter().any(is_it), "{name}: {body}");
    }
}
