//! What routes with steps promise when things go wrong: nothing is lost, nothing takes effect twice.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod fault;
mod limit;
mod repeat;
mod support;
mod watch;
