//! What is to be kept for a call, under which key and by which rules, and the fetch for it.

use std::sync::Arc;

use ::http::header::{CACHE_CONTROL, IF_RANGE};
use ::http::request::Parts;
use ::http::{HeaderMap, Method, Response, StatusCode};

use super::super::Outbound;
use super::super::find::Destination;
use super::{Asked, Caches, Landing, http, keep};
use crate::cache::{
    self, Builder, Directives, Entry, Forward, Group, Key, Lead, Life, Owner, Told, Use, Vary,
    Wanted, Wish, semantics,
};
use crate::clock::UnixMs;
use crate::crypto::Vault;
use crate::error::Failure;
use crate::message::{Body, header};
use crate::policy::{Caching, Said};
use crate::telemetry::Record;

/// By which rules a reply is kept.
#[derive(Clone)]
pub(in super::super) enum Mode {
    /// By those of a policy.
    Policy(Arc<Caching>),
    /// By those of HTTP.
    Http {
        /// Whether the call goes out with credentials.
        is_authorized: bool,
    },
}

/// What is to be kept for a call.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) caches: Arc<Caches>,
    pub(super) key: Key,
    pub(super) owner: Owner,
    pub(super) wish: Wish,
    pub(super) mode: Mode,
    /// What seals it for the others of a fleet.
    pub(super) vault: Option<Arc<Vault>>,
}

/// A fetch that is about to begin.
pub(super) struct Fetch {
    pub(super) why: Forward,
    /// What is kept and must be confirmed, or may stand in for an error.
    pub(super) stale: Option<Arc<Entry>>,
    /// Who waits for what it brings.
    pub(super) lead: Option<Lead<Landing>>,
    /// Its place in what a fleet keeps.
    pub(super) wanted: Option<Wanted>,
}

impl Job {
    /// The job of a call, or why it is only forwarded.
    pub(super) async fn new(
        outbound: &Outbound,
        caches: &Arc<Caches>,
        (mode, wish): (Mode, Wish),
        asked: &mut Asked<'_>,
        record: &Record,
    ) -> Result<Self, Forward> {
        let Asked {
            destination,
            head,
            body,
            ..
        } = asked;
        let is_http = matches!(mode, Mode::Http { .. });
        if is_http && !matches!(head.method, Method::GET | Method::HEAD) {
            return Err(Forward::Method);
        }
        if wish.no_store || cache::is_for_origin(&head.headers) || is_http && !body.is_empty() {
            return Err(Forward::Bypass);
        }
        let operation = record.operation.as_deref().unwrap_or_default();
        let key = match &mode {
            Mode::Http { .. } => http::key(outbound, destination, &head.uri),
            Mode::Policy(_) if cache::is_conditional(&head.headers) => {
                return Err(Forward::Bypass);
            }
            Mode::Policy(policy) => {
                let mut key = begun(outbound, destination);
                key.part(operation.as_bytes());
                key.part(head.method.as_str().as_bytes());
                key.part(head.uri.path().as_bytes());
                let bytes = held(body, outbound.limits.repeat_bytes_max).await;
                let parts = (head.uri.query(), &head.headers, bytes?);
                key.listed(policy, parts).ok_or(Forward::Bypass)?;
                key.build()
            }
        };
        Ok(Self {
            caches: Arc::clone(caches),
            key,
            owner: Owner {
                account: destination.account.name().into(),
                operation: operation.into(),
            },
            wish,
            vault: match mode {
                Mode::Policy(_) => destination.account.vault().map(Arc::clone),
                Mode::Http { .. } => None,
            },
            mode,
        })
    }

    /// Whether calls that want the same make one fetch.
    pub(super) fn collapses(&self, head: &Parts, found: Option<&Group>, now_ms: UnixMs) -> bool {
        self.wish.shares()
            && head.method != Method::HEAD
            && !found.is_some_and(|group| group.passes(now_ms))
            && match self.mode {
                Mode::Policy(_) => true,
                Mode::Http { .. } => !cache::is_conditional(&head.headers),
            }
    }

    /// The key of the fetch: where variants are known, it is that of one of them.
    pub(super) fn flight(&self, headers: &HeaderMap, found: Option<&Group>) -> Key {
        match found.and_then(|group| group.entries().first()) {
            Some(entry) => self.key.varied(&entry.vary, headers),
            None => self.key.clone(),
        }
    }

    /// Whether what another fetched answers a call too. By a policy it always does, also where it
    /// is not kept: the key says that the two are the same.
    pub(super) fn takes(&self, entry: &Arc<Entry>, headers: &HeaderMap, now_ms: UnixMs) -> bool {
        match self.mode {
            Mode::Policy(_) => true,
            Mode::Http { .. } => {
                entry.vary.fits(headers) && matches!(self.wish.of(entry, now_ms), Use::Fresh(_))
            }
        }
    }

    /// A fresh reply that another process of the fleet has kept; it is kept here too.
    pub(super) async fn of_fleet(&self, fetch: &mut Fetch, now_ms: UnixMs) -> Option<Arc<Entry>> {
        let (shared, vault) = (self.caches.shared.as_ref()?, self.vault.as_ref()?);
        let ticket = self.caches.cache.ticket(&self.key);
        let (wanted, entry) = shared.get(&self.key, vault, &self.owner).await?;
        fetch.wanted = Some(wanted);
        let entry = Arc::new(entry?);
        if !matches!(self.wish.of(&entry, now_ms), Use::Fresh(_)) {
            return None;
        }
        let cache = &self.caches.cache;
        cache.keep(&self.key, &ticket, Arc::clone(&entry));
        Some(entry)
    }

    /// Keeps a reply for the others of a fleet.
    pub(super) fn share(&self, wanted: Option<Wanted>, entry: &Arc<Entry>) {
        let (Some(wanted), Some(vault)) = (wanted, self.vault.clone()) else {
            return;
        };
        let (caches, entry) = (Arc::clone(&self.caches), Arc::clone(entry));
        self.caches.tasks.spawn(async move {
            if let Some(shared) = &caches.shared {
                shared
                    .put(&wanted, &vault, &entry, entry.life.born_ms)
                    .await;
            }
        });
    }

    /// Fetches, keeps what may be kept, and lets a stale reply stand in where it may.
    pub(super) async fn fetch(
        &self,
        outbound: &Outbound,
        (destination, head, body): (&Destination<'_>, &Parts, Body),
        mut fetch: Fetch,
        record: &mut Record,
    ) -> Result<(Response<Body>, Told), Failure> {
        let cache = &self.caches.cache;
        let ticket = cache.ticket(&self.key);
        let asked_ms = outbound.clock.now_ms();
        let mut sent = head.clone();
        let asks = self.asks_whether(head, fetch.stale.as_deref(), &mut sent.headers);
        let outcome = outbound.fetch(destination, (&mut sent, body), record);
        let outcome = outcome.await;
        let now_ms = outbound.clock.now_ms();
        let bears = |until: fn(&Life) -> UnixMs| {
            let stale = fetch.stale.as_ref().filter(|_| self.wish.bears_stale());
            stale.filter(|entry| now_ms < until(&entry.life)).cloned()
        };
        let reply = match outcome {
            Err(failure) => {
                let silent = failure.status().is_server_error();
                if let Some(entry) = bears(|life| life.silence_until_ms).filter(|_| silent) {
                    return Ok(self.stand_in(outbound, (entry, head), fetch, record));
                }
                land(&mut fetch, Landing::Failed(failure.clone()));
                return Err(failure);
            }
            Ok(reply) => reply,
        };
        if self.is_error(&reply)
            && let Some(entry) = bears(|life| life.error_until_ms)
        {
            return Ok(self.stand_in(outbound, (entry, head), fetch, record));
        }
        let moment = &(asked_ms, now_ms, ticket);
        if asks && reply.status() == StatusCode::NOT_MODIFIED {
            let kept = fetch.stale.take();
            if let Some(kept) =
                kept.filter(|kept| semantics::confirms(&kept.headers, reply.headers()))
            {
                let told = (head, &reply);
                return Ok(http::confirmed(self, told, moment, fetch, (&kept, record)));
            }
            // It confirms something else than what we have: once more, without asking.
            let mut sent = head.clone();
            let plain = outbound.fetch(destination, (&mut sent, Body::Empty), record);
            let reply = plain.await?;
            return Ok(keep::keep(self, (head, reply), moment, fetch));
        }
        if head.method == Method::HEAD {
            return Ok(http::headed(self, (head, reply), moment, &fetch));
        }
        Ok(keep::keep(self, (head, reply), moment, fetch))
    }

    /// Asks the origin whether what is kept still holds, where that can be asked.
    fn asks_whether(&self, head: &Parts, kept: Option<&Entry>, sent: &mut HeaderMap) -> bool {
        let is_get = head.method == Method::GET && !head.headers.contains_key(IF_RANGE);
        let kept = kept.filter(|kept| kept.has_validator());
        let Some(kept) = kept.filter(|_| is_get && matches!(self.mode, Mode::Http { .. })) else {
            return false;
        };
        cache::ask_whether(kept, sent);
        true
    }

    /// A stale reply in the place of an error.
    fn stand_in(
        &self,
        outbound: &Outbound,
        (entry, head): (Arc<Entry>, &Parts),
        mut fetch: Fetch,
        record: &mut Record,
    ) -> (Response<Body>, Told) {
        tracing::warn!(
            operation = &*self.owner.operation,
            account = &*self.owner.account,
            "a stale reply stands in for an error"
        );
        let answer = super::hit(outbound, &entry, head, record);
        land(&mut fetch, Landing::Brought(entry));
        answer
    }

    /// Whether a reply is an error that a stale one may stand in for (RFC 5861, section 4), or
    /// nonsense where the platform's envelope should be.
    fn is_error(&self, reply: &Response<Body>) -> bool {
        let unclear = Some(Said::Unclear.as_str());
        matches!(reply.status().as_u16(), 500 | 502 | 503 | 504)
            || matches!(self.mode, Mode::Policy(_)) && verdict(reply.headers()) == unclear
    }

    /// How long a reply may be kept; `None` where it may not.
    pub(super) fn life(
        &self,
        reply: &Response<Body>,
        (asked_ms, born_ms, _): &keep::Moment,
    ) -> Option<Life> {
        let said = verdict(reply.headers());
        match &self.mode {
            Mode::Policy(policy) => {
                let is_yes = said == Some(Said::Yes.as_str());
                let directives = Directives::read(reply.headers(), &CACHE_CONTROL);
                let may = is_yes && !directives.has("no-store");
                may.then(|| by_policy(policy, *born_ms))
            }
            Mode::Http { is_authorized } => {
                // A no with a good status is one that only its envelope tells.
                let is_no = reply.status().is_success()
                    && [Said::No, Said::Unclear]
                        .map(|said| Some(said.as_str()))
                        .contains(&said);
                let judged = semantics::Judged {
                    status: reply.status(),
                    headers: reply.headers(),
                    is_authorized: *is_authorized,
                    asked_ms: *asked_ms,
                    born_ms: *born_ms,
                };
                semantics::life(&judged).filter(|_| !is_no)
            }
        }
    }

    /// What the call said in the fields that a reply's `Vary` names; `None` where that keeps it out.
    pub(super) fn vary(&self, call: &HeaderMap, reply: &HeaderMap) -> Option<Vary> {
        let vary = Vary::note(reply, call)?;
        match &self.mode {
            Mode::Http { .. } => Some(vary),
            // The key has no default: what the reply depends on must be in it.
            Mode::Policy(policy) => {
                let listed = |name| policy.key.contains(&crate::policy::KeyPart::Header(name));
                let all = vary.names().all(|name| listed(name.clone()));
                all.then(Vary::default)
            }
        }
    }
}

impl Fetch {
    /// A fetch for what was found, or not.
    pub(super) fn new(found: Option<&Group>, usable: Use<'_>, wish: &Wish) -> Self {
        let (why, stale) = match usable {
            Use::Stale(entry) if wish.no_cache => (Forward::Request, Some(Arc::clone(entry))),
            Use::Stale(entry) => (Forward::Stale, Some(Arc::clone(entry))),
            _ if found.is_some_and(|group| !group.entries().is_empty()) => {
                (Forward::VaryMiss, None)
            }
            _ => (Forward::Miss, None),
        };
        Self {
            why,
            stale,
            lead: None,
            wanted: None,
        }
    }
}

/// A key that has the policies, the account and the upstream.
pub(super) fn begun(outbound: &Outbound, destination: &Destination<'_>) -> Builder {
    let account = destination.account;
    let mut key = Builder::new(&outbound.policies.digest, account.name(), account.serial());
    let base = destination.way.upstream.base();
    key.part(&[u8::from(base.is_tls())]);
    key.part(base.host().as_bytes());
    key.part(&base.port().to_be_bytes());
    key.part(base.prefix().as_bytes());
    key
}

/// Tells everyone who waits.
pub(super) fn land(fetch: &mut Fetch, landing: Landing) {
    if let Some(lead) = fetch.lead.take() {
        lead.land(landing);
    }
}

/// What the family's rule made of a reply.
pub(super) fn verdict(headers: &HeaderMap) -> Option<&'static str> {
    let written = headers.get(header::VERDICT)?.to_str().ok()?;
    let all = [Said::Yes, Said::No, Said::Unclear, Said::Unread].map(Said::as_str);
    all.into_iter().find(|said| *said == written)
}

fn by_policy(policy: &Caching, born_ms: UnixMs) -> Life {
    let ms =
        |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
    let fresh_until_ms = born_ms + ms(policy.lifetime);
    let error_until_ms = fresh_until_ms + ms(policy.stale_if_error);
    Life {
        born_ms,
        age_ms: 0,
        fresh_until_ms,
        revalidate_until_ms: fresh_until_ms + ms(policy.stale_while_revalidate),
        error_until_ms,
        silence_until_ms: error_until_ms,
        is_strict: false,
    }
}

/// The bytes of a body, which is held from then on.
async fn held(body: &mut Body, bytes_max: usize) -> Result<&[u8], Forward> {
    if let Body::Stream(_) = body {
        let stream = std::mem::replace(body, Body::Empty);
        match stream.read_up_to(bytes_max).await {
            Ok((bytes, Body::Empty)) => *body = Body::held(bytes),
            Ok((bytes, rest)) => {
                *body = rest.with_prefix(bytes);
                return Err(Forward::Bypass);
            }
            Err(fault) => {
                *body = keep::broken(fault);
                return Err(Forward::Bypass);
            }
        }
    }
    match body {
        Body::Held(bytes) => Ok(bytes),
        Body::Empty | Body::Stream(_) => Ok(&[]),
    }
}
