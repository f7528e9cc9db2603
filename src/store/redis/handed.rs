//! Leases on their way to the caller. Where the caller has gone, or where nobody knows what became of
//! the request, they are given back: nobody has seen them, so nothing can have taken effect.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::store::StoreFailure;
use crate::store::redis::Inner;
use crate::store::redis::script::{RETURN, Request};

/// What is told the caller, with the leases that it hands over.
pub(super) struct Handed<T> {
    told: T,
    back: Back,
}

/// Leases that go back where it is dropped. Each request for leases has a hand of its own; what a
/// hand asks for after it gave back comes too late.
pub(super) struct Back {
    inner: Arc<Inner>,
    hand: String,
    /// Of which targets it may have leases.
    targets: Vec<String>,
}

impl Back {
    pub(super) fn new(inner: &Arc<Inner>, targets: Vec<String>) -> Self {
        Self {
            inner: Arc::clone(inner),
            hand: format!("{:032x}", fastrand::u128(..)),
            targets,
        }
    }

    pub(super) fn hand(&self) -> &str {
        &self.hand
    }
}

impl<T> Handed<T> {
    pub(super) fn new(told: T, back: Back) -> Self {
        Self { told, back }
    }

    /// The caller has it.
    pub(super) fn taken(mut self) -> T {
        self.back.targets.clear();
        self.told
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        if self.targets.is_empty() {
            return;
        }
        let inner = Arc::clone(&self.inner);
        let mut request = Request::new(&RETURN, inner.prefix()).arg(&self.hand);
        for target in &self.targets {
            request = request.arg(target);
        }
        // Where the runtime ends, the leases run out.
        if let Ok(runtime) = Handle::try_current() {
            let tasks = self.inner.tasks.clone();
            tasks.spawn_on(give_back(inner, request), &runtime);
        }
    }
}

/// Tries until it is done, or until the leases have run out by themselves.
async fn give_back(inner: Arc<Inner>, request: Request) {
    let end = Instant::now() + TRIED_FOR;
    while let Err(StoreFailure::Unreachable { .. }) = inner.link.run(&request).await {
        if Instant::now() > end {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Leases last about as long.
const TRIED_FOR: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);
