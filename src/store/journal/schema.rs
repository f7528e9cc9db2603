//! The tables, and connections to them. The version of the tables stands in the file: an older one
//! is brought up to date here, a newer one is refused.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::State;
use crate::store::journal::OpenFault;

/// The connection that writes: makes the tables where they are not there yet.
pub(super) fn writer(file: &Path) -> Result<Connection, OpenFault> {
    let broken = |source| OpenFault::Broken {
        file: file.to_owned(),
        source,
    };
    let mut connection = connect(file, OpenFlags::SQLITE_OPEN_CREATE).map_err(broken)?;
    let number = |connection: &Connection, name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(broken)
    };
    let (application, version) = (
        number(&connection, "application_id")?,
        number(&connection, "user_version")?,
    );
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(broken)?;
    // Also one that was begun, when the process died before its tables were made.
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && (application != APPLICATION || version < 1) {
        return Err(OpenFault::Foreign {
            file: file.to_owned(),
        });
    }
    if version > VERSION {
        return Err(OpenFault::Newer {
            file: file.to_owned(),
            version,
        });
    }
    prepare(&mut connection, is_new).map_err(broken)?;
    if version < VERSION {
        bring_up_to_date(&mut connection, version).map_err(broken)?;
    }
    Ok(connection)
}

fn prepare(connection: &mut Connection, is_new: bool) -> rusqlite::Result<()> {
    if is_new {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    // The log comes first: what follows is then as durable as everything else.
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidQuery);
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // A log that had to grow is cut back when it begins anew.
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "cache_spill", false)?;
    Ok(())
}

/// Runs what later versions did to the tables, all or nothing; a new file begins with version 0.
fn bring_up_to_date(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let made = connection.transaction()?;
    for (to, statements) in (1..).zip(VERSIONS) {
        if to > version {
            made.execute_batch(statements)?;
        }
    }
    made.pragma_update(None, "application_id", APPLICATION)?;
    made.pragma_update(None, "user_version", VERSION)?;
    made.commit()?;
    // So that the tables do not hang on the log: a torn one must not take them away.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
}

/// A connection that only reads, or that folds the log into the file.
pub(super) fn helper(file: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(file, OpenFlags::empty())?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn connect(file: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(file, flags)?;
    // Someone looks into the file with a tool of their own: wait, but not for long.
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Statements are planned once: by default, values of parameters make it plan them again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// The number under which a state is kept.
pub(super) fn code(state: State) -> i64 {
    match state {
        State::Waiting => WAITING,
        State::Leased => LEASED,
        State::Done => DONE,
        State::Unknown => UNKNOWN,
        State::Buried => BURIED,
    }
}

/// The state of a number.
pub(super) fn state(code: i64) -> State {
    match code {
        LEASED => State::Leased,
        DONE => State::Done,
        UNKNOWN => State::Unknown,
        BURIED => State::Buried,
        // `HELD` is a kind of waiting that only the store tells apart.
        _ => State::Waiting,
    }
}

pub(super) const WAITING: i64 = 0;
pub(super) const LEASED: i64 = 1;
pub(super) const DONE: i64 = 2;
pub(super) const UNKNOWN: i64 = 3;
pub(super) const BURIED: i64 = 4;
/// It waits behind another of its order key.
pub(super) const HELD: i64 = 5;

/// The tables, for tests of what looks into them.
#[cfg(test)]
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    VERSIONS
        .iter()
        .try_for_each(|statements| connection.execute_batch(statements))
}

const VERSION: i64 = 3;
/// What each version did to the tables of the one before.
const VERSIONS: [&str; 3] = [VERSION_1, VERSION_2, VERSION_3];
/// `Pntl`, by which `file` and this module know the file for a journal.
const APPLICATION: i64 = 0x506e_746c;
const PAGE_BYTES: i64 = 4096;
const LOG_KEPT_BYTES: i64 = 64 << 20;
/// Negative: in KiB, not in pages.
const CACHE_KIB: i64 = -65_536;
const STATEMENTS_MAX: usize = 64;
const BUSY: Duration = Duration::from_secs(5);

/// `due_ms` of a delivery is when it is due, when its lease runs out, or when it was settled,
/// after its state. `deliveries.event` is the id of the event's first delivery, and the number of
/// its body; the deliveries of an event have ids without gaps.
const VERSION_1: &str = "
CREATE TABLE deliveries(
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    is_once INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    target TEXT NOT NULL,
    order_key TEXT,
    event_id TEXT NOT NULL,
    route TEXT NOT NULL,
    content_type TEXT NOT NULL,
    class TEXT,
    status INTEGER
);
CREATE INDEX by_due ON deliveries(state, target, due_ms);
CREATE INDEX by_order ON deliveries(target, order_key, state)
    WHERE order_key IS NOT NULL AND state IN (0, 1, 5);
CREATE INDEX by_event ON deliveries(event_id);
CREATE INDEX by_received ON deliveries(received_ms);
CREATE TABLE bodies(
    event INTEGER PRIMARY KEY,
    duties INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE marks(
    id INTEGER PRIMARY KEY,
    until_ms INTEGER NOT NULL,
    name BLOB NOT NULL,
    digest BLOB NOT NULL,
    answer BLOB NOT NULL
);
CREATE INDEX by_until ON marks(until_ms, name);
CREATE TABLE numbers(
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO numbers(name, value) VALUES ('ids', 1), ('probes', 0);
";

/// `marks.event` is the number of the event that gives its mark back when it is given up, and is
/// empty for all others. Names of marks up to the row `numbers.marks` are in `runs`, whose pages are
/// numbered after them. A mark with `is_free` was given back, and is there for a replay to take.
const VERSION_2: &str = "
ALTER TABLE marks ADD COLUMN event INTEGER;
ALTER TABLE marks ADD COLUMN is_free INTEGER NOT NULL DEFAULT 0;
CREATE INDEX by_claim ON marks(event) WHERE event IS NOT NULL;
CREATE TABLE progress(
    id INTEGER PRIMARY KEY,
    progress BLOB NOT NULL
);
CREATE TABLE keeps(
    id INTEGER PRIMARY KEY,
    until_ms INTEGER NOT NULL,
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (space, key)
);
CREATE INDEX by_end ON keeps(until_ms);
CREATE TABLE counters(
    id INTEGER PRIMARY KEY,
    until_ms INTEGER NOT NULL,
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    count INTEGER NOT NULL,
    UNIQUE (space, key)
);
CREATE INDEX by_turn ON counters(until_ms);
CREATE TABLE runs(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class INTEGER NOT NULL,
    names INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    filter BLOB NOT NULL
);
CREATE TABLE run_pages(
    id INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
);
INSERT INTO numbers(name, value) VALUES ('marks', 0);
";

/// `deliveries.lost` is how many leases of a delivery ran out since it was last settled.
const VERSION_3: &str = "ALTER TABLE deliveries ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;";
