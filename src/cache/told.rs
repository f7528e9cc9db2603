//! What is told of a reply: `Cache-Status` (RFC 9211) and `Age` (RFC 9111, section 5.1).

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How a call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// By an entry, with the seconds for which it is fresh yet; less than none where it is stale.
    Hit {
        /// Those seconds.
        ttl_s: i64,
    },
    /// By the upstream.
    Forward {
        /// Why.
        why: Forward,
        /// The status of the upstream, where another one is answered.
        status: Option<u16>,
        /// What came is kept.
        stored: bool,
        /// It was another call that was sent.
        collapsed: bool,
    },
}

/// Why a call was forwarded (RFC 9211, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The cache was not to be used for it.
    Bypass,
    /// Its method cannot be answered by a cache.
    Method,
    /// Nothing is kept under its key.
    Miss,
    /// What is kept was for calls with other headers.
    VaryMiss,
    /// What is kept is stale.
    Stale,
    /// What is kept is fresh, and the call did not want it.
    Request,
}

impl Forward {
    /// The word of RFC 9211.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::Miss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
        }
    }

    /// That a call was forwarded for this, and nothing else.
    pub fn told(self) -> Told {
        Told::Forward {
            why: self,
            status: None,
            stored: false,
            collapsed: false,
        }
    }
}

impl Told {
    /// One word for the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit { ttl_s } if ttl_s >= 0 => "hit",
            Self::Hit { .. } => "stale",
            Self::Forward {
                collapsed: true, ..
            } => "collapsed",
            Self::Forward { why, .. } => why.as_str(),
        }
    }

    /// Writes it into a reply. What caches further up said goes before.
    pub fn write(self, headers: &mut HeaderMap) {
        let mut text = "pintle".to_owned();
        let _infallible = match self {
            Self::Hit { ttl_s } => write!(text, "; hit; ttl={ttl_s}"),
            Self::Forward { why, .. } => write!(text, "; fwd={}", why.as_str()),
        };
        if let Self::Forward {
            status,
            stored,
            collapsed,
            ..
        } = self
        {
            if let Some(status) = status {
                let _infallible = write!(text, "; fwd-status={status}");
            }
            text.push_str(if stored { "; stored" } else { "" });
            text.push_str(if collapsed { "; collapsed" } else { "" });
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
