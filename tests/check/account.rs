//! Faults of accounts and their secrets.

use crate::support::{hold, hold_files};

const SECRETS: &str = "    secrets:
      app_key: literal:sandbox-key
      app_secret: literal:sandbox-secret
";

#[test]
fn accounts_are_named_and_one_is_the_default() {
    let account = |name: &str| format!("  {name}:\n    base_url: http://127.0.0.1:7080\n{SECRETS}");
    let two = format!("accounts:\n{}{}", account("main"), account("other"));
    hold_files(
        "account",
        &[
            ("none", "drain: 5s\n"),
            ("no_value", "accounts:\n"),
            ("empty", "accounts: {}\n"),
            ("a_list", "accounts:\n  - main\n"),
            ("several_without_default", &two),
            ("default_unknown", &format!("default_account: mian\n{two}")),
            (
                "name_in_capitals",
                &format!("accounts:\n{}", account("Main")),
            ),
        ],
    );
}

#[test]
fn a_base_url_is_scheme_and_host() {
    for (name, url) in [
        ("no_scheme", "api.airudder.com"),
        ("host_and_port", "localhost:7080"),
        ("ftp", "ftp://127.0.0.1"),
        ("credentials", "https://me:hunter2@api.airudder.com"),
        ("query", "http://127.0.0.1:7080/?a=b"),
        ("fragment", "http://127.0.0.1:7080/#a"),
        ("own_local", "http://localhost:7070"),
        ("own_admin", "http://127.0.0.1:7072/x"),
        ("port", "http://127.0.0.1:99999"),
    ] {
        let text = format!("accounts:\n  main:\n    base_url: {url}\n{SECRETS}");
        hold_files("base_url", &[(name, &text)]);
    }
    let text = format!("accounts:\n  main:\n    base_url:\n{SECRETS}");
    hold_files("base_url", &[("no_value", &text)]);
    let text = format!("accounts:\n  main:\n{SECRETS}");
    hold_files("base_url", &[("missing", &text)]);
}

#[test]
fn a_secret_is_a_reference_and_never_shown() {
    let head = "accounts:\n  main:\n    base_url: http://127.0.0.1:7080\n    secrets:\n";
    for (name, secrets) in [
        ("without_a_scheme", "      app_key: hunter2\n"),
        ("with_another_scheme", "      app_key: vault:hunter2\n"),
        ("with_a_remark", "      app_key: ab #hunter2\n"),
        ("as_a_block", "      app_key: |\n        hunter2\n"),
        ("on_two_lines", "      app_key: abc\n        hunter2\n"),
        ("as_a_list", "      app_key: [hunter2]\n"),
        ("as_a_mapping", "      app_key: {value: hunter2}\n"),
        ("quoted", "      app_key: \"hunter2\"\n"),
        ("empty_literal", "      app_key: \"literal:\"\n"),
        ("env_unset", "      app_key: env:AIRUDDER_APP_KEY\n"),
        ("env_no_name", "      app_key: env:hunter2/+=\n"),
        ("file_missing", "      app_key: file:secrets/app_key\n"),
        ("file_empty", "      app_key: file:empty\n"),
        ("file_no_text", "      app_key: file:/proc/self/exe\n"),
    ] {
        let rest = "      app_secret: literal:sandbox-secret\n";
        let text = format!("{head}{secrets}{rest}");
        hold(
            "secret",
            &[(name, &[("pintle.yaml", &text), ("empty", "\n")])],
        );
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown_either() {
    let head = "accounts:\n  main:\n    base_url: http://127.0.0.1:7080\n";
    for (name, text) in [
        (
            "beside_secrets",
            format!("{head}    app_secert: hunter2\n{SECRETS}"),
        ),
        (
            "under_a_typo",
            format!("{head}    secerts: {{app_key: hunter2}}\n"),
        ),
        (
            "instead_of_secrets",
            format!("{head}    secrets: hunter2\n"),
        ),
        (
            "in_a_list",
            format!("{head}    secrets:\n      - hunter2\n"),
        ),
        (
            "token_in_settings",
            format!("token: hunter2\n{head}{SECRETS}"),
        ),
        (
            "literal_for_another_machine",
            "accounts:\n  main:\n    base_url: https://api.airudder.com\n    secrets:\n      \
             app_key: literal:hunter2\n      app_secret: literal:hunter2\n"
                .to_owned(),
        ),
        (
            "header_of_another_upstream",
            format!(
                "{head}{SECRETS}    upstreams:\n      process:\n        \
                 base_url: http://127.0.0.1:9\n        headers:\n          token: hunter2\n"
            ),
        ),
    ] {
        hold_files("secret", &[(name, &text)]);
    }
}

#[test]
fn an_account_refers_to_what_the_policies_know() {
    let head = "accounts:\n  main:\n    base_url: http://127.0.0.1:7080\n";
    for (name, text) in [
        (
            "secret_missing",
            format!("{head}    secrets:\n      app_key: literal:a\n"),
        ),
        ("secrets_missing", head.to_owned()),
        (
            "login_unknown",
            format!("{head}{SECRETS}    login: airudder-clod\n"),
        ),
        (
            "scheme_of_two_words",
            format!("{head}{SECRETS}    authorization: Token x\n"),
        ),
        (
            "upstream_unknown",
            format!(
                "{head}{SECRETS}    upstreams:\n      proces:\n        base_url: http://127.0.0.1:9\n"
            ),
        ),
        (
            "http_unknown",
            format!("{head}{SECRETS}    http: 3\n    limits:\n      calls_max: 5\n"),
        ),
        (
            "ca_not_there",
            format!("{head}{SECRETS}    tls:\n      ca: ca.pem\n"),
        ),
        (
            "ca_no_pem",
            format!("{head}{SECRETS}    tls:\n      ca: pintle.yaml\n"),
        ),
        (
            "client_without_key",
            format!("{head}{SECRETS}    tls:\n      certificate: pintle.yaml\n"),
        ),
    ] {
        hold_files("account", &[(name, &text)]);
    }
}
