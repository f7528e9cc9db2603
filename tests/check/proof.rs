//! Faults of proofs in `policies/`.

use crate::support::{folder, hold, pintle};

const REST: &str = "verdicts:
  cloud: { source: assumed, code: $.code, accepted: [200] }
logins:
  cloud: { source: assumed, path: /auth, fields: { APPKey: app_key }, token: $.data.token, lifetime: 24h }
families:
  cloud:
    verdict: cloud
    login: cloud
    paths: [/]
";
const ROUTES: &str = "family: cloud
operations:
  - { name: cloud.robots, titles: [Robots], effect: read, source: documented }
";
const SETTINGS: &str = "policies: policies
routes: routes
accounts:
  main:
    base_url: http://127.0.0.1:7080
    secrets: { app_key: \"literal:sandbox-key\" }
";
const SIGNED: &str = "proofs:
  theirs:
    source: documented
    hmac:
      sign: \"{header:x-time}.{raw_body}\"
      algorithm: hmac-sha256
      header: x-signature
      encoding: hex
      timestamp: { header: x-time, unit: s, tolerance: 5m }
      secrets: [theirs]
";

fn files(proofs: &str) -> [(&str, &str); 4] {
    [
        ("pintle.yaml", SETTINGS),
        ("policies/proof.yaml", proofs),
        ("policies/rest.yaml", REST),
        ("routes/routes.yaml", ROUTES),
    ]
}

/// Holds what is told when a piece of the signed proof is replaced by another.
fn hold_change(cases: &[(&str, &str, &str)]) {
    for (name, from, to) in cases {
        let changed = SIGNED.replacen(from, to, 1);
        assert_ne!(changed, SIGNED, "{name} changes nothing");
        hold("proof", &[(name, &files(&changed))]);
    }
}

/// Holds what is told of proofs of one line each.
fn hold_proofs(cases: &[(&str, &str)]) {
    for (name, proof) in cases {
        hold(
            "proof",
            &[(name, &files(&format!("proofs:\n  theirs: {proof}\n")))],
        );
    }
}

#[test]
fn a_signature_means_something() {
    hold_change(&[
        ("placeholder_unknown", "{raw_body}", "{body}"),
        ("placeholder_open", "{raw_body}", "{raw_body"),
        (
            "placeholder_of_no_header",
            "header:x-time}",
            "header:x time}",
        ),
        ("nothing_signed", "{header:x-time}.{raw_body}", "v1"),
        (
            "signature_signs_itself",
            "{header:x-time}",
            "{header:X-Signature}{header:x-time}",
        ),
        ("secret_in_an_hmac", "{raw_body}", "{raw_body}{secret}"),
        ("hash_without_a_secret", "hmac-sha256", "sha256"),
        ("algorithm_unknown", "hmac-sha256", "hmac-md5"),
        ("algorithm_missing", "      algorithm: hmac-sha256\n", ""),
        ("encoding_raw", "encoding: hex", "encoding: raw"),
        (
            "key_unknown",
            "encoding: hex",
            "encoding: hex\n      prefixes: a",
        ),
        ("secrets_missing", "      secrets: [theirs]\n", ""),
        ("secrets_none", "[theirs]", "[]"),
        ("secret_by_reference", "[theirs]", "env:THEIRS"),
        ("secret_written_out", "[theirs]", "[whsec_hunter2==]"),
        (
            "port_of_no_url",
            "encoding: hex",
            "encoding: hex\n      either_port: true",
        ),
        (
            "body_digest_not_signed",
            "encoding: hex",
            "encoding: hex\n      body_digest: { query: bodySHA256 }",
        ),
    ]);
}

#[test]
fn a_header_is_read_in_one_way() {
    let encoding = "encoding: hex";
    hold_change(&[
        (
            "prefix_of_pairs",
            encoding,
            "encoding: hex\n      prefix: v1=\n      parse: { pairs: v1 }",
        ),
        (
            "prefix_of_a_list",
            encoding,
            "encoding: hex\n      prefix: v1=\n      parse: { list: v1 }",
        ),
        (
            "parse_unknown",
            encoding,
            "encoding: hex\n      parse: pairs",
        ),
        (
            "parse_in_two_ways",
            encoding,
            "encoding: hex\n      parse: { pairs: v1, list: v1 }",
        ),
        (
            "param_without_pairs",
            "{header:x-time}",
            "{param:t}{header:x-time}",
        ),
        (
            "param_of_the_signature",
            "sign: \"{header:x-time}",
            "parse: { pairs: v1 }\n      sign: \"{param:v1}{header:x-time}",
        ),
    ]);
}

#[test]
fn a_timestamp_has_a_tolerance_and_one_place() {
    let whole = "{ header: x-time, unit: s, tolerance: 5m }";
    hold_change(&[
        ("tolerance_missing", ", tolerance: 5m", ""),
        ("tolerance_without_a_unit", "5m", "300"),
        ("unit_missing", ", unit: s", ""),
        ("unit_unknown", "unit: s", "unit: minutes"),
        (
            "timestamp_in_two_places",
            "{ header: x-time,",
            "{ header: x-time, param: t,",
        ),
        ("timestamp_nowhere", whole, "{ unit: s, tolerance: 5m }"),
        ("timestamp_of_no_list", "{ header: x-time,", "{ param: t,"),
    ]);
}

#[test]
fn a_proof_is_one_of_those_that_are_known() {
    hold_proofs(&[
        ("word_unknown", "nothing"),
        ("list", "[none]"),
        ("verifier_unknown", "{ hmca: {} }"),
        ("verifier_missing", "{ note: theirs }"),
        ("two_verifiers", "{ bearer: a, path_secret: b }"),
        ("none_beside_others", "{ any: [{ bearer: a }, none] }"),
        ("none_as_a_key", "{ none: true }"),
        ("all_of_nothing", "{ all: [] }"),
        ("any_without_a_list", "{ any: { bearer: a } }"),
        (
            "key_in_two_places",
            "{ api_key: { header: x, query: y, secrets: a } }",
        ),
        ("key_in_no_place", "{ api_key: { secrets: a } }"),
        (
            "key_in_many_places",
            "{ api_key: { body: \"$..key\", secrets: a } }",
        ),
        (
            "user_with_a_colon",
            "{ basic: { user: \"a:b\", secrets: a } }",
        ),
        ("certificate_not_named", "{ client_certificate: {} }"),
        (
            "fingerprint_too_short",
            "{ client_certificate: { sha256: [\"0A:1B\"] } }",
        ),
        (
            "public_key_too_short",
            "{ ed25519: { sign: \"{raw_body}\", header: x, encoding: hex, public_keys: [00ff] } }",
        ),
        ("network_with_host_bits", "{ ip: [10.1.2.3/8] }"),
        ("network_too_long", "{ ip: [10.0.0.0/33] }"),
        ("network_of_words", "{ ip: [partner.example] }"),
        ("network_missing", "{ ip: [] }"),
        ("handshake_unknown", "{ bearer: a, handshake: slak }"),
        (
            "handshake_without_a_secret",
            "{ bearer: a, handshake: hub }",
        ),
        (
            "handshake_with_a_secret",
            "{ bearer: a, handshake: { slack: a } }",
        ),
    ]);
}

#[test]
fn what_proves_less_than_it_seems_is_told() {
    let unsigned = SIGNED.replacen("{header:x-time}.", "", 1);
    let bodiless = SIGNED.replacen(".{raw_body}", "", 1);
    let of = |proof: &str| format!("proofs:\n  theirs: {proof}\n");
    for (proofs, message) in [
        (unsigned, "the timestamp is not signed"),
        (bodiless, "the body is not signed"),
        (
            of("{ digest: { header: signed } }"),
            "a digest shows damage, not who sent",
        ),
        (
            of("{ any: [{ bearer: a }, { digest: { header: signed } }] }"),
            "a digest shows damage, not who sent",
        ),
        (
            of("{ ip: [0.0.0.0/0] }"),
            "every address is in this network",
        ),
    ] {
        let folder = folder(&files(&proofs));
        let output = pintle(folder.path(), &["check", "--config", "pintle.yaml"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(
            told.contains(message) && told.ends_with("1 warning\n"),
            "{told}"
        );
    }
    for good in [
        SIGNED.to_owned(),
        of("none"),
        of("{ all: [{ path_secret: a }, { digest: { header: signed } }] }"),
        of("{ any: [{ bearer: a }, { ip: [\"::1\", 10.0.0.0/8] }] }"),
    ] {
        let folder = folder(&files(&good));
        let output = pintle(folder.path(), &["check", "--config", "pintle.yaml"]);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{good}");
    }
}
