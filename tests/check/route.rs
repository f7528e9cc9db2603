//! Faults of routes with steps, and of `run` in the settings.

mod contract;
mod part;

use crate::support::{ACCOUNT, folder, hold, pintle};

const OPERATIONS: &str = "family: workflow
operations:
  - { name: workflow.add_contacts, titles: [A], method: POST, path: /a, effect: once, requires: { workflow_id: text, details: [{ callee: text, variables?: object of text }] }, source: assumed }
  - { name: workflow.find, titles: [B], method: GET, effect: read, source: assumed }
  - { name: auth.token, titles: [C], method: POST, path: /auth, effect: repeatable, reserved: true, source: assumed }
";
const ROUTE: &str = "route: leads
source: assumed
listen: { path: /in/leads, body: json }
prove: { api_key: { header: X-Api-Key, secrets: [partner] } }
settings:
  workflow:
  url: https://partner.example/
secrets: [partner_key]
load:
  ping: { space: pings, key: $.body.ping_id }
vars:
  phone: { from: $.body.phone, then: [trim, { to_e164: US }] }
  case_id: { text: \"a-{$.body.id}\" }
check:
  - { unless: $.vars.phone, reason: no_phone }
once: { key: [$.body.id], for: 30d }
steps:
  - call: workflow.add_contacts
    body: { workflow_id: $.settings.workflow, details: [{ callee: $.vars.phone }] }
  - name: told
    send: { url: \"{$.settings.url}/told\", headers: { X-Key: $.secrets.partner_key }, json: { id: $.vars.case_id } }
replies:
  accepted: { json: { id: $.vars.case_id } }
  refused: { status: 400, json: { reason: $.reason } }
";
const EVENT: &str = "route: told
source: assumed
on: [call.finished]
settings:
  url:
vars:
  case_id: $.event.data.case_id
steps:
  - name: told
    send: { url: \"{$.settings.url}/told\", json: { id: $.vars.case_id } }
result: { state: $.steps.told.state }
";
const ITEMS: &str = "route: many
source: assumed
listen: { path: /in/many, body: json }
prove: none
settings:
  workflow:
items:
  each: $.body
  vars:
    phone: { from: $.item.phone, then: [{ to_e164: US }] }
  check:
    - { unless: $.vars.phone, reason: no_phone }
  row: { callee: $.vars.phone }
  refusal: { reason: $.reason }
steps:
  - call: workflow.add_contacts
    over: $.rows
    chunk: 500
    body: { workflow_id: $.settings.workflow, details: $.chunk }
replies:
  accepted: { json: $.results }
";
const PUBLIC: &str = "public: { listen: 127.0.0.1:7071 }
";

/// The files of a case, with a route of its own.
fn files<'f>(settings: &'f str, route: &'f str) -> [(&'f str, &'f str); 3] {
    [
        ("pintle.yaml", settings),
        ("routes/operations.yaml", OPERATIONS),
        ("routes/route.yaml", route),
    ]
}

/// Holds what is told when a piece of a route is replaced by another.
fn hold_change(route: &str, cases: &[(&str, &str, &str)]) {
    let settings = format!("routes: routes\n{ACCOUNT}");
    for (name, from, to) in cases {
        let changed = route.replacen(from, to, 1);
        assert_ne!(changed, route, "{name} changes nothing");
        hold("route", &[(name, &files(&settings, &changed))]);
    }
}

/// Holds what is told of the route when its settings are these.
fn hold_run(cases: &[(&str, &str)]) {
    for (name, run) in cases {
        let settings = format!("routes: routes\n{PUBLIC}run:\n{run}{ACCOUNT}");
        hold("route", &[(name, &files(&settings, ROUTE))]);
    }
}

#[test]
fn the_routes_of_these_tests_are_good() {
    let settings = format!("routes: routes\n{ACCOUNT}");
    for route in [ROUTE, EVENT, ITEMS] {
        let folder = folder(&files(&settings, route));
        let output = pintle(folder.path(), &["check", "--config", "pintle.yaml"]);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn keys_and_words_are_known() {
    hold_change(
        ROUTE,
        &[
            ("key_unknown", "once:", "onces:"),
            ("step_key_unknown", "    body:", "    bdy: 1\n    body:"),
            ("function_unknown", "trim, { to_e164", "trimm, { to_e164"),
            (
                "function_of_another_language",
                "trim, { to_e164",
                "lowercase, { to_e164",
            ),
            ("function_argument_wrong", "to_e164: US", "to_e164: USA"),
            ("function_argument_missing", "trim,", "last,"),
            ("function_argument_too_much", "trim,", "{ trim: 4 },"),
            (
                "functions_that_do_not_fit",
                "trim, {",
                "{ split: \",\" }, {",
            ),
            (
                "operator_with_a_field",
                "{ text: \"a-{$.body.id}\" }",
                "{ text: \"a-{$.body.id}\", id: 4 }",
            ),
            (
                "condition_unknown",
                "unless: $.vars.phone",
                "unless: { equals: [$.vars.phone, 1] }",
            ),
            (
                "condition_with_one_value",
                "unless: $.vars.phone",
                "unless: { equal: $.vars.phone }",
            ),
            (
                "condition_of_no_list",
                "unless: $.vars.phone",
                "unless: { any: $.vars.phone }",
            ),
            (
                "regular_expression_faulty",
                "unless: $.vars.phone",
                "unless: { matches: [$.vars.phone, '[0-9'] }",
            ),
            (
                "regular_expression_with_a_look",
                "unless: $.vars.phone",
                "unless: { matches: [$.vars.phone, '(?=a)b'] }",
            ),
            ("duration_faulty", "for: 30d", "for: 30 days"),
            (
                "first_of_no_list",
                "$.body.ping_id",
                "{ first: $.body.ping_id }",
            ),
            (
                "table_unknown",
                "trim, {",
                "{ lookup: { file: states } }, {",
            ),
            (
                "table_as_a_word",
                "trim, {",
                "{ lookup: { table: states } }, {",
            ),
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of mistakes")]
fn a_selector_looks_at_what_is_there() {
    hold_change(
        ROUTE,
        &[
            ("jsonpath_faulty", "$.body.phone", "\"$.body.[phone\""),
            ("jsonpath_without_a_name", "$.body.phone", "\"$[0]\""),
            ("member_unknown", "$.body.phone", "$.bdy.phone"),
            (
                "member_unknown_in_a_filter",
                "$.body.phone",
                "\"$.body.list[?@.a==$.stings.a].b\"",
            ),
            (
                "var_unknown",
                "details: [{ callee: $.vars.phone }]",
                "details: [{ callee: $.vars.phon }]",
            ),
            (
                "setting_unknown",
                "$.settings.workflow",
                "$.settings.workflw",
            ),
            ("settings_as_a_whole", "$.settings.workflow", "$.settings"),
            (
                "secret_unknown",
                "$.secrets.partner_key",
                "$.secrets.key_of_partner",
            ),
            (
                "step_unknown",
                "reason: $.reason",
                "reason: $.steps.find.body.id",
            ),
            (
                "kept_unknown",
                "unless: $.vars.phone",
                "unless: $.kept.pong",
            ),
            (
                "event_in_a_listening_route",
                "$.body.phone",
                "$.event.data.phone",
            ),
            ("var_before_it_is_made", "$.body.phone", "$.vars.case_id"),
            (
                "step_before_it_is_made",
                "details: [{ callee: $.vars.phone }]",
                "details: [{ callee: $.steps.told.body.phone }]",
            ),
            (
                "taken_before_it_is_there",
                "unless: $.vars.phone",
                "unless: $.vars.number",
            ),
            ("item_without_items", "$.body.phone", "$.item.phone"),
            (
                "rows_without_items",
                "details: [{ callee: $.vars.phone }]",
                "details: $.rows",
            ),
            (
                "chunk_without_over",
                "details: [{ callee: $.vars.phone }]",
                "details: $.chunk",
            ),
            (
                "candidate_without_an_offer",
                "details: [{ callee: $.vars.phone }]",
                "details: [$.candidate]",
            ),
            (
                "hours_without_hours",
                "{ callee: $.vars.phone }",
                "{ callee: $.vars.phone, not_before: $.hours.opens }",
            ),
            (
                "reason_in_a_step",
                "{ callee: $.vars.phone }",
                "{ callee: $.reason }",
            ),
        ],
    );
    hold_change(
        EVENT,
        &[
            ("body_in_an_event", "$.event.data.case_id", "$.body.case_id"),
            ("push_in_an_event", "$.event.data.case_id", "$.push.id"),
        ],
    );
    hold_change(
        ITEMS,
        &[
            (
                "item_after_items",
                "workflow_id: $.settings.workflow",
                "workflow_id: $.item.workflow",
            ),
            (
                "item_var_after_items",
                "workflow_id: $.settings.workflow",
                "workflow_id: $.vars.phone",
            ),
            (
                "rows_within_items",
                "callee: $.vars.phone }",
                "callee: $.rows }",
            ),
        ],
    );
    let taken = ROUTE.replace(
        "  - name: told\n",
        "  - name: told\n    take: { number: $.steps.told.body.number }\n",
    );
    hold_change(
        &taken,
        &[
            (
                "taken_in_a_check",
                "unless: $.vars.phone",
                "unless: $.vars.number",
            ),
            (
                "taken_in_an_early_answer",
                "accepted: { json: { id: $.vars.case_id } }",
                "accepted: { json: { id: $.vars.number } }",
            ),
        ],
    );
}

#[test]
fn texts_have_their_places() {
    let text = "\"a-{$.body.id}\"";
    hold_change(
        ROUTE,
        &[
            ("template_with_a_lone_brace", text, "\"a-{$.body.id\""),
            ("template_with_a_bad_path", text, "\"a-{body.id}\""),
            (
                "text_without_its_operator",
                "{ text: \"a-{$.body.id}\" }",
                "\"a-{$.body.id}\"",
            ),
        ],
    );
}

#[test]
fn values_are_written_so_that_they_can_be_made() {
    hold_change(
        ROUTE,
        &[
            (
                "arm_never_reached",
                "$.body.ping_id",
                "{ choose: [{ give: 1 }, { when: $.body.a, give: 2 }] }",
            ),
            (
                "required_with_a_default",
                "from: $.body.phone,",
                "from: $.body.phone, required: true, default: \"1\",",
            ),
            ("vars_twice", "check:\n", "vars: { a: 1 }\ncheck:\n"),
            ("var_twice", "  case_id: {", "  phone: 1\n  case_id: {"),
            (
                "load_of_nothing",
                "{ space: pings, key: $.body.ping_id }",
                "{ space: pings }",
            ),
            ("once_without_a_time", ", for: 30d", ""),
            ("once_of_no_list", "key: [$.body.id]", "key: $.body.id"),
            (
                "hours_unknown",
                "once:",
                "hours: { policy: usa, place: $.vars.phone }\nonce:",
            ),
        ],
    );
}

#[test]
fn secrets_are_sent_and_told_nowhere() {
    let secret = "$.secrets.partner_key";
    hold_change(
        ROUTE,
        &[
            (
                "secret_in_a_reply",
                "refused: { status: 400, json: { reason: $.reason } }",
                "refused: { status: 400, json: { reason: $.secrets.partner_key } }",
            ),
            (
                "secret_in_a_header_of_a_reply",
                "refused: { status: 400,",
                "refused: { status: 400, headers: { X-Key: $.secrets.partner_key },",
            ),
            ("secret_in_a_var", "$.body.phone", secret),
            (
                "secret_in_a_text",
                "a-{$.body.id}",
                "a-{$.secrets.partner_key}",
            ),
            (
                "secret_in_consent",
                "once:",
                "consent: { key: $.secrets.partner_key }\nonce:",
            ),
            (
                "secret_in_keep",
                "once:",
                "keep: [{ space: a, key: $.body.id, value: { key: $.secrets.partner_key }, for: 1d }]\nonce:",
            ),
            (
                "secret_as_a_mark",
                "key: [$.body.id]",
                "key: [$.secrets.partner_key]",
            ),
        ],
    );
    let event = EVENT.replace("vars:\n", "secrets: [partner_key]\nvars:\n");
    hold_change(
        &event,
        &[("secret_in_a_result", "$.steps.told.state", secret)],
    );
}
