//! What goes over the wire, in every placement and both ways.

use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::support::raw;

#[tokio::test]
async fn every_placement_is_sealed_on_the_wire_both_ways() {
    for name in ["airudder", "prefixed", "headers", "wrapped", "raw", "fixed"] {
        let stage = stage(name).await;
        let reply = stage.client.post(CREATE, INSTANCE).await;
        assert_eq!(reply.status, 200, "{name}: {:?}", reply.body);
        assert_eq!(reply.json()["code"], 200, "{name}");
        assert_eq!(reply.header("x-pintle-verdict"), "accepted", "{name}");
        assert_eq!(reply.header("content-type"), "application/json", "{name}");
        let length = reply.body.len().to_string();
        assert_eq!(reply.header("content-length"), length, "{name}");
        for gone in [
            "is-encrypted",
            "signed",
            "x-sealed",
            "x-iv",
            "x-mac",
            "x-key",
        ] {
            assert!(!reply.headers.contains_key(gone), "{name}: {gone}");
        }

        let seen = stage.last_seen();
        let length = seen.body.len().to_string();
        assert_eq!(header(&seen, "content-length"), length, "{name}");
        let of_request = |header: &str| seen.headers[header].to_str().unwrap().to_owned();
        let request = opened_by_openssl(name, &seen.body, of_request);
        assert_eq!(request, INSTANCE, "{name}");

        let wire = on_the_wire(&stage, &seen).await;
        let of_reply = |name: &str| wire.header(name).to_owned();
        let opened = opened_by_openssl(name, &wire.body, of_reply);
        let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
        assert_eq!(opened["status"], "OK", "{name}");
    }
}

#[tokio::test]
async fn the_platforms_announcement_goes_along() {
    let stage = stage("airudder").await;
    stage.client.post(CREATE, INSTANCE).await;
    let seen = stage.last_seen();
    assert_eq!(header(&seen, "is-encrypted"), "1");
    assert_eq!(header(&seen, "signed"), sha256(INSTANCE.as_bytes()));
    assert_eq!(header(&seen, "content-type"), "application/json");
    assert!(header(&seen, "authorization").starts_with("Token "));
}

#[tokio::test]
async fn a_query_is_sealed_whole_and_stands_raw_behind_the_question_mark() {
    for name in ["airudder", "prefixed", "headers"] {
        let stage = stage(name).await;
        let task =
            r#"{"workflow_template_id":1,"name":"n","end_time":"2030-01-01 00:00:00+08:00"}"#;
        let created = stage.client.post(CREATE, task).await.json();
        let id = created["data"]["workflow_id"].as_str().unwrap();
        let query = format!("workflow_id={id}&note=%2B+x");
        let path = format!("/service/cloud/workflow/instance?{query}");
        let reply = stage.client.get(&path).await;
        let seen = stage.last_seen();
        let (path, sealed) = seen.target.split_once('?').unwrap();
        assert_eq!(path, "/service/cloud/workflow/instance", "{name}");
        assert!(
            !sealed.contains('%') && !sealed.contains(id),
            "{name}: {sealed}"
        );
        let of_request = |header: &str| seen.headers[header].to_str().unwrap().to_owned();
        let opened = opened_by_openssl(name, sealed.as_bytes(), of_request);
        assert_eq!(opened, query, "{name}");
        assert_ne!(
            reply.json()["code"],
            400,
            "{name}: the sandbox understood it"
        );
    }
}

#[tokio::test]
async fn single_fields_are_sealed_where_they_stand() {
    let stage = stage("fields").await;
    let created = stage.client.post(CREATE, INSTANCE).await.json();
    let id = created["data"]["workflow_id"].as_str().unwrap();
    assert_eq!(id.len(), 64, "it was opened: {id}");
    let card = "11010519491231002X";
    let rows = format!(
        r#"{{"workflow_id":"{id}","big":9007199254740993,"details":[{{"callee":"+8613711112222","variables":{{"id_card":"{card}","n":1}}}},{{"callee":"+8613711112223"}}]}}"#
    );
    let reply = stage.client.post(ADD, &rows).await;
    assert_eq!(
        reply.header("x-pintle-verdict"),
        "accepted",
        "{:?}",
        reply.body
    );
    let seen = stage.last_seen();
    let wire = String::from_utf8(seen.body.to_vec()).unwrap();
    assert!(!wire.contains(card));
    assert!(wire.contains(r#""big":9007199254740993"#), "{wire}");
    let wire: serde_json::Value = serde_json::from_str(&wire).unwrap();
    assert_eq!(wire["workflow_id"], *id);
    let sealed = wire["details"][0]["variables"]["id_card"].as_str().unwrap();
    let bytes = from_base64(sealed.as_bytes());
    let (text, tag) = bytes.split_at(bytes.len() - 32);
    assert_eq!(hmac(text), tag);
    assert_eq!(open_cbc(&text[..16], &text[16..]), card);
}

#[tokio::test]
async fn a_sealed_callback_opens_by_hand() {
    let stage = stage("airudder").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/in", listener.local_addr().unwrap());
    let body = format!(r#"{{"to":"{to}","kind":"call_finished"}}"#);
    let started = Client::new(&stage.sandbox.url())
        .post("/sandbox/callbacks", &body)
        .await;
    assert_eq!(started.status, 202);
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut captured = Vec::new();
    while !is_whole(&captured) {
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut piece));
        let read = read.await.unwrap().unwrap();
        assert!(read > 0, "the callback broke off");
        captured.extend_from_slice(&piece[..read]);
    }
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();

    let text = String::from_utf8(captured.clone()).unwrap();
    let (head, sealed) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("is-encrypted: 1"), "{head}");
    let signed = head
        .lines()
        .find_map(|line| line.strip_prefix("signed: "))
        .unwrap();
    let opened = open_airudder(sealed.as_bytes(), signed);
    let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
    assert_eq!(opened["Status"], "Finished");

    // And by the command that people use on what they captured.
    let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
    let folder = TempDir::new().unwrap();
    command.current_dir(folder.path());
    command.args([
        "open",
        "airudder",
        "--key",
        "literal:airudderredduria",
        "--as",
        "callback",
        "-i",
    ]);
    let printed = String::from_utf8(piped(command, &captured)).unwrap();
    let (_, plain) = printed.split_once("\n\n").unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(plain).unwrap(),
        opened
    );
}

/// Whether a captured message is there to the last byte of its announced body.
fn is_whole(captured: &[u8]) -> bool {
    let text = String::from_utf8_lossy(captured);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let len = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        body.len() >= len.parse().unwrap()
    })
}

#[tokio::test]
async fn a_chunked_body_is_sealed_and_gets_a_length() {
    let stage = stage("airudder").await;
    let call = format!(
        "POST {CREATE} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ndigest: sha-256=x\r\n\
         content-md5: y\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{INSTANCE}\r\n0\r\n\r\n",
        INSTANCE.len()
    );
    let client = stage.client.clone();
    let answer = tokio::task::spawn_blocking(move || raw(&client, call.as_bytes()));
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    let seen = stage.last_seen();
    assert_eq!(header(&seen, "content-length"), seen.body.len().to_string());
    for gone in ["transfer-encoding", "digest", "content-md5"] {
        assert!(!seen.headers.contains_key(gone), "{gone}");
    }
    assert_eq!(open_airudder(&seen.body, header(&seen, "signed")), INSTANCE);
}
