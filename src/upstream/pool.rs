//! The connections of one upstream.
//!
//! HTTP/1.1: the connection that was given back last is used first. HTTP/2: the connection with
//! the fewest calls, and another one when all are busy. A place (a permit) is held from before
//! the dialling to the end of the reply's body, so `calls_max` bounds calls and connections.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

use super::dial::{Connection, Dialer};
use super::exclusive::{Exclusive, rejected};
use super::outgoing::Outgoing;
use super::{Limits, Options, Protocol, Purpose, Rejected, SendFailure};

type Http2 = http2::SendRequest<Outgoing>;

/// The connections of one upstream.
pub(super) struct Pool {
    dialer: Dialer,
    limits: Limits,
    http2_wanted: bool,
    plain_http2: bool,
    places: Arc<Semaphore>,
    /// Kept for logins.
    login_places: Arc<Semaphore>,
    waiting: AtomicUsize,
    state: Mutex<State>,
    /// Held while the first connection tells whether HTTP/2 is spoken, and while one is added.
    dialling: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    /// The oldest first.
    idle: VecDeque<(Exclusive, Instant)>,
    shared: Vec<Arc<Shared>>,
    /// ALPN said HTTP/1.1: no use in waiting for a connection to share.
    speaks_http1: bool,
    /// The task that looks after idle connections.
    caretaker: Option<AbortHandle>,
}

impl State {
    /// Closes the connections that have idled for too long.
    fn forget_old(&mut self, idle: Duration) {
        while self
            .idle
            .front()
            .is_some_and(|(_, since)| since.elapsed() >= idle)
        {
            self.idle.pop_front();
        }
    }
}

/// An HTTP/2 connection.
struct Shared {
    sender: Http2,
    calls: AtomicUsize,
}

/// A connection for one call.
pub(super) struct Lease {
    pool: Arc<Pool>,
    link: Link,
    reused: bool,
    _place: OwnedSemaphorePermit,
}

enum Link {
    Http1(Exclusive),
    Http2(Arc<Shared>),
    Spent,
}

impl Pool {
    pub(super) fn new(options: Options, tasks: TaskTracker) -> Self {
        let Options {
            base,
            protocol,
            tls,
            limits,
        } = options;
        Self {
            http2_wanted: protocol != Protocol::Http1
                && (base.is_tls() || protocol == Protocol::Http2),
            plain_http2: protocol == Protocol::Http2 && !base.is_tls(),
            dialer: Dialer::new(base.host(), base.port(), base.is_tls().then_some(&tls)),
            places: Arc::new(Semaphore::new(limits.calls_max)),
            login_places: Arc::new(Semaphore::new(LOGIN_PLACES)),
            waiting: AtomicUsize::new(0),
            state: Mutex::default(),
            dialling: tokio::sync::Mutex::new(()),
            limits,
            tasks,
        }
    }

    /// A connection for one call: an idle one, a shared one, or a new one.
    pub(super) async fn lease(
        self: &Arc<Self>,
        deadline: Instant,
        purpose: Purpose,
    ) -> Result<Lease, SendFailure> {
        let place = self.place(deadline, purpose).await?;
        if let Some(link) = self.free() {
            return Ok(self.leased(link, true, place));
        }
        if self.http2_wanted && !self.lock().speaks_http1 {
            // One at a time, so that a burst of first calls shares a connection instead of each
            // opening its own.
            let dialling = timeout_at(deadline, self.dialling.lock())
                .await
                .map_err(|_| SendFailure::ConnectTimeout)?;
            if let Some(link) = self.free() {
                return Ok(self.leased(link, true, place));
            }
            if !self.lock().speaks_http1 {
                let link = self.dial(deadline).await?;
                drop(dialling);
                return Ok(self.leased(link, false, place));
            }
            // The first of the burst met HTTP/1.1: each now needs its own.
        }
        let link = self.dial(deadline).await?;
        Ok(self.leased(link, false, place))
    }

    async fn place(
        &self,
        deadline: Instant,
        purpose: Purpose,
    ) -> Result<OwnedSemaphorePermit, SendFailure> {
        let places = match purpose {
            Purpose::Call => &self.places,
            Purpose::Login => &self.login_places,
        };
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::enter(&self.waiting, self.limits.waiting_max)?;
        timeout_at(deadline, Arc::clone(places).acquire_owned())
            .await
            .map_err(|_| SendFailure::NoPlace)?
            .map_err(|_| SendFailure::NoPlace)
    }

    fn leased(self: &Arc<Self>, link: Link, reused: bool, place: OwnedSemaphorePermit) -> Lease {
        if let Link::Http2(shared) = &link {
            shared.calls.fetch_add(1, Ordering::Relaxed);
        }
        Lease {
            pool: Arc::clone(self),
            link,
            reused,
            _place: place,
        }
    }

    /// An open connection that can take a call now.
    fn free(&self) -> Option<Link> {
        let mut state = self.lock();
        state.forget_old(self.limits.idle);
        while let Some((exclusive, _)) = state.idle.pop_back() {
            if exclusive.is_open() {
                return Some(Link::Http1(exclusive));
            }
        }
        state.shared.retain(|shared| !shared.sender.is_closed());
        let full = state.shared.len() >= self.limits.http2_connections_max;
        state
            .shared
            .iter()
            .min_by_key(|shared| shared.calls.load(Ordering::Relaxed))
            .filter(|shared| {
                full || shared.calls.load(Ordering::Relaxed) < self.limits.http2_streams_max
            })
            .map(|shared| Link::Http2(Arc::clone(shared)))
    }

    async fn dial(&self, deadline: Instant) -> Result<Link, SendFailure> {
        let connect_by = deadline.min(Instant::now() + self.limits.connect);
        let connection = self.dialer.dial(connect_by).await?;
        if connection.agreed_http2() || self.plain_http2 {
            return self.shake_http2(connection).await;
        }
        self.lock().speaks_http1 = true;
        Ok(Link::Http1(Exclusive::new(connection).await?))
    }

    async fn shake_http2(&self, connection: Connection) -> Result<Link, SendFailure> {
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.idle)
            .keep_alive_timeout(self.limits.connect)
            .handshake(TokioIo::new(connection))
            .await
            .map_err(|error| SendFailure::Handshake(Arc::new(error)))?;
        self.tasks.spawn(drive(driver));
        let shared = Arc::new(Shared {
            sender,
            calls: AtomicUsize::new(0),
        });
        let mut state = self.lock();
        state.speaks_http1 = false;
        state.shared.push(Arc::clone(&shared));
        Ok(Link::Http2(shared))
    }

    /// Keeps a connection for the next call.
    fn keep(self: &Arc<Self>, exclusive: Exclusive) {
        let mut state = self.lock();
        state.forget_old(self.limits.idle);
        state.idle.push_back((exclusive, Instant::now()));
        if state.caretaker.is_none() {
            let task = look_after(Arc::downgrade(self), self.limits.idle);
            state.caretaker = Some(self.tasks.spawn(task).abort_handle());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(caretaker) = self.lock().caretaker.take() {
            caretaker.abort();
        }
    }
}

/// Drives a connection to its end. How it ended is told by the call that it carried.
async fn drive(driver: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = driver.await {
        tracing::debug!(%error, "an upstream connection ended");
    }
}

impl Lease {
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.link, Link::Http2(_))
    }

    pub(super) fn was_reused(&self) -> bool {
        self.reused
    }

    /// Puts a request on the connection and waits for the head of the reply.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Rejected> {
        match &mut self.link {
            Link::Http1(exclusive) => exclusive.send(request).await,
            Link::Http2(shared) => {
                let mut sender = shared.sender.clone();
                if sender.ready().await.is_err() {
                    return Err(Rejected::Unsent(Box::new(request)));
                }
                let sent = sender.try_send_request(request).await;
                sent.map_err(rejected)
            }
            Link::Spent => Err(Rejected::Unsent(Box::new(request))),
        }
    }

    /// The next piece of the reply's body.
    pub(super) fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut self.link {
            Link::Http1(exclusive) => exclusive.poll_frame(incoming, cx),
            Link::Http2(_) | Link::Spent => Pin::new(incoming).poll_frame(cx),
        }
    }

    /// Gives the connection back after the whole reply was read. One whose request is still being
    /// sent is closed instead.
    pub(super) fn give_back(mut self, request_finished: bool) {
        if !request_finished {
            return;
        }
        match std::mem::replace(&mut self.link, Link::Spent) {
            Link::Http1(exclusive) => {
                if exclusive.is_open() {
                    self.pool.keep(exclusive);
                }
            }
            link => self.link = link,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One of HTTP/1.1 that is not given back is closed: its exchange is not over.
        if let Link::Http2(shared) = &self.link {
            shared.calls.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Closes idle connections that are over or too old, for ever: nobody else looks at them before they
/// are wanted.
async fn look_after(pool: Weak<Pool>, idle: Duration) {
    let pause = (idle / 4).clamp(LOOK_AFTER_MIN, LOOK_AFTER_MAX);
    loop {
        sleep(pause).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut state = pool.lock();
        state.forget_old(idle);
        state.idle.retain_mut(|(exclusive, _)| exclusive.look());
    }
}

/// One call that waits for a place; counted while it lives.
struct Waiting<'c>(&'c AtomicUsize);

impl<'c> Waiting<'c> {
    fn enter(count: &'c AtomicUsize, max: usize) -> Result<Self, SendFailure> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= max {
            Err(SendFailure::Crowded)
        } else {
            Ok(waiting)
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How often idle connections are looked at.
const LOOK_AFTER_MIN: Duration = Duration::from_millis(50);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(1);
/// Places that are kept for logins.
const LOGIN_PLACES: usize = 2;
