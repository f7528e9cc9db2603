//! Sealing what only those may read who have the same secrets: AES-256-GCM (NIST SP 800-38D) with a
//! nonce drawn for each text, under a key by HKDF-SHA-256 (RFC 5869).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::encoding::hex;
use crate::secret::Secret;

/// Seals and opens for all who were made of the same purpose and secrets.
pub struct Vault {
    key: RandomizedNonceKey,
    name: String,
}

impl Vault {
    /// A vault for a purpose. Without a secret there is none: anybody could open it.
    pub fn new<'s>(
        purpose: &str,
        secrets: impl IntoIterator<Item = (&'s str, &'s Secret)>,
    ) -> Option<Self> {
        let mut material = Vec::new();
        for (name, secret) in secrets {
            // Each part with its length, so that no two lists of parts look the same.
            for part in [name, secret.expose()] {
                material.extend_from_slice(&part.len().to_be_bytes());
                material.extend_from_slice(part.as_bytes());
            }
        }
        if material.is_empty() {
            return None;
        }
        let root = Salt::new(HKDF_SHA256, purpose.as_bytes()).extract(&material);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &derived::<32>(&root, b"key")?);
        Some(Self {
            key: key.ok()?,
            name: hex(&derived::<16>(&root, b"name")?),
        })
    }

    /// A name that tells vaults apart and nothing else.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The nonce and the sealed text. It opens only with the same `place`.
    pub fn seal(&self, place: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = text.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place), &mut sealed)
            .ok()?;
        Some([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed, unless it was changed, is of another place, or of other secrets.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let len = self
            .key
            .open_in_place(nonce, Aad::from(place), &mut text)
            .ok()?
            .len();
        text.truncate(len);
        Some(text)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[vault]")
    }
}

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn derived<const N: usize>(root: &Prk, what: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let what = [what];
    root.expand(&what, Len(N)).ok()?.fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(purpose: &str, secret: &str) -> Vault {
        let secret = Secret::new(secret.to_owned());
        Vault::new(purpose, [("key", &secret)]).unwrap()
    }

    #[test]
    fn only_the_same_secrets_open_and_only_in_their_place() {
        let (one, same) = (vault("token", "s3cret"), vault("token", "s3cret"));
        let sealed = one.seal(b"here", b"tok_1").unwrap();
        assert_eq!(same.open(b"here", &sealed).unwrap(), b"tok_1");
        assert_eq!(one.name(), same.name());
        for other in [vault("token", "other"), vault("cache", "s3cret")] {
            assert_eq!(other.open(b"here", &sealed), None);
            assert_ne!(other.name(), one.name());
        }
        assert_eq!(one.open(b"there", &sealed), None);
        assert_ne!(
            one.seal(b"here", b"tok_1").unwrap(),
            sealed,
            "a nonce comes once"
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(one.open(b"here", &changed), None);
            assert_eq!(one.open(b"here", &sealed[..at]), None);
        }
        assert!(Vault::new("token", []).is_none());
    }
}
