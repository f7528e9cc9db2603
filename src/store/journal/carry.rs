//! What the tables have, for another store; and what another store had, for the tables.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};

use crate::store::carry::{Carried, CarriedMark, Counter, Part, Past, Record, Taken};
use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::journal::order::Fate;
use crate::store::journal::read;
use crate::store::journal::schema::{DONE, code};
use crate::store::{Delivery, DeliveryId, Duty, Event, Keep, State, UnixMs};

/// Some of a part, behind a place; and the place behind it, `None` at the end.
pub(super) fn dump(
    connection: &Connection,
    part: Part,
    after: i64,
    now_ms: UnixMs,
) -> rusqlite::Result<(Vec<Record>, Option<i64>)> {
    let text = match part {
        Part::Events => return events(connection, after, now_ms),
        Part::Marks => {
            "SELECT id, name, digest, answer, until_ms FROM marks
             WHERE id > ?1 AND until_ms > ?2 AND NOT is_free ORDER BY id LIMIT ?3"
        }
        Part::Values => {
            "SELECT id, space, key, value, until_ms FROM keeps
             WHERE id > ?1 AND until_ms > ?2 ORDER BY id LIMIT ?3"
        }
        Part::Counters => {
            "SELECT id, space, key, count, until_ms FROM counters
             WHERE id > ?1 AND until_ms > ?2 ORDER BY id LIMIT ?3"
        }
    };
    let (mut found, mut last) = (Vec::new(), None);
    let mut statement = connection.prepare_cached(text)?;
    let mut rows = statement.query(params![after, now_ms, ROWS])?;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        found.push(match part {
            Part::Events | Part::Marks => Record::Mark(mark(row)?),
            Part::Values => Record::Value(Keep {
                space: row.get(1)?,
                key: row.get(2)?,
                value: bytes(row, 3)?,
                until_ms: row.get(4)?,
            }),
            Part::Counters => Record::Counter(Counter {
                space: row.get(1)?,
                key: row.get(2)?,
                count: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
                until_ms: row.get(4)?,
            }),
        });
    }
    Ok((found, last))
}

fn events(
    connection: &Connection,
    after: i64,
    now_ms: UnixMs,
) -> rusqlite::Result<(Vec<Record>, Option<i64>)> {
    let mut statement = connection.prepare_cached(
        "SELECT event, body FROM bodies WHERE event > ?1 AND EXISTS (SELECT 1 FROM deliveries
             WHERE id >= bodies.event AND id < bodies.event + bodies.duties AND state <> ?2)
         ORDER BY event",
    )?;
    let mut deliveries = connection.prepare_cached(&format!(
        "SELECT {}, lost, (SELECT progress FROM progress WHERE progress.id = deliveries.id)
         FROM bodies CROSS JOIN deliveries
         ON deliveries.id >= bodies.event AND deliveries.id < bodies.event + bodies.duties
         WHERE bodies.event = ?1 ORDER BY id",
        read::COLUMNS
    ))?;
    let mut claims = connection.prepare_cached(
        "SELECT id, name, digest, answer, until_ms FROM marks
         WHERE event = ?1 AND is_free = ?2 AND until_ms > ?3",
    )?;
    let (mut found, mut last, mut size) = (Vec::new(), None, 0usize);
    let mut rows = statement.query([after, DONE])?;
    while let Some(row) = rows.next()? {
        let (number, body) = (row.get(0)?, bytes(row, 1)?);
        last = Some(number);
        size = size.saturating_add(body.len());
        let Some(mut carried) = event(&mut deliveries, number, &body)? else {
            continue;
        };
        carried.claims = claims
            .query_map(params![number, carried.is_given_up(), now_ms], mark)?
            .collect::<rusqlite::Result<_>>()?;
        found.push(Record::Event(Box::new(carried)));
        if size > BYTES || found.len() == EVENTS {
            break;
        }
    }
    Ok((found, last))
}

fn event(
    deliveries: &mut Statement<'_>,
    number: i64,
    body: &Bytes,
) -> rusqlite::Result<Option<Carried>> {
    let mut carried: Option<Carried> = None;
    let mut rows = deliveries.query([number])?;
    while let Some(row) = rows.next()? {
        let delivery = read::delivery(row)?;
        let past = Past {
            state: delivery.state,
            attempts: delivery.attempts,
            lost: row.get(14)?,
            reason: delivery.reason.clone(),
            progress: row.get::<_, Option<Vec<u8>>>(15)?.map(Bytes::from),
        };
        let duty = Duty {
            target: delivery.target.clone(),
            order: delivery.order.clone(),
            due_ms: delivery.due_ms,
            is_once: delivery.is_once,
            leased_until_ms: None,
        };
        let carried = carried.get_or_insert_with(|| of_event(delivery, body.clone()));
        carried.event.duties.push(duty);
        carried.pasts.push(past);
    }
    Ok(carried)
}

fn of_event(delivery: Delivery, body: Bytes) -> Carried {
    Carried {
        event: Event {
            id: delivery.event,
            route: delivery.route,
            marks: Vec::new(),
            content_type: delivery.content_type,
            body,
            received_ms: delivery.received_ms,
            duties: Vec::new(),
            keeps: Vec::new(),
        },
        pasts: Vec::new(),
        claims: Vec::new(),
    }
}

fn mark(row: &Row<'_>) -> rusqlite::Result<CarriedMark> {
    Ok(CarriedMark {
        name: row.get(1)?,
        digest: row.get(2)?,
        answer: bytes(row, 3)?,
        until_ms: row.get(4)?,
    })
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::from(row.get::<_, Vec<u8>>(column)?))
}

impl Ledger {
    /// Stores what another store had, where it is not there.
    pub(super) fn carry(&mut self, record: &Record, now_ms: UnixMs) -> Acted<Taken> {
        let is_new = match record {
            Record::Event(carried) => return self.carry_event(carried, now_ms),
            Record::Mark(mark) => self.carry_mark(mark, now_ms)?,
            Record::Value(keep) => {
                let known = self
                    .statement(
                        "SELECT 1 FROM keeps WHERE space = ?1 AND key = ?2 AND until_ms > ?3",
                    )?
                    .exists(params![keep.space, keep.key, now_ms])?;
                if !known {
                    self.keep(keep)?;
                }
                !known
            }
            Record::Counter(counter) => self.carry_counter(counter, now_ms)?,
        };
        Ok(if is_new { Taken::Added } else { Taken::Known })
    }

    fn carry_event(&mut self, carried: &Carried, now_ms: UnixMs) -> Acted<Taken> {
        let event = &carried.event;
        let mut known = self
            .statement("SELECT 1 FROM deliveries WHERE event_id = ?1")?
            .exists([&event.id])?;
        let is_given_up = carried.is_given_up();
        if !is_given_up {
            let (mut held, mut other) = (0, false);
            for claim in &carried.claims {
                if let Some(found) = self.held(&claim.name, now_ms)?
                    && found.until_ms > now_ms
                {
                    held += 1;
                    other |= found.digest != claim.digest;
                }
            }
            if held > 0 && !known {
                if other || held < carried.claims.len() {
                    return Ok(Taken::Conflict);
                }
                known = true;
            }
        }
        if known {
            return Ok(Taken::Known);
        }
        let answers: usize = carried.claims.iter().map(|mark| mark.answer.len()).sum();
        let progress = carried
            .pasts
            .iter()
            .filter_map(|past| past.progress.as_ref());
        let progress: usize = progress.map(Bytes::len).sum();
        let rows = event.duties.len() + carried.claims.len();
        self.reserve(rows, event.bytes() + answers + progress)?;
        self.comes(now_ms);
        let number = self.next_id();
        for claim in &carried.claims {
            self.put_mark(claim, Some((number, is_given_up)), now_ms)?;
        }
        let _none_is_leased = self.store(event)?;
        for (id, (duty, past)) in (number..).zip(event.duties.iter().zip(&carried.pasts)) {
            self.carry_past(DeliveryId(id), duty, past)?;
        }
        Ok(Taken::Added)
    }

    fn carry_past(&mut self, id: DeliveryId, duty: &Duty, past: &Past) -> Acted<()> {
        self.statement("UPDATE deliveries SET attempts = ?2 WHERE id = ?1")?
            .execute([id.0, i64::from(past.attempts)])?;
        if let Some(progress) = &past.progress {
            self.put_progress(id, progress)?;
        }
        let fate = Fate {
            state: code(past.state),
            due_ms: duty.due_ms,
            reason: past.reason.as_ref(),
            lost: past.lost,
        };
        if past.state == State::Waiting && duty.order.is_none() && past.reason.is_none() {
            return Ok(());
        }
        self.move_to(id, &duty.target, duty.order.as_deref(), &fate)
    }

    fn carry_mark(&mut self, mark: &CarriedMark, now_ms: UnixMs) -> Acted<bool> {
        let held = self.held(&mark.name, now_ms)?;
        if held.is_some_and(|held| held.until_ms > now_ms) {
            return Ok(false);
        }
        self.reserve(1, mark.answer.len())?;
        self.comes(now_ms);
        self.put_mark(mark, None, now_ms)?;
        Ok(true)
    }

    /// Stores a mark, in the place of one that has run out; of an event that may give it back, or
    /// has.
    fn put_mark(
        &mut self,
        mark: &CarriedMark,
        claim: Option<(i64, bool)>,
        now_ms: UnixMs,
    ) -> Acted<()> {
        let is_free = claim.is_some_and(|(_, is_free)| is_free);
        if !is_free && let Some(held) = self.held(&mark.name, now_ms)? {
            self.forget_mark(held.row, &mark.name)?;
        }
        let row = self.marks().next_row();
        self.statement(
            "INSERT INTO marks(id, until_ms, name, digest, answer, event, is_free)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row,
            mark.until_ms,
            mark.name,
            mark.digest,
            &mark.answer[..],
            claim.map(|(number, _)| number),
            is_free,
        ])?;
        if !is_free {
            self.marks().insert(mark.name, row, mark.until_ms);
        }
        Ok(())
    }

    fn carry_counter(&mut self, counter: &Counter, now_ms: UnixMs) -> Acted<bool> {
        let count = i64::try_from(counter.count).unwrap_or(i64::MAX);
        let found: Option<i64> = self
            .statement(
                "SELECT count FROM counters WHERE space = ?1 AND key = ?2 AND until_ms > ?3",
            )?
            .query_row(params![counter.space, counter.key, now_ms], |row| {
                row.get(0)
            })
            .optional()?;
        if found.is_some_and(|found| found >= count) {
            return Ok(false);
        }
        self.reserve(1, counter.space.len() + counter.key.len())?;
        self.statement(
            "INSERT INTO counters(space, key, until_ms, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(space, key) DO UPDATE SET until_ms = ?3, count = ?4",
        )?
        .execute(params![counter.space, counter.key, counter.until_ms, count])?;
        Ok(true)
    }
}

/// Rows that are looked at in one act, events, and bytes of bodies after which no more are.
const ROWS: i64 = 500;
const EVENTS: usize = 100;
const BYTES: usize = 8 << 20;
