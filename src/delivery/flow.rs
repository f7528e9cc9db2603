//! Deliveries that are the steps of a route.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::retry::Retry;
use crate::clock::{Clock, UnixMs};
use crate::mapping::Document;
use crate::mapping::function::Moment;
use crate::mapping::path::Fuel;
use crate::mapping::scalar::as_text;
use crate::route::flow::plan::{NOTHING_SEEN, Planned, Planner};
use crate::route::flow::{Begins, Load};
use crate::runner::{Failed, Job, Progress, RunEnd, Runner, Running};
use crate::store::{DeliveryId, Keep, Lease, Queue, Reason, Settlement, StoreFailure};
use crate::telemetry::AttemptRecord;

/// A route as the target of deliveries.
#[derive(Clone)]
pub struct RouteTarget {
    /// The route.
    pub running: Arc<Running>,
    /// What makes its steps.
    pub runner: Arc<Runner>,
}

/// Makes the steps that are owed, and says how the delivery goes on.
pub(super) async fn attempt<Q: Queue>(
    route: &RouteTarget,
    lease: &Lease,
    (retry, store, clock): (&Retry, &Q, &Clock),
    record: &mut AttemptRecord,
) -> Settlement {
    let (running, runner) = (&route.running, &route.runner);
    let mut job = Job {
        running,
        document: running.document(),
        work: Vec::new(),
        progress: Progress::read(lease.progress.as_ref()),
        deadline: Instant::now() + running.flow.budget,
        is_waited_for: false,
    };
    let moment = runner.moment();
    let ended = match begin(&mut job, lease, (store, clock, &moment)).await {
        Ok(true) => runner.run(&mut job).await,
        Ok(false) => RunEnd::Done(None),
        Err(failed) => RunEnd::Failed(failed),
    };
    if let Some(result) = &running.flow.result {
        let planner = planner(running, &moment);
        let told = planner.value(result, &job.document, &mut Fuel::default());
        let told = told.ok().flatten();
        if let (Some(witness), Some(told)) = (&runner.witness, &told) {
            witness.note(told.clone());
        }
        record.result = told.map(|told| told.to_string());
    }
    if let RunEnd::Failed(failed) = &ended {
        record.cause = Some(failed.told());
        record.status = failed.status;
    }
    let times = (lease.received_ms, clock.now_ms());
    let due = |asked| retry.due(lease.attempt, asked, times);
    settlement(&ended, &job.progress, due)
}

/// Puts in what the steps look at: `false` where a check ended the event.
async fn begin<Q: Queue>(
    job: &mut Job<'_>,
    lease: &Lease,
    (store, clock, moment): (&Q, &Clock, &Moment),
) -> Result<bool, Failed> {
    let unreadable = || Failed::wrong("event", "event_unreadable", None);
    let mut kept: Value = serde_json::from_slice(&lease.body).map_err(|_| unreadable())?;
    let running = job.running;
    if matches!(running.flow.begins, Begins::Listen(_)) {
        let document = kept.get_mut("document").map(Value::take);
        job.document.restore(document.unwrap_or_default());
        if let Some(Value::Array(work)) = kept.get_mut("work").map(Value::take) {
            job.work = work;
        }
        return Ok(true);
    }
    job.document.put("event", kept);
    let mut fuel = Fuel::default();
    for (name, load) in &running.flow.load {
        let looked = (&running.flow, load);
        let found = look_up(
            store,
            clock.now_ms(),
            looked,
            (&job.document, moment, &mut fuel),
        )
        .await;
        let found = found.map_err(|failure| Failed::passing("load", "store", &failure))?;
        if let Some(found) = found {
            job.document.put_in("kept", name, found);
        }
    }
    let planned = planner(running, moment).plan(&mut job.document, &mut fuel);
    let plan = match planned {
        Ok(Planned::Ends(_)) => return Ok(false),
        Ok(Planned::Goes(plan)) => plan,
        Err(halt) => {
            return Err(Failed::wrong(
                "mapping",
                "mapping_failed",
                Some(halt.to_string()),
            ));
        }
    };
    for (space, key, value, window) in plan.keeps {
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let keep = Keep {
            space,
            key,
            value: value.to_string().into(),
            until_ms: clock.now_ms().saturating_add(window),
        };
        let stored = store.keep(keep, clock.now_ms()).await;
        stored.map_err(|failure| Failed::passing("keep", "store", &failure))?;
    }
    job.work = plan.work;
    Ok(true)
}

/// Finds what an earlier push kept, or counts.
pub(crate) async fn look_up<Q: Queue>(
    store: &Q,
    now_ms: UnixMs,
    (flow, load): (&Arc<crate::route::Flow>, &Load),
    (document, moment, fuel): (&Document, &Moment, &mut Fuel),
) -> Result<Option<Value>, StoreFailure> {
    match load {
        Load::Counter(name) => {
            let key = format!("{}/{name}", flow.name);
            let counted = store.tally(COUNTERS, &key, i64::MAX, now_ms).await?;
            Ok(Some(counted.into()))
        }
        Load::Kept { space, key } => {
            let planner = Planner {
                flow,
                moment,
                seen: &NOTHING_SEEN,
            };
            let key = planner.value(key, document, fuel).ok().flatten();
            let Some(key) = key.as_ref().and_then(as_text) else {
                return Ok(None);
            };
            let kept = store.kept(space, &key, now_ms).await?;
            Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()))
        }
    }
}

fn planner<'p>(running: &'p Running, moment: &'p Moment) -> Planner<'p> {
    Planner {
        flow: &running.flow,
        moment,
        seen: &NOTHING_SEEN,
    }
}

/// How a delivery goes on after its steps.
fn settlement(
    ended: &RunEnd,
    progress: &Progress,
    due: impl Fn(Option<std::time::Duration>) -> Option<UnixMs>,
) -> Settlement {
    let failed = match ended {
        RunEnd::Done(_) => return Settlement::Done,
        RunEnd::Failed(failed) => failed,
    };
    let reason = failed.reason();
    let progress = (!progress.is_empty()).then(|| progress.write());
    if failed.is_unknown {
        return Settlement::Unknown { reason, progress };
    }
    match due(failed.wait).filter(|_| failed.is_passing) {
        Some(due_ms) => Settlement::Retry {
            due_ms,
            reason,
            progress,
        },
        None => Settlement::Bury { reason, progress },
    }
}

/// The attempt of a sender that waited.
pub(crate) struct Waited<'w> {
    /// The delivery.
    pub(crate) id: DeliveryId,
    /// The route.
    pub(crate) running: &'w Running,
    /// What was done.
    pub(crate) progress: &'w Progress,
}

impl Waited<'_> {
    /// Settles it. A failure that left nothing behind is withdrawn: the sender is told, and comes
    /// again. Where something has taken effect already, the rest is made later, and the sender that
    /// comes again is a repeat.
    pub(crate) async fn settle<Q: Queue>(&self, store: &Q, clock: &Clock, ended: &RunEnd) {
        let now_ms = clock.now_ms();
        let left_nothing = self.progress.is_empty() || !self.running.is_once;
        let settlement = match ended {
            RunEnd::Failed(failed) if !failed.is_unknown && left_nothing => Settlement::Withdraw,
            _ => settlement(ended, self.progress, |_| {
                Some(now_ms.saturating_add(AGAIN_MS))
            }),
        };
        if let Err(failure) = store.settle(self.id, 1, settlement, now_ms).await {
            tracing::error!(route = self.running.flow.name, %failure, "not settled: the lease runs out");
        }
    }
}

impl Failed {
    /// For the log: where, what and why.
    pub(crate) fn told(&self) -> String {
        let cause = self
            .cause
            .as_deref()
            .map_or_else(String::new, |cause| format!(": {cause}"));
        format!("step {}: {}{cause}", self.step, self.class)
    }

    fn reason(&self) -> Reason {
        Reason {
            class: self.class.clone(),
            status: self.status,
        }
    }
}

/// Where numbers are counted that are one greater each time.
const COUNTERS: &str = "counters";
/// When the rest of a push is made whose sender was told that it failed, in milliseconds.
const AGAIN_MS: i64 = 5_000;
