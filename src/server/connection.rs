//! One connection: which HTTP it speaks, and hyper with every limit on, while something happens (ADR 15).

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Limits;
use super::body::limit;
use super::detect::detect;
use super::door::{Door, Inner};
use super::early::Early;
use super::gate::Gate;
use super::quiet::{Pulse, Watched};
use super::stall::Stall;
use crate::message::framing::HeadLimits;
use crate::message::{Body, InterimLine, Peer};

/// Serves a connection to its end. `drain` lets it finish what is under way and then close.
pub(super) async fn serve<S, I>(stream: S, door: Door<I>, peer: Peer, drain: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    I: Inner,
{
    let limits = door.limits();
    // A peer that says nothing holds a connection; it must not hold it for ever.
    let first = tokio::select! {
        () = drain.cancelled() => return,
        first = timeout(limits.head, detect(stream)) => first,
    };
    let Ok(Ok((stream, speaks_http2))) = first else {
        return;
    };
    let stream = Stall::new(stream, limits.body_idle);
    let tasks = door.tasks();
    let (line, pulse) = (InterimLine::default(), Pulse::new());
    let (of_calls, of_replies) = (line.clone(), pulse.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let busy = of_replies.begin();
        // A caller that speaks HTTP/1.0 knows no interim replies (RFC 9110, section 15.2).
        let interim = (request.version() == Version::HTTP_11).then(|| of_calls.begin());
        if let Some(interim) = &interim {
            request.extensions_mut().insert(interim.clone());
        }
        let request = request.map(|body| limit(body, limits.body_bytes_max, limits.body_idle));
        // Outside of what is returned, which hyper moves about: there it would be held twice.
        let mut entered = door.enter(request, peer.clone());
        async move {
            let reply: Response<Body> = (&mut entered).await;
            if let Some(interim) = interim {
                interim.end();
            }
            Ok::<_, Infallible>(reply.map(|body| busy.until_end(body)))
        }
    });
    if speaks_http2 {
        let connection = http2(&limits, tasks).serve_connection(TokioIo::new(stream), service);
        finish(
            pin!(connection),
            drain,
            http2::Connection::graceful_shutdown,
        )
        .await;
    } else {
        let gate = Gate::new(Early::new(stream, line), head_limits(&limits));
        messages(Watched { gate, pulse }, service, (limits, drain)).await;
    }
}

/// Serves HTTP/1: by hyper while something happens, and without it while nothing does.
async fn messages<S, V>(
    mut stream: Watched<S>,
    mut service: V,
    (limits, drain): (Limits, CancellationToken),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: HttpService<Incoming, ResBody = Body, Error = Infallible> + Unpin,
{
    loop {
        let pulse = stream.pulse.clone();
        let connection = http1(&limits).serve_connection(TokioIo::new(stream), service);
        let Some(parts) = lively(Box::new(connection), (&drain, limits.head), &pulse).await else {
            return;
        };
        (stream, service) = (parts.io.into_inner(), parts.service);
        stream.gate.put_back(&parts.read_buf);
        drop(parts.read_buf);
        tracing::debug!("a connection is quiet");
        let rested = tokio::select! {
            () = drain.cancelled() => Ok(Ok(false)),
            rested = timeout(limits.head, poll_fn(|cx| stream.gate.poll_rest(cx))) => rested,
        };
        if !matches!(rested, Ok(Ok(true))) {
            let _whether_the_peer_knows = stream.shutdown().await;
            return;
        }
    }
}

/// Drives a connection to its end, or until it is quiet. `head` is what a head may take.
async fn lively<I, V>(
    mut connection: Box<http1::Connection<I, V>>,
    (drain, head): (&CancellationToken, Duration),
    pulse: &Pulse,
) -> Option<http1::Parts<I, V>>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    V: HttpService<Incoming, ResBody = Body, Error = Infallible> + Unpin,
{
    let outcome = tokio::select! {
        biased;
        outcome = &mut *connection => outcome,
        () = drain.cancelled() => {
            Pin::new(&mut *connection).graceful_shutdown();
            connection.await
        }
        is_quiet = watch(pulse, head) => return is_quiet.then(|| connection.into_parts()),
    };
    tell(outcome);
    None
}

/// Until nothing happens on a connection, which is `true`, or its peer takes too long for a head.
async fn watch(pulse: &Pulse, head: Duration) -> bool {
    let (tick, mut before, mut waited) = (QUIET.min(head / 4), pulse.now(), Duration::ZERO);
    loop {
        sleep(tick).await;
        let now = pulse.now();
        if now.is_at_rest && now.count == before.count {
            return true;
        }
        waited = if now.is_half_read && now.begun == before.begun {
            waited.saturating_add(tick)
        } else {
            Duration::ZERO
        };
        if waited >= head {
            tracing::debug!("a connection ended: the head of a request took too long");
            return false;
        }
        before = now;
    }
}

/// Drives a connection; asks it once to end when the listener drains.
async fn finish<C>(
    mut connection: Pin<&mut C>,
    drain: CancellationToken,
    graceful_shutdown: impl Fn(Pin<&mut C>),
) where
    C: Future<Output = hyper::Result<()>>,
{
    tell(tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = drain.cancelled() => {
            graceful_shutdown(connection.as_mut());
            connection.await
        }
    });
}

fn tell(outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Runs the streams of a connection as tasks that a drain waits for.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tracked {
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // hyper's own would be a timer for each call: `watch` sees to it.
        .header_read_timeout(None)
        .max_headers(limits.headers_max)
        // The gate's limit must be met before hyper's own.
        .max_buf_size(limits.head_bytes_max.saturating_add(BUFFER_MIN))
        .half_close(false);
    builder
}

fn http2(limits: &Limits, tasks: TaskTracker) -> http2::Builder<Tracked> {
    let mut builder = http2::Builder::new(Tracked(tasks));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams_max)
        // Wider than the limit, so that the front door meets it and can say so.
        .max_header_list_size(
            u32::try_from(limits.head_bytes_max.saturating_mul(4)).unwrap_or(u32::MAX),
        )
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.head);
    builder
}

fn head_limits(limits: &Limits) -> HeadLimits {
    HeadLimits {
        head_bytes_max: limits.head_bytes_max,
        headers_max: limits.headers_max,
        target_bytes_max: limits.target_bytes_max,
    }
}

/// hyper's smallest buffer, and room for a large body's chunk.
const BUFFER_MIN: usize = 64 * 1024;
/// Streams that a peer may open and reset before the connection is closed.
const RESET_STREAMS_MAX: usize = 64;
/// How long nothing has to happen on a connection before it is quiet, twice at most.
const QUIET: Duration = Duration::from_millis(250);
