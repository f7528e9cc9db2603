//! What a step brought, as selectors see it.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::codec::{self, Format, Limits};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It was made, and its reply is a good one.
    Ok,
    /// It failed.
    Failed,
    /// No reply came in time.
    Timeout,
    /// Its condition did not hold.
    Skipped,
}

/// What a step brought.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    pub(super) state: State,
    pub(super) status: Option<StatusCode>,
    pub(super) headers: Value,
    pub(super) body: Value,
    /// Why it failed.
    pub(super) failure: Option<Failure>,
}

/// Why a step failed, and what may be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// A stable word.
    pub(super) class: String,
    /// Trying again may help.
    pub(super) is_passing: bool,
    /// It may have taken effect.
    pub(super) is_unknown: bool,
    /// The other side asks to wait so long, in milliseconds.
    pub(super) wait_ms: Option<u64>,
    /// What happened, with its causes, for the log.
    pub(super) cause: Option<String>,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
        }
    }
}

impl Brought {
    pub(super) fn nothing(state: State, failure: Option<Failure>) -> Self {
        Self {
            state,
            status: None,
            headers: Value::Object(Map::new()),
            body: Value::Null,
            failure,
        }
    }

    /// A reply that came. What cannot be read as it should is no body.
    pub(super) fn reply(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        read: Option<Format>,
    ) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let media = text(http::header::CONTENT_TYPE);
        let format = read.unwrap_or_else(|| Format::of_media(media));
        let coding = text(http::header::CONTENT_ENCODING);
        let decoded = codec::decode(format, media, coding, body, &Limits::default());
        let listed = headers.iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?)))
        });
        Self {
            state: State::Ok,
            status: Some(status),
            headers: Value::Object(listed.collect()),
            body: decoded.unwrap_or_default(),
            failure: None,
        }
    }

    /// What is under `$.steps.NAME`.
    pub(super) fn into_value(self) -> Value {
        let mut members = Map::with_capacity(4);
        members.insert("state".to_owned(), self.state.as_str().into());
        members.insert("headers".to_owned(), self.headers);
        members.insert("body".to_owned(), self.body);
        if let Some(status) = self.status {
            members.insert("status".to_owned(), status.as_u16().into());
        }
        Value::Object(members)
    }
}
