//! The closed list of sealing schemes, each of which describes itself.

use super::{
    AesCbc, AesKey, Airudder, Beside, CbcOptions, MacKey, OpenFailure, SealFailure, Sealed,
};

/// How payloads are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The platform's own.
    Airudder,
    /// AES-CBC with PKCS#7.
    AesCbc(AesCbc),
    /// Nothing is sealed. It must be written to be used.
    None,
}

/// What a scheme says of itself.
#[derive(Debug)]
pub struct Described {
    /// The word that policies use.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub what: &'static str,
    /// What it does not do.
    pub limits: &'static str,
    /// Makes it; only AES-CBC has anything to choose.
    pub make: fn(CbcOptions) -> Scheme,
}

/// Every scheme.
pub const SCHEMES: [Described; 3] = [
    Described {
        name: "airudder",
        what: "AES-ECB with the raw key, zero bytes as padding, standard base64, and an unkeyed \
               SHA-256 of the plaintext in a header",
        limits: "equal blocks stay equal, and the digest shows damage, not who sealed: TLS stays \
                 needed",
        make: |_| Scheme::Airudder,
    },
    Described {
        name: "aes-cbc",
        what: "AES-CBC with PKCS#7 padding; the IV random or fixed; with a MAC key, HMAC-SHA-256 \
               over IV and ciphertext, checked before anything is decrypted",
        limits: "without a MAC key the text can be changed unnoticed; with a fixed IV equal texts \
                 look equal",
        make: |options| Scheme::AesCbc(AesCbc(options)),
    },
    Described {
        name: "none",
        what: "nothing is sealed",
        limits: "nothing is protected",
        make: |_| Scheme::None,
    },
];

/// The keys of one seal: the cipher's, and the tag's where there is one.
#[derive(Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key of the cipher.
    pub cipher: AesKey,
    /// The key of the tag.
    pub mac: Option<MacKey>,
}

impl Scheme {
    /// Seals a text. [`Scheme::None`] gives it back as it is.
    pub fn seal(&self, keys: &Keys, plain: &[u8]) -> Result<Sealed, SealFailure> {
        match self {
            Self::Airudder => Airudder.seal(&keys.cipher, plain),
            Self::AesCbc(scheme) => scheme.seal(&keys.cipher, keys.mac.as_ref(), plain),
            Self::None => Ok(Sealed {
                text: plain.to_vec(),
                digest: None,
                iv: None,
                mac: None,
            }),
        }
    }

    /// Opens a text.
    pub fn open(
        &self,
        keys: &Keys,
        text: &[u8],
        beside: &Beside<'_>,
    ) -> Result<Vec<u8>, OpenFailure> {
        match self {
            Self::Airudder => Airudder.open(&keys.cipher, text, beside),
            Self::AesCbc(scheme) => scheme.open(&keys.cipher, keys.mac.as_ref(), text, beside),
            Self::None => Ok(text.to_vec()),
        }
    }
}
