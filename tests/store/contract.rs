//! Coming in, being known as a repeat, being looked at.

use bytes::Bytes;
use futures_util::future::join_all;
use pintle::store::{DeliveryId, Enqueued, Filter, Queue, State};

use crate::support::{HOUR, NOW, UNTIL, duty, event, events, marked, ordered, store, take};

pub(crate) async fn once(queue: &impl Queue) {
    let copies = (0..100).map(|n| queue.enqueue(marked(&format!("e{n}"), "k"), NOW));
    let became: Vec<Enqueued> = join_all(copies)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let stored = |one: &&Enqueued| **one == (Enqueued::Stored { leased: vec![] });
    assert_eq!(became.iter().filter(stored).count(), 1);
    let leases = take(queue, "crm", 100).await;
    assert_eq!(leases.len(), 1);
    let answer = Bytes::from(format!("answer to {}", leases[0].event));
    for one in became.iter().filter(|one| !stored(one)) {
        assert_eq!(
            *one,
            Enqueued::Repeated {
                marks: vec![0],
                answer: answer.clone()
            }
        );
    }
}

pub(crate) async fn conflict(queue: &impl Queue) {
    store(queue, marked("first", "k")).await;
    let mut other = marked("second", "k");
    other.marks[0].digest = [8; 32];
    assert_eq!(
        queue.enqueue(other, NOW).await,
        Ok(Enqueued::Conflict { marks: vec![0] })
    );
    assert_eq!(events(&take(queue, "crm", 9).await), ["first"]);
}

pub(crate) async fn spaces(queue: &impl Queue) {
    store(queue, marked("first", "k")).await;
    let mut other = marked("second", "k");
    "calls".clone_into(&mut other.marks[0].space);
    store(queue, other).await;
    assert_eq!(queue.count(&Filter::default()).await, Ok(2));
}

pub(crate) async fn run_out(queue: &impl Queue) {
    store(queue, marked("first", "k")).await;
    let repeat = queue.enqueue(marked("second", "k"), NOW + HOUR - 1).await;
    assert!(
        matches!(repeat, Ok(Enqueued::Repeated { .. })),
        "{repeat:?}"
    );
    // A later one begins anew, with a time of its own.
    let mut later = marked("third", "k");
    later.marks[0].until_ms = NOW + 2 * HOUR;
    later.marks[0].digest = [9; 32];
    assert_eq!(
        queue.enqueue(later.clone(), NOW + HOUR).await,
        Ok(Enqueued::Stored { leased: vec![] })
    );
    let answer = Bytes::from("answer to third");
    let repeat = queue.enqueue(later, NOW + HOUR + 1).await;
    assert_eq!(
        repeat,
        Ok(Enqueued::Repeated {
            marks: vec![0],
            answer
        })
    );
}

pub(crate) async fn unmarked(queue: &impl Queue) {
    store(queue, event("first", "crm")).await;
    store(queue, event("second", "crm")).await;
    assert_eq!(queue.count(&Filter::default()).await, Ok(2));
}

pub(crate) async fn duties(queue: &impl Queue) {
    let mut both = event("e", "crm");
    both.duties.push(duty("mail"));
    both.duties.push(duty("crm"));
    store(queue, both).await;
    assert_eq!(events(&take(queue, "crm", 9).await), ["e", "e"]);
    assert_eq!(events(&take(queue, "mail", 9).await), ["e"]);
}

pub(crate) async fn kept(queue: &impl Queue) {
    let mut whole = ordered("e", "crm", "+1555");
    whole.body = Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    whole.received_ms = NOW - 5;
    store(queue, whole.clone()).await;
    let leases = take(queue, "crm", 1).await;
    let lease = &leases[0];
    assert_eq!((lease.attempt, lease.is_once), (1, false));
    assert_eq!((&lease.event, &lease.route), (&whole.id, &whole.route));
    assert_eq!(lease.order.as_deref(), Some("+1555"));
    assert_eq!(lease.content_type, whole.content_type);
    assert_eq!(lease.received_ms, NOW - 5);
    assert_eq!(lease.body, whole.body);
    assert_eq!(queue.body(lease.id).await, Ok(Some(whole.body)));
    assert_eq!(queue.body(DeliveryId(lease.id.0 + 1)).await, Ok(None));
    let listed = &queue.list(&Filter::default(), None, 9).await.unwrap()[0];
    assert_eq!((listed.state, listed.attempts), (State::Leased, 1));
    assert_eq!((listed.due_ms, listed.body_bytes), (UNTIL, 100_000));
}

/// How a filter is narrowed, and what it means then.
type Case<'a> = (&'a dyn Fn(&mut Filter), &'a [&'a str]);

pub(crate) async fn filters(queue: &impl Queue) {
    store(queue, event("a", "crm")).await;
    let mut other = ordered("b", "mail", "o");
    "calls".clone_into(&mut other.route);
    other.received_ms = NOW + 10;
    store(queue, other).await;
    let lease = take(queue, "mail", 1).await.remove(0);
    let text = |text: &str| Some(text.to_owned());
    let cases: [Case<'_>; 13] = [
        (&|_| {}, &["b", "a"]),
        (&|filter| filter.id = Some(lease.id), &["b"]),
        (&|filter| filter.event = text("a"), &["a"]),
        (&|filter| filter.route = text("calls"), &["b"]),
        (&|filter| filter.target = text("crm"), &["a"]),
        (&|filter| filter.state = Some(State::Waiting), &["a"]),
        (&|filter| filter.state = Some(State::Leased), &["b"]),
        (&|filter| filter.state = Some(State::Done), &[]),
        (&|filter| filter.class = text("status"), &[]),
        (&|filter| filter.order = text("o"), &["b"]),
        (&|filter| filter.from_ms = Some(NOW + 10), &["b"]),
        (&|filter| filter.before_ms = Some(NOW + 10), &["a"]),
        (
            &|filter| {
                filter.route = text("calls");
                filter.target = text("crm");
            },
            &[],
        ),
    ];
    for (narrow, wanted) in cases {
        let mut filter = Filter::default();
        narrow(&mut filter);
        let found = queue.list(&filter, None, 9).await.unwrap();
        let found: Vec<&str> = found.iter().map(|one| one.event.as_str()).collect();
        assert_eq!(found, wanted, "{filter:?}");
        let count = u64::try_from(wanted.len()).unwrap();
        assert_eq!(queue.count(&filter).await, Ok(count), "{filter:?}");
    }
}

pub(crate) async fn pages(queue: &impl Queue) {
    for n in 0..7 {
        store(queue, event(&format!("e{n}"), "crm")).await;
    }
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = queue.list(&Filter::default(), before, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        found.extend(page.into_iter().map(|one| one.event));
    }
    assert_eq!(found, ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]);
}

pub(crate) async fn probe(queue: &impl Queue) {
    assert_eq!(queue.probe().await, Ok(()));
}

pub(crate) async fn back(queue: &impl Queue) {
    store(queue, marked("e", "k")).await;
    let leases = take(queue, "crm", 1).await;
    // An hour back: the lease is as good as before, the mark too, and nothing is handed out twice.
    let early = NOW - HOUR;
    assert!(
        queue
            .lease("crm", 9, early + 1, early)
            .await
            .unwrap()
            .is_empty()
    );
    let repeat = queue.enqueue(marked("f", "k"), early).await;
    assert!(
        matches!(repeat, Ok(Enqueued::Repeated { .. })),
        "{repeat:?}"
    );
    let done = pintle::store::Settlement::Done;
    assert_eq!(queue.settle(leases[0].id, 1, done, early).await, Ok(true));
}
