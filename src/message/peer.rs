//! Who is at the other end of a connection, as far as the connection tells.

use std::net::IpAddr;
use std::sync::Arc;

/// The other end of a connection. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address; `None` on a unix socket, which no web page and no other machine can reach.
    pub address: Option<IpAddr>,
    /// Its address in writing.
    pub shown: Option<Arc<str>>,
    /// The certificate that it showed, after its chain was checked.
    pub certificate: Option<Arc<Certificate>>,
}

impl Peer {
    /// The other end at an address, of which no more is known.
    pub fn at(address: IpAddr) -> Self {
        Self {
            address: Some(address),
            shown: Some(address.to_string().into()),
            certificate: None,
        }
    }
}

/// The certificate of a TLS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// As DER.
    pub der: Vec<u8>,
    /// Its DNS names.
    pub names: Vec<String>,
}
