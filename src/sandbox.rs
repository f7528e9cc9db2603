//! A local stand-in for the AI Rudder platform: a real HTTP server on a real socket.
//!
//! It speaks HTTP/1.1 and HTTP/2, with or without TLS, logs in, keeps tasks and workflows, pushes
//! callbacks, and misbehaves on demand. `GET /sandbox` describes all of it. The same seed gives the
//! same ids. Absent: any file, any memory past the process, and the wall clock but for keys.

mod body;
mod callback;
mod callcenter;
mod canned;
mod cloud;
mod control;
mod exchange;
mod fault;
mod journal;
mod login;
mod reply;
mod route;
mod seal;
mod shelf;
mod state;
mod wire;
mod workflow;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::sandbox::canned::Canned;
pub use crate::sandbox::fault::{Fault, FaultError};
pub use crate::sandbox::journal::Seen;
pub use crate::sandbox::seal::Seals;

use crate::clock::Clock;
use crate::sandbox::callback::Callbacks;
use crate::sandbox::fault::Faults;
use crate::sandbox::journal::Journal;
use crate::sandbox::state::State;
use crate::sandbox::wire::{Line, Stream, Wire};

/// What a sandbox is started with.
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Seed of every id and token.
    pub seed: u64,
    /// The one `APPKey` that logs in; also the `user` of `POST /login`.
    pub app_key: String,
    /// Its `APPSecret`; also the `password` of `POST /login`.
    pub app_secret: String,
    /// How long a token lives after the last login.
    pub token_life: Duration,
    /// How long a callback that was not taken waits for its next attempt.
    pub callback_retry: Duration,
    /// TLS, where it is wanted; its ALPN list should name `h2` and `http/1.1`.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Sealing, where it is wanted.
    pub seals: Option<Seals>,
}

impl Options {
    /// The documented sandbox: key `sandbox-key`, secret `sandbox-secret`, tokens that live 24
    /// hours, callbacks tried every 60 seconds, seed 1, no TLS.
    pub fn local(listen: SocketAddr) -> Self {
        Options {
            listen,
            seed: 1,
            app_key: "sandbox-key".to_owned(),
            app_secret: "sandbox-secret".to_owned(),
            token_life: Duration::from_hours(24),
            callback_retry: Duration::from_mins(1),
            tls: None,
            seals: None,
        }
    }
}

/// A running stand-in platform; it ends when it is dropped.
#[must_use = "the sandbox ends when it is dropped"]
pub struct Sandbox {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Sandbox {
    /// Binds the address and starts to answer.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Sandbox> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(&options)),
            journal: Mutex::new(Journal::new()),
            faults: Mutex::new(Faults::new()),
            callbacks: Mutex::new(Callbacks::new()),
            canned: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            clock: Clock::system(),
            options,
        });
        let accepting = accept(Arc::clone(&shared), listener);
        shared
            .tasks
            .spawn(shared.shutdown.clone().run_until_cancelled_owned(accepting));
        Ok(Sandbox { shared, address })
    }

    /// The address it listens on, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, `http` or `https` as the case may be, without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.shared.options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The last 1000 requests, oldest first, without those for `/sandbox`.
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.shared.journal).seen()
    }

    /// How many logins were granted. One that a fault answered is not; [`Sandbox::seen`] has it.
    pub fn logins(&self) -> u64 {
        locked(&self.shared.state).logins()
    }

    /// Voids every token that was handed out.
    pub fn revoke_tokens(&self) {
        locked(&self.shared.state).revoke();
    }

    /// Sets a fault for the requests to come, after those that were set before.
    pub fn set_fault(&self, fault: Fault) {
        locked(&self.shared.faults).set(fault);
    }

    /// Takes every fault back.
    pub fn clear_faults(&self) {
        locked(&self.shared.faults).clear();
    }

    /// Writes the next answer to a path, or to the step of a route, beforehand.
    pub fn answer(&self, of: &str, canned: Canned) {
        locked(&self.shared.canned).put(of, canned);
    }

    /// From now on answers only what was written beforehand, and logins.
    pub fn answer_nothing_else(&self) {
        let mut canned = locked(&self.shared.canned);
        canned.clear();
        canned.is_only = true;
    }

    /// Forgets what was asked so far.
    pub fn forget_seen(&self) {
        locked(&self.shared.journal).clear();
    }

    /// Drops every connection, request under way or not, and frees the address.
    pub async fn stop(self) {
        self.shared.shutdown.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.shutdown.cancel();
    }
}

/// What all connections share. Each lock is held for a few lines, none across a wait or another.
struct Shared {
    options: Options,
    state: Mutex<State>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    callbacks: Mutex<Callbacks>,
    canned: Mutex<canned::Shelf>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    clock: Clock,
}

/// Locks; a thread that panicked in a test has not made the value unusable.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut serial = 0_u64;
    loop {
        // Room first: past the limit, callers wait in the backlog of the socket.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((socket, _)) = listener.accept().await else {
            // Out of files, most likely; a pause keeps the loop from spinning until some close.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        serial = serial.saturating_add(1);
        let wire = Arc::new(Wire::new(serial, &shared.shutdown));
        let ended = wire.ended.clone();
        let serving = serve(Arc::clone(&shared), wire, socket, permit);
        shared.tasks.spawn(ended.run_until_cancelled_owned(serving));
    }
}

async fn serve(
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    socket: TcpStream,
    _permit: OwnedSemaphorePermit,
) {
    // Only latency is at stake; a socket that refuses the option still works.
    socket.set_nodelay(true).ok();
    let stream = match shared.options.tls.clone() {
        None => Stream::Plain(socket),
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls).accept(socket);
            let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, handshake).await else {
                return;
            };
            Stream::Tls(Box::new(stream))
        }
    };
    let line = TokioIo::new(Line::new(stream, Arc::clone(&wire)));
    let streams = Streams {
        tasks: shared.tasks.clone(),
        ended: wire.ended.clone(),
    };
    let mut builder = auto::Builder::new(streams);
    // No idle timeout: a test that turns the clock must not lose its connections by it.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_WINDOW)
        .initial_connection_window_size(H2_WINDOW)
        .max_concurrent_streams(H2_STREAMS_MAX);
    let closing = wire.closing.clone();
    let service = service_fn(move |request| {
        let exchange = exchange::exchange(Arc::clone(&shared), Arc::clone(&wire), request);
        async move { Ok::<_, Infallible>(exchange.await) }
    });
    let mut connection = Box::pin(builder.serve_connection(line, service));
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = closing.cancelled() => None,
    };
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        // How a connection ends is the caller's affair; the journal has what matters.
        connection.await.ok();
    }
}

/// Runs the streams of one HTTP/2 connection, no longer than the connection itself.
#[derive(Clone)]
struct Streams {
    tasks: TaskTracker,
    ended: CancellationToken,
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        self.tasks
            .spawn(self.ended.clone().run_until_cancelled_owned(stream));
    }
}

const CONNECTIONS_MAX: usize = 4_096;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const H2_WINDOW: u32 = 1024 * 1024;
const H2_STREAMS_MAX: u32 = 1_000;
