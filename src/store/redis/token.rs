//! The token of a login, which a fleet has together: one process logs in, under a lease with a fence.

use std::time::Duration;

use bytes::Bytes;

use super::Redis;
use crate::store::StoreFailure;
use crate::store::redis::reply::{Parts, nonsense, number};
use crate::store::redis::script::{CLAIM, GRANT};

/// What a process gets that wants a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A newer one than it has.
    Token {
        /// Its version; a later one is greater.
        version: u64,
        /// The token, as it is sealed.
        sealed: Bytes,
        /// How old it is.
        age: Duration,
        /// What is left of its life.
        left: Duration,
    },
    /// Somebody else logs in, for this long at most.
    Wait(Duration),
    /// It has to log in, with this fence.
    Go(u64),
}

impl Redis {
    /// Asks for a token later than the version `have`, or for the right to log in within `lease`.
    pub async fn claim(
        &self,
        name: &str,
        have: u64,
        lease: Duration,
    ) -> Result<Claim, StoreFailure> {
        let request = self.request(&CLAIM).arg(name).arg(have).arg(ms(lease));
        let mut parts = Parts::of(self.run(request).await?)?;
        match parts.text()?.as_str() {
            "token" => Ok(Claim::Token {
                version: parts.number()?,
                sealed: parts.bytes()?,
                age: Duration::from_millis(parts.number()?),
                left: Duration::from_millis(parts.number()?),
            }),
            "wait" => parts.number().map(Duration::from_millis).map(Claim::Wait),
            "go" => parts.number().map(Claim::Go),
            _ => Err(nonsense()),
        }
    }

    /// Hands a token in; tells its version, or `None` where somebody else logs in by now.
    pub async fn grant(
        &self,
        name: &str,
        fence: u64,
        sealed: &[u8],
        life: Duration,
    ) -> Result<Option<u64>, StoreFailure> {
        let request = self.request(&GRANT).arg(name).arg(fence).arg(sealed);
        let version = number(&self.run(request.arg(ms(life))).await?)?;
        Ok(u64::try_from(version).ok())
    }

    /// Gives the right to log in back; nobody has it before `pause` is over.
    pub async fn pause(&self, name: &str, fence: u64, pause: Duration) -> Result<(), StoreFailure> {
        let request = self.request(&GRANT).arg(name).arg(fence).arg("");
        self.run(request.arg(ms(pause))).await.map(drop)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
