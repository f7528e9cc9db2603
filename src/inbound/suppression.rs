//! The lists of those who are left alone: looked at and changed by hand.

use bytes::Bytes;

use super::Inbound;
use crate::policy::Suppression;
use crate::store::{Keep, Queue as _, StoreFailure, UnixMs};

impl Inbound {
    /// Puts keys on a list, each for as long as the list says.
    pub async fn suppress(&self, list: &Suppression, keys: &[&str]) -> Result<(), StoreFailure> {
        let now_ms = self.clock.now_ms();
        let window = i64::try_from(list.window.as_millis()).unwrap_or(i64::MAX);
        self.put(list, keys, now_ms.saturating_add(window)).await
    }

    /// Takes keys off a list.
    pub async fn release(&self, list: &Suppression, keys: &[&str]) -> Result<(), StoreFailure> {
        self.put(list, keys, self.clock.now_ms()).await
    }

    /// Keys that were put on a list, in their order, after those that were told before.
    pub async fn suppressed(
        &self,
        list: &Suppression,
        after: Option<&str>,
    ) -> Result<Vec<Keep>, StoreFailure> {
        let now_ms = self.clock.now_ms();
        self.store.kept_list(&list.name, after, 500, now_ms).await
    }

    async fn put(
        &self,
        list: &Suppression,
        keys: &[&str],
        until_ms: UnixMs,
    ) -> Result<(), StoreFailure> {
        let keep = |key: &&str| Keep {
            space: list.name.clone(),
            key: (*key).to_owned(),
            value: Bytes::from_static(b"true"),
            until_ms,
        };
        let now_ms = self.clock.now_ms();
        // Many at once: a store writes those that come together in one act.
        for part in keys.chunks(PART) {
            let kept = part.iter().map(|key| self.store.keep(keep(key), now_ms));
            futures_util::future::try_join_all(kept).await?;
        }
        Ok(())
    }
}

const PART: usize = 256;
