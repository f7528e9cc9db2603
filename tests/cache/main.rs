//! The cache, end to end: every test counts what the origin saw.
#![expect(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod flight;
mod http;
mod keep;
mod platform;
mod policy;
mod purge;
mod support;
mod validate;
