//! Queries that this thread has compiled before.
//!
//! Reading a route compiles most of its queries twice, to check their names and to keep them, and
//! the routes of several partners name the same fields. Parsing is what costs.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::mapping::path::PathFault;
use crate::mapping::path::compile::Compiled;

thread_local! {
    static KNOWN: RefCell<HashMap<String, Compiled>> = RefCell::default();
}

/// A query that is right in itself. Each has its own: it learns where names stand in its documents.
pub(super) fn compiled(text: &str) -> Result<Compiled, PathFault> {
    KNOWN.with_borrow_mut(|known| {
        if let Some(compiled) = known.get(text) {
            return Ok(compiled.clone());
        }
        let compiled = Compiled::new(text)?;
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(text.to_owned(), compiled.clone());
        Ok(compiled)
    })
}

/// More than a thousand routes name, in a megabyte or two.
const KNOWN_MAX: usize = 2_000;
