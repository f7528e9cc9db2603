//! Being handed out, for how long, in which order.

use bytes::Bytes;
use futures_util::future::join_all;
use pintle::store::{
    Change, Filter, LEASE_BYTES_MAX, LEASE_EXPIRED, LEASES_LOST_MAX, Lease, Queue, Settlement,
    State,
};

use crate::support::{NOW, UNTIL, event, events, once, ordered, reason, state, store, take};

pub(crate) async fn due(queue: &impl Queue) {
    for (id, due_ms) in [("late", NOW + 1), ("b", NOW), ("a", NOW - 5), ("c", NOW)] {
        let mut event = event(id, "crm");
        event.duties[0].due_ms = due_ms;
        store(queue, event).await;
    }
    assert_eq!(events(&take(queue, "crm", 2).await), ["a", "b"]);
    assert_eq!(events(&take(queue, "crm", 2).await), ["c"]);
    assert!(take(queue, "crm", 2).await.is_empty());
    assert_eq!(
        events(&queue.lease("crm", 9, UNTIL, NOW + 1).await.unwrap()),
        ["late"]
    );
}

pub(crate) async fn targets(queue: &impl Queue) {
    store(queue, ordered("a", "crm", "o")).await;
    store(queue, ordered("b", "mail", "o")).await;
    assert_eq!(events(&take(queue, "mail", 9).await), ["b"]);
    assert_eq!(queue.next_due("nobody").await, Ok(None));
    assert!(take(queue, "nobody", 9).await.is_empty());
    assert_eq!(events(&take(queue, "crm", 9).await), ["a"]);
}

pub(crate) async fn exclusive(queue: &impl Queue) {
    for n in 0..60 {
        store(queue, event(&format!("e{n}"), "crm")).await;
    }
    let takers = join_all((0..20).map(|_| take(queue, "crm", 4))).await;
    let mut taken: Vec<Lease> = takers.into_iter().flatten().collect();
    assert_eq!(taken.len(), 60);
    taken.sort_by_key(|lease| lease.id);
    taken.dedup_by_key(|lease| lease.id);
    assert_eq!(taken.len(), 60);
}

pub(crate) async fn bounded(queue: &impl Queue) {
    for n in 0..3 {
        let mut large = event(&format!("e{n}"), "crm");
        large.body = Bytes::from(vec![0; LEASE_BYTES_MAX / 2]);
        store(queue, large).await;
    }
    assert_eq!(events(&take(queue, "crm", 9).await), ["e0", "e1"]);
    assert_eq!(events(&take(queue, "crm", 9).await), ["e2"]);
}

pub(crate) async fn settled(queue: &impl Queue) {
    let late = NOW + 500;
    let cases = [
        (Settlement::Done, State::Done, NOW + 1, None),
        (
            Settlement::Retry {
                due_ms: late,
                reason: reason("status"),
                progress: None,
            },
            State::Waiting,
            late,
            Some(reason("status")),
        ),
        (
            Settlement::Unknown {
                reason: reason("broke_off"),
                progress: None,
            },
            State::Unknown,
            NOW + 1,
            Some(reason("broke_off")),
        ),
        (
            Settlement::Bury {
                reason: reason("refused"),
                progress: None,
            },
            State::Buried,
            NOW + 1,
            Some(reason("refused")),
        ),
    ];
    for (settlement, state, due_ms, reason) in cases {
        store(queue, event("e", "crm")).await;
        let lease = take(queue, "crm", 1).await.remove(0);
        assert_eq!(
            queue.settle(lease.id, 1, settlement, NOW + 1).await,
            Ok(true)
        );
        let filter = Filter {
            id: Some(lease.id),
            ..Filter::default()
        };
        let found = queue.list(&filter, None, 1).await.unwrap().remove(0);
        assert_eq!(
            (found.state, found.due_ms, found.reason),
            (state, due_ms, reason)
        );
        assert!(take(queue, "crm", 9).await.is_empty());
    }
    let again = queue.lease("crm", 9, late + 1, late).await.unwrap();
    assert_eq!((again.len(), again[0].attempt), (1, 2));
}

pub(crate) async fn stale(queue: &impl Queue) {
    store(queue, event("e", "crm")).await;
    let first = take(queue, "crm", 1).await.remove(0);
    assert_eq!(
        queue.settle(first.id, 2, Settlement::Done, NOW).await,
        Ok(false)
    );
    // It has run out, whether it was handed out again or not.
    assert_eq!(
        queue.settle(first.id, 1, Settlement::Done, UNTIL).await,
        Ok(false)
    );
    let second = queue
        .lease("crm", 1, UNTIL + 9, UNTIL)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((second.id, second.attempt), (first.id, 2));
    assert_eq!(
        queue.settle(first.id, 1, Settlement::Done, NOW).await,
        Ok(false)
    );
    assert_eq!(
        queue.settle(second.id, 2, Settlement::Done, UNTIL).await,
        Ok(true)
    );
    assert_eq!(
        queue.settle(second.id, 2, Settlement::Done, UNTIL).await,
        Ok(false)
    );
    assert_eq!(state(queue, first.id).await, State::Done);
}

pub(crate) async fn expired(queue: &impl Queue) {
    store(queue, event("e", "crm")).await;
    let first = take(queue, "crm", 1).await.remove(0);
    assert!(
        queue
            .lease("crm", 1, UNTIL + 9, UNTIL - 1)
            .await
            .unwrap()
            .is_empty()
    );
    let again = queue
        .lease("crm", 1, UNTIL + 9, UNTIL)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((again.id, again.attempt), (first.id, 2));
}

pub(crate) async fn expired_once(queue: &impl Queue) {
    store(queue, once("e", "crm")).await;
    let lease = take(queue, "crm", 1).await.remove(0);
    assert!(lease.is_once);
    assert!(
        queue
            .lease("crm", 1, UNTIL + 9, UNTIL)
            .await
            .unwrap()
            .is_empty()
    );
    let unknown = Filter {
        state: Some(State::Unknown),
        class: Some(LEASE_EXPIRED.to_owned()),
        ..Filter::default()
    };
    assert_eq!(queue.count(&unknown).await, Ok(1));
    assert_eq!(
        queue.settle(lease.id, 1, Settlement::Done, UNTIL).await,
        Ok(false)
    );
}

pub(crate) async fn lost(queue: &impl Queue) {
    let mut marked = crate::support::marked("e", "k");
    marked.marks[0].after_success = true;
    store(queue, marked).await;
    let mut now_ms = NOW;
    let lost = async |times: u32, now_ms: &mut i64| {
        for _ in 0..times {
            let leases = queue.lease("crm", 1, *now_ms + 9, *now_ms).await.unwrap();
            assert_eq!(leases.len(), 1);
            *now_ms += 9;
        }
    };
    lost(LEASES_LOST_MAX - 1, &mut now_ms).await;
    // Whoever settles it has survived it: it counts anew.
    let lease = queue.lease("crm", 1, now_ms + 9, now_ms).await.unwrap();
    let retry = Settlement::Retry {
        due_ms: now_ms,
        reason: reason("status"),
        progress: None,
    };
    let settled = queue.settle(lease[0].id, lease[0].attempt, retry, now_ms);
    assert_eq!(settled.await, Ok(true));
    lost(LEASES_LOST_MAX, &mut now_ms).await;
    let again = queue.lease("crm", 1, now_ms + 9, now_ms).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
    let buried = Filter {
        state: Some(State::Buried),
        class: Some(LEASE_EXPIRED.to_owned()),
        ..Filter::default()
    };
    assert_eq!(queue.count(&buried).await, Ok(1));
    // It is given up: its mark is, too. A replay gives it all its chances again.
    let keys = ["k".to_owned()];
    assert_eq!(queue.seen("leads", &keys, now_ms).await, Ok(vec![false]));
    let replay = Change::Replay {
        due_ms: now_ms,
        force: false,
    };
    assert_eq!(queue.change(&buried, replay, 9, now_ms).await, Ok(1));
    lost(LEASES_LOST_MAX - 1, &mut now_ms).await;
    let again = queue.lease("crm", 1, now_ms + 9, now_ms).await.unwrap();
    assert_eq!(again.len(), 1);
}

pub(crate) async fn order(queue: &impl Queue) {
    for (id, key) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a")] {
        store(queue, ordered(id, "crm", key)).await;
    }
    let first = take(queue, "crm", 9).await;
    assert_eq!(events(&first), ["a1", "b1"]);
    assert!(take(queue, "crm", 9).await.is_empty());
    // One that is tried later keeps its place, and the others behind it.
    let retry = Settlement::Retry {
        due_ms: NOW + 100,
        reason: reason("status"),
        progress: None,
    };
    assert_eq!(queue.settle(first[0].id, 1, retry, NOW).await, Ok(true));
    assert!(take(queue, "crm", 9).await.is_empty());
    let again = queue.lease("crm", 9, UNTIL, NOW + 100).await.unwrap();
    assert_eq!(events(&again), ["a1"]);
    assert_eq!(
        queue
            .settle(again[0].id, 2, Settlement::Done, NOW + 100)
            .await,
        Ok(true)
    );
    let second = take(queue, "crm", 9).await;
    assert_eq!(events(&second), ["a2"]);
    // One whose lease runs out is the first again.
    let third = queue.lease("crm", 9, UNTIL + 9, UNTIL).await.unwrap();
    let mut third = events(&third);
    third.sort_unstable();
    assert_eq!(third, ["a2", "b1"]);
}

pub(crate) async fn order_aside(queue: &impl Queue) {
    store(queue, ordered("a1", "crm", "a")).await;
    store(queue, ordered("a2", "crm", "a")).await;
    let mut harmful = ordered("a3", "crm", "a");
    harmful.duties[0].is_once = true;
    store(queue, harmful).await;
    store(queue, ordered("a4", "crm", "a")).await;
    let bury = Settlement::Bury {
        reason: reason("refused"),
        progress: None,
    };
    let first = take(queue, "crm", 9).await.remove(0);
    assert_eq!(queue.settle(first.id, 1, bury, NOW).await, Ok(true));
    let unknown = Settlement::Unknown {
        reason: reason("broke_off"),
        progress: None,
    };
    let second = take(queue, "crm", 9).await.remove(0);
    assert_eq!(second.event, "a2");
    assert_eq!(queue.settle(second.id, 1, unknown, NOW).await, Ok(true));
    assert_eq!(events(&take(queue, "crm", 9).await), ["a3"]);
    // Its lease runs out, and nobody knows what it did: the next one goes.
    assert_eq!(
        events(&queue.lease("crm", 9, UNTIL + 9, UNTIL).await.unwrap()),
        ["a4"]
    );
}

pub(crate) async fn order_replayed(queue: &impl Queue) {
    for id in ["a1", "a2", "a3"] {
        store(queue, ordered(id, "crm", "a")).await;
    }
    let first = take(queue, "crm", 9).await.remove(0);
    let bury = Settlement::Bury {
        reason: reason("refused"),
        progress: None,
    };
    assert_eq!(queue.settle(first.id, 1, bury, NOW).await, Ok(true));
    let second = take(queue, "crm", 9).await.remove(0);
    // While the second is under way the first waits; then it goes before the third.
    let filter = Filter {
        id: Some(first.id),
        ..Filter::default()
    };
    let replay = Change::Replay {
        due_ms: NOW,
        force: false,
    };
    assert_eq!(queue.change(&filter, replay, 9, NOW).await, Ok(1));
    assert!(take(queue, "crm", 9).await.is_empty());
    assert_eq!(
        queue.settle(second.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    let again = take(queue, "crm", 9).await;
    assert_eq!((events(&again), again[0].attempt), (vec!["a1"], 2));
    assert_eq!(
        queue.settle(first.id, 2, Settlement::Done, NOW).await,
        Ok(true)
    );
    assert_eq!(events(&take(queue, "crm", 9).await), ["a3"]);
}

pub(crate) async fn next_due(queue: &impl Queue) {
    let mut early = ordered("a1", "crm", "a");
    early.duties[0].due_ms = NOW + 50;
    store(queue, early).await;
    // It is due at once, but behind the first: asking for it would be in vain.
    store(queue, ordered("a2", "crm", "a")).await;
    assert_eq!(queue.next_due("crm").await, Ok(Some(NOW + 50)));
    let lease = queue
        .lease("crm", 9, UNTIL, NOW + 50)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(queue.next_due("crm").await, Ok(Some(UNTIL)));
    assert_eq!(
        queue.settle(lease.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    assert_eq!(queue.next_due("crm").await, Ok(Some(NOW)));
    let lease = take(queue, "crm", 9).await.remove(0);
    assert_eq!(
        queue.settle(lease.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    assert_eq!(queue.next_due("crm").await, Ok(None));
}
