//! What is done to the tables, one operation after the other, inside a transaction of the writer.
//!
//! An operation that is refused has written nothing: it checks first. So it leaves the others of
//! its transaction alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, params};

use crate::store::journal::claim::Looked;
use crate::store::journal::mark::Marks;
use crate::store::journal::schema::{HELD, LEASED, WAITING};
use crate::store::{
    DeliveryId, Enqueued, Event, LEASE_BYTES_MAX, Lease, Leased, StoreFailure, UnixMs,
};

/// Why an operation did not do what it was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was refused, and has written nothing.
    Refused(StoreFailure),
    /// It failed half way: its transaction is void.
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

pub(super) type Acted<T> = Result<T, Fault>;

/// The tables, with what is known of them without looking.
#[derive(Debug)]
pub(super) struct Ledger {
    connection: Connection,
    marks: Arc<Marks>,
    ids: Ids,
    /// As they were when the transaction began.
    ids_before: Ids,
    bytes_max: u64,
    page_bytes: u64,
    /// What the file holds, and an estimate of what the transaction adds.
    held_bytes: u64,
    /// Pages in the log.
    log_pages: Arc<AtomicU64>,
    /// When something came last.
    now_ms: Option<UnixMs>,
}

/// Ids are handed out once and never again, also when the last deliveries were forgotten: a lease
/// of long ago must not settle another delivery.
#[derive(Debug, Clone, Copy)]
struct Ids {
    next: i64,
    /// Below this one they are taken in the file. After a crash the rest of them is skipped.
    taken: i64,
}

impl Ledger {
    pub(super) fn new(mut connection: Connection, bytes_max: u64) -> rusqlite::Result<Self> {
        let log_pages = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&log_pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            told.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let taken = connection.query_row(IDS, (), |row| row.get(0))?;
        let ids = Ids { next: taken, taken };
        Ok(Self {
            marks: Arc::new(Marks::read(&connection)?),
            page_bytes: number(&connection, "PRAGMA page_size")?,
            connection,
            ids,
            ids_before: ids,
            bytes_max,
            held_bytes: 0,
            log_pages,
            now_ms: None,
        })
    }

    /// Pages in the log.
    pub(super) fn log_pages(&self) -> u64 {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// Folds the log into the file, as far as nobody reads in it.
    pub(super) fn fold(&self) -> rusqlite::Result<()> {
        let left: i64 = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| {
                Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
            })?;
        if left == 0 {
            // The next transaction begins it anew; who waits for that must not wait for ever.
            self.log_pages.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.run("BEGIN IMMEDIATE")?;
        self.ids_before = self.ids;
        let pages = number(&self.connection, "PRAGMA page_count")?;
        let free = number(&self.connection, "PRAGMA freelist_count")?;
        self.held_bytes = pages.saturating_sub(free).saturating_mul(self.page_bytes);
        Ok(())
    }

    /// Makes the transaction durable.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        if let Some(now_ms) = self.now_ms
            && self.marks.is_crowded()
        {
            self.marks.save(&self.connection, now_ms)?;
        }
        self.run("COMMIT")?;
        self.marks.commit();
        Ok(())
    }

    /// Gives the transaction up.
    pub(super) fn undo(&mut self) {
        self.marks.undo();
        self.ids = self.ids_before;
        // Where SQLite has given it up itself there is nothing to roll back. Where rolling back
        // fails, `begin` will.
        if !self.connection.is_autocommit() {
            let _told_by_the_next_begin = self.run("ROLLBACK").is_ok();
        }
    }

    pub(super) fn enqueue(&mut self, event: &Event, now_ms: UnixMs) -> Acted<Enqueued> {
        let fresh = match self.look(event, now_ms)? {
            Looked::New(fresh) => fresh,
            Looked::Known(became) => return Ok(became),
        };
        let rows = event.duties.len() + event.marks.len() + event.keeps.len();
        self.reserve(rows, event.bytes())?;
        self.comes(now_ms);
        self.mark(event, &fresh, self.ids.next)?;
        for keep in &event.keeps {
            self.put(keep)?;
        }
        let leased = self.store(event)?;
        Ok(Enqueued::Stored { leased })
    }

    /// Whether there is room for rows and what is in them.
    pub(super) fn reserve(&mut self, rows: usize, bytes: usize) -> Acted<()> {
        if self.log_pages() > LOG_PAGES_MAX {
            return Err(Fault::Refused(StoreFailure::Crowded));
        }
        let bytes = bytes.saturating_add(rows.saturating_mul(ROW_BYTES));
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let held_bytes = self.held_bytes.saturating_add(bytes);
        if held_bytes > self.bytes_max {
            let bytes = self.held_bytes;
            return Err(Fault::Refused(StoreFailure::Full { bytes }));
        }
        self.held_bytes = held_bytes;
        Ok(())
    }

    /// The id of the next delivery.
    pub(super) fn next_id(&self) -> i64 {
        self.ids.next
    }

    /// Something comes in now.
    pub(super) fn comes(&mut self, now_ms: UnixMs) {
        self.now_ms = Some(now_ms);
    }

    /// Stores the deliveries of an event for which there is room.
    pub(super) fn store(&mut self, event: &Event) -> Acted<Vec<Leased>> {
        let duties = i64::try_from(event.duties.len()).unwrap_or(i64::MAX);
        let number = self.ids.next;
        self.ids.next = number.saturating_add(duties);
        if self.ids.next > self.ids.taken {
            self.ids.taken = self.ids.next.saturating_add(IDS_TAKEN);
            self.statement("UPDATE numbers SET value = ?1 WHERE name = 'ids'")?
                .execute([self.ids.taken])?;
        }
        if duties > 0 {
            self.statement("INSERT INTO bodies(event, duties, body) VALUES (?1, ?2, ?3)")?
                .execute(params![number, duties, &event.body[..]])?;
        }
        let body_bytes = i64::try_from(event.body.len()).unwrap_or(i64::MAX);
        let mut leased = Vec::new();
        for (place, (id, duty)) in (number..).zip(&event.duties).enumerate() {
            let is_behind = match &duty.order {
                Some(order) => self.is_behind(&duty.target, order)?,
                None => false,
            };
            let (state, attempts, due_ms) = match duty.leased_until_ms {
                _ if is_behind => (HELD, 0, duty.due_ms),
                Some(until_ms) => (LEASED, 1, until_ms),
                None => (WAITING, 0, duty.due_ms),
            };
            if state == LEASED {
                leased.push(Leased {
                    duty: place,
                    id: DeliveryId(id),
                });
            }
            self.statement(INSERT)?.execute(params![
                id,
                number,
                state,
                attempts,
                due_ms,
                duty.is_once,
                event.received_ms,
                body_bytes,
                duty.target,
                duty.order,
                event.id,
                event.route,
                event.content_type,
            ])?;
        }
        Ok(leased)
    }

    /// Deliveries of a target that are due, each with the moment at which it was.
    pub(super) fn lease(
        &mut self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Acted<Vec<(Lease, UnixMs)>> {
        self.expire(Some(target), now_ms)?;
        let mut leases = Vec::new();
        let mut bytes = 0usize;
        {
            let mut statement = self.statement(DUE)?;
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![target, now_ms, max])?;
            while let Some(row) = rows.next()? {
                let body: Vec<u8> = self
                    .statement("SELECT body FROM bodies WHERE event = ?1")?
                    .query_row([row.get::<_, i64>(1)?], |row| row.get(0))?;
                let progress: Option<Vec<u8>> = row.get(10)?;
                let more = body.len() + progress.as_ref().map_or(0, Vec::len);
                bytes = bytes.saturating_add(more);
                if !leases.is_empty() && bytes > LEASE_BYTES_MAX {
                    break;
                }
                let lease = Lease {
                    id: DeliveryId(row.get(0)?),
                    attempt: row.get::<_, u32>(2)?.saturating_add(1),
                    event: row.get(6)?,
                    route: row.get(7)?,
                    order: row.get(5)?,
                    content_type: row.get(8)?,
                    body: Bytes::from(body),
                    received_ms: row.get(4)?,
                    is_once: row.get(9)?,
                    progress: progress.map(Bytes::from),
                };
                leases.push((lease, row.get(3)?));
            }
        }
        for (lease, _) in &leases {
            self.statement(
                "UPDATE deliveries SET state = 1, attempts = ?2, due_ms = ?3 WHERE id = ?1",
            )?
            .execute(params![lease.id.0, lease.attempt, until_ms])?;
        }
        Ok(leases)
    }

    /// Writes something.
    pub(super) fn probe(&mut self) -> Acted<()> {
        self.run("UPDATE numbers SET value = value + 1 WHERE name = 'probes'")?;
        Ok(())
    }

    /// The marks, for whoever wants to look.
    pub(super) fn marks(&self) -> &Arc<Marks> {
        &self.marks
    }

    /// The connection, to look at what the transaction sees.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn statement(&self, text: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(text)
    }

    fn run(&self, text: &str) -> rusqlite::Result<usize> {
        self.statement(text)?.execute(())
    }
}

/// A number that a pragma tells; none of them is negative.
fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    let number: i64 = connection
        .prepare_cached(pragma)?
        .query_row((), |row| row.get(0))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// How many ids are taken in the file at once: one write for that many deliveries.
const IDS_TAKEN: i64 = 100_000;
/// About what a row and its entries in the indexes take.
const ROW_BYTES: usize = 400;
/// With so much in the log nothing more comes in: it cannot be folded.
const LOG_PAGES_MAX: u64 = 65_536;
const IDS: &str = "SELECT value FROM numbers WHERE name = 'ids'";
const INSERT: &str = "INSERT INTO deliveries(id, event, state, attempts, due_ms, is_once,
    received_ms, body_bytes, target, order_key, event_id, route, content_type)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const DUE: &str = "SELECT id, event, attempts, due_ms, received_ms, order_key, event_id, route,
    content_type, is_once, (SELECT progress FROM progress WHERE progress.id = deliveries.id)
    FROM deliveries INDEXED BY by_due
    WHERE state = 0 AND target = ?1 AND due_ms <= ?2 ORDER BY due_ms, id LIMIT ?3";
