//! Being changed from outside, and being forgotten.

use pintle::store::{Change, DeliveryId, Filter, Queue, Retention, Settlement, State};

use crate::support::{
    HOUR, NOW, UNTIL, duty, event, events, in_state, marked, once, reason, state, store, take,
};

const NOW_REPLAY: Change = Change::Replay {
    due_ms: NOW,
    force: false,
};

/// Stores one, hands it out and settles it.
async fn settled(queue: &impl Queue, id: &str, is_once: bool, how: Settlement) -> DeliveryId {
    let one = if is_once {
        once(id, "crm")
    } else {
        event(id, "crm")
    };
    store(queue, one).await;
    let lease = take(queue, "crm", 1).await.remove(0);
    assert_eq!(queue.settle(lease.id, 1, how, NOW).await, Ok(true));
    lease.id
}

fn buried() -> Settlement {
    Settlement::Bury {
        reason: reason("refused"),
        progress: None,
    }
}

fn unknown() -> Settlement {
    Settlement::Unknown {
        reason: reason("broke_off"),
        progress: None,
    }
}

pub(crate) async fn replay(queue: &impl Queue) {
    settled(queue, "a", false, buried()).await;
    settled(queue, "b", false, unknown()).await;
    settled(queue, "c", false, Settlement::Done).await;
    settled(queue, "d", true, buried()).await;
    let aside = in_state(State::Buried);
    assert_eq!(queue.change(&aside, NOW_REPLAY, 99, NOW).await, Ok(2));
    let all = Filter::default();
    assert_eq!(queue.change(&all, NOW_REPLAY, 99, NOW).await, Ok(2));
    // Doing it again changes nothing, so that a loop over it ends.
    assert_eq!(queue.change(&all, NOW_REPLAY, 99, NOW).await, Ok(0));
    let leases = take(queue, "crm", 9).await;
    assert_eq!(events(&leases), ["a", "b", "c", "d"]);
    assert!(leases.iter().all(|lease| lease.attempt == 2));
}

pub(crate) async fn force(queue: &impl Queue) {
    settled(queue, "a", true, Settlement::Done).await;
    settled(queue, "b", true, unknown()).await;
    let all = Filter::default();
    assert_eq!(queue.change(&all, NOW_REPLAY, 9, NOW).await, Ok(0));
    let force = Change::Replay {
        due_ms: NOW,
        force: true,
    };
    let only = in_state(State::Unknown);
    assert_eq!(queue.change(&only, force, 9, NOW).await, Ok(1));
    assert_eq!(events(&take(queue, "crm", 9).await), ["b"]);
}

pub(crate) async fn forward(queue: &impl Queue) {
    let mut later = event("a", "crm");
    later.duties[0].due_ms = NOW + HOUR;
    store(queue, later).await;
    assert!(take(queue, "crm", 9).await.is_empty());
    assert_eq!(
        queue.change(&Filter::default(), NOW_REPLAY, 9, NOW).await,
        Ok(1)
    );
    assert_eq!(events(&take(queue, "crm", 9).await), ["a"]);
}

pub(crate) async fn bury(queue: &impl Queue) {
    store(queue, event("a", "crm")).await;
    assert_eq!(
        queue.change(&Filter::default(), Change::Bury, 9, NOW).await,
        Ok(1)
    );
    let unknown = settled(queue, "b", false, unknown()).await;
    let done = settled(queue, "c", false, Settlement::Done).await;
    assert_eq!(
        queue.change(&Filter::default(), Change::Bury, 9, NOW).await,
        Ok(1)
    );
    assert_eq!(state(queue, unknown).await, State::Buried);
    assert_eq!(state(queue, done).await, State::Done);
    assert!(take(queue, "crm", 9).await.is_empty());
}

pub(crate) async fn under_way(queue: &impl Queue) {
    store(queue, event("a", "crm")).await;
    let lease = take(queue, "crm", 1).await.remove(0);
    let all = Filter::default();
    let force = Change::Replay {
        due_ms: NOW,
        force: true,
    };
    assert_eq!(queue.change(&all, force, 9, NOW).await, Ok(0));
    assert_eq!(queue.change(&all, Change::Bury, 9, NOW).await, Ok(0));
    assert_eq!(state(queue, lease.id).await, State::Leased);
    // Once its lease has run out it is under way no longer.
    assert_eq!(queue.change(&all, Change::Bury, 9, UNTIL).await, Ok(1));
    assert_eq!(
        queue.settle(lease.id, 1, Settlement::Done, NOW).await,
        Ok(false)
    );
}

pub(crate) async fn oldest(queue: &impl Queue) {
    for n in 0..5 {
        store(queue, event(&format!("e{n}"), "crm")).await;
    }
    let filter = Filter {
        target: Some("crm".to_owned()),
        ..Filter::default()
    };
    assert_eq!(queue.change(&filter, Change::Bury, 0, NOW).await, Ok(0));
    assert_eq!(queue.change(&filter, Change::Bury, 3, NOW).await, Ok(3));
    assert_eq!(events(&take(queue, "crm", 9).await), ["e3", "e4"]);
}

pub(crate) async fn sweep(queue: &impl Queue) {
    let retention = Retention {
        done_ms: HOUR,
        buried_ms: 2 * HOUR,
    };
    settled(queue, "done", false, Settlement::Done).await;
    settled(queue, "buried", false, buried()).await;
    let aside = settled(queue, "unknown", false, unknown()).await;
    store(queue, marked("waiting", "k")).await;
    assert_eq!(queue.sweep(retention, NOW + HOUR - 1).await, Ok(0));
    // The mark and what was delivered.
    assert_eq!(queue.sweep(retention, NOW + HOUR).await, Ok(2));
    assert_eq!(queue.count(&in_state(State::Done)).await, Ok(0));
    assert_eq!(queue.count(&Filter::default()).await, Ok(3));
    assert_eq!(queue.sweep(retention, NOW + 2 * HOUR).await, Ok(2));
    assert_eq!(queue.body(aside).await, Ok(None));
    // What waits is not forgotten, however old.
    assert_eq!(queue.sweep(retention, NOW + 9999 * HOUR).await, Ok(0));
    let left = take(queue, "crm", 9).await;
    assert_eq!(events(&left), ["waiting"]);
    // And no id comes a second time.
    assert!(left[0].id > aside);
}

pub(crate) async fn sweep_shared(queue: &impl Queue) {
    let retention = Retention {
        done_ms: 0,
        buried_ms: 0,
    };
    let mut both = event("e", "crm");
    both.duties.push(duty("mail"));
    let body = both.body.clone();
    store(queue, both).await;
    let first = take(queue, "crm", 1).await.remove(0);
    let second = take(queue, "mail", 1).await.remove(0);
    assert_eq!(
        queue.settle(first.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    assert_eq!(queue.sweep(retention, NOW).await, Ok(1));
    assert_eq!(queue.body(first.id).await, Ok(None));
    assert_eq!(queue.body(second.id).await, Ok(Some(body)));
    assert_eq!(
        queue.settle(second.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    assert_eq!(queue.sweep(retention, NOW).await, Ok(1));
    assert_eq!(queue.count(&Filter::default()).await, Ok(0));
}
