//! Calls as the cases write them: names of our own for what stands on the wire.

use pintle::codec::{Format, Limits, decode};
use pintle::rehearsal::Made;
use serde_json::{Map, Value, json};

/// The steps of third parties, by the names that the cases give them.
const STEPS: &[(&str, &str, &str)] = &[
    ("meta_leadgen", "lead", "meta.get_lead"),
    ("make_outbound_call", "callback", "callback"),
    ("boberdoo_direct", "post", "boberdoo.post"),
    ("boberdoo_pingpost", "ping", "boberdoo.ping"),
    ("boberdoo_pingpost", "post", "boberdoo.post"),
    ("leadspedia_out", "ping", "lp.ping"),
    ("leadspedia_out", "post", "lp.post"),
    ("doucet_ping", "ping", "doucet.ping"),
    ("doucet_ping", "post", "doucet.post"),
    ("ringba_rtb", "ping", "ringba.ping"),
    ("fanout_call_finished", "warehouse", "warehouse.put"),
    ("fanout_call_finished", "crm", "crm.note"),
];

/// The step, or the operation, that a case's name for a call means.
pub(crate) fn of(contract: &str, call: &str) -> String {
    let row = STEPS
        .iter()
        .find(|(of, _, name)| *of == contract && *name == call);
    row.map_or_else(|| call.to_owned(), |(_, step, _)| (*step).to_owned())
}

/// The platform answers 200 where the cases write 0.
pub(crate) fn answer(call: &str, document: &Value) -> Value {
    let mut document = document.clone();
    if call.starts_with("workflow.") && document["code"] == json!(0) {
        document["code"] = json!(200);
    }
    document
}

/// A call as the cases write it.
pub(crate) fn call(contract: &str, made: &Made, expected: &Value) -> Value {
    if made.is_party {
        return party(contract, made, expected);
    }
    let read = |format, text: &[u8]| decode(format, None, None, text, &Limits::default());
    let body = read(Format::Json, &made.body).unwrap_or(Value::Null);
    let query = made.url.split_once('?').map_or("", |(_, query)| query);
    let query = read(Format::Form, query.as_bytes()).unwrap();
    match made.of.as_str() {
        "workflow.find" => json!({ "op": made.of, "name": query["name"] }),
        "workflow.create" => json!({
            "op": made.of, "name": body["name"], "template_id": body["workflow_template_id"],
        }),
        _ => json!({
            "op": made.of,
            "workflow_id": body["workflow_id"],
            "contacts": body["details"].as_array().unwrap().iter().map(contact).collect::<Vec<_>>(),
        }),
    }
}

fn contact(row: &Value) -> Value {
    let names = [
        ("callee", "phone"),
        ("callee_name", "name"),
        ("case_id", "case_id"),
        ("variables", "variables"),
        ("not_before", "not_before"),
    ];
    for name in row.as_object().unwrap().keys() {
        assert!(
            names.iter().any(|(wire, _)| wire == name),
            "an unexpected field {name}"
        );
    }
    let field = |(wire, neutral): (&str, &str)| Some((neutral.to_owned(), row.get(wire)?.clone()));
    Value::Object(names.into_iter().filter_map(field).collect())
}

fn party(contract: &str, made: &Made, expected: &Value) -> Value {
    let row = STEPS
        .iter()
        .find(|(of, step, _)| *of == contract && *step == made.of);
    let mut call = json!({
        "op": "http",
        "name": row.map_or(made.of.as_str(), |(_, _, name)| name),
        "method": made.method.as_str(),
        "url": made.url,
    });
    for (key, format) in [("json", Format::Json), ("form", Format::Form)] {
        if expected.get(key).is_some() {
            let body = decode(format, None, None, &made.body, &Limits::default());
            call[key] = body.unwrap_or(Value::Null);
        }
    }
    if let Some(Value::Object(headers)) = expected.get("headers") {
        let shown = headers.keys().map(|name| {
            let value = made.headers.get(name).and_then(|value| value.to_str().ok());
            (name.clone(), json!(value))
        });
        call["headers"] = Value::Object(shown.collect::<Map<_, _>>());
    }
    if let Some(file) = expected.get("body_file") {
        call["body_file"] = file.clone();
    }
    call
}
