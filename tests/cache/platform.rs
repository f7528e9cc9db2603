//! The shipped policies in front of the sandbox: token, seal and connection beside the cache.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use pintle::app::App;
use pintle::config;
use pintle::sandbox::{Options, Sandbox, Seals};
use tempfile::TempDir;

use crate::support::{Client, Stage, answer};

/// A gateway with the built-in files and a cache in front of a sandbox.
async fn gateway(sandbox: &Sandbox, more: &str) -> (App, Client, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pintle.yaml");
    let settings = format!(
        "local: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\ncache: {{}}\n\
         accounts:\n  main: {{ base_url: \"{}\", secrets: {{ app_key: \"literal:sandbox-key\", \
         app_secret: \"literal:sandbox-secret\" }}, {more} }}\n",
        sandbox.url()
    );
    std::fs::write(&path, settings).unwrap();
    let loaded = config::load(Some(&path));
    let told: Vec<_> = loaded.faults.iter().map(ToString::to_string).collect();
    let config = loaded.config.unwrap_or_else(|| panic!("{told:#?}"));
    let app = App::start(config, Some(path)).await.unwrap();
    let client = Client::new(&format!("http://{}", app.addresses().local.unwrap()));
    (app, client, folder)
}

fn options() -> Options {
    Options::local(([127, 0, 0, 1], 0).into())
}

fn robots_seen(sandbox: &Sandbox) -> usize {
    let is_robots = |seen: &&pintle::sandbox::Seen| seen.target.starts_with("/service/cloud/robot");
    sandbox.seen().iter().filter(is_robots).count()
}

#[tokio::test]
async fn the_list_of_robots_is_kept_as_shipped() {
    let sandbox = Sandbox::start(options()).await.unwrap();
    let (app, client, _folder) = gateway(&sandbox, "").await;
    let first = client.get("/service/cloud/robot").await;
    let again = client.get("/operations/collection.robots").await;
    assert_eq!(
        (again.told().as_str(), again.body == first.body),
        ("hit", true)
    );
    assert_eq!(robots_seen(&sandbox), 1);
    // What is kept has nothing of the token in it.
    let token = sandbox.seen().pop().unwrap().headers["authorization"].clone();
    let token = token
        .to_str()
        .unwrap()
        .split(' ')
        .next_back()
        .unwrap()
        .to_owned();
    let mut entries = 0;
    app.outbound()
        .caches
        .as_ref()
        .unwrap()
        .cache
        .each(&mut |entry| {
            entries += 1;
            assert!(!format!("{entry:?}").contains(&token));
        });
    assert_eq!(entries, 1);
}

#[tokio::test]
async fn a_hit_needs_neither_token_nor_seal() {
    let mut options = options();
    let keys = "sealing: airudder, keys: { aes: [{ id: a, key: \"literal:airudderredduria\" }] }";
    let policies = config::policies(None);
    let sealing = policies.sealings.get("airudder").unwrap().sealing();
    options.seals = Some(Seals {
        sealing: Arc::clone(sealing.unwrap()),
        keys: Arc::new(config::keyring("literal:airudderredduria", None, "text").unwrap()),
    });
    let sandbox = Sandbox::start(options).await.unwrap();
    let (_app, client, _folder) = gateway(&sandbox, keys).await;
    let first = client.get("/service/cloud/robot?Limit=1").await;
    assert_eq!(first.told(), "fwd=uri-miss; stored", "{}", first.body);
    assert!(
        first.body.contains("\"code\""),
        "it is kept in the clear: {}",
        first.body
    );
    let sealed = sandbox.seen().pop().unwrap();
    assert!(
        !sealed.target.contains("Limit"),
        "it left sealed: {}",
        sealed.target
    );
    let again = client.get("/service/cloud/robot?Limit=1").await;
    assert_eq!((again.told().as_str(), &again.body), ("hit", &first.body));
    for stage in ["seal", "token", "send", "open"] {
        let timing = again.header("server-timing");
        assert!(!timing.contains(&format!("{stage};dur")), "{timing}");
    }
    assert_eq!(robots_seen(&sandbox), 1);
}

#[tokio::test]
async fn a_hit_leaves_nothing_of_its_call_on_the_connection() {
    let stage =
        Stage::new(|_, _| answer(r#"{"code":200}"#, &[("cache-control", "max-age=60")])).await;
    let body = r#"{"page":1}"#;
    stage.client.send("POST", "/cloud/search", &[], body).await;
    let address = stage.app.addresses().local.unwrap();
    let calls = format!(
        "POST /cloud/search HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}\
         GET /plain/x HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let asking = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(calls.as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    };
    let answers = tokio::task::spawn_blocking(asking).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert_eq!(answers.matches("; hit").count(), 1, "{answers}");
    let seen = stage.origin.last();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/plain/x")
    );
}

#[tokio::test]
async fn interim_replies_pass_in_their_place_and_are_not_kept() {
    let origin = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = origin.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = origin.accept().await.unwrap();
        let mut head = [0; 4096];
        while stream.read(&mut head).await.unwrap() > 0 {
            let early =
                "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nx-own: 1\r\n\r\n";
            stream.write_all(early.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let reply =
                "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 1\r\n\r\nx";
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    let stage = Stage::in_front_of(address, "cache: {}").await;
    let local = stage.app.addresses().local.unwrap();
    let calls = ["1.1", "1.1", "1.0"].map(|version| {
        let path = if version == "1.0" {
            "/plain/y"
        } else {
            "/plain/x"
        };
        format!("GET {path} HTTP/{version}\r\nHost: {local}\r\nConnection: close\r\n\r\n")
    });
    for (call, interim) in calls.into_iter().zip([1, 0, 0]) {
        let asking = move || {
            let mut stream = TcpStream::connect(local).unwrap();
            stream.write_all(call.as_bytes()).unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            answers
        };
        let answers = tokio::task::spawn_blocking(asking).await.unwrap();
        let early = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
        assert_eq!(answers.matches(early).count(), interim, "{answers}");
        assert_eq!(answers.starts_with(early), interim == 1, "{answers}");
        assert_eq!(answers.matches(" 200 OK").count(), 1, "{answers}");
    }
}
