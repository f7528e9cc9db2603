//! The answers of a route, in the sender's own shape.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::codec::{self, Format};
use crate::mapping::Line;
use crate::mapping::condition::Condition;
use crate::mapping::expr::{Expr, Halt, Means};
use crate::mapping::path::Fuel;
use crate::mapping::scalar::as_text;

/// The answers by name.
pub type Replies = BTreeMap<String, Vec<ReplyRule>>;

/// One answer, and when it is given.
#[derive(Debug)]
pub struct ReplyRule {
    /// Where it stands.
    pub line: Line,
    /// When; the last of several may stand without.
    pub when: Option<Condition>,
    /// The status.
    pub status: StatusCode,
    /// Headers.
    pub headers: Vec<(HeaderName, Expr)>,
    /// Its media type, where it is another than that of the body's format.
    pub content_type: Option<HeaderValue>,
    /// The body, and how it is written.
    pub body: Option<(Format, Expr)>,
    /// Where it sends the sender.
    pub redirect: Option<Expr>,
}

/// An answer as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Every name with a meaning of its own, and when that answer is given.
pub const REPLIES: &[(&str, &str)] = &[
    ("accepted", "the push is stored, or its steps are done"),
    ("refused", "a check failed that names no other answer"),
    (
        "repeated",
        "the push was seen before; without it, that is `accepted`",
    ),
    (
        "conflict",
        "another push with the same key has another body",
    ),
    ("failed", "a step failed, and the sender waits"),
    ("unproved", "the sender is not proved"),
    (
        "stale",
        "what proves the sender is too old; without it, that is `unproved`",
    ),
    ("malformed", "the push cannot be read"),
];

impl Reply {
    /// An answer without a body.
    pub fn plain(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

/// The answer of a name; `None` where the route has none of that name.
pub(super) fn shape(
    replies: &Replies,
    name: &str,
    means: &Means<'_>,
    fuel: &mut Fuel,
) -> Result<Option<Reply>, Halt> {
    let Some(rules) = replies.get(name) else {
        return Ok(None);
    };
    for rule in rules {
        let holds = match &rule.when {
            None => true,
            Some(when) => when.holds(means, fuel)?,
        };
        if holds {
            return rule.shape(means, fuel).map(Some);
        }
    }
    Ok(None)
}

impl ReplyRule {
    /// Hands over every expression.
    pub(super) fn walk<'r>(&'r self, told: &mut dyn FnMut(&'r Expr)) {
        if let Some(when) = &self.when {
            when.walk(told);
        }
        let body = self.body.iter().map(|(_, body)| body);
        let headers = self.headers.iter().map(|(_, value)| value);
        body.chain(headers)
            .chain(&self.redirect)
            .for_each(|expr| expr.walk(told));
    }

    fn shape(&self, means: &Means<'_>, fuel: &mut Fuel) -> Result<Reply, Halt> {
        self.line.touch();
        let mut reply = Reply::plain(self.status);
        if let Some((format, expr)) = &self.body {
            let document = expr.value(means, fuel)?.unwrap_or_default();
            let encoded = codec::encode(*format, &document).map_err(|_| Halt::TooLarge)?;
            reply.body = encoded.body;
            let media = HeaderValue::from_static(encoded.content_type);
            reply.headers.insert(CONTENT_TYPE, media);
        }
        if let Some(media) = &self.content_type {
            reply.headers.insert(CONTENT_TYPE, media.clone());
        }
        for (name, expr) in &self.headers {
            put(&mut reply.headers, name, expr, means, fuel)?;
        }
        if let Some(to) = &self.redirect {
            put(&mut reply.headers, &LOCATION, to, means, fuel)?;
        }
        Ok(reply)
    }
}

/// Puts a header in, where its value is there and can be one.
fn put(
    headers: &mut HeaderMap,
    name: &HeaderName,
    expr: &Expr,
    means: &Means<'_>,
    fuel: &mut Fuel,
) -> Result<(), Halt> {
    let text = expr.value(means, fuel)?.as_ref().and_then(as_text);
    let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
    if let Some(value) = value {
        headers.insert(name.clone(), value);
    }
    Ok(())
}
