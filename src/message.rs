//! What goes through Pintle, whichever way: bodies, headers, targets, ids.
//!
//! Nothing here knows a connection. HTTP types come from `http` and `http-body`.

pub mod body;
pub mod framing;
pub mod header;
pub mod id;
pub mod interim;
pub mod peer;
pub mod target;

pub use body::{Body, BodyFault};
pub use id::RequestId;
pub use interim::{Interim, InterimLine};
pub use peer::{Certificate, Peer};
