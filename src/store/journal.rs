//! The store that needs no server: SQLite in a folder of its own, for one process at a time.
//!
//! One thread writes. Whatever has come while it made the last transaction durable goes into the
//! next, and is answered when that is (`journal/writer.rs`). Two threads read, one of them what a
//! delivery waits for, the other what an operator asks; a fourth folds the log into the file
//! (`journal/checkpoint.rs`). Nothing here knows what time it is: callers say so.

mod carry;
mod checkpoint;
mod claim;
mod handed;
mod keep;
mod ledger;
mod lock;
mod mark;
mod options;
mod order;
mod read;
mod schema;
mod settle;
mod sweep;
mod writer;

use std::convert::identity;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

pub use options::{OpenFault, Options};

use crate::store::carry::{Part, Record, Taken};
use crate::store::journal::handed::{Given, Handed};
use crate::store::journal::ledger::{Acted, Ledger};
use crate::store::journal::lock::taken;
use crate::store::journal::mark::Marks;
use crate::store::journal::read::Where;
use crate::store::journal::schema::{BURIED, DONE, UNKNOWN};
use crate::store::journal::writer::{Task, Work, Writer, failure};
use crate::store::{
    Change, Delivery, DeliveryId, Enqueued, Event, Filter, Keep, Lease, Queue, Retention,
    Settlement, StoreFailure, UnixMs,
};

/// The embedded store. What is still under way when it is dropped is done all the same;
/// [`Journal::close`] waits for it.
#[derive(Debug)]
pub struct Journal {
    /// `None` once it is closed.
    lanes: RwLock<Option<Lanes>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    marks: Arc<Marks>,
}

/// The ways to the threads. A thread ends when the last of its senders is gone.
#[derive(Debug, Clone)]
struct Lanes {
    writer: mpsc::Sender<Box<dyn Work>>,
    /// For short questions, on which deliveries wait.
    short: mpsc::Sender<Question>,
    /// For questions that may look at everything.
    long: mpsc::Sender<Question>,
}

type Question = Box<dyn FnOnce(&Connection) + Send>;

impl Journal {
    /// Opens the journal of a folder, or begins one.
    ///
    /// Reads the names of the latest marks and the filters of the others, and otherwise nothing: a long
    /// queue does not make it slow.
    /// Blocks; call it where that does no harm.
    pub fn open(options: &Options) -> Result<Self, OpenFault> {
        let lock = Arc::new(taken(&options.folder)?);
        let file = options.folder.join(FILE);
        let broken = |source| OpenFault::Broken {
            file: file.clone(),
            source,
        };
        let connection = schema::writer(&file)?;
        let ledger = Ledger::new(connection, options.bytes_max).map_err(broken)?;
        let marks = Arc::clone(ledger.marks());
        let (folder, folding) = checkpoint::folder(&file).map_err(broken)?;
        let (writer, receiver) = mpsc::channel(options.queue_max.max(1));
        let writing = Writer {
            ledger,
            receiver,
            folder,
            batch_max: options.batch_max.max(1),
            is_broken: false,
        };
        let (short, short_questions) = mpsc::channel(QUESTIONS_MAX);
        let (long, long_questions) = mpsc::channel(QUESTIONS_MAX);
        let short_reader = schema::helper(&file).map_err(broken)?;
        let long_reader = schema::helper(&file).map_err(broken)?;
        let threads = vec![
            started("journal-write", &lock, || writing.run())?,
            started("journal-fold", &lock, || folding.run())?,
            started(
                "journal-short",
                &lock,
                answering(short_reader, short_questions),
            )?,
            started(
                "journal-long",
                &lock,
                answering(long_reader, long_questions),
            )?,
        ];
        Ok(Self {
            lanes: RwLock::new(Some(Lanes {
                writer,
                short,
                long,
            })),
            threads: Mutex::new(threads),
            marks,
        })
    }

    /// Ends every lease; tells how many. For whoever has just opened it: a journal is one process's
    /// alone, so whoever held a lease is dead.
    pub async fn end_leases(&self, now_ms: UnixMs) -> Result<usize, StoreFailure> {
        self.write(move |ledger| ledger.end_leases(None, UnixMs::MAX, now_ms))
            .await
    }

    /// Some of a part, behind a place; and the place behind it, `None` at the end.
    pub(super) async fn dump(
        &self,
        part: Part,
        after: i64,
        now_ms: UnixMs,
    ) -> Result<(Vec<Record>, Option<i64>), StoreFailure> {
        let lane = self.lanes()?.long;
        Self::ask(lane, move |connection| {
            carry::dump(connection, part, after, now_ms)
        })
        .await
    }

    /// Stores what another store had, where it is not there.
    pub(super) async fn carry(
        &self,
        record: &Record,
        now_ms: UnixMs,
    ) -> Result<Taken, StoreFailure> {
        let record = record.clone();
        self.write(move |ledger| ledger.carry(&record, now_ms))
            .await
    }

    /// Takes nothing more, and waits until what was taken is done and the files are closed.
    pub async fn close(&self) {
        drop(
            self.lanes
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // Its panic is in the log; nothing more can be done about it.
                let _ended_well = thread.join().is_ok();
            }
        });
        let _ended_well = joined.await.is_ok();
    }

    fn lanes(&self) -> Result<Lanes, StoreFailure> {
        self.lanes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreFailure::Closed)
    }

    /// Has something done by the writer, when its turn comes.
    async fn write<T: Send + 'static>(
        &self,
        act: impl FnMut(&mut Ledger) -> Acted<T> + Send + 'static,
    ) -> Result<T, StoreFailure> {
        self.write_much(0, act).await
    }

    /// The same, where it is about so many bytes.
    async fn write_much<T: Send + 'static>(
        &self,
        bytes: usize,
        act: impl FnMut(&mut Ledger) -> Acted<T> + Send + 'static,
    ) -> Result<T, StoreFailure> {
        let (work, reply) = Task::boxed(act, bytes, identity);
        let writer = self.lanes()?.writer;
        writer.send(work).await.map_err(|_| StoreFailure::Closed)?;
        // The writer ends when nobody can ask it any longer: this one has asked.
        drop(writer);
        reply.await.map_err(|_| StoreFailure::Closed)?
    }

    async fn ask<T: Send + 'static>(
        lane: mpsc::Sender<Question>,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailure> {
        let (reply, receiver) = oneshot::channel();
        let asked: Question = Box::new(move |connection| {
            let _is_there = reply.send(question(connection)).is_ok();
        });
        lane.send(asked).await.map_err(|_| StoreFailure::Closed)?;
        drop(lane);
        let answer = receiver.await.map_err(|_| StoreFailure::Closed)?;
        answer.map_err(|error| failure(&error))
    }
}

impl Queue for Journal {
    async fn enqueue(&self, event: Event, now_ms: UnixMs) -> Result<Enqueued, StoreFailure> {
        let bytes = event.bytes();
        let lane = self.lanes()?.writer;
        let writer = lane.downgrade();
        let act = move |ledger: &mut Ledger| {
            let became = ledger.enqueue(&event, now_ms)?;
            let leases = Given::of_stored(&became, &event);
            Ok((became, leases))
        };
        let (work, reply) = Task::boxed(act, bytes, |told| Handed::new(told, writer));
        // What comes in does not wait for a place; what is done with it does.
        lane.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => StoreFailure::Crowded,
            TrySendError::Closed(_) => StoreFailure::Closed,
        })?;
        drop(lane);
        let became = reply.await.map_err(|_| StoreFailure::Closed)??;
        Ok(became.taken())
    }

    async fn lease(
        &self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Vec<Lease>, StoreFailure> {
        let target = target.to_owned();
        let lane = self.lanes()?.writer;
        let writer = lane.downgrade();
        let act = move |ledger: &mut Ledger| {
            let leases = ledger.lease(&target, max, until_ms, now_ms)?;
            let given = leases.iter().map(Given::of_lease).collect();
            let leases = leases.into_iter().map(|(lease, _)| lease).collect();
            Ok((leases, given))
        };
        let (work, reply) = Task::boxed(act, 0, |told| Handed::new(told, writer));
        lane.send(work).await.map_err(|_| StoreFailure::Closed)?;
        drop(lane);
        let leases = reply.await.map_err(|_| StoreFailure::Closed)??;
        Ok(leases.taken())
    }

    async fn settle(
        &self,
        id: DeliveryId,
        attempt: u32,
        settlement: Settlement,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        self.write_much(settlement.bytes(), move |ledger| {
            ledger.settle(id, attempt, &settlement, now_ms)
        })
        .await
    }

    async fn progress(
        &self,
        id: DeliveryId,
        attempt: u32,
        progress: Bytes,
        now_ms: UnixMs,
    ) -> Result<bool, StoreFailure> {
        self.write_much(progress.len(), move |ledger| {
            ledger.progress(id, attempt, &progress, now_ms)
        })
        .await
    }

    async fn seen(
        &self,
        space: &str,
        keys: &[String],
        now_ms: UnixMs,
    ) -> Result<Vec<bool>, StoreFailure> {
        let (space, keys, marks) = (space.to_owned(), keys.to_vec(), Arc::clone(&self.marks));
        let lane = self.lanes()?.short;
        Self::ask(lane, move |connection| {
            claim::seen(connection, &marks, (&space, &keys), now_ms)
        })
        .await
    }

    async fn keep(&self, keep: Keep, _now_ms: UnixMs) -> Result<(), StoreFailure> {
        self.write_much(keep.bytes(), move |ledger| ledger.keep(&keep))
            .await
    }

    async fn kept(
        &self,
        space: &str,
        key: &str,
        now_ms: UnixMs,
    ) -> Result<Option<Bytes>, StoreFailure> {
        let (space, key) = (space.to_owned(), key.to_owned());
        let lane = self.lanes()?.short;
        Self::ask(lane, move |connection| {
            keep::kept(connection, (&space, &key), now_ms)
        })
        .await
    }

    async fn kept_list(
        &self,
        space: &str,
        after: Option<&str>,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<Vec<Keep>, StoreFailure> {
        let (space, after) = (space.to_owned(), after.map(str::to_owned));
        let lane = self.lanes()?.long;
        Self::ask(lane, move |connection| {
            keep::list(connection, (&space, after.as_deref()), max, now_ms)
        })
        .await
    }

    async fn tally(
        &self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        let (space, key) = (space.to_owned(), key.to_owned());
        self.write(move |ledger| ledger.tally(&space, &key, until_ms, now_ms))
            .await
    }

    async fn tallied(&self, space: &str, key: &str, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        let (space, key) = (space.to_owned(), key.to_owned());
        let lane = self.lanes()?.short;
        Self::ask(lane, move |connection| {
            keep::tallied(connection, (&space, &key), now_ms)
        })
        .await
    }

    async fn next_due(&self, target: &str) -> Result<Option<UnixMs>, StoreFailure> {
        let target = target.to_owned();
        let lane = self.lanes()?.short;
        Self::ask(lane, move |connection| read::next_due(connection, &target)).await
    }

    async fn list(
        &self,
        filter: &Filter,
        before: Option<DeliveryId>,
        max: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        let filter = filter.clone();
        let lane = self.lanes()?.long;
        Self::ask(lane, move |connection| {
            read::list(connection, &filter, before, max)
        })
        .await
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreFailure> {
        let filter = filter.clone();
        let lane = self.lanes()?.long;
        Self::ask(lane, move |connection| read::count(connection, &filter)).await
    }

    async fn body(&self, id: DeliveryId) -> Result<Option<Bytes>, StoreFailure> {
        let lane = self.lanes()?.short;
        Self::ask(lane, move |connection| read::body(connection, id)).await
    }

    async fn change(
        &self,
        filter: &Filter,
        change: Change,
        max: usize,
        now_ms: UnixMs,
    ) -> Result<u64, StoreFailure> {
        self.write(move |ledger| ledger.expire(None, now_ms))
            .await?;
        let (mut changed, mut after) = (0usize, i64::MIN);
        while changed < max {
            // Looking for them may take long, and is not the writer's work; it only looks again
            // whether each is still meant.
            let lane = self.lanes()?.long;
            let (of, part) = (filter.clone(), CHANGES.min(max - changed));
            let found = Self::ask(lane, move |connection| {
                read::ids(connection, Where::of(&of).changeable(change), after, part)
            })
            .await?;
            let Some(last) = found.last().copied() else {
                break;
            };
            after = last;
            let filter = filter.clone();
            changed += self
                .write(move |ledger| {
                    let mut count = 0;
                    for id in &found {
                        let all = Where::of(&filter).changeable(change);
                        if read::meets(ledger.connection(), all, *id)? {
                            count += usize::from(ledger.change(*id, change, now_ms)?);
                        }
                    }
                    Ok(count)
                })
                .await?;
        }
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    async fn sweep(&self, retention: Retention, now_ms: UnixMs) -> Result<u64, StoreFailure> {
        self.write(move |ledger| ledger.expire(None, now_ms))
            .await?;
        let mut all = 0usize;
        let done_ms = now_ms.saturating_sub(retention.done_ms);
        let aside_ms = now_ms.saturating_sub(retention.buried_ms);
        // In small parts: what else is to be written comes in between.
        for _ in 0..SWEEP_PARTS {
            let part = self
                .write(move |ledger| {
                    let mut count = ledger.sweep_marks(SWEEP, now_ms)?;
                    count += ledger.sweep_keeps(SWEEP, now_ms)?;
                    count += ledger.sweep_deliveries(DONE, done_ms, SWEEP)?;
                    count += ledger.sweep_deliveries(UNKNOWN, aside_ms, SWEEP)?;
                    count += ledger.sweep_deliveries(BURIED, aside_ms, SWEEP)?;
                    Ok(count)
                })
                .await?;
            all += part;
            if part == 0 {
                break;
            }
        }
        Ok(u64::try_from(all).unwrap_or(u64::MAX))
    }

    async fn probe(&self) -> Result<(), StoreFailure> {
        self.write(Ledger::probe).await
    }
}

/// A thread that holds the lock until it has ended.
fn started(
    name: &str,
    lock: &Arc<File>,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenFault> {
    let lock = Arc::clone(lock);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            work();
            drop(lock);
        })
        .map_err(OpenFault::Threads)
}

/// Answers questions as long as someone can ask them.
fn answering(connection: Connection, mut questions: mpsc::Receiver<Question>) -> impl FnOnce() {
    move || {
        while let Some(question) = questions.blocking_recv() {
            question(&connection);
        }
    }
}

const FILE: &str = "journal.sqlite";
const QUESTIONS_MAX: usize = 1024;
/// Deliveries changed in one transaction.
const CHANGES: usize = 500;
/// Of each kind, forgotten in one transaction.
const SWEEP: usize = 100;
const SWEEP_PARTS: usize = 20;
