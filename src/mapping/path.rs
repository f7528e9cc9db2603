//! JSONPath (RFC 9535): checked and compiled when a file is read, then run within a budget.
//!
//! The text is parsed by jsonpath-rust; what it selects is decided here. Nothing here reads a path
//! from data, and no path runs longer than its [`Fuel`]: where that ends there is an error, never
//! a part of the answer.

mod bound;
mod compare;
mod compile;
mod known;
mod name;
mod pattern;
mod plan;
mod run;
mod scan;

use serde_json::Value;
use thiserror::Error;

use crate::mapping::path::compile::Compiled;
use crate::mapping::path::run::Run;
use crate::yaml::{Fault, Faults, Node, Read, meant};

pub use name::Name;
pub use plan::Step;

/// A compiled query: `$.body.phone`, `$.list[?@.column_id=='PHONE_NUMBER'].string_value`.
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    compiled: Compiled,
}

/// What `$` stands for: a document, or several whose names are the members of `$`.
pub trait Root {
    /// `$` itself. `None` where it is no value of its own: then only queries that begin with a
    /// name select anything, see [`Path::roots`].
    fn whole(&self) -> Option<&Value>;

    /// The member of `$` that has a name.
    fn member(&self, name: &str) -> Option<&Value>;
}

/// How many values may still be visited. Costs that grow with a text (comparing, matching) count
/// as values too, and a pattern that comes from the document as thousands.
#[derive(Debug, PartialEq, Eq)]
pub struct Fuel(u64);

/// A query visited more values than it may.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the JSONPath visits too many values of this document")]
pub struct OutOfFuel;

/// The selected values, in the order of RFC 9535. Up to one of them takes no memory.
#[derive(Debug, Clone, Default)]
pub struct Nodes<'v> {
    first: Option<&'v Value>,
    rest: Vec<&'v Value>,
}

/// Why a text is no query.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum PathFault {
    /// Not RFC 9535. Counted from 1, the character at which it can no longer be one.
    #[error("this is not a JSONPath{}", at(*.column))]
    Syntax {
        /// The character, where it is known.
        column: Option<usize>,
    },
    /// Longer than a person writes, or nested deeper.
    #[error("this JSONPath is too long or nested too deep")]
    TooLarge,
    /// A function that RFC 9535 does not have.
    #[error("there is no function `{name}` in JSONPath")]
    UnknownFunction {
        /// Its name.
        name: String,
    },
    /// A function that gives no truth value stands where one is needed.
    #[error("what `{function}` gives must be compared")]
    NotCompared {
        /// Its name.
        function: &'static str,
    },
    /// An argument is not of the type that its function takes.
    #[error("this argument is nothing that `{function}` takes")]
    Argument {
        /// The function's name.
        function: &'static str,
    },
    /// A pattern is no I-Regexp (RFC 9485).
    #[error("the pattern is no I-Regexp")]
    Pattern,
    /// A pattern is too large when it is compiled.
    #[error("the pattern is too large")]
    PatternTooLarge,
    /// A name without quotes begins or ends with white space, which is easily overlooked.
    #[error("a name begins or ends with white space")]
    Blank,
}

impl Path {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        Ok(Self {
            text: text.to_owned(),
            compiled: known::compiled(text)?,
        })
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it selects at most one value, whatever the document.
    pub fn is_singular(&self) -> bool {
        self.compiled.query.is_singular()
    }

    /// The name that the query begins with: `vars` of `$.vars.phone`.
    pub fn root_name(&self) -> Option<&str> {
        self.names().next()
    }

    /// The names that the query begins with: `steps`, `find`, `body` of `$.steps.find.body[0].id`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps().iter().map_while(|step| match step {
            Step::Name(name) => Some(&**name),
            Step::Index(_) => None,
        })
    }

    /// The second name that the query begins with: `phone` of `$.vars.phone`.
    pub fn second_name(&self) -> Option<&str> {
        self.names().nth(1)
    }

    /// The steps that the query begins with, up to the first that may select several values.
    pub fn steps(&self) -> &[Step] {
        &self.compiled.query.steps
    }

    /// How often it looks through a whole document, at most: it visits no more values than its
    /// [`Path::steps`] and so many times those of the document. [`u64::MAX`] where only [`Fuel`]
    /// bounds it.
    pub fn scans(&self) -> u64 {
        self.compiled.query.scans()
    }

    /// The name that each absolute query begins with, this one first and then those in its
    /// filters; `None` for one that begins with something else, and so needs [`Root::whole`].
    pub fn roots(&self) -> impl Iterator<Item = Option<&str>> {
        self.compiled.roots.iter().map(Option::as_deref)
    }

    /// Everything that the query selects.
    pub fn select<'v>(&self, root: &'v impl Root, fuel: &mut Fuel) -> Result<Nodes<'v>, OutOfFuel> {
        let mut nodes = Nodes::default();
        Run::new(root, fuel).all(&self.compiled.query, &mut nodes)?;
        Ok(nodes)
    }

    /// The first value that the query selects. Nothing behind it is visited.
    pub fn first<'v>(
        &self,
        root: &'v impl Root,
        fuel: &mut Fuel,
    ) -> Result<Option<&'v Value>, OutOfFuel> {
        Run::new(root, fuel).first(&self.compiled.query)
    }
}

impl Read for Path {
    const EXAMPLE: &'static str = "$.body.phone";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        Self::parse(&text)
            .map_err(|fault| {
                let help = fault.help();
                faults.push(Fault::at(node, fault.to_string()).help(help));
            })
            .ok()
    }
}

impl PathFault {
    /// What to write instead.
    pub fn help(&self) -> String {
        match self {
            Self::Syntax { .. } => format!(
                "write `$`, then `.name`, `['a name']`, `[0]` or `[?@.kind=='x']` for each level: `{}`",
                Path::EXAMPLE
            ),
            Self::TooLarge => "select in several steps".to_owned(),
            Self::UnknownFunction { name } => meant(name, FUNCTIONS.iter().copied()),
            Self::NotCompared { function } => format!("write for example `{function}(@.a) > 1`"),
            Self::Argument { function } => match *function {
                "count" | "value" => format!("write a query: `{function}(@.a)`"),
                _ => "write a query that selects one value, a literal, or `value(…)`".to_owned(),
            },
            Self::Pattern => {
                "use only `.`, `*`, `+`, `?`, `{2,3}`, `|`, `(…)`, `[a-z]` and `\\p{L}`; there is no `\\d`: write `[0-9]`".to_owned()
            }
            Self::PatternTooLarge => "repeat less: `{1,100}` of `\\p{L}` is large".to_owned(),
            Self::Blank => "quote the name: `['a ']`, or remove the white space".to_owned(),
        }
    }
}

fn at(column: Option<usize>) -> String {
    column.map_or(String::new(), |column| {
        format!(": it goes wrong at character {column}")
    })
}

/// Compares two numbers that are written as texts, by their exact value; `None` where one is none.
pub fn compare_numbers(one: &str, two: &str) -> Option<std::cmp::Ordering> {
    compare::texts(one, two)
}

impl Fuel {
    /// Enough to visit `nodes` values.
    pub fn new(nodes: u64) -> Self {
        Self(nodes)
    }

    /// What is left.
    pub fn left(&self) -> u64 {
        self.0
    }

    fn spend(&mut self, nodes: u64) -> Result<(), OutOfFuel> {
        if let Some(left) = self.0.checked_sub(nodes) {
            self.0 = left;
            return Ok(());
        }
        // What ran out stays so, for whoever goes on after the error.
        self.0 = 0;
        Err(OutOfFuel)
    }

    /// Pays for reading that many bytes.
    fn spend_bytes(&mut self, bytes: usize) -> Result<(), OutOfFuel> {
        self.spend(1 + u64::try_from(bytes / BYTES_OF_NODE).unwrap_or(u64::MAX - 1))
    }
}

impl Default for Fuel {
    /// What one push may cost: looked through in about two milliseconds.
    fn default() -> Self {
        Self(PUSH_NODES_MAX)
    }
}

impl<'v> IntoIterator for Nodes<'v> {
    type Item = &'v Value;
    type IntoIter =
        std::iter::Chain<std::option::IntoIter<&'v Value>, std::vec::IntoIter<&'v Value>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

impl<'v> Nodes<'v> {
    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &'v Value> {
        self.first.into_iter().chain(self.rest.iter().copied())
    }

    /// The first one.
    pub fn first(&self) -> Option<&'v Value> {
        self.first
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn push(&mut self, value: &'v Value) {
        if self.first.is_none() {
            self.first = Some(value);
        } else {
            self.rest.push(value);
        }
    }
}

impl Root for Value {
    fn whole(&self) -> Option<&Value> {
        Some(self)
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }
}

/// The functions of RFC 9535.
const FUNCTIONS: [&str; 5] = ["length", "count", "match", "search", "value"];
/// How many values the selectors of one push may visit.
pub const PUSH_NODES_MAX: u64 = 200_000;
/// Reading as many bytes costs as much as visiting a value.
const BYTES_OF_NODE: usize = 32;

#[cfg(test)]
mod tests;
