//! What operations require, what runs, and what it costs.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a list of mistakes")]
fn a_step_gives_what_its_operation_requires() {
    let details = "details: [{ callee: $.vars.phone }]";
    let workflow = "workflow_id: $.settings.workflow";
    hold_change(
        ROUTE,
        &[
            ("required_not_set", "workflow_id: $.settings.workflow, ", ""),
            (
                "required_of_nothing",
                "    body: { workflow_id: $.settings.workflow, details: [{ callee: $.vars.phone }] }\n",
                "",
            ),
            (
                "required_may_be_missing",
                workflow,
                "workflow_id: $.body.workflow",
            ),
            (
                "required_of_functions",
                workflow,
                "workflow_id: { from: $.settings.workflow, then: [trim] }",
            ),
            (
                "required_text_may_be_missing",
                workflow,
                "workflow_id: { text: \"w-{$.body.workflow}\" }",
            ),
            (
                "required_choice_without_an_end",
                workflow,
                "workflow_id: { choose: [{ when: $.body.a, give: b }] }",
            ),
            (
                "required_var_without_a_check",
                "  - { unless: $.vars.phone, reason: no_phone }",
                "  - { unless: $.body.phone, reason: no_phone }",
            ),
            ("required_text_is_a_number", workflow, "workflow_id: 4711"),
            (
                "required_text_of_functions",
                workflow,
                "workflow_id: { from: $.body.workflow, then: [to_number], default: none }",
            ),
            (
                "required_default_is_a_number",
                workflow,
                "workflow_id: { from: $.body.workflow, default: 0 }",
            ),
            (
                "required_list_is_an_object",
                details,
                "details: { callee: $.vars.phone }",
            ),
            ("required_list_of_texts", details, "details: [$.vars.phone]"),
            (
                "required_field_not_set",
                details,
                "details: [{ case_id: $.vars.case_id }]",
            ),
            (
                "required_of_what_is_pushed",
                details,
                "details: $.body.rows",
            ),
            (
                "required_of_the_whole_push",
                "body: { workflow_id: $.settings.workflow, details: [{ callee: $.vars.phone }] }",
                "body: $.body",
            ),
            (
                "values_of_an_object_are_texts",
                "callee: $.vars.phone }",
                "callee: $.vars.phone, variables: { debt: { from: $.body.debt, then: [to_number] } } }",
            ),
        ],
    );
    hold_change(
        ITEMS,
        &[
            (
                "required_of_a_row",
                "row: { callee: $.vars.phone }",
                "row: { case_id: $.vars.phone }",
            ),
            (
                "required_of_a_row_without_a_check",
                "unless: $.vars.phone",
                "unless: $.item.phone",
            ),
            (
                "required_of_no_row",
                "  row: { callee: $.vars.phone }\n",
                "",
            ),
        ],
    );
}

#[test]
fn what_an_operation_requires_is_written_as_a_shape() {
    let settings = format!("routes: routes\n{ACCOUNT}");
    for (name, to) in [
        ("requires_unknown_word", "workflow_id: txt"),
        ("requires_two", "workflow_id: [text, text]"),
    ] {
        let operations = OPERATIONS.replacen("workflow_id: text", to, 1);
        let [settings, _, route] = files(&settings, ROUTE);
        hold(
            "route",
            &[(
                name,
                &[settings, ("routes/operations.yaml", &operations), route],
            )],
        );
    }
}

#[test]
fn what_is_required_and_always_there_is_good() {
    let settings = format!("routes: routes\n{ACCOUNT}");
    for (from, to) in [
        (
            "workflow_id: $.settings.workflow",
            "workflow_id: { from: $.body.workflow, default: \"1\" }",
        ),
        (
            "workflow_id: $.settings.workflow",
            "workflow_id: { from: $.body.workflow, required: true }",
        ),
        (
            "workflow_id: $.settings.workflow",
            "workflow_id: { first: [$.body.workflow, $.settings.workflow] }",
        ),
        (
            "workflow_id: $.settings.workflow",
            "workflow_id: { choose: [{ when: $.body.a, give: b }, { give: c }] }",
        ),
        (
            "- { unless: $.vars.phone, reason",
            "- { if: { not: $.vars.phone }, reason",
        ),
        (
            "- { unless: $.vars.phone, reason",
            "- { unless: { all: [$.body.a, { matches: [$.vars.phone, '.*'] }] }, reason",
        ),
        (
            "    body: {",
            "    when: { any: [{ all: [$.vars.phone, $.body.a] }, $.vars.phone] }\n    body: {",
        ),
    ] {
        let mut route = ROUTE.replacen(from, to, 1);
        assert_ne!(route, ROUTE);
        if to.contains("when:") && from.contains("body") {
            route = route.replacen("unless: $.vars.phone", "unless: $.body.phone", 1);
        }
        let folder = folder(&files(&settings, &route));
        let output = pintle(folder.path(), &["check", "--config", "pintle.yaml"]);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{to}");
    }
}

#[test]
fn a_call_without_a_path_is_a_warning_where_the_route_runs() {
    let route = ROUTE.replace(
        "  - name: told\n",
        "  - call: workflow.find\n    query: { name: $.vars.case_id }\n  - name: told\n",
    );
    let run = "run: { leads: { settings: { workflow: a }, secrets: { partner: \"literal:hunter2\", partner_key: \"literal:hunter2\" } } }\n";
    let settings = format!("routes: routes\n{PUBLIC}{run}{ACCOUNT}");
    let folder = folder(&files(&settings, &route));
    let output = pintle(folder.path(), &["check", "--config", "pintle.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stderr).unwrap();
    insta::with_settings!({
        snapshot_path => "../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("route__operation_without_a_path", told);
    });
}

#[test]
fn routes_do_not_stand_in_each_others_way() {
    let settings = format!("routes: routes\n{ACCOUNT}");
    let same_name = ITEMS.replace("route: many", "route: leads");
    let same_path = ITEMS.replace("/in/many", "/in/leads");
    for (name, other) in [("name_of_two", same_name), ("path_of_two", same_path)] {
        let [settings, operations, route] = files(&settings, ROUTE);
        hold(
            "route",
            &[(
                name,
                &[settings, operations, route, ("routes/second.yaml", &other)],
            )],
        );
    }
}

#[test]
fn what_runs_is_there_and_has_what_it_needs() {
    let secrets = "secrets: { partner: \"literal:hunter2\", partner_key: \"literal:hunter2\" }";
    hold_run(&[
        ("run_unknown", "  lead: {}\n"),
        (
            "run_setting_missing",
            &format!("  leads: {{ {secrets} }}\n"),
        ),
        (
            "run_secret_missing",
            "  leads: { settings: { workflow: a }, secrets: { partner: \"literal:hunter2\" } }\n",
        ),
        (
            "run_setting_unknown",
            &format!("  leads: {{ settings: {{ workflow: a, workflw: b }}, {secrets} }}\n"),
        ),
        (
            "run_secret_unknown",
            "  leads: { settings: { workflow: a }, secrets: { partner: \"literal:hunter2\", partner_key: \"literal:hunter2\", other: \"literal:hunter2\" } }\n",
        ),
        (
            "run_secret_in_the_file",
            "  leads: { settings: { workflow: a }, secrets: { partner: hunter2, partner_key: \"literal:hunter2\" } }\n",
        ),
    ]);
}

#[test]
fn a_route_that_runs_is_told_with_what_it_costs() {
    let run = "run: { many: { settings: { workflow: a } } }\n";
    let settings = format!("routes: routes\n{PUBLIC}{run}{ACCOUNT}");
    let folder = folder(&files(&settings, ITEMS));
    let output = pintle(folder.path(), &["check", "--config", "pintle.yaml"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let costs: Vec<&str> = told.lines().skip(1).collect();
    assert_eq!(
        costs,
        [
            "  many: at most 6 values, 0 passes of functions; for each item 7 values, 64 passes of functions; calls: 0, and 1 for each chunk; they carry 22 bytes and 1 part of what was read, and for each item 8 bytes and 1 part of what was read"
        ],
    );
}
