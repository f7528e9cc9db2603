//! The argument of a function, as it stands in a route.

use super::decimal::Decimal;
use super::{Function, Tables};
use crate::yaml::{Fault, Faults, Fields, Node, Read, Value};

/// The argument of one call, with all that is needed to read it.
pub(super) struct Argument<'n> {
    pub(super) function: &'static Function,
    /// Where the function's name stands.
    pub(super) name: &'n Node,
    pub(super) node: Option<&'n Node>,
    pub(super) tables: &'n Tables,
    pub(super) faults: &'n Faults,
}

impl<'n> Argument<'n> {
    /// Sees that none was written.
    pub(super) fn none(&self) -> Option<()> {
        let Some(node) = self.node else {
            return Some(());
        };
        let name = self.function.name;
        self.faults.push(
            Fault::at(node, format!("`{name}` takes no argument"))
                .help(format!("write `{name}` alone")),
        );
        None
    }

    /// The node of one that must be there.
    pub(super) fn node(&self) -> Option<&'n Node> {
        if self.node.is_none() {
            self.refuse::<()>(format!("`{}` needs an argument", self.function.name));
        }
        self.node
    }

    /// One that must be there.
    pub(super) fn read<T: Read>(&self) -> Option<T> {
        T::read(self.node()?, self.faults)
    }

    /// The keys of one that must be there.
    pub(super) fn fields(&self) -> Option<Fields<'n>> {
        Fields::open(self.node()?, self.faults)
    }

    /// A number of characters, from 1.
    pub(super) fn count(&self) -> Option<usize> {
        self.read()
    }

    /// A text that is not empty.
    pub(super) fn word(&self) -> Option<String> {
        let text: String = self.read()?;
        if text.is_empty() {
            return self.refuse("an empty text changes nothing here");
        }
        self.short(text)
    }

    /// A text that is not longer than an argument may be.
    pub(super) fn short(&self, text: String) -> Option<String> {
        if text.len() > ARGUMENT_MAX {
            return self.refuse(format!("the text is longer than {ARGUMENT_MAX} bytes"));
        }
        Some(text)
    }

    /// A list of texts, or one of them alone; neither is empty.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        let node = self.node()?;
        let words = match &node.value {
            Value::List(_) => Vec::read(node, self.faults)?,
            _ => vec![String::read(node, self.faults)?],
        };
        if words.is_empty() || words.len() > WORDS_MAX {
            return self.refuse(format!("from 1 to {WORDS_MAX} of them"));
        }
        Some(words)
    }

    /// A decimal number.
    pub(super) fn decimal(&self) -> Option<Decimal> {
        let text: String = self.read()?;
        let number = Decimal::parse(&text);
        if number.is_none() {
            return self.refuse(format!("`{text}` is not a number"));
        }
        number
    }

    /// Tells a fault of the argument, with what to write.
    pub(super) fn refuse<T>(&self, message: impl Into<String>) -> Option<T> {
        self.faults
            .push(Fault::at(self.node.unwrap_or(self.name), message).help(self.instead()));
        None
    }

    /// What to write.
    fn instead(&self) -> String {
        let Function { name, argument, .. } = self.function;
        let written = self.function.examples.iter();
        let example = written
            .map(|example| example.argument)
            .find(|a| !a.is_empty());
        match example {
            Some(example) => format!("write `{name}: {example}`: it takes {argument}"),
            None => format!("write `{name}` alone"),
        }
    }
}

/// The longest text in an argument, in bytes.
pub(super) const ARGUMENT_MAX: usize = 1024;
/// The longest list in an argument.
const WORDS_MAX: usize = 1000;
