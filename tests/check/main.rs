//! What `pintle check` says about faulty files, held by snapshots in `tests/snapshots/`.
//!
//! Each case is a folder of files, and the words that a person reads about them. A change of words
//! is seen with `INSTA_UPDATE=always cargo test --test check` and `git diff`.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod account;
mod cache;
mod catalogue;
mod file;
mod fleet;
mod inbound;
mod listener;
mod mutation;
mod policy;
mod proof;
mod report;
mod route;
mod sealing;
mod support;
mod syntax;
