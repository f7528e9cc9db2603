//! Pintle joins a company's own systems to the AI Rudder voice and workflow platform.

pub mod message;
pub mod server;
