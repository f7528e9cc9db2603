//! One table from failure to status, stable code and blame.
//!
//! A failure that Pintle answers with has two texts: a public one without internals
//! (`application/problem+json`, RFC 9457), and the chain of causes, which goes to the log. The
//! platform's own failures are not here: they pass through as they are.

mod problem;
mod table;

use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

pub use problem::problem;
pub use table::{Blame, Description, TABLE};

use crate::crypto::{OpenFailure, ProofFailure, SealFailure};
use crate::limit::OverQuota;
use crate::message::BodyFault;
use crate::message::framing::FramingFault;
use crate::message::target::TargetFault;
use crate::route::Line;
use crate::store::StoreFailure;
use crate::token::NoToken;
use crate::upstream::SendFailure;

/// Why a call was not answered by the platform.
#[derive(Debug, Clone, Error)]
pub enum Failure {
    /// The HTTP/1 framing is not strict.
    #[error("{0}")]
    Framing(FramingFault),
    /// The path cannot be read in one way only.
    #[error("{0}")]
    Target(TargetFault),
    /// The method is one that no operation has.
    #[error("no operation has this method")]
    Method {
        /// The methods that are served.
        allowed: Vec<http::Method>,
    },
    /// The `Host` is none of ours.
    #[error("this host name is not served here")]
    Host,
    /// The call comes from a page in a browser.
    #[error("calls from web pages of other origins are not taken")]
    Origin,
    /// The call carries credentials, and the settings say to refuse those.
    #[error("the call carries credentials of its own")]
    Credentials,
    /// A header that asks something of the gateway cannot be read.
    #[error("`{header}` cannot be read: {expected}")]
    Control {
        /// The header.
        header: http::HeaderName,
        /// What it may be.
        expected: &'static str,
    },
    /// A rate does not let the call go in time.
    #[error("the rate `{}` is used up", .0.rate)]
    OverQuota(OverQuota),
    /// A rate does not let the push in.
    #[error("the rate `{}` is used up", .0.rate)]
    PushOverQuota(OverQuota),
    /// `Expect` asks for something that we do not do.
    #[error("the expectation cannot be met")]
    Expectation,
    /// As many calls as may be are under way.
    #[error("too many calls are under way")]
    Overloaded,
    /// The process is about to end.
    #[error("the gateway is shutting down")]
    Draining,
    /// The body of the call failed.
    #[error("the body of the call cannot be used")]
    Body(#[source] BodyFault),
    /// No account of that name.
    #[error("there is no account of that name")]
    Account,
    /// No operation of that name.
    #[error("there is no operation of that name in the catalogue")]
    Operation,
    /// The operation or path has another method.
    #[error("the operation has another method: {}", listed(allowed))]
    OtherMethod {
        /// The methods that it has.
        allowed: Vec<http::Method>,
    },
    /// The operation's path is not known.
    #[error("the path of `{operation}` is not known: fill it in at {line}")]
    NoPath {
        /// The operation.
        operation: String,
        /// Where the path would have to be filled in.
        line: Line,
    },
    /// Pintle makes this call by itself.
    #[error("`{operation}` is a call that the gateway makes by itself")]
    Reserved {
        /// The operation.
        operation: String,
    },
    /// The policy forbids paths outside the catalogue.
    #[error("the path is not in the catalogue, and the policy forbids such paths")]
    Unlisted,
    /// The account does not set the upstream that this family needs.
    #[error("the account does not set the upstream `{upstream}`")]
    NoUpstream {
        /// The upstream.
        upstream: String,
    },
    /// The call wants a kept reply, and there is none.
    #[error("the call takes a kept reply only, and there is none")]
    NotCached,
    /// There is no token.
    #[error("no token can be had")]
    Token(#[source] NoToken),
    /// The call cannot be sealed, for a reason that its sender can mend.
    #[error("{0}")]
    Unfit(Unfit),
    /// The call cannot be sealed.
    #[error("{0}")]
    Seal(SealFailure),
    /// Too many replies of the account could not be opened.
    #[error("replies of this account cannot be opened: nothing is sent for now")]
    HeldBack {
        /// When the next call may be tried, from now.
        retry_in: Duration,
    },
    /// The upstream fails most calls, and gets none for now.
    #[error("the platform fails most calls: nothing is sent for now")]
    CircuitOpen {
        /// When the next call may be tried, from now.
        retry_in: Duration,
    },
    /// The reply cannot be opened. Why is for the log alone.
    #[error("the sealed reply cannot be opened")]
    Open(#[source] OpenFailure),
    /// The platform gave no reply.
    #[error("the platform gave no reply")]
    Upstream(#[source] SendFailure),
    /// The platform's reply broke off while it was read.
    #[error("the platform's reply broke off")]
    Reply(#[source] BodyFault),
    /// No push comes here.
    #[error("there is nothing here")]
    NoHook,
    /// Too many pushes of the sender were not proved.
    #[error("too many pushes were refused: wait")]
    SenderHeldBack {
        /// When the next push may be tried, from now.
        retry_in: Duration,
    },
    /// The push is not proved, or cannot be opened. Why is for the log alone.
    #[error("the push is refused")]
    NotProven(#[source] NotProven),
    /// The push cannot be read.
    #[error("the push cannot be read: {0}")]
    Malformed(std::borrow::Cow<'static, str>),
    /// A step of the push's route failed, and its sender waits.
    #[error("a step of the route failed")]
    Step,
    /// Another push had the same key and another body.
    #[error("another push with the same key and another body came before")]
    PushConflict,
    /// The push cannot be stored.
    #[error("the push cannot be stored now")]
    Store(#[source] StoreFailure),
    /// A fault of ours.
    #[error("the gateway failed")]
    Internal,
}

/// Why a push is not taken for its sender's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotProven {
    /// Its proof is none.
    #[error("{0}")]
    Proof(ProofFailure),
    /// It is sealed and does not open.
    #[error("it cannot be opened: {0}")]
    Open(OpenFailure),
}

/// What in a call stands in the way of sealing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It has a header that only sealed messages have.
    #[error("the call has headers of a sealed message: send it plain, the gateway seals it")]
    SealedAlready,
    /// It has a body and a query, and one of them would go unsealed.
    #[error("the call has a query beside its body, which would go unsealed: put it into the body")]
    QueryBesideBody,
    /// The sealed query is too long for a target.
    #[error("the sealed query is too long")]
    QueryTooLong,
    /// Its body is compressed.
    #[error("the body has a content coding: send it as it is")]
    Coded,
}

impl Failure {
    /// Its status, code, blame and public text.
    pub fn description(&self) -> &'static Description {
        table::describe(self)
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.description().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether the platform may have acted on the call.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Upstream(failure) => failure.is_unsent(),
            Self::Reply(_) | Self::Open(_) | Self::Internal => false,
            _ => true,
        }
    }

    /// What became of the call or push, in a word.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::NoHook
            | Self::SenderHeldBack { .. }
            | Self::PushOverQuota(_)
            | Self::NotProven(_)
            | Self::Malformed(_)
            | Self::PushConflict
            | Self::Step
            | Self::Store(StoreFailure::Full { .. } | StoreFailure::Crowded) => "not_stored",
            // A disk that fails may have kept what it failed to confirm.
            Self::Store(_) => "unknown",
            other if other.is_unsent() => "not_sent",
            _ => "unknown",
        }
    }

    /// When trying again can help, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::OverQuota(OverQuota { retry_in, .. })
            | Self::PushOverQuota(OverQuota { retry_in, .. })
            | Self::Token(NoToken::LoginFailed { retry_in, .. })
            | Self::HeldBack { retry_in }
            | Self::CircuitOpen { retry_in }
            | Self::SenderHeldBack { retry_in } => Some(*retry_in),
            Self::Overloaded
            | Self::Draining
            | Self::Store(StoreFailure::Crowded)
            | Self::Upstream(SendFailure::Crowded | SendFailure::NoPlace) => {
                Some(Duration::from_secs(1))
            }
            Self::Store(_) => Some(Duration::from_secs(30)),
            _ => None,
        }
    }

    /// Whether the downstream's connection cannot be used further.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::Framing(_) | Self::Body(_) | Self::Upstream(SendFailure::Body(_))
        )
    }

    /// What exactly went wrong, in words that hold no internals: the phrase of the cause that a
    /// caller can do something about.
    pub fn detail(&self) -> String {
        match self {
            Self::Token(NoToken::LoginFailed { failure, .. }) => failure.detail(),
            Self::Token(failure) => failure.to_string(),
            Self::Upstream(SendFailure::Body(fault)) | Self::Body(fault) | Self::Reply(fault) => {
                fault.to_string()
            }
            Self::Upstream(failure) => failure.to_string(),
            other => other.to_string(),
        }
    }
}

fn listed(methods: &[http::Method]) -> String {
    let names: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
    names.join(", ")
}
