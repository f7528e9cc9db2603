//! The store of tests and of the sandbox: the promises of [`Queue`], except that nothing survives
//! the process. It looks at every delivery for every question, and so tells what is right.

mod keep;
mod mark;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::store::memory::keep::Keeps;
use crate::store::memory::mark::Marks;
use crate::store::{
    Change, Delivery, DeliveryId, Enqueued, Event, Filter, Keep, LEASE_BYTES_MAX, LEASE_EXPIRED,
    LEASES_LOST_MAX, Lease, Leased, Queue, Reason, Retention, Settlement, State, StoreFailure,
    UnixMs,
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
    marks: Marks,
    keeps: Keeps,
}

#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    body: Bytes,
    /// The id of the event's first delivery.
    event: i64,
    progress: Option<Bytes>,
    /// How many of its leases ran out, one after the other.
    lost: u32,
}

impl Memory {
    /// An empty store that holds at most so many deliveries.
    pub fn new(deliveries_max: usize) -> Self {
        Self {
            kept: Mutex::default(),
            deliveries_max,
        }
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for Memory {
    async fn enqueue(&self, event: Event, now_ms: UnixMs) -> Result<Enqueued, StoreFailure> {
        let mut kept = self.locked();
        if let Some(known) = kept.marks.known(&event, now_ms) {
            return Ok(known);
        }
        if kept.deliveries.len() + event.duties.len() > self.deliveries_max {
            return Err(StoreFailure::Full {
                bytes: kept.bytes(),
            });
        }
        let number = kept.last + 1;
        kept.marks.store(&event, number);
        for keep in event.keeps {
            kept.keeps.put(keep);
        }
        let mut leased = Vec::new();
        for (place, duty) in event.duties.into_iter().enumerate() {
            kept.last += 1;
            let is_behind = duty.order.is_some()
                && kept.all().any(|other| {
                    (&other.target, &other.order) == (&duty.target, &duty.order)
                        && matches!(other.state, State::Waiting | State::Leased)
                });
            let (state, attempts, due_ms) = match duty.leased_until_ms {
                Some(until_ms) if !is_behind => (State::Leased, 1, until_ms),
                _ => (State::Waiting, 0, duty.due_ms),
            };
            let delivery = Delivery {
                id: DeliveryId(kept.last),
                event: event.id.clone(),
                route: event.route.clone(),
                target: duty.target,
                order: duty.order,
                state,
                attempts,
                received_ms: event.received_ms,
                due_ms,
                is_once: duty.is_once,
                reason: None,
                content_type: event.content_type.clone(),
                body_bytes: u64::try_from(event.body.len()).unwrap_or(u64::MAX),
            };
            if state == State::Leased {
                leased.push(Leased {
                    duty: place,
                    id: delivery.id,
                });
            }
            let entry = Entry {
                body: event.body.clone(),
                event: number,
                progress: None,
                lost: 0,
                delivery,
            };
            kept.deliveries.insert(entry.delivery.id.0, entry);
        }
        Ok(Enqueued::Stored { leased })
    }

    async fn lease(
        &self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Vec<Lease>, StoreFailure> {
        let mut kept = self.locked();
        kept.expire(Some(target), now_ms);
        let mut due: Vec<(UnixMs, i64)> = kept
            .free(target)
            .filter(|delivery| delivery.due_ms <= now_ms)
            .map(|delivery| (delivery.due_ms, delivery.id.0))
            .collect();
        due.sort_unstable();
        let (mut leases, mut bytes) = (Vec::new(), 0);
        for (_, id) in due.into_iter().take(max) {
            let Some(entry) = kept.deliveries.get_mut(&id) else {
                continue;
            };
            let (delivery, progress) = (&mut entry.delivery, &entry.progress);
            bytes += entry.body.len() + progress.as_ref().map_or(0, Bytes::len);
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
                body: entry.body.clone(),
                received_ms: delivery.received_ms,
                is_once: delivery.is_once,
                progress: progress.clone(),
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
        let mut kept = self.locked();
        let Some(entry) = kept.leased(id, attempt, now_ms) else {
            return Ok(false);
        };
        let (state, due_ms, reason, progress) = match settlement {
            Settlement::Done => {
                entry.progress = None;
                (State::Done, now_ms, None, None)
            }
            Settlement::Retry {
                due_ms,
                reason,
                progress,
            } => (State::Waiting, due_ms, Some(reason), progress),
            Settlement::Unknown { reason, progress } => {
                (State::Unknown, now_ms, Some(reason), progress)
            }
            Settlement::Bury { reason, progress } => {
                (State::Buried, now_ms, Some(reason), progress)
            }
            Settlement::Withdraw => {
                let event = entry.event;
                kept.deliveries.remove(&id.0);
                kept.give_up(event);
                kept.forget_event(event);
                return Ok(true);
            }
        };
        entry.progress = progress.or(entry.progress.take());
        entry.lost = 0;
        let delivery = &mut entry.delivery;
        (delivery.state, delivery.due_ms, delivery.reason) = (state, due_ms, reason);
        if state == State::Buried {
            let event = entry.event;
            kept.give_up(event);
        }
        Ok(true)
    }

    async fn progress(
        &self,
        id: DeliveryId,
        attempt: u32,
        progress: Bytes,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        let mut kept = self.locked();
        let leased = kept.leased(id, attempt, now_ms);
        Ok(leased
            .map(|entry| entry.progress = Some(progress))
            .is_some())
    }

    async fn seen(
        &self,
        space: &str,
        keys: &[String],
        now_ms: UnixMs,
    ) -> Result<Vec<bool>, StoreFailure> {
        let kept = self.locked();
        let is_seen = |key: &String| kept.marks.is_seen(space, key, now_ms);
        Ok(keys.iter().map(is_seen).collect())
    }

    async fn keep(&self, keep: Keep, _now_ms: UnixMs) -> Result<(), StoreFailure> {
        self.locked().keeps.put(keep);
        Ok(())
    }

    async fn kept(
        &self,
        space: &str,
        key: &str,
        now_ms: UnixMs,
    ) -> Result<Option<Bytes>, StoreFailure> {
        Ok(self.locked().keeps.value(space, key, now_ms))
    }

    async fn kept_list(
        &self,
        space: &str,
        after: Option<&str>,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<Vec<Keep>, StoreFailure> {
        Ok(self.locked().keeps.list((space, after), max, now_ms))
    }

    async fn tally(
        &self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        Ok(self.locked().keeps.tally(space, key, until_ms, now_ms))
    }

    async fn tallied(&self, space: &str, key: &str, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        Ok(self.locked().keeps.tallied(space, key, now_ms))
    }

    async fn next_due(&self, target: &str) -> Result<Option<UnixMs>, StoreFailure> {
        let kept = self.locked();
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
        let kept = self.locked();
        let meant = kept.all().rev().filter(|delivery| {
            before.is_none_or(|before| delivery.id < before) && means(filter, delivery)
        });
        Ok(meant.take(max).cloned().collect())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreFailure> {
        let count = self.locked().all().filter(|one| means(filter, one)).count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn body(&self, id: DeliveryId) -> Result<Option<Bytes>, StoreFailure> {
        let kept = self.locked();
        Ok(kept.deliveries.get(&id.0).map(|entry| entry.body.clone()))
    }

    async fn change(
        &self,
        filter: &Filter,
        change: Change,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        let mut kept = self.locked();
        kept.expire(None, now_ms);
        let meant = kept
            .all()
            .filter(|delivery| means(filter, delivery) && may(change, delivery))
            .map(|delivery| delivery.id.0);
        let meant: Vec<i64> = meant.collect();
        let mut count = 0;
        for id in meant {
            if usize::try_from(count).is_ok_and(|count| count == max) {
                break;
            }
            count += u64::from(kept.change(id, change, now_ms));
        }
        Ok(count)
    }

    async fn sweep(&self, retention: Retention, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        let mut kept = self.locked();
        kept.expire(None, now_ms);
        let run_out = kept.marks.sweep(now_ms) + kept.keeps.sweep(now_ms);
        let is_over = |entry: &&Entry| {
            let kept_ms = match entry.delivery.state {
                State::Waiting | State::Leased => return false,
                State::Done => retention.done_ms,
                State::Unknown | State::Buried => retention.buried_ms,
            };
            entry.delivery.due_ms <= now_ms.saturating_sub(kept_ms)
        };
        let over = kept.deliveries.values().filter(is_over);
        let over: Vec<(i64, i64, State)> = over
            .map(|entry| (entry.delivery.id.0, entry.event, entry.delivery.state))
            .collect();
        for (id, event, state) in &over {
            if *state != State::Buried {
                kept.marks.keep(*event);
            }
            kept.deliveries.remove(id);
            kept.forget_event(*event);
        }
        Ok(u64::try_from(run_out + over.len()).unwrap_or(u64::MAX))
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
        let mut given_up = Vec::new();
        for Entry {
            delivery,
            event,
            lost,
            ..
        } in self.deliveries.values_mut()
        {
            let is_meant = target.is_none_or(|target| delivery.target == target);
            if !is_meant || delivery.state != State::Leased || delivery.due_ms > now_ms {
                continue;
            }
            *lost += 1;
            delivery.state = match *lost {
                _ if delivery.is_once => State::Unknown,
                LEASES_LOST_MAX.. => State::Buried,
                _ => State::Waiting,
            };
            if delivery.state == State::Buried {
                given_up.push(*event);
            }
            delivery.reason = Some(Reason {
                class: LEASE_EXPIRED.to_owned(),
                status: None,
            });
        }
        for event in given_up {
            self.give_up(event);
        }
    }

    /// A delivery, where a lease of it is good.
    fn leased(&mut self, id: DeliveryId, attempt: u32, now_ms: UnixMs) -> Option<&mut Entry> {
        self.deliveries.get_mut(&id.0).filter(|entry| {
            entry.delivery.state == State::Leased
                && entry.delivery.attempts == attempt
                && entry.delivery.due_ms > now_ms
        })
    }

    fn change(&mut self, id: i64, change: Change, now_ms: UnixMs) -> bool {
        let Some(entry) = self.deliveries.get_mut(&id) else {
            return false;
        };
        let event = entry.event;
        match change {
            Change::Replay { due_ms, force } => {
                if entry.delivery.state == State::Buried
                    && !self.marks.take_again(event, force, now_ms)
                {
                    return false;
                }
                (entry.delivery.state, entry.delivery.due_ms) = (State::Waiting, due_ms);
                entry.lost = 0;
            }
            Change::Bury => {
                (entry.delivery.state, entry.delivery.due_ms) = (State::Buried, now_ms);
                self.give_up(event);
            }
        }
        true
    }

    /// Gives the marks of an event back, where none of its deliveries is left that is not buried.
    fn give_up(&mut self, event: i64) {
        let mut left = self.deliveries.values().filter(|one| one.event == event);
        if left.all(|one| one.delivery.state == State::Buried) {
            self.marks.give_back(event);
        }
    }

    /// After the last delivery of an event nothing can be given back or taken again.
    fn forget_event(&mut self, event: i64) {
        if !self.deliveries.values().any(|one| one.event == event) {
            self.marks.keep(event);
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
