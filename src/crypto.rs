//! Sealing: payloads encrypted with all their framing, and opened again. Proof of sender: what a
//! push must show before it is believed, handshakes, and signatures on what leaves.
//!
//! Pure: bytes in, bytes out. A failure to open names its class, which is for the log alone; that
//! a sender cannot tell the classes apart, by words or by time, is the care of the paths.

mod aes_key;
mod airudder;
mod cbc;
mod chain;
mod encoding;
mod handshake;
mod iv;
mod keyring;
mod proven;
mod scheme;
mod signer;
mod vault;
mod verifier;

pub use aes_key::{AesKey, KeyFault};
pub use airudder::Airudder;
pub use cbc::{AesCbc, CbcOptions, IvPlace, MacKey, MacPlace};
pub use encoding::{ENCODINGS, Encoding};
pub use handshake::{DescribedHandshake, HANDSHAKES, Handshake, HandshakeReply};
pub use keyring::{Keyring, NamedKey};
pub use proven::Proven;
pub use scheme::{Described, Keys, SCHEMES, Scheme};
pub use signer::{SignFailure, Signer};
pub use vault::Vault;
pub use verifier::{
    ALGORITHMS, Algorithm, Cidr, CidrFault, ClientCertificates, DescribedVerifier, Evidence,
    KeyPlace, PLACEHOLDERS, Parse, PeerCertificate, ProofFailure, PublicKey, SIGNATURE_ENCODINGS,
    SecretFault, SignatureOptions, TIMESTAMP_UNITS, Template, TemplateFault, Timestamp,
    TimestampPlace, TimestampUnit, VERIFIERS, Verifier,
};

use aws_lc_rs::digest::{SHA256, digest};
pub(crate) use encoding::hex;
use thiserror::Error;

/// SHA-256 of a text.
pub fn sha256(text: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text).as_ref());
    bytes
}

/// A sealed payload, with what has to travel beside it.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sealed text, encoded for the wire.
    pub text: Vec<u8>,
    /// The digest of the plaintext, lower-case hex; only where the scheme has one.
    pub digest: Option<String>,
    /// The initialisation vector, encoded; only where it travels beside the text.
    pub iv: Option<String>,
    /// The tag over IV and ciphertext, encoded; only where it travels beside the text.
    pub mac: Option<String>,
}

impl Sealed {
    /// Nothing yet: what `seal_into` fills. Its text keeps the memory that it has.
    pub fn empty() -> Self {
        Self {
            text: Vec::new(),
            digest: None,
            iv: None,
            mac: None,
        }
    }
}

/// What came beside a sealed text.
#[derive(Debug, Default, Clone, Copy)]
pub struct Beside<'t> {
    /// The digest of the plaintext.
    pub digest: Option<&'t [u8]>,
    /// The initialisation vector.
    pub iv: Option<&'t [u8]>,
    /// The tag.
    pub mac: Option<&'t [u8]>,
}

/// Why a payload cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealFailure {
    /// The scheme strips trailing zero bytes when it opens, so this text would come out shorter.
    #[error("the payload ends in a zero byte, which the scheme cannot represent")]
    TrailingZero,
    /// A payload of which fields are to be sealed is not JSON.
    #[error("the payload is not JSON")]
    NotJson,
    /// The keyring has no key that is valid now.
    #[error("no key of the keyring is valid now")]
    NoKey,
    /// The system's random source failed.
    #[error("the system gives no random bytes")]
    NoRandom,
}

/// Why a sealed text was not opened. For the log alone: a sender sees one answer for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenFailure {
    /// Not the encoding that the scheme uses.
    #[error("the encoding is broken")]
    Encoding,
    /// Not a whole number of blocks, or none.
    #[error("the length is wrong")]
    Length,
    /// The padding is wrong.
    #[error("the padding is wrong")]
    Padding,
    /// The digest of the plaintext is missing or another one.
    #[error("the digest is wrong")]
    Digest,
    /// The tag is missing or another one.
    #[error("the tag is wrong")]
    Mac,
    /// The initialisation vector is missing or has the wrong length.
    #[error("the initialisation vector is wrong")]
    Iv,
    /// The plaintext is not the JSON that it should be.
    #[error("the plaintext is not JSON")]
    Json,
    /// It is not sealed, and should be.
    #[error("it is not sealed")]
    Plain,
    /// The keyring has no key that is valid now.
    #[error("no key of the keyring is valid now")]
    NoKey,
}

impl OpenFailure {
    /// The class, for records and metrics.
    pub fn class(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Length => "length",
            Self::Padding => "padding",
            Self::Digest => "digest",
            Self::Mac => "mac",
            Self::Iv => "iv",
            Self::Json => "json",
            Self::Plain => "plain",
            Self::NoKey => "no_key",
        }
    }
}
