//! Leases on their way to the caller. Where the caller has gone they are given back at once: nobody
//! has seen them, so nothing can have taken effect.

use std::convert::identity;

use tokio::sync::mpsc;

use crate::store::journal::ledger::Ledger;
use crate::store::journal::writer::{Task, Work};
use crate::store::{DeliveryId, Enqueued, Event, Lease, UnixMs};

/// What is told the caller, with the leases that it hands over.
pub(super) struct Handed<T> {
    told: T,
    back: Back,
}

/// Leases that go back where it is dropped.
struct Back {
    leases: Vec<Given>,
    writer: mpsc::WeakSender<Box<dyn Work>>,
}

/// A lease, and when its delivery was due before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    id: DeliveryId,
    attempt: u32,
    due_ms: UnixMs,
}

impl Given {
    /// What was leased for the one who stored it.
    pub(super) fn of_stored(became: &Enqueued, event: &Event) -> Vec<Self> {
        let Enqueued::Stored { leased } = became else {
            return Vec::new();
        };
        let given = leased.iter().filter_map(|leased| {
            let duty = event.duties.get(leased.duty)?;
            Some(Self {
                id: leased.id,
                attempt: 1,
                due_ms: duty.due_ms,
            })
        });
        given.collect()
    }

    /// What was handed out.
    pub(super) fn of_lease((lease, due_ms): &(Lease, UnixMs)) -> Self {
        Self {
            id: lease.id,
            attempt: lease.attempt,
            due_ms: *due_ms,
        }
    }
}

impl<T> Handed<T> {
    pub(super) fn new(
        (told, leases): (T, Vec<Given>),
        writer: mpsc::WeakSender<Box<dyn Work>>,
    ) -> Self {
        let back = Back { leases, writer };
        Self { told, back }
    }

    /// The caller has it.
    pub(super) fn taken(mut self) -> T {
        self.back.leases.clear();
        self.told
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let leases = std::mem::take(&mut self.leases);
        let (work, _) = Task::boxed(
            move |ledger: &mut Ledger| {
                for lease in &leases {
                    ledger.give_back(lease.id, lease.attempt, lease.due_ms)?;
                }
                Ok(())
            },
            0,
            identity,
        );
        // Where there is no place for it the leases run out.
        let _is_taken = self
            .writer
            .upgrade()
            .is_some_and(|writer| writer.try_send(work).is_ok());
    }
}
