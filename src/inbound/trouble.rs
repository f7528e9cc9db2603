//! Whether pushes could not be stored lately.
//!
//! A small write may pass where a push does not, so that trying one does not tell all. And what was
//! in trouble must be asked for pushes again, or it would never be known to be out of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::StoreFailure;

/// The last failure to store a push, and when it was.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<(Instant, StoreFailure)>>);

impl Trouble {
    /// Notes how storing a push ended. That a moment's crowd was turned away is no trouble.
    pub(super) fn note(&self, failure: Option<&StoreFailure>) {
        let failure = failure.filter(|failure| **failure != StoreFailure::Crowded);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = failure.map(|failure| (Instant::now(), failure.clone()));
    }

    /// Why pushes could not be stored lately.
    pub fn lately(&self) -> Option<StoreFailure> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, failure) = last.as_ref()?;
        (at.elapsed() < LATELY).then(|| failure.clone())
    }
}

const LATELY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_ends_with_a_success_or_with_time() {
        let trouble = Trouble::default();
        let full = StoreFailure::Full { bytes: 1 };
        trouble.note(Some(&full));
        assert_eq!(trouble.lately(), Some(full.clone()));
        trouble.note(None);
        assert_eq!(trouble.lately(), None);
        trouble.note(Some(&full));
        tokio::time::advance(LATELY).await;
        assert_eq!(trouble.lately(), None);
        trouble.note(Some(&StoreFailure::Crowded));
        assert_eq!(trouble.lately(), None);
    }
}
