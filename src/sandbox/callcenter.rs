//! The predictive dialer, short messages, and the approval engine that shares their host.

use serde_json::{Value, json};

use crate::sandbox::cloud;
use crate::sandbox::login::Entry;
use crate::sandbox::reply::{Answer, Ask, Family, Outcome, Refusal, is_e164};
use crate::sandbox::route::{Known, Route};
use crate::sandbox::shelf::Job;
use crate::sandbox::state::State;

/// The dialer, SMS and the approval engine.
pub(super) static ROUTES: &[Route] = &[
    dialer(
        "/service/callcenter/call/predict/createtask",
        "create a dialing task",
        create,
    ),
    dialer(
        "/service/callcenter/call/predict/querytasklist",
        "list the dialing tasks",
        list,
    ),
    dialer(
        "/service/callcenter/call/predict/querytaskdetail",
        "the rows of one",
        detail,
    ),
    Route {
        entry: Entry::TokenOrBearer,
        ..dialer(
            "/service/sms/message/v2/send",
            "send a short message",
            send_message,
        )
    },
    Route {
        family: Family::Process,
        entry: Entry::Open,
        ..dialer(
            "/api/v1/process/queryTaskQian",
            "who has read a task of approval",
            read_by,
        )
    },
];

const fn dialer(
    path: &'static str,
    about: &'static str,
    answer: fn(&mut State, &Ask<'_>) -> Outcome,
) -> Route {
    Route {
        method: "POST",
        path,
        about,
        known: Known::Observed,
        family: Family::Callcenter,
        entry: Entry::Dialer,
        sink: false,
        answer,
    }
}

fn create(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let mut fields = ask.object()?;
    let name = fields.text("taskName")?.to_owned();
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Err(Refusal::business(10_518, "bad task name"));
    }
    if state.dials.newest().any(|(_, task)| task.name == name) {
        return Err(Refusal::business(10_508, "duplicate task name"));
    }
    if fields.optional("groupName").is_none() {
        return Err(Refusal::business(10_512, "groupName empty"));
    }
    let contacts = fields.list("contactList")?.unwrap_or_default();
    if contacts.is_empty() || contacts.len() > ROWS_MAX {
        return Err(Refusal::business(10_505, "contact list empty or too long"));
    }
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for contact in contacts {
        let number = contact
            .get("phoneNumber")
            .unwrap_or(&contact)
            .as_str()
            .unwrap_or_default();
        // The dialer takes a plus sign and at most 14 digits, one fewer than E.164 allows.
        if is_e164(number) && number.len() <= 15 {
            rows.push(state.row(number, contact.as_object().cloned().unwrap_or_default()));
        } else {
            refused.push(contact);
        }
    }
    if rows.is_empty() {
        return Err(Refusal::business(10_510, "bad phone"));
    }
    let id = state.hex(2);
    let made = state.moment();
    state.dials.put(
        id.clone(),
        Job::new(name, "Not Started", made, fields.0),
        rows,
    );
    Ok(Answer::Data(
        json!({ "taskId": id, "errorContactList": refused }),
    ))
}

fn list(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    for field in ["minstarttime", "maxstarttime"] {
        fields.text(field)?;
    }
    let most = fields
        .0
        .get("limit")
        .and_then(Value::as_u64)
        .unwrap_or(PAGE_MAX)
        .min(PAGE_MAX);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let tasks = state.dials.newest().take(most);
    let tasks: Vec<Value> = tasks
        .map(|(id, task)| json!({ "taskId": id, "name": task.name }))
        .collect();
    Ok(Answer::Data(json!({ "list": tasks })))
}

fn detail(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    let id = fields
        .optional("taskId")
        .ok_or(Refusal::business(10_502, "TaskID empty"))?;
    let task = state
        .dials
        .find(id)
        .ok_or(Refusal::business(10_702, "TaskID invalid"))?;
    let number = |name: &str| fields.0.get(name).and_then(Value::as_u64);
    let rows = cloud::rows(
        task,
        number("offset").unwrap_or(0),
        number("limit").unwrap_or(100),
    );
    Ok(Answer::Data(
        json!({ "total": task.rows().len(), "list": rows }),
    ))
}

fn send_message(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let mut fields = ask.object()?;
    let to = fields.list("to")?.unwrap_or_default();
    if to.is_empty() || !to.iter().all(|number| number.as_str().is_some_and(is_e164)) {
        return Err(Refusal::field(
            "to must be an array of E.164 numbers with +",
        ));
    }
    fields.text("message")?;
    fields.text("from")?;
    state.messages = state.messages.saturating_add(1);
    let id = state.hex(2);
    Ok(Answer::Data(json!({ "messageId": id })))
}

fn read_by(_: &mut State, ask: &Ask<'_>) -> Outcome {
    let fields = ask.object()?;
    let trace = fields
        .0
        .get("header")
        .and_then(|header| header.get("traceId"));
    let tenant = if ask.headers.contains_key("tenantId") {
        "present"
    } else {
        "absent"
    };
    Ok(Answer::Data(json!({
        "data": { "read": [], "unRead": [] },
        "msg": format!("tenantId {tenant}"),
        "retcode": 0,
        "traceId": trace.and_then(Value::as_str).unwrap_or_default(),
    })))
}

const ROWS_MAX: usize = 10_000;
const PAGE_MAX: u64 = 1_000;
