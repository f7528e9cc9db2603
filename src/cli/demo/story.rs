//! What the demo does and tells: real calls by an ordinary HTTP client, and what became of them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::receiver::Receiver;
use super::{SECRET, Scene};
use crate::app::App;
use crate::cli::print;
use crate::message::{Body, BodyFault, header};
use crate::sandbox::{Sandbox, Seen};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One step of the story.
struct Step {
    title: &'static str,
    why: &'static str,
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    /// The status that the story says comes back.
    status: u16,
}

/// What came back.
struct Reply {
    head: http::response::Parts,
    body: Bytes,
}

/// Makes the calls one after the other and tells of each.
pub(super) async fn tell(scene: &Scene) -> Result<(), Failure> {
    let Scene { sandbox, app, .. } = scene;
    let local = local(app);
    let ink = Ink {
        on: print::colour_on_stdout(),
    };
    print::line(&format!(
        "{}\n\n  sandbox  {}  stands in for the platform: no account is needed\n  \
         pintle   {local}  where your applications call, without credentials\n",
        ink.bold("Pintle joins your systems to the AI Rudder platform."),
        sandbox.url(),
    ));
    let teller = Teller {
        sandbox,
        local,
        ink,
        client: Client::builder(TokioExecutor::new()).build_http(),
    };
    teller.step(1, &list_robots()).await?;
    let created = teller.step(2, &create_workflow()).await?;
    let created: Value = serde_json::from_slice(&created.body)?;
    let workflow = created
        .pointer("/data/workflow_id")
        .and_then(Value::as_str)
        .unwrap_or("");
    teller.ask_for_callbacks(app).await?;
    teller.step(3, &add_rows(workflow)).await?;
    teller.step(4, &refused(workflow)).await?;
    teller.step(5, &reserved()).await?;
    teller.tell_delivery(6, &scene.receiver).await?;
    let logins = sandbox.logins();
    print::line(&format!(
        "Five calls, {logins} login, and no credentials in any of them; two callbacks, stored \
         before the platform was answered, and delivered."
    ));
    Ok(())
}

/// What is left to try while both servers stay up.
pub(super) fn farewell(scene: &Scene) {
    let Scene { sandbox, app, .. } = scene;
    let local = local(app);
    let admin = app
        .addresses()
        .admin
        .map(|address| format!("http://{address}"));
    print::line(&format!(
        "\nBoth stay up. Try, in another terminal:\n\n  \
         curl -i {local}/service/cloud/robot\n  \
         curl -i {local}/operations/workflow.templates     # a call whose path is not known\n  \
         curl -s {}/sandbox/requests                # what the platform saw\n\n  \
         health {}/readyz\n\nCtrl-C ends it.",
        sandbox.url(),
        admin.unwrap_or_default(),
    ));
}

fn local(app: &App) -> String {
    app.addresses()
        .local
        .map(|address| format!("http://{address}"))
        .unwrap_or_default()
}

fn list_robots() -> Step {
    Step {
        title: "List the robots",
        why: "a plain GET; Pintle has logged in already",
        method: "GET",
        path: "/service/cloud/robot",
        body: None,
        status: 200,
    }
}

fn create_workflow() -> Step {
    Step {
        title: "Create a workflow",
        why: "plain JSON, no credentials",
        method: "POST",
        path: "/service/cloud/workflow/createinstance",
        body: Some(json!({
            "workflow_template_id": 7,
            "name": "welcome calls",
            "end_time": "2030-01-01 18:00:00+08:00",
        })),
        status: 200,
    }
}

fn add_rows(workflow: &str) -> Step {
    Step {
        title: "Add two people to call",
        why: "the id is the one that the platform gave a moment ago",
        method: "POST",
        path: "/service/cloud/workflow/uploaddetails",
        body: Some(json!({
            "workflow_id": workflow,
            "details": [
                { "callee": "+6591234567", "variables": { "name": "Mei" } },
                { "callee": "+6598765432", "variables": { "name": "Ravi" } },
            ],
        })),
        status: 200,
    }
}

fn refused(workflow: &str) -> Step {
    Step {
        title: "A call that the platform refuses",
        why: "the number lacks its +; the platform's own words pass through untouched",
        method: "POST",
        path: "/service/cloud/workflow/uploaddetails",
        body: Some(json!({ "workflow_id": workflow, "details": [{ "callee": "91234567" }] })),
        status: 200,
    }
}

fn reserved() -> Step {
    Step {
        title: "A call that Pintle refuses",
        why: "logging in by hand would hand the token out: it never goes to a caller",
        method: "POST",
        path: "/service/cloud/auth",
        body: Some(json!({ "APPKey": "…", "APPSecret": "…" })),
        status: 403,
    }
}

struct Teller<'s> {
    sandbox: &'s Sandbox,
    local: String,
    ink: Ink,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Teller<'_> {
    async fn step(&self, number: usize, step: &Step) -> Result<Reply, Failure> {
        let ink = self.ink;
        print::line(&format!(
            "{} {}",
            ink.bold(&format!("{number}. {}.", step.title)),
            ink.dim(step.why)
        ));
        let text = step.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(step.method)
            .uri(format!("{}{}", self.local, step.path));
        if step.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(text.clone())))?;
        let sent = request.headers().clone();
        self.row("sent", &format!("{} {}", step.method, step.path));
        if !text.is_empty() {
            self.row("", &shorten(&text));
        }
        let reply = read(self.client.request(request).await?).await?;
        self.tell_platform(&sent, &reply);
        self.tell_reply(&reply);
        if reply.head.status != step.status {
            return Err(format!("step {number} was to come back with {}", step.status).into());
        }
        print::line("");
        Ok(reply)
    }

    /// Tells the sandbox to call back when a call has finished.
    async fn ask_for_callbacks(&self, app: &App) -> Result<(), Failure> {
        let public = app.addresses().public.ok_or("no public listener")?;
        let to = format!("http://{public}/callback/{SECRET}/workflow/call-finished");
        let wish = json!({ "kind": "call_finished", "to": to }).to_string();
        let request = Request::post(format!("{}/sandbox/webhooks", self.sandbox.url()));
        let request = request.body(Full::new(Bytes::from(wish)))?;
        let reply = read(self.client.request(request).await?).await?;
        if reply.head.status.is_success() {
            Ok(())
        } else {
            Err("the sandbox does not call back".into())
        }
    }

    /// Tells what became of the callbacks.
    async fn tell_delivery(&self, number: usize, receiver: &Receiver) -> Result<(), Failure> {
        let ink = self.ink;
        print::line(&format!(
            "{} {}",
            ink.bold(&format!("{number}. The platform calls back.")),
            ink.dim("proved, stored, answered, and then delivered to your own system"),
        ));
        let delivered = timeout(DELIVERED_MAX, receiver.wait_for(2)).await;
        let delivered = delivered.map_err(|_| "the callbacks were not delivered")?;
        self.row(
            "platform",
            "POST /callback/••••/workflow/call-finished, twice",
        );
        for delivery in &delivered {
            let header = |name: &str| {
                let value = delivery.headers.get(name);
                value.and_then(|value| value.to_str().ok()).unwrap_or("-")
            };
            self.row(
                "your system",
                &format!("{}, {}", header("webhook-id"), header("x-pintle-route")),
            );
            self.row(
                "",
                &shorten(&format!(
                    "webhook-signature: {}",
                    header("webhook-signature")
                )),
            );
            self.row("", &shorten(&String::from_utf8_lossy(&delivery.body)));
        }
        print::line("");
        Ok(())
    }

    fn row(&self, name: &str, text: &str) {
        print::line(&format!(
            "   {}  {text}",
            self.ink.dim(&format!("{name:<13}"))
        ));
    }

    /// What Pintle added and what the platform saw, from the sandbox's own journal.
    fn tell_platform(&self, sent: &HeaderMap, reply: &Reply) {
        let id = reply
            .head
            .headers
            .get(header::REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        let seen = self
            .sandbox
            .seen()
            .into_iter()
            .rev()
            .find(|seen| seen.request_id.as_deref() == id);
        let Some(seen) = seen else {
            self.row("platform saw", "nothing: the call never left Pintle");
            return;
        };
        self.row("Pintle added", &added(sent, &seen));
        self.row(
            "platform saw",
            &format!(
                "{} {}  {:?}, {} bytes",
                seen.method, seen.target, seen.protocol, seen.body_bytes
            ),
        );
    }

    fn tell_reply(&self, reply: &Reply) {
        let text = |name| {
            reply
                .head
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let verdict = text(header::VERDICT);
        let status = reply.head.status;
        let said = verdict.map(|said| format!(", {said}")).unwrap_or_default();
        let line = format!("{status}{said}");
        let good = status.is_success() && verdict != Some("refused");
        self.row(
            "came back",
            &if good {
                self.ink.green(&line)
            } else {
                self.ink.yellow(&line)
            },
        );
        let body: String = String::from_utf8_lossy(&reply.body)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        self.row("", &shorten(&body));
        if let Some(timing) = text(header::SERVER_TIMING) {
            self.row("took", &readable(timing));
        }
    }
}

async fn read(reply: Response<hyper::body::Incoming>) -> Result<Reply, Failure> {
    let (head, body) = reply.into_parts();
    let body = body.map_err(|error| BodyFault::Broken(std::sync::Arc::new(error)));
    Ok(Reply {
        head,
        body: Body::stream(body).read(REPLY_MAX).await?,
    })
}

/// The headers that the platform saw and the caller did not send; the token's text is covered.
fn added(sent: &HeaderMap, seen: &Seen) -> String {
    let new = seen
        .headers
        .iter()
        .filter(|(name, _)| !sent.contains_key(*name) && **name != HOST);
    let shown = new
        .filter(|(name, _)| !["content-length", "accept"].contains(&name.as_str()))
        .map(|(name, value)| {
            let value = value.to_str().unwrap_or("…");
            match value.split_once(' ') {
                Some((scheme, _)) if name == "authorization" => format!("{name}: {scheme} ••••••"),
                _ => format!("{name}: {value}"),
            }
        });
    shown.collect::<Vec<_>>().join(", ")
}

/// `token;dur=0.120, total;dur=1.5` as a person reads it.
fn readable(timing: &str) -> String {
    let stages: Vec<(&str, &str)> = timing
        .split(", ")
        .filter_map(|stage| stage.split_once(";dur="))
        .collect();
    let total = stages
        .iter()
        .find(|(name, _)| *name == "total")
        .map_or("?", |(_, ms)| ms);
    let parts: Vec<String> = stages
        .iter()
        .filter(|(name, _)| *name != "total")
        .map(|(name, ms)| format!("{name} {ms}"))
        .collect();
    format!("{total} ms: {}", parts.join(" · "))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LINE_MAX {
        return text.to_owned();
    }
    text.chars()
        .take(LINE_MAX - 1)
        .chain(std::iter::once('…'))
        .collect()
}

/// Colours, where a person looks on.
#[derive(Clone, Copy)]
struct Ink {
    on: bool,
}

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }
}

const REPLY_MAX: usize = 1 << 20;
const DELIVERED_MAX: Duration = Duration::from_secs(20);
const LINE_MAX: usize = 110;
