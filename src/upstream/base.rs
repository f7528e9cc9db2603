//! The base URL of an upstream.

use std::fmt;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

use crate::upstream::SendFailure;
use crate::yaml::{Fault, Faults, Node, Read};

/// Scheme, host, port and path prefix; no credentials, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    host: String,
    port: u16,
    /// Without a slash at its end; often empty.
    prefix: String,
}

impl BaseUrl {
    /// Reads a URL such as `https://api.airudder.com`; says in words what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('#') {
            return Err("it has a fragment");
        }
        let uri: Uri = text.parse().map_err(|_| "it is no URL")?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or(NO_SCHEME)?;
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err("its scheme is neither https nor http"),
        };
        let authority = parts.authority.ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it has credentials in it");
        }
        let bare = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if bare.is_empty() || ServerName::try_from(bare).is_err() {
            return Err("its host is neither a name nor an address");
        }
        let host = bare.to_owned();
        // `Authority::port` says nothing of a port that is none.
        let after_host = authority.as_str().strip_prefix(authority.host());
        let port = match after_host.and_then(|rest| rest.strip_prefix(':')) {
            None => default_port,
            Some("") => return Err("its port is empty"),
            Some(port) => port.parse().map_err(|_| "its port is no port")?,
        };
        let path = parts
            .path_and_query
            .as_ref()
            .map_or("/", PathAndQuery::as_str);
        if path.contains('?') {
            return Err("it has a query");
        }
        let prefix = path.trim_end_matches('/').to_owned();
        Ok(Self {
            scheme,
            authority,
            host,
            port,
            prefix,
        })
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path that goes before every other; often empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Scheme and authority, without the prefix.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn host_header(&self) -> HeaderValue {
        HeaderValue::from_str(self.authority.as_str())
            .unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }

    /// A path with its query, below the base.
    pub(super) fn below(&self, path: &Uri) -> Result<PathAndQuery, SendFailure> {
        let path_and_query = path.path_and_query();
        if self.prefix.is_empty() {
            return Ok(path_and_query
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")));
        }
        let path_and_query = path_and_query.map_or("/", PathAndQuery::as_str);
        let joined = format!("{}{path_and_query}", self.prefix);
        PathAndQuery::try_from(joined).map_err(|_| SendFailure::Target)
    }

    /// The absolute URI of a path that is below the base.
    pub(super) fn absolute(&self, below: &PathAndQuery) -> Result<Uri, SendFailure> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(below.clone())
            .build()
            .map_err(|_| SendFailure::Target)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

impl Read for BaseUrl {
    const EXAMPLE: &'static str = "https://api.airudder.com";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        match Self::parse(&text) {
            Ok(base) => Some(base),
            Err(why) => {
                let help = if why == NO_SCHEME {
                    format!("write `https://{text}`, or http:// for a machine without TLS")
                } else {
                    format!("write one such as `{}`", Self::EXAMPLE)
                };
                let fault = Fault::at(node, format!("this cannot be a base URL: {why}")).help(help);
                // Credentials may stand in it, whatever else is wrong.
                faults.push(if text.contains('@') {
                    fault
                        .concealed()
                        .help("the account's `secrets` hold its credentials")
                } else {
                    fault
                });
                None
            }
        }
    }
}

const NO_SCHEME: &str = "it has no scheme";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_scheme_host_port_and_prefix() {
        for (text, shown, host, port) in [
            (
                "https://api.airudder.com",
                "https://api.airudder.com",
                "api.airudder.com",
                443,
            ),
            (
                "http://127.0.0.1:7080/",
                "http://127.0.0.1:7080",
                "127.0.0.1",
                7080,
            ),
            ("http://[::1]:80/a/b/", "http://[::1]:80/a/b", "::1", 80),
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(
                (base.to_string().as_str(), base.host(), base.port()),
                (shown, host, port)
            );
        }
        for text in [
            "",
            "api.airudder.com",
            "ftp://x",
            "https://",
            "https://u:p@x",
            "https://x?q",
            "https://x#f",
            "https://x:",
            "https://x:99999",
            "http://127.0.0.1:99999",
            "http://[::1]:99999",
            "http://127.0.0.1:0x50",
            "https://a b",
        ] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_goes_below_the_prefix() {
        let base = BaseUrl::parse("http://h/v1").unwrap();
        let below = base.below(&Uri::from_static("/a/b?c=d")).unwrap();
        assert_eq!(below, "/v1/a/b?c=d");
        assert_eq!(base.absolute(&below).unwrap(), "http://h/v1/a/b?c=d");
    }
}
