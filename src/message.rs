//! What an HTTP message is made of, apart from who carries it.

pub mod framing;
