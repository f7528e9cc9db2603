//! Documents to bytes and back. Bodies that nothing has to read never come here.

pub mod form;
