//! Signatures over what a template names: HMAC, a hash with the secret in it, and Ed25519.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use http::HeaderName;
use zeroize::Zeroizing;

use super::age::{Timestamp, TimestampPlace, TimestampUnit};
use super::given::{Given, Parse};
use super::template::{Scope, Template, param};
use super::{Evidence, ProofFailure, SecretFault, exposed, hidden, only, pairs, port};
use crate::crypto::Encoding;
use crate::secret::Secret;

/// How a sender signs, without the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureOptions {
    /// What is signed.
    pub sign: Template,
    /// The header of the signature.
    pub header: HeaderName,
    /// How the signature is written; never [`Encoding::Raw`].
    pub encoding: Encoding,
    /// What stands before the signature; only with [`Parse::Whole`].
    pub prefix: String,
    /// How the header is written.
    pub parse: Parse,
    /// How old the push may be.
    pub timestamp: Option<Timestamp>,
    /// The parameter of the query that has the SHA-256 of the body in hex, where one must (Twilio).
    pub body_digest: Option<String>,
    /// The URL is tried with and without its port (Twilio).
    pub either_port: bool,
}

/// How a text and a secret become a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-1, for senders that know nothing else.
    HmacSha1,
    /// HMAC-SHA-256.
    HmacSha256,
    /// HMAC-SHA-512.
    HmacSha512,
    /// SHA-256 of a text that has the secret in it. Whoever has one signature can sign a longer
    /// text if the secret stands first and nothing behind the body.
    Sha256,
}

/// Each algorithm with the word that files use.
pub const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("hmac-sha256", Algorithm::HmacSha256),
    ("hmac-sha512", Algorithm::HmacSha512),
    ("hmac-sha1", Algorithm::HmacSha1),
    ("sha256", Algorithm::Sha256),
];

/// Each way to write a signature with the word that files use.
pub const SIGNATURE_ENCODINGS: [(&str, Encoding); 3] = [
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
];

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads 32 bytes, written in hex or base64, also behind `whpk_`.
    pub fn parse(text: &str) -> Result<Self, SecretFault> {
        let text = text.strip_prefix(PUBLIC_PREFIX).unwrap_or(text).as_bytes();
        let encodings = [Encoding::Hex, Encoding::Base64].into_iter();
        let mut bytes = encodings.filter_map(|encoding| encoding.decode(text).ok());
        bytes
            .find_map(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Self)
            .ok_or(SecretFault::PublicKey)
    }
}

/// The key of a secret of Standard Webhooks with this prefix.
pub(in crate::crypto) fn webhook_key(secret: &Secret, prefix: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.expose().strip_prefix(prefix)?;
    // Some write base64 without its padding, and the reference libraries take it.
    let padding = "=".repeat(text.len().wrapping_neg() % 4);
    let text = Zeroizing::new(format!("{text}{padding}"));
    let bytes = Encoding::Base64.decode(text.as_bytes()).ok()?;
    (!bytes.is_empty()).then(|| Zeroizing::new(bytes))
}

/// A signature with the keys to check it.
#[derive(Debug)]
pub(super) struct Signature {
    options: SignatureOptions,
    keys: Vec<Key>,
}

enum Key {
    Hmac(Box<hmac::Key>),
    /// The secret that stands in the text.
    Sha256(Zeroizing<Vec<u8>>),
    Ed25519(PublicKey),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac(_) | Self::Sha256(_) => hidden(f),
            Self::Ed25519(key) => key.fmt(f),
        }
    }
}

impl Key {
    /// Whether one of the signatures is right. All are compared.
    fn is_signer(&self, text: &[u8], signatures: &[Vec<u8>]) -> bool {
        let mut is_right = false;
        match self {
            Self::Ed25519(key) => {
                let key = UnparsedPublicKey::new(&ED25519, key.0);
                for signature in signatures {
                    is_right |= key.verify(text, signature).is_ok();
                }
            }
            Self::Hmac(key) => {
                let expected = hmac::sign(key, text);
                for signature in signatures {
                    is_right |= verify_slices_are_equal(expected.as_ref(), signature).is_ok();
                }
            }
            Self::Sha256(_) => {
                let expected = digest(&SHA256, text);
                for signature in signatures {
                    is_right |= verify_slices_are_equal(expected.as_ref(), signature).is_ok();
                }
            }
        }
        is_right
    }

    /// What a template has for `{secret}`.
    fn in_text(&self) -> &[u8] {
        match self {
            Self::Sha256(secret) => secret,
            Self::Hmac(_) | Self::Ed25519(_) => &[],
        }
    }
}

impl Signature {
    /// With shared secrets.
    pub(super) fn keyed(
        options: SignatureOptions,
        algorithm: Algorithm,
        secrets: &[&Secret],
        written: Encoding,
    ) -> Result<Self, SecretFault> {
        let keys = exposed(secrets)?.into_iter().map(|text| {
            let bytes = written.decode(text).map_err(|_| SecretFault::Encoding)?;
            let bytes = Zeroizing::new(bytes);
            let hmac = |algorithm| Key::Hmac(Box::new(hmac::Key::new(algorithm, &bytes)));
            Ok(match algorithm {
                Algorithm::HmacSha1 => hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
                Algorithm::HmacSha256 => hmac(hmac::HMAC_SHA256),
                Algorithm::HmacSha512 => hmac(hmac::HMAC_SHA512),
                Algorithm::Sha256 => Key::Sha256(bytes),
            })
        });
        Ok(Self {
            keys: keys.collect::<Result<_, SecretFault>>()?,
            options,
        })
    }

    /// With public keys.
    pub(super) fn ed25519(options: SignatureOptions, keys: &[PublicKey]) -> Self {
        let keys = keys.iter().copied().map(Key::Ed25519).collect();
        Self { options, keys }
    }

    /// As Standard Webhooks has it: one for the secrets, one for the public keys.
    pub(super) fn standard_webhooks(
        secrets: &[&Secret],
        tolerance: Duration,
    ) -> Result<Vec<Self>, SecretFault> {
        exposed(secrets)?;
        let (mut shared, mut public) = (Vec::new(), Vec::new());
        for secret in secrets {
            if let Some(key) = webhook_key(secret, SECRET_PREFIX) {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                shared.push(Key::Hmac(Box::new(key)));
            } else if secret.expose().starts_with(PUBLIC_PREFIX) {
                public.push(Key::Ed25519(PublicKey::parse(secret.expose())?));
            } else {
                return Err(SecretFault::Webhook);
            }
        }
        let sides = [("v1", shared), ("v1a", public)].into_iter();
        let sides = sides.filter(|(_, keys)| !keys.is_empty());
        let signed = |(version, keys)| {
            let options = webhook_options(version, tolerance)?;
            Ok(Self { options, keys })
        };
        sides.map(signed).collect()
    }

    /// Whether one of the signatures is that of one of the keys, and not too old.
    pub(super) fn verify(&self, evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
        let options = &self.options;
        let mut given = Given::read(options, evidence.headers);
        if given.signatures.is_empty() {
            // The failure is settled; the work is done all the same.
            given.signatures.push(vec![0; 32]);
        }
        let other = options.either_port.then(|| port::other(evidence.url));
        let other = other.flatten();
        let urls = [Some(evidence.url), other.as_deref()];
        let mut is_right = false;
        let mut is_whole = Ok(());
        for url in urls.into_iter().flatten() {
            for key in &self.keys {
                let (text, filled) = options.sign.fill(Scope {
                    evidence,
                    url,
                    params: &given.params,
                    secret: key.in_text(),
                });
                is_whole = is_whole.and(filled);
                is_right |= key.is_signer(&text, &given.signatures);
            }
        }
        let body_digest = options.body_digest.as_deref();
        let is_undamaged = body_digest.map_or(Ok(()), |name| check_body(name, evidence));
        let is_fresh = self.check_age(&given, evidence);

        given.failure.map_or(Ok(()), Err)?;
        is_whole?;
        if !is_right {
            return Err(ProofFailure::Wrong);
        }
        // Only now is it known that the time is the sender's own word.
        is_fresh?;
        is_undamaged
    }

    fn check_age(&self, given: &Given<'_>, evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
        let Some(timestamp) = &self.options.timestamp else {
            return Ok(());
        };
        let text = match &timestamp.place {
            TimestampPlace::Header(name) => only(evidence.headers, name)?,
            TimestampPlace::Param(name) => param(&given.params, name)?,
        };
        timestamp.check(text, evidence.now_ms)
    }
}

/// Whether the query has the digest of the body, once.
fn check_body(name: &str, evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
    let expected = digest(&SHA256, evidence.body);
    let query = evidence.query.unwrap_or_default().as_bytes();
    let mut named = pairs(query).filter(|(key, _)| key == name.as_bytes());
    let given = match (named.next(), named.next()) {
        (Some((_, value)), None) => value,
        (Some(_), Some(_)) => return Err(ProofFailure::Repeated),
        (None, _) => return Err(ProofFailure::Missing),
    };
    let given = Encoding::Hex
        .decode(&given)
        .map_err(|_| ProofFailure::Malformed)?;
    verify_slices_are_equal(expected.as_ref(), &given).map_err(|_| ProofFailure::Damaged)
}

fn webhook_options(version: &str, tolerance: Duration) -> Result<SignatureOptions, SecretFault> {
    let signed = format!("{{header:{WEBHOOK_ID}}}.{{header:{WEBHOOK_TIMESTAMP}}}.{{raw_body}}");
    Ok(SignatureOptions {
        sign: Template::parse(&signed).map_err(|_| SecretFault::Webhook)?,
        header: WEBHOOK_SIGNATURE,
        encoding: Encoding::Base64,
        prefix: String::new(),
        parse: Parse::List(version.to_owned()),
        timestamp: Some(Timestamp {
            place: TimestampPlace::Header(WEBHOOK_TIMESTAMP),
            unit: TimestampUnit::Second,
            tolerance,
        }),
        body_digest: None,
        either_port: false,
    })
}

/// The id of a push, by Standard Webhooks.
pub(in crate::crypto) const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// The second in which it was sent.
pub(in crate::crypto) const WEBHOOK_TIMESTAMP: HeaderName =
    HeaderName::from_static("webhook-timestamp");
/// Its signatures.
pub(in crate::crypto) const WEBHOOK_SIGNATURE: HeaderName =
    HeaderName::from_static("webhook-signature");

const SECRET_PREFIX: &str = "whsec_";
const PUBLIC_PREFIX: &str = "whpk_";
