//! Where to find a mark by its name.
//!
//! In the file marks lie in the order in which they came, which is cheap to write; a tree in the
//! order of their names would touch a page for each. The names of the latest are in memory. When
//! there are [`RECENT_MAX`] of them they go into the file as a run (`mark/run.rs`), and a filter
//! stays in memory that says which run may have a name. So memory is bounded, whatever the number of
//! marks. What is found is a row that may have been deleted or given back since: the row decides.

mod filter;
mod run;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::store::UnixMs;
pub(super) use crate::store::event::mark_name as name;
use crate::store::journal::mark::run::{Entry, Run};

/// A mark's name.
pub(super) type Name = [u8; 16];

/// Names, each with the row of its mark. The writer changes them; others may look.
#[derive(Debug)]
pub(super) struct Marks(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    recent: HashMap<Name, (i64, UnixMs)>,
    /// The oldest first. Those that a transaction deletes are here until it is committed.
    runs: Vec<Run>,
    /// What of `recent` was there before the changes that are not committed, in their order.
    undo: Vec<(Name, Option<(i64, UnixMs)>)>,
    /// Runs that the transaction has written, and those that it has deleted.
    written: Vec<Run>,
    deleted: Vec<i64>,
    /// Marks that ran out up to this moment are deleted: as is committed, and as the transaction has
    /// it. Nothing else tells, as the clock may go back.
    swept_ms: UnixMs,
    sweeping_ms: UnixMs,
    /// The row of the next mark: rows are not used again, as runs may still name them.
    next: i64,
}

impl Marks {
    /// Reads back what there is: filters, and the names that are in no run.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let saved = run::saved(connection)?;
        let mut statement = connection
            .prepare("SELECT name, id, until_ms FROM marks WHERE id > ?1 AND NOT is_free")?;
        let recent = statement
            .query_map([saved], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
            .collect::<rusqlite::Result<_>>()?;
        let last: Option<i64> =
            connection.query_row("SELECT max(id) FROM marks", (), |row| row.get(0))?;
        let mut names = Names {
            swept_ms: UnixMs::MIN,
            sweeping_ms: UnixMs::MIN,
            recent,
            runs: run::all(connection)?,
            next: last.unwrap_or(0).max(saved).saturating_add(1),
            ..Names::default()
        };
        names.bound_filters();
        Ok(Self(Mutex::new(names)))
    }

    /// The rows under which a mark may be held, the latest first. They may not be committed yet.
    pub(super) fn rows(&self, connection: &Connection, name: &Name) -> rusqlite::Result<Vec<i64>> {
        let (recent, runs) = {
            let names = self.names();
            let recent = names.recent.get(name).map(|(row, _)| *row);
            let may_have = names.runs.iter().rev().filter(|run| run.may_have(name));
            (recent, may_have.map(Run::place).collect::<Vec<_>>())
        };
        let mut rows: Vec<i64> = recent.into_iter().collect();
        for place in runs {
            rows.extend(run::rows(connection, place, name)?);
        }
        Ok(rows)
    }

    /// The row for a new mark.
    pub(super) fn next_row(&self) -> i64 {
        let mut names = self.names();
        let row = names.next;
        names.next = row.saturating_add(1);
        row
    }

    /// A mark has been stored, or taken again.
    pub(super) fn insert(&self, name: Name, row: i64, until_ms: UnixMs) {
        let mut names = self.names();
        let before = names.recent.insert(name, (row, until_ms));
        let earlier_ms = until_ms.saturating_sub(1);
        names.swept_ms = names.swept_ms.min(earlier_ms);
        names.sweeping_ms = names.sweeping_ms.min(earlier_ms);
        names.undo.push((name, before));
    }

    /// A mark has been deleted or given back.
    pub(super) fn remove(&self, name: &Name, row: i64) {
        let mut names = self.names();
        if let Some(before) = names.recent.get(name).copied()
            && before.0 == row
        {
            names.recent.remove(name);
            names.undo.push((*name, Some(before)));
        }
    }

    /// Whether so many names are in memory that they should be saved.
    pub(super) fn is_crowded(&self) -> bool {
        self.names().recent.len() >= RECENT_MAX
    }

    /// Writes the names in memory into runs, at the end of a transaction.
    pub(super) fn save(&self, connection: &Connection, now_ms: UnixMs) -> rusqlite::Result<()> {
        let mut names = self.names();
        let swept_ms = names.sweeping_ms;
        let mut by_class: HashMap<u32, Vec<Entry>> = HashMap::new();
        for (name, (row, until_ms)) in &names.recent {
            let class = run::class(until_ms.saturating_sub(now_ms));
            by_class.entry(class).or_default().push(Entry {
                name: *name,
                row: *row,
                until_ms: *until_ms,
            });
        }
        for (class, mut entries) in by_class {
            // Small runs do not add up: the next of their class takes them in.
            let small = names.runs.iter().find(|run| run.is_small(class));
            if let Some(small) = small.map(Run::place) {
                let old = run::entries(connection, small)?;
                entries.extend(old.into_iter().filter(|entry| entry.until_ms > swept_ms));
                run::delete(connection, small.id)?;
                names.deleted.push(small.id);
            }
            for part in entries.chunks_mut(RUN_MAX) {
                let written = run::write(connection, class, part)?;
                names.written.push(written);
            }
        }
        run::save(connection, names.next.saturating_sub(1))
    }

    /// Marks that ran out up to a moment have been deleted, all of them: of the runs that have no
    /// others, one is deleted too. Tells whether there was one.
    pub(super) fn swept(&self, connection: &Connection, now_ms: UnixMs) -> rusqlite::Result<bool> {
        let mut names = self.names();
        names.sweeping_ms = names.sweeping_ms.max(now_ms);
        let now_ms = names.sweeping_ms;
        let is_over = |run: &&Run| run.until_ms() <= now_ms && !names.deleted.contains(&run.id());
        let Some(id) = names.runs.iter().find(is_over).map(Run::id) else {
            return Ok(false);
        };
        run::delete(connection, id)?;
        names.deleted.push(id);
        Ok(true)
    }

    /// The changes stand.
    pub(super) fn commit(&self) {
        let mut names = self.names();
        names.undo.clear();
        names.swept_ms = names.sweeping_ms;
        if !names.deleted.is_empty() {
            let deleted = std::mem::take(&mut names.deleted);
            names.runs.retain(|run| !deleted.contains(&run.id()));
        }
        if !names.written.is_empty() {
            let written = std::mem::take(&mut names.written);
            names.runs.extend(written);
            // A large batch may have made it large.
            names.recent = HashMap::with_capacity(RECENT_MAX);
            names.bound_filters();
        }
    }

    /// The changes are undone.
    pub(super) fn undo(&self) {
        let mut names = self.names();
        names.written.clear();
        names.deleted.clear();
        names.sweeping_ms = names.swept_ms;
        while let Some((name, before)) = names.undo.pop() {
            match before {
                Some(before) => names.recent.insert(name, before),
                None => names.recent.remove(&name),
            };
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// Makes filters smaller, and so wrong more often, the largest first, until they fit.
    fn bound_filters(&mut self) {
        let mut bytes: usize = self.runs.iter().map(Run::filter_bytes).sum();
        while bytes > FILTERS_BYTES_MAX
            && let Some(largest) = self.runs.iter_mut().max_by_key(|run| run.filter_bytes())
        {
            let before = largest.filter_bytes();
            if !largest.fold() {
                return;
            }
            bytes -= before - largest.filter_bytes();
        }
    }
}

/// Names in memory, before they are saved.
const RECENT_MAX: usize = 200_000;
/// Names in one run, at most.
const RUN_MAX: usize = 400_000;
/// What all filters take; at 2 to 3 bytes a name that is room for some 25 million.
const FILTERS_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        crate::store::journal::schema::make(&connection).unwrap();
        connection
    }

    #[test]
    fn what_a_transaction_changed_is_undone_with_it() {
        let file = file();
        let marks = Marks::read(&file).unwrap();
        let (first, second) = (name("r", "1"), name("r", "2"));
        marks.insert(first, 1, 10);
        marks.commit();
        marks.remove(&first, 1);
        marks.insert(first, 2, 10);
        marks.insert(second, 3, 10);
        marks.undo();
        assert_eq!(marks.rows(&file, &first), Ok(vec![1]));
        assert_eq!(marks.rows(&file, &second), Ok(vec![]));
    }

    #[test]
    fn a_name_is_found_in_runs_as_in_memory() {
        let file = file();
        let marks = Marks::read(&file).unwrap();
        let made = |n: i64| name("r", &n.to_string());
        let minute = |n: i64| 60_000 * if n % 10 == 0 { 600 } else { 1 };
        for round in 0..3 {
            for n in round * 1000..(round + 1) * 1000 {
                marks.insert(made(n), n, minute(n));
            }
            // One that is undone leaves everything as it was.
            let saving = file.unchecked_transaction().unwrap();
            marks.save(&file, 0).unwrap();
            if round == 1 {
                saving.rollback().unwrap();
                marks.undo();
                for n in 1000..2000 {
                    marks.insert(made(n), n, minute(n));
                }
                continue;
            }
            saving.commit().unwrap();
            marks.commit();
            assert!(marks.names().recent.is_empty());
        }
        // Two classes, whose small runs were taken into the next.
        assert_eq!(marks.names().runs.len(), 2);
        for n in 0..3000 {
            assert_eq!(marks.rows(&file, &made(n)), Ok(vec![n]), "{n}");
        }
        assert_eq!(marks.rows(&file, &made(3000)), Ok(vec![]));
        let opened = Marks::read(&file).unwrap();
        assert_eq!(opened.rows(&file, &made(2999)), Ok(vec![2999]));
        assert_eq!(opened.swept(&file, 59_999), Ok(false));
        assert_eq!(opened.swept(&file, 60_000), Ok(true));
        assert_eq!(opened.swept(&file, 60_000), Ok(false));
        opened.commit();
        assert_eq!(opened.rows(&file, &made(1)), Ok(vec![]));
        assert_eq!(opened.rows(&file, &made(10)), Ok(vec![10]));
    }
}
