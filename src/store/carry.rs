//! What goes from one store into another: whole, with what became of it.
//!
//! A key cannot be told from the name of its mark, so marks are carried by name; every store names
//! them alike ([`mark_name`](crate::store::event::mark_name)).

mod record;

use bytes::Bytes;

use crate::store::hold::HELD_CONFLICT;
use crate::store::{Event, Keep, Reason, State, UnixMs};

/// A part of what a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Events of which something is left to do or to decide.
    Events,
    /// Marks that are held.
    Marks,
    /// Values, suppressions among them.
    Values,
    /// Counters.
    Counters,
}

/// The parts in the order in which they are carried: events first, so that a mark that came before
/// its event is never in that event's way.
pub const PARTS: [Part; 4] = [Part::Events, Part::Marks, Part::Values, Part::Counters];

/// Something that is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An event.
    Event(Box<Carried>),
    /// A mark.
    Mark(CarriedMark),
    /// A value.
    Value(Keep),
    /// A counter.
    Counter(Counter),
}

/// An event with what became of its deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The event, without marks and values. Where a delivery does not wait, its duty is due at the
    /// moment at which it was settled.
    pub event: Event,
    /// What became of each duty, in their order.
    pub pasts: Vec<Past>,
    /// The marks that it gives back when it is given up, or has given back where it is.
    pub claims: Vec<CarriedMark>,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// How it is doing.
    pub state: State,
    /// How often it was handed out.
    pub attempts: u32,
    /// How many of its leases ran out, one after the other.
    pub lost: u32,
    /// Why the last attempt failed.
    pub reason: Option<Reason>,
    /// What attempts got done before they failed.
    pub progress: Option<Bytes>,
}

/// A mark by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedMark {
    /// Its name.
    pub name: [u8; 16],
    /// As [`Mark::digest`](crate::store::Mark::digest).
    pub digest: [u8; 32],
    /// As [`Mark::answer`](crate::store::Mark::answer).
    pub answer: Bytes,
    /// From this moment on it does not count.
    pub until_ms: UnixMs,
}

/// A counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Whose keys they are.
    pub space: String,
    /// The key.
    pub key: String,
    /// What it has come to.
    pub count: u64,
    /// When it begins anew.
    pub until_ms: UnixMs,
}

/// What became of something that was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It is there now.
    Added,
    /// It was there before: nothing changed.
    Known,
    /// Another event has some of its marks: what waited of it was buried, with the class
    /// [`HELD_CONFLICT`].
    SetAside,
}

impl Carried {
    /// Nothing of it is left that is not buried.
    pub(super) fn is_given_up(&self) -> bool {
        self.pasts.iter().all(|past| past.state == State::Buried)
    }

    /// The same for a person to decide: nothing of it is tried, and no mark is its own.
    pub(super) fn set_aside(&self) -> Self {
        let mut aside = self.clone();
        aside.claims.clear();
        for past in &mut aside.pasts {
            if past.state == State::Waiting {
                past.state = State::Buried;
                past.reason = Some(Reason {
                    class: HELD_CONFLICT.to_owned(),
                    status: None,
                });
            }
        }
        aside
    }
}

/// What a store makes of an event that is carried into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Added,
    Known,
    /// Another event has some of its marks: nothing was stored.
    Conflict,
}
