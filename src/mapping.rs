//! What turns one document into another. So far: selectors and functions.

pub mod function;
pub mod path;
pub mod pick;
pub mod scope;
pub mod selector;

pub use function::{Function, Kind, Moment, Pipeline, Table, Tables};
pub use path::{Fuel, Nodes, OutOfFuel, Path, PathFault, Root};
pub use pick::{NotJson, Scalar, pick};
pub use scope::{Scope, ScopeQuery};
pub use selector::{MemberQuery, SingularQuery};
