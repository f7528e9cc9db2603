//! What turns one document into another. So far: the selector of a single value.

pub mod pick;
pub mod selector;

pub use pick::{NotJson, Scalar, pick};
pub use selector::SingularQuery;
