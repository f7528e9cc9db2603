//! The cases: what is sent, what must come back, and what the upstream must have seen.

use std::sync::LazyLock;

use crate::contestant::{Contestant, TOKEN};
use crate::process::fetch;

/// One comparison.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) path: &'static str,
    /// The body that is sent, in bytes; none is a `GET`.
    pub(crate) sent: usize,
    /// The reply, in bytes.
    pub(crate) came: usize,
    /// Token and rates: the peers are those that have both.
    pub(crate) has_rates: bool,
    /// The reply comes from a cache.
    pub(crate) is_cached: bool,
    /// At most so many times what these take.
    pub(crate) goals: &'static [(&'static str, f64)],
}

const PLAIN: Case = Case {
    name: "",
    about: "",
    path: "/s",
    sent: 0,
    came: 200,
    has_rates: false,
    is_cached: false,
    goals: &[("nginx", 0.95), ("haproxy", 0.95)],
};

pub(crate) const CASES: [Case; 7] = [
    Case {
        name: "a-200",
        about: "pass-through with a token, reply of 200 B",
        ..PLAIN
    },
    Case {
        name: "a-16k",
        about: "pass-through with a token, reply of 16 KiB",
        path: "/m",
        came: 16 << 10,
        goals: &[("nginx", 0.95), ("haproxy", 0.95), ("forwarder", 1.5)],
        ..PLAIN
    },
    Case {
        name: "a-1m",
        about: "pass-through with a token, reply of 1 MiB",
        path: "/l",
        came: 1 << 20,
        ..PLAIN
    },
    Case {
        name: "a-post",
        about: "pass-through with a token, body of 16 KiB, reply of 200 B",
        sent: 16 << 10,
        ..PLAIN
    },
    Case {
        name: "b-token",
        about: "token and two rates, reply of 200 B",
        has_rates: true,
        ..PLAIN
    },
    Case {
        name: "b-cache",
        about: "token, two rates, kept reply of 200 B",
        path: "/cached/s",
        has_rates: true,
        is_cached: true,
        goals: &[("haproxy", 1.0)],
        ..PLAIN
    },
    Case {
        name: "b-cache-16k",
        about: "token, two rates, kept reply of 16 KiB",
        path: "/cached/m",
        came: 16 << 10,
        has_rates: true,
        is_cached: true,
        goals: &[("haproxy", 1.0)],
        ..PLAIN
    },
];

/// A reply of so many bytes, as the upstream has it: JSON that no two places of are alike.
pub(crate) fn page(bytes: usize) -> Vec<u8> {
    let mut page = Vec::with_capacity(bytes);
    page.extend_from_slice(b"{\"rows\":[");
    let mut number = 0;
    while page.len() + 48 < bytes {
        page.extend_from_slice(
            format!("{{\"id\":{number},\"name\":\"Sample {number}\"}},").as_bytes(),
        );
        number += 1;
    }
    page.extend_from_slice(b"0],\"pad\":\"");
    page.resize(bytes - 2, b'x');
    page.extend_from_slice(b"\"}");
    page
}

/// The body that is sent.
pub(crate) static SENT: LazyLock<Vec<u8>> = LazyLock::new(|| page(16 << 10));

impl Case {
    /// One request through the contestant: does it do the work that the case is about?
    pub(crate) fn check(&self, one: &Contestant, upstream: &Contestant) {
        let sent = (self.sent > 0).then_some(SENT.as_slice());
        let (status, reply) = fetch(one.port, self.path, sent);
        assert_eq!(status, 200, "{} at {}", one.name, self.name);
        let wanted = page(self.came);
        assert!(
            reply == wanted,
            "{} answers {} differently",
            one.name,
            self.name
        );
        if self.is_cached {
            let before = fetch(upstream.port, "/count", None).1;
            fetch(one.port, self.path, None);
            let after = fetch(upstream.port, "/count", None).1;
            assert_eq!(before, after, "{} asks again at {}", one.name, self.name);
            return;
        }
        let seen = fetch(upstream.port, "/last", None).1;
        let seen = String::from_utf8_lossy(&seen).to_lowercase();
        let token = format!("authorization: bearer {TOKEN}");
        assert!(
            seen.contains(&token) || one.name == "forwarder",
            "{} sends no token",
            one.name
        );
        if self.sent > 0 {
            let head = seen.find("\r\n\r\n").map_or(0, |at| at + 4);
            assert_eq!(
                seen.len() - head,
                self.sent,
                "{} sends another body",
                one.name
            );
        }
    }
}
