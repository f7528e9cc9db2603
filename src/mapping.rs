//! What turns one document into another. So far: selectors of a single value and of members.

pub mod pick;
pub mod selector;

pub use pick::{NotJson, Scalar, pick};
pub use selector::{MemberQuery, SingularQuery};
