//! Marks of events: known, stored, given back when their event is given up, and taken again.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::journal::mark::{self, Marks, Name};
use crate::store::{Enqueued, Event, UnixMs};

/// What the marks of an event come to.
pub(super) enum Looked {
    /// Nothing of it was seen before.
    New(Fresh),
    /// It is not stored.
    Known(Enqueued),
}

/// Names to be stored, each with the place of its mark, and marks in their way that have run out.
#[derive(Default)]
pub(super) struct Fresh {
    names: Vec<(usize, Name)>,
    run_out: Vec<(i64, Name)>,
}

/// A mark that is there.
pub(super) struct Held {
    pub(super) row: i64,
    pub(super) until_ms: UnixMs,
    pub(super) digest: [u8; 32],
    answer: Vec<u8>,
}

impl Ledger {
    /// Looks for the marks of an event.
    pub(super) fn look(&self, event: &Event, now_ms: UnixMs) -> Acted<Looked> {
        let mut fresh = Fresh::default();
        let (mut repeated, mut conflicts, mut first) = (Vec::new(), Vec::new(), None);
        let mut own: HashMap<Name, [u8; 32]> = HashMap::new();
        for (at, mark) in event.marks.iter().enumerate() {
            let name = mark::name(&mark.space, &mark.key);
            match self.held(&name, now_ms)? {
                Some(held) if held.until_ms > now_ms => {
                    if held.digest == mark.digest {
                        repeated.push(at);
                        first.get_or_insert(held.answer);
                    } else {
                        conflicts.push(at);
                    }
                    continue;
                }
                Some(held) => fresh.run_out.push((held.row, name)),
                None => {}
            }
            match own.get(&name) {
                Some(digest) if *digest != mark.digest => conflicts.push(at),
                Some(_) => {}
                None => {
                    // One alone has no other beside it.
                    if event.marks.len() > 1 {
                        own.insert(name, mark.digest);
                    }
                    fresh.names.push((at, name));
                }
            }
        }
        if !conflicts.is_empty() {
            return Ok(Looked::Known(Enqueued::Conflict { marks: conflicts }));
        }
        Ok(match first {
            Some(answer) => Looked::Known(Enqueued::Repeated {
                marks: repeated,
                answer: Bytes::from(answer),
            }),
            None => Looked::New(fresh),
        })
    }

    /// Stores the marks of an event that has a number.
    pub(super) fn mark(&mut self, event: &Event, fresh: &Fresh, number: i64) -> Acted<()> {
        for (row, name) in &fresh.run_out {
            self.forget_mark(*row, name)?;
        }
        for (at, name) in &fresh.names {
            let Some(mark) = event.marks.get(*at) else {
                continue;
            };
            // Without deliveries it is never given up, and the number is another one's.
            let is_claim = mark.after_success && !event.duties.is_empty();
            let row = self.marks().next_row();
            self.statement(
                "INSERT INTO marks(id, until_ms, name, digest, answer, event)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                row,
                mark.until_ms,
                name,
                mark.digest,
                &mark.answer[..],
                is_claim.then_some(number),
            ])?;
            self.marks().insert(*name, row, mark.until_ms);
        }
        Ok(())
    }

    /// Gives the marks of an event back, where none of its deliveries is left that is not buried.
    pub(super) fn give_up(&mut self, event: i64) -> Acted<()> {
        let claims: Vec<(i64, Name)> = self
            .statement("SELECT id, name FROM marks WHERE event = ?1 AND NOT is_free")?
            .query_map([event], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        if claims.is_empty() || self.statement(ALIVE)?.exists([event])? {
            return Ok(());
        }
        self.statement("UPDATE marks SET is_free = 1 WHERE event = ?1")?
            .execute([event])?;
        for (row, name) in &claims {
            self.marks().remove(name, *row);
        }
        Ok(())
    }

    /// Takes the marks of an event again that were given back; `false` where another event has one
    /// of them, unless it is forced to go without it.
    pub(super) fn take_again(&mut self, event: i64, force: bool, now_ms: UnixMs) -> Acted<bool> {
        let given: Vec<(i64, Name, UnixMs)> = self
            .statement(
                "SELECT id, name, until_ms FROM marks
                 WHERE event = ?1 AND is_free AND until_ms > ?2",
            )?
            .query_map([event, now_ms], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut free = Vec::new();
        for (row, name, until_ms) in given {
            match self.held(&name, now_ms)? {
                Some(other) if other.until_ms > now_ms && force => {}
                Some(other) if other.until_ms > now_ms => return Ok(false),
                other => free.push((row, name, until_ms, other)),
            }
        }
        for (row, name, until_ms, run_out) in free {
            if let Some(run_out) = run_out {
                self.forget_mark(run_out.row, &name)?;
            }
            self.statement("UPDATE marks SET is_free = 0 WHERE id = ?1")?
                .execute([row])?;
            self.marks().insert(name, row, until_ms);
        }
        Ok(true)
    }

    /// The marks of an event are not given back any longer: those that are held stay to their end.
    pub(super) fn keep_marks(&mut self, event: i64) -> Acted<()> {
        self.statement("DELETE FROM marks WHERE event = ?1 AND is_free")?
            .execute([event])?;
        self.statement("UPDATE marks SET event = NULL WHERE event = ?1")?
            .execute([event])?;
        Ok(())
    }

    /// Deletes a mark.
    pub(super) fn forget_mark(&mut self, row: i64, name: &Name) -> Acted<()> {
        self.statement("DELETE FROM marks WHERE id = ?1")?
            .execute([row])?;
        self.marks().remove(name, row);
        Ok(())
    }

    /// The mark that is held under a name; where none is good any longer, one that has run out.
    pub(super) fn held(&self, name: &Name, now_ms: UnixMs) -> Acted<Option<Held>> {
        let mut run_out = None;
        for row in self.marks().rows(self.connection(), name)? {
            let held = self
                .statement(
                    "SELECT until_ms, digest, answer FROM marks
                     WHERE id = ?1 AND name = ?2 AND NOT is_free",
                )?
                .query_row(params![row, name], |found| {
                    Ok(Held {
                        row,
                        until_ms: found.get(0)?,
                        digest: found.get(1)?,
                        answer: found.get(2)?,
                    })
                })
                .optional()?;
            match held {
                Some(held) if held.until_ms > now_ms => return Ok(Some(held)),
                Some(held) => run_out = Some(held),
                None => {}
            }
        }
        Ok(run_out)
    }
}

/// Which keys of a space are marked, for whoever is not the writer: what is not committed does not
/// count.
pub(super) fn seen(
    connection: &Connection,
    marks: &Marks,
    (space, keys): (&str, &[String]),
    now_ms: UnixMs,
) -> rusqlite::Result<Vec<bool>> {
    let is_seen = |key: &String| {
        let name = mark::name(space, key);
        for row in marks.rows(connection, &name)? {
            let is_good = connection
                .prepare_cached(
                    "SELECT 1 FROM marks
                     WHERE id = ?1 AND name = ?2 AND until_ms > ?3 AND NOT is_free",
                )?
                .exists(params![row, name, now_ms])?;
            if is_good {
                return Ok(true);
            }
        }
        Ok(false)
    };
    keys.iter().map(is_seen).collect()
}

/// A delivery of an event that is not buried; the deliveries of an event follow its number.
const ALIVE: &str = "SELECT 1 FROM bodies CROSS JOIN deliveries
    ON deliveries.id >= bodies.event AND deliveries.id < bodies.event + bodies.duties
    WHERE bodies.event = ?1 AND state <> 4";
