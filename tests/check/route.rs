//! Faults of routes with steps, and of `run` in the settings.

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

#[test]
fn a_route_begins_with_something_and_somebody() {
    let listen = "listen: { path: /in/leads, body: json }";
    let prove = "prove: { api_key: { header: X-Api-Key, secrets: [partner] } }";
    hold_change(
        ROUTE,
        &[
            ("begins_with_nothing", &format!("{listen}\n{prove}\n"), ""),
            (
                "begins_with_both",
                prove,
                &format!("{prove}\non: [call.finished]"),
            ),
            ("prove_missing", &format!("{prove}\n"), ""),
            ("proof_unknown", prove, "prove: typefrom"),
            ("proof_kind_unknown", "api_key:", "apikey:"),
            (
                "path_secret_without_a_proof",
                "/in/leads",
                "\"/in/{secret}/leads\"",
            ),
            ("path_without_a_slash", "/in/leads", "in/leads"),
            ("format_unknown", "body: json", "body: jsn"),
        ],
    );
    hold_change(
        EVENT,
        &[
            (
                "prove_with_on",
                "on: [call.finished]",
                "on: [call.finished]\nprove: none",
            ),
            ("on_of_no_event", "[call.finished]", "[]"),
            ("on_with_a_star_within", "call.finished", "\"call.*.told\""),
            (
                "once_in_an_event",
                "vars:\n",
                "once: { key: [$.event.id], for: 1d }\nvars:\n",
            ),
            (
                "replies_in_an_event",
                "result:",
                "replies: { accepted: { status: 200 } }\nresult:",
            ),
            (
                "answer_in_an_event",
                "result:",
                "answer: when_done\nresult:",
            ),
            (
                "consent_in_an_event",
                "vars:\n",
                "consent: { phone: $.event.data.phone }\nvars:\n",
            ),
            (
                "hours_that_hold_an_event",
                "steps:\n",
                "hours: { policy: us, place: TX }\nsteps:\n",
            ),
        ],
    );
}

#[test]
fn answers_are_there_and_can_be_given() {
    let refused = "refused: { status: 400, json: { reason: $.reason } }";
    hold_change(
        ROUTE,
        &[
            ("check_that_always_fails", "unless: $.vars.phone, ", ""),
            (
                "reply_of_a_check_missing",
                "reason: no_phone",
                "reply: skipped, reason: no_phone",
            ),
            ("refused_missing", refused, "malformed: { status: 400 }"),
            (
                "accepted_missing",
                "accepted: { json: { id: $.vars.case_id } }",
                "malformed: { status: 400 }",
            ),
            (
                "replies_missing",
                &ROUTE[ROUTE.find("replies:").unwrap()..],
                "",
            ),
            (
                "reply_not_used",
                "refused: {",
                "skipped: { status: 200 }\n  refused: {",
            ),
            (
                "reply_misspelt",
                "refused: {",
                "malfromed: { status: 400 }\n  refused: {",
            ),
            (
                "reply_with_two_bodies",
                "status: 400, json:",
                "status: 400, text: no, json:",
            ),
            (
                "reply_as_multipart",
                "status: 400, json:",
                "status: 400, multipart:",
            ),
            ("status_out_of_range", "status: 400", "status: 700"),
            ("status_in_words", "status: 400", "status: bad_request"),
            ("status_without_a_body", "status: 400", "status: 204"),
            (
                "header_name_faulty",
                "status: 400,",
                "status: 400, headers: { \"X Key\": a },",
            ),
            (
                "header_of_the_connection",
                "status: 400,",
                "status: 400, headers: { Content-Length: 4 },",
            ),
            (
                "media_type_faulty",
                "status: 400,",
                "status: 400, content_type: \"a\\nb\",",
            ),
            (
                "reply_hidden",
                refused,
                "refused: [{ status: 400 }, { when: $.reason, status: 401 }]",
            ),
            (
                "answer_of_a_step_too_early",
                "accepted: { json: { id: $.vars.case_id } }",
                "accepted: { json: { id: $.steps.told.body.id } }",
            ),
            ("answer_unknown", "once:", "answer: done\nonce:"),
            (
                "replay_of_an_answer_not_known",
                "for: 30d }",
                "for: 30d, replay: \"X-Again: true\" }\nanswer: when_done",
            ),
            ("replay_of_no_header", "for: 30d", "for: 30d, replay: again"),
        ],
    );
    hold_change(
        ITEMS,
        &[
            (
                "reply_of_an_item",
                "reason: no_phone",
                "reply: refused, reason: no_phone",
            ),
            (
                "replay_of_an_item",
                "  row:",
                "  once: { key: [$.item.id], for: 1d, replay: \"X-Again: true\" }\n  row:",
            ),
        ],
    );
}

#[test]
fn a_step_does_one_thing() {
    let call = "  - call: workflow.add_contacts\n    body: { workflow_id: $.settings.workflow, details: [{ callee: $.vars.phone }] }\n";
    let url = "\"{$.settings.url}/told\"";
    hold_change(
        ROUTE,
        &[
            (
                "step_of_nothing",
                call,
                "  - name: nothing\n    timeout: 3s\n",
            ),
            (
                "step_of_two_actions",
                "  - name: told\n",
                "  - name: told\n    call: workflow.add_contacts\n",
            ),
            (
                "send_without_a_name",
                "  - name: told\n    send",
                "  - send",
            ),
            ("send_without_a_url", &format!("url: {url}, "), ""),
            ("step_twice", call, &format!("{call}{call}")),
            ("url_of_the_push", url, "\"{$.body.url}\""),
            ("host_of_the_push", url, "\"https://{$.body.host}/told\""),
            (
                "host_that_goes_on",
                url,
                "\"{$.settings.url}{$.body.path}\"",
            ),
            ("send_as_multipart", "json: { id", "multipart: { id"),
            (
                "send_with_two_bodies",
                "json: { id",
                "form: { a: b }, json: { id",
            ),
            (
                "operation_unknown",
                "workflow.add_contacts",
                "workflow.add_contact",
            ),
            ("operation_reserved", "workflow.add_contacts", "auth.token"),
            ("chunk_without_rows", "    body:", "    chunk: 3\n    body:"),
            ("else_unknown", "    body:", "    else: goon\n    body:"),
            ("timeout_faulty", "    body:", "    timeout: 5\n    body:"),
            ("effect_unknown", "headers: {", "effect: twice, headers: {"),
            (
                "operation_unknown_in_reconcile",
                "    body:",
                "    reconcile: { step: { call: workflow.fnd }, done: $.steps.fnd.body }\n    body:",
            ),
        ],
    );
}

#[test]
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
        snapshot_path => "../snapshots",
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
            "  many: at most 6 values, 0 passes of functions; for each item 7 values, 64 passes of functions; calls: 0, and 1 for each chunk"
        ],
    );
}
