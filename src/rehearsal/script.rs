//! Examples as they stand in a route file: what comes in, what others answer, what is expected.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value as Json;

use super::Part;
use crate::codec::{self, CODECS, Format};
use crate::mapping::Moment;
use crate::route::flow::{Begins, Flow};
use crate::sandbox::Canned;
use crate::yaml::{Fault, Faults, Fields, Node, Read, Value};

/// One example: turns that are made one after the other, on one gateway.
#[derive(Debug)]
pub struct Script {
    /// What it shows.
    pub name: String,
    /// The route, and those beside it.
    pub run: Vec<Part>,
    /// How senders see us.
    pub url: String,
    /// The turns.
    pub turns: Vec<Turn>,
    /// Where it stands.
    pub node: Node,
}

/// One turn.
#[derive(Debug)]
pub struct Turn {
    /// What the clock shows, in milliseconds; `None` where it stands as before.
    pub now_ms: Option<i64>,
    /// What is pushed.
    pub push: Option<Push>,
    /// What event is told.
    pub event: Option<Json>,
    /// What operations and steps are answered, each in its order.
    pub answers: Vec<(String, Canned)>,
    /// What is expected.
    pub expected: Expected,
}

/// A push.
#[derive(Debug, Clone)]
pub struct Push {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
}

/// What is expected of a turn; what is `None` is not looked at.
#[derive(Debug, Default)]
pub struct Expected {
    /// The calls, all of them.
    pub calls: Option<Vec<ExpectedCall>>,
    /// The calls may come in any order.
    pub any_order: bool,
    /// The status of the answer.
    pub status: Option<StatusCode>,
    /// Its body.
    pub reply: Option<Shape>,
    /// The records of consent.
    pub consents: Option<Vec<Json>>,
    /// What the route says came of it.
    pub result: Option<Json>,
    /// Texts that may stand in no call, answer or stored push.
    pub never: Vec<String>,
}

/// A call that is expected.
#[derive(Debug)]
pub struct ExpectedCall {
    /// The operation or step.
    pub of: String,
    /// The URL of a third party.
    pub url: Option<String>,
    /// The method.
    pub method: Option<Method>,
    /// Headers that it must have.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Option<Shape>,
}

/// A body, by what it says and not by how it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// How it is read.
    pub format: Format,
    /// What it says.
    pub document: Json,
}

impl Push {
    /// An event as an application tells it.
    pub fn event(event: &Json) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self {
            method: Method::POST,
            target: "/events".to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: event.to_string().into(),
        }
    }
}

/// Reads the examples of a route.
pub fn read(flow: &Flow, faults: &Faults) -> Vec<Script> {
    let examples = flow.examples.iter();
    examples
        .filter_map(|node| Reader { flow, faults }.script(node))
        .collect()
}

struct Reader<'r> {
    flow: &'r Flow,
    faults: &'r Faults,
}

impl Reader<'_> {
    fn script(&self, node: &Node) -> Option<Script> {
        let mut fields = Fields::open(node, self.faults)?;
        let name = fields.required("name");
        let own = part(
            &self.flow.name,
            fields.node("settings"),
            fields.node("secrets"),
        );
        let others = match fields.node("beside").map(|node| &node.value) {
            Some(Value::Map(entries)) => entries
                .iter()
                .map(|(name, given)| {
                    let (settings, secrets) = (given.child("settings"), given.child("secrets"));
                    part(name.text().unwrap_or_default(), settings, secrets)
                })
                .collect(),
            _ => Vec::new(),
        };
        let url = fields.or("url", "https://gateway.example".to_owned());
        let turns = match fields.node("turns") {
            Some(Node {
                value: Value::List(turns),
                ..
            }) => turns
                .iter()
                .map(|turn| {
                    let mut fields = Fields::open(turn, self.faults)?;
                    let read = self.turn(&mut fields);
                    fields.finish();
                    read
                })
                .collect(),
            _ => vec![self.turn(&mut fields)],
        };
        fields.finish();
        Some(Script {
            name: name?,
            run: std::iter::once(own).chain(others).collect(),
            url,
            turns: turns.into_iter().collect::<Option<_>>()?,
            node: node.clone(),
        })
    }

    fn turn(&self, fields: &mut Fields<'_>) -> Option<Turn> {
        let now = fields.node("now").map(|node| self.instant(node));
        let push = fields.node("push").map(|node| self.push(node));
        let event = fields.node("event").map(Node::to_json);
        let answers = self.list(fields.node("answers"), |node| self.answer(node))?;
        let expected = fields.node("expect").map(|node| self.expected(node));
        if push.is_none() && event.is_none() {
            self.faults.push(
                fields
                    .fault("nothing comes in here")
                    .help("add `push: { json: { … } }`, or `event: { … }`"),
            );
            return None;
        }
        Some(Turn {
            now_ms: now.map_or(Some(None), |now| now.map(Some))?,
            push: push.map_or(Some(None), |push| push.map(Some))?,
            event,
            answers,
            expected: expected.unwrap_or_else(|| Some(Expected::default()))?,
        })
    }

    fn instant(&self, node: &Node) -> Option<i64> {
        let text = String::read(node, self.faults)?;
        let read = Moment::parse(&text);
        if read.is_none() {
            self.faults.push(
                Fault::at(node, format!("`{text}` is no moment"))
                    .help("write it as `2026-03-10T16:00:00Z`"),
            );
        }
        read.map(|moment| moment.ms())
    }

    fn push(&self, node: &Node) -> Option<Push> {
        let mut fields = Fields::open(node, self.faults)?;
        let method = fields.optional::<Method>("method");
        let target = fields.optional::<String>("target");
        let headers = fields.node("headers").map(texts).unwrap_or_default();
        let raw = fields.optional::<String>("raw");
        let shape = Self::shape(&mut fields);
        fields.finish();
        let (own_method, own_path) = match &self.flow.begins {
            Begins::Listen(listen) => (listen.method.clone(), listen.path.pattern.clone()),
            Begins::On(_) => (Method::POST, "/".to_owned()),
        };
        let mut map = HeaderMap::new();
        let mut body = Bytes::new();
        match (raw, shape) {
            (Some(raw), _) => body = raw.into(),
            (None, Some(shape)) => {
                let encoded = codec::encode(shape.format, &shape.document).ok()?;
                map.insert(CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
                body = encoded.body;
            }
            (None, None) => {}
        }
        for (name, value) in headers {
            let header = HeaderName::try_from(name).ok();
            if let Some((name, value)) = header.zip(HeaderValue::try_from(value).ok()) {
                map.insert(name, value);
            }
        }
        Some(Push {
            method: method.unwrap_or(own_method),
            target: target.unwrap_or(own_path),
            headers: map,
            body,
        })
    }

    /// A body under the name of its format.
    fn shape(fields: &mut Fields<'_>) -> Option<Shape> {
        CODECS.iter().find_map(|codec| {
            let node = fields.node(codec.name)?;
            Some(Shape::written(codec.format, node.to_json()))
        })
    }

    fn answer(&self, node: &Node) -> Option<(String, Canned)> {
        let mut fields = Fields::open(node, self.faults)?;
        let of = fields.required::<String>("of");
        let status = fields.or("status", 200_u64);
        let delay = fields.optional::<Duration>("after");
        let headers = fields.node("headers").map(texts).unwrap_or_default();
        let raw = fields.optional::<String>("raw");
        let shape = Self::shape(&mut fields);
        fields.finish();
        let mut map = HeaderMap::new();
        let mut body = Bytes::new();
        if let Some(shape) = shape {
            let encoded = codec::encode(shape.format, &shape.document).ok()?;
            map.insert(CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
            body = encoded.body;
        }
        if let Some(raw) = raw {
            body = raw.into();
        }
        for (name, value) in headers {
            let header = HeaderName::try_from(name).ok();
            if let Some((name, value)) = header.zip(HeaderValue::try_from(value).ok()) {
                map.insert(name, value);
            }
        }
        let status = u16::try_from(status).ok();
        let canned = Canned {
            status: StatusCode::from_u16(status.unwrap_or(200)).ok()?,
            headers: map,
            body,
            delay: delay.unwrap_or_default(),
        };
        Some((of?, canned))
    }

    fn expected(&self, node: &Node) -> Option<Expected> {
        let mut fields = Fields::open(node, self.faults)?;
        let calls = match fields.node("calls") {
            None => None,
            Some(node) => Some(self.list(Some(node), |node| self.call(node))?),
        };
        let any_order = fields.or("any_order", false);
        let reply = fields.node("reply");
        let consents = fields.node("consents").map(Node::to_json);
        let result = fields.node("result").map(Node::to_json);
        let never: Vec<String> = fields.or("never", Vec::new());
        fields.finish();
        let (status, reply) = match reply {
            None => (None, None),
            Some(node) => {
                let mut fields = Fields::open(node, self.faults)?;
                let status = fields.or("status", 200_u64);
                let shape = Self::shape(&mut fields);
                fields.finish();
                let status = u16::try_from(status).ok();
                (
                    status.and_then(|status| StatusCode::from_u16(status).ok()),
                    shape,
                )
            }
        };
        Some(Expected {
            calls,
            any_order,
            status,
            reply,
            consents: consents.and_then(|consents| match consents {
                Json::Array(consents) => Some(consents),
                _ => None,
            }),
            result,
            never,
        })
    }

    fn call(&self, node: &Node) -> Option<ExpectedCall> {
        let mut fields = Fields::open(node, self.faults)?;
        let of = fields.required::<String>("of");
        let url = fields.optional("url");
        let method = fields.optional("method");
        let headers = fields.node("headers").map(texts).unwrap_or_default();
        let body = Self::shape(&mut fields);
        fields.finish();
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value)));
        Some(ExpectedCall {
            of: of?,
            url,
            method,
            headers: headers.collect(),
            body,
        })
    }

    fn list<T>(&self, node: Option<&Node>, read: impl Fn(&Node) -> Option<T>) -> Option<Vec<T>> {
        match node.map(|node| (node, &node.value)) {
            None => Some(Vec::new()),
            Some((_, Value::List(items))) => items.iter().map(read).collect(),
            Some((node, _)) => {
                self.faults.push(
                    Fault::at(node, format!("expected a list, found {}", node.kind()))
                        .help("write one `- of: …` a line"),
                );
                None
            }
        }
    }
}

impl Shape {
    /// A body as an example writes it. In a form and in XML every scalar is a text.
    fn written(format: Format, document: Json) -> Self {
        let document = match format {
            Format::Json => document,
            _ => as_texts(document),
        };
        Self { format, document }
    }
}

fn as_texts(document: Json) -> Json {
    match document {
        Json::Number(number) => Json::String(number.to_string()),
        Json::Bool(flag) => Json::String(flag.to_string()),
        Json::Array(items) => items.into_iter().map(as_texts).collect(),
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, as_texts(value)))
                .collect(),
        ),
        other => other,
    }
}

fn part(route: &str, settings: Option<&Node>, secrets: Option<&Node>) -> Part {
    let none = || Json::Object(serde_json::Map::new());
    Part {
        route: route.to_owned(),
        settings: settings.map_or_else(none, Node::to_json),
        secrets: secrets.map(texts).unwrap_or_default(),
    }
}

/// A mapping of texts.
fn texts(node: &Node) -> BTreeMap<String, String> {
    let Value::Map(entries) = &node.value else {
        return BTreeMap::new();
    };
    let text =
        |(key, value): &(Node, Node)| Some((key.text()?.to_owned(), value.text()?.to_owned()));
    entries.iter().filter_map(text).collect()
}
