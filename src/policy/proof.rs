//! A proof: how the sender of a push is proven, with the names of the secrets that it takes.
//!
//! [`Proof`] is what a file says, and holds no secret. With the secrets of the settings it becomes
//! a [`Verifier`], and a [`Handshake`] where the sender asks for one; without one of them it
//! becomes nothing.

mod options;
mod read;
mod value;

pub(super) use read::read;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::HeaderName;
use thiserror::Error;

use crate::crypto::{
    Algorithm, Cidr, ClientCertificates, Encoding, Handshake, KeyPlace, PublicKey, SecretFault,
    SignatureOptions, Verifier,
};
use crate::policy::Provenance;
use crate::secret::Secret;
use crate::yaml::{Faults, Node};

/// How the sender of a push is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its name in `policies/`.
    pub name: String,
    /// What has to be shown.
    pub rule: Rule,
    /// What the sender asks before it sends anything.
    pub handshake: Option<HandshakeRule>,
    /// How sure this is, where the file says so.
    pub provenance: Option<Provenance>,
}

/// What has to be shown: a verifier of [`crate::crypto::VERIFIERS`], with names for its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A signature with a shared secret.
    Hmac(Box<HmacRule>),
    /// Standard Webhooks.
    StandardWebhooks {
        /// The names of the secrets: `whsec_…`, or `whpk_…` of a public key.
        secrets: Vec<String>,
        /// How far the time of a push may be from now.
        tolerance: Duration,
    },
    /// A signature with a private key.
    Ed25519 {
        /// How it is made.
        options: Box<SignatureOptions>,
        /// The public keys.
        keys: Vec<PublicKey>,
    },
    /// A secret at a place of the push.
    ApiKey {
        /// Where it stands.
        place: KeyPlace,
        /// Its names.
        secrets: Vec<String>,
    },
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The names of the passwords.
        secrets: Vec<String>,
    },
    /// A token; these are its names.
    Bearer(Vec<String>),
    /// A secret segment of the path; these are its names.
    PathSecret(Vec<String>),
    /// A certificate.
    ClientCertificate(ClientCertificates),
    /// A network.
    Ip(Vec<Cidr>),
    /// The digest of the plaintext in this header.
    Digest(HeaderName),
    /// Nothing.
    None,
    /// All of these.
    All(Vec<Rule>),
    /// At least one of these.
    Any(Vec<Rule>),
}

/// A signature with a shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacRule {
    /// How it is made.
    pub options: SignatureOptions,
    /// With which algorithm.
    pub algorithm: Algorithm,
    /// How the secrets are written; for [`Encoding::Raw`] the bytes of the text are the key.
    pub written: Encoding,
    /// The names of the secrets.
    pub secrets: Vec<String>,
}

/// What a proof is called that stands in a route itself.
pub const OF_ROUTE: &str = "of the route";

/// A handshake of [`crate::crypto::HANDSHAKES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeRule {
    /// Which.
    pub name: String,
    /// The names of its secrets.
    pub secrets: Vec<String>,
}

/// A secret that a proof needs is not there, or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the secret `{name}` cannot be used")]
pub struct MissingSecret {
    /// Its name; empty where the fault is that no name was written.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub fault: SecretFault,
}

/// The secrets of the settings; several under one name rotate, and any of them will do.
type Secrets = BTreeMap<String, Vec<Secret>>;

impl Proof {
    /// The names of the secrets that it needs, those of its handshake among them.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.rule.collect(&mut names);
        let handshake = self.handshake.iter().flat_map(|rule| &rule.secrets);
        names.extend(handshake.map(String::as_str));
        names
    }

    /// Whether it looks at a secret segment of the path.
    pub fn needs_path_secret(&self) -> bool {
        self.rule.needs_path_secret()
    }

    /// Whether it is over the plaintext of what comes sealed.
    pub fn reads_plaintext(&self) -> bool {
        self.rule.reads_plaintext()
    }

    /// A proof that stands in a route itself.
    pub fn inline(node: &Node, faults: &Faults) -> Option<Self> {
        read(OF_ROUTE, node, faults)
    }

    /// Whether it looks into the body.
    pub fn reads_document(&self) -> bool {
        self.rule.any(&|rule| {
            matches!(
                rule,
                Rule::ApiKey {
                    place: KeyPlace::Body(_),
                    ..
                }
            )
        })
    }

    /// Takes the keys out of a body that prove its sender: they are not kept with it.
    pub fn remove_keys(&self, document: &mut serde_json::Value) {
        self.rule.remove_keys(document);
    }

    /// The names of all its secrets.
    pub fn secret_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.rule.collect_secrets(&mut names);
        names.extend(self.handshake.iter().flat_map(|rule| rule.secrets.clone()));
        names
    }

    /// What checks pushes.
    pub fn verifier(&self, secrets: &Secrets) -> Result<Verifier, MissingSecret> {
        self.rule.verifier(secrets)
    }

    /// What answers the sender's question, where it asks one.
    pub fn handshake(&self, secrets: &Secrets) -> Result<Option<Handshake>, MissingSecret> {
        let Some(rule) = &self.handshake else {
            return Ok(None);
        };
        let made = |found: &[&Secret]| Handshake::new(&rule.name, found).transpose();
        if rule.secrets.is_empty() {
            return made(&[]).map_err(|fault| MissingSecret {
                name: String::new(),
                fault,
            });
        }
        with(&rule.secrets, secrets, made)
    }
}

impl Rule {
    fn collect<'r>(&'r self, names: &mut BTreeSet<&'r str>) {
        match self {
            Self::Hmac(rule) => names.extend(rule.secrets.iter().map(String::as_str)),
            Self::StandardWebhooks { secrets, .. }
            | Self::ApiKey { secrets, .. }
            | Self::Basic { secrets, .. }
            | Self::Bearer(secrets)
            | Self::PathSecret(secrets) => names.extend(secrets.iter().map(String::as_str)),
            Self::All(rules) | Self::Any(rules) => {
                for rule in rules {
                    rule.collect(names);
                }
            }
            Self::Ed25519 { .. }
            | Self::ClientCertificate(_)
            | Self::Ip(_)
            | Self::Digest(_)
            | Self::None => {}
        }
    }

    fn needs_path_secret(&self) -> bool {
        match self {
            Self::PathSecret(_) => true,
            Self::All(rules) | Self::Any(rules) => rules.iter().any(Self::needs_path_secret),
            _ => false,
        }
    }

    fn reads_plaintext(&self) -> bool {
        match self {
            Self::Digest(_) => true,
            Self::All(rules) | Self::Any(rules) => rules.iter().any(Self::reads_plaintext),
            _ => false,
        }
    }

    /// Whether something holds of one of its rules.
    fn any(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::All(rules) | Self::Any(rules) => rules.iter().any(|rule| rule.any(holds)),
            rule => holds(rule),
        }
    }

    fn remove_keys(&self, document: &mut serde_json::Value) {
        match self {
            Self::All(rules) | Self::Any(rules) => {
                for rule in rules {
                    rule.remove_keys(document);
                }
            }
            Self::ApiKey {
                place: KeyPlace::Body(pointer),
                ..
            } => {
                let parent = pointer.rsplit_once('/');
                let found = parent.and_then(|(parent, name)| {
                    let members = document.pointer_mut(parent)?.as_object_mut()?;
                    members.shift_remove(&name.replace("~1", "/").replace("~0", "~"))
                });
                drop(found);
            }
            _ => {}
        }
    }

    fn collect_secrets(&self, into: &mut Vec<String>) {
        match self {
            Self::Hmac(rule) => into.extend(rule.secrets.clone()),
            Self::StandardWebhooks { secrets, .. }
            | Self::ApiKey { secrets, .. }
            | Self::Basic { secrets, .. }
            | Self::Bearer(secrets)
            | Self::PathSecret(secrets) => into.extend(secrets.clone()),
            Self::All(rules) | Self::Any(rules) => {
                for rule in rules {
                    rule.collect_secrets(into);
                }
            }
            Self::Ed25519 { .. }
            | Self::ClientCertificate(_)
            | Self::Ip(_)
            | Self::Digest(_)
            | Self::None => {}
        }
    }

    /// Whether all that has to be shown is that the body is undamaged.
    fn shows_only_damage(&self) -> bool {
        match self {
            Self::Digest(_) => true,
            Self::All(rules) => rules.iter().all(Self::shows_only_damage),
            Self::Any(rules) => rules.iter().any(Self::shows_only_damage),
            _ => false,
        }
    }

    fn verifier(&self, secrets: &Secrets) -> Result<Verifier, MissingSecret> {
        let every = |rules: &[Self]| -> Result<Vec<Verifier>, MissingSecret> {
            rules.iter().map(|rule| rule.verifier(secrets)).collect()
        };
        match self {
            Self::Hmac(rule) => with(&rule.secrets, secrets, |found| {
                Verifier::hmac(rule.options.clone(), rule.algorithm, found, rule.written)
            }),
            Self::StandardWebhooks {
                secrets: names,
                tolerance,
            } => with(names, secrets, |found| {
                Verifier::standard_webhooks(found, *tolerance)
            }),
            Self::Ed25519 { options, keys } => {
                Ok(Verifier::ed25519(SignatureOptions::clone(options), keys))
            }
            Self::ApiKey {
                place,
                secrets: names,
            } => with(names, secrets, |found| {
                Verifier::api_key(place.clone(), found)
            }),
            Self::Basic {
                user,
                secrets: names,
            } => with(names, secrets, |found| Verifier::basic(user.clone(), found)),
            Self::Bearer(names) => with(names, secrets, Verifier::bearer),
            Self::PathSecret(names) => with(names, secrets, Verifier::path_secret),
            Self::ClientCertificate(known) => Ok(Verifier::client_certificate(known.clone())),
            Self::Ip(networks) => Ok(Verifier::ip(networks.clone())),
            Self::Digest(header) => Ok(Verifier::digest(header.clone())),
            Self::None => Ok(Verifier::none()),
            Self::All(rules) => every(rules).map(Verifier::all),
            Self::Any(rules) => every(rules).map(Verifier::any),
        }
    }
}

/// Makes something of the secrets of these names. Each name must have one, and each secret must do
/// on its own, so that a fault is told of the name that has it.
fn with<T>(
    names: &[String],
    secrets: &Secrets,
    make: impl Fn(&[&Secret]) -> Result<T, SecretFault>,
) -> Result<T, MissingSecret> {
    let missing = |name: &str, fault| MissingSecret {
        name: name.to_owned(),
        fault,
    };
    let mut found = Vec::new();
    for name in names {
        let own: Vec<&Secret> = secrets.get(name).into_iter().flatten().collect();
        if own.is_empty() {
            return Err(missing(name, SecretFault::Absent));
        }
        make(&own).map_err(|fault| missing(name, fault))?;
        found.extend(own);
    }
    make(&found).map_err(|fault| missing("", fault))
}
