//! The push of a partner: read, mapped, stored once, and answered in the partner's own shape.
//!
//! [`Inbound::take`] goes on where [`Inbound::accept`] has proved and opened the push. The sender is
//! answered when the push is stored, or when the steps of its route are done, as the route says;
//! in both cases mark and push are stored first, so that nothing takes effect twice and nothing is
//! lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Inbound, Push};
use crate::codec::{self, Format, Limits};
use crate::crypto::{Proven, hex, sha256};
use crate::delivery::{Waited, look_up};
use crate::error::{Failure, NotProven};
use crate::crypto::ProofFailure;
use crate::mapping::Document;
use crate::mapping::expr::Halt;
use crate::mapping::function::Moment;
use crate::mapping::path::Fuel;
use crate::message::{Body, RequestId};
use crate::route::flow::plan::{Plan, Planned, Planner, instant};
use crate::route::flow::{Begins, Claim, Ended, Listen, Reply, When};
use crate::runner::{Job, Progress, RunEnd, Running};
use crate::store::{DeliveryId, Duty, Enqueued, Event, Keep, Mark, Queue as _};
use crate::telemetry::{Record, Stage};

/// A push of a route, read.
struct Reading<'r> {
    running: &'r Arc<Running>,
    document: Document,
    moment: Moment,
    fuel: Fuel,
    /// SHA-256 of the raw body.
    sum: [u8; 32],
    id: String,
}

impl Inbound {
    /// Takes the push of a partner to its end.
    pub(super) async fn take(
        &self,
        running: &Arc<Running>,
        push: Proven<Push>,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let Push { head, body } = push.into_inner();
        let Begins::Listen(listen) = &running.flow.begins else {
            return Err(Failure::NoHook);
        };

        // decode: whatever it says of itself, it is read as the route says.
        let mut reading = match self.decode((running, listen), &head, &body) {
            Ok(reading) => reading,
            Err(why) => return self.malformed(running, &why, record),
        };
        record.event = Some(reading.id.clone());
        if let Some(drift) = self.drifts.get(&running.flow.name) {
            super::drift::tell(&running.flow.name, &drift.look(&reading.document));
        }
        self.load(&mut reading).await?;
        record.timing.mark(Stage::Read);

        // map: pure. Items that were seen before are known only when their marks are, so that it
        // may be done a second time.
        let mut seen = BTreeSet::new();
        loop {
            let planned = self.plan(&mut reading, &mut seen).await;
            let plan = match planned? {
                Err(halt) => return self.halted(&mut reading, &halt, record),
                Ok(Planned::Ends(ended)) => {
                    record.timing.mark(Stage::Map);
                    return answered(ended, record);
                }
                Ok(Planned::Goes(plan)) => plan,
            };
            record.timing.mark(Stage::Map);

            // store: marks, what is kept and what is owed, in one act.
            record.begun.store(true, std::sync::atomic::Ordering::Release);
            let accepted = reading.reply("accepted", record)?;
            let event = self.flow_event(&reading, &plan, accepted.as_ref());
            let is_nothing_owed = event.duties.is_empty();
            let keys: Vec<String> = plan.claims.iter().map(|claim| claim.key.clone()).collect();
            let stored = self.store.enqueue(event, self.clock.now_ms()).await;
            record.timing.mark(Stage::Store);
            self.trouble.note(stored.as_ref().err());
            match stored.map_err(Failure::Store)? {
                Enqueued::Stored { leased } => {
                    if let Some(leased) = leased.first() {
                        return self.wait_for_steps(reading, plan, leased.id, record).await;
                    }
                    if !is_nothing_owed
                        && let Some(target) = self.delivery.target(&running.flow.target())
                    {
                        target.ring();
                    }
                    return respond(accepted, record);
                }
                Enqueued::Repeated { marks, answer } => {
                    let of_items: Vec<&Claim> = marks
                        .iter()
                        .filter_map(|at| plan.claims.get(*at))
                        .filter(|claim| claim.is_item)
                        .collect();
                    if of_items.len() == marks.len() {
                        // Another push was faster with some of the items: map without them.
                        seen.extend(marks.iter().filter_map(|at| keys.get(*at).cloned()));
                        continue;
                    }
                    return reading.repeated(&answer, record);
                }
                Enqueued::Conflict { .. } => {
                    return match reading.reply("conflict", record)? {
                        Some(reply) => respond(Some(reply), record),
                        None => Err(Failure::PushConflict),
                    };
                }
            }
        }
    }

    fn decode<'r>(
        &self,
        (running, listen): (&'r Arc<Running>, &Listen),
        head: &Parts,
        body: &Bytes,
    ) -> Result<Reading<'r>, codec::Undecodable> {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let limits = Limits {
            bytes_max: self.body_bytes_max,
            ..Limits::default()
        };
        let coding = text(http::header::CONTENT_ENCODING);
        let mut read = codec::decode(listen.format, text(CONTENT_TYPE), coding, body, &limits)?;
        for never in &running.flow.never {
            never.remove(&mut read);
        }
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let query = codec::decode(Format::Form, None, None, query, &limits)?;
        let id = format!("evt_{}", RequestId::fresh());
        let sum = sha256(body);
        let now_ms = self.clock.now_ms();
        let moment = Moment::at_ms(now_ms);
        let mut document = running.document();
        document.put("body", read);
        document.put("query", query);
        document.put("headers", headers(&head.headers));
        document.put(
            "push",
            json!({
                "id": id,
                "sha256": hex(&sum),
                "received": instant(moment.now),
                "path": head.uri.path(),
            }),
        );
        Ok(Reading {
            running,
            document,
            moment,
            fuel: Fuel::default(),
            sum,
            id,
        })
    }

    /// Looks up what earlier pushes kept.
    async fn load(&self, reading: &mut Reading<'_>) -> Result<(), Failure> {
        let flow = Arc::clone(&reading.running.flow);
        for (name, load) in &flow.load {
            let Reading { document, moment, fuel, .. } = reading;
            let (now_ms, looked) = (self.clock.now_ms(), (&flow, load));
            let found = look_up(self.store.as_ref(), now_ms, looked, (document, moment, fuel)).await;
            if let Some(found) = found.map_err(Failure::Store)? {
                reading.document.put_in("kept", name, found);
            }
        }
        Ok(())
    }

    /// Makes a plan; items are looked up among those that were seen.
    async fn plan(
        &self,
        reading: &mut Reading<'_>,
        seen: &mut BTreeSet<String>,
    ) -> Result<Result<Planned, Halt>, Failure> {
        let flow = Arc::clone(&reading.running.flow);
        let mut before = reading.document.clone();
        let planned = reading.plan(seen);
        let keys: Vec<String> = match &planned {
            Ok(Planned::Goes(plan)) => plan
                .claims
                .iter()
                .filter(|claim| claim.is_item)
                .map(|claim| claim.key.clone())
                .collect(),
            _ => Vec::new(),
        };
        if keys.is_empty() {
            return Ok(planned);
        }
        let now_ms = self.clock.now_ms();
        let were_seen = self.store.seen(&flow.name, &keys, now_ms).await;
        let were_seen = were_seen.map_err(Failure::Store)?;
        let again = keys.into_iter().zip(were_seen).filter(|(_, was)| *was);
        let before_len = seen.len();
        seen.extend(again.map(|(key, _)| key));
        if seen.len() == before_len {
            return Ok(planned);
        }
        std::mem::swap(&mut before, &mut reading.document);
        Ok(reading.plan(seen))
    }

    fn flow_event(&self, reading: &Reading<'_>, plan: &Plan, accepted: Option<&Reply>) -> Event {
        let flow = &reading.running.flow;
        let now_ms = self.clock.now_ms();
        let after = |window: Duration| {
            let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
            now_ms.saturating_add(window)
        };
        let has_steps = !flow.steps.is_empty()
            || flow.items.as_ref().is_some_and(|items| !items.steps.is_empty());
        let has_work = flow.items.is_none() || !plan.work.is_empty();
        let is_waited_for = flow.answer == When::Done;
        let held_ms = plan.held_until.map(jiff::Timestamp::as_millisecond);
        let duty = (has_steps && has_work).then(|| Duty {
            target: flow.target(),
            order: plan.order.clone(),
            due_ms: held_ms.unwrap_or(now_ms).max(now_ms),
            is_once: reading.running.is_once,
            leased_until_ms: is_waited_for.then(|| after(flow.budget + LEASE_MARGIN)),
        });
        let marks = plan.claims.iter().map(|claim| Mark {
            key: claim.key.clone(),
            digest: if claim.is_strict { reading.sum } else { sha256(claim.key.as_bytes()) },
            answer: accepted.map_or_else(Bytes::new, super::once::encode_reply),
            until_ms: after(claim.window),
            after_success: true,
        });
        let kept = plan.keeps.iter().map(|(space, key, value, window)| Keep {
            space: space.clone(),
            key: key.clone(),
            value: value.to_string().into(),
            until_ms: after(*window),
        });
        let consents = plan.consents.iter().enumerate().map(|(at, record)| Keep {
            space: CONSENT.to_owned(),
            key: format!("{}/{}/{at}", flow.name, reading.id),
            value: record.to_string().into(),
            until_ms: after(CONSENT_KEPT),
        });
        Event {
            id: reading.id.clone(),
            route: flow.name.clone(),
            marks: marks.collect(),
            keeps: kept.chain(consents).collect(),
            content_type: "application/json".to_owned(),
            body: json!({ "document": reading.document.snapshot(), "work": plan.work })
                .to_string()
                .into(),
            received_ms: now_ms,
            duties: duty.into_iter().collect(),
        }
    }

    /// Makes the steps while the sender waits, and answers with how they ended.
    async fn wait_for_steps(
        &self,
        mut reading: Reading<'_>,
        plan: Plan,
        id: DeliveryId,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let mut job = Job {
            running: reading.running,
            document: std::mem::take(&mut reading.document),
            work: plan.work,
            progress: Progress::default(),
            deadline: Instant::now() + reading.running.flow.budget,
            is_waited_for: true,
        };
        let ended = self.runner.run(&mut job).await;
        record.timing.mark(Stage::Steps);
        let waited = Waited {
            id,
            running: reading.running,
            progress: &job.progress,
        };
        waited.settle(self.store.as_ref(), &self.clock, &ended).await;
        reading.document = job.document;
        match ended {
            RunEnd::Done(Some(ended)) => answered(ended, record),
            RunEnd::Done(None) => {
                let reply = reading.reply("accepted", record)?;
                respond(reply, record)
            }
            RunEnd::Failed(failed) => {
                record.failure = Some("step_failed");
                record.cause = Some(failed.told());
                match reading.reply("failed", record)? {
                    Some(reply) => respond(Some(reply), record),
                    None => Err(Failure::Step),
                }
            }
        }
    }

    /// What cannot be read is answered in the partner's shape, and stored nowhere.
    fn malformed(
        &self,
        running: &Arc<Running>,
        why: &codec::Undecodable,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let mut reading = self.empty(running);
        record.failure = Some("push_malformed");
        record.cause = Some(why.to_string());
        match reading.reply("malformed", record)? {
            Some(reply) => respond(Some(reply), record),
            None => Err(Failure::Malformed(why.to_string().into())),
        }
    }

    /// What cannot be mapped is refused in the partner's shape, with what is missing.
    fn halted(
        &self,
        reading: &mut Reading<'_>,
        halt: &Halt,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        record.failure = Some("push_unmapped");
        record.cause = Some(halt.to_string());
        reading.fuel = Fuel::default();
        if let Halt::Missing(place) = halt {
            let place = place.trim_start_matches("$.body.").to_owned();
            let faults = vec![Value::from(format!("{place} is required"))];
            reading.document.put("faults", Value::Array(faults));
        }
        for name in ["refused", "malformed"] {
            if let Some(reply) = reading.reply(name, record)? {
                return respond(Some(reply), record);
            }
        }
        Err(Failure::Malformed(halt.to_string().into()))
    }

    /// The answer of a route to a sender that is not proved; `None` where it has none.
    pub(super) fn unproved(
        &self,
        running: &Arc<Running>,
        failure: &NotProven,
        record: &mut Record,
    ) -> Option<Response<Body>> {
        let mut reading = self.empty(running);
        let is_stale = matches!(failure, NotProven::Proof(ProofFailure::Stale | ProofFailure::Future));
        let names: &[&str] = if is_stale { &["stale", "unproved"] } else { &["unproved"] };
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
    fn plan(&mut self, seen: &BTreeSet<String>) -> Result<Planned, Halt> {
        let flow = Arc::clone(&self.running.flow);
        let planner = Planner {
            flow: &flow,
            moment: &self.moment,
            seen,
        };
        planner.plan(&mut self.document, &mut self.fuel)
    }

    /// The answer of a name; one that cannot be made is a failure of ours.
    fn reply(&mut self, name: &str, _: &Record) -> Result<Option<Reply>, Failure> {
        let planner = Planner {
            flow: &self.running.flow,
            moment: &self.moment,
            seen: &BTreeSet::new(),
        };
        let shaped = planner.reply(name, &self.document, &mut self.fuel);
        shaped.map_err(|_| Failure::Internal)
    }

    /// A repeat gets what the route says: the first answer again, or one of its own.
    fn repeated(
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

/// The headers by name; one that came several times is a list.
fn headers(headers: &HeaderMap) -> Value {
    let name = |name: &http::HeaderName| name.as_str().to_owned();
    let all = headers.keys().map(|key| {
        let values = headers.get_all(key).iter();
        let mut values: Vec<Value> = values
            .filter_map(|value| value.to_str().ok().map(Value::from))
            .collect();
        let value = if values.len() == 1 {
            values.pop().unwrap_or_default()
        } else {
            Value::Array(values)
        };
        (name(key), value)
    });
    Value::Object(all.collect())
}

fn answered(ended: Ended, record: &mut Record) -> Result<Response<Body>, Failure> {
    record.outcome = Some(ended.reason.unwrap_or(ended.name));
    respond(ended.reply, record)
}

fn respond(reply: Option<Reply>, record: &mut Record) -> Result<Response<Body>, Failure> {
    record.outcome.get_or_insert_with(|| "accepted".to_owned());
    Ok(once_reply(reply.unwrap_or(Reply::plain(http::StatusCode::OK))))
}

fn once_reply(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::held(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Where records of consent are kept.
pub const CONSENT: &str = "consent";
/// The longest time in which consent is asked about: four years of the United States' TCPA, and one.
const CONSENT_KEPT: Duration = Duration::from_hours(5 * 366 * 24);
/// A lease must not run out while its steps may still be under way.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
