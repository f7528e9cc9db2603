//! A call answered by a reply that is kept, or its reply kept for the next.
//!
//! One path for both modes: look, lead or wait, fetch, keep. Where they differ, [`Mode`] says so;
//! what is HTTP's alone stands in [`http`].

mod http;
mod job;
mod keep;

use std::sync::Arc;

use ::http::request::Parts;
use ::http::{Response, Uri};
use bytes::Bytes;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

use super::account::Way;
use super::find::Destination;
use super::{Outbound, placed};
use crate::cache::{
    self, Boarding, Cache, Entry, Flights, Forward, Group, Shared, Told, Use, Wish,
};
use crate::error::Failure;
use crate::message::{Body, RequestId, header};
use crate::outbound::cached::job::{Fetch, Job, Mode};
use crate::policy::{Family, FamilyLogin, Sealer};
use crate::route::Entry as Operation;
use crate::store::Redis;
use crate::telemetry::{Record, Stage};
use crate::upstream::SendFailure;

/// What is kept, and the fetches for it that are under way.
pub struct Caches {
    /// What is kept.
    pub cache: Cache,
    flights: Flights<Landing>,
    /// What a fleet keeps together.
    shared: Option<Shared>,
    /// Owns the fetches that nobody waits for.
    tasks: TaskTracker,
}

/// What a fetch brought for those who waited.
#[derive(Clone)]
enum Landing {
    /// A reply that answers them too.
    Brought(Arc<Entry>),
    /// No reply.
    Failed(Failure),
    /// A reply that is for its caller alone.
    Passed,
}

/// How the replies of a call are kept.
#[derive(Clone)]
pub(super) enum Caching {
    Not,
    By(Mode),
}

/// A call that is prepared.
pub(super) struct Asked<'o> {
    pub(super) destination: Destination<'o>,
    /// The URI as the caller wrote it.
    pub(super) written: Uri,
    pub(super) head: Parts,
    pub(super) body: Body,
}

impl Asked<'_> {
    /// Has it fetched as it stands.
    async fn fetch(
        &mut self,
        outbound: &Outbound,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let body = std::mem::replace(&mut self.body, Body::Empty);
        let sent = (&mut self.head, body);
        outbound.fetch(&self.destination, sent, record).await
    }
}

impl Caches {
    /// Empty ones, in memory, and in the Redis of a fleet.
    pub fn new(options: cache::Options, redis: Option<&Arc<Redis>>, tasks: TaskTracker) -> Self {
        Self {
            cache: Cache::in_memory(options),
            flights: Flights::new(),
            shared: redis.map(|redis| Shared::new(Arc::clone(redis))),
            tasks,
        }
    }
}

impl Caches {
    /// Drops every entry of an operation, an account, or both, tells how many there were here, and
    /// has the others of a fleet drop all of theirs.
    pub async fn purge(&self, operation: Option<&str>, account: Option<&str>) -> u64 {
        if let Some(shared) = &self.shared {
            shared.void().await;
        }
        self.cache.purge(operation, account)
    }

    /// Drops everything when another process of the fleet has dropped something, for ever.
    pub async fn follow(&self) {
        let Some(shared) = &self.shared else {
            return;
        };
        loop {
            if shared.is_changed().await {
                self.cache.purge(None, None);
            }
            tokio::time::sleep(FOLLOWED_EVERY).await;
        }
    }
}

/// How soon what one process drops is dropped by the others.
const FOLLOWED_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

impl Outbound {
    /// How the replies of a call are kept: by the policy of its operation, or else by HTTP where
    /// the upstream speaks of caching and nothing is sealed.
    pub(super) fn caching(
        &self,
        head: &Parts,
        operation: Option<&Operation>,
        (family, way, sealer): (&Family, &Way<'_>, &Option<Sealer<'_>>),
    ) -> Caching {
        if self.caches.is_none() {
            return Caching::Not;
        }
        let has_own = header::has_credentials(&head.headers);
        if let Some(policy) = operation.and_then(|operation| operation.cache.as_ref()) {
            // No key of a policy tells one caller's credentials from another's.
            let passes_own = has_own && matches!(family.login, FamilyLogin::None);
            return if passes_own {
                Caching::Not
            } else {
                Caching::By(Mode::Policy(Arc::clone(policy)))
            };
        }
        if !way.http_cache || sealer.is_some() {
            return Caching::Not;
        }
        let has_token = !matches!(family.login, FamilyLogin::None);
        Caching::By(Mode::Http {
            is_authorized: has_own || has_token || !way.headers.is_empty(),
        })
    }
}

/// Answers a call, from what is kept or by a fetch.
pub(super) async fn answer(
    outbound: &Arc<Outbound>,
    asked: &mut Asked<'_>,
    record: &mut Record,
) -> Result<Response<Body>, Failure> {
    let caching = std::mem::replace(&mut asked.destination.caching, Caching::Not);
    let (Some(caches), Caching::By(mode)) = (&outbound.caches, caching) else {
        return asked.fetch(outbound, record).await;
    };
    let wish = Wish::read(&asked.head.headers);
    let job = Job::new(outbound, caches, (mode, wish), asked, record).await;
    record.timing.mark(Stage::Cache);
    let outcome = match job {
        Err(why) => placed(|| http::forward(outbound, caches, asked, (why, record))).await,
        Ok(job) => match at_hand(outbound, &job, asked, record) {
            Some(answer) => Ok(answer),
            None => placed(|| look(outbound, &job, asked, record)).await,
        },
    };
    outcome.map(|(reply, told)| {
        caches.cache.count(&told);
        record.cache = Some(told.as_str());
        reply
    })
}

/// A kept reply that answers as it stands, which most do.
fn at_hand(
    outbound: &Outbound,
    job: &Job,
    asked: &Asked<'_>,
    record: &mut Record,
) -> Option<(Response<Body>, Told)> {
    let found = job.caches.cache.get(&job.key)?;
    let now_ms = outbound.clock.now_ms();
    match found.answer(&asked.head.headers, &job.wish, now_ms) {
        Use::Fresh(entry) => Some(hit(outbound, entry, &asked.head, record)),
        _ => None,
    }
}

/// Looks for a kept reply, or has one fetched; or waits for the one that is being fetched.
async fn look(
    outbound: &Arc<Outbound>,
    job: &Job,
    asked: &mut Asked<'_>,
    record: &mut Record,
) -> Result<(Response<Body>, Told), Failure> {
    let deadline = asked.destination.turn.deadline;
    let cache = &job.caches.cache;
    loop {
        let headers = &asked.head.headers;
        let now_ms = outbound.clock.now_ms();
        let found = cache.get(&job.key);
        let found = found.as_deref();
        let usable = found.map_or(Use::Nothing, |group| {
            group.answer(headers, &job.wish, now_ms)
        });
        if let Use::Meanwhile(_) = usable {
            refresh(outbound, job, asked, found);
        }
        if let Use::Fresh(entry) | Use::Allowed(entry) | Use::Meanwhile(entry) = usable {
            return Ok(hit(outbound, entry, &asked.head, record));
        }
        if job.wish.only_if_cached {
            return Err(Failure::NotCached);
        }
        let mut fetch = Fetch::new(found, usable, &job.wish);
        if job.collapses(&asked.head, found, now_ms) {
            match job.caches.flights.board(&job.flight(headers, found)) {
                Boarding::Lead(lead) => {
                    // The fetch of another may have landed after we looked.
                    let again = cache.get(&job.key);
                    if !same(found, again.as_deref()) {
                        continue;
                    }
                    fetch.lead = Some(lead);
                    if let Some(entry) = job.of_fleet(&mut fetch, now_ms).await {
                        let answer = hit(outbound, &entry, &asked.head, record);
                        job::land(&mut fetch, Landing::Brought(entry));
                        return Ok(answer);
                    }
                }
                Boarding::Wait(waiter) => match timeout_at(deadline, waiter.landed()).await {
                    Err(_) => return Err(Failure::Upstream(SendFailure::Timeout)),
                    Ok(None) => continue,
                    Ok(Some(Landing::Failed(failure))) => return Err(failure),
                    Ok(Some(Landing::Brought(entry))) if job.takes(&entry, headers, now_ms) => {
                        return Ok(shared(outbound, &entry, (&asked.head, fetch.why), record));
                    }
                    Ok(Some(_)) => {}
                },
            }
        }
        let body = std::mem::replace(&mut asked.body, Body::Empty);
        let sent = (&asked.destination, &asked.head, body);
        return job.fetch(outbound, sent, fetch, record).await;
    }
}

fn same(one: Option<&Group>, two: Option<&Group>) -> bool {
    match (one, two) {
        (None, None) => true,
        (Some(one), Some(two)) => std::ptr::eq(one, two),
        _ => false,
    }
}

/// The answer that an entry gives.
fn hit(
    outbound: &Outbound,
    entry: &Entry,
    head: &Parts,
    record: &mut Record,
) -> (Response<Body>, Told) {
    let now_ms = outbound.clock.now_ms();
    let told = Told::Hit {
        ttl_s: (entry.life.fresh_until_ms - now_ms).div_euclid(1000),
    };
    given(entry, head, (now_ms, told), record)
}

/// The answer to a call that waited for the fetch of another.
fn shared(
    outbound: &Outbound,
    entry: &Entry,
    (head, why): (&Parts, Forward),
    record: &mut Record,
) -> (Response<Body>, Told) {
    let told = Told::Forward {
        why,
        status: None,
        stored: false,
        collapsed: true,
    };
    given(entry, head, (outbound.clock.now_ms(), told), record)
}

fn given(
    entry: &Entry,
    head: &Parts,
    (now_ms, told): (i64, Told),
    record: &mut Record,
) -> (Response<Body>, Told) {
    record.verdict = job::verdict(&entry.headers);
    let reply = entry.answer((&head.method, &head.headers), now_ms, told);
    record.timing.mark(Stage::Reply);
    (reply, told)
}

/// Has a stale reply fetched anew while it answers, unless that is under way.
fn refresh(outbound: &Arc<Outbound>, job: &Job, asked: &Asked<'_>, found: Option<&Group>) {
    let headers = &asked.head.headers;
    let Some(lead) = job.caches.flights.try_lead(&job.flight(headers, found)) else {
        return;
    };
    let mut fetch = Fetch::new(found, Use::Nothing, &job.wish);
    fetch.stale = found
        .and_then(|group| group.select(headers))
        .map(Arc::clone);
    fetch.lead = Some(lead);
    let body = match &asked.body {
        Body::Held(bytes) => bytes.clone(),
        Body::Empty | Body::Stream(_) => Bytes::new(),
    };
    let mut head = asked.head.clone();
    // Whoever called has its answer already.
    head.extensions.clear();
    let account = asked.destination.account.name().to_owned();
    let (outbound, job, written) = (Arc::clone(outbound), job.clone(), asked.written.clone());
    let tasks = job.caches.tasks.clone();
    tasks.spawn(async move {
        let path = written.path().into();
        let mut record = Record::new("refresh", RequestId::fresh(), head.method.clone(), path);
        let Ok(destination) = outbound.find_again(&mut head, (written, &account), &mut record)
        else {
            return;
        };
        let sent = (&destination, &head, Body::held(body));
        if let Some(entry) = job.of_fleet(&mut fetch, outbound.clock.now_ms()).await {
            job::land(&mut fetch, Landing::Brought(entry));
            return;
        }
        let fetched = job.fetch(&outbound, sent, fetch, &mut record);
        match fetched.await {
            // What is kept is kept when it is whole.
            Ok((reply, told)) => {
                record.status = Some(reply.status().as_u16());
                record.cache = Some(told.as_str());
                keep::drain(reply.into_body()).await;
            }
            Err(failure) => {
                record.failure = Some(failure.description().code);
                record.cause = Some(crate::telemetry::chain(&failure));
            }
        }
    });
}

impl Outbound {
    /// Finds where a prepared call goes, by what its caller wrote.
    fn find_again(
        &self,
        head: &mut Parts,
        (written, account): (Uri, &str),
        record: &mut Record,
    ) -> Result<Destination<'_>, Failure> {
        let prepared = std::mem::replace(&mut head.uri, written);
        if let Ok(account) = account.parse() {
            head.headers.insert(header::ACCOUNT, account);
        }
        let found = self.find(head, record);
        head.headers.remove(header::ACCOUNT);
        head.headers.insert(header::REQUEST_ID, record.id.header());
        head.uri = prepared;
        found
    }
}
