//! Who sends: the address behind trusted proxies, and what is borne of it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;

use crate::crypto::Cidr;
use crate::limit::FailureLimit;
use crate::message::Peer;

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<Cidr>);

impl TrustedProxies {
    /// The address of the sender: the nearest one that is no trusted proxy. `None` on a unix
    /// socket.
    pub fn sender(&self, peer: &Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.address?;
        if !self.trusts(peer) {
            return Some(peer);
        }
        let mut nearest = peer;
        let hops = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = hops.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        for hop in hops {
            // What cannot be read was not written by a proxy that we trust.
            let Ok(address) = hop.trim().parse::<IpAddr>() else {
                break;
            };
            nearest = address.to_canonical();
            if !self.trusts(nearest) {
                break;
            }
        }
        Some(nearest)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(address))
    }
}

/// The senders whose pushes were not proved, a bounded number of them.
pub struct Senders {
    failures_max: NonZeroU32,
    known: Mutex<HashMap<IpAddr, FailureLimit>>,
}

impl Senders {
    /// So many failures a minute of one sender are borne.
    pub fn new(failures_max: NonZeroU32) -> Self {
        Self {
            failures_max,
            known: Mutex::default(),
        }
    }

    /// How long a sender has to wait, if it has to.
    pub fn wait(&self, sender: Option<IpAddr>) -> Option<Duration> {
        self.known().get(&key(sender?))?.wait()
    }

    /// Notes that a push was not proved.
    pub fn note(&self, sender: Option<IpAddr>) {
        let Some(sender) = sender else { return };
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            // Whoever is not waiting has been quiet enough to be forgotten.
            known.retain(|_, limit| limit.wait().is_some());
        }
        // A flood from everywhere shares one place: it must not push the others out.
        let key = if known.len() < KNOWN_MAX {
            key(sender)
        } else {
            ELSE
        };
        known
            .entry(key)
            .or_insert_with(|| FailureLimit::per_minute(self.failures_max))
            .note();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, FailureLimit>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sender: an IPv4 address, or the /64 that an IPv6 one can choose from at will.
fn key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";
const KNOWN_MAX: usize = 10_000;
const ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_nearest_address_that_is_no_proxy_of_ours_sends() {
        let proxies = TrustedProxies(vec![Cidr::parse("10.0.0.0/8").unwrap()]);
        let sender = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let peer = Peer::at(peer.parse().unwrap());
            proxies.sender(&peer, &headers).unwrap().to_string()
        };
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.7"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(sender(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_flood_from_everywhere_is_remembered_in_a_bounded_place() {
        let senders = Senders::new(NonZeroU32::MIN);
        let address = |n: u32| Some(IpAddr::from(n.to_be_bytes()));
        for n in 0..20_000 {
            senders.note(address(n));
            senders.note(address(n));
        }
        assert!(senders.known().len() <= KNOWN_MAX + 1);
        assert!(senders.wait(address(5)).is_some());
        assert_eq!(senders.wait(address(30_000)), None);
    }
}
