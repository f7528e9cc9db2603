//! What HTTP alone asks of a cache: unsafe methods make invalid, a 304 confirms, HEAD tells.

use std::sync::Arc;

use ::http::header::{CONTENT_LENGTH, CONTENT_LOCATION, ETAG, LAST_MODIFIED, LOCATION};
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, Response, StatusCode, Uri};

use super::super::Outbound;
use super::super::find::Destination;
use super::job::{Fetch, Job, begun, land, verdict};
use super::keep::Moment;
use super::{Asked, Caches, Landing};
use crate::cache::{Entry, Forward, Key, Told, semantics};
use crate::error::Failure;
use crate::message::Body;
use crate::telemetry::{Record, Stage};
use crate::upstream::BaseUrl;

/// Forwards a call that the cache is of no use for. One that may change something makes invalid
/// what is kept of its target (RFC 9111, section 4.4).
pub(super) async fn forward(
    outbound: &Arc<Outbound>,
    caches: &Arc<Caches>,
    asked: &mut Asked<'_>,
    (why, record): (Forward, &mut Record),
) -> Result<(Response<Body>, Told), Failure> {
    let mut reply = asked.fetch(outbound, record).await?;
    let Asked {
        destination, head, ..
    } = &*asked;
    let may_change = why == Forward::Method && !head.method.is_safe();
    let is_done = reply.status().is_success() || reply.status().is_redirection();
    if may_change && is_done {
        let base = destination.way.upstream.base();
        let target = &head.uri;
        let named = [LOCATION, CONTENT_LOCATION]
            .into_iter()
            .filter_map(|name| reply.headers().get(name)?.to_str().ok())
            .filter_map(|reference| of_same_origin(base, target, reference));
        for uri in std::iter::once(target.clone()).chain(named) {
            caches.cache.invalidate(&key(outbound, destination, &uri));
        }
    }
    let told = why.told();
    told.write(reply.headers_mut());
    Ok((reply, told))
}

/// The key of a target: one for GET and HEAD.
pub(super) fn key(outbound: &Outbound, destination: &Destination<'_>, target: &Uri) -> Key {
    let mut key = begun(outbound, destination);
    key.part(
        target
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .as_bytes(),
    );
    key.build()
}

/// The target below the base that a reference of a reply names, if it is one of the same origin.
fn of_same_origin(base: &BaseUrl, target: &Uri, reference: &str) -> Option<Uri> {
    let path = if let Some(rest) = reference.strip_prefix(&base.origin()) {
        rest.to_owned()
    } else if reference.starts_with('/') && !reference.starts_with("//") {
        reference.to_owned()
    } else if reference.contains(':') || reference.starts_with("//") {
        return None;
    } else {
        let folder = target
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        format!("{}{folder}/{reference}", base.prefix())
    };
    let below = path.strip_prefix(base.prefix())?;
    let below = below.split('#').next().unwrap_or_default();
    Uri::try_from(if below.is_empty() { "/" } else { below }).ok()
}

/// What is kept was confirmed: it is kept anew with the fields of the 304, and answers.
pub(super) fn confirmed(
    job: &Job,
    (head, confirmation): (&Parts, &Response<Body>),
    moment: &Moment,
    mut fetch: Fetch,
    (stale, record): (&Entry, &mut Record),
) -> (Response<Body>, Told) {
    let now_ms = moment.1;
    let entry = freshened(job, stale, confirmation.headers(), moment);
    let told = Told::Forward {
        why: fetch.why,
        status: Some(StatusCode::NOT_MODIFIED.as_u16()),
        stored: entry.is_ok(),
        collapsed: false,
    };
    let entry = entry.unwrap_or_else(|entry| entry);
    record.verdict = verdict(&entry.headers);
    let reply = entry.answer((&head.method, &head.headers), now_ms, told);
    land(&mut fetch, Landing::Brought(entry));
    record.timing.mark(Stage::Reply);
    (reply, told)
}

/// An entry with the fields of what confirmed it, kept; or as an error, where it may not be kept
/// any longer.
fn freshened(
    job: &Job,
    stale: &Entry,
    fresh: &HeaderMap,
    moment: &Moment,
) -> Result<Arc<Entry>, Arc<Entry>> {
    let (_, now_ms, ticket) = moment;
    let mut reply = Response::new(Body::Empty);
    *reply.status_mut() = stale.status;
    *reply.headers_mut() = semantics::freshen(&stale.headers, fresh);
    semantics::date(reply.headers_mut(), *now_ms);
    let life = job.life(&reply, moment);
    let headers = Entry::headers_of(
        reply.headers(),
        &semantics::fields_left_out(reply.headers()),
    );
    let entry = Arc::new(Entry {
        headers,
        life: life.unwrap_or(stale.life),
        ..stale.clone()
    });
    if life.is_none() {
        return Err(entry);
    }
    job.caches.cache.keep(&job.key, ticket, Arc::clone(&entry));
    Ok(entry)
}

/// A reply to HEAD tells whether what is kept of GET still holds (RFC 9111, section 4.3.5).
pub(super) fn headed(
    job: &Job,
    (head, mut reply): (&Parts, Response<Body>),
    moment: &Moment,
    fetch: &Fetch,
) -> (Response<Body>, Told) {
    let kept = job.caches.cache.get(&job.key);
    let kept = kept
        .as_deref()
        .and_then(|group| group.select(&head.headers));
    if let Some(kept) = kept.filter(|kept| kept.status == reply.status()) {
        let fresh = reply.headers();
        let same_len = fresh.get(CONTENT_LENGTH).is_none_or(|len| {
            len.to_str().ok().and_then(|len| len.parse().ok()) == Some(kept.body.len())
        });
        let same = |name: &HeaderName| {
            fresh
                .get(name)
                .is_none_or(|tag| Some(tag) == kept.headers.get(name))
        };
        if same_len && same(&ETAG) && same(&LAST_MODIFIED) {
            let _kept_or_not = freshened(job, kept, fresh, moment);
        } else {
            job.caches.cache.invalidate(&job.key);
        }
    }
    let told = fetch.why.told();
    told.write(reply.headers_mut());
    (reply, told)
}
