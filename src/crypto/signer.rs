//! Signatures on deliveries that leave, by Standard Webhooks.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use http::{HeaderName, HeaderValue};
use thiserror::Error;

use super::Encoding;
use super::verifier::{
    SecretFault, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, exposed, webhook_key,
};
use crate::clock::UnixSecond;
use crate::secret::Secret;

/// Signs with one secret or several: while they rotate, a receiver may hold either.
pub struct Signer(Vec<Key>);

enum Key {
    Shared(Box<hmac::Key>),
    Private(Box<Ed25519KeyPair>),
}

/// A delivery cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignFailure {
    /// The id is empty, has a full stop (which parts it from the time), or fits in no header.
    #[error("the id cannot be signed")]
    Id,
    /// The time is before 1970.
    #[error("the time cannot be signed")]
    Time,
}

impl Signer {
    /// With secrets that begin with `whsec_` (HMAC-SHA-256), or `whsk_` (Ed25519: the seed, or the
    /// seed and the public key), and go on in base64.
    pub fn standard_webhooks(secrets: &[&Secret]) -> Result<Self, SecretFault> {
        exposed(secrets)?;
        let keys = secrets.iter().map(|secret| {
            if let Some(key) = webhook_key(secret, "whsec_") {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                return Ok(Key::Shared(Box::new(key)));
            }
            let seed = webhook_key(secret, "whsk_").ok_or(SecretFault::Webhook)?;
            let pair = match seed.split_at_checked(SEED_BYTES) {
                Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
                Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
                None => return Err(SecretFault::Webhook),
            };
            pair.map(|pair| Key::Private(Box::new(pair)))
                .map_err(|_| SecretFault::Webhook)
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// The headers of a delivery. A delivery keeps its id over all attempts; the time is that of
    /// the attempt.
    pub fn sign(
        &self,
        id: &str,
        at: UnixSecond,
        body: &[u8],
    ) -> Result<[(HeaderName, HeaderValue); 3], SignFailure> {
        if id.is_empty() || id.contains('.') || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SignFailure::Id);
        }
        if at < 0 {
            return Err(SignFailure::Time);
        }
        let text = [format!("{id}.{at}.").as_bytes(), body].concat();
        let mut signatures = Vec::new();
        for key in &self.0 {
            if !signatures.is_empty() {
                signatures.push(b' ');
            }
            match key {
                Key::Shared(key) => {
                    signatures.extend_from_slice(b"v1,");
                    let tag = hmac::sign(key, &text);
                    signatures.extend(Encoding::Base64.encode(tag.as_ref()));
                }
                Key::Private(pair) => {
                    signatures.extend_from_slice(b"v1a,");
                    signatures.extend(Encoding::Base64.encode(pair.sign(&text).as_ref()));
                }
            }
        }
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).map_err(|_| SignFailure::Id);
        Ok([
            (WEBHOOK_ID, value(id.as_bytes())?),
            (WEBHOOK_TIMESTAMP, at.into()),
            (WEBHOOK_SIGNATURE, value(&signatures)?),
        ])
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} [secret])", self.0.len())
    }
}

const SEED_BYTES: usize = 32;
