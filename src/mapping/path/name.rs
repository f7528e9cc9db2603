//! The name of a member, which remembers where it stood.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value};

/// The name of a member.
///
/// Documents of one sender have their members in one order, mostly: whoever looks where it stood in
/// the last document need not hash the name. What stands there is compared, so that the memory can
/// make an answer late and never wrong.
pub struct Name {
    text: String,
    place: AtomicUsize,
}

impl Name {
    /// The member of this name.
    pub(super) fn of<'v>(&self, members: &'v Map<String, Value>) -> Option<&'v Value> {
        let place = self.place.load(Ordering::Relaxed);
        if let Some((name, value)) = members.iter().nth(place)
            && *name == self.text
        {
            return Some(value);
        }
        let value = members.get(&self.text)?;
        if let Some(place) = members
            .keys()
            .take(PLACES_MAX)
            .position(|name| *name == self.text)
        {
            self.place.store(place, Ordering::Relaxed);
        }
        Some(value)
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        let place = AtomicUsize::new(0);
        Self { text, place }
    }
}

impl Clone for Name {
    fn clone(&self) -> Self {
        Self::from(self.text.clone())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Name {}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// How many members are looked at to find a place that is worth remembering.
const PLACES_MAX: usize = 64;
