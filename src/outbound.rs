//! The outbound path: a plain call of an internal application becomes a call of the platform.
//!
//! [`Outbound::call`] is the whole path; read it from top to bottom. Its steps carry the names of
//! [`crate::telemetry::STAGES`], as `docs/life-of-a-call.md` does.
//!
//! Absent here: any body that nothing has to read.

mod account;
mod attempts;
mod cached;
mod find;
mod guard;
mod open;
mod pace;
mod prepare;
mod repeat;
mod reply;
mod seal;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response};
use tokio::time::Instant;

pub use account::{Account, AccountHealth, AccountOptions, OtherOptions};
pub use cached::Caches;

use crate::clock::Clock;
use crate::error::Failure;
use crate::limit::Quotas;
use crate::message::{Body, Peer, header};
use crate::outbound::attempts::Prepared;
use crate::outbound::cached::Asked;
use crate::outbound::find::Destination;
use crate::outbound::repeat::Repeatable;
use crate::policy::Policies;
use crate::route::Catalogue;
use crate::telemetry::{Record, Stage};

/// A call that came through the front door, with its record.
pub struct Call {
    /// What was asked.
    pub request: Request<Body>,
    /// Who asked.
    pub peer: Peer,
    /// What is known of it so far.
    pub record: Box<Record>,
}

/// The end of a call: the answer or why there is none, and the record.
pub struct Answer {
    /// The platform's reply, or why there is none.
    pub outcome: Result<Response<Body>, Failure>,
    /// What became known on the way.
    pub record: Box<Record>,
}

/// A call on its way to its answer, as every service of calls gives it.
pub type Calling = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// What a caller's own credentials lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// They are taken out of the call.
    Drop,
    /// The call is refused.
    Refuse,
    /// They go on where the family has no login; else they are taken out.
    Pass,
}

/// The limits of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Token, connection and head of the reply must come within this time.
    pub deadline: Duration,
    /// The largest body that is kept to repeat a call with a new token, in bytes.
    pub repeat_bytes_max: usize,
    /// The largest body that is sealed or opened, in bytes.
    pub sealed_bytes_max: usize,
    /// The largest reply that is held to read the platform's verdict, in bytes.
    pub verdict_bytes_max: usize,
}

/// Everything that the outbound path needs: accounts, catalogue, policies, limits.
pub struct Outbound {
    /// The accounts by name.
    pub accounts: BTreeMap<String, Arc<Account>>,
    /// The account of calls that name none.
    pub default_account: String,
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// The policies.
    pub policies: Arc<Policies>,
    /// What a caller's own credentials lead to.
    pub credentials: Credentials,
    /// What is kept of replies; `None` where nothing is.
    pub caches: Option<Arc<Caches>>,
    /// The limits.
    pub limits: Limits,
    /// The rates at work.
    pub quotas: Arc<Quotas>,
    /// The wall clock, for keys that are valid for a time.
    pub clock: Clock,
}

impl Outbound {
    /// Carries one call to the platform and its reply back.
    pub async fn call(
        self: &Arc<Self>,
        request: Request<Body>,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let (mut head, body) = request.into_parts();

        // find: before anything is changed, so that a refusal names what the caller wrote.
        let destination = self.find(&head, record)?;
        record.timing.mark(Stage::Find);

        // prepare: hop-by-hop and private headers go before ours come, or a caller could name
        // ours in `Connection` and have them removed.
        let Destination { family, way, .. } = &destination;
        prepare::clean(&mut head.headers, self.credentials, family)?;
        prepare::dress(&mut head, family, way.headers, &record.id);
        let written = std::mem::replace(&mut head.uri, destination.target.clone());
        record.timing.mark(Stage::Prepare);

        // cache: before anything is spent on the call, since a reply that is kept needs neither a
        // seal nor a token. Where none is, the call goes on with `fetch`.
        let mut asked = Asked {
            destination,
            written,
            head,
            body,
        };
        cached::answer(self, &mut asked, record).await
    }

    /// Carries a call that no kept reply answers to the platform and its reply back.
    async fn fetch(
        &self,
        destination: &Destination<'_>,
        (head, body): (&mut Parts, Body),
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        // pace: before any work is done for it, and before its body is taken, which then waits where
        // it is.
        let paced = self.pace(destination, head, record).await?;
        record.timing.mark(Stage::Pace);
        let Destination {
            account, family, ..
        } = destination;

        // seal: once for all attempts, and before the length is told, which is that of the sealed
        // body. Nothing goes out as long as what comes back could not be opened.
        let body = match &destination.sealer {
            None => body,
            Some(sealer) => {
                if let Some(retry_in) = account.open_failures().wait() {
                    return Err(Failure::HeldBack { retry_in });
                }
                let means = (&self.limits, self.clock.now());
                let body = seal::seal(sealer, head, body, means).await?;
                record.timing.mark(Stage::Seal);
                body
            }
        };
        prepare::describe(head, family, &body);

        // One deadline for everything up to the head of the reply: waiting for a token and being
        // sent a second time must not add up to more than the caller was promised. It begins here
        // because the time in which a body comes is the caller's own.
        let mut prepared = Prepared {
            account,
            family,
            way: destination.way,
            sealer: destination.sealer,
            head,
            body: Repeatable::new(body, self.limits.repeat_bytes_max),
            deadline: Instant::now() + paced.left,
            effect: destination.effect,
            tries: 0,
            sent: 0,
        };
        // token, connect, send, open, verdict: as often as is safe and promises something.
        let judged = self.attempts(&mut prepared, &paced, record).await?;

        // reply: the platform's status, headers and body, less what belongs to its connection.
        let mut reply = judged.into_reply(record);
        pace::tell(&paced.admitted, reply.headers_mut());
        record.timing.mark(Stage::Reply);
        Ok(reply)
    }

    /// How each account is doing.
    pub fn health(&self) -> Vec<AccountHealth> {
        self.accounts
            .values()
            .map(|account| account.health())
            .collect()
    }
}

/// A future on the heap, made where it stays: `Box::pin` would make it on the stack and move it, and
/// those of a path are of some kilobytes.
pub(crate) fn placed<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let place = Box::new_uninit();
    Box::into_pin(Box::write(place, make()))
}

/// Who calls: by the name that it gives itself, else by its address.
fn caller(request: &Request<Body>, peer: &Peer) -> Option<Arc<str>> {
    let named = request.headers().get(header::CALLER);
    let named = named.and_then(|value| value.to_str().ok()).map(str::trim);
    let named = named.filter(|name| !name.is_empty() && name.len() <= CALLER_BYTES_MAX);
    named.map(Arc::from).or_else(|| peer.shown.clone())
}

const CALLER_BYTES_MAX: usize = 64;

/// [`Outbound`] as a service for the listener. It is always ready: what cannot be taken is
/// answered with a failure.
#[derive(Clone)]
pub struct Service(pub Arc<arc_swap::ArcSwap<Outbound>>);

impl tower::Service<Call> for Service {
    type Response = Answer;
    type Error = Infallible;
    type Future = Calling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        // The configuration of the moment stays with the call to its end, whatever is reloaded.
        let outbound = self.0.load_full();
        placed(|| async move {
            let Call {
                request,
                peer,
                mut record,
            } = call;
            record.caller = caller(&request, &peer);
            let outcome = outbound.call(request, &mut record).await;
            Ok(Answer { outcome, record })
        })
    }
}
