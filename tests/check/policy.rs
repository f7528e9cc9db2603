//! Faults of `policies/`.

use crate::support::{ACCOUNT, hold};

const LOGIN: &str = "logins:
  cloud:
    source: documented
    path: /auth
    fields: { APPKey: app_key }
    token: $.data.token
    lifetime: 24h
";
const VERDICT: &str = "verdicts:
  cloud:
    source: documented
    code: $.code
    accepted: [200]
";
const FAMILY: &str = "families:
  cloud:
    verdict: cloud
    login: cloud
    paths: [/]
";
const ROUTES: &str = "family: cloud
operations:
  - name: cloud.robots
    titles: [Robots]
    effect: read
    source: documented
";

/// The policies, with a piece of the text replaced by another.
fn hold_policies(cases: &[(&str, &str, &str)]) {
    for (name, from, to) in cases {
        let [login, verdict, family] = [LOGIN, VERDICT, FAMILY].map(|text| text.replace(from, to));
        let same = [&login, &verdict, &family]
            .into_iter()
            .eq([LOGIN, VERDICT, FAMILY]);
        assert!(!same, "{name} changes nothing");
        let settings = format!("policies: policies\nroutes: routes\n{ACCOUNT}");
        hold(
            "policies",
            &[(
                name,
                &[
                    ("pintle.yaml", settings.as_str()),
                    ("policies/family.yaml", &family),
                    ("policies/login.yaml", &login),
                    ("policies/verdict.yaml", &verdict),
                    ("routes/routes.yaml", ROUTES),
                ],
            )],
        );
    }
}

#[test]
fn a_jsonpath_names_one_place() {
    hold_policies(&[
        ("jsonpath_faulty", "$.data.token", "data.token"),
        ("jsonpath_of_many", "$.data.token", "$..token"),
        ("jsonpath_from_the_end", "$.code", "$.list[-1]"),
    ]);
}

#[test]
fn a_name_is_known() {
    hold_policies(&[
        ("verdict_unknown", "verdict: cloud", "verdict: clod"),
        ("login_unknown", "login: cloud", "login: airudder"),
        ("verdict_missing", "    verdict: cloud\n", ""),
        (
            "name_with_a_space",
            "  cloud:\n    verdict",
            "  the cloud:\n    verdict",
        ),
    ]);
}

#[test]
fn a_faulty_policy_is_told_once() {
    hold_policies(&[
        (
            "faulty_verdict",
            "    source: documented\n    code",
            "    code",
        ),
        ("faulty_file", "families:\n", "families: [\n"),
        ("families_as_a_list", FAMILY, "families: [cloud]\n"),
    ]);
}

#[test]
fn families_share_the_paths_out() {
    let two =
        format!("{FAMILY}  other:\n    verdict: cloud\n    login: none\n    paths: [/a/, /]\n");
    let again = format!("{LOGIN}families:\n  cloud:\n    verdict: cloud\n    login: none\n");
    hold_policies(&[
        ("prefix_claimed_twice", FAMILY, &two),
        ("prefix_twice_in_one", "[/]", "[/, /a/, /a/]"),
        ("prefix_without_a_slash", "[/]", "[/, service/]"),
        ("nobody_claims_the_rest", "[/]", "[/service/]"),
        ("name_in_two_files", LOGIN, &again),
    ]);
}

#[test]
fn a_login_is_described() {
    hold_policies(&[
        ("lifetime_missing", "    lifetime: 24h\n", ""),
        ("login_path", "path: /auth", "path: auth"),
        ("login_fields_as_a_list", "{ APPKey: app_key }", "[APPKey]"),
        (
            "login_key_unknown",
            "lifetime: 24h",
            "lifetime: 24h\n    tokn: x",
        ),
        (
            "header_faulty",
            "    fields",
            "    headers: { \"user agent\": a }\n    fields",
        ),
        ("codes_in_words", "[200]", "[ok]"),
    ]);
}

#[test]
fn a_cap_limits_something_and_a_list_lasts_for_a_time() {
    let cap = |cap: &str| format!("caps:\n  daily: {{ source: assumed, {cap} }}\n");
    for (name, text) in [
        ("cap_of_nothing", cap("per: 24h")),
        ("cap_too_large", cap("per: 24h, places: { FL: 101 }")),
        ("cap_without_a_time", cap("max: 3")),
        ("cap_of_zero", cap("per: 24h, max: 0")),
        (
            "suppression_without_a_time",
            "suppressions:\n  dnc: { source: assumed, keys: [\"+1\"] }\n".to_owned(),
        ),
    ] {
        hold_policies(&[(name, FAMILY, &format!("{FAMILY}{text}"))]);
    }
}

#[test]
fn a_rate_says_what_it_counts_and_how_often() {
    let rate = |rate: &str| format!("rates:\n  platform: {{ source: assumed, {rate} }}\n");
    for (name, text) in [
        ("rate_of_nothing", rate("limits: [{ max: 1, per: 1s }]")),
        ("rate_without_a_limit", rate("calls: [\"*\"]")),
        (
            "rate_of_both",
            rate("calls: [\"*\"], pushes: [\"*\"], in_flight_max: 4"),
        ),
        (
            "rate_of_an_unknown_part",
            rate("calls: [\"*\"], per: [acount], in_flight_max: 4"),
        ),
        (
            "rate_of_a_body",
            rate("calls: [\"*\"], per: [$.body.id], in_flight_max: 4"),
        ),
        (
            "rate_of_calls_by_route",
            rate("calls: [\"*\"], per: [route], in_flight_max: 4"),
        ),
        (
            "rate_of_pushes_by_caller",
            rate("pushes: [\"*\"], per: [caller], in_flight_max: 4"),
        ),
        (
            "rate_without_a_time",
            rate("calls: [\"*\"], limits: [{ max: 1 }]"),
        ),
        (
            "rate_with_a_star_within",
            rate("calls: [\"a*b\"], limits: [{ max: 1, per: 1s }]"),
        ),
        (
            "campaign_share_too_large",
            "campaign: { share_percent: 95 }\n".to_owned(),
        ),
    ] {
        hold_policies(&[(name, FAMILY, &format!("{FAMILY}{text}"))]);
    }
}
