//! Faults of the public listener, the journal and the receivers.

use crate::support::{ACCOUNT, hold};

const PUBLIC: &str = "public:
  listen: 127.0.0.1:7071
  secrets: { callback_path: \"literal:hunter2\" }
";
const RECEIVERS: &str = "receivers:
  app:
    url: http://127.0.0.1:9000/platform
    secrets: [\"literal:whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]
    routes: [workflow.*]
";

/// Holds what is told when a piece of the settings is replaced by another.
fn hold_change(cases: &[(&str, &str, &str)]) {
    for (name, from, to) in cases {
        let whole = format!("{PUBLIC}{RECEIVERS}");
        let settings = whole.replacen(from, to, 1);
        assert_ne!(settings, whole, "{name} changes nothing");
        let settings = format!("{settings}{ACCOUNT}");
        hold("inbound", &[(name, &[("pintle.yaml", settings.as_str())])]);
    }
}

#[test]
fn what_comes_in_has_somewhere_to_go() {
    hold_change(&[
        ("nobody_receives", RECEIVERS, ""),
        ("no_public_listener", PUBLIC, ""),
        (
            "secret_missing",
            "  secrets: { callback_path: \"literal:hunter2\" }\n",
            "",
        ),
        ("secret_in_the_file", "\"literal:hunter2\"", "hunter2"),
        (
            "network_faulty",
            "  listen:",
            "  trusted_proxies: [10.0.0.0/99]\n  listen:",
        ),
        (
            "body_too_large",
            "  listen:",
            "  limits: { body_bytes_max: 1GiB }\n  listen:",
        ),
        (
            "url_faulty",
            "  listen:",
            "  url: hooks.example.com\n  listen:",
        ),
    ]);
}

#[test]
fn a_receiver_is_a_place_and_what_goes_there() {
    let url = "http://127.0.0.1:9000/platform";
    hold_change(&[
        (
            "receiver_without_url",
            "    url: http://127.0.0.1:9000/platform\n",
            "",
        ),
        ("receiver_without_scheme", url, "127.0.0.1:9000"),
        (
            "receiver_with_credentials",
            url,
            "http://me:hunter2@127.0.0.1/",
        ),
        (
            "receiver_of_an_unknown_route",
            "workflow.*",
            "workflow.call_finish",
        ),
        ("receiver_of_an_unknown_family", "workflow.*", "workflows.*"),
        (
            "receiver_with_another_secret",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "hunter2",
        ),
        (
            "receiver_effect_unknown",
            "    routes:",
            "    effect: twice\n    routes:",
        ),
        (
            "receiver_retry_unknown",
            "    routes:",
            "    retry: { firts: 1s }\n    routes:",
        ),
    ]);
}
