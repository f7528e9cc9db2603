//! A reply that an HTTP/2 downstream asks for and never takes is let go after a while.
//!
//! Such a reader grants no window and answers pings, so that the connection looks alive and
//! [`super::stall::Stall`] sees no write that waits; and hyper does not poll a body for which there
//! is no window, so that no timer in the body would run. A task beside it looks on.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::message::{Body, BodyFault};

/// A body that is dropped, with all that it holds, when nobody asks for it any more.
struct Abandonable {
    shared: Arc<Mutex<Shared>>,
    idle: Duration,
    _end: DropGuard,
}

struct Shared {
    /// `None` once it was let go.
    body: Option<Body>,
    asked_last: Asked,
}

/// What became of the last time that somebody asked for more.
enum Asked {
    /// There was nothing yet.
    InVain,
    /// It got something, then.
    Served(Instant),
}

/// Lets a body go when nobody has asked for more of it for as long as `idle`.
pub(super) fn watch(body: Body, idle: Duration, tasks: &TaskTracker) -> Body {
    let shared = Shared {
        body: Some(body),
        asked_last: Asked::Served(Instant::now()),
    };
    let shared = Arc::new(Mutex::new(shared));
    let end = CancellationToken::new();
    tasks.spawn(
        end.clone()
            .run_until_cancelled_owned(look_on(Arc::clone(&shared), idle)),
    );
    Body::stream(Abandonable {
        shared,
        idle,
        _end: end.drop_guard(),
    })
}

async fn look_on(shared: Arc<Mutex<Shared>>, idle: Duration) {
    let mut due = Instant::now() + idle;
    loop {
        sleep_until(due).await;
        let mut shared = lock(&shared);
        due = match shared.asked_last {
            // It waits for the platform, which has a clock of its own.
            Asked::InVain => Instant::now() + idle,
            Asked::Served(at) if at.elapsed() < idle => at + idle,
            Asked::Served(_) => {
                shared.body = None;
                return;
            }
        };
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for Abandonable {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let mut shared = lock(&self.shared);
        let Some(body) = &mut shared.body else {
            let idle_ms = u64::try_from(self.idle.as_millis()).unwrap_or(u64::MAX);
            return Poll::Ready(Some(Err(BodyFault::Idle { idle_ms })));
        };
        let polled = Pin::new(body).poll_frame(cx);
        shared.asked_last = match &polled {
            Poll::Pending => Asked::InVain,
            Poll::Ready(_) => Asked::Served(Instant::now()),
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.shared)
            .body
            .as_ref()
            .is_some_and(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.shared)
            .body
            .as_ref()
            .map_or_else(SizeHint::new, http_body::Body::size_hint)
    }
}
