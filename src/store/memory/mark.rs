//! The marks of the store in memory: those that are held, and those that were given back.

use std::collections::HashMap;

use crate::store::{Enqueued, Event, Mark, UnixMs};

/// Space and key.
type Name = (String, String);

#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Each with the event that may give it back.
    held: HashMap<Name, (Mark, Option<i64>)>,
    /// What events have given back, for a replay to take again.
    given: HashMap<i64, Vec<(Name, Mark)>>,
}

impl Marks {
    /// What becomes of an event that is not new.
    pub(super) fn known(&self, event: &Event, now_ms: UnixMs) -> Option<Enqueued> {
        let (mut repeated, mut conflicts, mut first) = (Vec::new(), Vec::new(), None);
        for (at, mark) in event.marks.iter().enumerate() {
            let name = (mark.space.clone(), mark.key.clone());
            if let Some(seen) = self.good(&name, now_ms) {
                if seen.digest == mark.digest {
                    repeated.push(at);
                    first.get_or_insert_with(|| seen.answer.clone());
                } else {
                    conflicts.push(at);
                }
                continue;
            }
            let mut own = event.marks.iter().take(at);
            if let Some(own) = own.find(|own| (&own.space, &own.key) == (&mark.space, &mark.key))
                && own.digest != mark.digest
            {
                conflicts.push(at);
            }
        }
        if !conflicts.is_empty() {
            return Some(Enqueued::Conflict { marks: conflicts });
        }
        let marks = repeated;
        first.map(|answer| Enqueued::Repeated { marks, answer })
    }

    /// Whether a key of a space is marked.
    pub(super) fn is_seen(&self, space: &str, key: &str, now_ms: UnixMs) -> bool {
        self.good(&(space.to_owned(), key.to_owned()), now_ms)
            .is_some()
    }

    /// Stores the marks of an event that has a number.
    pub(super) fn store(&mut self, event: &Event, number: i64) {
        // Of two with one key the first counts, so it is put there last.
        for mark in event.marks.iter().rev() {
            let is_claim = mark.after_success && !event.duties.is_empty();
            let name = (mark.space.clone(), mark.key.clone());
            let claim = is_claim.then_some(number);
            self.held.insert(name, (mark.clone(), claim));
        }
    }

    /// Gives back what an event may give back.
    pub(super) fn give_back(&mut self, event: i64) {
        let is_its = |(_, claim): &(Mark, Option<i64>)| *claim == Some(event);
        let given = self.held.extract_if(|_, held| is_its(held));
        let given: Vec<(Name, Mark)> = given.map(|(name, (mark, _))| (name, mark)).collect();
        if !given.is_empty() {
            self.given.entry(event).or_default().extend(given);
        }
    }

    /// Takes again what an event has given back; `false` where another has some of it, unless it is
    /// forced to go without.
    pub(super) fn take_again(&mut self, event: i64, force: bool, now_ms: UnixMs) -> bool {
        let given = self.given.remove(&event).unwrap_or_default();
        let is_free = |(name, mark): &(Name, Mark)| {
            mark.until_ms <= now_ms || self.good(name, now_ms).is_none()
        };
        if !force && !given.iter().all(is_free) {
            self.given.insert(event, given);
            return false;
        }
        let mut left = Vec::new();
        for (name, mark) in given {
            if mark.until_ms <= now_ms || self.good(&name, now_ms).is_some() {
                left.push((name, mark));
            } else {
                self.held.insert(name, (mark, Some(event)));
            }
        }
        if !left.is_empty() {
            self.given.insert(event, left);
        }
        true
    }

    /// What an event has not given back it gives back no longer.
    pub(super) fn keep(&mut self, event: i64) {
        self.given.remove(&event);
        for (_, claim) in self.held.values_mut() {
            if *claim == Some(event) {
                *claim = None;
            }
        }
    }

    /// Forgets what has run out; tells how many.
    pub(super) fn sweep(&mut self, now_ms: UnixMs) -> usize {
        let before = self.len();
        self.held.retain(|_, (mark, _)| mark.until_ms > now_ms);
        for given in self.given.values_mut() {
            given.retain(|(_, mark)| mark.until_ms > now_ms);
        }
        before - self.len()
    }

    fn len(&self) -> usize {
        self.held.len() + self.given.values().map(Vec::len).sum::<usize>()
    }

    /// A mark that is held and has not run out.
    fn good(&self, name: &Name, now_ms: UnixMs) -> Option<&Mark> {
        let (mark, _) = self.held.get(name)?;
        (mark.until_ms > now_ms).then_some(mark)
    }
}
