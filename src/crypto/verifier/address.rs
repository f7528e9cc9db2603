//! Where a push comes from: networks, and certificates of TLS clients.

use std::net::IpAddr;

use thiserror::Error;

use super::ProofFailure;

/// The certificate that a TLS client has shown, after its chain was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The SHA-256 of its DER form.
    pub sha256: [u8; 32],
    /// Its subject alternative names, as text: DNS names, URIs, mail addresses.
    pub names: Vec<String>,
}

/// The certificates that may come: by fingerprint, or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// SHA-256 fingerprints.
    pub sha256: Vec<[u8; 32]>,
    /// Subject alternative names; letter case does not count.
    pub names: Vec<String>,
}

impl ClientCertificates {
    pub(super) fn check(&self, shown: Option<&PeerCertificate>) -> Result<(), ProofFailure> {
        let shown = shown.ok_or(ProofFailure::Missing)?;
        let is_name = |name: &String| {
            let mut names = shown.names.iter();
            names.any(|shown| shown.eq_ignore_ascii_case(name))
        };
        let is_known = self.sha256.contains(&shown.sha256) || self.names.iter().any(is_name);
        is_known.then_some(()).ok_or(ProofFailure::Stranger)
    }
}

/// A network: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CidrFault {
    /// Not an address, or not a number of bits that it has.
    #[error("this is no network")]
    Syntax,
    /// Bits behind the prefix are set.
    #[error("bits behind the prefix are set")]
    HostBits(Cidr),
}

impl Cidr {
    /// Reads a network. An IPv4 network that is written in IPv6 (`::ffff:10.0.0.0/104`) is that
    /// IPv4 network.
    pub fn parse(text: &str) -> Result<Self, CidrFault> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrFault::Syntax)?;
        let most = width(address);
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or(CidrFault::Syntax)?,
            Some(_) => return Err(CidrFault::Syntax),
        };
        let canonical = address.to_canonical();
        let (address, bits) = match bits.checked_sub(most - width(canonical)) {
            Some(bits) => (canonical, bits),
            None => (address, bits),
        };
        let base = masked(address, bits);
        let network = Self { base, bits };
        if base == address {
            Ok(network)
        } else {
            Err(CidrFault::HostBits(network))
        }
    }

    /// Whether an address is in it. One of IPv4 that is written in IPv6 is one of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(address, self.bits) == self.base
    }

    /// Whether every address of its kind is in it.
    pub fn is_everything(&self) -> bool {
        self.bits == 0
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

pub(super) fn check(networks: &[Cidr], peer: Option<IpAddr>) -> Result<(), ProofFailure> {
    let peer = peer.ok_or(ProofFailure::Missing)?;
    let is_known = networks.iter().any(|network| network.contains(peer));
    is_known.then_some(()).ok_or(ProofFailure::Stranger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_networks() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::10.1.2.3", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.6/31", "192.0.2.7", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("2001:db8::1", "2001:db8::1", true),
        ] {
            let network = Cidr::parse(network).unwrap();
            let found = network.contains(address.parse().unwrap());
            assert_eq!(found, expected, "{address} in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_told() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0/8",
            "::/129",
            "a/8",
        ] {
            assert_eq!(Cidr::parse(text), Err(CidrFault::Syntax), "{text}");
        }
        for (text, meant) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("10.0.0.1/0", "0.0.0.0/0"),
        ] {
            let meant = Cidr::parse(meant).unwrap();
            assert_eq!(Cidr::parse(text), Err(CidrFault::HostBits(meant)), "{text}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_fingerprint_or_name() {
        let known = ClientCertificates {
            sha256: vec![[1; 32]],
            names: vec!["Partner.example".to_owned()],
        };
        let shown = |byte, name: &str| PeerCertificate {
            sha256: [byte; 32],
            names: vec!["other.example".to_owned(), name.to_owned()],
        };
        assert_eq!(known.check(Some(&shown(1, "x"))), Ok(()));
        assert_eq!(known.check(Some(&shown(2, "partner.example"))), Ok(()));
        let stranger = known.check(Some(&shown(2, "a.partner.example")));
        assert_eq!(stranger, Err(ProofFailure::Stranger));
        assert_eq!(known.check(None), Err(ProofFailure::Missing));
    }
}
