//! The push of a partner: read, mapped, stored once, and answered in the partner's own shape.
//!
//! [`Inbound::take`] goes on where [`Inbound::accept`] has proved and opened the push. The sender is
//! answered when the push is stored, or when the steps of its route are done, as the route says;
//! in both cases mark and push are stored first, so that nothing takes effect twice and nothing is
//! lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{answered, respond};
use super::{Inbound, Push};
use crate::codec::{self, Format, Limits};
use crate::crypto::{Proven, hex, sha256};
use crate::delivery::{Waited, look_up};
use crate::error::Failure;
use crate::mapping::expr::Halt;
use crate::mapping::function::Moment;
use crate::mapping::path::Fuel;
use crate::mapping::{Document, Snapshot};
use crate::message::{Body, RequestId};
use crate::route::Flow;
use crate::route::flow::plan::{Ask, Claimed, Plan, Planned, Planner};
use crate::route::flow::{Begins, Claim, Listen, Reply, When};
use crate::runner::{Job, Progress, RunEnd, Running};
use crate::store::{DeliveryId, Duty, Enqueued, Event, Keep, Mark, Queue as _, StoreFailure};
use crate::telemetry::{Record, Stage};

/// A push of a route, read.
pub(super) struct Reading<'r> {
    pub(super) running: &'r Arc<Running>,
    pub(super) document: Document,
    pub(super) moment: Moment,
    pub(super) fuel: Fuel,
    /// SHA-256 of the raw body.
    pub(super) sum: [u8; 32],
    pub(super) id: String,
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

        // read: whatever it says of itself, it is read as the route says.
        let mut reading = match self.decode((running, listen), &head, &body) {
            Ok(reading) => reading,
            Err(why) => return self.malformed(running, &why, record),
        };
        record.event = Some(reading.id.clone());
        if let Some(drift) = self.drifts.get(&running.flow.name) {
            super::drift::tell(&running.flow.name, &drift.look(&reading.document));
        }
        self.load(&mut reading).await?;
        self.record_push(&reading).await;
        record.timing.mark(Stage::Read);

        // map: pure. Items that were seen before are known only when their marks are, so that it
        // may be done a second time.
        let mut seen = BTreeSet::new();
        loop {
            let planned = self.plan(&mut reading, &mut seen).await;
            let plan = match planned? {
                Err(halt) => return reading.halted(&halt, record),
                Ok(Planned::Ends(ended)) => {
                    record.timing.mark(Stage::Map);
                    return Ok(answered(*ended, record));
                }
                Ok(Planned::Goes(plan)) => plan,
            };
            record.timing.mark(Stage::Map);

            // store: marks, what is kept and what is owed, in one act.
            record
                .begun
                .store(true, std::sync::atomic::Ordering::Release);
            let accepted = reading.reply("accepted", record)?;
            let event = self.flow_event(&reading, &plan, accepted.as_ref());
            let is_nothing_owed = event.duties.is_empty();
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
                    return Ok(respond(accepted, record));
                }
                Enqueued::Repeated { marks, answer } => {
                    let claims: Vec<&Claim> =
                        marks.iter().filter_map(|at| plan.claims.get(*at)).collect();
                    if claims.iter().any(|claim| claim.of == Claimed::Push) {
                        return reading.repeated(&answer, record);
                    }
                    // Another push was faster with some of the items, or was counted: map again.
                    seen.extend(claims.into_iter().map(Claim::ask));
                }
                Enqueued::Conflict { .. } => {
                    let reply = reading.reply("conflict", record)?;
                    let reply = reply.ok_or(Failure::PushConflict)?;
                    return Ok(respond(Some(reply), record));
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
        listen.proof.remove_keys(&mut read);
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
        document.put("headers", headers(&head.headers, &running.flow));
        document.put(
            "push",
            json!({
                "id": id,
                "sha256": hex(&sum),
                "received": moment.text(),
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
            let Reading {
                document,
                moment,
                fuel,
                ..
            } = reading;
            let (now_ms, looked) = (self.clock.now_ms(), (&flow, load));
            let found = look_up(
                self.store.as_ref(),
                now_ms,
                looked,
                (document, moment, fuel),
            )
            .await;
            if let Some(found) = found.map_err(Failure::Store)? {
                reading.document.put_in("kept", name, found);
            }
        }
        Ok(())
    }

    /// Makes a plan; what it has to know of the store is asked, and where the answer is yes, it is
    /// made again.
    async fn plan(
        &self,
        reading: &mut Reading<'_>,
        seen: &mut BTreeSet<Ask>,
    ) -> Result<Result<Planned, Halt>, Failure> {
        // Only what has limits or items asks the store, and is planned again.
        let flow = &reading.running.flow;
        let may_ask = flow.items.is_some() || !flow.limits.is_empty();
        let before = may_ask.then(|| reading.document.clone());
        let planned = reading.plan(seen);
        let Ok(Planned::Goes(plan)) = &planned else {
            return Ok(planned);
        };
        let yes = self.ask(&plan.asks).await.map_err(Failure::Store)?;
        // A repeat of the push is found, and answered, when it is stored.
        let of_push = plan.claims.iter().find(|claim| claim.of == Claimed::Push);
        let is_repeat = of_push.is_some_and(|claim| yes.contains(&claim.ask()));
        let before_len = seen.len();
        seen.extend(yes);
        let Some(before) = before.filter(|_| !is_repeat && seen.len() > before_len) else {
            return Ok(planned);
        };
        reading.document = before;
        Ok(reading.plan(seen))
    }

    /// What the store answers with yes.
    async fn ask(&self, asks: &[Ask]) -> Result<BTreeSet<Ask>, StoreFailure> {
        let now_ms = self.clock.now_ms();
        let mut marks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut yes = BTreeSet::new();
        for ask in asks {
            match ask {
                Ask::Marked { space, key } => {
                    marks.entry(space).or_default().push(key.clone());
                }
                Ask::Kept { space, key } => {
                    let kept = self.store.kept(space, key, now_ms).await?;
                    yes.extend(kept.map(|_| ask.clone()));
                }
            }
        }
        for (space, keys) in marks {
            let are_marked = self.store.seen(space, &keys, now_ms).await?;
            let marked = keys.into_iter().zip(are_marked).filter(|(_, is)| *is);
            yes.extend(marked.map(|(key, _)| Ask::Marked {
                space: space.to_owned(),
                key,
            }));
        }
        Ok(yes)
    }

    fn flow_event(&self, reading: &Reading<'_>, plan: &Plan, accepted: Option<&Reply>) -> Event {
        let flow = &reading.running.flow;
        let now_ms = self.clock.now_ms();
        let after = |window: Duration| {
            let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
            now_ms.saturating_add(window)
        };
        let has_steps = !flow.steps.is_empty()
            || flow
                .items
                .as_ref()
                .is_some_and(|items| !items.steps.is_empty());
        let has_work = flow.items.is_none() || !plan.work.is_empty();
        let is_waited_for = flow.answer == When::Done;
        let duty = (has_steps && has_work).then(|| Duty {
            target: flow.target(),
            order: plan.order.clone(),
            due_ms: plan.held_until_ms.unwrap_or(now_ms).max(now_ms),
            is_once: reading.running.is_once,
            leased_until_ms: is_waited_for.then(|| after(flow.budget + LEASE_MARGIN)),
        });
        let marks = plan.claims.iter().map(|claim| Mark {
            space: claim.space.clone(),
            key: claim.key.clone(),
            digest: if claim.is_strict {
                reading.sum
            } else {
                sha256(claim.key.as_bytes())
            },
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
            body: owed(&reading.document, &plan.work),
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
        // steps: while the sender waits.
        let ended = self.runner.run(&mut job).await;
        record.timing.mark(Stage::Steps);
        let waited = Waited {
            id,
            running: reading.running,
            progress: &job.progress,
        };
        waited
            .settle(self.store.as_ref(), &self.clock, &ended)
            .await;
        reading.document = job.document;
        match ended {
            RunEnd::Done(Some(ended)) => Ok(answered(*ended, record)),
            RunEnd::Done(None) => {
                let reply = reading.reply("accepted", record)?;
                Ok(respond(reply, record))
            }
            RunEnd::Failed(failed) => {
                record.failure = Some("step_failed");
                record.cause = Some(failed.told());
                match reading.reply("failed", record)? {
                    Some(reply) => Ok(respond(Some(reply), record)),
                    None => Err(Failure::Step),
                }
            }
        }
    }
}

impl Reading<'_> {
    fn plan(&mut self, seen: &BTreeSet<Ask>) -> Result<Planned, Halt> {
        let flow = Arc::clone(&self.running.flow);
        let planner = Planner {
            flow: &flow,
            moment: &self.moment,
            seen,
        };
        planner.plan(&mut self.document, &mut self.fuel)
    }
}

/// The headers that the route reads, by name; one that came several times is a list. No others are
/// looked at or stored: they may be what proves the sender.
fn headers(headers: &HeaderMap, flow: &Flow) -> Value {
    let read = flow.headers.iter().filter_map(|name| {
        let values = headers.get_all(name).iter();
        let mut values: Vec<Value> = values
            .filter_map(|value| value.to_str().ok().map(Value::from))
            .collect();
        let value = match values.len() {
            0 => return None,
            1 => values.pop().unwrap_or_default(),
            _ => Value::Array(values),
        };
        Some((name.clone(), value))
    });
    Value::Object(read.collect())
}

/// What the steps of a push need, when it is worked on later: `delivery::flow` reads it.
fn owed(document: &Document, work: &[Value]) -> Bytes {
    #[derive(Serialize)]
    struct Owed<'a> {
        document: Snapshot<'a>,
        work: &'a [Value],
    }
    let document = document.snapshot();
    // What is made of JSON values can always be written.
    let written = serde_json::to_vec(&Owed { document, work });
    written.unwrap_or_default().into()
}

/// Where records of consent are kept.
pub const CONSENT: &str = "consent";
/// The longest time in which consent is asked about: four years of the United States' TCPA, and one.
const CONSENT_KEPT: Duration = Duration::from_hours(5 * 366 * 24);
/// A lease must not run out while its steps may still be under way.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
