//! Replies that a fleet keeps.

use std::time::Duration;

use bytes::Bytes;

use super::Redis;
use crate::store::StoreFailure;
use crate::store::redis::reply::Parts;
use crate::store::redis::script::{CACHED, VOID};

impl Redis {
    /// The reply of a name, as it was sealed, and the number of the last change.
    pub async fn cached(&self, name: &str) -> Result<(u64, Option<Bytes>), StoreFailure> {
        let request = self.request(&CACHED).arg(name);
        let mut parts = Parts::of(self.run(request).await?)?;
        let change = parts.number()?;
        let reply = if parts.left() { parts.maybe()? } else { None };
        Ok((change, reply))
    }

    /// Keeps a reply for so long, unless something was changed since `change`.
    pub async fn cache(
        &self,
        name: &str,
        sealed: &[u8],
        life: Duration,
        change: u64,
    ) -> Result<(), StoreFailure> {
        let life_ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1);
        let request = self.request(&CACHED).arg(name).arg(sealed);
        self.run(request.arg(life_ms).arg(change)).await.map(drop)
    }

    /// Makes every reply void that the fleet keeps.
    pub async fn void(&self) -> Result<(), StoreFailure> {
        self.run(self.request(&VOID)).await.map(drop)
    }
}
