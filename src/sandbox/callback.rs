//! Callbacks: what the platform pushes to us, made up and sent on demand.
//!
//! The bodies have the fields that the documentation or a client of the real platform shows; where
//! both end, nothing is added but what the call detail has too. Only loopback is called.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::sandbox::shelf::Shelf;
use crate::sandbox::state::State;
use crate::sandbox::{Shared, locked};

/// The callbacks that were asked for, and what became of them.
pub(super) struct Callbacks {
    /// Where callbacks go that nobody asked for by hand, by kind.
    follow: Vec<(&'static str, String)>,
    records: Shelf<Record>,
    under_way: usize,
}

struct Record {
    kind: &'static str,
    to: Uri,
    outcome: &'static str,
    attempts: Vec<String>,
}

/// Why a callback is not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallbackError {
    /// The target is not one of ours.
    #[error("`to` must be an http URL on loopback: 127.0.0.1, [::1] or localhost")]
    Target,
    /// The kind is not known.
    #[error(
        "`kind` must be one of call_finished, list_finished, workflow_status, agent_status, \
             contact_status, task_status, chatbot_end"
    )]
    Kind,
    /// Too many at once.
    #[error("too many callbacks are under way")]
    Busy,
}

impl Callbacks {
    /// None yet.
    pub(super) fn new() -> Self {
        Callbacks {
            follow: Vec::new(),
            records: Shelf::new(RECORDS_MAX),
            under_way: 0,
        }
    }

    /// All that are remembered, newest first.
    pub(super) fn list(&self) -> Value {
        let records = self.records.newest().map(|(id, record)| {
            json!({
                "id": id,
                "kind": record.kind,
                "to": record.to.to_string(),
                "outcome": record.outcome,
                "attempts": record.attempts,
            })
        });
        Value::Array(records.collect())
    }

    /// Forgets what became of them; those under way go on.
    pub(super) fn clear(&mut self) {
        self.records = Shelf::new(RECORDS_MAX);
        self.follow.clear();
    }
}

/// Sends callbacks of `kind` to `to` from now on, whenever a row of a workflow was called.
pub(super) fn follow(shared: &Shared, kind: &str, to: &str) -> Result<(), CallbackError> {
    let target: Uri = to.parse().map_err(|_| CallbackError::Target)?;
    loopback(&target).ok_or(CallbackError::Target)?;
    let known = KINDS.iter().find(|known| known.0 == kind);
    let (kind, _) = known.ok_or(CallbackError::Kind)?;
    let mut callbacks = locked(&shared.callbacks);
    callbacks.follow.retain(|(known, _)| known != kind);
    callbacks.follow.push((kind, to.to_owned()));
    Ok(())
}

/// Sends the callbacks of the rows that were called since the last time.
pub(super) fn catch_up(shared: &Arc<Shared>) {
    let called = locked(&shared.state).called();
    let follow = locked(&shared.callbacks).follow.clone();
    for row in &called {
        for (kind, to) in &follow {
            // Too many at once: the rest is not called back, as nobody waits for it here.
            drop(start(shared, kind, to, Some((&row.workflow_id, row.row))));
        }
    }
}

/// Starts to push a callback of `kind` to `to`, about a row of a workflow; the answer is its id.
pub(super) fn start(
    shared: &Arc<Shared>,
    kind: &str,
    to: &str,
    about: Option<(&str, usize)>,
) -> Result<String, CallbackError> {
    let target: Uri = to.parse().map_err(|_| CallbackError::Target)?;
    let address = loopback(&target).ok_or(CallbackError::Target)?;
    let (kind, sample) = *KINDS
        .iter()
        .find(|known| known.0 == kind)
        .ok_or(CallbackError::Kind)?;
    let (id, body) = {
        let mut state = locked(&shared.state);
        let scene = Scene::set(&mut state, about);
        (state.hex(1), sample(&scene))
    };
    {
        let mut callbacks = locked(&shared.callbacks);
        if callbacks.under_way >= UNDER_WAY_MAX {
            return Err(CallbackError::Busy);
        }
        callbacks.under_way = callbacks.under_way.saturating_add(1);
        let (to, outcome) = (target.clone(), "under way");
        callbacks.records.put(
            id.clone(),
            Record {
                kind,
                to,
                outcome,
                attempts: Vec::new(),
            },
        );
    }
    let mut headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let mut body = Bytes::from(body.to_string());
    if let Some(seals) = &shared.options.seals {
        body = seals.callback(&mut headers, body, shared.clock.now());
        headers.remove(CONTENT_LENGTH);
    }
    let push = Push {
        id: id.clone(),
        target,
        address,
        headers,
        body,
    };
    let pushing = push.run(Arc::clone(shared));
    shared
        .tasks
        .spawn(shared.shutdown.clone().run_until_cancelled_owned(pushing));
    Ok(id)
}

struct Push {
    id: String,
    target: Uri,
    address: SocketAddr,
    headers: HeaderMap,
    body: Bytes,
}

impl Push {
    /// Tries until the callback is taken, as often and as far apart as the platform does.
    async fn run(self, shared: Arc<Shared>) {
        let mut outcome = "dropped";
        for attempt in 1..=ATTEMPTS_MAX {
            if attempt > 1 {
                sleep(shared.options.callback_retry).await;
            }
            let status = match timeout(ATTEMPT_MAX, self.attempt()).await {
                Ok(status) => status,
                Err(_) => Err("no answer in time"),
            };
            let taken = matches!(status, Ok(200..=299));
            let line = status.map_or_else(str::to_owned, |status| status.to_string());
            if let Some(record) = locked(&shared.callbacks).records.find_mut(&self.id) {
                record.attempts.push(line);
            }
            if taken {
                outcome = "taken";
                break;
            }
        }
        let mut callbacks = locked(&shared.callbacks);
        callbacks.under_way = callbacks.under_way.saturating_sub(1);
        if let Some(record) = callbacks.records.find_mut(&self.id) {
            record.outcome = outcome;
        }
    }

    async fn attempt(&self) -> Result<u16, &'static str> {
        let path = self
            .target
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let host = self
            .target
            .authority()
            .map_or("localhost", |authority| authority.as_str());
        let mut request = Request::post(path)
            .header(HOST, host)
            .header(USER_AGENT, "Airudder")
            .header(CONNECTION, "close")
            .body(Full::new(self.body.clone()))
            .map_err(|_| "the target cannot be written as a request")?;
        request.headers_mut().extend(self.headers.clone());
        let socket = TcpStream::connect(self.address)
            .await
            .map_err(|_| "connect failed")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
            .await
            .map_err(|_| "handshake failed")?;
        // Only the status counts, so the connection need not outlive the head of the reply. It may
        // well end before that head is looked at, and its end is therefore no answer.
        let driven = async {
            connection.await.ok();
            pending().await
        };
        tokio::select! {
            reply = sender.send_request(request) => match reply {
                Ok(reply) => Ok(reply.status().as_u16()),
                Err(_) => Err("the connection broke"),
            },
            never = driven => never,
        }
    }
}

/// The address behind an URL that names loopback; a name is never resolved.
fn loopback(target: &Uri) -> Option<SocketAddr> {
    if target.scheme_str() != Some("http") {
        return None;
    }
    let host = target.host()?.trim_start_matches('[').trim_end_matches(']');
    let address = match host {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        other => other.parse().ok()?,
    };
    address
        .is_loopback()
        .then(|| SocketAddr::new(address, target.port_u16().unwrap_or(80)))
}

/// What a callback tells about.
struct Scene {
    workflow_id: String,
    workflow_name: String,
    callee: String,
    case_id: String,
    call_id: String,
    task_id: String,
    moment: String,
    seconds: u64,
}

impl Scene {
    fn set(state: &mut State, about: Option<(&str, usize)>) -> Self {
        let (workflow_id, row) = (about.map(|(id, _)| id), about.map_or(0, |(_, row)| row));
        let (call_id, task_id) = (state.hex(2), state.hex(2));
        let (moment, seconds) = (state.moment(), state.seconds());
        let mut scene = Scene {
            workflow_id: workflow_id.map_or_else(|| state.hex(4), str::to_owned),
            workflow_name: "sandbox".to_owned(),
            callee: "+15550100".to_owned(),
            case_id: "case-1".to_owned(),
            call_id,
            task_id,
            moment,
            seconds,
        };
        if let Some(workflow) = state.workflows.find(&scene.workflow_id) {
            scene.workflow_name.clone_from(&workflow.name);
            if let Some(row) = workflow.rows().get(row) {
                scene.callee.clone_from(&row.callee);
                scene.call_id.clone_from(&row.call_id);
                let case_id = row.fields.get("case_id").and_then(Value::as_str);
                scene.case_id = case_id.unwrap_or_default().to_owned();
            }
        }
        scene
    }
}

fn call_finished(scene: &Scene) -> Value {
    json!({
        "workflow_id": scene.workflow_id,
        "workflow_name": scene.workflow_name,
        "nodetask_id": "1001",
        "nodetask_name": "Outbound call",
        "case_id": scene.case_id,
        "TaskID": scene.task_id,
        "CallID": scene.call_id,
        "Mobile": scene.callee,
        "Status": "Finished",
        "CallTime": scene.moment,
        "Duration": 42,
    })
}

fn list_finished(scene: &Scene) -> Value {
    json!({
        "workflow_id": scene.workflow_id,
        "workflow_name": scene.workflow_name,
        "case_id": scene.case_id,
        "callee_number": scene.callee,
        "rows": [{
            "nodetask_id": "1001",
            "nodetask_name": "Outbound call",
            "node_type": "call",
            "task_id": scene.task_id,
        }],
    })
}

fn workflow_status(scene: &Scene) -> Value {
    json!({
        "workflow_id": scene.workflow_id,
        "workflow_name": scene.workflow_name,
        "status": "finished",
        "actions": [{
            "nodetask_id": "1001",
            "nodetask_name": "Outbound call",
            "node_type": "call",
            "task_id": scene.task_id,
            "task_status": "finished",
        }],
    })
}

fn agent_status(scene: &Scene) -> Value {
    json!({
        "type": "AgentStatus",
        "body": {
            "taskId": scene.task_id,
            "taskName": "sandbox",
            "groupName": "group",
            "callid": scene.call_id,
            "phoneNumber": scene.callee,
            "agentName": "agent1",
            // A capital letter here and nowhere else; the real platform does so too.
            "State": "ANSWERED",
            "timestamp": scene.seconds.saturating_mul(1_000),
        },
    })
}

fn contact_status(scene: &Scene) -> Value {
    json!({
        "type": "ContactStatus",
        "body": {
            "taskId": scene.task_id,
            "taskName": "sandbox",
            "groupName": "group",
            "callid": scene.call_id,
            "phoneNumber": scene.callee,
            "contactName": "Ada",
            "privateData": "",
            "agentName": "agent1",
            "state": "HANGUP",
            "timestamp": scene.seconds.saturating_mul(1_000),
            "hangupReason": 2,
            "nthCall": 1,
            "recLink": "",
            "customerInfo": {},
            "customizeResults": {},
        },
    })
}

fn task_status(scene: &Scene) -> Value {
    json!({
        "type": "TaskStatus",
        "body": {
            "taskId": scene.task_id,
            "taskName": "sandbox",
            "groupName": "group",
            "state": "Finished",
            "timestamp": scene.seconds.saturating_mul(1_000),
        },
    })
}

fn chatbot_end(scene: &Scene) -> Value {
    let started = scene.seconds.saturating_sub(60);
    json!({
        "workflow_id": scene.workflow_id,
        "workflow_name": scene.workflow_name,
        "nodetask_id": "1002",
        "nodetask_name": "WhatsApp",
        "waba_task_id": scene.task_id,
        "wfdetail_uuid": scene.call_id,
        "timestamp": scene.seconds,
        "channel": "WhatsApp",
        "channel_id": "1",
        "callee": scene.callee,
        "call_id": scene.call_id,
        "robot_id": "101",
        "status": "closed",
        "session_start_time": "2026-01-01T00:00:00Z",
        "session_end_time": "2026-01-01T00:01:00Z",
        "session_end_reason": "robot",
        "intention": "E",
        "talk_round": 1,
        "ner_slots": {},
        "event_label": {},
        "variables": {},
        "messages": [{
            "msg_id": "1",
            "sender_type": "system",
            "timestamp": started,
            "status": "read",
            "content": {
                "type": "system",
                "system": {
                    "type": "conversation.start",
                    "from_seat_id": "",
                    "to_seat_id": "",
                },
            },
        }],
    })
}

type Kind = (&'static str, fn(&Scene) -> Value);

const KINDS: &[Kind] = &[
    ("call_finished", call_finished),
    ("list_finished", list_finished),
    ("workflow_status", workflow_status),
    ("agent_status", agent_status),
    ("contact_status", contact_status),
    ("task_status", task_status),
    ("chatbot_end", chatbot_end),
];
const ATTEMPTS_MAX: u32 = 5;
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
const RECORDS_MAX: usize = 1_000;
const UNDER_WAY_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_called() {
        fn check(target: &str, right: bool) {
            assert_eq!(
                loopback(&target.parse().unwrap()).is_some(),
                right,
                "{target}"
            );
        }
        check("http://127.0.0.1:9/in", true);
        check("http://localhost/in", true);
        check("http://[::1]:9/in", true);
        check("https://127.0.0.1:9/in", false);
        check("http://10.0.0.1/in", false);
        check("http://127.0.0.1.example.com/in", false);
        check("http://localhost.example.com/in", false);
        check("/in", false);
    }

    #[test]
    fn the_error_names_every_kind() {
        for (kind, _) in KINDS {
            assert!(CallbackError::Kind.to_string().contains(kind), "{kind}");
        }
    }
}
