//! What is no YAML, or more YAML than is taken.

use crate::support::{hold_files, hold_settings};

#[test]
fn what_could_expand_or_mislead_is_refused() {
    hold_settings(
        "syntax",
        &[
            (
                "duplicate_key",
                "drain: 5s\nlog:\n  level: info\ndrain: 6s\n",
            ),
            ("anchor", "local: &x\n  listen: 127.0.0.1:7070\n"),
            ("alias", "local: *x\n"),
            ("tag", "drain: !!str 5s\n"),
            ("merge_key", "local:\n  <<: {deadline: 5s}\n"),
            ("tab", "local:\n\tlisten: 127.0.0.1:7070\n"),
            ("second_document", "drain: 5s\n---\n"),
            ("key_of_many_words", "? [a, b]\n: 1\n"),
            ("second_colon", "drain: 5s: 6s\n"),
            ("no_colon", "drain 5s\n"),
            ("open_quote", "log:\n  level: \"info\n"),
            ("open_bracket", "local:\n  hosts: [a, b\n"),
            (
                "wrong_indentation",
                "local:\n    deadline: 5s\n  hosts: [a]\n",
            ),
            ("not_closed_by_the_end", "drain: 5s\nlog: {level: info\n"),
        ],
    );
}

#[test]
fn a_file_that_holds_no_settings_is_told() {
    hold_files(
        "syntax",
        &[
            ("empty", ""),
            ("only_remarks", "# nothing yet\n\n"),
            ("null", "~\n"),
            ("a_list", "- a\n- b\n"),
            ("a_word", "pintle\n"),
            ("a_control_character", "drain: \u{1}\n"),
        ],
    );
}

#[test]
fn a_syntax_fault_among_secrets_shows_none_of_them() {
    let account = "accounts:\n  main:\n    base_url: http://127.0.0.1:7080\n    secrets:\n";
    for (name, line) in [
        ("secret_like_an_alias", "      app_key: *hunter2\n"),
        ("secret_like_an_anchor", "      app_key: &hunter2\n"),
        ("secret_like_a_tag", "      app_key: !hunter2 x\n"),
        ("secret_with_a_colon", "      app_key: ab: hunter2\n"),
        ("secret_with_an_open_quote", "      app_key: \"hunter2\n"),
        ("secret_on_a_line_of_its_own", "      app_key: |\nhunter2\n"),
        ("secret_after_a_tab", "\tapp_key: hunter2\n"),
        ("secret_with_a_percent", "      app_key: %hunter2\n"),
        (
            "secret_twice",
            "      app_key: env:A\n      app_key: hunter2\n",
        ),
    ] {
        hold_files("syntax", &[(name, &format!("{account}{line}"))]);
    }
}
