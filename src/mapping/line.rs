//! Which lines of a route have been used, so that its examples can be seen to miss none.

use std::sync::atomic::{AtomicBool, Ordering};

/// A line of a file, and whether it has been used.
#[derive(Debug)]
pub struct Line {
    /// The line, from 1.
    pub number: usize,
    used: AtomicBool,
}

impl Line {
    /// A line that has not been used.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            used: AtomicBool::new(false),
        }
    }

    /// It is used.
    pub fn touch(&self) {
        // Written once: a line that every push uses is no line that every core writes.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it has been used.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}
