//! Routes: what can be called, and by whom. So far the catalogue of the platform.

pub mod catalogue;
pub mod openapi;

pub use catalogue::{Catalogue, Effect, Entry, Kind, Line};
