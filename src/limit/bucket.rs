//! One count of a rate: who may go now, and who waits for a turn.
//!
//! Those who wait stand in a line for each class. One task hands out the turns as they come, to the
//! class that has had the least for its share, so that neither class starves. A turn that nobody
//! takes any longer goes to the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::gate::Gate;
use super::gcra::Left;
use super::share::Fleet;
use crate::policy::{Class, Rate, RateLimit};
use crate::store::redis::{Grant, Want};

/// One count of a rate.
#[derive(Debug)]
pub(super) struct Bucket {
    in_flight_max: usize,
    waiting_max: usize,
    /// What campaigns get at least, in percent.
    share_percent: u64,
    state: Mutex<State>,
    /// Somebody is done, or cells of the fleet came.
    freed: Notify,
    fleet: Option<Fleet>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct State {
    /// The shortest first.
    limits: Vec<Gate>,
    /// How many limits have let the next one through already: what one of them gave is not given
    /// back while another makes it wait.
    passed: usize,
    in_flight: usize,
    lines: [Line; 2],
    paused_until: Option<Instant>,
    has_task: bool,
    /// The fleet is asked for cells.
    is_asking: bool,
    used: Instant,
}

/// Those of a class who wait, the first first.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<oneshot::Sender<Turn>>,
    /// What it has had, for its share.
    had: u64,
}

/// Somebody may go. While it is held, they count as under way.
#[derive(Debug)]
pub(super) struct Turn {
    bucket: Arc<Bucket>,
    /// What is left of the limit that has the least left.
    pub(super) left: Option<Left>,
}

/// Nobody may go before this time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotNow {
    /// From now.
    pub(super) wait: Duration,
}

/// What becomes of somebody who comes.
enum Asked {
    /// They go at once.
    Went(Turn),
    /// They wait for a turn.
    Waits(oneshot::Receiver<Turn>),
    /// They are not let go in time.
    Refused(NotNow),
}

/// What is to be done for those who wait.
enum Next {
    /// Somebody was let go.
    Went,
    /// Nobody may go before this moment.
    Not(Instant),
    /// Nobody may go before somebody is done.
    Full,
    /// Nobody waits.
    Nobody,
}

impl Bucket {
    /// A count; with a fleet, that of all its processes that give it this name.
    pub(super) fn new(
        rate: &Rate,
        share_percent: u32,
        fleet: Option<(Fleet, String)>,
        tasks: TaskTracker,
    ) -> Self {
        let gates = |limit: &RateLimit| {
            let key = |(fleet, name): &(Fleet, String)| {
                let RateLimit { max, per, burst } = limit;
                (
                    format!("{name}:{max}/{}/{burst}", per.as_millis()),
                    fleet.alone,
                )
            };
            Gate::of(limit, fleet.as_ref().map(key))
        };
        let state = State {
            limits: rate.limits.iter().flat_map(gates).collect(),
            passed: 0,
            in_flight: 0,
            lines: [Line::default(), Line::default()],
            paused_until: None,
            has_task: false,
            is_asking: false,
            used: Instant::now(),
        };
        Self {
            in_flight_max: rate.in_flight_max.unwrap_or(usize::MAX),
            waiting_max: rate.waiting_max,
            share_percent: u64::from(share_percent.clamp(1, 99)),
            state: Mutex::new(state),
            freed: Notify::new(),
            fleet: fleet.map(|(fleet, _)| fleet),
            tasks,
        }
    }

    /// Goes at once, or waits for a turn until `deadline`.
    pub(super) async fn turn(
        self: &Arc<Self>,
        class: Class,
        deadline: Instant,
    ) -> Result<Turn, NotNow> {
        // Cells of the fleet are had from outside, for which also who will not wait has to.
        let deadline = match &self.fleet {
            None => deadline,
            Some(_) => deadline.max(Instant::now() + OF_ASKING),
        };
        let granted = match self.ask(class, deadline) {
            Asked::Went(turn) => return Ok(turn),
            Asked::Refused(not_now) => return Err(not_now),
            Asked::Waits(granted) => granted,
        };
        if let Ok(Ok(turn)) = timeout_at(deadline, granted).await {
            return Ok(turn);
        }
        let now = Instant::now();
        let wait = self.state().earliest(class, now) - now;
        Err(NotNow { wait })
    }

    fn ask(self: &Arc<Self>, class: Class, deadline: Instant) -> Asked {
        let now = Instant::now();
        let mut state = self.state();
        state.used = now;
        if state.is_quiet()
            && let Ok(left) = state.pass(now, self.in_flight_max)
        {
            self.replenish(&mut state, now);
            return Asked::Went(self.take(left));
        }
        self.replenish(&mut state, now);
        let earliest = state.earliest(class, now);
        let line = state.line(class);
        if line.waiting.len() >= self.waiting_max {
            line.waiting.retain(|turn| !turn.is_closed());
        }
        // Whoever cannot have a turn in time does not wait for it.
        if earliest > deadline || line.waiting.len() >= self.waiting_max {
            let wait = earliest - now;
            return Asked::Refused(NotNow { wait });
        }
        let (turn, granted) = oneshot::channel();
        line.waiting.push_back(turn);
        if !std::mem::replace(&mut state.has_task, true) {
            self.tasks.spawn(Arc::clone(self).hand_out());
        }
        Asked::Waits(granted)
    }

    /// The platform asked for a pause: nobody goes before it is over, and turns come slower after.
    pub(super) fn pause(&self, pause: Duration) {
        let now = Instant::now();
        let until = now + pause;
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(until));
        // The longer ones are about how many, not about how fast.
        if let Some(shortest) = state.limits.first_mut() {
            shortest.slow_down(now);
        }
    }

    /// Whether nobody has come for so long that it counts as if it were new.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let state = self.state();
        let memory = state
            .limits
            .iter()
            .map(Gate::memory)
            .max()
            .unwrap_or_default();
        state.in_flight == 0
            && state.is_quiet()
            && state.paused_until.is_none_or(|until| until <= now)
            && now.duration_since(state.used) > memory
    }

    /// Hands out turns until nobody waits.
    async fn hand_out(self: Arc<Self>) {
        loop {
            let freed = self.freed.notified();
            match self.next() {
                Next::Went => {}
                Next::Not(until) => {
                    let _sooner = timeout_at(until, freed).await;
                }
                Next::Full => freed.await,
                Next::Nobody => return,
            }
        }
    }

    fn next(self: &Arc<Self>) -> Next {
        let now = Instant::now();
        let mut state = self.state();
        state.lines.iter_mut().for_each(Line::forget_gone);
        let Some(class) = state.whose_turn() else {
            state.has_task = false;
            return Next::Nobody;
        };
        if state.in_flight >= self.in_flight_max {
            return Next::Full;
        }
        let left = match state.pass(now, self.in_flight_max) {
            Ok(left) => left,
            Err(until) => {
                self.replenish(&mut state, now);
                return Next::Not(until);
            }
        };
        self.replenish(&mut state, now);
        let share = match class {
            Class::Interactive => 100 - self.share_percent,
            Class::Campaign => self.share_percent,
        };
        let line = state.line(class);
        line.had += 1_000_000 / share;
        let Some(waiting) = line.waiting.pop_front() else {
            return Next::Went;
        };
        drop(state);
        if let Err(turn) = waiting.send(self.take(left)) {
            // They left meanwhile: what the limits gave is for the next.
            let mut state = self.state();
            state.passed = state.limits.len();
            drop(state);
            drop(turn);
        }
        Next::Went
    }

    /// Asks the fleet for cells, where some are wanted and nobody asks.
    fn replenish(self: &Arc<Self>, state: &mut State, now: Instant) {
        let Some(fleet) = self.fleet.as_ref().filter(|_| !state.is_asking) else {
            return;
        };
        let shares = state.limits.iter_mut().filter_map(Gate::share);
        let wants: Vec<Want> = shares.filter_map(|share| share.want(now)).collect();
        if wants.is_empty() {
            return;
        }
        state.is_asking = true;
        let (bucket, redis) = (Arc::clone(self), Arc::clone(&fleet.redis));
        self.tasks.spawn(async move {
            let granted = redis.cells(&wants).await;
            bucket.state().put(&wants, granted.ok().as_deref());
            bucket.freed.notify_one();
        });
    }

    fn take(self: &Arc<Self>, left: Option<Left>) -> Turn {
        Turn {
            bucket: Arc::clone(self),
            left,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Those at its head who left.
    fn forget_gone(&mut self) {
        while self.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            self.waiting.pop_front();
        }
    }
}

impl State {
    /// Whether nobody waits.
    fn is_quiet(&self) -> bool {
        self.lines.iter().all(|line| line.waiting.is_empty())
    }

    fn line(&mut self, class: Class) -> &mut Line {
        let [interactive, campaign] = &mut self.lines;
        match class {
            Class::Interactive => interactive,
            Class::Campaign => campaign,
        }
    }

    /// Lets one go, or says from when on it may; it counts as under way then.
    fn pass(&mut self, now: Instant, in_flight_max: usize) -> Result<Option<Left>, Instant> {
        if let Some(until) = self.paused_until {
            if until > now {
                return Err(until);
            }
            self.paused_until = None;
        }
        if self.in_flight >= in_flight_max {
            return Err(now + A_WHILE);
        }
        let mut least: Option<Left> = None;
        for limit in self.limits.iter_mut().skip(self.passed) {
            let left = limit.pass(now)?;
            self.passed += 1;
            let counts = [least, left].into_iter().flatten();
            least = counts.min_by_key(|left| left.count);
        }
        self.passed = 0;
        self.in_flight += 1;
        Ok(least)
    }

    /// What the fleet gave, each to the limit that wanted it; `None` where it could not be reached.
    fn put(&mut self, wants: &[Want], granted: Option<&[Grant]>) {
        let now = Instant::now();
        self.is_asking = false;
        for share in self.limits.iter_mut().filter_map(Gate::share) {
            let Some(at) = wants.iter().position(|want| share.is_of(want)) else {
                continue;
            };
            match granted.map(|grants| grants.get(at)) {
                Some(Some(grant)) => share.put(grant, now),
                _ => share.lose(now),
            }
        }
    }

    /// When one of a class who comes now has a turn at the earliest.
    fn earliest(&self, class: Class, now: Instant) -> Instant {
        let [interactive, campaign] = &self.lines;
        let before = match class {
            Class::Interactive => interactive.waiting.len(),
            Class::Campaign => campaign.waiting.len(),
        };
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        let open = self
            .limits
            .iter()
            .skip(self.passed)
            .map(|limit| limit.opens(now, before));
        let open = open.max().unwrap_or(now);
        open.max(self.paused_until.unwrap_or(now)).max(now)
    }

    /// The class that has had the least for its share, of those in which somebody waits.
    fn whose_turn(&mut self) -> Option<Class> {
        let [interactive, campaign] = &mut self.lines;
        match (interactive.waiting.is_empty(), campaign.waiting.is_empty()) {
            (true, true) => {
                (interactive.had, campaign.had) = (0, 0);
                None
            }
            (false, true) => {
                // What nobody asked for is not owed later.
                campaign.had = campaign.had.max(interactive.had);
                Some(Class::Interactive)
            }
            (true, false) => {
                interactive.had = interactive.had.max(campaign.had);
                Some(Class::Campaign)
            }
            (false, false) if interactive.had <= campaign.had => Some(Class::Interactive),
            (false, false) => Some(Class::Campaign),
        }
    }
}

impl Turn {
    /// See [`Bucket::pause`].
    pub(super) fn pause(&self, pause: Duration) {
        self.bucket.pause(pause);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.bucket.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        drop(state);
        if self.bucket.in_flight_max != usize::MAX {
            self.bucket.freed.notify_one();
        }
    }
}

/// Who waits for somebody else to be done is told this; nobody knows how long that takes.
const A_WHILE: Duration = Duration::from_millis(100);
/// How long the fleet is waited for at least.
const OF_ASKING: Duration = Duration::from_millis(50);
