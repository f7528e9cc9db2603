//! What time does to the tables: leases run out, marks and settled deliveries are forgotten.

use rusqlite::params;

use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::journal::mark::Name;
use crate::store::journal::order::Fate;
use crate::store::journal::schema::{BURIED, LEASED, UNKNOWN, WAITING};
use crate::store::{DeliveryId, LEASE_EXPIRED, LEASES_LOST_MAX, Reason, UnixMs};

/// A lease that has run out: delivery, event, order key, once, its end, and how many were lost before.
type RunOut = (i64, i64, Option<String>, bool, UnixMs, u32);

impl Ledger {
    /// Ends the leases that have run out; tells how many.
    pub(super) fn expire(&mut self, target: Option<&str>, now_ms: UnixMs) -> Acted<usize> {
        self.end_leases(target, now_ms, now_ms)
    }

    /// Ends the leases that run out up to a moment; tells how many. What waits again is due now.
    pub(super) fn end_leases(
        &mut self,
        target: Option<&str>,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Acted<usize> {
        let targets = match target {
            Some(target) => vec![target.to_owned()],
            None => self.targets(LEASED)?,
        };
        let mut count = 0;
        for target in targets {
            let run_out: Vec<RunOut> = self
                .statement(
                    "SELECT id, event, order_key, is_once, due_ms, lost FROM deliveries
                     WHERE state = 1 AND target = ?1 AND due_ms <= ?2",
                )?
                .query_map(params![target, until_ms], |row| {
                    let (id, event, order) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok((id, event, order, row.get(3)?, row.get(4)?, row.get(5)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            count += run_out.len();
            let reason = Reason {
                class: LEASE_EXPIRED.to_owned(),
                status: None,
            };
            for (id, event, order, is_once, due_ms, before) in run_out {
                let lost = before.saturating_add(1);
                let state = match lost {
                    _ if is_once => UNKNOWN,
                    LEASES_LOST_MAX.. => BURIED,
                    _ => WAITING,
                };
                let fate = Fate {
                    state,
                    due_ms: due_ms.min(now_ms),
                    reason: Some(&reason),
                    lost,
                };
                self.move_to(DeliveryId(id), &target, order.as_deref(), &fate)?;
                if state == BURIED {
                    self.give_up(event)?;
                }
            }
        }
        Ok(count)
    }

    /// Forgets some marks that have run out.
    pub(super) fn sweep_marks(&mut self, max: usize, now_ms: UnixMs) -> Acted<usize> {
        let found: Vec<(i64, Name)> = self
            .statement("SELECT id, name FROM marks WHERE until_ms <= ?1 LIMIT ?2")?
            .query_map(params![now_ms, limit(max)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (row, name) in &found {
            self.forget_mark(*row, name)?;
        }
        if found.len() < max {
            // Runs do not count: nobody knows of them.
            self.marks().swept(self.connection(), now_ms)?;
        }
        Ok(found.len())
    }

    /// Forgets some deliveries of a state that were settled before a moment.
    pub(super) fn sweep_deliveries(
        &mut self,
        state: i64,
        before_ms: UnixMs,
        max: usize,
    ) -> Acted<usize> {
        let mut found: Vec<(i64, i64)> = Vec::new();
        for target in self.targets(state)? {
            let some: Vec<(i64, i64)> = self
                .statement(
                    "SELECT id, event FROM deliveries
                     WHERE state = ?1 AND target = ?2 AND due_ms <= ?3 LIMIT ?4",
                )?
                .query_map(
                    params![state, target, before_ms, limit(max - found.len())],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .collect::<rusqlite::Result<_>>()?;
            found.extend(some);
        }
        for (id, event) in &found {
            if state != BURIED {
                // Something of it was taken, or may have been: nothing is given back any longer.
                self.keep_marks(*event)?;
            }
            self.forget(*id, *event)?;
        }
        Ok(found.len())
    }

    /// The targets that have deliveries in a state: one look at the index for each.
    fn targets(&self, state: i64) -> Acted<Vec<String>> {
        let mut targets: Vec<String> = Vec::new();
        let mut statement =
            self.statement("SELECT min(target) FROM deliveries WHERE state = ?1 AND target > ?2")?;
        loop {
            let last = targets.last().map_or("", String::as_str);
            match statement.query_row(params![state, last], |row| row.get(0))? {
                Some(target) => targets.push(target),
                None => return Ok(targets),
            }
        }
    }
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}
