//! The answers to a partner's push, in the partner's own shape.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::Inbound;
use super::flow::Reading;
use crate::codec;
use crate::crypto::ProofFailure;
use crate::error::{Failure, NotProven};
use crate::mapping::Moment;
use crate::mapping::expr::Halt;
use crate::mapping::path::Fuel;
use crate::message::Body;
use crate::route::flow::plan::Planner;
use crate::route::flow::{Ended, Reply};
use crate::runner::Running;
use crate::telemetry::Record;

impl Inbound {
    /// What cannot be read is answered in the partner's shape, and stored nowhere.
    pub(super) fn malformed(
        &self,
        running: &Arc<Running>,
        why: &codec::Undecodable,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let mut reading = self.empty(running);
        record.failure = Some("push_malformed");
        record.cause = Some(why.to_string());
        match reading.reply("malformed", record)? {
            Some(reply) => Ok(respond(Some(reply), record)),
            None => Err(Failure::Malformed(why.to_string().into())),
        }
    }

    /// The answer of a route to a sender that is not proved; `None` where it has none.
    pub(super) fn unproved(
        &self,
        running: &Arc<Running>,
        failure: &NotProven,
        record: &mut Record,
    ) -> Option<Response<Body>> {
        let mut reading = self.empty(running);
        let is_stale = matches!(
            failure,
            NotProven::Proof(ProofFailure::Stale | ProofFailure::Future)
        );
        let names: &[&str] = if is_stale {
            &["stale", "unproved"]
        } else {
            &["unproved"]
        };
        let reply = names
            .iter()
            .find_map(|name| reading.reply(name, record).ok().flatten())?;
        record.failure = Some("not_proven");
        record.cause = Some(crate::telemetry::chain(failure));
        Some(once_reply(reply))
    }

    fn empty<'r>(&self, running: &'r Arc<Running>) -> Reading<'r> {
        Reading {
            running,
            document: running.document(),
            moment: Moment::at_ms(self.clock.now_ms()),
            fuel: Fuel::default(),
            sum: [0; 32],
            id: String::new(),
        }
    }
}

impl Reading<'_> {
    /// What cannot be mapped is refused in the partner's shape, with what is missing.
    pub(super) fn halted(
        &mut self,
        halt: &Halt,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        record.failure = Some("push_unmapped");
        record.cause = Some(halt.to_string());
        self.fuel = Fuel::default();
        if let Halt::Missing(place) = halt {
            let place = place.trim_start_matches("$.body.").to_owned();
            let faults = vec![Value::from(format!("{place} is required"))];
            self.document.put("faults", Value::Array(faults));
        }
        for name in ["refused", "malformed"] {
            if let Some(reply) = self.reply(name, record)? {
                return Ok(respond(Some(reply), record));
            }
        }
        Err(Failure::Malformed(halt.to_string().into()))
    }

    /// The answer of a name; one that cannot be made is a failure of ours.
    pub(super) fn reply(&mut self, name: &str, _: &Record) -> Result<Option<Reply>, Failure> {
        let planner = Planner {
            flow: &self.running.flow,
            moment: &self.moment,
            seen: &BTreeSet::new(),
        };
        let shaped = planner.reply(name, &self.document, &mut self.fuel);
        shaped.map_err(|_| Failure::Internal)
    }

    /// A repeat gets what the route says: the first answer again, or one of its own.
    pub(super) fn repeated(
        &mut self,
        answer: &Bytes,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        record.is_repeat = true;
        let once = self.running.flow.once.as_ref();
        if let Some((name, value)) = once.and_then(|once| once.replay.clone()) {
            let mut reply = super::once::decode_reply(answer);
            reply.headers.insert(name, value);
            return Ok(once_reply(reply));
        }
        if let Some(reason) = once.and_then(|once| once.reason.clone()) {
            self.document.put("reason", Value::String(reason));
        }
        for name in ["repeated", "accepted"] {
            if let Some(reply) = self.reply(name, record)? {
                return Ok(once_reply(reply));
            }
        }
        Ok(once_reply(Reply::plain(http::StatusCode::OK)))
    }
}

pub(super) fn answered(ended: Ended, record: &mut Record) -> Response<Body> {
    record.outcome = Some(ended.reason.unwrap_or(ended.name));
    respond(ended.reply, record)
}

pub(super) fn respond(reply: Option<Reply>, record: &mut Record) -> Response<Body> {
    record.outcome.get_or_insert_with(|| "accepted".to_owned());
    once_reply(reply.unwrap_or(Reply::plain(http::StatusCode::OK)))
}

fn once_reply(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::held(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}
