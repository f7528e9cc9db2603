//! What comes in while Redis is away: held in a journal of this process's own, and brought over when
//! Redis is back.
//!
//! Whoever is answered here is answered by what this process knows. A push that Redis has seen before
//! is taken again, and found to be a repeat when it is brought over: it is not delivered twice. One
//! that is another push under a key that Redis has seen was answered with a yes, so it is not dropped
//! but set aside for a person, with the class [`HELD_CONFLICT`].

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::{
    Duty, Enqueued, Event, Filter, Journal, Queue, Reason, Redis, Retention, Settlement, State,
    StoreFailure, UnixMs, line,
};

pub(super) struct Hold {
    pub(super) journal: Journal,
    /// How many events it holds.
    count: AtomicU64,
}

impl Hold {
    pub(super) async fn new(journal: Journal, now_ms: UnixMs) -> Result<Self, StoreFailure> {
        journal.end_leases(now_ms).await?;
        let waiting = Filter {
            // What a journal had before it held anything is not held.
            target: Some(TARGET.to_owned()),
            state: Some(State::Waiting),
            ..Filter::default()
        };
        let count = journal.count(&waiting).await?;
        Ok(Self {
            journal,
            count: AtomicU64::new(count),
        })
    }

    /// How many events it holds.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Takes an event in the place of Redis.
    pub(super) async fn take(
        &self,
        event: Event,
        now_ms: UnixMs,
    ) -> Result<Enqueued, StoreFailure> {
        let whole = line::write(&event);
        // Those that are given back are given back in Redis alone: here they would stay.
        let marks = event.marks.into_iter().filter(|mark| !mark.after_success);
        let held = Event {
            id: event.id,
            route: event.route,
            marks: marks.collect(),
            content_type: "application/json".to_owned(),
            body: whole,
            received_ms: event.received_ms,
            duties: vec![Duty {
                target: TARGET.to_owned(),
                // All in one line, so that they are brought over in the order in which they came.
                order: Some(TARGET.to_owned()),
                due_ms: now_ms,
                is_once: false,
                leased_until_ms: None,
            }],
            keeps: Vec::new(),
        };
        let became = self.journal.enqueue(held, now_ms).await?;
        if matches!(became, Enqueued::Stored { .. }) {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
        Ok(became)
    }

    /// Brings over what it holds, as long as Redis takes it; tells how many.
    pub(super) async fn bring(&self, redis: &Redis, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        let mut brought = 0;
        while self.count() > 0 {
            let until_ms = now_ms.saturating_add(LEASE_MS);
            let leases = self.journal.lease(TARGET, 1, until_ms, now_ms).await?;
            let Some(lease) = leases.into_iter().next() else {
                break;
            };
            let Some(event) = line::read(&lease.body) else {
                tracing::error!(event = lease.event, "what was held cannot be read");
                let settlement = Settlement::Bury {
                    reason: reason("unreadable"),
                    progress: None,
                };
                self.settle(&lease, settlement, now_ms).await?;
                continue;
            };
            if let Err(failure) = brought_over(redis, event, now_ms).await {
                let settlement = Settlement::Retry {
                    due_ms: now_ms,
                    reason: reason("store"),
                    progress: None,
                };
                let id = (lease.id, lease.attempt);
                self.journal.settle(id.0, id.1, settlement, now_ms).await?;
                return Err(failure);
            }
            self.settle(&lease, Settlement::Done, now_ms).await?;
            brought += 1;
        }
        Ok(brought)
    }

    async fn settle(
        &self,
        lease: &crate::store::Lease,
        settlement: Settlement,
        now_ms: UnixMs,
    ) -> Result<(), StoreFailure> {
        let attempt = lease.attempt;
        let settled = self.journal.settle(lease.id, attempt, settlement, now_ms);
        if settled.await? {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Forgets what was brought over.
    pub(super) async fn sweep(&self, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        let retention = Retention {
            done_ms: 0,
            buried_ms: i64::MAX,
        };
        self.journal.sweep(retention, now_ms).await
    }
}

/// Stores in Redis what was answered with a yes.
async fn brought_over(redis: &Redis, event: Event, now_ms: UnixMs) -> Result<(), StoreFailure> {
    let mut again = event.clone();
    match redis.enqueue(event, now_ms).await? {
        Enqueued::Stored { .. } => Ok(()),
        Enqueued::Repeated { .. } => {
            tracing::info!(event = again.id, "what was held had come before");
            Ok(())
        }
        Enqueued::Conflict { .. } => {
            tracing::error!(
                event = again.id,
                "another push with its key had come before: what was held is set aside"
            );
            again.marks.clear();
            for duty in &mut again.duties {
                // In nobody's way, so that it is leased, and can be buried.
                duty.order = None;
                duty.leased_until_ms = Some(now_ms.saturating_add(LEASE_MS));
            }
            if let Enqueued::Stored { leased } = redis.enqueue(again, now_ms).await? {
                for one in leased {
                    let settlement = Settlement::Bury {
                        reason: reason(HELD_CONFLICT),
                        progress: None,
                    };
                    redis.settle(one.id, 1, settlement, now_ms).await?;
                }
            }
            Ok(())
        }
    }
}

fn reason(class: &str) -> Reason {
    Reason {
        class: class.to_owned(),
        status: None,
    }
}

/// The class of what was held, and then was not what Redis had seen under its key.
pub const HELD_CONFLICT: &str = "held_conflict";
const TARGET: &str = "held";
const LEASE_MS: i64 = 60_000;
