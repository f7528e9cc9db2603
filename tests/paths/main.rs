//! The paths, end to end: real sockets on free ports, the sandbox as the platform.
#![expect(missing_docs, unreachable_pub, reason = "tests")]

mod calls;
mod child;
mod door;
mod lifecycle;
mod streaming;
mod support;
mod wires;
