//! The connections of one upstream.
//!
//! HTTP/1.1: the connection that was given back last is used first. HTTP/2: the connection with
//! the fewest calls, and another one when all are busy. A place (a permit) is held from before
//! the dialling to the end of the reply's body, so `calls_max` bounds calls and connections.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::dial::{Connection, Dialer};
use super::outgoing::Outgoing;
use super::{Limits, Options, Protocol, Purpose, Rejected, SendFailure};

type Http1 = http1::SendRequest<Outgoing>;
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

/// An HTTP/1.1 connection, and the task that drives it.
struct Exclusive {
    sender: Http1,
    driver: AbortHandle,
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
            if !exclusive.sender.is_closed() {
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
        let (sender, driver) = http1::Builder::new()
            .handshake(TokioIo::new(connection))
            .await
            .map_err(|error| SendFailure::Handshake(Arc::new(error)))?;
        let driver = self.tasks.spawn(drive(driver)).abort_handle();
        Ok(Link::Http1(Exclusive { sender, driver }))
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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let outcome = match &mut self.link {
            Link::Http1(Exclusive { sender, .. }) => {
                // A connection that was given back becomes ready when its task has seen the end
                // of the last reply; that is a matter of one turn of the task.
                if sender.ready().await.is_err() {
                    return Err(Rejected::Unsent(Box::new(request)));
                }
                sender.try_send_request(request).await
            }
            Link::Http2(shared) => {
                let mut sender = shared.sender.clone();
                if sender.ready().await.is_err() {
                    return Err(Rejected::Unsent(Box::new(request)));
                }
                sender.try_send_request(request).await
            }
            Link::Spent => return Err(Rejected::Unsent(Box::new(request))),
        };
        outcome.map_err(rejected)
    }

    /// Gives the connection back after the whole reply was read. One whose request is still being
    /// sent is closed instead.
    pub(super) fn give_back(mut self, request_finished: bool) {
        let reusable =
            matches!(&self.link, Link::Http1(exclusive) if !exclusive.sender.is_closed());
        if reusable
            && request_finished
            && let Link::Http1(exclusive) = std::mem::replace(&mut self.link, Link::Spent)
        {
            let mut state = self.pool.lock();
            state.forget_old(self.pool.limits.idle);
            state.idle.push_back((exclusive, Instant::now()));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match &self.link {
            // Not given back: the exchange is not over. To drop the sender is not enough, for an
            // upload that the platform no longer reads would keep the connection.
            Link::Http1(exclusive) => exclusive.driver.abort(),
            Link::Http2(shared) => {
                shared.calls.fetch_sub(1, Ordering::Relaxed);
            }
            Link::Spent => {}
        }
    }
}

fn rejected(mut error: TrySendError<Request<Outgoing>>) -> Rejected {
    match error.take_message() {
        Some(request) => Rejected::Unsent(Box::new(request)),
        None => Rejected::Failed(SendFailure::from_hyper(error.into_error())),
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

/// Places that are kept for logins.
const LOGIN_PLACES: usize = 2;
