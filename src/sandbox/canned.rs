//! Answers that a test has written beforehand, instead of those of the operations.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::sandbox::reply::Reply;

/// An answer that is given once.
#[derive(Debug, Clone)]
pub struct Canned {
    /// Its status.
    pub status: StatusCode,
    /// Its headers; `Content-Type` is one of them.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// How long it takes.
    pub delay: Duration,
}

/// The answers that wait, by what they answer.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    waiting: BTreeMap<String, VecDeque<Canned>>,
    /// Everything is answered from here: what is not written beforehand is refused.
    pub(super) is_only: bool,
}

impl Shelf {
    pub(super) fn put(&mut self, of: &str, canned: Canned) {
        self.waiting
            .entry(of.to_owned())
            .or_default()
            .push_back(canned);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn take(&mut self, head: &Parts) -> Option<Canned> {
        let of = of(head);
        let found = self.waiting.get_mut(of).and_then(VecDeque::pop_front);
        let is_login = of.ends_with("/auth") || of == "/login";
        found.or_else(|| (self.is_only && !is_login).then(Canned::unexpected))
    }
}

/// What a request is answered by: the step of a route that stands in its header, or its path.
fn of(head: &Parts) -> &str {
    let step = head.headers.get(STEP).and_then(|step| step.to_str().ok());
    step.unwrap_or(head.uri.path())
}

impl Canned {
    fn unexpected() -> Self {
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"no answer was written for this call"),
            delay: Duration::ZERO,
        }
    }

    pub(super) fn reply(self) -> Reply {
        let mut reply = Reply::whole(self.status, "text/plain", self.body);
        let media = HeaderValue::from_static("application/json");
        reply.headers.insert(http::header::CONTENT_TYPE, media);
        reply.headers.extend(self.headers);
        reply
    }
}

/// Names the step of a route that a request is of.
const STEP: &str = "x-pintle-step";
