//! A Redis that is away, full, read-only, too old, or none at all.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use pintle::secret::Secret;
use pintle::store::redis::{Acknowledged, Options, Unfit};
use pintle::store::{Filter, Queue, Redis, Settlement, State, StoreFailure};

use crate::fleet::{alone, open, options, place};
use crate::servers::redis::Server;
use crate::support::{NOW, UNTIL, event, events, in_state, marked, once, store, take};

async fn refused(options: Options) -> Unfit {
    match Redis::open(options).await {
        Ok(_) => panic!("it was taken"),
        Err(unfit) => unfit,
    }
}

/// Waits until it takes writes.
async fn up(store: &Redis) {
    let end = Instant::now() + Duration::from_secs(20);
    while let Err(failure) = store.probe().await {
        assert!(Instant::now() < end, "{failure}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_was_stored_outlives_the_death_of_redis() {
    let mut server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let redis = open(alone(&server)).await;
    store(&redis, marked("a", "k")).await;
    let lease = take(&redis, "crm", 1).await.remove(0);
    store(&redis, event("b", "crm")).await;
    server.kill();
    let begun = Instant::now();
    for _ in 0..50 {
        let refused = redis.enqueue(event("c", "crm"), NOW).await;
        assert!(matches!(refused, Err(StoreFailure::Unreachable { .. })));
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{begun:?}");
    server.start_again();
    up(&redis).await;
    assert_eq!(events(&take(&redis, "crm", 9).await), ["b"]);
    let settled = redis.settle(lease.id, 1, Settlement::Done, NOW).await;
    assert_eq!(settled, Ok(true));
    assert_eq!(redis.count(&Filter::default()).await, Ok(2));
    redis.close().await;
    assert!(redis.probe().await.is_err());
}

#[tokio::test]
async fn scripts_that_were_lost_are_loaded_again() {
    let server = Server::start();
    let redis = open(alone(&server)).await;
    store(&redis, event("a", "crm")).await;
    server.client().ask(&["SCRIPT", "FLUSH"]);
    store(&redis, event("b", "crm")).await;
    assert_eq!(events(&take(&redis, "crm", 9).await), ["a", "b"]);
}

#[tokio::test]
async fn a_redis_that_forgets_is_refused_unless_it_may() {
    let server = Server::with(&["--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"]);
    let evicts = refused(options(alone(&server))).await;
    assert!(matches!(&evicts, Unfit::Evicts { policy, .. } if policy == "allkeys-lru"));
    let server = Server::with(&[]);
    let forgets = refused(options(alone(&server))).await;
    assert!(matches!(forgets, Unfit::Forgets { .. }), "{forgets}");
    let allowed = Options {
        may_forget: true,
        ..options(alone(&server))
    };
    let redis = Redis::open(allowed).await.unwrap();
    store(&redis, event("a", "crm")).await;
    // Snapshots are enough.
    server.client().ask(&["CONFIG", "SET", "save", "3600 1"]);
    store(&open(alone(&server)).await, event("a", "crm")).await;
}

#[tokio::test]
async fn a_replica_is_refused_and_one_that_becomes_a_master_is_taken() {
    let (master, server) = (Server::start(), Server::start());
    let redis = open(alone(&server)).await;
    let mut client = server.client();
    let port = master.port.to_string();
    assert_eq!(client.ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    let failed = redis.enqueue(event("a", "crm"), NOW).await;
    let Err(StoreFailure::Unwritable { what }) = failed else {
        panic!("{failed:?}");
    };
    assert!(what.contains("is a replica"), "{what}");
    let unfit = refused(options(alone(&server))).await;
    assert!(matches!(unfit, Unfit::Replica { .. }), "{unfit}");
    assert_eq!(client.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    up(&redis).await;
    store(&redis, event("b", "crm")).await;
}

#[tokio::test]
async fn what_is_no_redis_is_named() {
    let answers: [(&'static [u8], &str); 4] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no Redis"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "is no Redis"),
        (b"$21\r\nredis_version:5.0.7\r\n\r\n", "version 5.0.7"),
        (b"$5\r\nhello\r\n", "is no Redis"),
    ];
    for (answer, wanted) in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(3) {
                let mut stream = stream.unwrap();
                let mut asked = [0; 4096];
                while stream.read(&mut asked).is_ok_and(|count| count > 0) {
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
            }
        });
        let places = pintle::store::redis::Places::Single {
            place: place(port),
            database: 0,
        };
        let unfit = refused(options(places)).await.to_string();
        assert!(unfit.contains(wanted), "{unfit}");
    }
}

#[tokio::test]
async fn a_full_redis_takes_nothing_in_and_lets_the_rest_go_on() {
    let server = Server::start();
    let redis = open(alone(&server)).await;
    for id in ["a", "b", "c"] {
        store(&redis, event(id, "crm")).await;
    }
    let lease = take(&redis, "crm", 1).await.remove(0);
    let mut client = server.client();
    assert_eq!(client.ask(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
    let refused = redis.enqueue(event("d", "crm"), NOW).await;
    assert!(
        matches!(refused, Err(StoreFailure::Full { .. })),
        "{refused:?}"
    );
    let noted = redis.progress(lease.id, 1, "p".into(), NOW).await;
    assert_eq!(noted, Ok(true));
    let settled = redis.settle(lease.id, 1, Settlement::Done, NOW).await;
    assert_eq!(settled, Ok(true));
    let next = take(&redis, "crm", 1).await;
    assert_eq!(events(&next), ["b"]);
    let bury = pintle::store::Change::Bury;
    assert_eq!(redis.change(&Filter::default(), bury, 9, NOW).await, Ok(1));
    let nothing = pintle::store::Retention {
        done_ms: 0,
        buried_ms: 0,
    };
    assert_eq!(redis.sweep(nothing, UNTIL).await, Ok(2));
    assert_eq!(
        events(&redis.lease("crm", 9, UNTIL + 9, UNTIL).await.unwrap()),
        ["b"]
    );
    assert_eq!(client.ask(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    store(&redis, event("e", "crm")).await;
    let small = Options {
        bytes_max: 1000,
        ..options(alone(&server))
    };
    let redis = Redis::open(small).await.unwrap();
    let refused = redis.enqueue(event("d", "crm"), NOW).await;
    assert!(matches!(refused, Err(StoreFailure::Full { bytes }) if bytes > 1000));
}

#[tokio::test]
async fn a_password_lets_in_and_is_never_told() {
    let server = Server::with(&["--appendonly", "yes", "--requirepass", "hunter2-hunter2"]);
    let with = |password: Option<&str>| Options {
        password: password.map(|password| Secret::new(password.to_owned())),
        ..options(alone(&server))
    };
    for wrong in [None, Some("hunter3-hunter3")] {
        let unfit = refused(with(wrong)).await;
        assert!(matches!(unfit, Unfit::Locked { .. }), "{unfit}");
        assert!(!format!("{unfit} {unfit:?}").contains("hunter"), "{unfit}");
    }
    let redis = Redis::open(with(Some("hunter2-hunter2"))).await.unwrap();
    store(&redis, event("a", "crm")).await;
}

#[tokio::test]
async fn leases_that_nobody_saw_are_given_back() {
    let server = Server::start();
    let quick = Options {
        answer: Duration::from_millis(300),
        ..options(alone(&server))
    };
    let redis = Redis::open(quick).await.unwrap();
    store(&redis, once("a", "crm")).await;
    // The server takes the request, and its answer comes to nobody.
    server.signal("STOP");
    let lost = redis.lease("crm", 1, UNTIL, NOW).await;
    assert!(
        matches!(lost, Err(StoreFailure::Unreachable { .. })),
        "{lost:?}"
    );
    server.signal("CONT");
    up(&redis).await;
    let end = Instant::now() + Duration::from_secs(10);
    let lease = loop {
        if let Some(lease) = take(&redis, "crm", 1).await.pop() {
            break lease;
        }
        assert!(Instant::now() < end, "it stays leased");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((lease.attempt, lease.is_once), (1, true));
    assert_eq!(redis.count(&in_state(State::Unknown)).await, Ok(0));
    // A caller that leaves.
    store(&redis, once("b", "mail")).await;
    server.signal("STOP");
    let leaving = redis.lease("mail", 1, UNTIL, NOW);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), leaving)
            .await
            .is_err()
    );
    server.signal("CONT");
    let end = Instant::now() + Duration::from_secs(10);
    while take(&redis, "mail", 1).await.is_empty() {
        assert!(Instant::now() < end, "it stays leased");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn another_process_hears_the_bell_at_once() {
    let server = Server::start();
    let shared = options(alone(&server));
    let other = Options {
        prefix: shared.prefix.clone(),
        ..options(alone(&server))
    };
    let (here, there) = (
        Redis::open(shared).await.unwrap(),
        Redis::open(other).await.unwrap(),
    );
    let (begun, heard) = tokio::join!(
        async {
            // Whoever does not listen yet hears nothing, and asks by itself after a while.
            let end = Instant::now() + Duration::from_secs(10);
            while !server
                .client()
                .ask(&["CLIENT", "LIST"])
                .contains("cmd=xread")
            {
                assert!(Instant::now() < end, "it never listens");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let begun = Instant::now();
            store(&here, event("a", "crm")).await;
            begun
        },
        async {
            let rung = there.rung().await;
            (rung, Instant::now())
        }
    );
    assert_eq!(heard.0.unwrap().into_iter().collect::<Vec<_>>(), ["crm"]);
    let delay = heard.1 - begun;
    assert!(delay < Duration::from_millis(500), "{delay:?}");
}

#[tokio::test]
async fn a_push_counts_when_its_replicas_have_it() {
    let server = Server::start();
    let strict = Options {
        acknowledged_by: Acknowledged::Replicas(1),
        answer: Duration::from_millis(500),
        ..options(alone(&server))
    };
    let redis = Redis::open(strict).await.unwrap();
    let refused = redis.enqueue(marked("a", "k"), NOW).await;
    let Err(StoreFailure::Unwritable { what }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(what, "0 replicas of Redis have it, and 1 must");
    let replica = Server::start();
    let (mut client, port) = (replica.client(), server.port.to_string());
    client.ask(&["REPLICAOF", "127.0.0.1", &port]);
    let end = Instant::now() + Duration::from_secs(20);
    // The replica says so before its master counts it: the master is asked.
    while server.client().ask(&["WAIT", "1", "100"]) != "1" {
        assert!(Instant::now() < end, "it never follows");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Now it counts, also for the one who comes again.
    let repeat = redis.enqueue(marked("b", "k"), NOW).await;
    assert!(repeat.is_ok(), "{repeat:?}");
    store(&redis, event("c", "crm")).await;
    assert_eq!(client.ask(&["DBSIZE"]), server.client().ask(&["DBSIZE"]));
}
