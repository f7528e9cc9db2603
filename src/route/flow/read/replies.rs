//! Reading the answers of a route, and bodies that are written.

use http::{HeaderName, HeaderValue, StatusCode};

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
                Value::List(_) => self.list(Some(node), |node| self.reply(node)),
                _ => self.reply(node).into_iter().collect(),
            };
            Some(rules)
        });
        all.into_iter().collect()
    }

    fn reply(&self, node: &Node) -> Option<ReplyRule> {
        let mut fields = Fields::open(node, self.faults)?;
        let when = fields.node("when");
        let status = fields.optional::<u64>("status");
        let headers = fields.node("headers");
        let media = fields.optional::<String>("content_type");
        let redirect = self.expr(fields.node("redirect"));
        let body = self.body(&mut fields);
        fields.finish();
        let default = if redirect.is_some() { 303 } else { 200 };
        let status = u16::try_from(status.unwrap_or(default)).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.filter(|status| !status.is_informational());
        if status.is_none() {
            self.faults.push(
                Fault::at(
                    node.child("status").unwrap_or(node),
                    "this is no status of an answer",
                )
                .help("write a number from 200 to 599"),
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
            content_type: media.and_then(|media| HeaderValue::from_str(&media).ok()),
            body: body?,
            redirect,
        })
    }

    /// Headers by name.
    pub(super) fn headers(&self, node: Option<&Node>) -> Vec<(HeaderName, Expr)> {
        let all = self.exprs(node);
        let named = all.into_iter().filter_map(|(name, value)| {
            let read = HeaderName::from_bytes(name.as_bytes()).ok();
            if let (None, Some(node)) = (&read, node) {
                self.faults.push(
                    Fault::at(node, format!("`{name}` is no name of a header"))
                        .help("write letters, digits and `-`"),
                );
            }
            Some((read?, value))
        });
        named.collect()
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
        match written.first() {
            None => Some(None),
            Some((codec, node)) => self.expr(Some(node)).map(|expr| Some((codec.format, expr))),
        }
    }
}
