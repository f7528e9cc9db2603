//! The stand-in platform over real sockets: what it promises to every other test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod callback;
mod connection;
mod fault;
mod login;
mod operation;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pintle::sandbox::{Fault, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

const CREATE: &str = "/service/cloud/workflow/createinstance";
const ADD: &str = "/service/cloud/workflow/uploaddetails";
const ROBOTS: &str = "/service/cloud/robot";

/// A sandbox, and a downstream that calls it.
struct Stage {
    sandbox: Sandbox,
    client: Client<HttpConnector, Full<Bytes>>,
    token: String,
}

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Stage {
    async fn set() -> Stage {
        Stage::with(Options::local("127.0.0.1:0".parse().unwrap())).await
    }

    async fn with(options: Options) -> Stage {
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut stage = Stage {
            sandbox,
            client,
            token: String::new(),
        };
        stage.token = stage.login().await;
        stage
    }

    async fn login(&self) -> String {
        let body = json!({ "APPKey": "sandbox-key", "APPSecret": "sandbox-secret" });
        let got = self
            .send((Method::POST, "/service/cloud/auth"), &[], &body)
            .await
            .unwrap();
        got.json()["data"]["token"].as_str().unwrap().to_owned()
    }

    async fn send(
        &self,
        (method, target): (Method, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Got, String> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let url = format!("{}{target}", self.sandbox.url());
        let request = request.uri(url).body(Full::from(body)).unwrap();
        let reply = within(self.client.request(request))
            .await
            .map_err(|e| format!("{e:?}"))?;
        let (head, body) = reply.into_parts();
        let body = read(body).await.map_err(|(_, error)| error)?;
        Ok(Got {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    async fn post(&self, target: &str, body: &Value) -> Got {
        let token = format!("Token {}", self.token);
        self.send((Method::POST, target), &[("Authorization", &token)], body)
            .await
            .unwrap()
    }

    async fn get(&self, target: &str) -> Got {
        let token = format!("Token {}", self.token);
        self.send(
            (Method::GET, target),
            &[("Authorization", &token)],
            &Value::Null,
        )
        .await
        .unwrap()
    }

    /// Asks for the robots with a fault.
    async fn faulty(&self, fault: &str) -> Result<Got, String> {
        let token = format!("Token {}", self.token);
        let headers = [
            ("Authorization", token.as_str()),
            ("X-Sandbox-Fault", fault),
        ];
        self.send((Method::GET, ROBOTS), &headers, &Value::Null)
            .await
    }

    async fn workflow(&self) -> String {
        let body = json!({
            "workflow_template_id": 2001,
            "name": "spring",
            "end_time": "2026-02-01 18:00:00+08:00",
        });
        let got = self.post(CREATE, &body).await.json();
        assert_eq!(got["code"], 200, "{got}");
        got["data"]["workflow_id"].as_str().unwrap().to_owned()
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("a deadline passed")
}

/// Reads a body; the error carries what came before it.
async fn read(mut body: Incoming) -> Result<Bytes, (Bytes, String)> {
    let mut whole = Vec::new();
    while let Some(frame) = within(body.frame()).await {
        match frame {
            Ok(frame) => whole.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => return Err((whole.into(), format!("{error:?}"))),
        }
    }
    Ok(whole.into())
}

fn rows(count: usize) -> Value {
    (0..count)
        .map(|n| json!({ "callee": format!("+1555{n:07}"), "case_id": n.to_string() }))
        .collect()
}

fn body_of(reply: &[u8]) -> &[u8] {
    let split = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    &reply[split + 4..]
}
