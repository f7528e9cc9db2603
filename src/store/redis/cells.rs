//! Cells of limits that a fleet shares.

use std::time::Duration;

use super::Redis;
use crate::store::StoreFailure;
use crate::store::redis::reply::Parts;
use crate::store::redis::script::CELLS;

/// Cells that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// What is counted together.
    pub key: String,
    /// The time between two; at least a microsecond.
    pub interval: Duration,
    /// How many may come at once.
    pub burst: u32,
    /// How many are wanted.
    pub cells: u32,
}

/// Cells that were had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many.
    pub cells: u32,
    /// How many are left.
    pub left: u32,
    /// When there is another.
    pub opens_in: Duration,
}

impl Redis {
    /// Takes cells of each, as many as there are, all at one moment; in the order of `wants`.
    pub async fn cells(&self, wants: &[Want]) -> Result<Vec<Grant>, StoreFailure> {
        let request = wants.iter().fold(self.request(&CELLS), |request, want| {
            let interval = u64::try_from(want.interval.as_micros()).unwrap_or(u64::MAX);
            let request = request.arg(&want.key).arg(interval.max(1));
            request.arg(want.burst).arg(want.cells)
        });
        Parts::rows(self.run(request).await?, |parts| {
            Ok(Grant {
                cells: parts.number()?,
                left: parts.number()?,
                opens_in: Duration::from_micros(parts.number()?),
            })
        })
    }
}
