//! The journal's file: opened again, taken, of another version, full.

use bytes::Bytes;
use pintle::store::{
    Change, Enqueued, Filter, Journal, OpenFault, Options, Queue, Retention, Settlement, State,
    StoreFailure,
};

use crate::support::{
    HOUR, NOW, UNTIL, event, events, in_state, marked, once, open, options, ordered, reason, store,
    take,
};

#[tokio::test]
async fn opened_again_it_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    store(&journal, marked("a", "k")).await;
    store(&journal, once("b", "mail")).await;
    store(&journal, ordered("c", "sms", "o")).await;
    store(&journal, ordered("d", "sms", "o")).await;
    let lease = take(&journal, "mail", 1).await.remove(0);
    let first = take(&journal, "sms", 1).await.remove(0);
    let bury = Settlement::Bury {
        reason: reason("refused"),
        progress: None,
    };
    assert_eq!(journal.settle(first.id, 1, bury, NOW).await, Ok(true));
    let before = journal.list(&Filter::default(), None, 9).await.unwrap();
    journal.close().await;
    assert_eq!(journal.probe().await, Err(StoreFailure::Closed));

    let journal = open(folder.path());
    let after = journal.list(&Filter::default(), None, 9).await.unwrap();
    assert_eq!(before, after);
    let repeat = journal.enqueue(marked("z", "k"), NOW).await;
    let answer = Bytes::from("answer to a");
    assert_eq!(
        repeat,
        Ok(Enqueued::Repeated {
            marks: vec![0],
            answer
        })
    );
    assert_eq!(
        journal.settle(lease.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    assert_eq!(events(&take(&journal, "sms", 9).await), ["d"]);
    store(&journal, event("e", "crm")).await;
    assert_eq!(events(&take(&journal, "crm", 9).await), ["a", "e"]);
    journal.close().await;
}

#[tokio::test]
async fn an_id_is_not_given_again_after_its_delivery_was_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    store(&journal, event("a", "crm")).await;
    let old = take(&journal, "crm", 1).await.remove(0);
    assert_eq!(
        journal.settle(old.id, 1, Settlement::Done, NOW).await,
        Ok(true)
    );
    let retention = Retention {
        done_ms: 0,
        buried_ms: 0,
    };
    assert_eq!(journal.sweep(retention, NOW).await, Ok(1));
    journal.close().await;
    let journal = open(folder.path());
    store(&journal, event("b", "crm")).await;
    assert!(take(&journal, "crm", 1).await[0].id > old.id);
    journal.close().await;
}

#[tokio::test]
async fn a_second_one_cannot_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let second = Journal::open(&options(folder.path()));
    let taken = second.unwrap_err();
    assert!(matches!(taken, OpenFault::Taken { .. }), "{taken}");
    journal.close().await;
    open(folder.path()).close().await;
}

#[tokio::test]
async fn a_file_of_a_later_version_or_of_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().await;
    let file = folder.path().join("journal.sqlite");
    rusqlite::Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let newer = Journal::open(&options(folder.path())).unwrap_err();
    assert!(
        matches!(newer, OpenFault::Newer { version: 99, .. }),
        "{newer}"
    );

    std::fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE theirs(a)").unwrap();
    drop(other);
    let foreign = Journal::open(&options(folder.path())).unwrap_err();
    assert!(matches!(foreign, OpenFault::Foreign { .. }), "{foreign}");

    std::fs::write(
        &file,
        "no database at all, but long enough to be looked at as one",
    )
    .unwrap();
    let broken = Journal::open(&options(folder.path())).unwrap_err();
    assert!(matches!(broken, OpenFault::Broken { .. }), "{broken}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let fault = Journal::open(&options(&file.join("below"))).unwrap_err();
    assert!(matches!(fault, OpenFault::Folder { .. }), "{fault}");
}

#[tokio::test]
async fn a_full_one_takes_nothing_more_and_settles_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&Options {
        bytes_max: 1 << 20,
        ..options(folder.path())
    })
    .unwrap();
    let large = |n: usize| {
        let mut large = marked(&format!("e{n}"), &format!("k{n}"));
        large.body = Bytes::from(vec![b'x'; 10_000]);
        large
    };
    let mut count = 0;
    let full = loop {
        match journal.enqueue(large(count), NOW).await {
            Ok(_) => count += 1,
            Err(failure) => break failure,
        }
        assert!(count < 200, "it never was full");
    };
    assert!(
        matches!(full, StoreFailure::Full { bytes } if bytes > 900_000),
        "{full:?}"
    );
    assert!(count > 80, "{count}");
    // A repeat is known all the same, and what is there goes out.
    let repeat = journal.enqueue(large(0), NOW).await;
    assert!(
        matches!(repeat, Ok(Enqueued::Repeated { .. })),
        "{repeat:?}"
    );
    assert_eq!(journal.probe().await, Ok(()));
    for lease in take(&journal, "crm", 20).await {
        let done = journal.settle(lease.id, 1, Settlement::Done, NOW).await;
        assert_eq!(done, Ok(true));
    }
    let retention = Retention {
        done_ms: 0,
        buried_ms: 0,
    };
    assert_eq!(journal.sweep(retention, NOW).await, Ok(20));
    // Its room is used again.
    store(&journal, large(count)).await;
    journal.close().await;
}

#[tokio::test]
async fn more_than_may_wait_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&Options {
        queue_max: 2,
        ..options(folder.path())
    })
    .unwrap();
    let many = (0..500).map(|n| journal.enqueue(event(&format!("e{n}"), "crm"), NOW));
    let became = futures_util::future::join_all(many).await;
    let stored = became.iter().filter(|one| one.is_ok()).count();
    assert!(became.contains(&Err(StoreFailure::Crowded)));
    let kept = journal.count(&Filter::default()).await.unwrap();
    assert_eq!(kept, u64::try_from(stored).unwrap());
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_a_caller_who_has_gone_are_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    for n in 0..20 {
        store(&journal, once(&format!("e{n}"), "crm")).await;
    }
    for turn in 0..200 {
        // It leaves after being polled once or a few times more.
        let lease = journal.lease("crm", 5, UNTIL, NOW);
        let mut left = Box::pin(lease);
        let mut polls = 0;
        let gone = std::future::poll_fn(|context| {
            polls += 1;
            match left.as_mut().poll(context) {
                std::task::Poll::Ready(leases) => std::task::Poll::Ready(leases.ok()),
                std::task::Poll::Pending if polls > turn % 2 => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await;
        drop(left);
        for lease in gone.unwrap_or_default() {
            let again = Settlement::Retry {
                due_ms: NOW,
                reason: reason("again"),
                progress: None,
            };
            let settled = journal.settle(lease.id, lease.attempt, again, NOW).await;
            assert_eq!(settled, Ok(true));
        }
    }
    // What is given back is written after what was asked before: twice, as a lease may be under way.
    assert_eq!(journal.probe().await, Ok(()));
    assert_eq!(journal.probe().await, Ok(()));
    assert_eq!(journal.count(&in_state(State::Waiting)).await, Ok(20));
    journal.close().await;
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    old.execute_batch(include_str!("version-1.sql")).unwrap();
    // The name of a mark is half a digest of the route with its length, and the key.
    old.execute(
        "INSERT INTO marks VALUES (1, ?1, ?2, ?3, ?4)",
        (NOW + HOUR, named("leads", "k"), [7u8; 32], b"answer to a"),
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let journal = open(folder.path());
        let repeat = journal.enqueue(marked("c", "k"), NOW).await;
        let answer = Bytes::from("answer to a");
        let marks = vec![0];
        assert_eq!(repeat, Ok(Enqueued::Repeated { marks, answer }));
        journal.close().await;
    }
    let journal = open(folder.path());
    store(&journal, marked("c", "new")).await;
    let leases = take(&journal, "crm", 9).await;
    assert_eq!(events(&leases), ["a", "c"]);
    assert_eq!(leases[0].body, event("a", "crm").body);
    assert_eq!(journal.count(&in_state(State::Buried)).await, Ok(1));
    let replay = Change::Replay {
        due_ms: NOW,
        force: false,
    };
    let aside = in_state(State::Buried);
    let replayed = journal.change(&aside, replay, 9, NOW);
    assert_eq!(replayed.await, Ok(1));
    assert_eq!(take(&journal, "mail", 9).await[0].attempt, 2);
    journal.close().await;
    crate::crash::sound(folder.path());
}

/// The name under which a mark lies in the file.
fn named(route: &str, key: &str) -> [u8; 16] {
    let length = u64::try_from(route.len()).unwrap().to_le_bytes();
    let text = [&length, route.as_bytes(), key.as_bytes()].concat();
    let whole = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    whole.as_ref()[..16].try_into().unwrap()
}

#[tokio::test]
async fn what_was_given_back_stays_so_when_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let claimed = |id: &str| {
        let mut claimed = marked(id, "k");
        claimed.marks[0].after_success = true;
        claimed
    };
    store(&journal, claimed("a")).await;
    let lease = take(&journal, "crm", 1).await.remove(0);
    let bury = Settlement::Bury {
        reason: reason("refused"),
        progress: Some(Bytes::from_static(b"half")),
    };
    assert_eq!(journal.settle(lease.id, 1, bury, NOW).await, Ok(true));
    journal.close().await;
    let journal = open(folder.path());
    store(&journal, claimed("b")).await;
    journal.close().await;
    let journal = open(folder.path());
    let force = Change::Replay {
        due_ms: NOW,
        force: true,
    };
    let aside = in_state(State::Buried);
    assert_eq!(journal.change(&aside, force, 9, NOW).await, Ok(1));
    let leases = take(&journal, "crm", 9).await;
    assert_eq!(events(&leases), ["a", "b"]);
    assert_eq!(leases[0].progress, Some(Bytes::from_static(b"half")));
    journal.close().await;
}

#[tokio::test]
async fn what_was_leased_for_a_storer_who_has_gone_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    for n in 0..20 {
        let mut first = once(&format!("e{n}"), "crm");
        first.duties[0].leased_until_ms = Some(UNTIL);
        let mut left = Box::pin(journal.enqueue(first, NOW));
        assert!(futures_util::poll!(&mut left).is_pending());
        drop(left);
    }
    // What is given back is written after what was asked before.
    assert_eq!(journal.probe().await, Ok(()));
    assert_eq!(journal.probe().await, Ok(()));
    assert_eq!(journal.count(&in_state(State::Waiting)).await, Ok(20));
    assert_eq!(take(&journal, "crm", 1).await[0].attempt, 1);
    journal.close().await;
}
