//! The front door: what every request passes before it is a call, and every reply on its way out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Method, Request, Response, Version};
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::running::{Detached, Running};
use super::{Guard, Limits, Options, abandon, gate};
use crate::error::{Failure, problem};
use crate::message::framing::FramingFault;
use crate::message::{Body, BodyFault, Peer, RequestId, header};
use crate::outbound::{Answer, Call, Calling};
use crate::telemetry::{Record, Stage};

/// What stands behind a door: a service of calls that never fails.
pub trait Inner:
    tower::Service<Call, Response = Answer, Error = Infallible, Future = Calling>
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
}

impl<S> Inner for S where
    S: tower::Service<Call, Response = Answer, Error = Infallible, Future = Calling>
        + Clone
        + Send
        + Sync
        + Unpin
        + 'static
{
}

/// The door of one listener. Cheap to clone.
#[derive(Clone)]
pub struct Door<I> {
    inner: I,
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    guard: Option<Guard>,
    is_public: bool,
    limits: Limits,
    calls: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl<I: Inner> Door<I> {
    /// A door in front of `inner`. `tasks` owns the calls whose downstream left.
    pub fn new(inner: I, options: &Options, tasks: TaskTracker) -> Self {
        let Options {
            name,
            guard,
            is_public,
            limits,
            ..
        } = options;
        let shared = Shared {
            name,
            guard: guard.clone(),
            is_public: *is_public,
            limits: *limits,
            calls: Arc::new(Semaphore::new(limits.calls_max)),
            tasks,
        };
        Self {
            inner,
            shared: Arc::new(shared),
        }
    }

    pub(super) fn tasks(&self) -> TaskTracker {
        self.shared.tasks.clone()
    }

    pub(super) fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Takes one request through the door. What comes back is small, since hyper moves it about.
    pub(super) fn enter(&self, request: Request<Body>, peer: Peer) -> Entered {
        // The id comes first: whatever happens, the caller and the log can name the call.
        let id = RequestId::accept(request.headers().get(header::REQUEST_ID));
        let path = if self.shared.is_public {
            Arc::default()
        } else {
            Arc::from(request.uri().path())
        };
        let mut record = Record::new(self.shared.name, id, request.method().clone(), path);
        if gate::refused(request.method(), request.uri().path()).is_some() {
            // What stands in for a refused head is ours; the caller's own is not known.
            record.path = Arc::default();
            record.method = Method::default();
        }
        let is_http2 = request.version() == Version::HTTP_2;

        // admit: refused before anything of the call is looked at, and before its body is read.
        let admitted = self.admit(&request, &peer);
        record.timing.mark(Stage::Admit);
        let way = match admitted {
            Err(failure) => Way::Refused(Some(Answer {
                outcome: Err(failure),
                record,
            })),
            Ok(place) => {
                let call = Call {
                    request,
                    peer,
                    record,
                };
                let running = Running::begin(self.inner.clone(), call, place);
                Way::Admitted(Detached::new(running, self.shared.tasks.clone()))
            }
        };
        Entered {
            way,
            shared: Arc::clone(&self.shared),
            is_http2,
        }
    }

    fn admit(&self, request: &Request<Body>, peer: &Peer) -> Result<OwnedSemaphorePermit, Failure> {
        if let Some(fault) = gate::refused(request.method(), request.uri().path()) {
            return Err(Failure::Framing(fault));
        }
        if request.version() == Version::HTTP_2 {
            self.fits(request).map_err(Failure::Framing)?;
        }
        if !SERVED.contains(request.method()) {
            return Err(Failure::Method {
                allowed: SERVED.to_vec(),
            });
        }
        if let Some(guard) = &self.shared.guard {
            guard.check(request, peer)?;
        }
        if let Some(expect) = request.headers().get(EXPECT)
            && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
        {
            return Err(Failure::Expectation);
        }
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok());
        let limit = self.shared.limits.body_bytes_max;
        if announced
            .and_then(|len| len.parse::<u64>().ok())
            .is_some_and(|len| len > limit)
        {
            return Err(Failure::Body(BodyFault::TooLarge { limit }));
        }
        Arc::clone(&self.shared.calls)
            .try_acquire_owned()
            .map_err(|_| Failure::Overloaded)
    }
}

impl<I> Door<I> {
    /// The limits that the gate holds for HTTP/1, held for HTTP/2.
    fn fits(&self, request: &Request<Body>) -> Result<(), FramingFault> {
        let (limits, headers) = (&self.shared.limits, request.headers());
        let target = request
            .uri()
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if target > limits.target_bytes_max {
            return Err(FramingFault::TargetTooLong);
        }
        if headers.len() > limits.headers_max {
            return Err(FramingFault::TooManyHeaders);
        }
        let fields = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4);
        if fields.sum::<usize>() + target > limits.head_bytes_max {
            return Err(FramingFault::HeadTooLong);
        }
        Ok(())
    }
}

/// A request that is inside, on its way to a reply.
pub(super) struct Entered {
    way: Way,
    shared: Arc<Shared>,
    is_http2: bool,
}

enum Way {
    Refused(Option<Answer>),
    Admitted(Detached),
}

impl Future for Entered {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let answer = match &mut self.way {
            Way::Refused(answer) => answer.take(),
            Way::Admitted(detached) => Some(ready!(Pin::new(detached).poll(cx))),
        };
        let Some(answer) = answer else {
            return Poll::Pending;
        };
        let Shared {
            limits,
            tasks,
            is_public,
            ..
        } = &*self.shared;
        let reply = leave(answer, *is_public);
        if !self.is_http2 || !matches!(reply.body(), Body::Stream(_)) {
            return Poll::Ready(reply);
        }
        Poll::Ready(reply.map(|body| abandon::watch(body, limits.body_idle, tasks)))
    }
}

/// The reply as it leaves: with id and stages, and the record bound to the end of its body.
fn leave(answer: Answer, is_public: bool) -> Response<Body> {
    let Answer {
        outcome,
        mut record,
    } = answer;
    let mut reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => {
            record.failure = Some(failure.description().code);
            record.cause = Some(crate::telemetry::chain(&failure));
            problem(&failure, &record.id)
        }
    };
    record.status = Some(reply.status().as_u16());
    let headers = reply.headers_mut();
    headers.insert(header::REQUEST_ID, record.id.header());
    if !is_public {
        headers.insert(header::SERVER_TIMING, record.timing.header());
    }
    if !matches!(reply.body(), Body::Stream(_)) {
        record.reply_bytes = reply.body().exact_len().unwrap_or(0);
        return reply;
    }
    reply.map(|body| {
        Body::Stream(Box::pin(Recorded {
            body,
            record,
            ended: false,
        }))
    })
}

/// A reply's body that carries the record of its call.
struct Recorded {
    body: Body,
    record: Box<Record>,
    ended: bool,
}

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.record.reply_bytes += u64::try_from(bytes).unwrap_or(0);
                self.ended = self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(fault))) => {
                self.ended = true;
                self.record.failure = Some("upstream_broken");
                self.record.cause = Some(crate::telemetry::chain(fault));
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

impl Drop for Recorded {
    fn drop(&mut self) {
        self.record.left = !self.ended;
    }
}

/// The methods that are served. `TRACE` would show the token, `CONNECT` is no call.
const SERVED: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];
