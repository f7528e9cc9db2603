//! Faults of `policies/retry.yaml`, and of the settings of a store that a fleet shares.

use crate::support::{ACCOUNT, hold};

const POLICY: &str = "verdicts: { plain: { source: assumed } }
families: { cloud: { verdict: plain, login: none, retry: usual, paths: [/] } }
retries:
  usual:
    source: assumed
    attempts_max: 3
    statuses: [503]
    breaker: { window: 10s, calls_min: 20 }
";

#[test]
fn each_fault_of_a_retry_policy_is_told_with_its_place() {
    for (name, from, to) in [
        ("unknown_retry", "retry: usual", "retry: usal"),
        ("many_attempts", "attempts_max: 3", "attempts_max: 50"),
        ("good_status", "[503]", "[200]"),
        ("long_window", "10s", "10m"),
        ("unknown_key", "calls_min", "calls_least"),
        (
            "no_source",
            "    source: assumed\n    attempts",
            "    attempts",
        ),
    ] {
        let policy = POLICY.replace(from, to);
        assert_ne!(policy, POLICY, "{name}");
        let settings = format!("policies: policies\nroutes: routes\n{ACCOUNT}");
        let files = [
            ("pintle.yaml", settings.as_str()),
            ("policies/all.yaml", &policy),
            ("routes/routes.yaml", "family: cloud\noperations: []\n"),
        ];
        hold("retry", &[(name, &files)]);
    }
}

#[test]
fn each_fault_of_a_store_is_told_with_its_place() {
    for (name, store) in [
        ("no_url", "store: mongodb://x"),
        ("password_in_url", "store: redis://:hunter2@127.0.0.1"),
        ("no_place", "store: { kind: single }"),
        (
            "no_name",
            "store: { kind: sentinel, nodes: [\"127.0.0.1:26379\"] }",
        ),
        (
            "database_of_a_cluster",
            "store: { kind: cluster, nodes: [\"127.0.0.1:7000\"], database: 1 }",
        ),
        (
            "bad_prefix",
            "store: { url: \"redis://127.0.0.1\", prefix: \"{a}\" }",
        ),
        (
            "bad_acknowledged",
            "store: { url: \"redis://127.0.0.1\", acknowledged_by: all }",
        ),
        (
            "unknown_word",
            "store: { url: \"redis://127.0.0.1\", hold: memory }",
        ),
    ] {
        let settings = format!("{store}\n{ACCOUNT}");
        hold("store", &[(name, &[("pintle.yaml", settings.as_str())])]);
    }
}
