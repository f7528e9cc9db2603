//! Faults of the parts of a route: its beginning, its answers, its steps.

use super::*;

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
                "limits_in_an_event",
                "vars:\n",
                "limits: [{ suppressed_by: do_not_call, key: $.event.data.phone }]\nvars:\n",
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
#[expect(clippy::too_many_lines, reason = "a list of mistakes")]
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
fn a_limit_is_a_cap_or_a_list() {
    let limit = |limit: &str| format!("limits: [{{ {limit} }}]\nonce:");
    hold_change(
        ROUTE,
        &[
            (
                "cap_unknown",
                "once:",
                &limit("cap: us_attempt, key: $.vars.phone, place: TX"),
            ),
            (
                "suppression_unknown",
                "once:",
                &limit("suppressed_by: dont_call, key: $.vars.phone"),
            ),
            ("limit_of_nothing", "once:", &limit("key: $.vars.phone")),
            (
                "limit_of_both",
                "once:",
                &limit("cap: us_attempts, suppressed_by: do_not_call, key: $.vars.phone"),
            ),
            (
                "limit_without_a_key",
                "once:",
                &limit("suppressed_by: do_not_call"),
            ),
            (
                "limit_of_a_key_that_is_not_there",
                "once:",
                &limit("suppressed_by: do_not_call, key: $.vars.fone"),
            ),
            (
                "cap_without_a_place",
                "once:",
                &limit("cap: us_attempts, key: $.vars.phone"),
            ),
            (
                "list_with_a_place",
                "once:",
                &limit("suppressed_by: do_not_call, key: $.vars.phone, place: TX"),
            ),
            (
                "limit_with_an_unknown_reply",
                "once:",
                &limit("suppressed_by: do_not_call, key: $.vars.phone, reply: nobody"),
            ),
        ],
    );
}
