//! What a selector of a route looks at: `$.body`, `$.headers` and `$.query` of a push.

use http::HeaderMap;
use serde_json::Value;

use crate::codec::form;
use crate::mapping::selector::{SingularQuery, Step};
use crate::yaml::{Fault, Faults, Node, Read};

/// A push, as selectors see it.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'p> {
    /// Its body.
    pub body: &'p Value,
    /// Its headers; a name is written in small letters.
    pub headers: &'p HeaderMap,
    /// Its query string.
    pub query: &'p str,
}

/// A query for one value of a push: `$.body.data.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeQuery {
    query: SingularQuery,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Body,
    Headers,
    Query,
}

impl ScopeQuery {
    /// The value as text: a string or number as it is, anything else as JSON. `None` where there
    /// is nothing, or `null`.
    pub fn text(&self, scope: &Scope<'_>) -> Option<String> {
        let rest = self.query.steps().get(1..)?;
        match self.part {
            Part::Body => scalar(rest.iter().try_fold(scope.body, walk)?),
            Part::Headers => {
                let name = only_name(rest)?;
                let value = scope.headers.get(name)?.to_str().ok()?;
                Some(value.to_owned())
            }
            Part::Query => {
                let name = only_name(rest)?;
                form::pairs(scope.query).find_map(|(key, value)| (key == name).then_some(value))
            }
        }
    }

    /// Whether it looks at the body.
    pub fn is_of_body(&self) -> bool {
        self.part == Part::Body
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        self.query.as_str()
    }
}

fn walk<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match step {
        Step::Name(name) => value.get(name),
        Step::Index(index) => value.get(index),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn only_name(steps: &[Step]) -> Option<&str> {
    match steps {
        [Step::Name(name)] => Some(name),
        _ => None,
    }
}

impl Read for ScopeQuery {
    const EXAMPLE: &'static str = "$.body.call_id";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let query = SingularQuery::read(node, faults)?;
        let part = match query.steps().first() {
            Some(Step::Name(name)) if name == "body" => Some(Part::Body),
            Some(Step::Name(name)) if name == "headers" => Some(Part::Headers),
            Some(Step::Name(name)) if name == "query" => Some(Part::Query),
            _ => None,
        };
        if part.is_none() {
            faults.push(
                Fault::at(node, format!("`{}` is no part of a push", query.as_str()))
                    .help("begin with `$.body`, `$.headers` or `$.query`"),
            );
        }
        part.map(|part| Self { query, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};
    use http::HeaderValue;

    fn text(query: &str) -> Option<String> {
        let body =
            serde_json::json!({"a": {"b": [1, "x"]}, "big": 9_007_199_254_740_993_u64, "n": null});
        let headers =
            HeaderMap::from_iter([(http::header::USER_AGENT, HeaderValue::from_static("them"))]);
        let faults = Faults::new();
        let node = parse(&Source::new("t", format!("q: \"{query}\"\n")), &faults).unwrap();
        let query = ScopeQuery::read(node.child("q").unwrap(), &faults)?;
        query.text(&Scope {
            body: &body,
            headers: &headers,
            query: "x=1&y=a%20b+c&z",
        })
    }

    #[test]
    fn each_part_of_a_push_can_be_named() {
        for (query, expected) in [
            ("$.body.a.b[1]", Some("x")),
            ("$.body.a.b[0]", Some("1")),
            ("$.body.a.b", Some("[1,\\\"x\\\"]")),
            ("$.body.big", Some("9007199254740993")),
            ("$.body.n", None),
            ("$.body.none", None),
            ("$.headers['user-agent']", Some("them")),
            ("$.query.y", Some("a b c")),
            ("$.query.z", Some("")),
            ("$.query.w", None),
            ("$.event.x", None),
        ] {
            let expected = expected.map(|text| text.replace('\\', ""));
            assert_eq!(text(query), expected, "{query}");
        }
    }
}
