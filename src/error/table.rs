//! The table itself. `docs/failures.md` is held to it by a test.

use super::{Failure, Unfit};
use crate::crypto::SealFailure;
use crate::message::BodyFault;
use crate::message::framing::FramingFault;
use crate::store::StoreFailure;
use crate::token::{LoginFailure, NoToken};
use crate::upstream::SendFailure;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The gateway or its settings.
    Pintle,
    /// Who called.
    Downstream,
    /// The platform, or the way to it.
    Upstream,
}

impl Blame {
    /// The word in problems and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pintle => "pintle",
            Self::Downstream => "downstream",
            Self::Upstream => "upstream",
        }
    }
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    /// The stable code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whose fault it is.
    pub blame: Blame,
    /// What a person reads, and what to do.
    pub title: &'static str,
}

macro_rules! table {
    ($($name:ident $code:literal $status:literal $blame:ident $title:literal;)*) => {
        $(
            const $name: Description = Description {
                code: $code,
                status: $status,
                blame: Blame::$blame,
                title: $title,
            };
        )*

        /// Every failure that Pintle answers with.
        pub const TABLE: &[Description] = &[$($name),*];
    };
}

table! {
    BAD_FRAMING "bad_framing" 400 Downstream "The request is not valid HTTP.";
    HEAD_TOO_LARGE "head_too_large" 431 Downstream "The head of the request is larger than the limit.";
    TARGET_TOO_LONG "target_too_long" 414 Downstream "The request target is longer than the limit.";
    BAD_TARGET "bad_target" 400 Downstream "The path can be read in more than one way.";
    METHOD_NOT_SERVED "method_not_served" 405 Downstream "No operation has this method.";
    HOST_REFUSED "host_refused" 403 Downstream "This host name is not served here: add it to `local.hosts`.";
    ORIGIN_REFUSED "origin_refused" 403 Downstream "Calls from web pages are refused: add the origin to `local.origins`.";
    CREDENTIALS_REFUSED "credentials_refused" 400 Downstream "Calls must not carry credentials: the gateway adds its own.";
    BAD_CONTROL "bad_control" 400 Downstream "A header that asks something of the gateway cannot be read.";
    OVER_QUOTA "over_quota" 429 Downstream "As many as may have come: wait, or lower the rate.";
    EXPECTATION_FAILED "expectation_failed" 417 Downstream "The expectation cannot be met.";
    OVERLOADED "overloaded" 503 Pintle "Too many calls are under way: try again soon.";
    DRAINING "draining" 503 Pintle "The gateway is shutting down.";
    BODY_TOO_LARGE "body_too_large" 413 Downstream "The body is larger than the limit.";
    BODY_TIMEOUT "body_timeout" 408 Downstream "The body of the call stood still for too long.";
    BODY_BROKEN "body_broken" 400 Downstream "The body of the call broke off.";
    ACCOUNT_UNKNOWN "account_unknown" 404 Downstream "There is no account of that name.";
    OPERATION_UNKNOWN "operation_unknown" 404 Downstream "There is no operation of that name: `pintle routes` lists them.";
    METHOD_NOT_ALLOWED "method_not_allowed" 405 Downstream "The operation has another method.";
    PATH_UNKNOWN "path_unknown" 501 Pintle "The path of this operation is not known: fill it in; `pintle routes --export` writes the built-in files out.";
    OPERATION_RESERVED "operation_reserved" 403 Downstream "The gateway logs in by itself: call the operation you need.";
    PATH_REFUSED "path_refused" 403 Downstream "The policy refuses paths that are not in the catalogue.";
    UPSTREAM_NOT_SET "upstream_not_set" 501 Pintle "The account does not set the upstream that this operation needs.";
    NOT_CACHED "not_cached" 504 Downstream "The call takes a kept reply only, and there is none.";
    LOGIN_REFUSED "login_refused" 503 Pintle "The platform refuses the account's credentials: check the account's secrets.";
    LOGIN_UNREACHABLE "login_unreachable" 503 Upstream "The login could not be sent or was not answered: `/readyz` on the admin listener says why.";
    LOGIN_TIMEOUT "login_timeout" 503 Upstream "The login did not end in time.";
    LOGIN_STATUS "login_status" 503 Upstream "The login was answered with an error.";
    LOGIN_UNREADABLE "login_unreadable" 503 Upstream "The answer to the login breaks off or is too large.";
    LOGIN_NOT_JSON "login_not_json" 503 Upstream "The answer to the login is not JSON.";
    LOGIN_WITHOUT_TOKEN "login_without_token" 503 Upstream "The answer to the login has no token.";
    LOGIN_BAD_TOKEN "login_bad_token" 503 Upstream "The token in the answer to the login cannot be sent in a header.";
    LOGIN_SHORT_LIVED "login_short_lived" 503 Upstream "The token in the answer to the login has expired already.";
    LOGIN_UNMAKABLE "login_unmakable" 503 Pintle "The login call cannot be made: check the login in `policies/`.";
    LOGIN_NOT_OPENED "login_not_opened" 503 Upstream "The sealed answer to the login cannot be opened: check the account's keys.";
    NOT_SEALABLE "not_sealable" 400 Downstream "The call cannot be sealed as it is.";
    CODING_REFUSED "coding_refused" 415 Downstream "A call that is to be sealed must come without a content coding.";
    NO_KEY "no_key" 503 Pintle "No key of the account is valid now: check its `keys`.";
    OPENING_HELD_BACK "opening_held_back" 503 Upstream "Too many replies of this account could not be opened: check its `keys`. Nothing is sent for now.";
    CIRCUIT_OPEN "circuit_open" 503 Upstream "The platform fails most calls: nothing is sent for now.";
    OPEN_FAILED "open_failed" 502 Upstream "The sealed reply cannot be opened: the log says why.";
    REPLY_TOO_LARGE "reply_too_large" 502 Upstream "The sealed reply is larger than `sealed_bytes_max`.";
    UPSTREAM_CROWDED "upstream_crowded" 503 Pintle "Too many calls wait for the platform: try again soon.";
    UPSTREAM_UNRESOLVED "upstream_unresolved" 502 Upstream "The platform's host name cannot be resolved.";
    UPSTREAM_UNREACHABLE "upstream_unreachable" 502 Upstream "The platform does not take connections.";
    UPSTREAM_CONNECT_TIMEOUT "upstream_connect_timeout" 504 Upstream "Connecting to the platform took too long.";
    UPSTREAM_TLS "upstream_tls" 502 Upstream "The TLS handshake with the platform failed.";
    UPSTREAM_NONSENSE "upstream_nonsense" 502 Upstream "What the platform answered is not HTTP.";
    UPSTREAM_BROKEN "upstream_broken" 502 Upstream "The platform closed the connection without a whole reply.";
    UPSTREAM_TIMEOUT "upstream_timeout" 504 Upstream "The platform did not answer in time.";
    NOTHING_HERE "nothing_here" 404 Downstream "There is nothing here.";
    PUSH_REFUSED "push_refused" 403 Downstream "The push is refused.";
    SENDER_HELD_BACK "sender_held_back" 429 Downstream "Too many pushes of this sender were refused: wait.";
    PUSH_MALFORMED "push_malformed" 400 Downstream "The push cannot be read.";
    PUSH_CONFLICT "push_conflict" 409 Downstream "A push with the same key and another body came before.";
    STEP_FAILED "step_failed" 502 Upstream "A step of the route failed: send the push again later.";
    STORE_UNAVAILABLE "store_unavailable" 503 Pintle "The push cannot be stored now: send it again later.";
    STORE_CROWDED "store_crowded" 503 Pintle "Too many pushes wait to be stored: send it again soon.";
    INTERNAL "internal" 500 Pintle "The gateway failed: its log says why.";
}

/// Finds a failure's row. Exhaustive, so that a new failure does not compile without one.
pub(super) fn describe(failure: &Failure) -> &'static Description {
    match failure {
        Failure::Framing(FramingFault::HeadTooLong | FramingFault::TooManyHeaders) => {
            &HEAD_TOO_LARGE
        }
        Failure::Framing(FramingFault::TargetTooLong) => &TARGET_TOO_LONG,
        Failure::Framing(_) => &BAD_FRAMING,
        Failure::Target(_) => &BAD_TARGET,
        Failure::Method { .. } => &METHOD_NOT_SERVED,
        Failure::Host => &HOST_REFUSED,
        Failure::Origin => &ORIGIN_REFUSED,
        Failure::Credentials => &CREDENTIALS_REFUSED,
        Failure::Control { .. } => &BAD_CONTROL,
        Failure::OverQuota(_) | Failure::PushOverQuota(_) => &OVER_QUOTA,
        Failure::Expectation => &EXPECTATION_FAILED,
        Failure::Overloaded => &OVERLOADED,
        Failure::Draining => &DRAINING,
        Failure::Body(fault) | Failure::Upstream(SendFailure::Body(fault)) => sent_body(fault),
        Failure::Account => &ACCOUNT_UNKNOWN,
        Failure::Operation => &OPERATION_UNKNOWN,
        Failure::OtherMethod { .. } => &METHOD_NOT_ALLOWED,
        Failure::NoPath { .. } => &PATH_UNKNOWN,
        Failure::Reserved { .. } => &OPERATION_RESERVED,
        Failure::Unlisted => &PATH_REFUSED,
        Failure::NoUpstream { .. } => &UPSTREAM_NOT_SET,
        Failure::NotCached => &NOT_CACHED,
        Failure::Token(NoToken::Timeout) => &LOGIN_TIMEOUT,
        Failure::Token(NoToken::LoginFailed { failure, .. }) => login(failure),
        Failure::Unfit(Unfit::Coded) => &CODING_REFUSED,
        Failure::Unfit(_) => &NOT_SEALABLE,
        Failure::Seal(failure) => seal(*failure),
        Failure::HeldBack { .. } => &OPENING_HELD_BACK,
        Failure::CircuitOpen { .. } => &CIRCUIT_OPEN,
        Failure::Open(_) => &OPEN_FAILED,
        Failure::Upstream(failure) => upstream(failure),
        Failure::Reply(BodyFault::Idle { .. }) => &UPSTREAM_TIMEOUT,
        Failure::Reply(BodyFault::TooLarge { .. }) => &REPLY_TOO_LARGE,
        Failure::Reply(_) => &UPSTREAM_BROKEN,
        Failure::NoHook => &NOTHING_HERE,
        Failure::NotProven(_) => &PUSH_REFUSED,
        Failure::SenderHeldBack { .. } => &SENDER_HELD_BACK,
        Failure::Malformed(_) => &PUSH_MALFORMED,
        Failure::PushConflict => &PUSH_CONFLICT,
        Failure::Step => &STEP_FAILED,
        Failure::Store(StoreFailure::Crowded) => &STORE_CROWDED,
        Failure::Store(_) => &STORE_UNAVAILABLE,
        Failure::Internal => &INTERNAL,
    }
}

fn sent_body(fault: &BodyFault) -> &'static Description {
    match fault {
        BodyFault::TooLarge { .. } => &BODY_TOO_LARGE,
        BodyFault::Idle { .. } => &BODY_TIMEOUT,
        BodyFault::Framing(_) => &BAD_FRAMING,
        BodyFault::Broken(_) => &BODY_BROKEN,
    }
}

fn seal(failure: SealFailure) -> &'static Description {
    match failure {
        SealFailure::TrailingZero | SealFailure::NotJson => &NOT_SEALABLE,
        SealFailure::NoKey => &NO_KEY,
        SealFailure::NoRandom => &INTERNAL,
    }
}

fn login(failure: &LoginFailure) -> &'static Description {
    match failure {
        LoginFailure::Unreachable(_) => &LOGIN_UNREACHABLE,
        LoginFailure::Timeout => &LOGIN_TIMEOUT,
        LoginFailure::Refused { .. } => &LOGIN_REFUSED,
        LoginFailure::Status { .. } => &LOGIN_STATUS,
        LoginFailure::Unreadable(_) => &LOGIN_UNREADABLE,
        LoginFailure::NotJson(_) => &LOGIN_NOT_JSON,
        LoginFailure::NoToken => &LOGIN_WITHOUT_TOKEN,
        LoginFailure::BadToken => &LOGIN_BAD_TOKEN,
        LoginFailure::ShortLived => &LOGIN_SHORT_LIVED,
        LoginFailure::Unopened(_) => &LOGIN_NOT_OPENED,
        LoginFailure::Unsealed(failure) => seal(*failure),
        LoginFailure::Unmakable(_) => &LOGIN_UNMAKABLE,
    }
}

fn upstream(failure: &SendFailure) -> &'static Description {
    match failure {
        SendFailure::Target => &BAD_TARGET,
        SendFailure::Crowded | SendFailure::NoPlace => &UPSTREAM_CROWDED,
        SendFailure::Resolve(_) => &UPSTREAM_UNRESOLVED,
        SendFailure::Connect(_) => &UPSTREAM_UNREACHABLE,
        SendFailure::ConnectTimeout => &UPSTREAM_CONNECT_TIMEOUT,
        SendFailure::Tls(_) => &UPSTREAM_TLS,
        SendFailure::Handshake(_) | SendFailure::Nonsense(_) | SendFailure::Upgraded => {
            &UPSTREAM_NONSENSE
        }
        SendFailure::ClosedUnsent | SendFailure::Broken(_) => &UPSTREAM_BROKEN,
        SendFailure::Timeout => &UPSTREAM_TIMEOUT,
        SendFailure::Body(fault) => sent_body(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_every_status_an_error() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!((400..600).contains(&row.status), "{}", row.code);
            assert!(row.title.ends_with('.'), "{}", row.code);
            assert!(
                !TABLE[..at].iter().any(|other| other.code == row.code),
                "{}",
                row.code
            );
        }
    }
}
