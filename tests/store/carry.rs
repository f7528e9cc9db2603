//! All that one store has, carried into another one.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pintle::store::{
    Became, Change, Enqueued, Event, Filter, HELD_CONFLICT, Keep, PARTS, Part, Queue, Record,
    Settlement, State, Store,
};

use crate::fleet;
use crate::servers::cluster::Cluster;
use crate::servers::redis::Server;
use crate::support::{
    HOUR, NOW, UNTIL, duty, events, in_state, marked, once, options, ordered, reason, take,
};

async fn journal(folder: &Path) -> Store {
    Store::journal(&options(folder), NOW).await.unwrap()
}

async fn redis(server: &Server) -> Store {
    let redis = fleet::open(fleet::alone(server)).await;
    Store::fleet(Arc::new(redis), None, NOW).await.unwrap()
}

async fn cluster(cluster: &Cluster) -> Store {
    let redis = fleet::open(fleet::several(cluster)).await;
    Store::fleet(Arc::new(redis), None, NOW).await.unwrap()
}

async fn stored(store: &Store, event: Event) {
    let became = store.enqueue(event, NOW).await.unwrap();
    assert!(matches!(became, Enqueued::Stored { .. }), "{became:?}");
}

/// An event whose mark is given back when it is given up.
fn claiming(id: &str, key: &str) -> Event {
    let mut event = marked(id, key);
    event.marks[0].after_success = true;
    event
}

async fn settled(store: &Store, target: &str, settlement: Settlement) {
    let lease = take(store, target, 1).await.remove(0);
    let settled = store.settle(lease.id, lease.attempt, settlement, NOW).await;
    assert_eq!(settled, Ok(true));
}

/// Fills a store with something of each kind.
async fn fill(store: &Store) {
    let bury = || Settlement::Bury {
        reason: reason("status"),
        progress: None,
    };
    stored(store, marked("taken", "old")).await;
    settled(store, "crm", Settlement::Done).await;
    stored(store, claiming("given up", "free")).await;
    settled(store, "crm", bury()).await;
    stored(store, once("doubtful", "crm")).await;
    let unknown = Settlement::Unknown {
        reason: reason("timeout"),
        progress: Some(Bytes::from_static(b"half")),
    };
    settled(store, "crm", unknown).await;
    let mut shared = claiming("shared", "held");
    shared.duties.push(duty("mail"));
    stored(store, shared).await;
    settled(store, "mail", Settlement::Done).await;
    for progress in [None, Some(Bytes::from_static(b"{\"step\":2}"))] {
        let retry = Settlement::Retry {
            due_ms: NOW,
            reason: reason("status"),
            progress,
        };
        settled(store, "crm", retry).await;
    }
    for id in ["first", "second"] {
        stored(store, ordered(id, "erp", "a")).await;
    }
    let mut empty = ordered("empty", "erp", "");
    empty.body = Bytes::new();
    stored(store, empty).await;
    for (key, until_ms) in [("+14045550139", NOW + HOUR), ("gone", NOW)] {
        let keep = Keep {
            space: "do_not_call".to_owned(),
            key: key.to_owned(),
            value: Bytes::from_static(b"true"),
            until_ms,
        };
        store.keep(keep, NOW).await.unwrap();
    }
    for _ in 0..3 {
        store.tally("turns", "k", NOW + HOUR, NOW).await.unwrap();
    }
}

/// All that a store has, marks and values in the order of their lines.
async fn all(store: &Store) -> Vec<Record> {
    let mut all = Vec::new();
    for part in PARTS {
        let (mut found, mut after) = (Vec::new(), Some(0));
        while let Some(place) = after {
            let (records, next) = store.dump(part, place, NOW).await.unwrap();
            found.extend(records);
            after = next;
        }
        if part != Part::Events {
            found.sort_by_key(Record::write);
        }
        all.extend(found);
    }
    all
}

async fn carried(records: &[Record], to: &Store) -> Vec<Became> {
    let mut became = Vec::new();
    for record in records {
        // As it is in a file.
        let read = Record::read(record.write().as_bytes()).unwrap();
        became.push(to.carry(&read, NOW).await.unwrap());
    }
    became
}

/// What was carried goes on where it was.
async fn goes_on(store: &Store) {
    let lease = take(store, "crm", 9).await.remove(0);
    assert_eq!((lease.event.as_str(), lease.attempt), ("shared", 3));
    assert_eq!(lease.progress.as_deref(), Some(&b"{\"step\":2}"[..]));
    assert_eq!(events(&take(store, "erp", 9).await), ["first", "empty"]);
    for (key, known) in [("old", true), ("held", true), ("free", false)] {
        let seen = store.seen("leads", &[key.to_owned()], NOW).await;
        assert_eq!(seen, Ok(vec![known]), "{key}");
    }
    let repeat = store.enqueue(marked("again", "old"), NOW).await.unwrap();
    let Enqueued::Repeated { answer, .. } = repeat else {
        panic!("{repeat:?}");
    };
    assert_eq!(answer, "answer to taken");
    // Replayed, what was given up holds its mark again.
    let replay = Change::Replay {
        due_ms: NOW,
        force: false,
    };
    let buried = in_state(State::Buried);
    assert_eq!(store.change(&buried, replay, 9, NOW).await, Ok(1));
    let seen = store.seen("leads", &["free".to_owned()], NOW).await;
    assert_eq!(seen, Ok(vec![true]));
    assert_eq!(store.tallied("turns", "k", NOW).await, Ok(3));
    let kept = store.kept("do_not_call", "+14045550139", NOW).await;
    assert_eq!(kept, Ok(Some(Bytes::from_static(b"true"))));
}

#[tokio::test]
async fn all_that_a_store_has_goes_into_another_once_and_goes_on_there() {
    let server = fleet::single();
    let folder = tempfile::tempdir().unwrap();
    let first = journal(folder.path()).await;
    fill(&first).await;
    let records = all(&first).await;
    // Five events with something left, marks `old` and `held`, one value, one counter.
    assert_eq!(records.len(), 6 + 2 + 1 + 1, "{records:#?}");
    let other = tempfile::tempdir().unwrap();
    let nodes = fleet::cluster();
    let mut from = first;
    for to in [
        redis(&server).await,
        cluster(&nodes).await,
        journal(other.path()).await,
    ] {
        let records = all(&from).await;
        let became = carried(&records, &to).await;
        // The mark of an event came with the event.
        let known = became.iter().filter(|became| **became == Became::Known);
        assert_eq!(known.count(), 1, "{became:?}");
        assert_eq!(all(&to).await, records);
        let again = carried(&records, &to).await;
        assert!(again.iter().all(|became| *became == Became::Known));
        assert_eq!(all(&to).await, records);
        from = to;
    }
    goes_on(&from).await;
    let redis = redis(&server).await;
    fill(&redis).await;
    assert_eq!(all(&redis).await.len(), records.len());
    goes_on(&redis).await;
}

#[tokio::test]
async fn more_than_a_page_goes_over_in_its_order() {
    let server = fleet::single();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (journal(folder.path()).await, redis(&server).await);
    for n in 0..1_203 {
        let mut event = ordered(&format!("{n}"), "crm", "one");
        event.marks = marked("", &format!("key {n}")).marks;
        stored(&from, event).await;
    }
    let records = all(&from).await;
    assert_eq!(records.len(), 2 * 1_203);
    carried(&records, &to).await;
    assert_eq!(all(&to).await, records);
    let back = tempfile::tempdir().unwrap();
    let back = journal(back.path()).await;
    carried(&all(&to).await, &back).await;
    assert_eq!(all(&back).await, records);
}

#[tokio::test]
async fn what_a_later_push_has_taken_is_set_aside_and_never_lost() {
    let server = fleet::single();
    let folder = tempfile::tempdir().unwrap();
    let from = journal(folder.path()).await;
    stored(&from, claiming("same", "k")).await;
    let mut batch = claiming("batch", "a");
    batch.marks.extend(claiming("", "b").marks);
    stored(&from, batch).await;
    let records = all(&from).await;
    let other = tempfile::tempdir().unwrap();
    for to in [redis(&server).await, journal(other.path()).await] {
        // The sender made its push again, to the new store; and one that is part of a batch.
        stored(&to, marked("new", "k")).await;
        stored(&to, marked("part", "a")).await;
        let became = carried(&records[..2], &to).await;
        assert_eq!(became, [Became::Known, Became::SetAside]);
        assert_eq!(events(&take(&to, "crm", 9).await), ["new", "part"]);
        let aside = Filter {
            class: Some(HELD_CONFLICT.to_owned()),
            state: Some(State::Buried),
            ..Filter::default()
        };
        let listed = to.list(&aside, None, 9).await.unwrap();
        assert_eq!(listed[0].event, "batch");
        assert_eq!(carried(&records[..2], &to).await, [Became::Known; 2]);
    }
}

#[tokio::test]
async fn a_greater_count_and_what_is_there_stay() {
    let server = fleet::single();
    let folder = tempfile::tempdir().unwrap();
    let from = journal(folder.path()).await;
    fill(&from).await;
    let records = all(&from).await;
    let other = tempfile::tempdir().unwrap();
    for to in [redis(&server).await, journal(other.path()).await] {
        for _ in 0..5 {
            to.tally("turns", "k", UNTIL, NOW).await.unwrap();
        }
        let keep = Keep {
            space: "do_not_call".to_owned(),
            key: "+14045550139".to_owned(),
            value: Bytes::from_static(b"newer"),
            until_ms: UNTIL,
        };
        to.keep(keep.clone(), NOW).await.unwrap();
        carried(&records, &to).await;
        assert_eq!(to.tallied("turns", "k", NOW).await, Ok(5));
        let kept = to.kept("do_not_call", "+14045550139", NOW).await;
        assert_eq!(kept, Ok(Some(keep.value)));
    }
}
