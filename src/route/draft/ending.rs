//! The end of a draft: its answers, and its example.

use std::fmt::Write as _;

use super::{Outcome, Sample, text, word};
use crate::codec::Format;

impl Sample {
    pub(super) fn replies(&self) -> String {
        let format = if self.format == Format::Xml {
            "xml"
        } else {
            "json"
        };
        let wrap = |inner: &str| match self.format {
            Format::Xml => format!("{{ response: {inner} }}"),
            _ => inner.to_owned(),
        };
        let good = if self.each.is_some() {
            "{ result: $.results }"
        } else {
            "{ status: queued, id: $.vars.case_id }"
        };
        format!(
            "\n# What the partner is answered. Write its own shape here: `pintle schema route` lists every name.\n\
             replies:\n  \
               accepted: {{ status: 200, {format}: {} }}\n  \
               refused: {{ status: 422, {format}: {} }}\n  \
               unproved: {{ status: 401, {format}: {} }}\n  \
               malformed: {{ status: 400, {format}: {} }}\n",
            wrap(good),
            wrap("{ status: refused, reason: $.reason }"),
            wrap("{ status: refused, reason: unauthorized }"),
            wrap("{ status: refused, reason: invalid request }"),
        )
    }

    pub(super) fn example(&self, outcome: Option<&Outcome>) -> String {
        let mut lines = format!(
            "\n# Played by `pintle test`. Made from the sample: put invented people in the place of real ones.\n\
             examples:\n  - name: the sample becomes what is called\n    \
             settings: {{ workflow: wf-1 }}\n    secrets: {{ {secret}: a-key-for-tests }}\n    push:\n      \
             headers: {{ X-Api-Key: a-key-for-tests }}\n      {}:{}",
            word(self.format),
            text::value(&self.document, 8),
            secret = self.secret(),
        );
        let Some(outcome) = outcome else {
            return lines;
        };
        lines.push_str("    expect:\n");
        if outcome.calls.is_empty() {
            lines.push_str("      calls: []\n");
        } else {
            lines.push_str("      calls:\n");
        }
        for (of, body) in &outcome.calls {
            let _never = write!(
                lines,
                "        - of: {of}\n          json:{}",
                text::value(body, 12)
            );
        }
        let _never = write!(lines, "      reply:\n        status: {}\n", outcome.status);
        if let Some(reply) = &outcome.reply {
            let format = if self.format == Format::Xml {
                "xml"
            } else {
                "json"
            };
            let _never = write!(lines, "        {format}:{}", text::value(reply, 10));
        }
        lines
    }
}
