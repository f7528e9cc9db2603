//! What the tests stand on: a sandbox, a gateway in front of it, and an ordinary client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pintle::app::App;
use pintle::config::{self, embedded};
use pintle::sandbox::{Fault, Options, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

/// A gateway in this process, in front of a sandbox.
pub struct Stage {
    pub app: Arc<App>,
    pub sandbox: Sandbox,
    pub folder: TempDir,
    pub client: Client,
}

/// An ordinary HTTP client of the local endpoint.
#[derive(Clone)]
pub struct Client {
    base: String,
    hyper: HyperClient<HttpConnector, Full<Bytes>>,
}

/// A whole reply.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The sandbox on a free port, with its documented credentials.
pub fn sandbox_options() -> Options {
    Options::local(free())
}

/// A fault of the sandbox, as its grammar has it.
pub fn fault(text: &str) -> Fault {
    text.parse().unwrap()
}

/// A folder with the policies of the project, and another text in the place of one file.
pub fn policies_with(file: &str, text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    for source in embedded::policies() {
        let name = source.name.rsplit('/').next().unwrap();
        let text = if name == file { text } else { &source.text };
        std::fs::write(policies.join(name), text).unwrap();
    }
    folder
}

/// Each call is sent once, whatever becomes of the ones before.
pub const SENT_ONCE: &str = "retries: { usual: { source: assumed, attempts_max: 1 } }\n";

/// Any free port of the loopback.
pub fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Stage {
    /// A gateway with the given settings below `local:`, `token:` and so on, in front of a sandbox.
    ///
    /// `more` is YAML that is put at the end of the settings file.
    pub async fn with(more: &str) -> Self {
        let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
        let settings = settings(&sandbox.url(), more);
        Self::start(sandbox, &settings).await
    }

    /// The same, with each call sent once.
    pub async fn sent_once(more: &str) -> Self {
        let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
        let settings = settings(&sandbox.url(), &format!("policies: policies\n{more}"));
        let folder = policies_with("retry.yaml", SENT_ONCE);
        Self::start_in(folder, sandbox, &settings).await
    }

    /// A gateway with the default settings in front of a sandbox.
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// A gateway with whole settings.
    pub async fn start(sandbox: Sandbox, settings: &str) -> Self {
        Self::start_in(TempDir::new().unwrap(), sandbox, settings).await
    }

    /// The same, in a folder that holds what the settings name.
    pub async fn start_in(folder: TempDir, sandbox: Sandbox, settings: &str) -> Self {
        let path = folder.path().join("pintle.yaml");
        std::fs::write(&path, settings).unwrap();
        let loaded = config::load(Some(&path));
        let Some(config) = loaded.config else {
            panic!(
                "{:#?}",
                loaded
                    .faults
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            );
        };
        let app = App::start(config, Some(path)).await.unwrap();
        let client = Client::new(&format!("http://{}", app.addresses().local.unwrap()));
        Self {
            app: Arc::new(app),
            sandbox,
            folder,
            client,
        }
    }

    /// The last request that the platform saw.
    pub fn last_seen(&self) -> pintle::sandbox::Seen {
        self.sandbox
            .seen()
            .pop()
            .expect("the platform saw a request")
    }

    /// The number of requests to a path that the platform saw.
    pub fn seen_at(&self, path: &str) -> usize {
        self.sandbox
            .seen()
            .iter()
            .filter(|seen| seen.target.starts_with(path))
            .count()
    }

    /// A client of the admin listener.
    pub fn admin(&self) -> Client {
        Client::new(&format!("http://{}", self.app.addresses().admin.unwrap()))
    }
}

/// Settings for one account at `url`; `more` is put at the end.
pub fn settings(url: &str, more: &str) -> String {
    settings_of_account(url, "", more)
}

/// The same, with keys of the account besides: `of_account` is the inside of a mapping.
pub fn settings_of_account(url: &str, of_account: &str, more: &str) -> String {
    let local = if more.contains("local:") {
        ""
    } else {
        "local: { listen: 127.0.0.1:0 }\n"
    };
    format!(
        "{local}admin: {{ listen: 127.0.0.1:0 }}\naccounts:\n  main: {{ base_url: \"{url}\", \
         secrets: {{ app_key: \"literal:sandbox-key\", app_secret: \"literal:sandbox-secret\" }}, \
         {of_account} }}\n{more}\n"
    )
}

impl Client {
    pub fn new(base: &str) -> Self {
        let hyper = HyperClient::builder(TokioExecutor::new()).build_http();
        Self {
            base: base.to_owned(),
            hyper,
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body)
            .await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.send_bytes(method, path, headers, Bytes::from(body.to_owned()))
            .await
    }

    /// A `POST` to a server that may be gone; `None` where it is.
    pub async fn try_post(&self, path: &str, body: &str) -> Option<StatusCode> {
        let request = Request::post(format!("{}{path}", self.base))
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let reply = self.hyper.request(request).await.ok()?;
        let status = reply.status();
        reply.into_body().collect().await.ok()?;
        Some(status)
    }

    pub async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let reply = self.hyper.request(request).await.unwrap();
        let (head, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The code of a failure that Pintle answered with.
    pub fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{:?}",
            self.body
        );
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends bytes as they are and reads until the gateway closes the connection.
pub fn raw(client: &Client, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(client.base().strip_prefix("http://").unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the gateway closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits until a state is reached; a test that waits longer than 10 s has failed.
pub async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !reached() {
        assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
