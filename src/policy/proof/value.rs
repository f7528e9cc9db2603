//! Names of secrets, public keys, fingerprints and networks, as people write them.

use crate::crypto::{Cidr, CidrFault, Encoding, PublicKey};
use crate::yaml::{Fault, Faults, Name, Node, Read};

/// One name of a secret, or several.
pub(super) struct Names(pub(super) Vec<String>);

impl Read for Names {
    const EXAMPLE: &'static str = "[a-name]";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        if node.text().is_some() {
            return SecretName::read(node, faults).map(|name| Self(vec![name.0]));
        }
        let names = Vec::<SecretName>::read(node, faults)?;
        if names.is_empty() {
            faults.push(
                Fault::at(node, "an empty list proves nothing").help("name a secret: `[a-name]`"),
            );
            return None;
        }
        Some(Self(names.into_iter().map(|name| name.0).collect()))
    }
}

/// The name of a secret. What is none may be the secret itself, and is not shown.
struct SecretName(String);

impl Read for SecretName {
    const EXAMPLE: &'static str = "a-name";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let own = Faults::new();
        let name = Name::read(node, &own).map(|name| Self(name.0));
        if name.is_none() {
            faults.push(
                Fault::at(node, "this is not the name of a secret")
                    .concealed()
                    .help(
                        "write the name that it has in the settings: lower-case letters, digits, \
                         `-`, `_` or `.`",
                    ),
            );
        }
        name
    }
}

/// A public key.
pub(super) struct Public(pub(super) PublicKey);

impl Read for Public {
    const EXAMPLE: &'static str = "whpk_…";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        let key = PublicKey::parse(&text).map(Self);
        key.map_err(|fault| {
            faults.push(
                Fault::at(node, fault.to_string())
                    .help("write the 64 digits of hex or the 44 characters of base64"),
            );
        })
        .ok()
    }
}

/// The fingerprint of a certificate.
pub(super) struct Fingerprint(pub(super) [u8; 32]);

impl Read for Fingerprint {
    const EXAMPLE: &'static str = "0A:1B:…";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?.replace(':', "");
        let bytes = Encoding::Hex.decode(text.as_bytes()).ok();
        let print = bytes.and_then(|bytes| bytes.try_into().ok()).map(Self);
        if print.is_none() {
            faults.push(
                Fault::at(node, "this is no SHA-256 fingerprint")
                    .help("take it from `openssl x509 -noout -fingerprint -sha256`"),
            );
        }
        print
    }
}

/// A network.
pub(super) struct Network(pub(super) Cidr);

impl Read for Network {
    const EXAMPLE: &'static str = "203.0.113.0/24";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        match Cidr::parse(&text) {
            Ok(network) if network.is_everything() => {
                faults.push(
                    Fault::at(node, "every address is in this network")
                        .help("name smaller ones, or write `none`")
                        .warning(),
                );
                Some(Self(network))
            }
            Ok(network) => Some(Self(network)),
            Err(CidrFault::HostBits(network)) => {
                faults.push(
                    Fault::at(node, "bits behind the prefix are set")
                        .help(format!("write `{network}`")),
                );
                None
            }
            Err(CidrFault::Syntax) => {
                faults.push(
                    Fault::at(node, "this is no network")
                        .help("write for example `203.0.113.0/24` or `2001:db8::/32`"),
                );
                None
            }
        }
    }
}
