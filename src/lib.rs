//! Pintle joins a company's own systems to the AI Rudder voice and workflow platform.
//!
//! The `mod` lines below are the architecture: a module imports only modules beneath it, which a
//! test holds (`tests/architecture.rs`). Read them from the bottom up.

pub mod cli;

pub mod rehearsal;

pub mod app;

pub mod sandbox;

pub mod config;

pub mod server;

pub mod admin;

pub mod inbound;

pub mod delivery;

pub mod runner;

pub mod outbound;

pub mod error;

pub mod token;

pub mod limit;

pub mod cache;

pub mod store;

pub mod upstream;

pub mod route;

pub mod policy;

pub mod mapping;

pub mod codec;

pub mod crypto;

pub mod telemetry;

pub mod message;

pub mod secret;

pub mod clock;

pub mod yaml;
