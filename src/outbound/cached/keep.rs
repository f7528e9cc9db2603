//! A reply kept while it passes: it is streamed on at once, and a copy grows beside it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::request::Parts;
use ::http::{HeaderMap, Response, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::Landing;
use super::job::{Fetch, Job, Mode, land};
use crate::cache::{Entry, Lead, Life, Ticket, Told, Vary, Wanted, semantics};
use crate::clock::UnixMs;
use crate::message::{Body, BodyFault};

/// When a call was sent, when its reply came, and what keeps out what is no longer good.
pub(super) type Moment = (UnixMs, UnixMs, Ticket);

/// Keeps a reply to a GET, or to whatever a policy names, if it may be kept.
pub(super) fn keep(
    job: &Job,
    (head, mut reply): (&Parts, Response<Body>),
    moment: &Moment,
    mut fetch: Fetch,
) -> (Response<Body>, Told) {
    let (_, born_ms, ticket) = moment;
    let born_ms = *born_ms;
    let max = job.caches.cache.options().entry_bytes_max;
    let fits = reply
        .body()
        .exact_len()
        .is_none_or(|len| usize::try_from(len).is_ok_and(|len| len <= max));
    let vary = job.vary(&head.headers, reply.headers());
    let life = job.life(&reply, moment).filter(|_| fits && vary.is_some());
    // By a policy those who wait get also what is not kept: it is the answer to their call.
    let is_shared = matches!(job.mode, Mode::Policy(_)) && fetch.lead.is_some() && fits;
    let told = Told::Forward {
        why: fetch.why,
        status: None,
        stored: life.is_some(),
        collapsed: false,
    };
    if life.is_none() && !is_shared {
        if matches!(job.mode, Mode::Http { .. }) && fetch.lead.is_some() {
            job.caches.cache.pass(&job.key, ticket, born_ms + PASS_MS);
        }
        land(&mut fetch, Landing::Passed);
        told.write(reply.headers_mut());
        return (reply, told);
    }
    semantics::date(reply.headers_mut(), born_ms);
    let keeping = Keeping {
        job: job.clone(),
        ticket: ticket.clone(),
        status: reply.status(),
        headers: kept_headers(job, reply.headers()),
        vary: vary.unwrap_or_default(),
        is_kept: life.is_some(),
        life: life.unwrap_or_else(|| nothing(born_ms)),
        lead: fetch.lead.take(),
        wanted: fetch.wanted.take(),
    };
    told.write(reply.headers_mut());
    (reply.map(|body| keeping.beside(body, max)), told)
}

fn kept_headers(job: &Job, headers: &HeaderMap) -> HeaderMap {
    match job.mode {
        Mode::Policy(_) => Entry::headers_of(headers, &[]),
        Mode::Http { .. } => Entry::headers_of(headers, &semantics::fields_left_out(headers)),
    }
}

/// The life of what is handed to those who wait, and not kept.
fn nothing(born_ms: UnixMs) -> Life {
    Life {
        born_ms,
        age_ms: 0,
        fresh_until_ms: born_ms,
        revalidate_until_ms: born_ms,
        error_until_ms: born_ms,
        silence_until_ms: born_ms,
        is_strict: true,
    }
}

/// All of an entry but its body.
struct Keeping {
    job: Job,
    ticket: Ticket,
    status: StatusCode,
    headers: HeaderMap,
    vary: Vary,
    life: Life,
    is_kept: bool,
    lead: Option<Lead<Landing>>,
    wanted: Option<Wanted>,
}

impl Keeping {
    /// The body to send on, beside which the copy grows.
    fn beside(self, body: Body, bytes_max: usize) -> Body {
        match body {
            Body::Empty => {
                self.end(Bytes::new());
                Body::Empty
            }
            Body::Held(bytes) => {
                self.end(bytes.clone());
                Body::Held(bytes)
            }
            body @ Body::Stream(_) => Body::stream(Copying {
                len: body.exact_len(),
                body,
                copy: BytesMut::new(),
                bytes_max,
                keeping: Some(self),
            }),
        }
    }

    /// The body is whole.
    fn end(self, body: Bytes) {
        let entry = Arc::new(Entry {
            owner: self.job.owner.clone(),
            status: self.status,
            headers: self.headers,
            body,
            vary: self.vary,
            life: self.life,
        });
        if self.is_kept {
            let cache = &self.job.caches.cache;
            cache.keep(&self.job.key, &self.ticket, Arc::clone(&entry));
            self.job.share(self.wanted, &entry);
        }
        if let Some(lead) = self.lead {
            lead.land(Landing::Brought(entry));
        }
    }

    /// The body is too large.
    fn pass(self) {
        if let Some(lead) = self.lead {
            lead.land(Landing::Passed);
        }
    }
}

/// A stream that leaves a copy of what passes.
struct Copying {
    body: Body,
    /// The announced length.
    len: Option<u64>,
    copy: BytesMut,
    bytes_max: usize,
    /// Gone when the copy is whole or lost.
    keeping: Option<Keeping>,
}

impl Copying {
    fn note(&mut self, data: &Bytes) {
        if self.keeping.is_none() {
            return;
        }
        if self.copy.len().saturating_add(data.len()) > self.bytes_max {
            self.copy = BytesMut::new();
            if let Some(keeping) = self.keeping.take() {
                keeping.pass();
            }
            return;
        }
        self.copy.extend_from_slice(data);
        // A connection that knows the length does not ask for the end.
        let len = u64::try_from(self.copy.len()).ok();
        if self.len.is_some() && self.len == len || self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(keeping) = self.keeping.take() {
            // A copy of its own size: what grew may be twice as large.
            keeping.end(Bytes::copy_from_slice(&self.copy));
            self.copy = BytesMut::new();
        }
    }
}

impl http_body::Body for Copying {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.end(),
            // Those who wait are freed, and one of them fetches it again.
            Poll::Ready(Some(Err(_))) => self.keeping = None,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.note(data);
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads a body to its end, for what happens on the way.
pub(super) async fn drain(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// A body that breaks off at once, as the one that it stands for did.
pub(super) fn broken(fault: BodyFault) -> Body {
    let frames = futures_util::stream::iter([Err(fault)]);
    Body::stream(http_body_util::StreamBody::new(frames))
}

/// That a reply cannot be kept is remembered so long, in milliseconds.
const PASS_MS: i64 = 10_000;
