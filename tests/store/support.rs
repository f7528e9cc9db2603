//! Events, leases and journals for tests.

use std::path::Path;

use bytes::Bytes;
use pintle::store::{
    DeliveryId, Duty, Enqueued, Event, Filter, Journal, Lease, Mark, Options, Queue, Reason, State,
    UnixMs,
};

/// When the tests begin.
pub(crate) const NOW: UnixMs = 1_700_000_000_000;
/// When their leases run out.
pub(crate) const UNTIL: UnixMs = NOW + 60_000;
pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn options(folder: &Path) -> Options {
    Options {
        folder: folder.to_owned(),
        bytes_max: 1 << 30,
        queue_max: 4096,
        batch_max: 1024,
    }
}

pub(crate) fn open(folder: &Path) -> Journal {
    Journal::open(&options(folder)).unwrap()
}

/// An event without a mark, owed to one target now.
pub(crate) fn event(id: &str, target: &str) -> Event {
    Event {
        id: id.to_owned(),
        route: "leads".to_owned(),
        marks: Vec::new(),
        content_type: "application/json".to_owned(),
        body: Bytes::from(format!("{{\"id\":\"{id}\"}}")),
        received_ms: NOW,
        duties: vec![duty(target)],
        keeps: Vec::new(),
    }
}

pub(crate) fn duty(target: &str) -> Duty {
    Duty {
        target: target.to_owned(),
        order: None,
        due_ms: NOW,
        is_once: false,
        leased_until_ms: None,
    }
}

/// The same, with an order key.
pub(crate) fn ordered(id: &str, target: &str, order: &str) -> Event {
    let mut event = event(id, target);
    event.duties[0].order = Some(order.to_owned());
    event
}

/// The same, whose effect must not happen twice.
pub(crate) fn once(id: &str, target: &str) -> Event {
    let mut event = event(id, target);
    event.duties[0].is_once = true;
    event
}

/// The same, with a mark for an hour.
pub(crate) fn marked(id: &str, key: &str) -> Event {
    let mut event = event(id, "crm");
    event.marks.push(Mark {
        space: event.route.clone(),
        key: key.to_owned(),
        digest: [7; 32],
        answer: Bytes::from(format!("answer to {id}")),
        until_ms: NOW + HOUR,
        after_success: false,
    });
    event
}

pub(crate) async fn store(queue: &impl Queue, event: Event) {
    assert_eq!(
        queue.enqueue(event, NOW).await.unwrap(),
        Enqueued::Stored { leased: vec![] }
    );
}

/// Takes what is due now.
pub(crate) async fn take(queue: &impl Queue, target: &str, max: usize) -> Vec<Lease> {
    queue.lease(target, max, UNTIL, NOW).await.unwrap()
}

/// The events of leases.
pub(crate) fn events(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.event.as_str()).collect()
}

pub(crate) fn reason(class: &str) -> Reason {
    Reason {
        class: class.to_owned(),
        status: Some(503),
    }
}

pub(crate) async fn state(queue: &impl Queue, id: DeliveryId) -> State {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    queue.list(&filter, None, 1).await.unwrap()[0].state
}

pub(crate) fn in_state(state: State) -> Filter {
    Filter {
        state: Some(state),
        ..Filter::default()
    }
}

/// A copy of a folder as it is now, as after a failure of power.
pub(crate) fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        // What is shared between connections is not there after a start of the machine.
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}
