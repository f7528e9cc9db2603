//! Proof of sender: what a push must show before anything of it is believed.
//!
//! Pure: the caller hands over the evidence, the time included. Secrets are compared in constant
//! time and over raw bytes; every secret and every signature is tried, whichever matches first,
//! and what is absent costs the work of what is wrong. A failure names its class, which is for the
//! log alone: a sender sees one answer for all. There is no verifier without a secret where its
//! kind needs one, and an empty list of verifiers proves nothing.

mod address;
mod age;
mod credential;
mod form;
mod given;
mod port;
mod signature;
mod template;

pub use address::{Cidr, CidrFault, ClientCertificates, PeerCertificate};
pub use age::{TIMESTAMP_UNITS, Timestamp, TimestampPlace, TimestampUnit};
pub use credential::KeyPlace;
pub use given::Parse;
pub use signature::{ALGORITHMS, Algorithm, PublicKey, SIGNATURE_ENCODINGS, SignatureOptions};
pub use template::{PLACEHOLDERS, Template, TemplateFault};

pub(super) use credential::{Known, exposed};
pub(super) use form::pairs;
pub(super) use signature::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, webhook_key};

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName, Method};
use thiserror::Error;

use super::Encoding;
use crate::secret::Secret;
use signature::Signature;

/// What a push shows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The method.
    pub method: &'a Method,
    /// The full URL as the sender sees it: with the external scheme, host and port.
    pub url: &'a str,
    /// The path of that URL, not decoded.
    pub path: &'a str,
    /// The query of that URL, not decoded and without its `?`.
    pub query: Option<&'a str>,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
    /// The body as it came, byte for byte.
    pub body: &'a [u8],
    /// The body as it was opened, where it came sealed.
    pub plain: Option<&'a [u8]>,
    /// The body as its route reads it, for a proof that stands in a body that is no JSON.
    pub document: Option<&'a serde_json::Value>,
    /// The address of the sender, as far as it is known for sure.
    pub peer: Option<IpAddr>,
    /// The secret segment of the path, where the route has one.
    pub path_secret: Option<&'a str>,
    /// The certificate of the sender, where the listener has checked its chain.
    pub certificate: Option<&'a PeerCertificate>,
    /// When the push came, in milliseconds of Unix time.
    pub now_ms: i64,
}

/// Why a push is not proven. For the log alone: a sender sees one answer for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum ProofFailure {
    /// What should prove the sender is not there.
    #[error("the proof is missing")]
    Missing,
    /// It is there more than once.
    #[error("the proof is there more than once")]
    Repeated,
    /// It cannot be read.
    #[error("the proof cannot be read")]
    Malformed,
    /// It is a signature or secret of somebody else, or of another message.
    #[error("the proof is wrong")]
    Wrong,
    /// It is right, and too old.
    #[error("the proof is too old")]
    Stale,
    /// It is right, and from too far in the future.
    #[error("the proof is from the future")]
    Future,
    /// The body is not the one that its digest is of.
    #[error("the body does not fit its digest")]
    Damaged,
    /// The sender's address or certificate is none of those that may come.
    #[error("the sender is a stranger")]
    Stranger,
}

impl ProofFailure {
    /// A word for metrics and logs.
    pub fn class(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::Damaged => "damaged",
            Self::Stranger => "stranger",
        }
    }
}

/// Why a secret cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretFault {
    /// There is none.
    #[error("there is no secret")]
    Absent,
    /// It has no text.
    #[error("the secret is empty")]
    Empty,
    /// It is not written in the encoding that was named.
    #[error("the secret is not written in its encoding")]
    Encoding,
    /// Neither `whsec_` nor `whpk_` (to verify) or `whsk_` (to sign), and base64 behind it.
    #[error("the secret is no key of Standard Webhooks")]
    Webhook,
    /// A public key is not 32 bytes, written in hex or base64.
    #[error("the public key is not 32 bytes in hex or base64")]
    PublicKey,
}

/// What a verifier says of itself.
#[derive(Debug)]
pub struct DescribedVerifier {
    /// The word that policies use.
    pub name: &'static str,
    /// What it proves, and how.
    pub what: &'static str,
    /// What it does not.
    pub limits: &'static str,
}

/// Every verifier.
pub const VERIFIERS: [DescribedVerifier; 13] = [
    DescribedVerifier {
        name: "hmac",
        what: "who holds the secret has signed what the template names",
        limits: "what the template leaves out is not signed; without a timestamp in it a push can \
                 be sent again; `sha256` and templates without separators are weaker than they look",
    },
    DescribedVerifier {
        name: "standard_webhooks",
        what: "who holds the secret or private key has signed id, time and body (Standard Webhooks)",
        limits: "method, URL and other headers are not signed; within the tolerance a push can be \
                 sent again: take each id once",
    },
    DescribedVerifier {
        name: "ed25519",
        what: "who holds the private key has signed what the template names; here only the public \
               key is needed",
        limits: "what the template leaves out is not signed; without a timestamp in it a push can \
                 be sent again",
    },
    DescribedVerifier {
        name: "api_key",
        what: "the sender knows a secret, which stands in a header, the query or a field of JSON",
        limits: "the body is not signed, and whoever sees one push can make others; in a query the \
                 secret lands in the logs of every hop",
    },
    DescribedVerifier {
        name: "basic",
        what: "the sender knows a user and a password (RFC 7617)",
        limits: "the body is not signed, and whoever sees one push can make others",
    },
    DescribedVerifier {
        name: "bearer",
        what: "the sender knows a token (RFC 6750)",
        limits: "the body is not signed, and whoever sees one push can make others",
    },
    DescribedVerifier {
        name: "client_certificate",
        what: "the TLS connection is that of a certificate with one of these fingerprints or names",
        limits: "only as good as the listener's check of the chain; behind a proxy it is the \
                 proxy's certificate",
    },
    DescribedVerifier {
        name: "ip",
        what: "the push comes from one of these networks",
        limits: "proves a network, not a sender; behind a proxy only as good as the address that \
                 is taken from it",
    },
    DescribedVerifier {
        name: "digest",
        what: "the body is the one of which the header has the SHA-256",
        limits: "anyone can compute it: it shows damage, not who sent",
    },
    DescribedVerifier {
        name: "path_secret",
        what: "the sender knows a secret segment of the path",
        limits: "the body is not signed, and paths land in the logs of every hop",
    },
    DescribedVerifier {
        name: "none",
        what: "nothing",
        limits: "anyone can send; it must be written to be used",
    },
    DescribedVerifier {
        name: "all",
        what: "what every one of its parts proves",
        limits: "those that all of its parts have in common",
    },
    DescribedVerifier {
        name: "any",
        what: "what the weakest of its parts proves",
        limits: "those of each of its parts",
    },
];

/// Proves pushes: one way to prove a sender, with its secrets.
#[derive(Debug)]
pub struct Verifier(Kind);

#[derive(Debug)]
enum Kind {
    Signature(Box<Signature>),
    ApiKey(KeyPlace, Known),
    Basic(String, Known),
    Bearer(Known),
    PathSecret(Known),
    ClientCertificate(ClientCertificates),
    Ip(Vec<Cidr>),
    Digest(HeaderName),
    None,
    All(Vec<Verifier>),
    Any(Vec<Verifier>),
}

impl Verifier {
    /// A signature with a shared secret. `written` is how the secrets are written; for
    /// [`Encoding::Raw`] the bytes of the text are the key.
    pub fn hmac(
        options: SignatureOptions,
        algorithm: Algorithm,
        secrets: &[&Secret],
        written: Encoding,
    ) -> Result<Self, SecretFault> {
        Signature::keyed(options, algorithm, secrets, written).map(Self::signature)
    }

    /// A signature with a private key. No public key proves nothing.
    pub fn ed25519(options: SignatureOptions, keys: &[PublicKey]) -> Self {
        Self::signature(Signature::ed25519(options, keys))
    }

    /// Standard Webhooks: secrets that begin with `whsec_` (HMAC) or `whpk_` (Ed25519).
    pub fn standard_webhooks(
        secrets: &[&Secret],
        tolerance: Duration,
    ) -> Result<Self, SecretFault> {
        let signatures = Signature::standard_webhooks(secrets, tolerance)?;
        let verifiers = signatures.into_iter().map(Self::signature).collect();
        Ok(Self(Kind::Any(verifiers)))
    }

    fn signature(signature: Signature) -> Self {
        Self(Kind::Signature(Box::new(signature)))
    }

    /// A secret at a place of the push.
    pub fn api_key(place: KeyPlace, secrets: &[&Secret]) -> Result<Self, SecretFault> {
        Ok(Self(Kind::ApiKey(place, Known::new(secrets)?)))
    }

    /// A user, and any of these passwords.
    pub fn basic(user: String, passwords: &[&Secret]) -> Result<Self, SecretFault> {
        Ok(Self(Kind::Basic(user, Known::new(passwords)?)))
    }

    /// Any of these tokens.
    pub fn bearer(tokens: &[&Secret]) -> Result<Self, SecretFault> {
        Ok(Self(Kind::Bearer(Known::new(tokens)?)))
    }

    /// Any of these segments of the path.
    pub fn path_secret(secrets: &[&Secret]) -> Result<Self, SecretFault> {
        Ok(Self(Kind::PathSecret(Known::new(secrets)?)))
    }

    /// Any of these certificates.
    pub fn client_certificate(certificates: ClientCertificates) -> Self {
        Self(Kind::ClientCertificate(certificates))
    }

    /// Any of these networks.
    pub fn ip(networks: Vec<Cidr>) -> Self {
        Self(Kind::Ip(networks))
    }

    /// The SHA-256 of the plaintext in a header, in hex.
    pub fn digest(header: HeaderName) -> Self {
        Self(Kind::Digest(header))
    }

    /// Lets everyone through.
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// Every one of these. None at all prove nothing.
    pub fn all(verifiers: Vec<Self>) -> Self {
        Self(Kind::All(verifiers))
    }

    /// At least one of these. None at all prove nothing.
    pub fn any(verifiers: Vec<Self>) -> Self {
        Self(Kind::Any(verifiers))
    }

    /// Whether the push is from whom it should be.
    pub fn verify(&self, evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
        match &self.0 {
            Kind::Signature(signature) => signature.verify(evidence),
            Kind::ApiKey(place, known) => credential::api_key(place, known, evidence),
            Kind::Basic(user, known) => credential::basic(user, known, evidence.headers),
            Kind::Bearer(known) => credential::bearer(known, evidence.headers),
            Kind::PathSecret(known) => known.check(evidence.path_secret.map(str::as_bytes)),
            Kind::ClientCertificate(known) => known.check(evidence.certificate),
            Kind::Ip(networks) => address::check(networks, evidence.peer),
            Kind::Digest(header) => check_digest(header, evidence),
            Kind::None => Ok(()),
            Kind::All(verifiers) => all(verifiers, evidence),
            Kind::Any(verifiers) => any(verifiers, evidence),
        }
    }
}

/// Asks every one, so that the time does not tell which one said no, and gives the first failure.
fn all(verifiers: &[Verifier], evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
    let none = Err(ProofFailure::Missing);
    let said = verifiers.iter().map(|verifier| verifier.verify(evidence));
    said.reduce(Result::and).unwrap_or(none)
}

/// Asks every one, and where all say no gives the failure that tells most.
fn any(verifiers: &[Verifier], evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
    let more_telling = |one, other| match (one, other) {
        (Ok(()), _) | (_, Ok(())) => Ok(()),
        (Err(ProofFailure::Missing), other) => other,
        (one, _) => one,
    };
    let none = Err(ProofFailure::Missing);
    let said = verifiers.iter().map(|verifier| verifier.verify(evidence));
    said.reduce(more_telling).unwrap_or(none)
}

fn check_digest(header: &HeaderName, evidence: &Evidence<'_>) -> Result<(), ProofFailure> {
    let given = only(evidence.headers, header);
    let expected = digest(&SHA256, evidence.plain.unwrap_or(evidence.body));
    let given = Encoding::Hex
        .decode(given?)
        .map_err(|_| ProofFailure::Malformed)?;
    verify_slices_are_equal(expected.as_ref(), &given).map_err(|_| ProofFailure::Damaged)
}

/// The value of a header that must be there exactly once, and not be empty.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], ProofFailure> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value.as_bytes()),
        (Some(_), Some(_)) => Err(ProofFailure::Repeated),
        _ => Err(ProofFailure::Missing),
    }
}

/// What is secret prints a fixed word.
fn hidden(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("[secret]")
}
