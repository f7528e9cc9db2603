//! Pushes that are recorded, to try a change of their route on.
//!
//! Only where a route asks for it, only so many, and only for a time. A recorded push has no
//! secrets: what the route is never to see and what it is not to keep is taken out, and there are
//! only those headers that the route reads.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde_json::json;

use super::flow::Reading;
use super::{CONSENT, Inbound};
use crate::mapping::path::Root as _;
use crate::store::{Keep, Queue as _, StoreFailure};

impl Inbound {
    /// Records a push, where its route asks for it. What cannot be recorded holds nothing up.
    pub(super) async fn record_push(&self, reading: &Reading<'_>) {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let flow = &reading.running.flow;
        let Some(rule) = &flow.record else {
            return;
        };
        let now_ms = self.clock.now_ms();
        let window = i64::try_from(rule.window.as_millis()).unwrap_or(i64::MAX);
        let max = u64::try_from(rule.max).unwrap_or(1).max(1);
        let mut body = reading.document.member("body").cloned().unwrap_or_default();
        for without in &rule.without {
            without.remove(&mut body);
        }
        let recorded = json!({
            "route": flow.name,
            "received_ms": now_ms,
            "settings": &*reading.running.settings,
            "document": {
                "body": body,
                "query": reading.document.member("query"),
                "headers": reading.document.member("headers"),
                "push": reading.document.member("push"),
                "kept": reading.document.member("kept"),
            },
        });
        let keep = Keep {
            space: space(&flow.name),
            key: format!("{:06}", SERIAL.fetch_add(1, Ordering::Relaxed) % max),
            value: Bytes::from(recorded.to_string()),
            until_ms: now_ms.saturating_add(window),
        };
        if keep.value.len() > RECORDED_BYTES_MAX {
            tracing::debug!(route = flow.name, "a push is too large to be recorded");
        } else if let Err(failure) = self.store.keep(keep, now_ms).await {
            tracing::warn!(route = flow.name, %failure, "a push could not be recorded");
        }
    }

    /// Records of consent, the oldest key first, after those that were told before.
    pub async fn consents(&self, after: Option<&str>) -> Result<Vec<Keep>, StoreFailure> {
        let now_ms = self.clock.now_ms();
        self.store.kept_list(CONSENT, after, 500, now_ms).await
    }

    /// The recorded pushes of a route, a line each, after those that were told before.
    pub async fn recordings(
        &self,
        route: &str,
        after: Option<&str>,
    ) -> Result<Vec<Keep>, StoreFailure> {
        let now_ms = self.clock.now_ms();
        self.store
            .kept_list(&space(route), after, 500, now_ms)
            .await
    }
}

fn space(route: &str) -> String {
    format!("recording:{route}")
}

/// What the store takes as one value.
const RECORDED_BYTES_MAX: usize = 64 << 10;
