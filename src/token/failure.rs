//! Why a login gave no token. Each way to fail has its own words.

use std::sync::Arc;

use thiserror::Error;

use crate::crypto::{OpenFailure, SealFailure};
use crate::message::BodyFault;
use crate::upstream::SendFailure;

/// Why a login gave no token.
#[derive(Debug, Clone, Error)]
pub enum LoginFailure {
    /// The login was not answered.
    #[error("the login was not answered")]
    Unreachable(#[source] SendFailure),
    /// It took too long.
    #[error("the login took too long")]
    Timeout,
    /// The platform refused the credentials.
    #[error("the platform refused the credentials ({})", answered(*status, *code))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code of the envelope.
        code: Option<i64>,
    },
    /// The platform answered with a status that is neither a yes nor a refusal.
    #[error("the login was answered with HTTP {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is larger than a login's answer can be, or broke off.
    #[error("the answer to the login cannot be read")]
    Unreadable(#[source] BodyFault),
    /// The answer is not JSON.
    #[error("the answer to the login is not JSON")]
    NotJson(#[source] Arc<serde_json::Error>),
    /// There is no token where it should be, or it is empty.
    #[error("there is no token in the answer to the login")]
    NoToken,
    /// The token cannot stand in a header.
    #[error("the token in the answer to the login has a character that no header can carry")]
    BadToken,
    /// The token would have expired before it could be used.
    #[error("the token in the answer to the login has expired already")]
    ShortLived,
    /// The login cannot be sealed.
    #[error("the login cannot be sealed: {0}")]
    Unsealed(SealFailure),
    /// The sealed answer cannot be opened.
    #[error("the sealed answer to the login cannot be opened")]
    Unopened(#[source] OpenFailure),
    /// The login call cannot be made at all.
    #[error("the login call cannot be made")]
    Unmakable(#[source] Arc<http::Error>),
}

/// `HTTP 401, code 401`.
fn answered(status: u16, code: Option<i64>) -> String {
    code.map_or_else(
        || format!("HTTP {status}"),
        |code| format!("HTTP {status}, code {code}"),
    )
}

impl LoginFailure {
    /// What exactly went wrong, without addresses and what the system said.
    pub fn detail(&self) -> String {
        match self {
            Self::Unreachable(failure) => format!("{self}: {failure}"),
            Self::Unreadable(fault) => format!("{self}: {fault}"),
            _ => self.to_string(),
        }
    }
}
