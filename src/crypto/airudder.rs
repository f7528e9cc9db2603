//! The platform's own scheme: AES-ECB with the raw key, zero bytes as padding, standard base64,
//! and an unkeyed digest of the plaintext.
//!
//! Source: the platform's AES pages (developer.airudder.com doc-6917040, apifox doc-1678219).
//! It hides text from an onlooker and shows damage. It does not show who sealed it (the digest has
//! no key), and equal blocks stay equal (ECB): TLS stays needed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::aes_key::BLOCK;
use super::encoding::hex;
use super::{AesKey, Beside, Encoding, OpenFailure, SealFailure, Sealed};

/// The platform's scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Airudder;

impl Airudder {
    /// Seals a text: exactly these bytes, which are also what the digest is taken of.
    pub fn seal(self, key: &AesKey, plain: &[u8]) -> Result<Sealed, SealFailure> {
        let mut buffer = Vec::new();
        self.encrypt(key, plain, &mut buffer)?;
        Ok(Sealed {
            text: Encoding::Base64.encode(&buffer),
            digest: Some(hex(digest(&SHA256, plain).as_ref())),
            iv: None,
            mac: None,
        })
    }

    /// Opens a text.
    pub fn open(
        self,
        key: &AesKey,
        text: &[u8],
        beside: &Beside<'_>,
    ) -> Result<Vec<u8>, OpenFailure> {
        let mut buffer = Encoding::Base64.decode(text)?;
        self.decrypt(key, &mut buffer)?;
        let expected = hex(digest(&SHA256, &buffer).as_ref());
        verify_slices_are_equal(expected.as_bytes(), beside.digest.unwrap_or_default())
            .map_err(|_| OpenFailure::Digest)?;
        Ok(buffer)
    }

    /// The cipher of [`Self::seal`] alone: writes the padded, encrypted blocks in place of what
    /// `buffer` holds.
    pub fn encrypt(
        self,
        key: &AesKey,
        plain: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), SealFailure> {
        if plain.last() == Some(&0) {
            return Err(SealFailure::TrailingZero);
        }
        // 1 to 16 zero bytes: a whole block of them behind an aligned text.
        let padded = (plain.len() / BLOCK + 1) * BLOCK;
        buffer.clear();
        buffer.reserve(padded);
        buffer.extend_from_slice(plain);
        buffer.resize(padded, 0);
        key.encrypt_ecb(buffer);
        Ok(())
    }

    /// The cipher of [`Self::open`] alone, in place. Whether the text is the one that was sealed,
    /// only the digest tells.
    pub fn decrypt(self, key: &AesKey, buffer: &mut Vec<u8>) -> Result<(), OpenFailure> {
        if buffer.is_empty() || !buffer.len().is_multiple_of(BLOCK) {
            return Err(OpenFailure::Length);
        }
        key.decrypt_ecb(buffer);
        let last = buffer.iter().rposition(|byte| *byte != 0);
        buffer.truncate(last.map_or(0, |last| last + 1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first row is the platform's own sample; the others follow the same rules and were
    /// checked with OpenSSL.
    const ROWS: [(&str, &str, &str); 5] = [
        (
            "TaskID=69f531a01a9df58aa6de2487be610abb",
            "qbj8cnqKnqR66qDS49ib9ymU1mpMCyp8Dm0gS1VvmnEqTxPGSBzruAU1sapP+cye",
            "6956d7af4c89b89f19f9ae0a8be4bcf12abe7c6ed893691733f3480ad3f3aabc",
        ),
        (
            "",
            "CCSY1OCKYQd51cLzzzy5HQ==",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            "0123456789abcdef",
            "6eK3sOQOSuWBIj7Fj0MdEggkmNTgimEHedXC8888uR0=",
            "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
        ),
        (
            r#"{"workflow_id":"w1","callee":"+8613711112222"}"#,
            "M/IPsAxHWfJ0I41aH+QKym3FC5By7YJKjGDLyOgAqA39c1J0XABNGHwx6rP6uDy2",
            "e38598a3952ffe8783be2a69a7fa21d9d14786d0403791d1e53e20fdd95123c7",
        ),
        (
            r#"{"name":"张三"}"#,
            "1l+gUEfpyEeCWHAoMAZ6YfvaoBQzoL2ff3Z3lQmjpgo=",
            "ff243a693d2a9e1d4fb0235c40a8879fc19a860ce52d138d7a2e05c1fbded69b",
        ),
    ];

    fn key() -> AesKey {
        AesKey::new(b"airudderredduria").unwrap()
    }

    fn beside(digest: &str) -> Beside<'_> {
        Beside {
            digest: Some(digest.as_bytes()),
            ..Beside::default()
        }
    }

    #[test]
    fn the_known_answers_match_byte_for_byte() {
        for (plain, text, digest) in ROWS {
            let sealed = Airudder.seal(&key(), plain.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(sealed.text).unwrap(), text);
            assert_eq!(sealed.digest.as_deref(), Some(digest));
            let opened = Airudder
                .open(&key(), text.as_bytes(), &beside(digest))
                .unwrap();
            assert_eq!(opened, plain.as_bytes());
        }
    }

    #[test]
    fn each_way_to_be_wrong_has_its_class() {
        let (_, text, digest) = ROWS[3];
        let open = |text: &str, digest| Airudder.open(&key(), text.as_bytes(), &digest);
        let none = Beside::default();
        for (text, digest, failure) in [
            ("", beside(digest), OpenFailure::Length),
            ("====", beside(digest), OpenFailure::Encoding),
            (&text[1..], beside(digest), OpenFailure::Encoding),
            ("YWJj", beside(digest), OpenFailure::Length),
            (text, beside(ROWS[0].2), OpenFailure::Digest),
            (text, beside(""), OpenFailure::Digest),
            (text, none, OpenFailure::Digest),
        ] {
            assert_eq!(open(text, digest), Err(failure), "{text}");
        }
        let other = AesKey::new(b"another key here").unwrap();
        assert!(
            Airudder
                .open(&other, text.as_bytes(), &beside(digest))
                .is_err()
        );
    }

    #[test]
    fn a_text_that_cannot_come_back_is_not_sealed() {
        assert_eq!(
            Airudder.seal(&key(), b"abc\0"),
            Err(SealFailure::TrailingZero)
        );
        assert!(Airudder.seal(&key(), b"a\0bc").is_ok());
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(mut plain: Vec<u8>, key in prop::sample::select(vec![16, 24, 32])) {
            plain.push(b'}');
            let key = AesKey::new(&vec![7; key]).unwrap();
            let sealed = Airudder.seal(&key, &plain).unwrap();
            let digest = sealed.digest.unwrap();
            prop_assert_eq!(Airudder.open(&key, &sealed.text, &beside(&digest)).unwrap(), plain);
        }
    }
}
