//! What a drafted route makes of its own sample, which its example then expects.

use serde_json::{Value, json};

use super::Sample;
use crate::codec::{self, Format, Limits};
use crate::mapping::Document;
use crate::mapping::expr::Halt;
use crate::mapping::function::Moment;
use crate::mapping::path::Fuel;
use crate::route::flow::plan::{NOTHING_SEEN, Planner};
use crate::route::flow::{Action, Flow, Planned, Reply};

/// What comes of a push.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The operations that are called, each with its body.
    pub calls: Vec<(String, Value)>,
    /// The status of the answer.
    pub status: u16,
    /// Its body.
    pub reply: Option<Value>,
}

/// What the route makes of the sample at a moment.
pub fn outcome(flow: &Flow, sample: &Sample, moment: &Moment) -> Result<Outcome, Halt> {
    let mut body = sample.document.clone();
    flow.never
        .iter()
        .for_each(|members| members.remove(&mut body));
    let mut document = Document::default();
    document.put("body", body);
    document.put("settings", json!({ "workflow": "wf-1" }));
    let planner = Planner {
        flow,
        moment,
        seen: &NOTHING_SEEN,
    };
    let mut fuel = Fuel::new(FUEL);
    let (mut calls, reply) = (
        Vec::new(),
        match planner.plan(&mut document, &mut fuel)? {
            Planned::Ends(ended) => ended.reply,
            Planned::Goes(_) => planner.reply("accepted", &document, &mut fuel)?,
        },
    );
    let is_refused = reply
        .as_ref()
        .is_some_and(|reply| !reply.status.is_success());
    for step in flow.steps.iter().filter(|_| !is_refused) {
        let Action::Call {
            operation,
            body: Some(body),
            ..
        } = &step.action
        else {
            continue;
        };
        if let Some(batch) = &step.over {
            let rows = planner
                .value(&batch.rows, &document, &mut fuel)?
                .unwrap_or_default();
            if rows.as_array().is_none_or(Vec::is_empty) {
                continue;
            }
            document.put("chunk", rows);
        }
        let body = planner
            .value(body, &document, &mut fuel)?
            .unwrap_or_default();
        calls.push((operation.clone(), body));
    }
    let reply = reply.unwrap_or_else(|| Reply::plain(http::StatusCode::OK));
    let format = if sample.format == Format::Xml {
        Format::Xml
    } else {
        Format::Json
    };
    Ok(Outcome {
        calls,
        status: reply.status.as_u16(),
        reply: codec::decode(format, None, None, &reply.body, &Limits::default()).ok(),
    })
}

const FUEL: u64 = 10_000_000;
