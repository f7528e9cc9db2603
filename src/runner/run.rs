//! The steps of a route, one after the other.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::brought::{Brought, Failure, State};
use super::call::{Prepared, Unready};
use super::{Job, Runner};
use crate::mapping::expr::Halt;
use crate::mapping::function::Moment;
use crate::mapping::path::Fuel;
use crate::route::flow::plan::{NOTHING_SEEN, Planner};
use crate::route::flow::{Action, Batch, Ended, Step};

/// How the steps ended.
#[derive(Debug)]
pub enum RunEnd {
    /// They are done, or a check ended them.
    Done(Option<Box<Ended>>),
    /// One of them failed.
    Failed(Failed),
}

/// A step failed, and the route does not go on without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Which.
    pub step: String,
    /// A stable word for what happened.
    pub class: String,
    /// The status, where there was one.
    pub status: Option<u16>,
    /// Trying again may help.
    pub is_passing: bool,
    /// It may have taken effect.
    pub is_unknown: bool,
    /// The other side asks to wait so long.
    pub wait: Option<Duration>,
    /// What happened, with its causes.
    pub cause: Option<String>,
}

/// Why steps stopped.
enum Stop {
    Ended(Box<Ended>),
    Failed(Box<Failed>),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Failed(Box::new(Failed::wrong(
            "mapping",
            "mapping_failed",
            Some(halt.to_string()),
        )))
    }
}

type Stepped = Result<(), Stop>;

/// One run.
struct Run<'r, 'j> {
    runner: &'r Runner,
    job: &'r mut Job<'j>,
    moment: Moment,
    fuel: Fuel,
}

impl Runner {
    /// Makes the steps of a job. What was done stands in its progress, however it ended.
    pub async fn run(&self, job: &mut Job<'_>) -> RunEnd {
        let mut run = Run {
            runner: self,
            moment: self.moment(),
            fuel: Fuel::default(),
            job,
        };
        match run.all().await {
            Ok(()) => RunEnd::Done(None),
            Err(Stop::Ended(ended)) => RunEnd::Done(Some(ended)),
            Err(Stop::Failed(failed)) => RunEnd::Failed(*failed),
        }
    }
}

impl Run<'_, '_> {
    async fn all(&mut self) -> Stepped {
        let flow = std::sync::Arc::clone(&self.job.running.flow);
        if let Some(items) = flow.items.as_ref().filter(|items| !items.steps.is_empty()) {
            let of_route = self.job.document.take("vars").unwrap_or_default();
            for (at, mut item) in self.job.work.clone().into_iter().enumerate() {
                let document = &mut self.job.document;
                document.put(
                    "item",
                    item.get_mut("item").map(Value::take).unwrap_or_default(),
                );
                document.put(
                    "vars",
                    item.get_mut("vars").map(Value::take).unwrap_or_default(),
                );
                document.take("steps");
                self.steps(&items.steps, &format!("{at}/")).await?;
            }
            self.job.document.take("item");
            self.job.document.put("vars", of_route);
        }
        self.steps(&flow.steps, "").await
    }

    async fn steps(&mut self, steps: &[Step], prefix: &str) -> Stepped {
        for step in steps {
            // Boxed, because steps may hold steps.
            Box::pin(self.step(step, prefix)).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, prefix: &str) -> Stepped {
        if !self.is_made(step)? {
            let skipped = Brought::nothing(State::Skipped, None);
            self.job
                .document
                .put_in("steps", &step.name, skipped.into_value());
            return Ok(());
        }
        step.line.touch();
        match (&step.action, &step.over) {
            (Action::Together(steps), _) => self.together(steps, prefix).await,
            (
                Action::OfferTo {
                    candidates,
                    max,
                    steps,
                },
                _,
            ) => {
                let planner = planner(self.job, &self.moment);
                let given = planner.value(candidates, &self.job.document, &mut self.fuel)?;
                self.offer((step, steps), (given, *max), prefix).await
            }
            (_, Some(batch)) => self.batch(step, batch, prefix).await,
            (_, None) => self.single(step, &format!("{prefix}{}", step.name)).await,
        }
    }

    fn is_made(&mut self, step: &Step) -> Result<bool, Halt> {
        let Some(when) = &step.when else {
            return Ok(true);
        };
        let planner = planner(self.job, &self.moment);
        when.holds(&planner.means(&self.job.document), &mut self.fuel)
    }

    /// A step that is one call, unless an earlier try has made it.
    async fn single(&mut self, step: &Step, place: &str) -> Stepped {
        if let Some(done) = self.job.progress.get(place).cloned() {
            return self.known(step, done);
        }
        let brought = match self.prepare(step)? {
            Err(wrong) => wrong,
            Ok(prepared) => send(self.runner, step, &prepared, self.job).await,
        };
        self.absorb(step, brought, place).await
    }

    /// Puts back what an earlier try brought.
    fn known(&mut self, step: &Step, done: Value) -> Stepped {
        self.job.document.put_in("steps", &step.name, done);
        self.take_out(step)?;
        Ok(())
    }

    /// Makes a call ready; what cannot be made ready has failed already.
    fn prepare(&mut self, step: &Step) -> Result<Result<Prepared, Brought>, Stop> {
        let planner = planner(self.job, &self.moment);
        let means = planner.means(&self.job.document);
        let prepared = self
            .runner
            .prepare(step, self.job.running, &means, &mut self.fuel);
        let class = match prepared {
            Ok(Some(prepared)) => return Ok(Ok(prepared)),
            Ok(None) => "nothing_to_call",
            Err(Unready::Halt(halt)) => return Err(halt.into()),
            Err(Unready::Wrong(class)) => class,
        };
        let mut brought = Brought::nothing(State::Failed, None);
        brought.fail(class, false, false);
        Ok(Err(brought))
    }

    /// Takes in what a step brought: says whether it was good, keeps it, checks it.
    async fn absorb(&mut self, step: &Step, brought: Brought, place: &str) -> Stepped {
        let brought = self.judged(step, brought)?;
        let mut brought = self.reconciled(step, brought).await?;
        let (failure, status) = (brought.failure.take(), brought.status);
        let value = brought.into_value();
        if let Some(failure) = failure {
            self.job.document.put_in("steps", &step.name, value);
            if step.goes_on && !failure.is_unknown {
                return Ok(());
            }
            return Err(Stop::Failed(Box::new(Failed::of(step, &failure, status))));
        }
        self.job.progress.note(place, value.clone());
        self.job.document.put_in("steps", &step.name, value);
        self.take_out(step)?;
        let document = &mut self.job.document;
        let planner = Planner {
            flow: &self.job.running.flow,
            moment: &self.moment,
            seen: &NOTHING_SEEN,
        };
        match planner.checked(&step.checks, document, &mut self.fuel)? {
            Some(ended) => Err(Stop::Ended(ended)),
            None => Ok(()),
        }
    }

    /// A route's own rule for good replies stands above the status.
    fn judged(&mut self, step: &Step, mut brought: Brought) -> Result<Brought, Halt> {
        let (Some(good), Some(_)) = (&step.good, brought.status) else {
            return Ok(brought);
        };
        let before = self.job.document.take_from("steps", &step.name);
        self.job
            .document
            .put_in("steps", &step.name, brought.clone().into_value());
        let planner = planner(self.job, &self.moment);
        let holds = good.holds(&planner.means(&self.job.document), &mut self.fuel)?;
        if let Some(before) = before {
            self.job.document.put_in("steps", &step.name, before);
        }
        if holds {
            brought.state = State::Ok;
            brought.failure = None;
        } else if brought.failure.is_none() {
            brought.fail("reply_refused", false, false);
        }
        Ok(brought)
    }

    /// Asks whether a call with no known end took effect, where the route knows how.
    async fn reconciled(&mut self, step: &Step, brought: Brought) -> Result<Brought, Stop> {
        let (Some(reconcile), Some(failure)) = (&step.reconcile, &brought.failure) else {
            return Ok(brought);
        };
        if !failure.is_unknown {
            return Ok(brought);
        }
        let Ok(prepared) = self.prepare(&reconcile.step)? else {
            return Ok(brought);
        };
        let asked = send(self.runner, &reconcile.step, &prepared, self.job).await;
        if asked.state != State::Ok {
            return Ok(brought);
        }
        let name = &reconcile.step.name;
        self.job.document.put_in("steps", name, asked.into_value());
        let planner = planner(self.job, &self.moment);
        let is_done = reconcile
            .done
            .holds(&planner.means(&self.job.document), &mut self.fuel)?;
        let mut known = brought;
        if is_done {
            known.state = State::Ok;
            known.failure = None;
        } else if let Some(failure) = &mut known.failure {
            // It did not take effect, for sure: it may be tried again.
            failure.is_unknown = false;
            failure.is_passing = true;
        }
        Ok(known)
    }

    fn take_out(&mut self, step: &Step) -> Result<(), Halt> {
        let flow = std::sync::Arc::clone(&self.job.running.flow);
        let planner = Planner {
            flow: &flow,
            moment: &self.moment,
            seen: &NOTHING_SEEN,
        };
        for (name, expr) in &step.take {
            if let Some(value) = planner.value(expr, &self.job.document, &mut self.fuel)? {
                self.job.document.put_in("vars", name, value);
            }
        }
        Ok(())
    }

    /// Several calls at once; each is taken in, and then the first that failed ends it.
    async fn together(&mut self, steps: &[Step], prefix: &str) -> Stepped {
        let mut ready = Vec::new();
        for step in steps {
            let place = format!("{prefix}{}", step.name);
            if let Some(done) = self.job.progress.get(&place).cloned() {
                self.known(step, done)?;
            } else if !self.is_made(step)? {
                let skipped = Brought::nothing(State::Skipped, None);
                self.job
                    .document
                    .put_in("steps", &step.name, skipped.into_value());
            } else {
                step.line.touch();
                ready.push((step, place, self.prepare(step)?));
            }
        }
        let (runner, job) = (self.runner, &*self.job);
        let sending = ready.iter().map(|(step, _, prepared)| async move {
            match prepared {
                Ok(prepared) => send(runner, step, prepared, job).await,
                Err(wrong) => wrong.clone(),
            }
        });
        let all = join_all(sending).await;
        let mut first = Ok(());
        for ((step, place, _), brought) in ready.iter().zip(all) {
            let stepped = self.absorb(step, brought, place).await;
            // What may have taken effect is told before what can be tried again.
            let outweighs = matches!(&stepped, Err(Stop::Failed(failed)) if failed.is_unknown);
            if first.is_ok() || outweighs {
                first = stepped;
            }
        }
        first
    }

    /// One candidate after the other, until the steps end well for one.
    async fn offer(
        &mut self,
        (offer, steps): (&Step, &[Step]),
        (candidates, max): (Option<Value>, usize),
        prefix: &str,
    ) -> Stepped {
        let Some(Value::Array(candidates)) = candidates else {
            return Ok(());
        };
        let mut taken = None;
        for (at, candidate) in candidates.into_iter().take(max).enumerate() {
            self.job.document.put("candidate", candidate.clone());
            let place = format!("{prefix}{}#{at}/", offer.name);
            match self.steps(steps, &place).await {
                Ok(()) => {
                    taken = Some(candidate);
                    break;
                }
                // Not this one: the next is asked. What may have taken effect is no no.
                Err(Stop::Failed(failed)) if failed.is_unknown => return Err(Stop::Failed(failed)),
                Err(Stop::Failed(_) | Stop::Ended(_)) if Instant::now() < self.job.deadline => {}
                Err(stop) => return Err(stop),
            }
        }
        self.job.document.take("candidate");
        let mut brought = Brought::nothing(State::Ok, None);
        if taken.is_none() {
            brought.fail("nobody_took_it", false, false);
        }
        brought.body = taken.unwrap_or_default();
        let place = format!("{prefix}{}", offer.name);
        self.absorb(offer, brought, &place).await
    }

    /// A call for so many rows at a time.
    async fn batch(&mut self, step: &Step, batch: &Batch, prefix: &str) -> Stepped {
        let planner = planner(self.job, &self.moment);
        let rows = planner.value(&batch.rows, &self.job.document, &mut self.fuel)?;
        let chunk = planner.value(&batch.chunk, &self.job.document, &mut self.fuel)?;
        let Some(Value::Array(rows)) = rows else {
            return Ok(());
        };
        let chunk = chunk.as_ref().and_then(crate::mapping::scalar::as_text);
        let chunk = chunk.and_then(|text| text.parse::<usize>().ok());
        let Some(chunk) = chunk.filter(|chunk| *chunk > 0) else {
            let wrong = Failed::wrong(&step.name, "chunk_unfit", None);
            return Err(Stop::Failed(Box::new(wrong)));
        };
        for (at, rows) in rows.chunks(chunk).enumerate() {
            self.job.document.put("chunk", Value::Array(rows.to_vec()));
            let place = format!("{prefix}{}#{at}", step.name);
            self.single(step, &place).await?;
        }
        self.job.document.take("chunk");
        Ok(())
    }
}

fn planner<'p>(job: &'p Job<'_>, moment: &'p Moment) -> Planner<'p> {
    Planner {
        flow: &job.running.flow,
        moment,
        seen: &NOTHING_SEEN,
    }
}

/// Sends a call, and again at once where the sender waits and that does no harm.
async fn send(runner: &Runner, step: &Step, prepared: &Prepared, job: &Job<'_>) -> Brought {
    let mut tried = 1;
    let mut pause = PAUSE;
    loop {
        let deadline = job.deadline.min(Instant::now() + step.timeout);
        let brought = runner.send(prepared, deadline).await;
        let Some(failure) = &brought.failure else {
            return brought;
        };
        let may = failure.is_passing && !failure.is_unknown && tried < step.tries;
        if !may || !job.is_waited_for || Instant::now() + pause >= job.deadline {
            return brought;
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2);
        tried += 1;
    }
}

impl Failed {
    fn of(step: &Step, failure: &Failure, status: Option<http::StatusCode>) -> Self {
        Self {
            step: step.name.clone(),
            class: failure.class.clone(),
            status: status.map(|status| status.as_u16()),
            is_passing: failure.is_passing,
            is_unknown: failure.is_unknown,
            wait: failure.wait_ms.map(Duration::from_millis),
            cause: failure.cause.clone(),
        }
    }

    /// A failure that trying again may mend.
    pub(crate) fn passing(step: &str, class: &str, cause: &dyn std::error::Error) -> Self {
        Self {
            is_passing: true,
            ..Self::wrong(step, class, Some(crate::telemetry::chain(cause)))
        }
    }

    /// A failure that trying again does not mend.
    pub(crate) fn wrong(step: &str, class: &str, cause: Option<String>) -> Self {
        Self {
            step: step.to_owned(),
            class: class.to_owned(),
            status: None,
            is_passing: false,
            is_unknown: false,
            wait: None,
            cause,
        }
    }
}

/// Before the first try again, where the sender waits.
const PAUSE: Duration = Duration::from_millis(100);
