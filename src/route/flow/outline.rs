//! What a route makes of a push, as one document: how it ends, what is called, what is answered.
//!
//! Calls that need the reply of an earlier step are outlined without it. This is what two versions
//! of a route are compared by.

use serde_json::{Map, Value, json};

use super::plan::{Planned, Planner};
use super::{Action, Flow, Reply, Step};
use crate::codec::{self, Format, Limits};
use crate::mapping::Document;
use crate::mapping::expr::Expr;
use crate::mapping::path::{Fuel, Root as _};

/// Outlines a push. The document is left as the plan left it.
pub fn outline(planner: &Planner<'_>, document: &mut Document) -> Value {
    let flow = planner.flow;
    let planned = planner.plan(document, &mut Fuel::default());
    let mut told = Map::new();
    if let Some(vars) = document.member("vars") {
        told.insert("vars".to_owned(), vars.clone());
    }
    let plan = match planned {
        Err(halt) => {
            told.insert("ends".to_owned(), Value::from(halt.to_string()));
            return Value::Object(told);
        }
        Ok(Planned::Ends(ended)) => {
            let word = ended.reason.unwrap_or(ended.name);
            told.insert("ends".to_owned(), Value::from(word));
            if let Some(reply) = &ended.reply {
                told.insert("reply".to_owned(), reply_value(reply));
            }
            return Value::Object(told);
        }
        Ok(Planned::Goes(plan)) => plan,
    };
    for name in ["rows", "results"] {
        if let Some(value) = document.member(name) {
            told.insert(name.to_owned(), value.clone());
        }
    }
    told.insert("items".to_owned(), Value::from(plan.work));
    told.insert("consents".to_owned(), Value::from(plan.consents));
    let keys: Vec<String> = plan.claims.into_iter().map(|claim| claim.key).collect();
    told.insert("marks".to_owned(), Value::from(keys));
    told.insert(
        "calls".to_owned(),
        Value::from(calls(flow, (planner, document))),
    );
    if let Ok(Some(reply)) = planner.reply("accepted", document, &mut Fuel::default()) {
        told.insert("reply".to_owned(), reply_value(&reply));
    }
    Value::Object(told)
}

/// The calls of the route's own steps; those under `items` are made for each of them.
fn calls(flow: &Flow, (planner, document): (&Planner<'_>, &Document)) -> Vec<Value> {
    let mut all = Vec::new();
    for step in &flow.steps {
        call(step, (planner, document), &mut all);
    }
    all
}

/// The call of a step, and of those inside of it.
pub fn call(step: &Step, (planner, document): (&Planner<'_>, &Document), into: &mut Vec<Value>) {
    let value = |expr: Option<&Expr>| {
        let expr = expr?;
        planner
            .value(expr, document, &mut Fuel::default())
            .ok()
            .flatten()
    };
    match &step.action {
        Action::Call {
            operation,
            query,
            body,
            ..
        } => {
            let mut told = Map::with_capacity(3);
            told.insert("of".to_owned(), Value::from(operation.as_str()));
            told.insert(
                "query".to_owned(),
                value(query.as_ref()).unwrap_or_default(),
            );
            told.insert("body".to_owned(), value(body.as_ref()).unwrap_or_default());
            into.push(Value::Object(told));
        }
        Action::Send(send) => {
            let url = send.url.fill_url(document, &mut Fuel::default());
            into.push(json!({
                "of": step.name,
                "method": send.method.as_str(),
                "url": url.ok().flatten(),
                "body": value(send.body.as_ref().map(|(_, body)| body)),
            }));
        }
        Action::Together(steps) | Action::OfferTo { steps, .. } => {
            for step in steps {
                call(step, (planner, document), into);
            }
        }
    }
}

/// An answer with its body read.
pub fn reply_value(reply: &Reply) -> Value {
    let media = reply.headers.get(http::header::CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok());
    let format = Format::of_media(media);
    let body = codec::decode(format, media, None, &reply.body, &Limits::default());
    json!({ "status": reply.status.as_u16(), "type": media, "body": body.unwrap_or_default() })
}
