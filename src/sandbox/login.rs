//! The logins, and the check of the token that they hand out.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::sandbox::reply::{Answer, Ask, Family, Outcome, Refusal, Reply};
use crate::sandbox::route::{Known, Route};
use crate::sandbox::state::{Product, State};

/// Whom a route lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// Everyone.
    Open,
    /// `Authorization: Token <token>` of the cloud login.
    Token,
    /// The same, or `Authorization: Bearer <token>`: the documentation says `Token`, a client that
    /// runs against the real platform sends `Bearer` to workflow and SMS.
    TokenOrBearer,
    /// `Authorization: Token <token>` of the dialer's login.
    Dialer,
}

impl Entry {
    /// Lets the request in, or says why not in the way of the family.
    pub(super) fn check(self, state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
        let (products, bearer): (&[Product], bool) = match self {
            Entry::Open => return Ok(()),
            Entry::Token => (&[Product::Cloud, Product::Generic], false),
            Entry::TokenOrBearer => (&[Product::Cloud, Product::Generic], true),
            Entry::Dialer => (&[Product::Dialer, Product::Generic], false),
        };
        let given = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| match given.split_once(' ') {
            Some(("Token", token)) => Some(token),
            Some(("Bearer", token)) if bearer => Some(token),
            _ => None,
        });
        if token.is_some_and(|token| state.admits(token, products)) {
            return Ok(());
        }
        Err(match self {
            Entry::Dialer => Refusal::business(TOKEN_INVALID, "token invalid"),
            _ => Refusal::http(
                StatusCode::UNAUTHORIZED,
                "the token is missing or not valid",
            ),
        })
    }
}

/// Whether a path is that of a login.
pub(super) fn is_login(path: &str) -> bool {
    ROUTES.iter().any(|route| route.path == path)
}

/// The logins.
pub(super) static ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/service/cloud/auth",
        about: "log in with APPKey and APPSecret, JSON or form",
        known: Known::Documented,
        family: Family::Cloud,
        entry: Entry::Open,
        sink: false,
        answer: cloud,
    },
    Route {
        method: "POST",
        path: "/service/callcenter/call/predict/auth",
        about: "log in to the dialer with APPKey and APPSecret, form",
        known: Known::Observed,
        family: Family::Callcenter,
        entry: Entry::Open,
        sink: false,
        answer: dialer,
    },
    Route {
        method: "POST",
        path: "/login",
        about: "a login of one's own: user and password, JSON; its token opens every family",
        known: Known::Invented,
        family: Family::Bare,
        entry: Entry::Open,
        sink: false,
        answer: generic,
    },
];

fn cloud(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let (key, secret) = (ask.credential("APPKey"), ask.credential("APPSecret"));
    if !state.knows(key.as_deref(), secret.as_deref()) {
        return Err(Refusal::http(
            StatusCode::UNAUTHORIZED,
            "APPKey or APPSecret is wrong",
        ));
    }
    let (token, _) = state.login(Product::Cloud, ask.token);
    Ok(Answer::Data(json!({ "token": token })))
}

fn dialer(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let (key, secret) = (ask.credential("APPKey"), ask.credential("APPSecret"));
    if !state.knows(key.as_deref(), secret.as_deref()) {
        return Err(Refusal::business(BAD_APP_KEY, "bad app key"));
    }
    let (token, _) = state.login(Product::Dialer, ask.token);
    Ok(Answer::Data(json!({ "token": token })))
}

fn generic(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let (user, password) = (ask.credential("user"), ask.credential("password"));
    if !state.knows(user.as_deref(), password.as_deref()) {
        return Err(Refusal::http(
            StatusCode::UNAUTHORIZED,
            "user or password is wrong",
        ));
    }
    let (token, life) = state.login(Product::Generic, ask.token);
    let value = json!({ "access_token": token, "expires_in": life.as_secs() });
    Ok(Answer::Reply(Reply::json(StatusCode::OK, &value)))
}

/// Codes of the dialer, from the table that one of its clients keeps.
const BAD_APP_KEY: i64 = 10_301;
const TOKEN_INVALID: i64 = 10_812;
