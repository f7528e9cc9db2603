//! The one thread that writes. It takes what has come in the meantime, puts it into one
//! transaction, makes that durable, and answers all of it.

use tokio::sync::{mpsc, oneshot};

use crate::store::StoreFailure;
use crate::store::journal::checkpoint::Folder;
use crate::store::journal::ledger::{Acted, Fault, Ledger};

/// Something to be done in a transaction; it may be done again when the transaction was void.
pub(super) trait Work: Send {
    /// About how much it writes.
    fn bytes(&self) -> usize;
    /// Does it.
    fn run(&mut self, ledger: &mut Ledger) -> rusqlite::Result<()>;
    /// Tells the caller what came of it, or why nothing did.
    fn answer(self: Box<Self>, failure: Option<&StoreFailure>);
}

/// An operation with the caller who waits for it. What it came to is finished once it is durable,
/// and not before: until then it may be done again.
pub(super) struct Task<T, U, F, G> {
    act: F,
    bytes: usize,
    finish: G,
    outcome: Result<T, StoreFailure>,
    reply: oneshot::Sender<Result<U, StoreFailure>>,
}

pub(super) type Reply<T> = oneshot::Receiver<Result<T, StoreFailure>>;

impl<T, U, F, G> Task<T, U, F, G>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnMut(&mut Ledger) -> Acted<T> + Send + 'static,
    G: FnOnce(T) -> U + Send + 'static,
{
    pub(super) fn boxed(act: F, bytes: usize, finish: G) -> (Box<dyn Work>, Reply<U>) {
        let (reply, receiver) = oneshot::channel();
        let task = Self {
            act,
            bytes,
            finish,
            outcome: Err(StoreFailure::Closed),
            reply,
        };
        (Box::new(task), receiver)
    }
}

impl<T, U, F, G> Work for Task<T, U, F, G>
where
    T: Send,
    U: Send,
    F: FnMut(&mut Ledger) -> Acted<T> + Send,
    G: FnOnce(T) -> U + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, ledger: &mut Ledger) -> rusqlite::Result<()> {
        self.outcome = match (self.act)(ledger) {
            Ok(outcome) => Ok(outcome),
            Err(Fault::Refused(failure)) => Err(failure),
            Err(Fault::Broken(error)) => return Err(error),
        };
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&StoreFailure>) {
        let outcome = match failure {
            None => self.outcome.map(self.finish),
            Some(failure) => Err(failure.clone()),
        };
        // A caller who has gone does not want to know.
        let _is_there = self.reply.send(outcome).is_ok();
    }
}

/// The writing thread's own.
pub(super) struct Writer {
    pub(super) ledger: Ledger,
    pub(super) receiver: mpsc::Receiver<Box<dyn Work>>,
    pub(super) folder: Folder,
    /// Operations in one transaction.
    pub(super) batch_max: usize,
    /// The last transaction failed.
    pub(super) is_broken: bool,
}

impl Writer {
    /// Writes until nobody is left who could ask for it.
    pub(super) fn run(mut self) {
        while let Some(first) = self.receiver.blocking_recv() {
            self.turn(first);
            self.folder.after_commit(&self.ledger);
        }
    }

    fn turn(&mut self, first: Box<dyn Work>) {
        let mut batch = vec![first];
        let Err(spoiled) = self.transact(&mut batch, self.batch_max) else {
            self.note(None);
            for work in batch {
                work.answer(None);
            }
            return;
        };
        tracing::debug!(error = %spoiled, operations = batch.len(), "a transaction failed");
        // On a full disk there may be room in the log once it is folded.
        let _tried_below = self.ledger.fold().is_ok();
        // And one of them may have spoiled it for the others: each gets a transaction of its own,
        // until it is plain that none will pass.
        let mut failures = 0;
        let mut last = None;
        for work in batch {
            let mut alone = vec![work];
            if failures < FAILURES_MAX {
                let done = self.transact(&mut alone, 1);
                last = done.err().map(|error| failure(&error));
                failures = if last.is_some() { failures + 1 } else { 0 };
                self.note(last.as_ref());
            }
            for work in alone {
                work.answer(last.as_ref());
            }
        }
    }

    /// Does what is in the batch and what comes in the meantime.
    fn transact(&mut self, batch: &mut Vec<Box<dyn Work>>, max: usize) -> rusqlite::Result<()> {
        let done = self.fill(batch, max).and_then(|()| self.ledger.commit());
        if done.is_err() {
            self.ledger.undo();
        }
        done
    }

    fn fill(&mut self, batch: &mut Vec<Box<dyn Work>>, max: usize) -> rusqlite::Result<()> {
        self.ledger.begin()?;
        let mut bytes = 0usize;
        for work in &mut *batch {
            bytes = bytes.saturating_add(work.bytes());
            work.run(&mut self.ledger)?;
        }
        while batch.len() < max && bytes < BATCH_BYTES_MAX {
            let Some(mut work) = self.next() else {
                break;
            };
            bytes = bytes.saturating_add(work.bytes());
            let done = work.run(&mut self.ledger);
            batch.push(work);
            done?;
        }
        Ok(())
    }

    /// What else there is to do. Callers who have just been answered are about to ask again: they
    /// are let run first, which is no wait where nobody else wants the processor.
    fn next(&mut self) -> Option<Box<dyn Work>> {
        for _ in 0..YIELDS {
            if let Ok(work) = self.receiver.try_recv() {
                return Some(work);
            }
            std::thread::yield_now();
        }
        self.receiver.try_recv().ok()
    }

    /// Says in the log when writing begins to fail, and when it works again.
    fn note(&mut self, failure: Option<&StoreFailure>) {
        match failure {
            Some(failure) if !self.is_broken => tracing::error!(%failure, "journal unwritable"),
            None if self.is_broken => tracing::info!("journal writable again"),
            _ => {}
        }
        self.is_broken = failure.is_some();
    }
}

/// What the store's callers are told of an error of SQLite.
pub(super) fn failure(error: &rusqlite::Error) -> StoreFailure {
    StoreFailure::Unwritable {
        what: error.to_string(),
    }
}

const YIELDS: usize = 10;
/// After so many failures in a row the rest of a batch is not tried.
const FAILURES_MAX: usize = 3;
/// What one transaction writes, about; more would make the others wait.
const BATCH_BYTES_MAX: usize = 8 << 20;
