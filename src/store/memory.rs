//! The store of tests and of the sandbox: the promises of [`Queue`], except that nothing survives
//! the process. It looks at every delivery for every question, and so tells what is right.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::store::{
    Change, Delivery, DeliveryId, Enqueued, Event, Filter, LEASE_BYTES_MAX, LEASE_EXPIRED, Lease,
    Mark, Queue, Reason, Retention, Settlement, State, StoreFailure, UnixMs,
};

/// A store in memory.
#[derive(Debug)]
pub struct Memory {
    kept: Mutex<Kept>,
    deliveries_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    last: i64,
    deliveries: BTreeMap<i64, Entry>,
    /// By route and key.
    marks: HashMap<(String, String), Mark>,
}

#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    body: Bytes,
}

impl Memory {
    /// An empty store that holds at most so many deliveries.
    pub fn new(deliveries_max: usize) -> Self {
        Self {
            kept: Mutex::default(),
            deliveries_max,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for Memory {
    async fn enqueue(&self, event: Event, now_ms: UnixMs) -> Result<Enqueued, StoreFailure> {
        let mut kept = self.kept();
        if let Some(mark) = &event.mark {
            let name = (event.route.clone(), mark.key.clone());
            match kept.marks.get(&name) {
                Some(seen) if seen.until_ms > now_ms => {
                    let answer = seen.answer.clone();
                    return Ok(if seen.digest == mark.digest {
                        Enqueued::Repeated { answer }
                    } else {
                        Enqueued::Conflict
                    });
                }
                _ => {}
            }
        }
        if kept.deliveries.len() + event.duties.len() > self.deliveries_max {
            return Err(StoreFailure::Full {
                bytes: kept.bytes(),
            });
        }
        if let Some(mark) = &event.mark {
            let name = (event.route.clone(), mark.key.clone());
            kept.marks.insert(name, mark.clone());
        }
        for duty in event.duties {
            kept.last += 1;
            let delivery = Delivery {
                id: DeliveryId(kept.last),
                event: event.id.clone(),
                route: event.route.clone(),
                target: duty.target,
                order: duty.order,
                state: State::Waiting,
                attempts: 0,
                received_ms: event.received_ms,
                due_ms: duty.due_ms,
                is_once: duty.is_once,
                reason: None,
                content_type: event.content_type.clone(),
                body_bytes: u64::try_from(event.body.len()).unwrap_or(u64::MAX),
            };
            let body = event.body.clone();
            kept.deliveries
                .insert(delivery.id.0, Entry { delivery, body });
        }
        Ok(Enqueued::Stored)
    }

    async fn lease(
        &self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Vec<Lease>, StoreFailure> {
        let mut kept = self.kept();
        kept.expire(Some(target), now_ms);
        let mut due: Vec<(UnixMs, i64)> = kept
            .free(target)
            .filter(|delivery| delivery.due_ms <= now_ms)
            .map(|delivery| (delivery.due_ms, delivery.id.0))
            .collect();
        due.sort_unstable();
        let (mut leases, mut bytes) = (Vec::new(), 0);
        for (_, id) in due.into_iter().take(max) {
            let Some(Entry { delivery, body }) = kept.deliveries.get_mut(&id) else {
                continue;
            };
            bytes += body.len();
            if !leases.is_empty() && bytes > LEASE_BYTES_MAX {
                break;
            }
            delivery.state = State::Leased;
            delivery.attempts += 1;
            delivery.due_ms = until_ms;
            leases.push(Lease {
                id: delivery.id,
                attempt: delivery.attempts,
                event: delivery.event.clone(),
                route: delivery.route.clone(),
                order: delivery.order.clone(),
                content_type: delivery.content_type.clone(),
                body: body.clone(),
                received_ms: delivery.received_ms,
                is_once: delivery.is_once,
            });
        }
        Ok(leases)
    }

    async fn settle(
        &self,
        id: DeliveryId,
        attempt: u32,
        settlement: Settlement,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        let mut kept = self.kept();
        let found = kept
            .deliveries
            .get_mut(&id.0)
            .map(|entry| &mut entry.delivery);
        let Some(delivery) = found.filter(|delivery| {
            delivery.state == State::Leased
                && delivery.attempts == attempt
                && delivery.due_ms > now_ms
        }) else {
            return Ok(false);
        };
        (delivery.state, delivery.due_ms, delivery.reason) = match settlement {
            Settlement::Done => (State::Done, now_ms, None),
            Settlement::Retry { due_ms, reason } => (State::Waiting, due_ms, Some(reason)),
            Settlement::Unknown { reason } => (State::Unknown, now_ms, Some(reason)),
            Settlement::Bury { reason } => (State::Buried, now_ms, Some(reason)),
        };
        Ok(true)
    }

    async fn next_due(&self, target: &str) -> Result<Option<UnixMs>, StoreFailure> {
        let kept = self.kept();
        let leased = kept
            .all()
            .filter(|delivery| delivery.state == State::Leased && delivery.target == target);
        Ok(kept.free(target).chain(leased).map(|one| one.due_ms).min())
    }

    async fn list(
        &self,
        filter: &Filter,
        before: Option<DeliveryId>,
        max: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        let kept = self.kept();
        let meant = kept.all().rev().filter(|delivery| {
            before.is_none_or(|before| delivery.id < before) && means(filter, delivery)
        });
        Ok(meant.take(max).cloned().collect())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreFailure> {
        let count = self.kept().all().filter(|one| means(filter, one)).count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn body(&self, id: DeliveryId) -> Result<Option<Bytes>, StoreFailure> {
        let kept = self.kept();
        Ok(kept.deliveries.get(&id.0).map(|entry| entry.body.clone()))
    }

    async fn change(
        &self,
        filter: &Filter,
        change: Change,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        let mut kept = self.kept();
        kept.expire(None, now_ms);
        let meant = kept
            .deliveries
            .values_mut()
            .map(|entry| &mut entry.delivery)
            .filter(|delivery| means(filter, delivery) && may(change, delivery));
        let mut count = 0;
        for delivery in meant.take(max) {
            (delivery.state, delivery.due_ms) = match change {
                Change::Replay { due_ms, .. } => (State::Waiting, due_ms),
                Change::Bury => (State::Buried, now_ms),
            };
            count += 1;
        }
        Ok(count)
    }

    async fn sweep(&self, retention: Retention, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        let mut kept = self.kept();
        kept.expire(None, now_ms);
        let before = kept.deliveries.len() + kept.marks.len();
        kept.marks.retain(|_, mark| mark.until_ms > now_ms);
        kept.deliveries.retain(|_, entry| {
            let kept_ms = match entry.delivery.state {
                State::Waiting | State::Leased => return true,
                State::Done => retention.done_ms,
                State::Unknown | State::Buried => retention.buried_ms,
            };
            entry.delivery.due_ms > now_ms.saturating_sub(kept_ms)
        });
        let forgotten = before - kept.deliveries.len() - kept.marks.len();
        Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
    }

    async fn probe(&self) -> Result<(), StoreFailure> {
        Ok(())
    }
}

impl Kept {
    fn all(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.deliveries.values().map(|entry| &entry.delivery)
    }

    /// What of a target may be handed out when it is due: of each order key, the first, and none
    /// while one is under way.
    fn free(&self, target: &str) -> impl Iterator<Item = &Delivery> {
        let is_free = |delivery: &&Delivery| {
            delivery.state == State::Waiting
                && (delivery.order.is_none()
                    || !self.all().any(|other| {
                        other.target == delivery.target
                            && other.order == delivery.order
                            && (other.state == State::Leased
                                || other.state == State::Waiting && other.id < delivery.id)
                    }))
        };
        self.all()
            .filter(move |delivery| delivery.target == target)
            .filter(is_free)
    }

    fn expire(&mut self, target: Option<&str>, now_ms: UnixMs) {
        for Entry { delivery, .. } in self.deliveries.values_mut() {
            let is_meant = target.is_none_or(|target| delivery.target == target);
            if is_meant && delivery.state == State::Leased && delivery.due_ms <= now_ms {
                delivery.state = if delivery.is_once {
                    State::Unknown
                } else {
                    State::Waiting
                };
                delivery.reason = Some(Reason {
                    class: LEASE_EXPIRED.to_owned(),
                    status: None,
                });
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.all().map(|delivery| delivery.body_bytes).sum()
    }
}

fn means(filter: &Filter, delivery: &Delivery) -> bool {
    fn is<T: PartialEq>(wanted: Option<&T>, it: &T) -> bool {
        wanted.is_none_or(|wanted| wanted == it)
    }
    let class = delivery.reason.as_ref().map(|reason| &reason.class);
    is(filter.id.as_ref(), &delivery.id)
        && is(filter.event.as_ref(), &delivery.event)
        && is(filter.route.as_ref(), &delivery.route)
        && is(filter.target.as_ref(), &delivery.target)
        && is(filter.state.as_ref(), &delivery.state)
        && (filter.class.is_none() || filter.class.as_ref() == class)
        && (filter.order.is_none() || filter.order == delivery.order)
        && filter
            .from_ms
            .is_none_or(|from| delivery.received_ms >= from)
        && filter
            .before_ms
            .is_none_or(|before| delivery.received_ms < before)
}

/// Whether a change can be made to a delivery.
fn may(change: Change, delivery: &Delivery) -> bool {
    match (change, delivery.state) {
        (_, State::Leased) | (Change::Bury, State::Done | State::Buried) => false,
        // What waits already is only brought forward.
        (Change::Replay { due_ms, .. }, State::Waiting) => delivery.due_ms > due_ms,
        (Change::Replay { force, .. }, State::Done | State::Unknown) => force || !delivery.is_once,
        (Change::Replay { .. }, State::Buried)
        | (Change::Bury, State::Waiting | State::Unknown) => true,
    }
}
