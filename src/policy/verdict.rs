//! How an answer says yes: the HTTP status, and a code in the envelope.

use std::collections::BTreeMap;

use http::StatusCode;

use crate::mapping::{SingularQuery, pick};
use crate::policy::Provenance;
use crate::yaml::{Entries, Faults, Fields, Node};

/// The envelope of a family's answers, and which of its codes mean yes.
#[derive(Debug)]
pub struct Verdict {
    /// Its name in `policies/`.
    pub name: String,
    /// Where the code stands; `None` where the HTTP status alone decides.
    pub code: Option<SingularQuery>,
    /// The codes that mean yes.
    pub accepted: Vec<i64>,
    /// The codes that mean that the token is no longer good.
    pub token_rejected: Vec<i64>,
    /// Where the platform's words for people stand; the first that is there counts.
    pub text: Vec<SingularQuery>,
    /// What is known of the codes.
    pub codes: BTreeMap<i64, String>,
    /// How sure this is.
    pub provenance: Provenance,
}

/// What the platform said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It did what was asked.
    Yes,
    /// It did not.
    No,
    /// The status is good, and the body has no code where one should be: the platform may have
    /// acted.
    Unclear,
    /// The status is good, and the body was not read.
    Unread,
}

impl Said {
    /// The word for headers, records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "accepted",
            Self::No => "refused",
            Self::Unclear => "unclear",
            Self::Unread => "unread",
        }
    }
}

/// A judged answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// Yes or no.
    pub said: Said,
    /// The code in the envelope, where it was read and is a number.
    pub code: Option<i64>,
    /// The answer means that the token is not good (any longer).
    pub token_rejected: bool,
}

impl Verdict {
    /// Judges an answer.
    ///
    /// `body` is `None` where it was not read. An answer that was read and has no code is no yes: a
    /// success page of some proxy in between must not pass for the platform's.
    pub fn judge(&self, status: StatusCode, body: Option<&[u8]>) -> Judgement {
        let by_status = status == StatusCode::UNAUTHORIZED;
        let Some(query) = self
            .code
            .as_ref()
            .filter(|_| status != StatusCode::NO_CONTENT)
        else {
            let said = if status.is_success() {
                Said::Yes
            } else {
                Said::No
            };
            return Judgement {
                said,
                code: None,
                token_rejected: by_status,
            };
        };
        let code = body
            .and_then(|body| pick(body, query).ok().flatten())
            .and_then(|scalar| scalar.integer());
        let said = match code {
            _ if !status.is_success() => Said::No,
            _ if body.is_none() => Said::Unread,
            Some(code) if self.accepted.contains(&code) => Said::Yes,
            Some(_) => Said::No,
            None => Said::Unclear,
        };
        let by_code = code.is_some_and(|code| self.token_rejected.contains(&code));
        Judgement {
            said,
            code,
            token_rejected: by_status || by_code,
        }
    }

    pub(super) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Self> {
        let mut fields = Fields::open(node, faults)?;
        let provenance = fields.required("source");
        let verdict = Self {
            name: name.to_owned(),
            code: fields.optional("code"),
            accepted: fields.or("accepted", Vec::new()),
            token_rejected: fields.or("token_rejected", Vec::new()),
            text: fields.or("text", Vec::new()),
            codes: fields
                .or("codes", Entries(Vec::new()))
                .0
                .into_iter()
                .collect(),
            provenance: provenance.unwrap_or(Provenance::Assumed),
        };
        let _note: Option<String> = fields.optional("note");
        fields.finish();
        provenance.map(|_| verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: Option<&str>, accepted: i64) -> Verdict {
        Verdict {
            name: "t".to_owned(),
            code: code.map(|code| SingularQuery::parse(code).unwrap()),
            accepted: vec![accepted],
            token_rejected: vec![401, 10812],
            text: Vec::new(),
            codes: BTreeMap::new(),
            provenance: Provenance::Assumed,
        }
    }

    #[test]
    fn yes_needs_the_status_and_the_code() {
        let cloud = verdict(Some("$.code"), 200);
        for (status, body, said, rejected) in [
            (200, Some(r#"{"code":200,"data":{}}"#), Said::Yes, false),
            (200, Some(r#"{"code":"200"}"#), Said::Yes, false),
            (200, Some(r#"{"code":10503}"#), Said::No, false),
            (200, Some(r#"{"code":401}"#), Said::No, true),
            (200, Some("{}"), Said::Unclear, false),
            (200, Some("<html>OK</html>"), Said::Unclear, false),
            (500, Some(r#"{"code":200}"#), Said::No, false),
            (401, None, Said::No, true),
            (200, None, Said::Unread, false),
        ] {
            let judged = cloud.judge(
                StatusCode::from_u16(status).unwrap(),
                body.map(str::as_bytes),
            );
            assert_eq!(
                (judged.said, judged.token_rejected),
                (said, rejected),
                "{status} {body:?}"
            );
        }
    }

    #[test]
    fn families_differ_in_the_code_that_means_yes() {
        let body = Some(br#"{"code":0}"#.as_slice());
        assert_eq!(
            verdict(Some("$.code"), 0).judge(StatusCode::OK, body).said,
            Said::Yes
        );
        assert_eq!(
            verdict(Some("$.code"), 200)
                .judge(StatusCode::OK, body)
                .said,
            Said::No
        );
        assert_eq!(verdict(None, 0).judge(StatusCode::OK, None).said, Said::Yes);
    }
}
