//! The load itself: one task a connection, and a bound on everything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::aim::Aim;
use super::connection::{Connection, Lost};
use super::pace::Pace;
use super::tally::{Kind, Reply, Tally};

/// How it is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// How many connections send.
    pub(super) connections: u16,
    /// How long it is measured.
    pub(super) duration: Duration,
    /// How long load runs before.
    pub(super) warm_up: Duration,
    /// Requests a second; `None` where a connection sends when its last reply is here.
    pub(super) rate: Option<u32>,
    /// How long a request may take.
    pub(super) timeout: Duration,
}

/// What came of a load.
#[derive(Debug)]
pub(super) struct Outcome {
    /// All that was counted.
    pub(super) tally: Tally,
    /// From the end of the warm-up to the last reply.
    pub(super) elapsed: Duration,
    /// It was ended before its time.
    pub(super) is_early: bool,
    /// Requests that were due while every connection was busy to the end.
    pub(super) unsent: u64,
}

/// A load under way.
pub(super) struct Load {
    aim: Aim,
    timeout: Duration,
    /// What was due before is not counted.
    from: Instant,
    pace: Option<Pace>,
    /// No further request is sent.
    stop: CancellationToken,
    begun: AtomicU64,
    tally: Mutex<Tally>,
}

/// Waits for Ctrl-C; for ever where it cannot be listened for.
async fn interrupted(interrupts: &mut Option<Signal>) {
    match interrupts {
        Some(interrupts) => drop(interrupts.recv().await),
        None => std::future::pending().await,
    }
}

impl Load {
    /// Makes the load and waits for its end, or for Ctrl-C.
    pub(super) async fn run(aim: Aim, plan: Plan, tally: Tally) -> Outcome {
        // Before anything is sent: until it is listened for, Ctrl-C ends the process.
        let mut interrupts = signal(SignalKind::interrupt()).ok();
        let start = Instant::now();
        let from = start + plan.warm_up;
        let time = plan.warm_up + plan.duration;
        let load = Arc::new(Self {
            aim,
            timeout: plan.timeout,
            from,
            pace: plan
                .rate
                .map(|rate| Pace::new(start, rate, [plan.warm_up, plan.duration])),
            stop: CancellationToken::new(),
            begun: AtomicU64::new(0),
            tally: Mutex::new(tally),
        });
        let (sending, telling) = (TaskTracker::new(), TaskTracker::new());
        let cut = CancellationToken::new();
        for _ in 0..plan.connections {
            let sender = send(Arc::clone(&load));
            sending.spawn(cut.clone().run_until_cancelled_owned(sender));
        }
        if plan.rate.is_some() {
            let load = Arc::clone(&load);
            telling.spawn_blocking(move || {
                load.pace.iter().for_each(|pace| pace.tell(&load.stop));
            });
        }
        sending.close();
        telling.close();
        let is_early = tokio::select! {
            () = sleep_until(start + time) => false,
            () = interrupted(&mut interrupts) => true,
            // Every connection gave up.
            () = sending.wait() => true,
        };
        load.stop.cancel();
        let unsent = load.pace.as_ref().map_or(0, Pace::close);
        // Slow replies are waited for: without them the percentiles would be too good.
        let of_requests = if is_early {
            Duration::ZERO
        } else {
            plan.timeout
        };
        let grace = of_requests + GRACE;
        tokio::select! {
            () = sending.wait() => {}
            () = sleep(grace) => {}
            () = interrupted(&mut interrupts) => {}
        }
        let elapsed = Instant::now().saturating_duration_since(from);
        cut.cancel();
        sending.wait().await;
        telling.wait().await;
        load.outcome(elapsed, (is_early, unsent))
    }

    /// What was counted, with the requests that have no end.
    fn outcome(&self, elapsed: Duration, (is_early, unsent): (bool, u64)) -> Outcome {
        let mut tally = self.counted().clone();
        let begun = self.begun.load(Ordering::Relaxed);
        let cut_off = begun.saturating_sub(tally.requests());
        if cut_off > 0 {
            tally.failed(Kind::CutOff, cut_off, None);
        }
        Outcome {
            tally,
            elapsed,
            is_early,
            unsent,
        }
    }

    /// A connection to send on: the one that was kept, if it is still good.
    async fn connected(&self, kept: Option<Connection>) -> Option<Connection> {
        if self.stop.is_cancelled() {
            return None;
        }
        match kept.filter(Connection::is_open) {
            Some(kept) => Some(kept),
            None => self.connect().await,
        }
    }

    /// Dials some times, with pauses that grow; `None` when it gives up.
    async fn connect(&self) -> Option<Connection> {
        let mut pause = PAUSE_FIRST;
        for _ in 0..CONNECT_ATTEMPTS_MAX {
            let why = match self.dial().await {
                Ok(connection) => return Some(connection),
                Err(why) => why,
            };
            self.counted().failed(Kind::Connect, 1, Some(why));
            self.stop.run_until_cancelled(sleep(pause)).await?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        None
    }

    async fn dial(&self) -> Result<Connection, String> {
        let dialled = timeout(CONNECT_MAX, Connection::open(self.aim.address)).await;
        dialled.unwrap_or_else(|_| Err("it took too long to connect".to_owned()))
    }

    /// Waits for the moment to send, and tells since when the request is due.
    async fn turn(&self, connection: &mut Connection) -> Option<Instant> {
        match &self.pace {
            Some(pace) => connection.beside(pace.next()).await,
            None => (!self.stop.is_cancelled()).then(Instant::now),
        }
    }

    /// Makes one request and counts what became of it; gives the connection back, if it is good.
    async fn request(&self, mut connection: Connection, due: Instant) -> Option<Connection> {
        let is_counted = due >= self.from;
        if is_counted {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        let outcome = timeout(self.timeout, self.exchange(&mut connection)).await;
        let took = due.elapsed();
        let is_good = matches!(outcome, Ok(Ok(_)));
        if is_counted {
            let mut tally = self.counted();
            match outcome {
                Ok(Ok(reply)) => tally.replied(&reply, took),
                Ok(Err(why)) => tally.failed(Kind::Broken, 1, Some(why)),
                Err(_) => tally.timed_out(took),
            }
        }
        is_good.then_some(connection)
    }

    /// Sends, and a second time where the connection had ended before.
    async fn exchange(&self, connection: &mut Connection) -> Result<Reply, String> {
        match connection.exchange(self.aim.request()).await {
            Ok(reply) => return Ok(reply),
            Err(Lost::Broken(why)) => return Err(why),
            Err(Lost::Unsent(_)) => *connection = self.dial().await?,
        }
        let again = connection.exchange(self.aim.request()).await;
        again.map_err(|(Lost::Unsent(why) | Lost::Broken(why))| why)
    }

    fn counted(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one connection does, until the end or until it cannot be made any more.
async fn send(load: Arc<Load>) {
    let mut kept = None;
    while let Some(mut connection) = load.connected(kept.take()).await {
        let Some(due) = load.turn(&mut connection).await else {
            return;
        };
        kept = load.request(connection, due).await;
    }
}

/// How long replies are waited for when a person ends the load, and past the time of a request.
const GRACE: Duration = Duration::from_secs(1);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// With the pauses between them, three seconds of a gateway that restarts.
const CONNECT_ATTEMPTS_MAX: u32 = 9;
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
