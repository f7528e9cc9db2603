//! The store of a fleet: one Redis, alone, watched by sentinels, or a cluster.
//!
//! What must be one act is a Lua script (`redis/*.lua`); all keys are in one slot. Which node takes
//! writes is found out when a connection is opened (`redis/place.rs`), and again when a node says
//! that it is not the one any longer. Nothing here knows what time it is: callers say so, and the
//! clocks of a fleet may differ by less than the margin of a lease.

mod ask;
mod bell;
mod cached;
mod carry;
mod cells;
mod confirm;
mod failure;
mod handed;
mod link;
mod look;
mod options;
mod place;
mod reply;
mod script;
mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use redis::Value;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

pub use cells::{Grant, Want};
pub use options::{Acknowledged, Options, Place, Places, Unfit};
pub use token::Claim;

use crate::store::event::mark_name;
use crate::store::redis::ask::{enqueued, key};
use crate::store::redis::bell::Bell;
use crate::store::redis::confirm::Confirm;
use crate::store::redis::handed::{Back, Handed};
use crate::store::redis::link::Link;
use crate::store::redis::look::Trouble;
use crate::store::redis::place::Finder;
use crate::store::redis::reply::{Parts, moment, nonsense, number};
use crate::store::redis::script::{
    BODY, CHANGE, EXPIRE, KEPT, LEASE, LIST, Lua, NEXT, PROBE, PROGRESS, Request, SEEN, TALLY,
};
use crate::store::{
    Change, Delivery, DeliveryId, Enqueued, Event, Filter, Keep, LEASE_BYTES_MAX, LEASES_LOST_MAX,
    Lease, Queue, Retention, Settlement, StoreFailure, UnixMs,
};

/// A store in Redis, shared by every process that names the same one with the same prefix.
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    confirm: Confirm,
    bell: Bell,
    places: Semaphore,
    /// What goes on when its caller has left.
    tasks: TaskTracker,
}

impl Redis {
    /// Connects. One that answers and will not do is refused; one that does not answer is tried
    /// again with every request.
    pub async fn open(options: impl Into<Arc<Options>>) -> Result<Self, Unfit> {
        let options = options.into();
        let requests_max = options.requests_max.min(Semaphore::MAX_PERMITS);
        let finder = Finder {
            options,
            drivers: TaskTracker::new(),
        };
        let inner = Inner {
            link: Link::new(finder),
            confirm: Confirm::default(),
            bell: Bell::default(),
            places: Semaphore::new(requests_max),
            tasks: TaskTracker::new(),
        };
        if let Err(Trouble::Unfit(unfit)) = inner.link.wire().await {
            return Err(unfit);
        }
        let inner = Arc::new(inner);
        Ok(Self { inner })
    }

    /// Waits until another process may have stored something that is due; tells for which targets,
    /// or `None` where it may be any.
    pub async fn rung(&self) -> Option<BTreeSet<String>> {
        self.inner.bell.rung(&self.inner.link).await
    }

    /// Waits until what goes on without its caller is done, and takes nothing more.
    pub async fn close(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.link.close();
    }

    fn request(&self, script: &'static Lua) -> Request {
        Request::new(script, self.inner.prefix())
    }

    async fn run(&self, request: Request) -> Result<Value, StoreFailure> {
        self.inner.run(request).await
    }

    /// Looks at all deliveries that a filter may mean, a part at a time.
    async fn look(
        &self,
        (filter, is_count): (&Filter, bool),
        (before, max): (Option<DeliveryId>, usize),
        mut found: impl FnMut(Value) -> Result<usize, StoreFailure>,
    ) -> Result<(), StoreFailure> {
        let mut from = before.map_or_else(String::new, key);
        let mut left = max;
        while left > 0 {
            let request = self.request(&LIST).filter(filter).arg(&from);
            let request = request.arg(left).arg(LOOKS).arg(i32::from(is_count));
            let mut parts = Parts::of(self.run(request).await?)?;
            from = parts.text()?;
            left = left.saturating_sub(found(parts.next()?)?);
            if from.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn expire(&self, now_ms: UnixMs) -> Result<(), StoreFailure> {
        let request = self.request(&EXPIRE).arg(now_ms).arg(LEASES_LOST_MAX);
        self.run(request).await.map(drop)
    }
}

impl Inner {
    fn prefix(&self) -> &str {
        &self.link.finder.options.prefix
    }

    /// Runs a script when there is a place.
    async fn run(&self, request: Request) -> Result<Value, StoreFailure> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|_| StoreFailure::Closed)?;
        self.link.run(&request).await
    }

    /// The same for what comes in: it does not wait for a place, and it must fit.
    async fn take_in(&self, request: Request) -> Result<Value, StoreFailure> {
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| StoreFailure::Crowded)?;
        self.fits().await?;
        self.link.run(&request).await
    }

    async fn fits(&self) -> Result<(), StoreFailure> {
        let bytes = self.link.vitals().await?.bytes;
        if bytes > self.link.finder.options.bytes_max {
            return Err(StoreFailure::Full { bytes });
        }
        Ok(())
    }

    /// Waits until replicas have what was written, where they must.
    async fn confirmed(&self) -> Result<(), StoreFailure> {
        self.confirm.written(&self.link).await
    }

    async fn enqueue(
        self: Arc<Self>,
        event: Event,
        now_ms: UnixMs,
    ) -> Result<Handed<Enqueued>, StoreFailure> {
        let leased = event.duties.iter();
        let leased = leased.filter(|duty| duty.leased_until_ms.is_some());
        let targets: BTreeSet<&String> = leased.map(|duty| &duty.target).collect();
        let back = Back::new(&self, targets.into_iter().cloned().collect());
        let request = Request::enqueue(&event, (self.prefix(), back.hand()), now_ms);
        let became = enqueued(self.take_in(request).await?)?;
        // A repeat too is told that it is stored.
        self.confirmed().await?;
        Ok(Handed::new(became, back))
    }

    async fn lease(
        self: Arc<Self>,
        target: String,
        max: usize,
        (until_ms, now_ms): (UnixMs, UnixMs),
    ) -> Result<Handed<Vec<Lease>>, StoreFailure> {
        let request = Request::new(&LEASE, self.prefix()).arg(now_ms);
        let request = request.arg(moment(until_ms)).arg(max).arg(LEASE_BYTES_MAX);
        let request = request.arg(&target);
        let back = Back::new(&self, vec![target]);
        let request = request.arg(back.hand()).arg(LEASES_LOST_MAX);
        let leases = Parts::rows(self.run(request).await?, reply::lease)?;
        // Otherwise a replica that takes the master's place might hand it out again.
        if leases.iter().any(|lease| lease.is_once) {
            self.confirmed().await?;
        }
        Ok(Handed::new(leases, back))
    }
}

impl Queue for Redis {
    async fn enqueue(&self, event: Event, now_ms: UnixMs) -> Result<Enqueued, StoreFailure> {
        // On a task of its own: where the caller leaves, its leases are given back.
        let stored = Arc::clone(&self.inner).enqueue(event, now_ms);
        let stored = self.inner.tasks.spawn(stored).await;
        Ok(stored.map_err(|_| StoreFailure::Closed)??.taken())
    }

    async fn lease(
        &self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Vec<Lease>, StoreFailure> {
        let inner = Arc::clone(&self.inner);
        let leased = inner.lease(target.to_owned(), max, (until_ms, now_ms));
        let leased = self.inner.tasks.spawn(leased).await;
        Ok(leased.map_err(|_| StoreFailure::Closed)??.taken())
    }

    async fn settle(
        &self,
        id: DeliveryId,
        attempt: u32,
        settlement: Settlement,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        let prefix = self.inner.prefix();
        let request = Request::settle(prefix, (id, attempt), &settlement, now_ms);
        Ok(number(&self.run(request).await?)? == 1)
    }

    async fn progress(
        &self,
        id: DeliveryId,
        attempt: u32,
        progress: Bytes,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        let request = self.request(&PROGRESS).arg(now_ms).arg(key(id));
        let request = request.arg(attempt).arg(progress.as_ref());
        let is_stored = number(&self.run(request).await?)? == 1;
        // What was done must not be forgotten and done again.
        self.inner.confirmed().await?;
        Ok(is_stored)
    }

    async fn seen(
        &self,
        space: &str,
        keys: &[String],
        now_ms: UnixMs,
    ) -> Result<Vec<bool>, StoreFailure> {
        let request = self.request(&SEEN).arg(now_ms);
        let named = |request: Request, key: &String| request.arg(mark_name(space, key).as_slice());
        let request = keys.iter().fold(request, named);
        let mut parts = Parts::of(self.run(request).await?)?;
        keys.iter()
            .map(|_| Ok(parts.number::<i64>()? == 1))
            .collect()
    }

    async fn keep(&self, keep: Keep, now_ms: UnixMs) -> Result<(), StoreFailure> {
        self.inner.fits().await?;
        let request = self.request(&script::KEEP).arg(now_ms).keep(&keep);
        self.run(request).await?;
        self.inner.confirmed().await
    }

    async fn kept(
        &self,
        space: &str,
        key: &str,
        now_ms: UnixMs,
    ) -> Result<Option<Bytes>, StoreFailure> {
        let only = format!("[{key}");
        let request = self.request(&KEPT).arg(now_ms).arg(space);
        let request = request.arg(&only).arg(&only).arg(1).arg(LEASE_BYTES_MAX);
        let found = self.run(request).await?;
        let found = Parts::rows(found, |parts| reply::keep(space, parts))?;
        Ok(found.into_iter().next().map(|keep| keep.value))
    }

    async fn kept_list(
        &self,
        space: &str,
        after: Option<&str>,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<Vec<Keep>, StoreFailure> {
        let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let request = self.request(&KEPT).arg(now_ms).arg(space);
        let request = request.arg(from).arg("+").arg(max).arg(LEASE_BYTES_MAX);
        let found = self.run(request).await?;
        Parts::rows(found, |parts| reply::keep(space, parts))
    }

    async fn tally(
        &self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        let request = self.request(&TALLY).arg(now_ms).arg(space).arg(key);
        let counted = self.run(request.arg(moment(until_ms)).arg(1)).await?;
        u64::try_from(number(&counted)?).map_err(|_| nonsense())
    }

    async fn tallied(&self, space: &str, key: &str, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        let request = self.request(&TALLY).arg(now_ms).arg(space).arg(key);
        let counted = self.run(request.arg(0).arg(0)).await?;
        u64::try_from(number(&counted)?).map_err(|_| nonsense())
    }

    async fn next_due(&self, target: &str) -> Result<Option<UnixMs>, StoreFailure> {
        let mut parts = Parts::of(self.run(self.request(&NEXT).arg(target)).await?)?;
        let mut next = None;
        while parts.left() {
            let at: UnixMs = parts.number()?;
            next = Some(next.map_or(at, |next: UnixMs| next.min(at)));
        }
        Ok(next)
    }

    async fn list(
        &self,
        filter: &Filter,
        before: Option<DeliveryId>,
        max: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        let mut found = Vec::new();
        self.look((filter, false), (before, max), |rows| {
            let rows = Parts::rows(rows, reply::delivery)?;
            let count = rows.len();
            found.extend(rows);
            Ok(count)
        })
        .await?;
        Ok(found)
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreFailure> {
        let mut all = 0;
        self.look((filter, true), (None, usize::MAX), |count| {
            let count = number(&count)?;
            all += u64::try_from(count).map_err(|_| nonsense())?;
            Ok(0)
        })
        .await?;
        Ok(all)
    }

    async fn body(&self, id: DeliveryId) -> Result<Option<Bytes>, StoreFailure> {
        let mut parts = Parts::of(self.run(self.request(&BODY).arg(key(id))).await?)?;
        parts.maybe()
    }

    async fn change(
        &self,
        filter: &Filter,
        change: Change,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        self.expire(now_ms).await?;
        let (mut changed, mut after) = (0usize, String::new());
        while changed < max {
            let request = self.request(&CHANGE).filter(filter).arg(&after);
            let request = request.arg(max - changed).arg(LOOKS);
            let request = request.change(change, now_ms);
            let mut parts = Parts::of(self.run(request).await?)?;
            after = parts.text()?;
            changed += parts.number::<usize>()?;
            if after.is_empty() {
                break;
            }
        }
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    async fn sweep(&self, retention: Retention, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        self.expire(now_ms).await?;
        let done_ms = now_ms.saturating_sub(retention.done_ms);
        let aside_ms = now_ms.saturating_sub(retention.buried_ms);
        let mut all = 0;
        // In small parts: what else is to be done comes in between.
        for _ in 0..SWEEP_PARTS {
            let request = self.request(&script::SWEEP).arg(now_ms);
            let request = request
                .arg(moment(done_ms))
                .arg(moment(aside_ms))
                .arg(SWEEP);
            let part = number(&self.run(request).await?)?;
            all += u64::try_from(part).map_err(|_| nonsense())?;
            if part == 0 {
                break;
            }
        }
        Ok(all)
    }

    async fn probe(&self) -> Result<(), StoreFailure> {
        self.inner.fits().await?;
        let request = self.request(&PROBE);
        self.run(request).await?;
        self.inner.confirmed().await
    }
}

/// Deliveries looked at in one act.
const LOOKS: usize = 500;
/// Of each kind, forgotten in one act.
const SWEEP: usize = 100;
const SWEEP_PARTS: usize = 20;
