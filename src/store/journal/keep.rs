//! Values and counters that are kept for a time.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::{Keep, LEASE_BYTES_MAX, UnixMs};

impl Ledger {
    /// Keeps a value that comes alone.
    pub(super) fn keep(&mut self, keep: &Keep) -> Acted<()> {
        self.reserve(1, keep.bytes())?;
        self.put(keep)
    }

    /// Keeps a value for which there is room.
    pub(super) fn put(&mut self, keep: &Keep) -> Acted<()> {
        self.statement(
            "INSERT INTO keeps(space, key, until_ms, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(space, key) DO UPDATE SET until_ms = ?3, value = ?4",
        )?
        .execute(params![
            keep.space,
            keep.key,
            keep.until_ms,
            &keep.value[..]
        ])?;
        Ok(())
    }

    /// Adds one to a counter.
    pub(super) fn tally(
        &mut self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Acted<u64> {
        let found: Option<(i64, UnixMs)> = self
            .statement("SELECT count, until_ms FROM counters WHERE space = ?1 AND key = ?2")?
            .query_row(params![space, key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (count, until_ms) = match found {
            Some((count, until_ms)) if until_ms > now_ms => (count.saturating_add(1), until_ms),
            Some(_) => (1, until_ms),
            None => {
                self.reserve(1, space.len() + key.len())?;
                (1, until_ms)
            }
        };
        self.statement(
            "INSERT INTO counters(space, key, until_ms, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(space, key) DO UPDATE SET until_ms = ?3, count = ?4",
        )?
        .execute(params![space, key, until_ms, count])?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Forgets some values and counters that have run out.
    pub(super) fn sweep_keeps(&mut self, max: usize, now_ms: UnixMs) -> Acted<usize> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut count = 0;
        for statement in [
            "DELETE FROM keeps WHERE id IN
             (SELECT id FROM keeps WHERE until_ms <= ?1 LIMIT ?2)",
            "DELETE FROM counters WHERE id IN
             (SELECT id FROM counters WHERE until_ms <= ?1 LIMIT ?2)",
        ] {
            count += self.statement(statement)?.execute([now_ms, max])?;
        }
        Ok(count)
    }
}

/// A value that is kept.
pub(super) fn kept(
    connection: &Connection,
    (space, key): (&str, &str),
    now_ms: UnixMs,
) -> rusqlite::Result<Option<Bytes>> {
    let value: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM keeps WHERE space = ?1 AND key = ?2 AND until_ms > ?3")?
        .query_row(params![space, key, now_ms], |row| row.get(0))
        .optional()?;
    Ok(value.map(Bytes::from))
}

/// What is kept in a space, by key.
pub(super) fn list(
    connection: &Connection,
    (space, after): (&str, Option<&str>),
    max: usize,
    now_ms: UnixMs,
) -> rusqlite::Result<Vec<Keep>> {
    // A key may be empty, and is above nothing all the same.
    let mut statement = connection.prepare_cached(
        "SELECT key, value, until_ms FROM keeps
         WHERE space = ?1 AND key >= ?2 AND (?3 OR key > ?2) AND until_ms > ?4
         ORDER BY key LIMIT ?5",
    )?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let from = after.unwrap_or_default();
    let mut rows = statement.query(params![space, from, after.is_none(), now_ms, max])?;
    let (mut found, mut bytes) = (Vec::new(), 0usize);
    while let Some(row) = rows.next()? {
        let keep = Keep {
            space: space.to_owned(),
            key: row.get(0)?,
            value: Bytes::from(row.get::<_, Vec<u8>>(1)?),
            until_ms: row.get(2)?,
        };
        bytes = bytes.saturating_add(keep.bytes());
        if !found.is_empty() && bytes > LEASE_BYTES_MAX {
            break;
        }
        found.push(keep);
    }
    Ok(found)
}

/// What a counter has come to.
pub(super) fn tallied(
    connection: &Connection,
    (space, key): (&str, &str),
    now_ms: UnixMs,
) -> rusqlite::Result<u64> {
    let count: Option<i64> = connection
        .prepare_cached(
            "SELECT count FROM counters WHERE space = ?1 AND key = ?2 AND until_ms > ?3",
        )?
        .query_row(params![space, key, now_ms], |row| row.get(0))
        .optional()?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}
