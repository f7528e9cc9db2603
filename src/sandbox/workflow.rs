//! The workflow family: instances of a template, and the rows that run through them.
//!
//! The paths of templates, stopinstance and instances are assumed: the operations exist, their
//! real paths are not known. Their routes say so.

use serde_json::{Map, Value, json};

use crate::sandbox::cloud;
use crate::sandbox::login::Entry;
use crate::sandbox::reply::{Answer, Ask, Family, Fields, Outcome, Refusal, is_e164};
use crate::sandbox::route::{Known, Route};
use crate::sandbox::shelf::{Job, Row};
use crate::sandbox::state::State;

/// The workflow family.
pub(super) static ROUTES: &[Route] = &[
    route(
        "/service/cloud/workflow/createinstance",
        "start a workflow from a template",
        Known::Documented,
        create,
    ),
    route(
        "/service/cloud/workflow/uploaddetails",
        "add rows to a workflow",
        Known::Observed,
        add_rows,
    ),
    route(
        "/service/cloud/workflow/detailinstances",
        "workflows by callee or case_id",
        Known::Documented,
        by_callee,
    ),
    route(
        "/service/cloud/workflow/taskdetail",
        "the calls of a workflow",
        Known::Documented,
        task_detail,
    ),
    route(
        "/service/cloud/workflow/apinoticeinfo",
        "what a custom API node pushed",
        Known::Documented,
        notice,
    ),
    Route {
        method: "GET",
        ..route(
            "/service/cloud/workflow/templates",
            "the templates",
            Known::Assumed,
            templates,
        )
    },
    route(
        "/service/cloud/workflow/stopinstance",
        "stop a workflow",
        Known::Assumed,
        stop,
    ),
    Route {
        method: "GET",
        ..route(
            "/service/cloud/workflow/instances",
            "the workflows, newest first",
            Known::Assumed,
            instances,
        )
    },
];

const fn route(
    path: &'static str,
    about: &'static str,
    known: Known,
    answer: fn(&mut State, &Ask<'_>) -> Outcome,
) -> Route {
    Route {
        method: "POST",
        path,
        about,
        known,
        family: Family::Cloud,
        entry: Entry::TokenOrBearer,
        sink: false,
        answer,
    }
}

fn create(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let mut fields = ask.object()?;
    fields.integer("workflow_template_id")?;
    fields.text("end_time")?;
    let name = fields.text("name")?.to_owned();
    let details = checked_rows(fields.list("details")?.unwrap_or_default(), 0)?;
    let made = state.moment();
    let id = state.hex(ID_WORDS);
    let rows = take_rows(state, details);
    let workflow = Job::new(name, RUNNING, made, fields.0);
    state.call(&id, 0..rows.len());
    state.workflows.put(id.clone(), workflow, rows);
    Ok(Answer::Data(json!({ "workflow_id": id })))
}

fn add_rows(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let mut fields = ask.object()?;
    let id = fields.text("workflow_id")?.to_owned();
    let details = fields.list("details")?.unwrap_or_default();
    if details.is_empty() {
        return Err(Refusal::field("details is required"));
    }
    let workflow = state.workflows.find(&id).ok_or_else(no_workflow)?;
    if workflow.status != RUNNING {
        return Err(Refusal::field("the workflow was stopped"));
    }
    let held = workflow.rows().len();
    let details = checked_rows(details, held)?;
    let rows = take_rows(state, details);
    let added = rows.len();
    state.call(&id, held..held.saturating_add(added));
    state.workflows.extend(&id, rows);
    Ok(Answer::Data(
        json!({ "workflow_id": id, "accepted": added }),
    ))
}

fn by_callee(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    fields.text("start_time")?;
    fields.text("end_time")?;
    let (case_id, callee) = (fields.optional("case_id"), fields.optional("callee"));
    if case_id.is_none() && callee.is_none() {
        return Err(Refusal::field("case_id or callee is required"));
    }
    let mut found = Vec::new();
    for (id, workflow) in state.workflows.newest() {
        let rows = workflow.rows().iter().filter(|row| {
            callee.is_none_or(|callee| row.callee == callee)
                && case_id.is_none_or(|case_id| case_of(row) == case_id)
        });
        found.extend(rows.map(|row| {
            json!({
                "workflow_id": id,
                "workflow_name": workflow.name,
                "case_id": case_of(row),
                "callee": row.callee,
            })
        }));
        if found.len() >= FOUND_MAX {
            break;
        }
    }
    found.truncate(FOUND_MAX);
    Ok(Answer::Data(Value::Array(found)))
}

fn task_detail(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    let (id, workflow) = find(state, &fields)?;
    let number = |name: &str| fields.0.get(name).and_then(Value::as_u64);
    let (skip, most) = (
        number("offset").unwrap_or(0),
        number("limit").unwrap_or(u64::MAX),
    );
    let mut rows = cloud::rows(workflow, skip, most);
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.insert("workflow_id".to_owned(), json!(id));
        row.insert("workflow_name".to_owned(), json!(workflow.name));
        row.insert("nodetask_id".to_owned(), json!("1001"));
        row.insert("nodetask_name".to_owned(), json!("Outbound call"));
    }
    Ok(Answer::Data(
        json!({ "total": workflow.rows().len(), "list": rows }),
    ))
}

fn notice(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    let (node, callee) = (fields.text("node_id")?, fields.text("callee")?);
    let (id, workflow) = find(state, &fields)?;
    let row = workflow
        .rows()
        .iter()
        .find(|row| row.callee == callee)
        .ok_or_else(|| Refusal::field("the callee is not in this workflow"))?;
    Ok(Answer::Data(json!({
        "workflow_id": id,
        "workflow_name": workflow.name,
        "node_id": node,
        "node_name": "Custom API",
        "callee": { "case_id": case_of(row), "callee_number": row.callee },
    })))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every operation has one signature"
)]
fn templates(_: &mut State, _: &Ask<'_>) -> Outcome {
    let templates: Vec<Value> = TEMPLATES
        .iter()
        .map(|(id, name)| json!({ "workflow_template_id": id, "workflow_template_name": name }))
        .collect();
    Ok(Answer::Data(Value::Array(templates)))
}

fn stop(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    let id = fields.text("workflow_id")?;
    let workflow = state.workflows.find_mut(id).ok_or_else(no_workflow)?;
    workflow.status = "stopped";
    Ok(Answer::Data(json!({ "workflow_id": id })))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every operation has one signature"
)]
fn instances(state: &mut State, _: &Ask<'_>) -> Outcome {
    let instances: Vec<Value> = state
        .workflows
        .newest()
        .take(FOUND_MAX)
        .map(|(id, workflow)| {
            json!({
                "workflow_id": id,
                "workflow_name": workflow.name,
                "workflow_template_id": workflow.fields.get("workflow_template_id"),
                "status": workflow.status,
                "create_time": workflow.made,
                "rows": workflow.rows().len(),
            })
        })
        .collect();
    Ok(Answer::Data(
        json!({ "total": state.workflows.len(), "list": instances }),
    ))
}

fn find<'a, 'b>(state: &'a State, fields: &'b Fields) -> Result<(&'b str, &'a Job), Refusal> {
    let id = fields.text("workflow_id")?;
    Ok((id, state.workflows.find(id).ok_or_else(no_workflow)?))
}

/// The rows, all of them right: one bad row refuses the call and nothing of it is taken.
fn checked_rows(details: Vec<Value>, held: usize) -> Result<Vec<Map<String, Value>>, Refusal> {
    if held.saturating_add(details.len()) > ROWS_MAX {
        let text = format!("a workflow takes at most {ROWS_MAX} rows, it holds {held}");
        return Err(Refusal::field(text));
    }
    let check = |(place, detail): (usize, Value)| match detail {
        Value::Object(row) if is_e164(callee_of(&row)) => Ok(row),
        Value::Object(_) => Err(Refusal::field(format!(
            "details[{place}].callee must be E.164 with +"
        ))),
        _ => Err(Refusal::field(format!(
            "details[{place}] must be an object"
        ))),
    };
    details.into_iter().enumerate().map(check).collect()
}

fn take_rows(state: &mut State, details: Vec<Map<String, Value>>) -> Vec<Row> {
    let take = |fields: Map<String, Value>| {
        let callee = callee_of(&fields).to_owned();
        state.row(&callee, fields)
    };
    details.into_iter().map(take).collect()
}

fn callee_of(fields: &Map<String, Value>) -> &str {
    fields
        .get("callee")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn case_of(row: &Row) -> &str {
    row.fields
        .get("case_id")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn no_workflow() -> Refusal {
    Refusal::field("there is no workflow with this workflow_id")
}

const TEMPLATES: &[(u32, &str)] = &[(2001, "Payment reminder"), (2002, "Loan offer")];
const RUNNING: &str = "running";
const ID_WORDS: usize = 4;
const ROWS_MAX: usize = 10_000;
const FOUND_MAX: usize = 1_000;
