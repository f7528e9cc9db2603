//! What comes into a store: an event with its marks, its duties and what is kept with it, and what
//! became of it.

use bytes::Bytes;

use crate::crypto::sha256;
use crate::store::{DeliveryId, UnixMs};

/// An event that came in, with everything that is owed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, unique for all time; receivers know it as `webhook-id`.
    pub id: String,
    /// The route that took it.
    pub route: String,
    /// Under which marks it counts as seen, at most [`MARKS_MAX`]: none where a route does not look
    /// for repeats, one for each item of a batch. Of two with one space, key and digest the first
    /// counts.
    pub marks: Vec<Mark>,
    /// The media type of the body.
    pub content_type: String,
    /// What is delivered, at most 16 MiB.
    pub body: Bytes,
    /// When it came.
    pub received_ms: UnixMs,
    /// To whom it is owed; at least one.
    pub duties: Vec<Duty>,
    /// What is kept in the same act.
    pub keeps: Vec<Keep>,
}

/// One delivery that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Who gets it.
    pub target: String,
    /// Deliveries of one target and one order key are handed out one after the other, in the order
    /// in which they were stored. `None` where the order does not matter.
    pub order: Option<String>,
    /// Not before this moment.
    pub due_ms: UnixMs,
    /// Doing it twice does harm: an attempt with no known end is not repeated.
    pub is_once: bool,
    /// The caller takes the first attempt itself: it is stored as leased until this moment, with
    /// attempt 1. Where another of its order key comes before it, it waits all the same.
    pub leased_until_ms: Option<UnixMs>,
}

/// The mark of an event, by which a repeat is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whose keys they are: a route's, or those of a limit that routes share.
    pub space: String,
    /// The key, unique within the space; at most 512 bytes.
    pub key: String,
    /// SHA-256 of what the sender may not change from one repeat to the next.
    pub digest: [u8; 32],
    /// The answer that a repeat gets, at most 64 KiB; the store does not look into it.
    pub answer: Bytes,
    /// From this moment on an event with the same key is a new one.
    pub until_ms: UnixMs,
    /// It is given back when the event is given up, which is when each of its deliveries is buried
    /// or withdrawn: an event with the same key is then a new one. A replay takes it again.
    pub after_success: bool,
}

/// A value that is kept for a time, under a key of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Whose keys they are.
    pub space: String,
    /// The key, at most 512 bytes.
    pub key: String,
    /// The value, at most 64 KiB; the store does not look into it.
    pub value: Bytes,
    /// From this moment on it is not there.
    pub until_ms: UnixMs,
}

/// What became of an event: all of it was stored, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// Marks, deliveries and what is kept are stored, durably.
    Stored {
        /// The deliveries whose first attempt is the caller's, in the order of their duties.
        leased: Vec<Leased>,
    },
    /// Some of it was seen before, all that was with the same digest: nothing was stored.
    Repeated {
        /// Which marks were seen, by their places in [`Event::marks`], ascending.
        marks: Vec<usize>,
        /// The answer that was stored with the first of them.
        answer: Bytes,
    },
    /// Another event has the same key as one of the marks, or two marks of this event have: nothing
    /// was stored.
    Conflict {
        /// Which marks differ, by their places in [`Event::marks`], ascending.
        marks: Vec<usize>,
    },
}

/// A delivery that is its storer's to attempt; the attempt is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a lease that is not settled runs out"]
pub struct Leased {
    /// The place of its duty in [`Event::duties`].
    pub duty: usize,
    /// The delivery.
    pub id: DeliveryId,
}

impl Event {
    /// About how much there is to be written for it, apart from its rows.
    pub(super) fn bytes(&self) -> usize {
        let answers: usize = self.marks.iter().map(|mark| mark.answer.len()).sum();
        let keeps: usize = self.keeps.iter().map(Keep::bytes).sum();
        self.body.len() + answers + keeps
    }
}

impl Keep {
    /// About how much there is to be written for it, apart from its row.
    pub(super) fn bytes(&self) -> usize {
        self.value.len() + self.space.len() + self.key.len()
    }
}

/// The name of a mark: half a SHA-256 of space and key, so that nobody can make two alike, and no
/// store shows whose key it is.
pub(super) fn mark_name(space: &str, key: &str) -> [u8; 16] {
    let mut text = Vec::with_capacity(8 + space.len() + key.len());
    text.extend_from_slice(&u64::try_from(space.len()).unwrap_or(u64::MAX).to_le_bytes());
    text.extend_from_slice(space.as_bytes());
    text.extend_from_slice(key.as_bytes());
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(sha256(&text)) {
        *to = from;
    }
    name
}

/// How many marks an event has, at most.
pub const MARKS_MAX: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_space_and_key() {
        assert_eq!(mark_name("ab", "c"), mark_name("ab", "c"));
        assert_ne!(mark_name("ab", "c"), mark_name("a", "bc"));
    }
}
