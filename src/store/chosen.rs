//! The store that the settings choose: a journal of one process, or the Redis of the fleet.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::store::carry::{Became, CarriedMark, Part, Record, Taken};
use crate::store::event::mark_name;
use crate::store::hold::Hold;
use crate::store::redis::Redis;
use crate::store::{
    Change, Delivery, DeliveryId, Enqueued, Event, Filter, Journal, Keep, Lease, OpenFault,
    Options, Queue, Retention, Settlement, StoreFailure, UnixMs,
};

/// The store that was chosen.
pub enum Store {
    /// A journal of this process.
    Journal(Journal),
    /// A Redis of the fleet.
    Fleet(Fleet),
}

/// A Redis, and what holds pushes while it is away.
pub struct Fleet {
    redis: Arc<Redis>,
    hold: Option<Hold>,
}

/// The same question to either.
macro_rules! either {
    ($chosen:expr, $store:ident => $ask:expr) => {
        match $chosen {
            Store::Journal($store) => $ask.await,
            Store::Fleet(Fleet { redis: $store, .. }) => $ask.await,
        }
    };
}

impl Store {
    /// Opens the journal.
    pub async fn journal(options: &Options, now_ms: UnixMs) -> Result<Self, OpenFault> {
        let journal = Journal::open(options)?;
        // Whoever held a lease died with it. On a full disk they run out by themselves.
        if let Err(failure) = journal.end_leases(now_ms).await {
            tracing::warn!(%failure, "leases of the last process could not be ended");
        }
        Ok(Self::Journal(journal))
    }

    /// The Redis of the fleet, with the journal that holds what comes in while it is away, if one
    /// does.
    pub async fn fleet(
        redis: Arc<Redis>,
        hold: Option<&Options>,
        now_ms: UnixMs,
    ) -> Result<Self, OpenFault> {
        let hold = match hold {
            None => None,
            Some(options) => {
                let held = Hold::new(Journal::open(options)?, now_ms).await;
                Some(held.map_err(OpenFault::Held)?)
            }
        };
        Ok(Self::Fleet(Fleet { redis, hold }))
    }

    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Journal(_) => "journal",
            Self::Fleet(_) => "redis",
        }
    }

    /// How many events are held for a Redis that is away; `None` where none would be.
    pub fn held(&self) -> Option<u64> {
        match self {
            Self::Journal(_) => None,
            Self::Fleet(fleet) => fleet.hold.as_ref().map(Hold::count),
        }
    }

    /// Waits until another process may have stored something that is due; tells for which targets,
    /// or `None` where it may be any. Never ready where no other process can.
    pub async fn rung(&self) -> Option<BTreeSet<String>> {
        match self {
            Self::Journal(_) => std::future::pending().await,
            Self::Fleet(fleet) => fleet.redis.rung().await,
        }
    }

    /// Brings over what is held; tells how many.
    pub async fn bring(&self, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        match self {
            Self::Fleet(Fleet {
                redis,
                hold: Some(hold),
            }) => hold.bring(redis, now_ms).await,
            _ => Ok(0),
        }
    }

    /// Some of a part, in the order in which it is to be carried, behind a place, which is 0 at
    /// first; and the place behind it, `None` at the end. Nobody may change anything meanwhile.
    pub async fn dump(
        &self,
        part: Part,
        after: i64,
        now_ms: UnixMs,
    ) -> Result<(Vec<Record>, Option<i64>), StoreFailure> {
        either!(self, store => store.dump(part, after, now_ms))
    }

    /// Stores what another store had, where it is not there: what is there stays, and of two
    /// counters the greater.
    pub async fn carry(&self, record: &Record, now_ms: UnixMs) -> Result<Became, StoreFailure> {
        let taken = either!(self, store => store.carry(record, now_ms))?;
        match (taken, record) {
            (Taken::Added, _) => Ok(Became::Added),
            (Taken::Conflict, Record::Event(carried)) => {
                let aside = Record::Event(Box::new(carried.set_aside()));
                let taken = either!(self, store => store.carry(&aside, now_ms))?;
                Ok(match taken {
                    Taken::Added => Became::SetAside,
                    Taken::Known | Taken::Conflict => Became::Known,
                })
            }
            (Taken::Known | Taken::Conflict, _) => Ok(Became::Known),
        }
    }

    /// Whether an export was imported before, all of it.
    pub async fn was_imported(&self, export: &str, now_ms: UnixMs) -> Result<bool, StoreFailure> {
        let seen = self.seen(IMPORTS, &[export.to_owned()], now_ms).await?;
        Ok(seen.contains(&true))
    }

    /// Notes that an export was imported, all of it: for a year.
    pub async fn note_import(&self, export: &str, now_ms: UnixMs) -> Result<(), StoreFailure> {
        let mark = CarriedMark {
            name: mark_name(IMPORTS, export),
            digest: [0; 32],
            answer: Bytes::new(),
            until_ms: now_ms.saturating_add(IMPORT_MS),
        };
        self.carry(&Record::Mark(mark), now_ms).await.map(drop)
    }

    /// Takes nothing more, and waits until what was taken is done.
    pub async fn close(&self) {
        match self {
            Self::Journal(journal) => journal.close().await,
            Self::Fleet(Fleet { redis, hold }) => {
                redis.close().await;
                if let Some(hold) = hold {
                    hold.journal.close().await;
                }
            }
        }
    }
}

impl Fleet {
    async fn enqueue(&self, event: Event, now_ms: UnixMs) -> Result<Enqueued, StoreFailure> {
        let Some(hold) = &self.hold else {
            return self.redis.enqueue(event, now_ms).await;
        };
        // What has an order goes behind what is held already.
        let is_ordered = event.duties.iter().any(|duty| duty.order.is_some());
        if is_ordered && hold.count() > 0 {
            return hold.take(event, now_ms).await;
        }
        match self.redis.enqueue(event.clone(), now_ms).await {
            Err(StoreFailure::Unreachable { .. } | StoreFailure::Unwritable { .. }) => {
                hold.take(event, now_ms).await
            }
            other => other,
        }
    }

    async fn seen(
        &self,
        space: &str,
        keys: &[String],
        now_ms: UnixMs,
    ) -> Result<Vec<bool>, StoreFailure> {
        let seen = self.redis.seen(space, keys, now_ms).await;
        match (seen, &self.hold) {
            (Err(StoreFailure::Unreachable { .. }), Some(hold)) => {
                hold.journal.seen(space, keys, now_ms).await
            }
            (seen, _) => seen,
        }
    }

    async fn sweep(&self, retention: Retention, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        if let Some(hold) = &self.hold {
            hold.sweep(now_ms).await?;
        }
        self.redis.sweep(retention, now_ms).await
    }
}

impl Queue for Store {
    async fn enqueue(&self, event: Event, now_ms: UnixMs) -> Result<Enqueued, StoreFailure> {
        match self {
            Self::Journal(journal) => journal.enqueue(event, now_ms).await,
            Self::Fleet(fleet) => fleet.enqueue(event, now_ms).await,
        }
    }

    async fn lease(
        &self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Vec<Lease>, StoreFailure> {
        either!(self, store => store.lease(target, max, until_ms, now_ms))
    }

    async fn settle(
        &self,
        id: DeliveryId,
        attempt: u32,
        settlement: Settlement,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        either!(self, store => store.settle(id, attempt, settlement, now_ms))
    }

    async fn progress(
        &self,
        id: DeliveryId,
        attempt: u32,
        progress: Bytes,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        either!(self, store => store.progress(id, attempt, progress, now_ms))
    }

    async fn seen(
        &self,
        space: &str,
        keys: &[String],
        now_ms: UnixMs,
    ) -> Result<Vec<bool>, StoreFailure> {
        match self {
            Self::Journal(journal) => journal.seen(space, keys, now_ms).await,
            Self::Fleet(fleet) => fleet.seen(space, keys, now_ms).await,
        }
    }

    async fn keep(&self, keep: Keep, now_ms: UnixMs) -> Result<(), StoreFailure> {
        either!(self, store => store.keep(keep, now_ms))
    }

    async fn kept(
        &self,
        space: &str,
        key: &str,
        now_ms: UnixMs,
    ) -> Result<Option<Bytes>, StoreFailure> {
        either!(self, store => store.kept(space, key, now_ms))
    }

    async fn kept_list(
        &self,
        space: &str,
        after: Option<&str>,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<Vec<Keep>, StoreFailure> {
        either!(self, store => store.kept_list(space, after, max, now_ms))
    }

    async fn tally(
        &self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        either!(self, store => store.tally(space, key, until_ms, now_ms))
    }

    async fn tallied(&self, space: &str, key: &str, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        either!(self, store => store.tallied(space, key, now_ms))
    }

    async fn next_due(&self, target: &str) -> Result<Option<UnixMs>, StoreFailure> {
        either!(self, store => store.next_due(target))
    }

    async fn list(
        &self,
        filter: &Filter,
        before: Option<DeliveryId>,
        max: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        either!(self, store => store.list(filter, before, max))
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreFailure> {
        either!(self, store => store.count(filter))
    }

    async fn body(&self, id: DeliveryId) -> Result<Option<Bytes>, StoreFailure> {
        either!(self, store => store.body(id))
    }

    async fn change(
        &self,
        filter: &Filter,
        change: Change,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        either!(self, store => store.change(filter, change, max, now_ms))
    }

    async fn sweep(&self, retention: Retention, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        match self {
            Self::Journal(journal) => journal.sweep(retention, now_ms).await,
            Self::Fleet(fleet) => fleet.sweep(retention, now_ms).await,
        }
    }

    async fn probe(&self) -> Result<(), StoreFailure> {
        either!(self, store => store.probe())
    }
}

/// The space of the marks of imports: no route's, as no route's name has a space.
const IMPORTS: &str = "imported exports";
const IMPORT_MS: i64 = 366 * 24 * 3_600_000;
