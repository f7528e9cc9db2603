//! Which marks there are, in memory, so that looking for one costs no page of the file.
//!
//! In the file marks lie in the order in which they came, which is cheap to write; a tree in the
//! order of their names would touch a page for each. The names are read back when the file is
//! opened. What a transaction changed is undone with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::Connection;

/// A mark's name: half a SHA-256 of route and key, so that nobody can make two alike.
pub(super) type Name = [u8; 16];

/// Names, each with the row of its mark. The writer changes them; others may look.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    rows: HashMap<Name, i64>,
    /// What was there before the changes that are not committed, in the order of the changes.
    undo: Vec<(Name, Option<i64>)>,
}

impl Marks {
    /// Reads back what there is.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        // The rows themselves are not touched, but for those of events that may give theirs back.
        let mut statement = connection.prepare(
            "SELECT name, id FROM marks INDEXED BY by_until
             WHERE id NOT IN (SELECT id FROM marks WHERE event IS NOT NULL AND is_free)",
        )?;
        let rows = statement
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self(Mutex::new(Rows {
            rows,
            undo: Vec::new(),
        })))
    }

    /// The row of a mark that is held. It may not be committed yet, or have run out.
    pub(super) fn row(&self, name: &Name) -> Option<i64> {
        self.rows().rows.get(name).copied()
    }

    /// A mark has been stored, or taken again.
    pub(super) fn insert(&self, name: Name, row: i64) {
        let mut rows = self.rows();
        let before = rows.rows.insert(name, row);
        rows.undo.push((name, before));
    }

    /// A mark has been deleted or given back.
    pub(super) fn remove(&self, name: &Name, row: i64) {
        let mut rows = self.rows();
        if rows.rows.get(name) == Some(&row) {
            rows.rows.remove(name);
            rows.undo.push((*name, Some(row)));
        }
    }

    /// The changes stand.
    pub(super) fn commit(&self) {
        self.rows().undo.clear();
    }

    /// The changes are undone.
    pub(super) fn undo(&self) {
        let mut rows = self.rows();
        while let Some((name, before)) = rows.undo.pop() {
            match before {
                Some(row) => rows.rows.insert(name, row),
                None => rows.rows.remove(&name),
            };
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a route's key. The length keeps two splits of one text apart.
pub(super) fn name(route: &str, key: &str) -> Name {
    let mut text = Vec::with_capacity(8 + route.len() + key.len());
    text.extend_from_slice(&u64::try_from(route.len()).unwrap_or(u64::MAX).to_le_bytes());
    text.extend_from_slice(route.as_bytes());
    text.extend_from_slice(key.as_bytes());
    let whole = digest(&SHA256, &text);
    let mut name = Name::default();
    for (to, from) in name.iter_mut().zip(whole.as_ref()) {
        *to = *from;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transaction_changed_is_undone_with_it() {
        let marks = Marks::default();
        let (first, second) = (name("r", "1"), name("r", "2"));
        marks.insert(first, 1);
        marks.commit();
        marks.remove(&first, 1);
        marks.insert(first, 2);
        marks.insert(second, 3);
        marks.undo();
        assert_eq!((marks.row(&first), marks.row(&second)), (Some(1), None));
    }

    #[test]
    fn a_name_is_of_route_and_key() {
        assert_eq!(name("ab", "c"), name("ab", "c"));
        assert_ne!(name("ab", "c"), name("a", "bc"));
    }
}
