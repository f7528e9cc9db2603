//! Handshakes: the known questions get their answers, and nothing else gets one.

use http::Method;
use pintle::crypto::{Encoding, HANDSHAKES, Handshake, HandshakeReply, SecretFault};
use pintle::secret::Secret;
use serde_json::{Value, json};

use crate::support::{Push, data, proof, secrets, shipped};

fn handshake(name: &str, secret: Option<&str>) -> Handshake {
    let secret = secret.map(|text| Secret::new(text.to_owned()));
    let secrets: Vec<&Secret> = secret.iter().collect();
    Handshake::new(name, &secrets).unwrap().unwrap()
}

fn ask(handshake: &Handshake, push: &Push) -> Option<HandshakeReply> {
    push.with(|evidence| handshake.reply(evidence))
}

fn push(method: Method, query: &str, body: &str) -> Push {
    let mut push = Push::new(body);
    push.method = method;
    push.url = format!("https://x.example/h?{query}");
    push
}

fn encoded(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

#[test]
fn every_published_challenge_is_answered() {
    let data = data();
    let challenges = data["challenges"].as_array().unwrap();
    assert_eq!(challenges.len(), HANDSHAKES.len());
    for (challenge, name) in challenges.iter().zip(["hub", "zoom", "slack", "graph"]) {
        let (request, response) = (&challenge["request"], &challenge["response"]);
        let asked = request["query"].as_object().into_iter().flatten();
        let pair =
            |(key, value): (&String, &Value)| format!("{key}={}", encoded(value.as_str().unwrap()));
        let query = asked.map(pair).collect::<Vec<_>>().join("&");
        let body = request
            .get("json")
            .map(Value::to_string)
            .unwrap_or_default();
        let method = request["method"].as_str().unwrap().parse().unwrap();
        let handshake = handshake(name, challenge["secret"].as_str());
        let reply = ask(&handshake, &push(method, &query, &body)).unwrap();
        assert_eq!(
            u64::from(reply.status.as_u16()),
            response["status"],
            "{name}"
        );
        if let Some(expected) = response.get("json") {
            assert_eq!(reply.content_type, "application/json");
            let found: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(found, *expected, "{name}");
        } else {
            assert_eq!(reply.content_type, response["content_type"], "{name}");
            assert_eq!(
                str::from_utf8(&reply.body).unwrap(),
                response["body"],
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_not_the_question_is_not_answered() {
    let good = "hub.mode=subscribe&hub.challenge=7&hub.verify_token=v";
    let hub = handshake("hub", Some("v"));
    assert!(ask(&hub, &push(Method::GET, good, "")).is_some());
    let long = good.replace('7', &"7".repeat(1025));
    for (method, query) in [
        (Method::POST, good),
        (Method::GET, "hub.mode=subscribe&hub.challenge=7"),
        (
            Method::GET,
            "hub.mode=subscribe&hub.challenge=7&hub.verify_token=",
        ),
        (
            Method::GET,
            "hub.mode=subscribe&hub.challenge=7&hub.verify_token=w",
        ),
        (
            Method::GET,
            "hub.mode=unsubscribe&hub.challenge=7&hub.verify_token=v",
        ),
        (Method::GET, "hub.mode=subscribe&hub.verify_token=v"),
        (
            Method::GET,
            "hub.mode=subscribe&hub.challenge=7&hub.challenge=8&hub.verify_token=v",
        ),
        (
            Method::GET,
            "hub.mode=subscribe&hub.challenge=%ff&hub.verify_token=v",
        ),
        (Method::GET, &long),
    ] {
        assert_eq!(ask(&hub, &push(method, query, "")), None, "{query}");
    }
    let slack = handshake("slack", None);
    for body in [
        "",
        "[]",
        r#"{"type":"url_verification"}"#,
        r#"{"type":"url_verification","challenge":7}"#,
        r#"{"type":"event_callback","challenge":"c"}"#,
    ] {
        assert_eq!(ask(&slack, &push(Method::POST, "", body)), None, "{body}");
    }
    let graph = handshake("graph", None);
    assert_eq!(
        ask(&graph, &push(Method::GET, "validationToken=a", "")),
        None
    );
    assert_eq!(ask(&graph, &push(Method::POST, "token=a", "")), None);
}

#[test]
fn zooms_handshake_signs_no_push() {
    let zoom = handshake("zoom", Some("zm_1"));
    let asked = |token: &str| {
        let body =
            json!({ "event": "endpoint.url_validation", "payload": { "plainToken": token } });
        ask(&zoom, &push(Method::POST, "", &body.to_string()))
    };
    assert!(asked("qgg8vlvZRS6UYooatFL8Aw").is_some());
    // Answered, this would be a valid signature of a push that Zoom never sent.
    assert_eq!(asked(r#"v0:1773158400:{"id":"evt_1","n":1}"#), None);
    assert_eq!(asked("a b"), None);
    assert_eq!(asked(&"a".repeat(1025)), None);
}

#[test]
fn a_handshake_without_its_secret_is_none() {
    let none = |name| Handshake::new(name, &[]).unwrap().err();
    assert_eq!(none("hub"), Some(SecretFault::Absent));
    assert_eq!(none("zoom"), Some(SecretFault::Absent));
    assert!(Handshake::new("other", &[]).is_none());
    let meta = shipped("meta");
    assert!(meta.handshake(&std::collections::BTreeMap::new()).is_err());
    assert!(meta.handshake(&secrets(&meta, &["v"])).unwrap().is_some());
    let slack = shipped("slack");
    assert!(slack.handshake(&secrets(&slack, &["v"])).unwrap().is_some());
    assert!(
        proof("bearer: x")
            .handshake(&std::collections::BTreeMap::new())
            .unwrap()
            .is_none()
    );
}

#[test]
fn base64_of_a_token_is_a_token() {
    let token = String::from_utf8(Encoding::Base64.encode(&[0xff; 16])).unwrap();
    let body = json!({ "event": "endpoint.url_validation", "payload": { "plainToken": token } });
    let zoom = handshake("zoom", Some("zm_1"));
    assert!(ask(&zoom, &push(Method::POST, "", &body.to_string())).is_some());
}
