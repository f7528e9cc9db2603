//! The delivery path: what is owed is handed to its target until the target takes it.
//!
//! Each target has a worker of its own, so that none waits for another. A worker leases what is
//! due, tries it, and settles how it ended; what it does in between survives a crash, because the
//! store knows that the lease was out. Absent: any memory of deliveries here.

mod attempt;
mod breaker;
mod flow;
mod retry;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use flow::RouteTarget;
pub(crate) use flow::{Waited, look_up};
pub use retry::Retry;
pub use target::{Target, TargetOptions};

use crate::clock::Clock;
use crate::delivery::breaker::Way;
use crate::store::{Lease, Queue, StoreFailure};
use crate::telemetry::AttemptRecord;

/// The targets at work. Dropping it ends the workers; attempts under way run to their end.
pub struct Delivery {
    targets: BTreeMap<String, Arc<Target>>,
    stop: CancellationToken,
}

/// What every worker works with.
pub struct Means<Q> {
    /// Where deliveries are kept.
    pub store: Arc<Q>,
    /// The wall clock.
    pub clock: Clock,
    /// Who owns the workers and the attempts.
    pub tasks: TaskTracker,
}

impl<Q> Clone for Means<Q> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
        }
    }
}

impl Delivery {
    /// Begins to deliver to these targets.
    pub fn new<Q: Queue + 'static>(targets: Vec<Target>, means: &Means<Q>) -> Self {
        let stop = CancellationToken::new();
        let targets: BTreeMap<String, Arc<Target>> = targets
            .into_iter()
            .map(|target| (target.name().to_owned(), Arc::new(target)))
            .collect();
        for target in targets.values() {
            let worker = work(Arc::clone(target), means.clone());
            means
                .tasks
                .spawn(stop.clone().run_until_cancelled_owned(worker));
        }
        Self { targets, stop }
    }

    /// The targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values().map(Arc::as_ref)
    }

    /// The target of a name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.get(name).map(Arc::as_ref)
    }

    /// Takes nothing up any more; what is under way goes on.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves one target for ever.
async fn work<Q: Queue + 'static>(target: Arc<Target>, means: Means<Q>) {
    loop {
        // A place first, and the breaker's leave: what is leased must be tried at once.
        let mut places = take_places(&target).await;
        let leased = lease(&target, places.len(), &means).await;
        let waits = match &leased {
            Ok(leases) => leases.is_empty(),
            Err(_) => true,
        };
        for (lease, place) in leased.unwrap_or_default().into_iter().zip(places.drain(..)) {
            let (target, means) = (Arc::clone(&target), means.clone());
            let tasks = means.tasks.clone();
            tasks.spawn(async move {
                deliver(&target, &lease, &means).await;
                drop(place);
                // Another one of the same order key may have become free.
                target.ring();
            });
        }
        if waits {
            rest(&target, &means).await;
        }
    }
}

/// As many places as may go out now, at least one.
async fn take_places(target: &Target) -> Vec<OwnedSemaphorePermit> {
    let places = Arc::clone(&target.places);
    let Ok(first) = Arc::clone(&places).acquire_owned().await else {
        return Vec::new();
    };
    let mut taken = vec![first];
    let way = loop {
        match target.breaker.way() {
            Way::Shut(until) => sleep_until(until).await,
            way => break way,
        }
    };
    if let Some(rate) = &target.rate {
        // Before the lease, which must not run out while it waits.
        rate.turn().await;
        return taken;
    }
    let max = if way == Way::Probe { 1 } else { BATCH_MAX };
    while taken.len() < max
        && let Ok(place) = Arc::clone(&places).try_acquire_owned()
    {
        taken.push(place);
    }
    taken
}

async fn lease<Q: Queue>(
    target: &Target,
    max: usize,
    means: &Means<Q>,
) -> Result<Vec<Lease>, StoreFailure> {
    if target.is_gone() {
        return Ok(Vec::new());
    }
    let now_ms = means.clock.now_ms();
    let until_ms = now_ms.saturating_add(attempt::lease_ms(target.timeout));
    let leased = means.store.lease(&target.name, max, until_ms, now_ms).await;
    if let Err(failure) = &leased {
        tracing::warn!(receiver = target.name, %failure, "nothing can be leased");
    }
    leased
}

/// Waits until something is due, or until the bell rings.
async fn rest<Q: Queue>(target: &Target, means: &Means<Q>) {
    let due = means.store.next_due(&target.name).await;
    let wait = match due {
        Ok(Some(due_ms)) if !target.is_gone() => {
            let wait_ms = due_ms.saturating_sub(means.clock.now_ms());
            Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)).clamp(REST_MIN, REST_MAX)
        }
        _ => REST_MAX,
    };
    tokio::select! {
        () = target.bell.notified() => {}
        () = sleep(wait) => {}
    }
}

/// Tries a leased delivery and settles it.
async fn deliver<Q: Queue>(target: &Target, lease: &Lease, means: &Means<Q>) {
    let mut record = AttemptRecord {
        receiver: target.name.clone(),
        event: lease.event.clone(),
        route: lease.route.clone(),
        attempt: lease.attempt,
        outcome: None,
        class: None,
        status: None,
        cause: None,
        was_late: false,
        result: None,
        started: std::time::Instant::now(),
    };
    let settlement = attempt::attempt(target, lease, means, &mut record).await;
    // A store that cannot be written for a moment must not make a delivery that was taken be
    // tried again: as long as the lease lasts, settling is tried.
    let end = Instant::now() + SETTLE_MAX;
    loop {
        let now_ms = means.clock.now_ms();
        let settled = means
            .store
            .settle(lease.id, lease.attempt, settlement.clone(), now_ms)
            .await;
        match settled {
            Ok(was_valid) => {
                record.was_late = !was_valid;
                return;
            }
            Err(failure) if Instant::now() < end => {
                tracing::warn!(event = lease.event, %failure, "not settled yet");
                sleep(SETTLE_PAUSE).await;
            }
            Err(failure) => {
                tracing::error!(event = lease.event, %failure, "not settled: the lease runs out");
                return;
            }
        }
    }
}

/// Leased at a time.
const BATCH_MAX: usize = 64;
/// A due moment that has passed means that something blocks it: an order key, or a lease.
const REST_MIN: Duration = Duration::from_millis(20);
/// The longest rest: the wall clock may jump, and other processes may store.
const REST_MAX: Duration = Duration::from_secs(5);
const SETTLE_MAX: Duration = Duration::from_secs(25);
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
