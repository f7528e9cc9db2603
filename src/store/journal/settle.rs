//! How an attempt ends, and how a delivery is changed from outside.

use rusqlite::{OptionalExtension, params};

use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::journal::order::Fate;
use crate::store::journal::schema::{BURIED, DONE, UNKNOWN, WAITING};
use crate::store::{Change, DeliveryId, Reason, Settlement, UnixMs};

/// A delivery under way.
struct UnderWay {
    event: i64,
    target: String,
    order: Option<String>,
    has_progress: bool,
}

impl Ledger {
    /// A lease that nobody took, as the caller was gone: as if it had never been.
    pub(super) fn give_back(&mut self, id: DeliveryId, attempt: u32, due_ms: UnixMs) -> Acted<()> {
        let Some(UnderWay { target, order, .. }) = self.leased(id, attempt, UnixMs::MIN)? else {
            return Ok(());
        };
        self.statement("UPDATE deliveries SET attempts = attempts - 1 WHERE id = ?1")?
            .execute([id.0])?;
        let fate = Fate {
            state: WAITING,
            due_ms,
            reason: None,
            lost: 0,
        };
        self.move_to(id, &target, order.as_deref(), &fate)
    }

    pub(super) fn settle(
        &mut self,
        id: DeliveryId,
        attempt: u32,
        settlement: &Settlement,
        now_ms: UnixMs,
    ) -> Acted<bool> {
        let Some(lease) = self.leased(id, attempt, now_ms)? else {
            return Ok(false);
        };
        let (state, due_ms, reason, progress) = match settlement {
            Settlement::Done => (DONE, now_ms, None, None),
            Settlement::Retry {
                due_ms,
                reason,
                progress,
            } => (WAITING, *due_ms, Some(reason), progress.as_ref()),
            Settlement::Unknown { reason, progress } => {
                (UNKNOWN, now_ms, Some(reason), progress.as_ref())
            }
            Settlement::Bury { reason, progress } => {
                (BURIED, now_ms, Some(reason), progress.as_ref())
            }
            Settlement::Withdraw => return self.withdraw(id, &lease).map(|()| true),
        };
        let fate = Fate {
            state,
            due_ms,
            reason,
            lost: 0,
        };
        self.move_to(id, &lease.target, lease.order.as_deref(), &fate)?;
        if let Some(progress) = progress {
            self.put_progress(id, progress)?;
        } else if state == DONE && lease.has_progress {
            self.drop_progress(id)?;
        }
        if state == BURIED {
            self.give_up(lease.event)?;
        }
        Ok(true)
    }

    /// Stores what an attempt got done so far.
    pub(super) fn progress(
        &mut self,
        id: DeliveryId,
        attempt: u32,
        progress: &[u8],
        now_ms: UnixMs,
    ) -> Acted<bool> {
        let is_leased = self.leased(id, attempt, now_ms)?.is_some();
        if is_leased {
            self.put_progress(id, progress)?;
        }
        Ok(is_leased)
    }

    /// Makes a change that the caller has found to be possible; `false` where another event has the
    /// marks that a replay needs.
    pub(super) fn change(&mut self, id: i64, change: Change, now_ms: UnixMs) -> Acted<bool> {
        let (event, before, target, order, class, status) = self
            .statement(
                "SELECT event, state, target, order_key, class, status FROM deliveries
                 WHERE id = ?1",
            )?
            .query_row([id], |row| {
                let (event, before): (i64, i64) = (row.get(0)?, row.get(1)?);
                let (target, order): (String, Option<String>) = (row.get(2)?, row.get(3)?);
                let class: Option<String> = row.get(4)?;
                Ok((event, before, target, order, class, row.get(5)?))
            })?;
        let (state, due_ms) = match change {
            Change::Replay { due_ms, force } => {
                if before == BURIED && !self.take_again(event, force, now_ms)? {
                    return Ok(false);
                }
                (WAITING, due_ms)
            }
            Change::Bury => (BURIED, now_ms),
        };
        let reason = class.map(|class| Reason { class, status });
        let fate = Fate {
            state,
            due_ms,
            reason: reason.as_ref(),
            lost: 0,
        };
        self.move_to(DeliveryId(id), &target, order.as_deref(), &fate)?;
        if state == BURIED {
            self.give_up(event)?;
        }
        Ok(true)
    }

    /// Deletes a delivery, and with the last of an event its body.
    pub(super) fn forget(&mut self, id: i64, event: i64) -> Acted<()> {
        self.statement("DELETE FROM deliveries WHERE id = ?1")?
            .execute([id])?;
        self.drop_progress(DeliveryId(id))?;
        let bodies = self
            .statement(
                "DELETE FROM bodies WHERE event = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries
                 WHERE id >= bodies.event AND id < bodies.event + bodies.duties)",
            )?
            .execute([event])?;
        if bodies > 0 {
            self.keep_marks(event)?;
        }
        Ok(())
    }

    fn withdraw(&mut self, id: DeliveryId, lease: &UnderWay) -> Acted<()> {
        // Buried first: what is deleted cannot be asked whether its event is given up.
        let fate = Fate {
            state: BURIED,
            due_ms: UnixMs::MIN,
            reason: None,
            lost: 0,
        };
        self.move_to(id, &lease.target, lease.order.as_deref(), &fate)?;
        self.give_up(lease.event)?;
        self.forget(id.0, lease.event)
    }

    /// Stores progress in the place of what was stored before.
    pub(super) fn put_progress(&mut self, id: DeliveryId, progress: &[u8]) -> Acted<()> {
        self.statement("INSERT OR REPLACE INTO progress(id, progress) VALUES (?1, ?2)")?
            .execute(params![id.0, progress])?;
        Ok(())
    }

    fn drop_progress(&mut self, id: DeliveryId) -> Acted<()> {
        self.statement("DELETE FROM progress WHERE id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// A delivery, where a lease of it is good.
    fn leased(&self, id: DeliveryId, attempt: u32, now_ms: UnixMs) -> Acted<Option<UnderWay>> {
        let found = self
            .statement(
                "SELECT event, target, order_key,
                        EXISTS (SELECT 1 FROM progress WHERE progress.id = deliveries.id)
                 FROM deliveries WHERE id = ?1 AND state = 1 AND attempts = ?2 AND due_ms > ?3",
            )?
            .query_row(params![id.0, attempt, now_ms], |row| {
                Ok(UnderWay {
                    event: row.get(0)?,
                    target: row.get(1)?,
                    order: row.get(2)?,
                    has_progress: row.get(3)?,
                })
            })
            .optional()?;
        Ok(found)
    }
}
