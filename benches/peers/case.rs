//! The cases: what is sent, what must come back, and what the upstream must have seen.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::contestant::{Contestant, TOKEN};
use crate::process::fetch;

/// One comparison.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) path: &'static str,
    pub(crate) work: Work,
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

/// What is done with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It goes on with the token.
    Pass,
    /// Its body is sealed, and that of the reply opened.
    Sealed,
    /// A lead becomes a call, and is answered when that has been.
    Lead,
    /// It goes on with the token; a thousand routes are beside.
    Beside,
}

const PLAIN: Case = Case {
    name: "",
    about: "",
    path: "/s",
    work: Work::Pass,
    sent: 0,
    came: 200,
    has_rates: false,
    is_cached: false,
    goals: &[("nginx", 0.95), ("haproxy", 0.95)],
};

pub(crate) const CASES: [Case; 11] = [
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
    Case {
        name: "c-1k",
        about: "1 KiB both ways, sealed by AES-256-CBC",
        path: "/sealed/1k",
        work: Work::Sealed,
        sent: 1 << 10,
        came: 1 << 10,
        goals: &[("nginx-lua", 0.55)],
        ..PLAIN
    },
    Case {
        name: "c-64k",
        about: "64 KiB both ways, sealed by AES-256-CBC",
        path: "/sealed/64k",
        work: Work::Sealed,
        sent: 64 << 10,
        came: 64 << 10,
        goals: &[("nginx-lua", 0.55)],
        ..PLAIN
    },
    Case {
        name: "d",
        about: "a lead becomes a call; Pintle stores it before and notes its end, the peer does not",
        path: "/in/lead",
        work: Work::Lead,
        sent: LEAD.len(),
        goals: &[("nginx-lua", 1.4)],
        ..PLAIN
    },
    Case {
        name: "routes",
        about: "pass-through beside 1,000 routes, 1,000 operations and 100 rates, and beside one",
        work: Work::Beside,
        goals: &[("one-route", 1.03)],
        ..PLAIN
    },
];

/// A partner's lead, the call that it becomes, and the answer.
pub(crate) const LEAD: &str = r#"{"id":"L-1","phone":"702-555-0177","first":"Morgan","last":"Sample","email":"m@example.com","state":"NV"}"#;
const CALL: &str = r#"{"callee":"+17025550177","callee_name":"Morgan Sample","case_id":"L-1","variables":{"email":"m@example.com","state":"NV"}}"#;
const ANSWER: &str = r#"{"status":"ok"}"#;

/// The key of the sealed cases, AES-256 in hex.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

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

impl Case {
    /// One request through the contestant: does it do the work that the case is about?
    pub(crate) fn check(&self, one: &Contestant, upstream: &Contestant) {
        let sent = self.body();
        let (status, reply) = fetch(one.port, self.path, sent.as_deref());
        assert_eq!(status, 200, "{} at {}", one.name, self.name);
        let wanted = match self.work {
            Work::Lead => ANSWER.as_bytes().to_vec(),
            Work::Pass | Work::Sealed | Work::Beside => page(self.came),
        };
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
        self.check_body(&seen, one.name);
        let seen = String::from_utf8_lossy(&seen).to_lowercase();
        let token = format!("authorization: bearer {TOKEN}");
        assert!(
            seen.contains(&token) || one.name == "forwarder",
            "{} sends no token",
            one.name
        );
    }

    /// The body that is sent.
    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        match self.work {
            Work::Lead => Some(LEAD.as_bytes().to_vec()),
            Work::Pass | Work::Sealed | Work::Beside => (self.sent > 0).then(|| page(self.sent)),
        }
    }

    /// What the upstream has seen is what it should.
    fn check_body(&self, seen: &[u8], name: &str) {
        let head = seen.windows(4).position(|part| part == b"\r\n\r\n");
        let body = &seen[head.map_or(0, |at| at + 4)..];
        let sent = self.body().unwrap_or_default();
        let is_good = match self.work {
            Work::Pass | Work::Beside => body == sent,
            Work::Sealed => opened(body) == sent,
            Work::Lead => {
                let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
                read(body).is_some() && read(body) == read(CALL.as_bytes())
            }
        };
        assert!(is_good, "{name} sends another body at {}", self.name);
    }
}

/// Sealed by OpenSSL: IV and text, in Base64.
pub(crate) fn sealed(plain: &[u8]) -> Vec<u8> {
    let iv = [7_u8; 16];
    let hex = "07".repeat(16);
    let text = piped(
        "openssl",
        &["enc", "-aes-256-cbc", "-K", KEY, "-iv", &hex],
        plain,
    );
    piped("base64", &["-w0"], &[&iv[..], &text].concat())
}

/// Opened by OpenSSL.
fn opened(sealed: &[u8]) -> Vec<u8> {
    let bytes = piped("base64", &["-d"], sealed);
    let (iv, text) = bytes.split_at(bytes.len().min(16));
    let hex = iv.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    piped(
        "openssl",
        &["enc", "-d", "-aes-256-cbc", "-K", KEY, "-iv", &hex],
        text,
    )
}

fn piped(command: &str, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(command)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command} cannot be run: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap().stdout;
    writing.join().unwrap();
    output
}
