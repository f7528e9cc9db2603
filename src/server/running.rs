//! A call while it runs: what a panic leaves of it, and what becomes of it when its downstream leaves.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::Method;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

use super::door::Inner;
use crate::error::Failure;
use crate::message::RequestId;
use crate::outbound::{Answer, Call, Calling};
use crate::telemetry::Record;

/// A call that runs; a panic ends the call, not the connection.
pub(super) struct Running {
    call: Calling,
    begun: Arc<AtomicBool>,
    /// What the record begins with of a call whose own is lost.
    known: (&'static str, RequestId, Method, Arc<str>),
    _place: OwnedSemaphorePermit,
}

impl Running {
    /// Begins a call. It keeps its place until it ends.
    pub(super) fn begin(mut inner: impl Inner, call: Call, place: OwnedSemaphorePermit) -> Self {
        let record = &call.record;
        let path = Arc::clone(&record.path);
        Self {
            begun: Arc::clone(&record.begun),
            known: (
                record.listener,
                record.id.clone(),
                record.method.clone(),
                path,
            ),
            call: inner.call(call),
            _place: place,
        }
    }

    fn panicked(&self) -> Answer {
        let (listener, id, method, path) = self.known.clone();
        tracing::error!(id = id.as_str(), "a call panicked");
        Answer {
            outcome: Err(Failure::Internal),
            record: Record::new(listener, id, method, path),
        }
    }
}

impl Future for Running {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match catch_unwind(AssertUnwindSafe(|| self.call.as_mut().poll(cx))) {
            Ok(polled) => polled.map(|Ok(answer)| answer),
            Err(_) => Poll::Ready(self.panicked()),
        }
    }
}

/// A call that goes on as a task of its own when whoever waits for it leaves, if the platform may
/// have seen something of it: what it does is done, and its record must say so. Before that it ends
/// with its caller, who may be calling again.
pub(super) struct Detached {
    running: Option<Running>,
    tasks: TaskTracker,
}

impl Detached {
    /// `tasks` owns the call when its downstream has left.
    pub(super) fn new(running: Running, tasks: TaskTracker) -> Self {
        Self {
            running: Some(running),
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
        let answer = ready!(Pin::new(running).poll(cx));
        self.running = None;
        Poll::Ready(answer)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let running = self
            .running
            .take()
            .filter(|running| running.begun.load(Ordering::Acquire));
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
