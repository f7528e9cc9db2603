//! An HTTP/1.1 connection, driven by whoever uses it.
//!
//! hyper parts a connection into a handle and a future that does the work. As a task of its own, that
//! future costs two wakes for each message, and the call waits for the scheduler in between. Here the
//! call that holds the connection polls it, so that bytes go straight between socket and call.
//!
//! The driver wakes the call by way of a [`Relay`], which knows the call only while it waits for the
//! driver. What the call itself sets in motion would wake it for nothing otherwise.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;

use super::dial::Connection;
use super::outgoing::Outgoing;
use super::{Rejected, SendFailure};

/// A connection for one call at a time.
pub(super) struct Exclusive {
    sender: http1::SendRequest<Outgoing>,
    driving: Driving,
}

impl Exclusive {
    /// Speaks HTTP/1.1 on a connection.
    pub(super) async fn new(connection: Connection) -> Result<Self, SendFailure> {
        let shaken = http1::Builder::new().handshake(TokioIo::new(connection));
        let (sender, driver) = shaken
            .await
            .map_err(|error| SendFailure::Handshake(Arc::new(error)))?;
        Ok(Self {
            sender,
            driving: Driving::new(driver),
        })
    }

    /// Whether it could take a call when it was used last.
    pub(super) fn is_open(&self) -> bool {
        self.driving.driver.is_some() && !self.sender.is_closed()
    }

    /// Looks at what came while nobody used it, and tells whether it can still take a call.
    pub(super) fn look(&mut self) -> bool {
        self.driving.drive(&mut unwatched());
        self.driving.leave();
        self.is_open()
    }

    /// Puts a request on the connection and waits for the head of the reply.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Rejected> {
        if !self.sender.is_ready() && !poll_fn(|cx| self.poll_ready(cx)).await {
            return Err(Rejected::Unsent(Box::new(request)));
        }
        let Self { sender, driving } = self;
        driving.leave();
        // Without the budget of the task: where that is spent, only a waker would bring us back.
        let mut sending = pin!(unconstrained(sender.try_send_request(request)));
        let outcome = poll_fn(|cx| {
            driving.drive(cx);
            sending.as_mut().poll(&mut unwatched())
        });
        outcome.await.map_err(rejected)
    }

    /// Whether it takes a request now; it does when the end of the last reply was seen.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.driving.drive(cx);
        match self.sender.poll_ready(&mut unwatched()) {
            Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
            Poll::Pending if self.driving.driver.is_none() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The next piece of a reply's body.
    pub(super) fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.driving.leave();
        let here = Pin::new(&mut *incoming).poll_frame(&mut unwatched());
        if here.is_ready() {
            return here;
        }
        self.driving.drive(cx);
        Pin::new(incoming).poll_frame(&mut unwatched())
    }
}

/// A connection's driver, and whom it wakes.
struct Driving {
    /// `None` once the connection is over.
    driver: Option<Pin<Box<Driver>>>,
    relay: Arc<Relay>,
    waker: Waker,
}

type Driver = http1::Connection<TokioIo<Connection>, Outgoing>;

impl Driving {
    fn new(driver: Driver) -> Self {
        let relay = Arc::new(Relay::default());
        Self {
            driver: Some(Box::pin(driver)),
            waker: Waker::from(Arc::clone(&relay)),
            relay,
        }
    }

    /// Does what can be done on the connection now, and wakes `cx` when there is more to do. How the
    /// connection ends is told by the call that it carries.
    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(driver) = &mut self.driver else {
            return;
        };
        self.relay.0.register(cx.waker());
        if let Poll::Ready(ended) = driver.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            if let Err(error) = ended {
                tracing::debug!(%error, "an upstream connection ended");
            }
            self.driver = None;
        }
    }

    /// Nobody waits for the driver.
    fn leave(&self) {
        self.relay.0.take();
    }
}

/// Whoever waits for a driver.
#[derive(Default)]
struct Relay(AtomicWaker);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

/// For what only the driver can bring about.
fn unwatched() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// What a connection that takes no request says of it.
pub(super) fn rejected(mut error: TrySendError<Request<Outgoing>>) -> Rejected {
    match error.take_message() {
        Some(request) => Rejected::Unsent(Box::new(request)),
        None => Rejected::Failed(SendFailure::from_hyper(error.into_error())),
    }
}
