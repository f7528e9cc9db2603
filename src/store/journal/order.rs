//! Moving a delivery from state to state, and with it the front of its order key.

use rusqlite::params;

use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::journal::schema::{HELD, LEASED, WAITING};
use crate::store::{DeliveryId, Reason, UnixMs};

/// What becomes of a delivery.
pub(super) struct Fate<'a> {
    pub(super) state: i64,
    pub(super) due_ms: UnixMs,
    pub(super) reason: Option<&'a Reason>,
    /// How many of its leases ran out, one after the other.
    pub(super) lost: u32,
}

impl Ledger {
    /// Gives a delivery its state, and its order key a front.
    pub(super) fn move_to(
        &self,
        id: DeliveryId,
        target: &str,
        order: Option<&str>,
        fate: &Fate<'_>,
    ) -> Acted<()> {
        // Which of a key waits in front is found out below.
        let state = match fate.state {
            WAITING if order.is_some() => HELD,
            state => state,
        };
        let class = fate.reason.map(|reason| reason.class.as_str());
        let status = fate.reason.and_then(|reason| reason.status);
        self.statement(
            "UPDATE deliveries SET state = ?2, due_ms = ?3, class = ?4, status = ?5, lost = ?6
             WHERE id = ?1",
        )?
        .execute(params![id.0, state, fate.due_ms, class, status, fate.lost])?;
        order.map_or(Ok(()), |order| self.form_front(target, order))
    }

    /// Whether a delivery of a key has to wait for another.
    pub(super) fn is_behind(&self, target: &str, order: &str) -> Acted<bool> {
        let found = self
            .statement(
                "SELECT 1 FROM deliveries INDEXED BY by_order
                 WHERE target = ?1 AND order_key = ?2 AND state IN (0, 1, 5) LIMIT 1",
            )?
            .exists(params![target, order])?;
        Ok(found)
    }

    /// Of the deliveries of one key at most one can be handed out: the first, and none while one
    /// is under way.
    fn form_front(&self, target: &str, order: &str) -> Acted<()> {
        let first = |state: i64| -> Acted<Option<i64>> {
            let id = self
                .statement(
                    "SELECT min(id) FROM deliveries INDEXED BY by_order
                     WHERE target = ?1 AND order_key = ?2 AND state IN (0, 1, 5) AND state = ?3",
                )?
                .query_row(params![target, order, state], |row| row.get(0))?;
            Ok(id)
        };
        let (leased, front, held) = (first(LEASED)?, first(WAITING)?, first(HELD)?);
        let wanted = match (leased, front, held) {
            (Some(_), _, _) => None,
            (None, Some(front), Some(held)) => Some(front.min(held)),
            (None, front, held) => front.or(held),
        };
        if wanted == front {
            return Ok(());
        }
        for (id, state) in [(front, HELD), (wanted, WAITING)] {
            if let Some(id) = id {
                self.statement("UPDATE deliveries SET state = ?2 WHERE id = ?1")?
                    .execute([id, state])?;
            }
        }
        Ok(())
    }
}
