//! Faults of `policies/cache.yaml`, of `cache:` at an operation, and of the cache's settings.

use crate::support::{ACCOUNT, hold};

const POLICY: &str = "verdicts: { plain: { source: assumed } }
families: { cloud: { verdict: plain, login: none, paths: [/] } }
caches:
  robots:
    source: assumed
    lifetime: 30s
    stale_if_error: 1h
    key: [query]
";
const ROUTES: &str = "family: cloud
operations:
  - name: cloud.robots
    titles: [Robots]
    method: GET
    effect: read
    cache: robots
    source: documented
";

/// The files, with a piece of the text replaced by another.
fn hold_cache(cases: &[(&str, &str, &str)]) {
    for (name, from, to) in cases {
        let [policy, routes] = [POLICY, ROUTES].map(|text| text.replace(from, to));
        let same = policy == POLICY && routes == ROUTES;
        assert!(!same, "{name} changes nothing");
        let settings = format!("policies: policies\nroutes: routes\n{ACCOUNT}");
        let files = [
            ("pintle.yaml", settings.as_str()),
            ("policies/all.yaml", &policy),
            ("routes/routes.yaml", &routes),
        ];
        hold("cache", &[(name, &files)]);
    }
}

#[test]
fn a_cache_says_how_long_and_by_what() {
    hold_cache(&[
        ("no_key", "    key: [query]\n", ""),
        ("no_lifetime", "    lifetime: 30s\n", ""),
        ("no_part", "key: [query]", "key: [account]"),
        ("no_jsonpath", "key: [query]", "key: [$.a.*]"),
        ("unknown_key", "stale_if_error", "stale_on_error"),
    ]);
}

#[test]
fn an_operation_takes_a_cache_that_fits_it() {
    hold_cache(&[
        ("unknown_cache", "cache: robots", "cache: robot"),
        ("with_an_effect", "effect: read", "effect: once"),
        ("body_not_in_key", "method: GET", "method: POST"),
    ]);
}

#[test]
fn the_settings_leave_room_for_several_replies() {
    let small = format!("{ACCOUNT}cache: {{ bytes_max: 8MiB, entry_bytes_max: 1MiB }}\n");
    let word = ACCOUNT.replacen("base_url", "http_cache: private\n    base_url", 1);
    hold(
        "cache",
        &[
            ("small", &[("pintle.yaml", small.as_str())]),
            ("unknown_word", &[("pintle.yaml", word.as_str())]),
        ],
    );
}
