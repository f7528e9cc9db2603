//! Faults of listeners, limits, tokens and the log.

use crate::support::{ACCOUNT, hold, hold_settings};

#[test]
fn a_key_or_value_that_is_not_known_is_told_with_what_was_meant() {
    hold_settings(
        "settings",
        &[
            ("unknown_key_meant", "local:\n  lisen: 127.0.0.1:7070\n"),
            ("unknown_key_listed", "log:\n  colour: always\n"),
            ("unknown_section", "redis:\n  url: redis://127.0.0.1\n"),
            ("duration_without_a_unit", "drain: 30\n"),
            ("duration_with_a_fraction", "drain: 1.5s\n"),
            ("duration_of_nothing", "drain: 0s\n"),
            (
                "size_in_kb",
                "local:\n  limits:\n    body_bytes_max: 64KB\n",
            ),
            (
                "number_in_words",
                "local:\n  limits:\n    calls_max: many\n",
            ),
            ("number_of_nothing", "local:\n  limits:\n    calls_max: 0\n"),
            ("yes_for_true", "local:\n  allow_remote: yes\n"),
            ("a_mapping_for_a_duration", "drain:\n  seconds: 5\n"),
            ("a_word_for_a_mapping", "local: 127.0.0.1:7070\n"),
            ("a_word_for_a_list", "local:\n  hosts: gateway\n"),
            ("level_unknown", "log:\n  level: trace\n"),
            ("format_in_capitals", "log:\n  format: JSON\n"),
            ("share_above_all", "token:\n  renew_percent: 150\n"),
            ("credentials_unknown", "local:\n  credentials: keep\n"),
            (
                "text_of_many_bytes",
                "# 张三 é\nlocal: {hosts: [张三], lisen: é}\n",
            ),
        ],
    );
}

#[test]
fn a_listener_that_others_could_reach_needs_a_clear_word() {
    hold_settings(
        "listener",
        &[
            ("no_port", "local:\n  listen: 127.0.0.1\n"),
            ("a_name", "local:\n  listen: localhost:7070\n"),
            ("remote", "local:\n  listen: 0.0.0.0:7070\n"),
            (
                "remote_without_hosts",
                "local:\n  listen: 0.0.0.0:7070\n  allow_remote: true\n",
            ),
            ("admin_remote", "admin:\n  listen: \"[::]:7072\"\n"),
            ("nowhere", "local:\n  listen: none\n"),
            ("same_address", "admin:\n  listen: 127.0.0.1:7070\n"),
        ],
    );
}

#[test]
fn tls_needs_a_certificate_and_its_key() {
    let settings = |tls: &str| format!("local:\n  tls:\n{tls}{ACCOUNT}");
    let pair = "    certificate: server.crt\n    key: file:server.key\n";
    let other = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let certificate = other.cert.pem();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (name, tls, crt, key) in [
        ("no_pem", pair, "hunter2", "hunter2"),
        ("no_key_in_pem", pair, certificate.as_str(), "hunter2"),
        (
            "pair_of_strangers",
            pair,
            certificate.as_str(),
            key.as_str(),
        ),
        (
            "certificate_alone",
            "    certificate: server.crt\n",
            certificate.as_str(),
            "",
        ),
        (
            "files_that_are_not_there",
            "    certificate: other.crt\n    key: file:other.key\n",
            "",
            "",
        ),
        (
            "certificate_as_a_reference",
            "    certificate: file:server.crt\n    key: server.key\n",
            "",
            "",
        ),
    ] {
        let files = [
            ("pintle.yaml", settings(tls)),
            ("server.crt", crt.to_owned()),
            ("server.key", key.to_owned()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (*a, b.as_str())).collect();
        hold("tls", &[(name, &files)]);
    }
}
