//! Replies that a fleet keeps together, beside what each process has in memory: sealed, by policy alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64_simd::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Entry, Key, Life, Owner, Vary};
use crate::clock::UnixMs;
use crate::crypto::{Vault, hex, sha256};
use crate::store::Redis;

/// The replies of a fleet.
pub struct Shared {
    redis: Arc<Redis>,
    /// The last change that is known here.
    change: AtomicU64,
}

/// A reply that is wanted, under a name that tells nothing.
pub struct Wanted {
    name: String,
    change: u64,
}

impl Shared {
    /// Those in this Redis.
    pub fn new(redis: Arc<Redis>) -> Self {
        let change = AtomicU64::new(u64::MAX);
        Self { redis, change }
    }

    /// Looks for a reply. Where Redis does not answer soon there is none, and what is fetched is not
    /// kept there either.
    pub async fn get(
        &self,
        key: &Key,
        vault: &Vault,
        owner: &Owner,
    ) -> Option<(Wanted, Option<Entry>)> {
        let name = format!("{}:{}", vault.name(), hex(&sha256(&key.shared())));
        let asked = timeout(PATIENCE, self.redis.cached(&name)).await;
        let (change, sealed) = asked.ok()?.ok()?;
        let entry = sealed.and_then(|sealed| {
            let plain = vault.open(name.as_bytes(), &sealed)?;
            read(&plain, owner)
        });
        Some((Wanted { name, change }, entry))
    }

    /// Keeps a reply as long as it answers.
    pub async fn put(&self, wanted: &Wanted, vault: &Vault, entry: &Entry, now_ms: UnixMs) {
        let left_ms = entry.life.silence_until_ms.saturating_sub(now_ms);
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        let Some(sealed) = vault.seal(wanted.name.as_bytes(), &written(entry)) else {
            return;
        };
        let kept = self.redis.cache(&wanted.name, &sealed, left, wanted.change);
        if let Err(failure) = kept.await {
            tracing::debug!(%failure, "a reply is not kept for the fleet");
        }
    }

    /// Makes all of them void, here and for the others.
    pub async fn void(&self) {
        if let Err(failure) = self.redis.void().await {
            tracing::warn!(%failure, "other processes go on with what they keep");
        }
    }

    /// Whether something was made void since this was asked last.
    pub async fn is_changed(&self) -> bool {
        let Ok((change, _)) = self.redis.cached("").await else {
            return false;
        };
        // What nobody could be asked about may be void too.
        self.change.swap(change, Ordering::Relaxed) != change
    }
}

fn written(entry: &Entry) -> Vec<u8> {
    let headers: Vec<Value> = entry
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), STANDARD.encode_to_string(value.as_bytes())]))
        .collect();
    let life = &entry.life;
    let line = json!({
        "status": entry.status.as_u16(),
        "headers": headers,
        "body": STANDARD.encode_to_string(&entry.body),
        "life": [
            life.born_ms, life.age_ms, life.fresh_until_ms, life.revalidate_until_ms,
            life.error_until_ms, life.silence_until_ms, i64::from(life.is_strict),
        ],
    });
    line.to_string().into_bytes()
}

fn read(plain: &[u8], owner: &Owner) -> Option<Entry> {
    let line: Value = serde_json::from_slice(plain).ok()?;
    let status = u16::try_from(line.get("status")?.as_u64()?).ok()?;
    let mut headers = HeaderMap::new();
    for pair in line.get("headers")?.as_array()? {
        let name: HeaderName = pair.get(0)?.as_str()?.parse().ok()?;
        let value = STANDARD.decode_to_vec(pair.get(1)?.as_str()?).ok()?;
        headers.append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    let moments: Vec<i64> = line
        .get("life")?
        .as_array()?
        .iter()
        .map_while(Value::as_i64)
        .collect();
    let [
        born_ms,
        age_ms,
        fresh_until_ms,
        revalidate_until_ms,
        error_until_ms,
        silence_until_ms,
        is_strict,
    ] = *moments.as_slice()
    else {
        return None;
    };
    Some(Entry {
        owner: owner.clone(),
        status: StatusCode::from_u16(status).ok()?,
        headers,
        body: STANDARD
            .decode_to_vec(line.get("body")?.as_str()?)
            .map(Bytes::from)
            .ok()?,
        vary: Vary::default(),
        life: Life {
            born_ms,
            age_ms,
            fresh_until_ms,
            revalidate_until_ms,
            error_until_ms,
            silence_until_ms,
            is_strict: is_strict != 0,
        },
    })
}

/// How long a call waits for what the fleet may have.
const PATIENCE: Duration = Duration::from_millis(100);
