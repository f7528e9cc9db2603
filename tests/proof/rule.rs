//! Verifiers beside those of the vectors, each read from YAML.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use pintle::crypto::{
    Encoding, PeerCertificate, ProofFailure, SecretFault, SignFailure, Signer, VERIFIERS, Verifier,
};
use pintle::secret::Secret;

use crate::support::{Push, proof, secrets, shipped, verifier};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    text(Encoding::Hex.encode(bytes))
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

const HMAC: &str = "hmac: { sign: \"{raw_body}\", algorithm: hmac-sha512, header: x-sig, \
                    encoding: base64url, key: hex, secrets: [a, b] }";

#[test]
fn bodies_and_secrets_are_bytes() {
    let verifier = verifier(&proof(HMAC), &["00ff80"]);
    for body in [
        &b"\xff\x00\xfe"[..],
        "{\"name\":\"张三 é\"}".as_bytes(),
        b"",
    ] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, b"\x00\xff\x80"), body);
        let signature = text(Encoding::Base64Url.encode(tag.as_ref()));
        for signature in [signature.clone(), format!("{signature}==")] {
            let mut push = Push::new("").header("x-sig", &signature);
            push.body = body.to_vec();
            assert_eq!(push.proven(&verifier), Ok(()));
            push.body.push(0);
            assert_eq!(push.proven(&verifier), Err(ProofFailure::Wrong));
        }
    }
}

#[test]
fn a_secret_that_cannot_be_used_makes_no_verifier() {
    let hmac = proof(HMAC);
    assert_eq!(hmac.names().into_iter().collect::<Vec<_>>(), ["a", "b"]);
    let fault = |with: &[(&str, &[&str])]| {
        let secret = |text: &&str| Secret::new((*text).to_owned());
        let entry = |(name, texts): &(&str, &[&str])| {
            (
                (*name).to_owned(),
                texts.iter().map(secret).collect::<Vec<_>>(),
            )
        };
        let fault = hmac
            .verifier(&with.iter().map(entry).collect())
            .unwrap_err();
        (fault.name, fault.fault)
    };
    let told = |name: &str, fault| (name.to_owned(), fault);
    assert_eq!(fault(&[("a", &["00"])]), told("b", SecretFault::Absent));
    assert_eq!(
        fault(&[("a", &["00"]), ("b", &[])]),
        told("b", SecretFault::Absent)
    );
    assert_eq!(
        fault(&[("a", &["00", ""]), ("b", &["00"])]),
        told("a", SecretFault::Empty)
    );
    assert_eq!(
        fault(&[("a", &["0g"]), ("b", &["00"])]),
        told("a", SecretFault::Encoding)
    );
    for name in [
        "api_key: { header: x, secrets: a }",
        "bearer: a",
        "path_secret: [a]",
    ] {
        let missing = proof(name).verifier(&BTreeMap::new()).unwrap_err();
        assert_eq!(
            (missing.name.as_str(), missing.fault),
            ("a", SecretFault::Absent)
        );
    }
    let webhooks = shipped("standard_webhooks");
    for text in ["hunter2", "whsec_", "whsec_?", "whpk_AAAA", "whsk_AAAA"] {
        assert!(
            webhooks.verifier(&secrets(&webhooks, &[text])).is_err(),
            "{text}"
        );
    }
}

#[test]
fn nothing_shows_a_secret() {
    for yaml in [
        HMAC,
        "hmac: { sign: \"{secret}{raw_body}\", algorithm: sha256, header: x, encoding: hex, secrets: a }",
        "any: [{ bearer: a }, { path_secret: a }, { basic: { user: u, secrets: a } }]",
        "all: [{ api_key: { body: $.k, secrets: a } }]",
    ] {
        let shown = format!("{:?}", verifier(&proof(yaml), &["abcd1234"]));
        let digest = format!("{:?}", digest(&SHA256, b"abcd1234").as_ref());
        let is_shown = shown.contains("abcd1234") || shown.contains(&digest[1..20]);
        assert!(!is_shown && shown.contains("[secret]"), "{shown}");
    }
    let secret = Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned());
    let signer = Signer::standard_webhooks(&[&secret]).unwrap();
    assert_eq!(format!("{signer:?}"), "Signer(1 [secret])");
}

#[test]
fn discord_signs_with_a_private_key() {
    let pair = pair();
    let public = pair.public_key().as_ref();
    let written = [hex(public), text(Encoding::Base64.encode(public))];
    for key in written {
        let proof = proof(&format!(
            "ed25519: {{ sign: \"{{header:x-signature-timestamp}}{{raw_body}}\", header: x-signature-ed25519, \
             encoding: hex, public_keys: [\"{}\", \"{key}\"], timestamp: {{ header: x-signature-timestamp, \
             unit: s, tolerance: 5m }} }}",
            "00".repeat(32)
        ));
        let verifier = proof.verifier(&BTreeMap::new()).unwrap();
        let signature = hex(pair.sign(b"1773158400{}").as_ref());
        let push = |body: &str, signature: &str| {
            let push = Push::new(body).header("x-signature-timestamp", "1773158400");
            push.header("x-signature-ed25519", signature)
                .proven(&verifier)
        };
        assert_eq!(push("{}", &signature), Ok(()));
        assert_eq!(push("{ }", &signature), Err(ProofFailure::Wrong));
        assert_eq!(push("{}", &hex(&[0; 64])), Err(ProofFailure::Wrong));
        assert_eq!(push("{}", "00"), Err(ProofFailure::Wrong));
        assert_eq!(push("{}", "é"), Err(ProofFailure::Malformed));
    }
}

#[test]
fn a_key_stands_in_a_header_the_query_or_the_body() {
    let of = |yaml: &str| verifier(&proof(yaml), &["k 1é", "7"]);
    let header = of("api_key: { header: x-key, secrets: a }");
    let query = of("api_key: { query: key, secrets: a }");
    let body = of("api_key: { body: \"$['a/b'][0]['~k']\", secrets: a }");
    let asked = |query: &str| Push {
        url: format!("https://x.example/h?{query}"),
        ..Push::new("")
    };
    let posted = |key: &str| Push::new(&format!("{{\"a/b\":[{{\"~k\":{key}}}]}}"));
    for (verifier, push, expected) in [
        (&header, Push::new("").header("X-Key", "k 1é"), Ok(())),
        (
            &header,
            Push::new("").header("x-key", "k 1"),
            Err(ProofFailure::Wrong),
        ),
        (
            &header,
            Push::new("").header("x-key", ""),
            Err(ProofFailure::Missing),
        ),
        (&header, Push::new(""), Err(ProofFailure::Missing)),
        (
            &header,
            Push::new("").header("x-key", "7").header("x-key", "7"),
            Err(ProofFailure::Repeated),
        ),
        (&query, asked("a=1&key=k+1%C3%A9"), Ok(())),
        (&query, asked("%6bey=7"), Ok(())),
        (&query, asked("key=7&key=7"), Err(ProofFailure::Repeated)),
        (&query, asked("key="), Err(ProofFailure::Wrong)),
        (&query, asked("KEY=7"), Err(ProofFailure::Missing)),
        (&body, posted("\"k 1é\""), Ok(())),
        (&body, posted("7"), Ok(())),
        (&body, posted("8"), Err(ProofFailure::Wrong)),
        (&body, posted("[7]"), Err(ProofFailure::Malformed)),
        (&body, Push::new("{}"), Err(ProofFailure::Missing)),
        (&body, Push::new("7"), Err(ProofFailure::Missing)),
        (&body, Push::new("{"), Err(ProofFailure::Malformed)),
    ] {
        assert_eq!(push.proven(verifier), expected, "{push:?}");
    }
}

#[test]
fn a_segment_of_the_path_is_known() {
    let verifier = verifier(&shipped("platform"), &["old", "new"]);
    for (segment, expected) in [
        (Some("old"), Ok(())),
        (Some("new"), Ok(())),
        (Some("New"), Err(ProofFailure::Wrong)),
        (Some(""), Err(ProofFailure::Wrong)),
        (None, Err(ProofFailure::Missing)),
    ] {
        let mut push = Push::new("");
        push.path_secret = segment.map(str::to_owned);
        assert_eq!(push.proven(&verifier), expected, "{segment:?}");
    }
}

#[test]
fn a_digest_is_of_the_plaintext() {
    let header = "signed".parse().unwrap();
    let verifier = Verifier::digest(header);
    let signed = hex(digest(&SHA256, b"{}").as_ref());
    let push = Push::new("{}").header("Signed", &signed);
    assert_eq!(push.proven(&verifier), Ok(()));
    let sealed = Push {
        plain: Some(b"{}".to_vec()),
        body: b"sealed".to_vec(),
        ..push.clone()
    };
    assert_eq!(sealed.proven(&verifier), Ok(()));
    let damaged = Push {
        body: b"{ }".to_vec(),
        ..push
    };
    assert_eq!(damaged.proven(&verifier), Err(ProofFailure::Damaged));
    let short = Push::new("{}").header("signed", &signed[2..]);
    assert_eq!(short.proven(&verifier), Err(ProofFailure::Damaged));
    let broken = Push::new("{}").header("signed", "x");
    assert_eq!(broken.proven(&verifier), Err(ProofFailure::Malformed));
    assert_eq!(
        Push::new("{}").proven(&verifier),
        Err(ProofFailure::Missing)
    );
}

#[test]
fn networks_and_certificates_are_known() {
    let print = "0a".repeat(32);
    let verifier = verifier(
        &proof(&format!(
            "all:\n  - ip: [10.0.0.0/8, \"2001:db8::/32\"]\n  - client_certificate: \
             {{ sha256: [\"{print}\"], names: [partner.example] }}"
        )),
        &[],
    );
    let certificate = PeerCertificate {
        sha256: [10; 32],
        names: Vec::new(),
    };
    let mut push = Push::new("");
    assert_eq!(push.proven(&verifier), Err(ProofFailure::Missing));
    push.peer = Some("::ffff:10.0.0.1".parse().unwrap());
    assert_eq!(push.proven(&verifier), Err(ProofFailure::Missing));
    push.certificate = Some(certificate);
    assert_eq!(push.proven(&verifier), Ok(()));
    push.peer = Some("192.0.2.1".parse().unwrap());
    assert_eq!(push.proven(&verifier), Err(ProofFailure::Stranger));
}

#[test]
fn all_and_any_are_what_they_say() {
    let push = Push::new("").header("authorization", "Bearer t");
    let of = |yaml: &str| push.proven(&verifier(&proof(yaml), &["t"]));
    assert_eq!(of("none"), Ok(()));
    assert_eq!(
        of("all: [{ bearer: a }, { path_secret: a }]"),
        Err(ProofFailure::Missing)
    );
    assert_eq!(of("any: [{ bearer: a }, { path_secret: a }]"), Ok(()));
    assert_eq!(of("any: [{ path_secret: a }, { bearer: a }]"), Ok(()));
    let basic = "basic: { user: u, secrets: a }";
    let telling = of(&format!("any: [{{ path_secret: a }}, {{ {basic} }}]"));
    assert_eq!(telling, Err(ProofFailure::Malformed));
    assert_eq!(of("all: [{ any: [{ bearer: a }] }, { bearer: a }]"), Ok(()));
    for none in [Verifier::all(Vec::new()), Verifier::any(Vec::new())] {
        assert_eq!(push.proven(&none), Err(ProofFailure::Missing));
    }
    let names: Vec<&str> = VERIFIERS.iter().map(|verifier| verifier.name).collect();
    assert_eq!(
        names.len(),
        names
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    );
}

#[test]
fn what_is_signed_is_proven() {
    let seed = text(Encoding::Base64.encode(&[7; 32]));
    let public = text(Encoding::Base64.encode(pair().public_key().as_ref()));
    let shared = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let private = format!("whsk_{seed}");
    let public = format!("whpk_{public}");
    let keep = |text: &&str| Secret::new((*text).to_owned());
    for (signing, proving) in [
        (&[shared][..], &[shared][..]),
        (&[shared, old], &[old]),
        (&[shared, old], &[shared]),
        (&[old], &[shared, old]),
        (&[&private], &[&public]),
        (&[shared, &private], &[&public]),
        (&[shared, &private], &[old, shared]),
    ] {
        let signing: Vec<Secret> = signing.iter().map(keep).collect();
        let signer = Signer::standard_webhooks(&signing.iter().collect::<Vec<_>>()).unwrap();
        let mut push = Push::new("{\"name\":\"é\"}");
        push.headers = signer
            .sign("evt_1", 1_773_158_400, &push.body)
            .unwrap()
            .into_iter()
            .collect();
        let verifier = verifier(&shipped("standard_webhooks"), proving);
        assert_eq!(push.proven(&verifier), Ok(()), "{proving:?}");
        push.body.push(b' ');
        assert_eq!(
            push.proven(&verifier),
            Err(ProofFailure::Wrong),
            "{proving:?}"
        );
    }
    let secret = Secret::new(shared.to_owned());
    let signer = Signer::standard_webhooks(&[&secret]).unwrap();
    for id in ["", "a.b", "a b", "é", "a\n"] {
        assert_eq!(signer.sign(id, 1, b""), Err(SignFailure::Id), "{id}");
    }
    assert_eq!(signer.sign("a", -1, b""), Err(SignFailure::Time));
}
