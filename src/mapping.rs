//! What turns one document into another: selectors, values, conditions, functions.

pub mod condition;
pub mod document;
pub mod expr;
pub mod function;
pub mod line;
pub mod path;
pub mod pattern;
pub mod pick;
pub mod scalar;
pub mod scope;
pub mod selector;
pub mod template;

pub use document::{Document, Snapshot};
pub use expr::Halt;
pub use function::{Function, Kind, Moment, Pipeline, Table, Tables};
pub use line::Line;
pub use path::{Fuel, Nodes, OutOfFuel, Path, PathFault, Root};
pub use pick::{NotJson, Scalar, pick};
pub use scope::{Scope, ScopeQuery};
pub use selector::{MemberQuery, SingularQuery};
