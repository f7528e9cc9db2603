//! Where deliveries are kept until they are taken: stored in one act with the mark that their event
//! was seen, leased for an attempt, settled, buried.
//!
//! [`Queue`] is what a store promises; one contract suite holds every store to it
//! (`tests/store/`). A promise is made when the returned future is ready: what was stored by then
//! survives the death of the process and of the machine. What time it is, the caller says; a clock
//! that goes back makes leases and marks last longer, and nothing else.

mod carry;
mod chosen;
mod event;
mod hold;
mod journal;
mod line;
mod memory;
pub mod redis;

use bytes::Bytes;
use thiserror::Error;

pub use self::redis::Redis;
pub use carry::{Became, Carried, CarriedMark, Counter, PARTS, Part, Past, Record};
pub use chosen::Store;
pub use event::{Duty, Enqueued, Event, Keep, Leased, MARKS_MAX, Mark};
pub use hold::HELD_CONFLICT;
pub use journal::{Journal, OpenFault, Options};
pub use memory::Memory;

/// A millisecond of wall time, counted from 1970-01-01T00:00:00Z.
pub type UnixMs = i64;

/// Names a delivery; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

/// A delivery that was handed out for one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a lease that is not settled runs out"]
pub struct Lease {
    /// The delivery.
    pub id: DeliveryId,
    /// Which handing out this is: counts from 1, as attempts do. A lease of an earlier one
    /// settles nothing.
    pub attempt: u32,
    /// The id of the event.
    pub event: String,
    /// The route that took the event.
    pub route: String,
    /// Its order key.
    pub order: Option<String>,
    /// The media type of the body.
    pub content_type: String,
    /// What is delivered.
    pub body: Bytes,
    /// When the event came.
    pub received_ms: UnixMs,
    /// Doing it twice does harm.
    pub is_once: bool,
    /// What earlier attempts got done before they failed, as they left it.
    pub progress: Option<Bytes>,
}

/// How an attempt ended. Progress is at most 1 MiB; where there is none, what was stored before
/// stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The target took it.
    Done,
    /// It did not, and is tried again at `due_ms`.
    Retry {
        /// When.
        due_ms: UnixMs,
        /// Why it did not.
        reason: Reason,
        /// What it got done before, for the next attempt.
        progress: Option<Bytes>,
    },
    /// Nobody knows whether it took effect: set aside, not tried again.
    Unknown {
        /// What happened.
        reason: Reason,
        /// What it got done before, for a replay.
        progress: Option<Bytes>,
    },
    /// It is given up, and set aside for a person.
    Bury {
        /// Why.
        reason: Reason,
        /// What it got done before, for a replay.
        progress: Option<Bytes>,
    },
    /// The sender was told that it failed, and will send again: delivery and body are forgotten.
    Withdraw,
}

impl Settlement {
    /// About how much it writes, apart from its row.
    fn bytes(&self) -> usize {
        match self {
            Self::Done | Self::Withdraw => 0,
            Self::Retry { progress, .. }
            | Self::Unknown { progress, .. }
            | Self::Bury { progress, .. } => progress.as_ref().map_or(0, Bytes::len),
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A stable word, such as `upstream_timeout` or `status`.
    pub class: String,
    /// The target's status, where there was one.
    pub status: Option<u16>,
}

/// How a delivery is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for its next attempt.
    Waiting,
    /// An attempt is under way.
    Leased,
    /// The target took it.
    Done,
    /// Nobody knows whether it took effect.
    Unknown,
    /// It was given up.
    Buried,
}

/// Every state with its word.
pub const STATES: [(&str, State); 5] = [
    ("waiting", State::Waiting),
    ("leased", State::Leased),
    ("done", State::Done),
    ("unknown", State::Unknown),
    ("buried", State::Buried),
];

/// Which deliveries are meant; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One delivery.
    pub id: Option<DeliveryId>,
    /// Of this event.
    pub event: Option<String>,
    /// Of this route.
    pub route: Option<String>,
    /// To this target.
    pub target: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// With this class of the last failure.
    pub class: Option<String>,
    /// With this order key.
    pub order: Option<String>,
    /// Whose event came at this moment or later.
    pub from_ms: Option<UnixMs>,
    /// Whose event came before this moment.
    pub before_ms: Option<UnixMs>,
}

/// A delivery as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which one.
    pub id: DeliveryId,
    /// The id of its event.
    pub event: String,
    /// The route that took the event.
    pub route: String,
    /// Who gets it.
    pub target: String,
    /// Its order key.
    pub order: Option<String>,
    /// How it is doing.
    pub state: State,
    /// How often it was handed out.
    pub attempts: u32,
    /// When its event came.
    pub received_ms: UnixMs,
    /// When it is due, when its lease runs out, or when it was settled or buried: after its state.
    pub due_ms: UnixMs,
    /// Doing it twice does harm.
    pub is_once: bool,
    /// Why the last attempt failed.
    pub reason: Option<Reason>,
    /// The media type of the body.
    pub content_type: String,
    /// Its size in bytes.
    pub body_bytes: u64,
}

/// What may be changed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Waiting again, due at this moment. Of those that were delivered or whose effect is not
    /// known, and that do harm when done twice, only with `force`. What waits already is brought
    /// forward, never put off. Attempts go on being counted, so that an old lease stays void.
    ///
    /// What was buried takes the marks of its event again that were given back and have not run
    /// out. Where another event has one of them now, it stays buried, but for `force`.
    Replay {
        /// When they are due.
        due_ms: UnixMs,
        /// Also what may take effect a second time.
        force: bool,
    },
    /// Given up: what waits, and what may or may not have taken effect.
    Bury,
}

/// What is kept how long, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Deliveries that were taken.
    pub done_ms: i64,
    /// Deliveries that were set aside.
    pub buried_ms: i64,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreFailure {
    /// It cannot be written: the disk is full, read-only or broken.
    #[error("the store cannot be written: {what}")]
    Unwritable {
        /// What the system says.
        what: String,
    },
    /// It holds as much as it may.
    #[error("the store is full: it holds {bytes} bytes")]
    Full {
        /// How much it holds.
        bytes: u64,
    },
    /// It does not answer, or not yet. What was asked may have been done all the same.
    #[error("the store cannot be reached: {what}")]
    Unreachable {
        /// What was tried, and what happened.
        what: String,
    },
    /// Too much waits to be written.
    #[error("the store cannot keep up")]
    Crowded,
    /// It is closed.
    #[error("the store is closed")]
    Closed,
}

/// What every store promises.
pub trait Queue: Send + Sync {
    /// Stores marks and deliveries of an event, and what is kept with it, in one act.
    ///
    /// `now_ms` decides which marks have run out. Of any number of events with one space and
    /// key under way at once, one is stored. Deliveries that were leased for a caller who does not
    /// wait for it are given back.
    fn enqueue(
        &self,
        event: Event,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<Enqueued, StoreFailure>> + Send;

    /// Hands out deliveries of one target that are due, the oldest due first, until `until_ms`.
    ///
    /// Of one target and order key, one is under way at a time, and none before an earlier one
    /// that waits; what was set aside holds nobody up. Fewer than `max` are handed out where their
    /// bodies have more than [`LEASE_BYTES_MAX`] bytes.
    ///
    /// A lease that has run out is no lease any longer: its delivery waits again, or, where doing
    /// it twice does harm, is `unknown`, both with the class [`LEASE_EXPIRED`]. One whose leases ran out
    /// [`LEASES_LOST_MAX`] times, and never was settled in between, is buried with that class: it may
    /// be what ends the process that attempts it. Leases of the target
    /// are looked at here, those of all targets in [`Queue::change`] and [`Queue::sweep`]; until
    /// then they are listed as leased.
    ///
    /// Leases that the caller does not wait for are given back.
    fn lease(
        &self,
        target: &str,
        max: usize,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<Vec<Lease>, StoreFailure>> + Send;

    /// Ends the attempt of a lease; `false` where the lease had run out before.
    fn settle(
        &self,
        id: DeliveryId,
        attempt: u32,
        settlement: Settlement,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<bool, StoreFailure>> + Send;

    /// Stores what an attempt got done so far, at most 1 MiB, in the place of what was stored
    /// before; `false` where its lease had run out before.
    fn progress(
        &self,
        id: DeliveryId,
        attempt: u32,
        progress: Bytes,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<bool, StoreFailure>> + Send;

    /// Which keys of a space are marked as seen; nothing is stored.
    fn seen(
        &self,
        space: &str,
        keys: &[String],
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<Vec<bool>, StoreFailure>> + Send;

    /// Keeps a value, in the place of one with the same space and key.
    fn keep(
        &self,
        keep: Keep,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send;

    /// A value that is kept.
    fn kept(
        &self,
        space: &str,
        key: &str,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreFailure>> + Send;

    /// What is kept in a space, by key, above `after` where it is given. Fewer than `max` are told
    /// where their values have more than [`LEASE_BYTES_MAX`] bytes, and none only at the end.
    fn kept_list(
        &self,
        space: &str,
        after: Option<&str>,
        max: usize,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<Vec<Keep>, StoreFailure>> + Send;

    /// Adds one to a counter, and tells what it comes to. The first to count says when it begins
    /// anew.
    fn tally(
        &self,
        space: &str,
        key: &str,
        until_ms: UnixMs,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<u64, StoreFailure>> + Send;

    /// What a counter has come to.
    fn tallied(
        &self,
        space: &str,
        key: &str,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<u64, StoreFailure>> + Send;

    /// The next moment at which something of a target is due or a lease of it runs out. What waits
    /// behind another of its order key does not count.
    fn next_due(
        &self,
        target: &str,
    ) -> impl Future<Output = Result<Option<UnixMs>, StoreFailure>> + Send;

    /// Lists deliveries, the newest first, below `before` where it is given.
    fn list(
        &self,
        filter: &Filter,
        before: Option<DeliveryId>,
        max: usize,
    ) -> impl Future<Output = Result<Vec<Delivery>, StoreFailure>> + Send;

    /// How many deliveries a filter means.
    fn count(&self, filter: &Filter) -> impl Future<Output = Result<u64, StoreFailure>> + Send;

    /// The body of a delivery, where the delivery is not forgotten.
    fn body(
        &self,
        id: DeliveryId,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreFailure>> + Send;

    /// Changes at most `max` of the deliveries that a filter means and that the change can be made
    /// to, the oldest first; those with an attempt under way are left alone. Tells how many.
    fn change(
        &self,
        filter: &Filter,
        change: Change,
        max: usize,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<u64, StoreFailure>> + Send;

    /// Forgets marks, values and counters that have run out, and deliveries that were kept long enough, a bounded number
    /// at a time; tells how many.
    fn sweep(
        &self,
        retention: Retention,
        now_ms: UnixMs,
    ) -> impl Future<Output = Result<u64, StoreFailure>> + Send;

    /// Whether it can be written now.
    fn probe(&self) -> impl Future<Output = Result<(), StoreFailure>> + Send;
}

/// The class of what was set aside, or waits again, because a lease ran out.
pub const LEASE_EXPIRED: &str = "lease_expired";

/// How many leases of a delivery may run out one after the other.
pub const LEASES_LOST_MAX: u32 = 5;

/// How many bytes of bodies are handed out at once, at most; one delivery always is.
pub const LEASE_BYTES_MAX: usize = 32 << 20;
