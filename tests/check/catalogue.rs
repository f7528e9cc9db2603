//! Faults of `routes/`.

use crate::support::{ACCOUNT, hold};

const GOOD: &str = "family: cloud
operations:
  - name: cloud.robots
    titles: [Robots]
    method: GET
    path: /service/cloud/robot
    effect: read
    source: documented
";

fn entry(name: &str, lines: &[&str]) -> String {
    let mut text = format!("  - name: {name}\n    titles: [A]\n    source: assumed\n");
    for line in lines {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn hold_routes(name: &str, second: &str) {
    let settings = format!("routes: routes\n{ACCOUNT}");
    hold(
        "routes",
        &[(
            name,
            &[
                ("pintle.yaml", settings.as_str()),
                ("routes/a.yaml", GOOD),
                ("routes/b/c.yaml", second),
            ],
        )],
    );
}

#[test]
fn entries_have_a_name_and_a_path_of_their_own() {
    let operations = "family: cloud\noperations:\n";
    for (name, lines) in [
        (
            "path_taken",
            vec!["method: GET", "path: /service/cloud/robot", "effect: read"],
        ),
        (
            "path_taken_by_any_method",
            vec!["path: /service/cloud/robot", "effect: read"],
        ),
        ("path_with_a_query", vec!["path: /a?b=c", "effect: read"]),
        ("path_without_a_slash", vec!["path: a/b", "effect: read"]),
        (
            "path_with_a_slash_at_its_end",
            vec!["path: /a/", "effect: read"],
        ),
        ("path_as_a_list", vec!["path: [/a]", "effect: read"]),
        (
            "method_in_small_letters",
            vec!["method: get", "effect: read"],
        ),
        ("effect_missing", vec![]),
        ("effect_unknown", vec!["effect: reed"]),
        ("same_as_nothing", vec!["same_as: cloud.robot"]),
        (
            "same_as_with_a_path",
            vec!["same_as: cloud.robots", "path: /a"],
        ),
        ("same_as_itself", vec!["same_as: cloud.second"]),
    ] {
        hold_routes(
            name,
            &format!("{operations}{}", entry("cloud.second", &lines)),
        );
    }
}

#[test]
fn entries_refer_to_what_is_there() {
    let operations = "family: cloud\noperations:\n";
    let alias = entry("cloud.alias", &["same_as: cloud.robots"]);
    let of_alias = entry("cloud.second", &["same_as: cloud.alias"]);
    let callback = entry("cloud.told", &["same_as: cloud.robots"]);
    for (name, text) in [
        ("name_taken", format!("{operations}{}", entry("cloud.robots", &["effect: read"]))),
        ("name_in_capitals", format!("{operations}{}", entry("Cloud.X", &["effect: read"]))),
        ("same_as_an_alias", format!("{operations}{alias}{of_alias}")),
        ("same_as_of_another_kind", format!("family: cloud\ncallbacks:\n{callback}")),
        (
            "family_missing",
            format!(
                "operations:\n{}callbacks:\n{}",
                entry("x.a", &["effect: once"]),
                entry("x.b", &[])
            ),
        ),
        ("family_unknown", format!("family: clout\noperations:\n{alias}{of_alias}")),
        ("source_unknown", "family: cloud\noperations:\n  - name: a\n    titles: [A]\n    effect: read\n    source: seen\n".to_owned()),
        ("operations_as_a_mapping", "family: cloud\noperations:\n  a:\n    effect: read\n".to_owned()),
        ("an_entry_that_is_a_word", "family: cloud\noperations:\n  - a\n".to_owned()),
        ("guide_without_a_file", "guides:\n  - titles: [A]\n    pages: [A]\n".to_owned()),
        ("unknown_key", format!("{operations}{}", entry("cloud.x", &["effect: read", "methd: GET"]))),
    ] {
        hold_routes(name, &text);
    }
}
