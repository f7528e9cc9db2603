//! The listening side: connections, and what is let through to the service behind them.

pub mod gate;
