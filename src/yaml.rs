//! The files that people write: YAML read into a tree that knows where each value stands.
//!
//! Nothing stops at the first fault: a reader collects every fault of every file in one
//! [`Faults`], each with file, line, caret and what to write instead. A scalar stays text until a
//! reader asks for a type, so `no`, `0o7` and `1e3` are never guessed at. Anchors, aliases, tags,
//! merge keys, duplicate keys and a second document are faults, and size, depth and number of
//! nodes are bounded: there is nothing here that can expand.

mod excerpt;
mod fault;
mod fields;
mod node;
mod read;
mod syntax;

pub use fault::{Fault, Faults, Severity};
pub use fields::{Fields, meant, nearest};
pub use node::{Node, Source, Span, Value, parse};
pub use read::{Bytes, Entries, Name, Read};
