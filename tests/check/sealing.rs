//! Faults of sealings in `policies/`, and of the keys of an account.

use crate::support::hold;

const POLICIES: &str = "verdicts:
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
const SEALING: &str = "sealings:
  ours:
    source: assumed
    scheme: aes-cbc
    keys: aes
    mac: appended
    announce: { x-sealed: \"1\" }
    request: { query: whole, body: whole }
    reply: { body: whole, plain: allowed }
";
const ACCOUNT: &str = "accounts:
  main:
    base_url: http://127.0.0.1:7080
    secrets: { app_key: \"literal:sandbox-key\" }
    sealing: ours
    keys:
      aes:
        - id: \"1\"
          key: literal:hunter2-16-bytes
          mac: literal:hunter2
";

/// Holds what is told when a piece of the sealing or of the account is replaced by another.
fn hold_change(cases: &[(&str, &str, &str)]) {
    for (name, from, to) in cases {
        let [sealing, account] = [SEALING, ACCOUNT].map(|text| text.replacen(from, to, 1));
        let is_same = sealing == SEALING && account == ACCOUNT;
        assert!(!is_same, "{name} changes nothing");
        let settings = format!("policies: policies\nroutes: routes\n{account}");
        hold(
            "sealing",
            &[(
                name,
                &[
                    ("pintle.yaml", settings.as_str()),
                    ("policies/crypto.yaml", &sealing),
                    ("policies/rest.yaml", POLICIES),
                    ("routes/routes.yaml", ROUTES),
                ],
            )],
        );
    }
}

#[test]
fn a_sealing_means_something() {
    let parts =
        "    request: { query: whole, body: whole }\n    reply: { body: whole, plain: allowed }\n";
    hold_change(&[
        ("seals_nothing", parts, ""),
        (
            "seals_nothing_by_words",
            parts,
            "    request: { query: plain }\n",
        ),
        ("scheme_unknown", "scheme: aes-cbc", "scheme: aes-gcm"),
        ("scheme_missing", "    scheme: aes-cbc\n", ""),
        ("keyring_not_named", "    keys: aes\n", ""),
        (
            "digest_missing",
            "scheme: aes-cbc\n    keys: aes\n    mac: appended",
            "scheme: airudder\n    keys: aes",
        ),
        (
            "mac_of_another_scheme",
            "scheme: aes-cbc",
            "scheme: airudder\n    digest: { header: signed }",
        ),
        (
            "digest_of_another_scheme",
            "mac: appended",
            "mac: appended\n    digest: { header: signed }",
        ),
        (
            "key_unknown",
            "mac: appended",
            "mac: appended\n    replies: { body: whole }",
        ),
        (
            "plain_not_told_apart",
            "    announce: { x-sealed: \"1\" }\n",
            "",
        ),
        (
            "callback_with_errors",
            "    reply:",
            "    callback: { body: whole, plain: errors }\n    reply:",
        ),
        (
            "raw_in_a_query",
            "mac: appended",
            "mac: appended\n    encoding: raw",
        ),
        ("sealing_unknown", "sealing: ours", "sealing: our"),
    ]);
}

#[test]
fn one_place_has_one_seal() {
    let body = "body: whole }\n    reply";
    hold_change(&[
        (
            "wrap_and_fields",
            body,
            "body: { wrap: data, fields: [$.a] } }\n    reply",
        ),
        (
            "field_twice",
            body,
            "body: { fields: [$.a, $.b, $.a] } }\n    reply",
        ),
        (
            "field_in_a_field",
            body,
            "body: { fields: [\"$.a[*].b\", \"$.a[0]\"] } }\n    reply",
        ),
        ("no_field", body, "body: { fields: [] } }\n    reply"),
        (
            "field_of_any_depth",
            body,
            "body: { fields: [$..a] } }\n    reply",
        ),
        ("place_unknown", body, "body: half }\n    reply"),
        (
            "iv_in_the_announcement",
            "mac: appended",
            "mac: appended\n    iv: { header: x-sealed }",
        ),
        (
            "iv_and_mac_in_one_header",
            "mac: appended",
            "mac: { header: x-a }\n    iv: { header: x-a }",
        ),
        (
            "iv_in_a_field_of_a_whole_body",
            "mac: appended",
            "mac: appended\n    iv: { field: iv }",
        ),
        (
            "iv_beside_a_field",
            "mac: appended\n    announce: { x-sealed: \"1\" }\n    request: { query: whole, body: whole }",
            "mac: appended\n    iv: { header: x-iv }\n    announce: { x-sealed: \"1\" }\n    request: { body: { fields: [$.a] } }",
        ),
        (
            "iv_nowhere",
            "mac: appended",
            "mac: appended\n    iv: random",
        ),
    ]);
}

#[test]
fn a_fixed_iv_is_legacy() {
    let fixed = "mac: appended\n    iv: { fixed: 000102030405060708090a0b0c0d0e0f }";
    let short = "mac: appended\n    iv: { fixed: 0001, legacy: true }";
    hold_change(&[
        ("iv_fixed", "mac: appended", fixed),
        ("iv_short", "mac: appended", short),
    ]);
}

#[test]
fn a_key_is_right_and_never_shown() {
    let key = "key: literal:hunter2-16-bytes";
    hold_change(&[
        ("key_too_short", key, "key: literal:hunter2"),
        ("key_in_the_file", key, "key: hunter2-16-bytes"),
        (
            "key_no_hex",
            key,
            "encoding: hex\n          key: literal:hunter2-16-bytes",
        ),
        (
            "key_of_hex_too_short",
            key,
            "encoding: hex\n          key: literal:00ff",
        ),
        (
            "key_for_another_machine",
            "http://127.0.0.1:7080",
            "https://api.airudder.com",
        ),
        ("key_without_an_id", "id: \"1\"\n          ", ""),
        ("key_id_with_a_space", "id: \"1\"", "id: \"1 2\""),
        (
            "key_missing",
            "key: literal:hunter2-16-bytes\n          ",
            "",
        ),
        (
            "key_never_valid",
            key,
            "from: 2026-02-01T00:00:00Z\n          until: 2026-01-01T00:00:00Z\n          key: literal:hunter2-16-bytes",
        ),
        (
            "key_from_no_moment",
            key,
            "from: 2026-02-01\n          key: literal:hunter2-16-bytes",
        ),
        (
            "key_twice",
            "      aes:\n",
            "      aes:\n        - { id: \"1\", key: \"literal:hunter2-16-bytes\", mac: \"literal:hunter2\" }\n",
        ),
        (
            "keyring_as_a_reference",
            "      aes:\n        - id: \"1\"\n          key: literal:hunter2-16-bytes\n          mac: literal:hunter2\n",
            "      aes: literal:hunter2-16-bytes\n",
        ),
        (
            "keyring_empty",
            "      aes:\n        - id: \"1\"\n          key: literal:hunter2-16-bytes\n          mac: literal:hunter2\n",
            "      aes: []\n",
        ),
        ("keyring_missing", "      aes:\n", "      other:\n"),
        (
            "keyrings_missing",
            "    keys:\n      aes:\n        - id: \"1\"\n          key: literal:hunter2-16-bytes\n          mac: literal:hunter2\n",
            "",
        ),
        ("mac_key_missing", "          mac: literal:hunter2\n", ""),
    ]);
}
