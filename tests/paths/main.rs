//! The paths, end to end: real sockets on free ports, the sandbox as the platform.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod accounts;
mod calls;
mod canary;
mod child;
mod door;
mod failures;
mod fleet;
mod inbound;
mod lifecycle;
mod pace;
mod places;
mod quiet;
mod receiver;
mod retry;
mod scripted;
mod sealing;
#[path = "../servers/mod.rs"]
mod servers;
mod streaming;
mod support;
mod token;
mod wires;
