//! Proof of sender, through the proofs that are shipped in `policies/proof.yaml`.
//!
//! `tests/data/signatures.json` has signed pushes: those whose source says PUBLISHED are from the
//! senders' own documents and the tests of their libraries, and were computed a second time; the
//! SYNTHETIC ones follow the same documents.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod handshake;
mod mutation;
mod rule;
mod support;
mod vector;
