//! Values and counters that are kept for a time.

use bytes::Bytes;
use pintle::store::{Enqueued, Journal, Keep, Options, Queue, Retention, StoreFailure, UnixMs};

use crate::support::{HOUR, NOW, event, marked, open, options, store};

fn keep(space: &str, key: &str, value: &'static str, until_ms: UnixMs) -> Keep {
    Keep {
        space: space.to_owned(),
        key: key.to_owned(),
        value: Bytes::from_static(value.as_bytes()),
        until_ms,
    }
}

async fn value(queue: &impl Queue, space: &str, key: &str, now_ms: UnixMs) -> Option<Bytes> {
    queue.kept(space, key, now_ms).await.unwrap()
}

const NOTHING: Retention = Retention {
    done_ms: 0,
    buried_ms: 0,
};

pub(crate) async fn values(queue: &impl Queue) {
    for one in [
        keep("s", "k", "first", NOW + 10),
        keep("s", "k", "second", NOW + HOUR),
        keep("t", "k", "other", NOW + 10),
    ] {
        assert_eq!(queue.keep(one, NOW).await, Ok(()));
    }
    let at = NOW + 9;
    assert_eq!(value(queue, "s", "k", at).await.unwrap(), "second");
    assert_eq!(value(queue, "t", "k", at).await.unwrap(), "other");
    assert_eq!(value(queue, "s", "other", at).await, None);
    assert_eq!(value(queue, "t", "k", NOW + 10).await, None);
    assert_eq!(value(queue, "s", "k", NOW + HOUR).await, None);
    assert_eq!(queue.sweep(NOTHING, NOW + 10).await, Ok(1));
    assert_eq!(queue.sweep(NOTHING, NOW + HOUR).await, Ok(1));
    assert_eq!(queue.sweep(NOTHING, NOW + HOUR).await, Ok(0));
}

pub(crate) async fn with_event(queue: &impl Queue) {
    let mut first = marked("e", "k");
    first.keeps = vec![
        keep("s", "a", "1", NOW + HOUR),
        keep("s", "b", "2", NOW + HOUR),
    ];
    store(queue, first.clone()).await;
    assert_eq!(value(queue, "s", "a", NOW).await.unwrap(), "1");
    // A repeat changes nothing.
    first.keeps = vec![keep("s", "a", "3", NOW + HOUR)];
    let repeat = queue.enqueue(first, NOW).await;
    assert!(matches!(repeat, Ok(Enqueued::Repeated { .. })));
    assert_eq!(value(queue, "s", "a", NOW).await.unwrap(), "1");
    assert_eq!(value(queue, "s", "b", NOW).await.unwrap(), "2");
}

pub(crate) async fn listed(queue: &impl Queue) {
    for key in ["b", "", "c", "a", "d"] {
        let one = keep("s", key, "v", NOW + if key == "c" { 1 } else { HOUR });
        assert_eq!(queue.keep(one, NOW).await, Ok(()));
    }
    assert_eq!(
        queue.keep(keep("t", "a", "v", NOW + HOUR), NOW).await,
        Ok(())
    );
    let (mut found, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let page = queue.kept_list("s", after.as_deref(), 2, NOW + 1).await;
        let page = page.unwrap();
        let Some(last) = page.last() else { break };
        assert_eq!(*last, keep("s", &last.key, "v", NOW + HOUR));
        after = Some(last.key.clone());
        found.extend(page.into_iter().map(|one| one.key));
    }
    assert_eq!(found, ["", "a", "b", "d"]);
}

pub(crate) async fn tallies(queue: &impl Queue) {
    for count in 1..4 {
        // Only the first says how long.
        let until_ms = NOW + 10 * i64::try_from(count).unwrap();
        assert_eq!(queue.tally("s", "k", until_ms, NOW).await, Ok(count));
    }
    assert_eq!(queue.tallied("s", "k", NOW + 9).await, Ok(3));
    assert_eq!(queue.tallied("s", "k", NOW + 10).await, Ok(0));
    assert_eq!(queue.tallied("t", "k", NOW).await, Ok(0));
    assert_eq!(queue.tally("s", "k", NOW + 30, NOW + 10).await, Ok(1));
    assert_eq!(queue.tallied("s", "k", NOW + 29).await, Ok(1));
    assert_eq!(queue.sweep(NOTHING, NOW + 30).await, Ok(1));
}

#[tokio::test]
async fn what_is_kept_outlives_the_process_and_counts_in_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    assert_eq!(
        journal.keep(keep("s", "k", "v", NOW + HOUR), NOW).await,
        Ok(())
    );
    assert_eq!(journal.tally("s", "k", NOW + HOUR, NOW).await, Ok(1));
    journal.close().await;
    let journal = Journal::open(&Options {
        bytes_max: 1 << 20,
        ..options(folder.path())
    })
    .unwrap();
    assert_eq!(value(&journal, "s", "k", NOW).await.unwrap(), "v");
    assert_eq!(journal.tally("s", "k", NOW + HOUR, NOW).await, Ok(2));
    let large = |n: usize| Keep {
        value: Bytes::from(vec![b'x'; 1 << 16]),
        ..keep("s", &n.to_string(), "", NOW + HOUR)
    };
    let mut count = 0;
    let full = loop {
        match journal.keep(large(count), NOW).await {
            Ok(()) => count += 1,
            Err(failure) => break failure,
        }
        assert!(count < 20, "it never was full");
    };
    assert!(matches!(full, StoreFailure::Full { .. }), "{full:?}");
    assert!(count > 10, "{count}");
    // So does what comes with an event; what is counted already goes on.
    let mut with = event("e", "crm");
    with.keeps = vec![large(count)];
    let refused = journal.enqueue(with, NOW).await;
    assert!(matches!(refused, Err(StoreFailure::Full { .. })));
    assert_eq!(journal.tally("s", "k", NOW + HOUR, NOW).await, Ok(3));
    journal.close().await;
}
