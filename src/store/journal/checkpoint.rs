//! Folds the log into the file, off the path of commits.
//!
//! A thread of its own does most of it while the writer goes on. The log begins anew only when
//! nothing in it is left to fold, which a busy writer would put off for ever; so the writer itself
//! folds the little that has come since.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;

use crate::store::journal::ledger::Ledger;
use crate::store::journal::schema;

/// The writer's end.
pub(super) struct Folder {
    wake: SyncSender<()>,
    stage: Arc<AtomicU8>,
    /// The log is folded when it has so many pages.
    fold_at_pages: u64,
    /// Or after so many transactions, where folding did not help before.
    patience: u32,
}

/// The thread's end.
pub(super) struct Folding {
    connection: Connection,
    woken: Receiver<()>,
    stage: Arc<AtomicU8>,
}

/// Both ends.
pub(super) fn folder(file: &Path) -> rusqlite::Result<(Folder, Folding)> {
    let (wake, woken) = sync_channel(1);
    let stage = Arc::new(AtomicU8::new(RESTING));
    let folding = Folding {
        connection: schema::helper(file)?,
        woken,
        stage: Arc::clone(&stage),
    };
    let folder = Folder {
        wake,
        stage,
        fold_at_pages: FOLD_PAGES,
        patience: PATIENCE,
    };
    Ok((folder, folding))
}

impl Folder {
    /// Called between two transactions.
    pub(super) fn after_commit(&mut self, ledger: &Ledger) {
        let pages = ledger.log_pages();
        if pages < FOLD_PAGES {
            self.fold_at_pages = FOLD_PAGES;
        }
        if pages < FOLD_PAGES || pages < self.fold_at_pages && self.patience > 0 {
            self.patience = self.patience.saturating_sub(1);
            return;
        }
        match self.stage.load(Ordering::Acquire) {
            RESTING => {
                self.stage.store(FOLDING, Ordering::Release);
                // It waits in `recv` when it rests, so there is room.
                let _is_there = self.wake.try_send(()).is_ok();
            }
            FOLDED => {
                // A failure (a full disk) shows in the log's growth, and is tried again then.
                let _tried_again_when_it_grows = ledger.fold().is_ok();
                self.stage.store(RESTING, Ordering::Release);
                // Where a reader keeps the log from beginning anew, do not try at every commit.
                self.fold_at_pages = pages.saturating_add(FOLD_PAGES);
                self.patience = PATIENCE;
            }
            _ => {}
        }
    }
}

impl Folding {
    /// Folds whenever it is woken, until the writer is gone.
    pub(super) fn run(self) {
        while self.woken.recv().is_ok() {
            for _ in 0..PASSES_MAX {
                let left = self
                    .connection
                    .query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| {
                        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
                    });
                if left.is_ok_and(|pages| pages < LEFT_PAGES) {
                    break;
                }
            }
            self.stage.store(FOLDED, Ordering::Release);
        }
    }
}

const RESTING: u8 = 0;
const FOLDING: u8 = 1;
const FOLDED: u8 = 2;
/// 8 MiB: twice as much makes the waits longer, half as much makes the writing more.
const FOLD_PAGES: u64 = 2048;
const PATIENCE: u32 = 100;
/// What the writer may be left with.
const LEFT_PAGES: i64 = 256;
const PASSES_MAX: usize = 3;
