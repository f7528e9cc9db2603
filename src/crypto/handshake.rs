//! Handshakes: what a sender asks of an address before it sends anything to it.
//!
//! Pure: evidence in, reply out. A question that is not exactly the known one gets no reply here,
//! and goes on to be proven like any push. What is echoed is bounded, and never HTML.

use std::fmt;

use aws_lc_rs::hmac;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::encoding::hex;
use super::verifier::{Evidence, Known, SecretFault, exposed, pairs};
use crate::secret::Secret;

/// How an address answers to a sender that asks whether it is the right one.
pub struct Handshake(Kind);

enum Kind {
    Hub(Known),
    Slack,
    Zoom(Box<hmac::Key>),
    Graph,
}

/// What a handshake says of itself.
#[derive(Debug)]
pub struct DescribedHandshake {
    /// The word that policies use.
    pub name: &'static str,
    /// What is asked and answered.
    pub what: &'static str,
    /// Whether it needs a secret.
    pub has_secret: bool,
    /// Makes it. Of those without a secret none is used.
    make: fn(&[&Secret]) -> Result<Kind, SecretFault>,
}

/// Every handshake.
pub const HANDSHAKES: [DescribedHandshake; 4] = [
    DescribedHandshake {
        name: "hub",
        what: "Meta and WebSub: `GET` with `hub.mode=subscribe` and a `hub.verify_token` that is \
               one of the secrets; `hub.challenge` is given back",
        has_secret: true,
        make: |secrets| Known::new(secrets).map(Kind::Hub),
    },
    DescribedHandshake {
        name: "slack",
        what: "Slack: JSON of the type `url_verification`; its `challenge` is given back",
        has_secret: false,
        make: |_| Ok(Kind::Slack),
    },
    DescribedHandshake {
        name: "zoom",
        what: "Zoom: JSON of the event `endpoint.url_validation`; its `plainToken` is given back \
               with its HMAC-SHA-256",
        has_secret: true,
        make: |secrets| {
            let texts = exposed(secrets)?;
            let first = texts.first().ok_or(SecretFault::Absent)?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, first);
            Ok(Kind::Zoom(Box::new(key)))
        },
    },
    DescribedHandshake {
        name: "graph",
        what: "Microsoft Graph: `POST` with `validationToken` in the query; it is given back",
        has_secret: false,
        make: |_| Ok(Kind::Graph),
    },
];

/// The answer to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeReply {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Handshake {
    /// One of [`HANDSHAKES`]. `None` where there is none of that name. Zoom's first secret answers.
    pub fn new(name: &str, secrets: &[&Secret]) -> Option<Result<Self, SecretFault>> {
        let described = HANDSHAKES.iter().find(|described| described.name == name)?;
        Some((described.make)(secrets).map(Self))
    }

    /// The reply, where the push is this handshake.
    pub fn reply(&self, evidence: &Evidence<'_>) -> Option<HandshakeReply> {
        match &self.0 {
            Kind::Hub(tokens) => {
                let token = param(evidence, "hub.verify_token")?;
                let is_known = tokens.has(&token);
                let is_asked = evidence.method == Method::GET
                    && param(evidence, "hub.mode")? == b"subscribe"
                    && is_known;
                let challenge = param(evidence, "hub.challenge")?;
                is_asked.then(|| plain(challenge)).flatten()
            }
            Kind::Graph => {
                let is_asked = evidence.method == Method::POST;
                let token = param(evidence, "validationToken")?;
                is_asked.then(|| plain(token)).flatten()
            }
            Kind::Slack => {
                let body = asked(evidence, "type", "url_verification")?;
                let challenge = body.get("challenge")?.as_str()?;
                plain(challenge.as_bytes().to_vec())
            }
            Kind::Zoom(key) => {
                let body = asked(evidence, "event", "endpoint.url_validation")?;
                let token = body.pointer("/payload/plainToken")?.as_str()?;
                // The same secret signs Zoom's pushes. A token with a `:` could be the text of a
                // push (`v0:TIME:BODY`), and its HMAC the signature that proves it.
                let is_token = token.bytes().all(is_of_a_token) && token.len() <= ECHO_BYTES_MAX;
                let tag = hmac::sign(key, token.as_bytes());
                let reply = json!({ "plainToken": token, "encryptedToken": hex(tag.as_ref()) });
                is_token.then(|| HandshakeReply {
                    status: StatusCode::OK,
                    content_type: "application/json",
                    body: reply.to_string().into_bytes(),
                })
            }
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Hub(_) => "hub",
            Kind::Slack => "slack",
            Kind::Zoom(_) => "zoom",
            Kind::Graph => "graph",
        })
    }
}

fn plain(text: Vec<u8>) -> Option<HandshakeReply> {
    let is_text = text.len() <= ECHO_BYTES_MAX && str::from_utf8(&text).is_ok();
    is_text.then_some(HandshakeReply {
        status: StatusCode::OK,
        content_type: "text/plain",
        body: text,
    })
}

/// A parameter of the query that is there exactly once.
fn param(evidence: &Evidence<'_>, name: &str) -> Option<Vec<u8>> {
    let query = evidence.query?.as_bytes();
    let mut named = pairs(query).filter(|(key, _)| key == name.as_bytes());
    let (_, value) = named.next()?;
    named.next().is_none().then_some(value)
}

/// The JSON body of a `POST` whose member `key` is `word`.
fn asked(evidence: &Evidence<'_>, key: &str, word: &str) -> Option<Value> {
    // A handshake is short: a long push is not read twice.
    if evidence.method != Method::POST || evidence.body.len() > QUESTION_BYTES_MAX {
        return None;
    }
    let body: Value = serde_json::from_slice(evidence.body).ok()?;
    let is_asked = body.get(key)?.as_str()? == word;
    is_asked.then_some(body)
}

fn is_of_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'/' | b'=')
}

const QUESTION_BYTES_MAX: usize = 16 * 1024;
const ECHO_BYTES_MAX: usize = 1024;
