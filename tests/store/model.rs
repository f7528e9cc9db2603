//! Random operations on two stores at once: each answers as the store in memory does.

use bytes::Bytes;
use pintle::store::redis::Options;
use pintle::store::{
    Change, Delivery, DeliveryId, Duty, Enqueued, Event, Filter, Journal, Keep, Mark, Memory,
    Queue, Redis, Retention, STATES, Settlement,
};
use proptest::prelude::*;

use crate::fleet;
use crate::support::{NOW, open, reason};

const TARGETS: [&str; 2] = ["crm", "mail"];

/// Target, order key, how much later, whether it does harm twice, and for how long it is leased.
type Owed = (usize, Option<u8>, i64, bool, Option<i64>);

#[derive(Debug, Clone)]
enum Step {
    Enqueue {
        marks: Vec<(u8, u8, bool)>,
        duties: Vec<Owed>,
    },
    Lease {
        target: usize,
        max: usize,
        for_ms: i64,
    },
    Settle {
        which: usize,
        how: u8,
        later_ms: i64,
        progress: Option<u8>,
    },
    Progress {
        which: usize,
        progress: u8,
    },
    Seen,
    Keep,
    Tally {
        key: u8,
        for_ms: i64,
    },
    Change {
        state: Option<usize>,
        target: Option<usize>,
        replay: Option<(i64, bool)>,
        max: usize,
    },
    Sweep {
        done_ms: i64,
        buried_ms: i64,
    },
    Turn {
        by_ms: i64,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let duty = (
        0..2usize,
        prop::option::of(0..3u8),
        0..40i64,
        any::<bool>(),
        prop::option::of(1..40i64),
    );
    let enqueue = (
        prop::collection::vec((0..6u8, 0..2u8, any::<bool>()), 0..4),
        prop::collection::vec(duty, 1..3),
    );
    let change = (
        prop::option::of(0..5usize),
        prop::option::of(0..2usize),
        prop::option::of((0..60i64, any::<bool>())),
        0..6usize,
    );
    prop_oneof![
        4 => enqueue.prop_map(|(marks, duties)| Step::Enqueue { marks, duties }),
        4 => (0..2usize, 0..5usize, 1..40i64)
            .prop_map(|(target, max, for_ms)| Step::Lease { target, max, for_ms }),
        6 => (0..8usize, 0..5u8, 0..40i64, prop::option::of(any::<u8>())).prop_map(
            |(which, how, later_ms, progress)| Step::Settle { which, how, later_ms, progress }
        ),
        1 => (0..8usize, any::<u8>())
            .prop_map(|(which, progress)| Step::Progress { which, progress }),
        1 => Just(Step::Seen),
        1 => Just(Step::Keep),
        1 => (0..3u8, 1..60i64).prop_map(|(key, for_ms)| Step::Tally { key, for_ms }),
        2 => change.prop_map(|(state, target, replay, max)|
            Step::Change { state, target, replay, max }),
        1 => (0..60i64, 0..60i64)
            .prop_map(|(done_ms, buried_ms)| Step::Sweep { done_ms, buried_ms }),
        3 => (-10..30i64).prop_map(|by_ms| Step::Turn { by_ms }),
        1 => Just(Step::Reopen),
    ]
}

fn made(number: usize, now_ms: i64, step: &Step) -> Event {
    let Step::Enqueue { marks, duties } = step else {
        panic!("not an event: {step:?}");
    };
    let duty = |(target, order, later_ms, is_once, for_ms): &Owed| Duty {
        target: TARGETS[*target].to_owned(),
        order: order.map(|order| format!("o{order}")),
        due_ms: now_ms + later_ms,
        is_once: *is_once,
        leased_until_ms: for_ms.map(|for_ms| now_ms + for_ms),
    };
    let mark = |(key, digest, after_success): &(u8, u8, bool)| Mark {
        space: "r".to_owned(),
        key: format!("k{key}"),
        digest: [*digest; 32],
        answer: Bytes::from(format!("a{number}")),
        until_ms: now_ms + 25 + 10 * i64::from(*key),
        after_success: *after_success,
    };
    Event {
        id: format!("e{number}"),
        route: "r".to_owned(),
        marks: marks.iter().map(mark).collect(),
        content_type: "text/plain".to_owned(),
        body: Bytes::from(format!("b{number}")),
        received_ms: now_ms,
        duties: duties.iter().map(duty).collect(),
        keeps: vec![kept(number, now_ms)],
    }
}

fn kept(number: usize, now_ms: i64) -> Keep {
    Keep {
        space: "s".to_owned(),
        key: format!("k{}", number % 5),
        value: Bytes::from(format!("v{number}")),
        until_ms: now_ms + 30,
    }
}

/// The stores count their ids from different numbers, with gaps: the n-th of one is the n-th of
/// the other.
#[derive(Default)]
struct Ids(Vec<(DeliveryId, DeliveryId)>);

impl Ids {
    fn learn(&mut self, ours: &[Delivery], theirs: &[Delivery]) {
        for (our, their) in ours.iter().zip(theirs) {
            if !self.0.iter().any(|(known, _)| *known == our.id) {
                self.0.push((our.id, their.id));
            }
        }
    }

    fn theirs(&self, ours: DeliveryId) -> DeliveryId {
        let known = self.0.iter().find(|(known, _)| *known == ours);
        known.unwrap_or_else(|| panic!("{ours:?} is not known")).1
    }
}

/// Two stores, and what a caller of them knows.
struct World<Q> {
    memory: Memory,
    other: Q,
    now_ms: i64,
    ids: Ids,
    /// The newest first.
    leases: Vec<(DeliveryId, u32)>,
}

impl<Q: Queue> World<Q> {
    async fn act(&mut self, number: usize, step: Step) {
        match step {
            Step::Enqueue { .. } => {
                self.enqueue(made(number, self.now_ms, &step)).await;
            }
            Step::Lease {
                target,
                max,
                for_ms,
            } => self.lease(TARGETS[target], max, for_ms).await,
            Step::Settle {
                which,
                how,
                later_ms,
                progress,
            } => self.settle(which, how, later_ms, progress).await,
            Step::Progress { which, progress } => self.progress(which, progress).await,
            Step::Keep => {
                let keep = kept(number, self.now_ms);
                let ours = self.memory.keep(keep.clone(), self.now_ms).await;
                assert_eq!(ours, self.other.keep(keep, self.now_ms).await);
            }
            Step::Tally { key, for_ms } => {
                let (key, now_ms) = (key.to_string(), self.now_ms);
                let ours = self.memory.tally("s", &key, now_ms + for_ms, now_ms);
                let theirs = self.other.tally("s", &key, now_ms + for_ms, now_ms);
                assert_eq!(ours.await, theirs.await);
            }
            Step::Seen => {
                let keys: Vec<String> = (0..6).map(|key| format!("k{key}")).collect();
                let ours = self.memory.seen("r", &keys, self.now_ms).await;
                assert_eq!(ours, self.other.seen("r", &keys, self.now_ms).await);
            }
            Step::Change {
                state,
                target,
                replay,
                max,
            } => {
                let filter = Filter {
                    state: state.map(|state| STATES[state].1),
                    target: target.map(|target| TARGETS[target].to_owned()),
                    ..Filter::default()
                };
                let change = replay.map_or(Change::Bury, |(later_ms, force)| Change::Replay {
                    due_ms: self.now_ms + later_ms,
                    force,
                });
                let ours = self.memory.change(&filter, change, max, self.now_ms).await;
                let theirs = self.other.change(&filter, change, max, self.now_ms);
                assert_eq!(ours, theirs.await);
            }
            Step::Sweep { done_ms, buried_ms } => {
                let retention = Retention { done_ms, buried_ms };
                let ours = self.memory.sweep(retention, self.now_ms).await;
                assert_eq!(ours, self.other.sweep(retention, self.now_ms).await);
            }
            Step::Turn { by_ms } => self.now_ms += by_ms,
            // Done by the caller, who has the folder.
            Step::Reopen => {}
        }
    }

    async fn enqueue(&mut self, event: Event) {
        let ours = self.memory.enqueue(event.clone(), self.now_ms).await;
        let theirs = self.other.enqueue(event, self.now_ms).await;
        match (ours.unwrap(), theirs.unwrap()) {
            (Enqueued::Stored { leased: ours }, Enqueued::Stored { leased: mut theirs }) => {
                self.compare().await;
                for (our, their) in ours.iter().zip(&mut theirs) {
                    assert_eq!(self.ids.theirs(our.id), their.id);
                    their.id = our.id;
                }
                assert_eq!(ours, theirs);
                let leases = ours.into_iter().map(|one| (one.id, 1));
                self.leases.splice(0..0, leases);
            }
            (ours, theirs) => assert_eq!(ours, theirs),
        }
    }

    async fn lease(&mut self, target: &str, max: usize, for_ms: i64) {
        let until_ms = self.now_ms + for_ms;
        let ours = self.memory.lease(target, max, until_ms, self.now_ms).await;
        let theirs = self.other.lease(target, max, until_ms, self.now_ms).await;
        let (ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
        for (our, their) in ours.iter().zip(&mut theirs) {
            assert_eq!(self.ids.theirs(our.id), their.id);
            their.id = our.id;
        }
        assert_eq!(ours, theirs);
        let ours = ours.into_iter().map(|one| (one.id, one.attempt));
        self.leases.splice(0..0, ours);
    }

    async fn progress(&mut self, which: usize, progress: u8) {
        let Some((id, attempt)) = self.leases.get(which).copied() else {
            return;
        };
        let (progress, theirs) = (Bytes::from(vec![progress]), self.ids.theirs(id));
        let ours = self
            .memory
            .progress(id, attempt, progress.clone(), self.now_ms);
        let theirs = self.other.progress(theirs, attempt, progress, self.now_ms);
        assert_eq!(ours.await, theirs.await);
    }

    async fn settle(&mut self, which: usize, how: u8, later_ms: i64, progress: Option<u8>) {
        let Some((id, attempt)) = self.leases.get(which).copied() else {
            return;
        };
        let progress = progress.map(|byte| Bytes::from(vec![byte; 3]));
        let settlement = settlement(how, self.now_ms + later_ms, progress);
        let theirs = self.ids.theirs(id);
        let ours = self
            .memory
            .settle(id, attempt, settlement.clone(), self.now_ms);
        let theirs = self.other.settle(theirs, attempt, settlement, self.now_ms);
        assert_eq!(ours.await, theirs.await);
    }

    async fn compare(&mut self) {
        let all = Filter::default();
        let ours = self.memory.list(&all, None, 10_000).await.unwrap();
        let mut theirs = self.other.list(&all, None, 10_000).await.unwrap();
        self.ids.learn(&ours, &theirs);
        for (our, their) in ours.iter().zip(&mut theirs) {
            assert_eq!(self.ids.theirs(our.id), their.id);
            their.id = our.id;
        }
        assert_eq!(ours, theirs);
        let ours = self.memory.kept_list("s", None, 9, self.now_ms).await;
        let theirs = self.other.kept_list("s", None, 9, self.now_ms).await;
        assert_eq!(ours, theirs);
        for key in ["0", "1", "2"] {
            let ours = self.memory.tallied("s", key, self.now_ms).await;
            assert_eq!(ours, self.other.tallied("s", key, self.now_ms).await);
        }
        for target in TARGETS {
            let ours = self.memory.next_due(target).await;
            assert_eq!(ours, self.other.next_due(target).await);
        }
    }
}

/// Makes the steps; the store is opened anew where they say so.
async fn run<Q: Queue>(steps: Vec<Step>, open: impl AsyncFn() -> Q, close: impl AsyncFn(&Q)) {
    let mut world = World {
        memory: Memory::new(1_000_000),
        other: open().await,
        now_ms: NOW,
        ids: Ids::default(),
        leases: Vec::new(),
    };
    for (number, step) in steps.into_iter().enumerate() {
        if matches!(step, Step::Reopen) {
            close(&world.other).await;
            world.other = open().await;
        }
        world.act(number, step).await;
        world.compare().await;
    }
    close(&world.other).await;
}

fn settlement(how: u8, due_ms: i64, progress: Option<Bytes>) -> Settlement {
    let reason = reason("status");
    match how {
        0 => Settlement::Done,
        1 => Settlement::Retry {
            due_ms,
            reason,
            progress,
        },
        2 => Settlement::Unknown { reason, progress },
        3 => Settlement::Withdraw,
        _ => Settlement::Bury { reason, progress },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_answers_as_the_store_in_memory(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, async || open(folder.path()), Journal::close));
    }

    #[test]
    fn redis_answers_as_the_store_in_memory(steps in prop::collection::vec(step(), 1..60)) {
        let server = fleet::single();
        let prefix = fleet::options(fleet::alone(&server)).prefix;
        let open = async || {
            let prefix = prefix.clone();
            let options = Options { prefix, ..fleet::options(fleet::alone(&server)) };
            Redis::open(options).await.unwrap()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps, open, Redis::close));
    }
}
