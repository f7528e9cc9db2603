//! What an entry of the catalogue says of a push to us: where it comes, who proves it, when it is a
//! repeat, and what the sender is answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::example;
use crate::mapping::ScopeQuery;
use crate::policy::{Policies, Proof, choice};
use crate::yaml::{Fault, Faults, Fields, Node, Read};

/// A push that the public listener takes.
#[derive(Debug)]
pub struct Webhook {
    /// Its method.
    pub method: Method,
    /// Where it comes.
    pub path: PushPath,
    /// How its sender is proved.
    pub proof: Arc<Proof>,
    /// When it is a repeat.
    pub once: Once,
    /// Events of one receiver with the same value here are delivered one after the other.
    pub order: Option<ScopeQuery>,
    /// What the sender is answered when it was stored.
    pub answer: Answer,
    /// What is known of its body: a field's name and what it is.
    pub fields: Vec<(String, String)>,
    /// Bodies such as the sender's.
    pub examples: Vec<Example>,
}

/// A path of the public listener, with at most one segment that is a secret: `/in/{secret}/call`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PushPath {
    /// As it is written, `{secret}` included.
    pub pattern: String,
    /// Which segment is the secret, from 0.
    pub secret_at: Option<usize>,
}

/// When an event is the repeat of another.
#[derive(Debug)]
pub struct Once {
    /// What tells events apart. Where none of it is in a push, its whole body does.
    pub key: Vec<ScopeQuery>,
    /// For how long an event is remembered.
    pub window: Duration,
    /// What another body under the same key is.
    pub differing: Differing,
}

/// What an event is that has the key of another and not its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differing {
    /// A conflict: it is refused.
    Conflict,
    /// An event of its own.
    New,
}

/// A fixed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its media type.
    pub content_type: HeaderValue,
    /// Its body.
    pub body: Bytes,
}

/// A body such as the sender's.
#[derive(Debug)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// The body.
    pub body: Value,
}

/// Reads the keys of a push out of an open entry; `None` where it says nothing of any.
pub(super) fn read(fields: &mut Fields<'_>, policies: &Policies) -> Option<Webhook> {
    let faults = fields.faults();
    let path = fields.node("listen");
    let method = fields.or("method", Method::POST);
    let proof = fields.node("prove");
    let once = fields.node("once");
    let order = fields.optional("order");
    let answer = fields.node("answer");
    let known = fields
        .node("fields")
        .map(|node| example::read_fields(node, faults))
        .unwrap_or_default();
    let examples = fields
        .node("examples")
        .map(|node| example::read_examples(node, faults))
        .unwrap_or_default();
    let path = PushPath::read(path?, faults)?;
    let Some(proof) = proof else {
        faults.push(
            fields
                .fault("this push says nothing of who proves it")
                .help("add `prove: platform`, a proof of policies/proof.yaml, or `prove: none`"),
        );
        return None;
    };
    let proof = policies.proofs.resolve(proof, faults)?;
    if path.secret_at.is_some() != proof.needs_path_secret() {
        faults.push(path_and_proof_differ(fields, path.secret_at.is_some()));
    }
    Some(Webhook {
        method,
        path,
        proof: Arc::clone(proof),
        once: once.map_or(Some(Once::by_body()), |node| read_once(node, faults))?,
        order,
        answer: answer.map_or(Some(Answer::empty()), |node| read_answer(node, faults))?,
        fields: known,
        examples,
    })
}

fn path_and_proof_differ(fields: &mut Fields<'_>, has_secret: bool) -> Fault {
    let place = fields.node("listen");
    let (message, help) = if has_secret {
        (
            "the path has a secret segment, and the proof does not look at it",
            "write a proof with `path_secret`, or a path without `{secret}`",
        )
    } else {
        (
            "the proof looks at a secret segment, and the path has none",
            "put `{secret}` into the path: `/callback/{secret}/call-finished`",
        )
    };
    let fault = match place {
        Some(node) => Fault::at(node, message),
        None => fields.fault(message),
    };
    fault.help(help)
}

impl Once {
    /// The same body within the window is a repeat.
    fn by_body() -> Self {
        Self {
            key: Vec::new(),
            window: WINDOW,
            differing: Differing::New,
        }
    }
}

impl Answer {
    fn empty() -> Self {
        Self {
            status: StatusCode::OK,
            content_type: JSON,
            body: Bytes::from_static(b"{}"),
        }
    }
}

fn read_once(node: &Node, faults: &Faults) -> Option<Once> {
    let mut fields = Fields::open(node, faults)?;
    let key = fields.or("key", Vec::new());
    let window = fields.or("window", WINDOW);
    let differing = match fields.node("differing") {
        None => Some(Differing::Conflict),
        Some(node) => choice(
            node,
            faults,
            &[("conflict", Differing::Conflict), ("new", Differing::New)],
        ),
    };
    fields.finish();
    Some(Once {
        key,
        window,
        differing: differing?,
    })
}

fn read_answer(node: &Node, faults: &Faults) -> Option<Answer> {
    let mut fields = Fields::open(node, faults)?;
    let status = fields.or("status", 200_u64);
    let json = fields.node("json").map(Node::to_json);
    let text = fields.optional::<String>("text");
    fields.finish();
    let status = u16::try_from(status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .filter(StatusCode::is_success);
    let Some(status) = status else {
        faults.push(
            Fault::at(node, "the answer to a push that was stored is a yes")
                .help("write a `status` from 200 to 299"),
        );
        return None;
    };
    let (content_type, body) = match (json, text) {
        (Some(json), _) => (JSON, json.to_string()),
        (None, Some(text)) => (HeaderValue::from_static("text/plain; charset=utf-8"), text),
        (None, None) => (JSON, "{}".to_owned()),
    };
    Some(Answer {
        status,
        content_type,
        body: Bytes::from(body),
    })
}

impl Read for PushPath {
    const EXAMPLE: &'static str = "/in/partner";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let pattern = String::read(node, faults)?;
        let segments: Vec<&str> = pattern.split('/').skip(1).collect();
        let is_plain = |segment: &&str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let secrets: Vec<usize> = segments
            .iter()
            .enumerate()
            .filter(|(_, segment)| **segment == SECRET)
            .map(|(at, _)| at)
            .collect();
        let fits = pattern.starts_with('/')
            && secrets.len() <= 1
            && segments
                .iter()
                .all(|segment| *segment == SECRET || is_plain(segment));
        if !fits {
            faults.push(
                Fault::at(node, format!("`{pattern}` is no path of a push")).help(
                    "write segments of letters, digits, `-`, `_` and `.`, at most one of them \
                 `{secret}`: `/callback/{secret}/call-finished`",
                ),
            );
            return None;
        }
        Some(Self {
            pattern,
            secret_at: secrets.first().copied(),
        })
    }
}

/// The segment that stands for a secret.
pub(crate) const SECRET: &str = "{secret}";
/// The platform repeats a push up to five times, a minute apart; this is twice as long.
const WINDOW: Duration = Duration::from_mins(10);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
