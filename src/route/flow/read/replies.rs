//! Reading the answers of a route, and bodies and headers that are written.

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::Known;
use crate::codec::{CODECS, Format};
use crate::mapping::Line;
use crate::mapping::expr::Expr;
use crate::route::flow::reply::{Replies, ReplyRule};
use crate::yaml::{Fault, Fields, Node, Value};

impl Known<'_> {
    pub(super) fn replies(&self, node: Option<&Node>) -> Replies {
        let all = self.entries(node, |node| {
            let rules = match &node.value {
                Value::List(rules) => {
                    self.refuse_hidden(rules);
                    self.list(Some(node), |node| self.reply(node))
                }
                _ => self.reply(node).into_iter().collect(),
            };
            Some(rules)
        });
        all.into_iter().collect()
    }

    /// Of several answers, one without `when` hides those behind it.
    fn refuse_hidden(&self, rules: &[Node]) {
        let behind = rules.len().saturating_sub(1);
        for rule in rules
            .iter()
            .take(behind)
            .filter(|rule| rule.child("when").is_none())
        {
            self.faults.push(
                Fault::at(rule, "what stands behind this answer is never given")
                    .help("add `when:`, or put the answer at the end"),
            );
        }
    }

    fn reply(&self, node: &Node) -> Option<ReplyRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let when = fields.node("when");
        let status = fields.node("status");
        let headers = fields.node("headers");
        let media = fields.optional::<HeaderValue>("content_type");
        let redirect = self.expr(fields.node("redirect"));
        let body = self.body(&mut fields);
        fields.finish();
        let default = if redirect.is_some() { 303 } else { 200 };
        let status = match status {
            Some(node) => node.text().and_then(|text| text.parse().ok()),
            None => StatusCode::from_u16(default).ok(),
        };
        let status = status.filter(|status: &StatusCode| (200..600).contains(&status.as_u16()));
        let is_bare =
            status == Some(StatusCode::NO_CONTENT) || status == Some(StatusCode::NOT_MODIFIED);
        if status.is_none() {
            self.faults.push(
                Fault::at(
                    node.child("status").unwrap_or(node),
                    "this is no status of an answer",
                )
                .help("write a number from 200 to 599"),
            );
        } else if is_bare && matches!(&body, Some(Some(_))) {
            self.faults.push(
                Fault::at(
                    node.child("status").unwrap_or(node),
                    "an answer with this status has no body",
                )
                .help("write `status: 200`, or remove the body"),
            );
        }
        let when = match when {
            None => None,
            Some(node) => Some(self.condition(Some(node))?),
        };
        Some(ReplyRule {
            line: Line::new(node.span.line),
            when,
            status: status?,
            headers: self.headers(headers),
            content_type: media,
            body: body?,
            redirect,
        })
    }

    /// Headers by name.
    pub(super) fn headers(&self, node: Option<&Node>) -> Vec<(HeaderName, Expr)> {
        if let Some(Node {
            value: Value::Map(entries),
            ..
        }) = node
        {
            for (key, _) in entries {
                self.check_header(key);
            }
        }
        let all = self.exprs(node).into_iter();
        let named = all.filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, value))
        });
        named.collect()
    }

    fn check_header(&self, key: &Node) {
        let text = key.text().unwrap_or_default();
        let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
            self.faults.push(
                Fault::at(key, format!("`{text}` is no name of a header"))
                    .help("write letters, digits and `-`"),
            );
            return;
        };
        if OF_CONNECTION.contains(&name) {
            self.faults.push(
                Fault::at(key, format!("the header `{name}` is made by the gateway"))
                    .help("remove it: it says how the message is carried"),
            );
        }
    }

    /// The body under the name of its format; the outer `None` is a fault.
    #[expect(clippy::option_option, reason = "a fault, no body, a body")]
    pub(super) fn body(&self, fields: &mut Fields<'_>) -> Option<Option<(Format, Expr)>> {
        let written = CODECS.iter().filter_map(|codec| {
            let node = fields.node(codec.name)?;
            Some((codec, node))
        });
        let written: Vec<_> = written.collect();
        if let [_, (codec, node), ..] = written.as_slice() {
            self.faults.push(
                Fault::at(node, "there is a body already")
                    .help(format!("remove `{}`, or the other body", codec.name)),
            );
            return None;
        }
        if let Some((codec, node)) = written.first()
            && codec.format == Format::Multipart
        {
            self.faults.push(
                Fault::at(node, "a multipart body is read, not written")
                    .help("write `form:` or `json:`"),
            );
            return None;
        }
        match written.first() {
            None => Some(None),
            Some((codec, node)) => self.expr(Some(node)).map(|expr| Some((codec.format, expr))),
        }
    }
}

/// RFC 9110, section 7.6.1, and the headers that say where a message ends.
const OF_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
