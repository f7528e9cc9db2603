//! Which names a listener answers to, and why no web page can use it.
//!
//! An endpoint without credentials on loopback can be reached by every page that a browser on the
//! same machine shows, and by any name that an attacker points at 127.0.0.1 (DNS rebinding). So:
//! the `Host` must be one of ours, and whatever a browser marks as a page's doing is refused.

use std::net::IpAddr;

use http::Request;
use http::header::{HOST, HeaderName, ORIGIN};
use http::uri::Authority;

use crate::error::Failure;
use crate::message::Peer;

/// Who may call a listener, and by which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Names besides the loopback ones, in lower case, without ports.
    pub hosts: Vec<String>,
    /// Origins of web pages that may call, as browsers write them: `https://tool.example`.
    pub origins: Vec<String>,
}

impl Guard {
    /// Lets a call through, or says what is wrong with it.
    pub(super) fn check<B>(&self, request: &Request<B>, peer: &Peer) -> Result<(), Failure> {
        if peer.address.is_none() {
            return Ok(());
        }
        self.check_host(request)?;
        self.check_origin(request)
    }

    fn check_host<B>(&self, request: &Request<B>) -> Result<(), Failure> {
        let named = request.headers().get(HOST);
        if request.uri().authority().is_none()
            && named.is_some_and(|name| is_usual(name.as_bytes()))
        {
            return Ok(());
        }
        let named = named.and_then(|value| value.to_str().ok());
        let host: Authority = match (request.uri().authority(), named) {
            (Some(authority), _) => authority.clone(),
            (None, Some(named)) => named.parse().map_err(|_| Failure::Host)?,
            (None, None) => return Err(Failure::Host),
        };
        let name = host.host().to_ascii_lowercase();
        if is_loopback(&name) || self.hosts.contains(&name) {
            Ok(())
        } else {
            Err(Failure::Host)
        }
    }

    /// Browsers send `Origin` with whatever a page posts or fetches, and `Sec-Fetch-Site` with
    /// everything; `none` is a person who typed the address.
    fn check_origin<B>(&self, request: &Request<B>) -> Result<(), Failure> {
        if let Some(origin) = request.headers().get(ORIGIN) {
            let known = self
                .origins
                .iter()
                .any(|known| known.as_bytes() == origin.as_bytes());
            return if known { Ok(()) } else { Err(Failure::Origin) };
        }
        match request.headers().get(SEC_FETCH_SITE) {
            Some(site) if site != "none" => Err(Failure::Origin),
            _ => Ok(()),
        }
    }
}

/// Whether it is a name that nearly every call has, which needs no closer look.
fn is_usual(host: &[u8]) -> bool {
    let name = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if host.get(colon + 1..).is_some_and(is_port) => host.get(..colon),
        _ => Some(host),
    };
    matches!(name, Some(b"localhost" | b"127.0.0.1"))
}

fn is_port(text: &[u8]) -> bool {
    (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, headers: &[(&'static str, &str)], is_unix: bool) -> Option<&'static str> {
        let guard = Guard {
            hosts: vec!["pintle.internal".to_owned()],
            origins: vec!["https://tool.example".to_owned()],
        };
        let peer = if is_unix {
            Peer::default()
        } else {
            Peer::at(IpAddr::from([127, 0, 0, 1]))
        };
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guard
            .check(&request.body(()).unwrap(), &peer)
            .err()
            .map(|failure| failure.description().code)
    }

    #[test]
    fn only_our_names_are_answered_to() {
        for host in [
            "localhost",
            "LOCALHOST:7070",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:7",
            "pintle.internal",
        ] {
            assert_eq!(check("/", &[("host", host)], false), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "127.0.0.1.nip.io",
            "evil.example:127.0.0.1",
            "",
        ] {
            let refused = check("/", &[("host", host)], false);
            assert_eq!(refused, Some("host_refused"), "{host}");
        }
        assert_eq!(check("/", &[], false), Some("host_refused"));
        assert_eq!(check("/", &[("host", "anything")], true), None);
        let absolute = check("http://evil.example/", &[("host", "localhost")], false);
        assert_eq!(absolute, Some("host_refused"));
    }

    #[test]
    fn web_pages_are_refused_unless_their_origin_is_listed() {
        for (name, value, refused) in [
            ("origin", "https://evil.example", true),
            ("origin", "null", true),
            ("origin", "http://localhost:7070", true),
            ("origin", "https://tool.example", false),
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "none", false),
        ] {
            let code = check("/", &[("host", "localhost"), (name, value)], false);
            assert_eq!(code == Some("origin_refused"), refused, "{name}: {value}");
        }
    }
}
