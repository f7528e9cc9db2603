//! Any push against every shipped proof: nothing panics, no stranger is proven, and what a
//! handshake answers is bounded.
//!
//! The lines of the input up to an empty one are the headers, after the URL; the rest is the body.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use pintle::config::embedded;
use pintle::crypto::{Cidr, Evidence, Handshake, PublicKey, Template, Verifier};
use pintle::policy::{Policies, Proof};
use pintle::secret::Secret;
use pintle::yaml::Faults;

/// Every shipped proof, with secrets that no input has.
static PROOFS: LazyLock<Vec<(Verifier, Option<Handshake>)>> = LazyLock::new(|| {
    let policies = Policies::read(&embedded::policies(), &Faults::new());
    policies.proofs.values().map(|proof| with_secrets(proof)).collect()
});

fn with_secrets(proof: &Proof) -> (Verifier, Option<Handshake>) {
    let text = match proof.name.as_str() {
        "standard_webhooks" => "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        _ => "0b6155b01408",
    };
    let secret = || vec![Secret::new(text.to_owned())];
    let secrets: BTreeMap<_, _> = proof
        .names()
        .into_iter()
        .map(|name| (name.to_owned(), secret()))
        .collect();
    let verifier = proof.verifier(&secrets).expect("the secrets are good");
    let handshake = proof.handshake(&secrets).expect("the secrets are good");
    (verifier, handshake)
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = str::from_utf8(input) {
        let _any = (Template::parse(text), Cidr::parse(text), PublicKey::parse(text));
    }
    let at = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match at {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (input, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let url = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*url, None),
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let mut half = || halves.next().unwrap_or_default();
        let name = HeaderName::from_bytes(half());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(half())) {
            headers.append(name, value);
        }
    }
    for method in [Method::GET, Method::POST] {
        let evidence = Evidence {
            method: &method,
            url: &url,
            path,
            query,
            headers: &headers,
            body,
            plain: None,
            document: None,
            peer: None,
            path_secret: Some(path),
            certificate: None,
            now_ms: 1_773_158_400_000,
        };
        for (verifier, handshake) in PROOFS.iter() {
            assert!(verifier.verify(&evidence).is_err());
            if let Some(reply) = handshake.as_ref().and_then(|it| it.reply(&evidence)) {
                assert!(reply.body.len() <= 4096);
            }
        }
    }
});
