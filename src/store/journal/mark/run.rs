//! Names that are in the file, in runs that are written once, and deleted whole when the last of
//! them has run out. Marks that hold for about as long share a run, so that a few that hold long do
//! not keep many that do not.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::UnixMs;
use crate::store::journal::mark::Name;
use crate::store::journal::mark::filter::Filter;

/// A name in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) row: i64,
    pub(super) until_ms: UnixMs,
}

/// What is known of a run without looking.
#[derive(Debug)]
pub(super) struct Run {
    place: Place,
    class: u32,
    names: usize,
    until_ms: UnixMs,
    filter: Filter,
}

/// Where a run lies: its pages are numbered, and a name tells on which one it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: i64,
    pages: i64,
}

impl Run {
    pub(super) fn may_have(&self, name: &Name) -> bool {
        self.filter.may_have(name)
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn id(&self) -> i64 {
        self.place.id
    }

    /// When the last of it runs out.
    pub(super) fn until_ms(&self) -> UnixMs {
        self.until_ms
    }

    /// Whether it is to be taken into the next of a class.
    pub(super) fn is_small(&self, class: u32) -> bool {
        self.class == class && self.names < SMALL
    }

    pub(super) fn filter_bytes(&self) -> usize {
        self.filter.bytes()
    }

    pub(super) fn fold(&mut self) -> bool {
        self.filter.fold()
    }
}

/// Marks that hold for up to an hour, for up to four, for up to sixteen, and so on.
pub(super) fn class(for_ms: i64) -> u32 {
    let hours = u64::try_from(for_ms).unwrap_or(0).div_ceil(HOUR_MS);
    hours
        .max(1)
        .next_power_of_two()
        .ilog2()
        .div_ceil(2)
        .min(CLASS_MAX)
}

/// Writes a run.
pub(super) fn write(
    connection: &Connection,
    class: u32,
    entries: &mut [Entry],
) -> rusqlite::Result<Run> {
    let pages = i64::try_from(entries.len().div_ceil(PAGE_NAMES))
        .unwrap_or(1)
        .max(1);
    entries.sort_unstable_by_key(|entry| page(&entry.name, pages));
    let mut filter = Filter::sized(entries.len());
    let mut until_ms = UnixMs::MIN;
    for entry in &*entries {
        filter.insert(&entry.name);
        until_ms = until_ms.max(entry.until_ms);
    }
    let names = entries.len();
    connection
        .prepare_cached(
            "INSERT INTO runs(class, names, pages, until_ms, filter) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            class,
            i64::try_from(names).unwrap_or(i64::MAX),
            pages,
            until_ms,
            filter.encode(),
        ])?;
    let place = Place {
        id: connection.last_insert_rowid(),
        pages,
    };
    let mut insert =
        connection.prepare_cached("INSERT INTO run_pages(id, entries) VALUES (?1, ?2)")?;
    for part in entries.chunk_by(|one, other| page(&one.name, pages) == page(&other.name, pages)) {
        if let Some(first) = part.first() {
            insert.execute(params![place.page(&first.name), encode(part)])?;
        }
    }
    Ok(Run {
        place,
        class,
        names,
        until_ms,
        filter,
    })
}

/// Deletes a run.
pub(super) fn delete(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM run_pages WHERE id >= ?1 AND id < ?2")?
        .execute([
            id.saturating_mul(PAGES_MAX),
            id.saturating_add(1).saturating_mul(PAGES_MAX),
        ])?;
    connection
        .prepare_cached("DELETE FROM runs WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// All runs, the oldest first.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut statement = connection
        .prepare("SELECT id, class, names, pages, until_ms, filter FROM runs ORDER BY id")?;
    let runs = statement.query_map((), |row| {
        let bytes: Vec<u8> = row.get(5)?;
        Ok(Run {
            place: Place {
                id: row.get(0)?,
                pages: row.get(3)?,
            },
            class: row.get(1)?,
            names: usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX),
            until_ms: row.get(4)?,
            filter: Filter::decode(&bytes).ok_or(rusqlite::Error::InvalidQuery)?,
        })
    })?;
    runs.collect()
}

/// The rows that a run has under a name.
pub(super) fn rows(
    connection: &Connection,
    place: Place,
    name: &Name,
) -> rusqlite::Result<Vec<i64>> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT entries FROM run_pages WHERE id = ?1")?
        .query_row([place.page(name)], |row| row.get(0))
        .optional()?;
    let entries = decode(&found.unwrap_or_default());
    let its = entries.into_iter().filter(|entry| entry.name == *name);
    Ok(its.map(|entry| entry.row).collect())
}

/// Everything in a run.
pub(super) fn entries(connection: &Connection, place: Place) -> rusqlite::Result<Vec<Entry>> {
    let mut statement =
        connection.prepare_cached("SELECT entries FROM run_pages WHERE id >= ?1 AND id < ?2")?;
    let first = place.id.saturating_mul(PAGES_MAX);
    let mut rows = statement.query([first, first.saturating_add(PAGES_MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(decode(&row.get::<_, Vec<u8>>(0)?));
    }
    Ok(found)
}

/// Up to which row names are in runs.
pub(super) fn saved(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT value FROM numbers WHERE name = 'marks'",
        (),
        |row| row.get(0),
    )
}

/// Says so.
pub(super) fn save(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE numbers SET value = ?1 WHERE name = 'marks'")?
        .execute([row])?;
    Ok(())
}

impl Place {
    fn page(self, name: &Name) -> i64 {
        self.id
            .saturating_mul(PAGES_MAX)
            .saturating_add(page(name, self.pages))
    }
}

/// On which of so many pages a name is: by its highest bits, which the filter does not use.
fn page(name: &Name, pages: i64) -> i64 {
    let high = u128::from_le_bytes(*name) >> 96;
    let pages = u128::try_from(pages).unwrap_or(1);
    i64::try_from((high * pages) >> 32).unwrap_or(0)
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        bytes.extend_from_slice(&entry.name);
        bytes.extend_from_slice(&entry.row.to_le_bytes());
        bytes.extend_from_slice(&entry.until_ms.to_le_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Vec<Entry> {
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    let entry = |bytes: &[u8; ENTRY_BYTES]| {
        let (name, rest) = bytes.split_first_chunk()?;
        let (row, rest) = rest.split_first_chunk()?;
        let (until_ms, _) = rest.split_first_chunk()?;
        Some(Entry {
            name: *name,
            row: i64::from_le_bytes(*row),
            until_ms: i64::from_le_bytes(*until_ms),
        })
    };
    entries.iter().filter_map(entry).collect()
}

const HOUR_MS: u64 = 3_600_000;
const CLASS_MAX: u32 = 6;
/// Fewer names than these are written again with the next of their class.
const SMALL: usize = 100_000;
const ENTRY_BYTES: usize = 32;
/// About as many as fit on one page of the file.
const PAGE_NAMES: usize = 100;
/// The numbers of a run's pages follow its own.
const PAGES_MAX: i64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_hold_about_as_long_are_of_one_class() {
        let hour = 3_600_000;
        let cases = [
            (-5, 0),
            (1, 0),
            (hour, 0),
            (hour + 1, 1),
            (4 * hour, 1),
            (5 * hour, 2),
        ];
        for (for_ms, wanted) in cases {
            assert_eq!(class(for_ms), wanted, "{for_ms}");
        }
        assert_eq!(class(i64::MAX), CLASS_MAX);
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entries = [1, 2].map(|n| Entry {
            name: [9; 16],
            row: n,
            until_ms: -n,
        });
        assert_eq!(decode(&encode(&entries)), entries);
    }
}
