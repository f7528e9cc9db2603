//! The task family: calling tasks, their rows and recordings, the robots, and an upload sink.
//!
//! The fields of list, operation and cancel are not documented where we could read them; they are
//! taken leniently here, in the style of the create call.

use http::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::body::Source;
use crate::sandbox::login::Entry;
use crate::sandbox::reply::{Answer, Ask, Family, Outcome, Refusal, Reply, is_e164};
use crate::sandbox::route::{Known, Route};
use crate::sandbox::shelf::{Job, Row};
use crate::sandbox::state::State;

/// The task family.
pub(super) static ROUTES: &[Route] = &[
    Route {
        known: Known::Documented,
        ..route(
            "POST",
            "/service/cloud/task",
            "create a calling task",
            create,
        )
    },
    route(
        "GET",
        "/service/cloud/list",
        "list the tasks: Offset, Limit",
        list,
    ),
    route(
        "POST",
        "/service/cloud/operation",
        "cancel a task: TaskID",
        operation,
    ),
    route(
        "POST",
        "/service/cloud/cancelphonecall",
        "cancel calls of a task: TaskID, Mobile[]",
        cancel_calls,
    ),
    Route {
        known: Known::Documented,
        ..route(
            "GET",
            "/service/cloud/detail",
            "the rows of a task: TaskID",
            detail,
        )
    },
    route(
        "GET",
        "/service/cloud/case",
        "the link to the recording of a call: CallID",
        case,
    ),
    route(
        "GET",
        "/service/cloud/recording",
        "an archive of recordings: bytes=N for its size, chunked=1 to hide the size",
        recording,
    ),
    route(
        "GET",
        "/service/cloud/robot",
        "the robots of the account",
        robots,
    ),
    Route {
        known: Known::Assumed,
        sink: true,
        ..route(
            "POST",
            "/service/cloud/upload",
            "count an upload of any size",
            upload,
        )
    },
];

/// The rows of a job in the shape of the detail call, `skip` left out and at most `most` of them.
pub(super) fn rows(job: &Job, skip: u64, most: u64) -> Vec<Value> {
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let most = usize::try_from(most.min(PAGE_MAX)).unwrap_or(usize::MAX);
    job.rows().iter().skip(skip).take(most).map(row).collect()
}

const fn route(
    method: &'static str,
    path: &'static str,
    about: &'static str,
    answer: fn(&mut State, &Ask<'_>) -> Outcome,
) -> Route {
    Route {
        method,
        path,
        about,
        known: Known::Observed,
        family: Family::Cloud,
        entry: Entry::Token,
        sink: false,
        answer,
    }
}

fn create(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let mut fields = ask.object()?;
    let name = fields.text("TaskName")?.to_owned();
    for field in ["ScheduleStartTime", "ScheduleEndTime", "RobotID"] {
        fields.text(field)?;
    }
    if name.chars().count() > NAME_MAX || name.contains(char::is_whitespace) {
        return Err(Refusal::field(
            "TaskName takes at most 30 letters and no blanks",
        ));
    }
    if state.tasks.newest().any(|(_, task)| task.name == name) {
        return Err(Refusal::field("TaskName is taken"));
    }
    let details = fields.list("Details")?.unwrap_or_default();
    if details.is_empty() {
        return Err(Refusal::field("Details is required"));
    }
    if details.len() > ROWS_MAX {
        return Err(Refusal::field("Details takes at most 10000 rows"));
    }
    let mut rows = Vec::with_capacity(details.len());
    for (place, detail) in details.into_iter().enumerate() {
        let Value::Object(detail) = detail else {
            return Err(Refusal::field(format!(
                "Details[{place}] must be an object"
            )));
        };
        let mobile = detail
            .get("Mobile")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if !is_e164(&mobile) {
            return Err(Refusal::field(format!(
                "Details[{place}].Mobile must be E.164 with +"
            )));
        }
        rows.push(state.row(&mobile, detail));
    }
    let id = state.hex(2);
    let made = state.moment();
    let task = Job::new(name, "Not Started", made, fields.0);
    state.tasks.put(id.clone(), task, rows);
    Ok(Answer::Data(json!({ "TaskID": id })))
}

fn list(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let skip = usize::try_from(ask.number("Offset")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let most = ask.number("Limit")?.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let page = state.tasks.newest().skip(skip).take(most);
    let tasks: Vec<Value> = page.map(|(id, task)| summary(id, task)).collect();
    Ok(Answer::Data(
        json!({ "Total": state.tasks.len(), "List": tasks }),
    ))
}

fn operation(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    let operation = fields
        .optional("Operation")
        .or(fields.optional("Action"))
        .unwrap_or("cancel");
    if operation != "cancel" && operation != "stop" {
        return Err(Refusal::field("Operation must be cancel"));
    }
    let id = fields.text("TaskID")?;
    let task = state.tasks.find_mut(id).ok_or_else(no_task)?;
    task.status = "Cancelled";
    Ok(Answer::Data(json!({ "TaskID": id })))
}

fn cancel_calls(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let mut fields = ask.object()?;
    let numbers = match fields.0.remove("Mobile") {
        Some(Value::Array(numbers)) => numbers,
        Some(number @ Value::String(_)) => vec![number],
        _ => return Err(Refusal::field("Mobile is required")),
    };
    let task = state
        .tasks
        .find_mut(fields.text("TaskID")?)
        .ok_or_else(no_task)?;
    let mut cancelled = 0_u32;
    for row in task.rows_mut().iter_mut().filter(|row| !row.cancelled) {
        if numbers
            .iter()
            .any(|number| number.as_str() == Some(&row.callee))
        {
            row.cancelled = true;
            cancelled = cancelled.saturating_add(1);
        }
    }
    Ok(Answer::Data(json!({ "Cancelled": cancelled })))
}

fn detail(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let id = ask.required("TaskID")?;
    let (skip, most) = (ask.number("Offset")?, ask.number("Limit")?);
    let task = state.tasks.find(&id).ok_or_else(no_task)?;
    let mut data = summary(&id, task);
    if let Some(data) = data.as_object_mut() {
        let rows = rows(task, skip.unwrap_or(0), most.unwrap_or(PAGE_MAX));
        data.insert("Details".to_owned(), Value::Array(rows));
    }
    Ok(Answer::Data(data))
}

fn case(_: &mut State, ask: &Ask<'_>) -> Outcome {
    let id = ask.required("CallID")?;
    let host = ask
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost");
    let link = format!("http://{host}/service/cloud/recording?CallID={id}&bytes=1000");
    Ok(Answer::Data(json!({ "CallID": id, "RecordingURL": link })))
}

fn recording(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let source = Source::Made {
        block: state.noise.clone(),
        at: 0,
        left: ask.number("bytes")?.unwrap_or(RECORDING_BYTES),
        announced: ask.parameter("chunked").as_deref() != Some("1"),
    };
    Ok(Answer::Reply(Reply::new(
        StatusCode::OK,
        "application/zip",
        source,
    )))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every operation has one signature"
)]
fn robots(_: &mut State, _: &Ask<'_>) -> Outcome {
    let robots: Vec<Value> = ROBOTS
        .iter()
        .map(|(id, name, language)| {
            json!({ "RobotID": id, "RobotName": name, "Language": language, "Status": "enabled" })
        })
        .collect();
    Ok(Answer::Data(Value::Array(robots)))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every operation has one signature"
)]
fn upload(state: &mut State, ask: &Ask<'_>) -> Outcome {
    state.uploaded_bytes = state.uploaded_bytes.saturating_add(ask.body_bytes);
    Ok(Answer::Data(json!({ "bytes": ask.body_bytes })))
}

fn summary(id: &str, task: &Job) -> Value {
    json!({
        "TaskID": id,
        "TaskName": task.name,
        "RobotID": task.fields.get("RobotID"),
        "Status": task.status,
        "CreateTime": task.made,
        "Number": task.rows().len(),
    })
}

fn row(row: &Row) -> Value {
    let mut fields = row.fields.clone();
    fields.insert("CallID".to_owned(), json!(row.call_id));
    fields.insert(
        "Status".to_owned(),
        json!(if row.cancelled {
            "Cancelled"
        } else {
            "Waiting"
        }),
    );
    Value::Object(fields)
}

fn no_task() -> Refusal {
    Refusal::field("there is no task with this TaskID")
}

const ROBOTS: &[(&str, &str, &str)] = &[
    ("101", "Payment reminder", "en-US"),
    ("102", "Loan offer", "en-US"),
    ("103", "Pengingat pembayaran", "id-ID"),
];
const NAME_MAX: usize = 30;
const ROWS_MAX: usize = 10_000;
const PAGE_MAX: u64 = 1_000;
const RECORDING_BYTES: u64 = 100_000;
