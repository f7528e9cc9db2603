//! Marks of batches, marks that are given back, attempts that their storer takes, and what an attempt
//! leaves behind.

use bytes::Bytes;
use pintle::store::{
    Change, DeliveryId, Enqueued, Event, Filter, Leased, MARKS_MAX, Mark, Queue, Retention,
    Settlement, State,
};

use crate::support::{
    HOUR, NOW, UNTIL, duty, event, in_state, marked, ordered, reason, state, store, take,
};

const REPLAY: Change = Change::Replay {
    due_ms: NOW,
    force: false,
};
const FORCE: Change = Change::Replay {
    due_ms: NOW,
    force: true,
};

/// An event with a mark for each key.
pub(crate) fn batch(id: &str, keys: &[&str], after_success: bool) -> Event {
    let mut batch = event(id, "crm");
    for key in keys {
        let mark = Mark {
            after_success,
            ..marked(id, key).marks.remove(0)
        };
        batch.marks.push(mark);
    }
    batch
}

fn buried() -> Settlement {
    Settlement::Bury {
        reason: reason("refused"),
        progress: None,
    }
}

async fn seen(queue: &impl Queue, keys: &[&str], now_ms: i64) -> Vec<bool> {
    let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
    queue.seen("leads", &keys, now_ms).await.unwrap()
}

async fn settle(queue: &impl Queue, target: &str, how: Settlement) -> DeliveryId {
    let lease = take(queue, target, 1).await.remove(0);
    let settled = queue.settle(lease.id, lease.attempt, how, NOW).await;
    assert_eq!(settled, Ok(true));
    lease.id
}

pub(crate) async fn batches(queue: &impl Queue) {
    store(queue, batch("first", &["a", "b", "c"], false)).await;
    let became = queue
        .enqueue(batch("second", &["x", "b", "c"], false), NOW)
        .await;
    let answer = Bytes::from("answer to first");
    let marks = vec![1, 2];
    assert_eq!(became, Ok(Enqueued::Repeated { marks, answer }));
    let mut differing = batch("third", &["a", "x", "b"], false);
    differing.marks[2].digest = [8; 32];
    let became = queue.enqueue(differing, NOW).await;
    assert_eq!(became, Ok(Enqueued::Conflict { marks: vec![2] }));
    // Nothing of what was not stored is marked.
    let keys = ["a", "b", "c", "x"];
    assert_eq!(seen(queue, &keys, NOW).await, [true, true, true, false]);
    assert_eq!(queue.count(&Filter::default()).await, Ok(1));
    store(queue, batch("fourth", &["x", "y"], false)).await;
}

pub(crate) async fn twice(queue: &impl Queue) {
    let mut differing = batch("first", &["a", "b", "a"], false);
    differing.marks[2].digest = [8; 32];
    let became = queue.enqueue(differing, NOW).await;
    assert_eq!(became, Ok(Enqueued::Conflict { marks: vec![2] }));
    store(queue, batch("second", &["a", "b", "a"], false)).await;
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [true, true]);
    // As many as there may be.
    let mut keys: Vec<String> = (0..MARKS_MAX).map(|n| format!("k{n}")).collect();
    let mut large = event("large", "crm");
    for key in &keys {
        large.marks.extend(batch("large", &[key], false).marks);
    }
    store(queue, large).await;
    keys.push("never".to_owned());
    let mut wanted = vec![true; MARKS_MAX];
    wanted.push(false);
    assert_eq!(queue.seen("leads", &keys, NOW).await, Ok(wanted));
}

pub(crate) async fn seen_only(queue: &impl Queue) {
    store(queue, marked("e", "k")).await;
    assert_eq!(seen(queue, &["k", "other"], NOW).await, [true, false]);
    assert_eq!(seen(queue, &["k"], NOW + HOUR).await, [false]);
    let keys = ["k".to_owned()];
    assert_eq!(queue.seen("calls", &keys, NOW).await, Ok(vec![false]));
    assert_eq!(queue.seen("leads", &[], NOW).await, Ok(vec![]));
}

pub(crate) async fn given_back(queue: &impl Queue) {
    // Of two deliveries one is still to come: nothing is given back.
    let mut both = batch("e", &["a", "b"], true);
    both.marks[1].after_success = false;
    both.duties.push(duty("mail"));
    store(queue, both).await;
    settle(queue, "crm", buried()).await;
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [true, true]);
    settle(queue, "mail", buried()).await;
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [false, true]);
    // Buried from outside, it is the same; what one of them took is not given back.
    store(queue, batch("f", &["a"], true)).await;
    assert_eq!(
        queue
            .change(&in_state(State::Waiting), Change::Bury, 9, NOW)
            .await,
        Ok(1)
    );
    let mut both = batch("g", &["a"], true);
    both.duties.push(duty("mail"));
    store(queue, both).await;
    settle(queue, "mail", Settlement::Done).await;
    let retention = Retention {
        done_ms: 0,
        buried_ms: 9 * HOUR,
    };
    assert_eq!(queue.sweep(retention, NOW).await, Ok(1));
    settle(queue, "crm", buried()).await;
    assert_eq!(seen(queue, &["a"], NOW).await, [true]);
}

pub(crate) async fn taken_again(queue: &impl Queue) {
    store(queue, batch("e", &["a", "b"], true)).await;
    let first = settle(queue, "crm", buried()).await;
    let only = Filter {
        id: Some(first),
        ..Filter::default()
    };
    // They are free: a replay takes them, and gives them back when it is buried again.
    assert_eq!(queue.change(&only, REPLAY, 9, NOW).await, Ok(1));
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [true, true]);
    settle(queue, "crm", buried()).await;
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [false, false]);
    // The sender sent again: the replay of the first would do it twice.
    store(queue, batch("f", &["b"], true)).await;
    assert_eq!(queue.change(&only, REPLAY, 9, NOW).await, Ok(0));
    assert_eq!(state(queue, first).await, State::Buried);
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [false, true]);
    assert_eq!(queue.change(&only, FORCE, 9, NOW).await, Ok(1));
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [true, true]);
    // What is given back is only one's own.
    settle(queue, "crm", buried()).await;
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [false, true]);
    settle(queue, "crm", Settlement::Withdraw).await;
    assert_eq!(seen(queue, &["b"], NOW).await, [false]);
    // And what has run out is in nobody's way.
    assert_eq!(queue.change(&only, REPLAY, 9, NOW + HOUR).await, Ok(1));
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [false, false]);
}

pub(crate) async fn leased(queue: &impl Queue) {
    let mut both = ordered("e", "crm", "o");
    both.duties[0].leased_until_ms = Some(UNTIL);
    both.duties.push(duty("crm"));
    both.duties.push(both.duties[0].clone());
    let became = queue.enqueue(both.clone(), NOW).await.unwrap();
    let Enqueued::Stored { leased } = became else {
        panic!("{became:?}");
    };
    // The third waits behind the first.
    let id = leased[0].id;
    assert_eq!(leased, [Leased { duty: 0, id }]);
    let others = take(queue, "crm", 9).await;
    assert_eq!((others.len(), others[0].attempt), (1, 1));
    assert_eq!(queue.next_due("crm").await, Ok(Some(UNTIL)));
    let done = queue.settle(id, 1, Settlement::Done, NOW).await;
    assert_eq!(done, Ok(true));
    assert_eq!(take(queue, "crm", 9).await.len(), 1);
    // Nobody settles this one: it runs out as any lease does.
    let mut alone = event("f", "mail");
    alone.duties[0].leased_until_ms = Some(UNTIL);
    assert!(matches!(
        queue.enqueue(alone, NOW).await,
        Ok(Enqueued::Stored { leased }) if leased.len() == 1
    ));
    assert!(take(queue, "mail", 9).await.is_empty());
    let again = queue.lease("mail", 9, UNTIL + 9, UNTIL).await.unwrap();
    assert_eq!((again.len(), again[0].attempt), (1, 2));
}

pub(crate) async fn progress(queue: &impl Queue) {
    store(queue, event("e", "crm")).await;
    let first = take(queue, "crm", 1).await.remove(0);
    assert_eq!(first.progress, None);
    let large = Bytes::from(vec![b'p'; 1 << 20]);
    let stored = queue.progress(first.id, 1, large.clone(), NOW).await;
    assert_eq!(stored, Ok(true));
    assert_eq!(
        queue.progress(first.id, 2, large.clone(), NOW).await,
        Ok(false)
    );
    assert_eq!(
        queue.progress(first.id, 1, large.clone(), UNTIL).await,
        Ok(false)
    );
    // Its lease runs out: the next attempt goes on from there.
    let lease = |attempt: i64| queue.lease("crm", 1, UNTIL + attempt, UNTIL + attempt - 1);
    let second = lease(1).await.unwrap().remove(0);
    assert_eq!((second.attempt, second.progress), (2, Some(large.clone())));
    let retry = |progress| Settlement::Retry {
        due_ms: NOW,
        reason: reason("status"),
        progress,
    };
    // Without one of its own what was there stays.
    assert_eq!(
        queue.settle(first.id, 2, retry(None), UNTIL).await,
        Ok(true)
    );
    let third = lease(2).await.unwrap().remove(0);
    assert_eq!(third.progress, Some(large));
    let more = Some(Bytes::from_static(b"more"));
    let settled = queue.settle(first.id, 3, retry(more.clone()), UNTIL + 1);
    assert_eq!(settled.await, Ok(true));
    let mut now_ms = UNTIL + 2;
    for (nth, how) in (4..).zip([
        buried(),
        Settlement::Unknown {
            reason: reason("broke_off"),
            progress: None,
        },
        Settlement::Done,
    ]) {
        let lease = queue.lease("crm", 1, now_ms + 9, now_ms).await.unwrap();
        assert_eq!(
            (lease[0].attempt, &lease[0].progress),
            (nth, &more),
            "{how:?}"
        );
        assert_eq!(queue.settle(first.id, nth, how, now_ms).await, Ok(true));
        let replayed = queue.change(&Filter::default(), FORCE, 9, now_ms).await;
        assert_eq!(replayed, Ok(1));
        now_ms += 1;
    }
    // What was done to its end begins anew.
    let last = queue.lease("crm", 1, now_ms + 9, now_ms).await.unwrap();
    assert_eq!((last[0].attempt, &last[0].progress), (7, &None));
}

pub(crate) async fn withdrawn(queue: &impl Queue) {
    let mut first = batch("e", &["a", "b"], true);
    first.marks[1].after_success = false;
    first.duties[0].order = Some("o".to_owned());
    store(queue, first.clone()).await;
    store(queue, ordered("f", "crm", "o")).await;
    let lease = take(queue, "crm", 9).await.remove(0);
    let withdraw = Settlement::Withdraw;
    assert_eq!(
        queue.settle(lease.id, 1, withdraw.clone(), NOW).await,
        Ok(true)
    );
    assert_eq!(
        queue.settle(lease.id, 1, withdraw.clone(), NOW).await,
        Ok(false)
    );
    assert_eq!(queue.body(lease.id).await, Ok(None));
    assert_eq!(seen(queue, &["a", "b"], NOW).await, [false, true]);
    assert_eq!(queue.count(&Filter::default()).await, Ok(1));
    // What came behind it goes, and what is sent again is new.
    assert_eq!(take(queue, "crm", 9).await[0].event, "f");
    first.marks.truncate(1);
    first.duties.push(duty("mail"));
    store(queue, first).await;
    // The other delivery is still owed: body and mark stay.
    let id = settle(queue, "mail", withdraw).await;
    assert_eq!(queue.body(id).await, Ok(None));
    assert_eq!(seen(queue, &["a"], NOW).await, [true]);
}
