//! What an operation requires, and whether a route always gives it.

use super::{Flow, Step};
use crate::route::catalogue::Entry;
use crate::yaml::{Faults, Node};

/// Tells what the operation requires and the step does not always set.
pub(super) fn check(_: &Flow, _: &Step, _: (&Entry, &Node), _: &Faults) {}
