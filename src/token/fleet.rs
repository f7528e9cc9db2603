//! One login for a whole fleet: the token is had from the others, or got for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::attempt::{Attempt, Granted};
use super::{LoginFailure, Pace};
use crate::crypto::Vault;
use crate::secret::Secret;
use crate::store::Redis;
use crate::store::redis::Claim;

/// Where the processes of a fleet have their token.
pub(super) struct Shared {
    redis: Arc<Redis>,
    vault: Vault,
}

impl Shared {
    /// `None` where the login has no secrets, without which nothing could be sealed.
    pub(super) fn new(redis: Arc<Redis>, attempt: &Attempt) -> Option<Self> {
        let fields = &attempt.identity.fields;
        let fields = fields.iter().map(|(name, secret)| (name.as_str(), secret));
        let base = attempt.upstream.base();
        // A token is for one login at one place.
        let purpose = format!("pintle token\n{}\n{base}", attempt.login.name);
        let vault = Vault::new(&purpose, fields)?;
        Some(Self { redis, vault })
    }

    /// A token later than the version `have`, with its own.
    pub(super) async fn token(
        &self,
        attempt: &Attempt,
        (mut have, deadline): (u64, Instant),
        pace: &Pace,
    ) -> Result<(Granted, u64), LoginFailure> {
        let name = self.vault.name();
        loop {
            match self.redis.claim(name, have, pace.login).await {
                Ok(Claim::Token {
                    version,
                    sealed,
                    age,
                    left,
                }) => match self.open(attempt, &sealed) {
                    Some(granted) => {
                        return Ok((
                            Granted {
                                age,
                                lifetime: left,
                                ..granted
                            },
                            version,
                        ));
                    }
                    // Nobody could use it: another takes its place.
                    None => have = version,
                },
                Ok(Claim::Wait(most)) => sleep(most.min(LOOK_EVERY)).await,
                Ok(Claim::Go(fence)) => {
                    if let Some(had) = self.log_in(attempt, (fence, deadline), pace).await? {
                        return Ok(had);
                    }
                }
                // Calls go on without the others.
                Err(failure) => {
                    tracing::warn!(%failure, account = attempt.account, "logs in alone");
                    return attempt.run(deadline).await.map(|granted| (granted, have));
                }
            }
        }
    }

    /// Logs in for everybody; `None` where it took so long that somebody else does.
    async fn log_in(
        &self,
        attempt: &Attempt,
        (fence, deadline): (u64, Instant),
        pace: &Pace,
    ) -> Result<Option<(Granted, u64)>, LoginFailure> {
        let name = self.vault.name();
        let asked = Instant::now();
        let granted = match attempt.run(deadline).await {
            Ok(granted) => granted,
            Err(failure) => {
                // If it cannot be told, the lease ends by itself.
                let _lost = self.redis.pause(name, fence, pace.backoff / 2).await;
                return Err(failure);
            }
        };
        let sealed = self.vault.seal(&[], granted.text.expose().as_bytes());
        let life = granted.lifetime.saturating_sub(asked.elapsed());
        match self
            .redis
            .grant(name, fence, &sealed.unwrap_or_default(), life)
            .await
        {
            Ok(None) => Ok(None),
            Ok(Some(version)) => Ok(Some((granted, version))),
            Err(_) => Ok(Some((granted, fence))),
        }
    }

    fn open(&self, attempt: &Attempt, sealed: &Bytes) -> Option<Granted> {
        let text = String::from_utf8(self.vault.open(&[], sealed)?).ok()?;
        attempt.shown(Secret::new(text), Duration::ZERO).ok()
    }
}

/// How often is looked whether the login of another has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
