//! The keys of one mapping, taken one by one; what nobody asked for is a fault.

use crate::yaml::{Fault, Faults, Node, Read, Value};

/// A mapping being read. [`Fields::finish`] reports the keys that were never asked for.
#[must_use]
pub struct Fields<'n> {
    node: Option<&'n Node>,
    faults: &'n Faults,
    entries: &'n [(Node, Node)],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a mapping; anything else is a fault and gives `None`.
    pub fn open(node: &'n Node, faults: &'n Faults) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            faults.push(
                Fault::at(
                    node,
                    format!("expected keys and values, found {}", node.kind()),
                )
                .help("write `key: value` lines, indented under the name"),
            );
            return None;
        };
        Some(Self {
            node: Some(node),
            faults,
            entries,
            asked: Vec::new(),
        })
    }

    /// Opens a mapping that may be left out; one that is no mapping is a fault and reads as empty.
    pub fn open_or_empty(node: Option<&'n Node>, faults: &'n Faults) -> Self {
        node.and_then(|node| Self::open(node, faults))
            .unwrap_or(Self {
                node: None,
                faults,
                entries: &[],
                asked: Vec::new(),
            })
    }

    /// The node under a key, if it is there and not null.
    pub fn node(&mut self, key: &'static str) -> Option<&'n Node> {
        self.written(key)
            .filter(|value| !matches!(value.value, Value::Null))
    }

    /// What stands under a key, also where that is nothing.
    fn written(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.entries
            .iter()
            .find(|(name, _)| name.text() == Some(key))
            .map(|(_, value)| value)
    }

    /// The value under a key that may be left out.
    pub fn optional<T: Read>(&mut self, key: &'static str) -> Option<T> {
        let node = self.node(key)?;
        T::read(node, self.faults)
    }

    /// The value under a key, or a default where the key is left out.
    ///
    /// Where the value is written and faulty the default stands in, so that reading goes on; the
    /// fault is in the list.
    pub fn or<T: Read>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// The value under a key that must be there.
    pub fn required<T: Read>(&mut self, key: &'static str) -> Option<T> {
        let node = self.required_node(key, T::EXAMPLE)?;
        T::read(node, self.faults)
    }

    /// The node under a key that must be there. `example` is what a person would write.
    pub fn required_node(&mut self, key: &'static str, example: &str) -> Option<&'n Node> {
        let written = self.written(key);
        let fault = match written.map(|node| (node, &node.value)) {
            Some((node, Value::Null)) => Fault::at(node, format!("the key `{key}` has no value"))
                .help(format!("write `{key}: {example}`")),
            Some((node, _)) => return Some(node),
            None => self
                .fault(format!("the key `{key}` is missing"))
                .label(self.whole())
                .help(format!("add `{key}: {example}`")),
        };
        self.faults.push(fault);
        None
    }

    /// What the mapping is, for a caret under its beginning.
    fn whole(&self) -> &'static str {
        match self.node {
            Some(node) if node.key.is_some() => "under this key",
            Some(node) if node.span.column == 1 => "in this file",
            _ => "in this entry",
        }
    }

    /// Whether it has a key that was not asked for so far.
    pub fn has_unknown(&self) -> bool {
        let mut keys = self.entries.iter().filter_map(|(key, _)| key.text());
        keys.any(|key| !self.asked.contains(&key))
    }

    /// A fault about the mapping as a whole.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        match self.node {
            Some(node) => Fault::at(node, message),
            None => Fault::nowhere(message),
        }
    }

    /// Where faults go.
    pub fn faults(&self) -> &'n Faults {
        self.faults
    }

    /// Reports every key that was not asked for, with the nearest known one.
    pub fn finish(self) {
        for (key, _) in self.entries {
            let Some(text) = key.text() else { continue };
            if self.asked.contains(&text) {
                continue;
            }
            let help = meant(text, self.asked.iter().copied());
            self.faults.push(
                Fault::at(key, format!("unknown key `{text}`"))
                    .label("not known here")
                    .help(help),
            );
        }
    }
}

/// The help for a word that is not known: the one that was likely meant, or all that are known.
pub fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<&str> = known.into_iter().collect();
    if all.is_empty() {
        return "none is known here".to_owned();
    }
    format!("known here: {}", all.join(", "))
}

/// The known word that is nearest to a word, if one is near enough to be meant.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
