//! The body on its way to an upstream, and the clock that watches it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use super::{Rejected, SendFailure};
use crate::message::{Body, BodyFault};

/// A body that tells how far it has come.
pub(super) struct Outgoing {
    body: Body,
    /// What is left of the announced length.
    left: Option<u64>,
    progress: Arc<Progress>,
}

/// How far a body has come; shared between the connection that sends it and the call that waits.
pub(super) struct Progress {
    started: Instant,
    /// When the connection first asked for it, in milliseconds after the start; 0 before it did.
    begun_ms: AtomicU64,
    /// When it last moved, likewise.
    moved_ms: AtomicU64,
    finished: AtomicBool,
    fault: Mutex<Option<BodyFault>>,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            begun_ms: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            fault: Mutex::new(None),
        })
    }

    /// Whether the whole body was handed to the connection.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    fn begin(&self) {
        if self.begun_ms.load(Ordering::Acquire) == 0 {
            let ms = self.elapsed_ms();
            self.moved_ms.store(ms, Ordering::Release);
            self.begun_ms.store(ms, Ordering::Release);
        }
    }

    fn finish(&self) {
        // The last movement first: whoever sees the end must not see an older clock.
        self.touch();
        self.finished.store(true, Ordering::Release);
    }

    fn touch(&self) {
        self.moved_ms.store(self.elapsed_ms(), Ordering::Release);
    }

    fn elapsed_ms(&self) -> u64 {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        ms.max(1)
    }

    fn fail(&self, fault: BodyFault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    fn fault(&self) -> Option<BodyFault> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The moment up to which the reply may be waited for.
    ///
    /// The clock of the caller's deadline stands still while the body is on its way, which it is
    /// as long as it moves. A body that was at hand takes no time: its deadline stays where it is.
    fn patience(&self, deadline: Instant, idle: Duration) -> Instant {
        let is_finished = self.is_finished();
        let begun_ms = self.begun_ms.load(Ordering::Acquire);
        let moved_ms = self.moved_ms.load(Ordering::Acquire);
        if begun_ms == 0 {
            deadline
        } else if is_finished {
            deadline + Duration::from_millis(moved_ms.saturating_sub(begun_ms))
        } else {
            deadline.max(self.started + Duration::from_millis(moved_ms) + idle)
        }
    }

    /// Waits for a reply as long as there is patience.
    pub(super) async fn watch<T>(
        &self,
        mut sending: Pin<&mut impl Future<Output = Result<T, Rejected>>>,
        deadline: Instant,
        idle: Duration,
    ) -> Result<T, Rejected> {
        loop {
            let until = self.patience(deadline, idle);
            tokio::select! {
                biased;
                outcome = &mut sending => {
                    return match (outcome, self.fault()) {
                        (Err(Rejected::Failed(_)), Some(fault)) => {
                            Err(Rejected::Failed(SendFailure::Body(fault)))
                        }
                        (outcome, _) => outcome,
                    };
                }
                () = sleep_until(until) => {
                    if self.patience(deadline, idle) <= Instant::now() {
                        let failure = self.fault().map_or(SendFailure::Timeout, SendFailure::Body);
                        return Err(Rejected::Failed(failure));
                    }
                }
            }
        }
    }
}

impl Outgoing {
    pub(super) fn new(body: Body, progress: Arc<Progress>) -> Self {
        if body.is_end_stream() {
            progress.finished.store(true, Ordering::Release);
        }
        Self {
            left: body.exact_len(),
            body,
            progress,
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        self.progress.begin();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.progress.finish(),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(bytes));
                // A connection that knows the length does not ask for the end.
                if self.left == Some(0) || self.body.is_end_stream() {
                    self.progress.finish();
                } else {
                    self.progress.touch();
                }
            }
            Poll::Ready(Some(Err(fault))) => self.progress.fail(fault.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_deadline_stands_still_while_the_body_is_on_its_way() {
        let (second, idle) = (Duration::from_secs(1), Duration::from_mins(1));
        let progress = Progress::new();
        let deadline = Instant::now() + 10 * second;
        let left = |progress: &Progress| progress.patience(deadline, idle) - Instant::now();
        tokio::time::advance(second).await;
        assert_eq!(left(&progress), 9 * second, "it has not begun");
        progress.begin();
        assert_eq!(left(&progress), 60 * second);
        tokio::time::advance(30 * second).await;
        assert_eq!(left(&progress), 30 * second, "it stands still");
        progress.touch();
        assert_eq!(left(&progress), 60 * second);
        progress.finish();
        assert_eq!(left(&progress), 9 * second, "as long as before it began");
    }
}
