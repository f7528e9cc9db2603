//! The front door: what every request passes before it is a call, and every reply on its way out.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{Method, Request, Response, Version};
use http_body::{Frame, SizeHint};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{Guard, Limits, Options, abandon, gate};
use crate::error::{Failure, problem};
use crate::message::framing::FramingFault;
use crate::message::{Body, BodyFault, Peer, RequestId, header};
use crate::outbound::{Answer, Call, placed};
use crate::telemetry::{Record, Stage};

/// What stands behind a door: a service of calls that never fails.
pub trait Inner:
    tower::Service<Call, Response = Answer, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
}

impl<S> Inner for S where
    S: tower::Service<Call, Response = Answer, Error = Infallible, Future: Send + 'static>
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

    /// Takes one request through the door and brings its reply back.
    pub(super) async fn enter(&self, request: Request<Body>, peer: Peer) -> Response<Body> {
        // The id comes first: whatever happens, the caller and the log can name the call.
        let id = RequestId::accept(request.headers().get(header::REQUEST_ID));
        let path = if self.shared.is_public {
            Arc::default()
        } else {
            Arc::from(request.uri().path())
        };
        let mut record = Record::new(self.shared.name, id, request.method().clone(), path);
        let is_http2 = request.version() == Version::HTTP_2;
        let (head, body) = request.into_parts();
        if gate::refused(&head.method, head.uri.path()).is_some() {
            // What stands in for a refused head is ours; the caller's own is not known.
            record.path = Arc::default();
            record.method = Method::default();
        }

        // admit: refused before anything of the call is looked at, and before its body is read.
        let admitted = self.admit(&head, &peer);
        record.timing.mark(Stage::Admit);
        let answer = match admitted {
            Err(failure) => Answer {
                outcome: Err(failure),
                record,
            },
            Ok(place) => {
                let begun = Arc::clone(&record.begun);
                let call = Call {
                    request: Request::from_parts(head, body),
                    peer,
                    record,
                };
                let inner = self.inner.clone();
                // A call that the platform may have seen runs to its end when the downstream
                // leaves: what it does is done, and its record must say so.
                let running = async move {
                    let answer = run(inner, call).await;
                    drop(place);
                    answer
                };
                Detached::new(running, begun, self.shared.tasks.clone()).await
            }
        };
        let reply = leave(answer, self.shared.is_public);
        if !is_http2 || !matches!(reply.body(), Body::Stream(_)) {
            return reply;
        }
        let (idle, tasks) = (self.shared.limits.body_idle, &self.shared.tasks);
        reply.map(|body| abandon::watch(body, idle, tasks))
    }

    fn admit(
        &self,
        head: &Parts,
        peer: &Peer,
    ) -> Result<tokio::sync::OwnedSemaphorePermit, Failure> {
        if let Some(fault) = gate::refused(&head.method, head.uri.path()) {
            return Err(Failure::Framing(fault));
        }
        if head.version == Version::HTTP_2 {
            self.fits(head).map_err(Failure::Framing)?;
        }
        if !SERVED.contains(&head.method) {
            return Err(Failure::Method {
                allowed: SERVED.to_vec(),
            });
        }
        if let Some(guard) = &self.shared.guard {
            guard.check(head, peer)?;
        }
        if let Some(expect) = head.headers.get(EXPECT)
            && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
        {
            return Err(Failure::Expectation);
        }
        let announced = head
            .headers
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
    fn fits(&self, head: &Parts) -> Result<(), FramingFault> {
        let limits = &self.shared.limits;
        let target = head
            .uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if target > limits.target_bytes_max {
            return Err(FramingFault::TargetTooLong);
        }
        if head.headers.len() > limits.headers_max {
            return Err(FramingFault::TooManyHeaders);
        }
        let fields = head
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4);
        if fields.sum::<usize>() + target > limits.head_bytes_max {
            return Err(FramingFault::HeadTooLong);
        }
        Ok(())
    }
}

/// Runs a call; a panic ends the call, not the connection.
async fn run<I: Inner>(mut inner: I, call: Call) -> Answer {
    let (id, method, listener) = (
        call.record.id.clone(),
        call.record.method.clone(),
        call.record.listener,
    );
    let path = Arc::clone(&call.record.path);
    let outcome = AssertUnwindSafe(async move { inner.call(call).await })
        .catch_unwind()
        .await;
    match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!(id = id.as_str(), "a call panicked");
            let record = Record::new(listener, id, method, path);
            Answer {
                outcome: Err(Failure::Internal),
                record,
            }
        }
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

/// A call that goes on as a task of its own when whoever waits for it leaves, if the platform may
/// have seen something of it. Before that it ends with its caller, who may be calling again.
struct Detached {
    begun: Arc<AtomicBool>,
    running: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    tasks: TaskTracker,
}

impl Detached {
    fn new(
        running: impl Future<Output = Answer> + Send + 'static,
        begun: Arc<AtomicBool>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            begun,
            running: Some(placed(|| running)),
            tasks,
        }
    }
}

impl Future for Detached {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(running) = &mut self.running else {
            return Poll::Pending;
        };
        let answer = std::task::ready!(running.as_mut().poll(cx));
        self.running = None;
        Poll::Ready(answer)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let running = self
            .running
            .take()
            .filter(|_| self.begun.load(Ordering::Acquire));
        if let Some(running) = running {
            self.tasks.spawn(async move {
                let Answer {
                    outcome,
                    mut record,
                } = running.await;
                record.left = true;
                match outcome {
                    Ok(reply) => record.status = Some(reply.status().as_u16()),
                    Err(failure) => record.failure = Some(failure.description().code),
                }
            });
        }
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
