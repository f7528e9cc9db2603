//! The operations that the sandbox offers, as one closed list of self-describing routes.

use std::fmt;

use http::{Method, StatusCode};

use crate::sandbox::login::{self, Entry};
use crate::sandbox::reply::{Answer, Ask, Family, Outcome, Refusal, Reply};
use crate::sandbox::state::State;
use crate::sandbox::{callcenter, cloud, workflow};

/// One operation.
pub(super) struct Route {
    /// HTTP method.
    pub(super) method: &'static str,
    /// Path, matched whole.
    pub(super) path: &'static str,
    /// What it does, for the index.
    pub(super) about: &'static str,
    /// How surely the real path is known.
    pub(super) known: Known,
    /// Envelope.
    pub(super) family: Family,
    /// Whom it lets in.
    pub(super) entry: Entry,
    /// Whether the body is counted and thrown away while it comes.
    pub(super) sink: bool,
    /// The operation itself.
    pub(super) answer: fn(&mut State, &Ask<'_>) -> Outcome,
}

/// How surely the path of an operation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It stands in the documentation of the platform.
    Documented,
    /// A client that runs against the real platform uses it.
    Observed,
    /// Plainly a guess of ours; the operation exists, its path is not known.
    Assumed,
    /// The sandbox made it up; the platform has nothing like it.
    Invented,
}

impl fmt::Display for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Known::Documented => "documented",
            Known::Observed => "observed",
            Known::Assumed => "assumed",
            Known::Invented => "invented",
        })
    }
}

impl Route {
    /// Carries the operation out.
    pub(super) fn run(&self, state: &mut State, ask: &Ask<'_>) -> Reply {
        let outcome = self
            .entry
            .check(state, ask.headers)
            .and_then(|()| (self.answer)(state, ask));
        match outcome {
            Ok(Answer::Data(payload)) => Reply::json(StatusCode::OK, &self.family.wrap(payload)),
            Ok(Answer::Reply(reply)) => reply,
            Err(refusal) => self.family.refuse(&refusal),
        }
    }
}

/// Every route, family by family.
pub(super) fn all() -> impl Iterator<Item = &'static Route> {
    [
        login::ROUTES,
        cloud::ROUTES,
        workflow::ROUTES,
        callcenter::ROUTES,
    ]
    .into_iter()
    .flatten()
}

/// The route of a request; else the refusal that says what is wrong with it.
pub(super) fn find(method: &Method, path: &str) -> Result<&'static Route, Refusal> {
    let mut status = StatusCode::NOT_FOUND;
    for route in all().filter(|route| route.path == path) {
        if route.method == method.as_str() {
            return Ok(route);
        }
        status = StatusCode::METHOD_NOT_ALLOWED;
    }
    Err(match status {
        StatusCode::METHOD_NOT_ALLOWED => Refusal::http(status, "the method is not allowed"),
        _ => Refusal::http(status, "there is nothing under this path; see GET /sandbox"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_routes_are_the_same() {
        let mut seen = HashSet::new();
        for route in all() {
            assert!(
                seen.insert((route.method, route.path)),
                "{} twice",
                route.path
            );
        }
    }

    #[test]
    fn a_wrong_method_and_an_unknown_path_are_told_apart() {
        let status = |method, path| find(&method, path).err().unwrap().status;
        assert_eq!(
            status(Method::GET, "/service/cloud/auth"),
            StatusCode::METHOD_NOT_ALLOWED
        );
        assert_eq!(status(Method::GET, "/nowhere"), StatusCode::NOT_FOUND);
    }
}
