//! Routes: what can be called, and by whom. So far the catalogue of the platform.

pub mod catalogue;
pub mod draft;
pub mod flow;
pub mod openapi;

pub(crate) use catalogue::SECRET;
pub use catalogue::{Catalogue, Differing, Effect, Entry, Kind, Line, Once, StaticAnswer, Webhook};
pub use flow::Flow;
