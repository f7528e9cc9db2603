//! Three replicas and a real Redis: what they share, and what is left when something dies.

mod moved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pintle::sandbox::Sandbox;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::child::Process;
use crate::inbound::{BODY, CALL, inbound_settings, receiver};
use crate::receiver::Receiver;
use crate::servers::redis::Server;
use crate::servers::wire::Wire;
use crate::support::{Client, fault, policies_with, sandbox_options, settings, until};

const ROBOTS: &str = "/service/cloud/robot";

/// Replicas with these settings besides.
fn replicas(count: usize, settings: &str) -> Vec<Process> {
    let started = (0..count).map(|_| Process::start_in(TempDir::new().unwrap(), settings));
    started.collect()
}

fn store(redis: &str) -> String {
    format!("store: {redis}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_logs_in_once_and_again_once_when_its_token_is_void() {
    let redis = Server::start();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("delay=200ms").at("/service/cloud/auth"));
    let settings = settings(
        &sandbox.url(),
        &format!("token: {{ rejection_age: 1ms }}\n{}", store(&redis.url())),
    );
    let fleet = replicas(3, &settings);
    let mut calls = JoinSet::new();
    for process in &fleet {
        for _ in 0..20 {
            let client = process.client();
            calls.spawn(async move { client.get(ROBOTS).await.status });
        }
    }
    for status in calls.join_all().await {
        assert_eq!(status, 200);
    }
    assert_eq!(sandbox.logins(), 1);
    // What Redis has of it is sealed.
    let token = sandbox.seen().last().unwrap().headers["authorization"].clone();
    let token = token
        .to_str()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let mut client = redis.client();
    let key = client.ask(&["KEYS", "*token*"]);
    assert!(key.contains("{pintle}:token:"), "{key}");
    let mut files = 0;
    for file in std::fs::read_dir(redis.log()).unwrap() {
        let kept = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !kept
                .windows(token.len())
                .any(|part| part == token.as_bytes())
        );
        files += 1;
    }
    assert!(files > 0);

    sandbox.revoke_tokens();
    let mut calls = JoinSet::new();
    for process in &fleet {
        for _ in 0..20 {
            let client = process.client();
            calls.spawn(async move { client.get(ROBOTS).await.status });
        }
    }
    for status in calls.join_all().await {
        assert_eq!(status, 200);
    }
    assert_eq!(sandbox.logins(), 2);
    // A replica that comes later needs no login.
    let late = replicas(1, &settings);
    assert_eq!(late[0].client().get(ROBOTS).await.status, 200);
    assert_eq!(sandbox.logins(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_and_dies_is_followed_by_another() {
    let redis = Server::start();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("delay=60s").at("/service/cloud/auth").times(1));
    let settings = settings(
        &sandbox.url(),
        &format!("token: {{ login: 2s }}\n{}", store(&redis.url())),
    );
    let mut first = replicas(1, &settings);
    until("the login", || !sandbox.seen().is_empty()).await;
    let second = replicas(1, &settings);
    first.remove(0).kill();
    let begun = Instant::now();
    assert_eq!(second[0].client().get(ROBOTS).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_for_the_fleet_and_for_each_alone_when_redis_is_away() {
    const PER_SECOND: usize = 200;
    const BURST: usize = 40;
    let redis = Server::start();
    let wire = Wire::to(redis.port);
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let folder = policies_with(
        "rate.yaml",
        &format!(
            "rates:\n  tried: {{ source: assumed, calls: [\"*\"], per: [account], \
         limits: [{{ max: {PER_SECOND}, per: 1s, burst: {BURST} }}] }}\n"
        ),
    );
    let policies = folder.path().join("policies");
    let url = format!("redis://127.0.0.1:{}", wire.port);
    let settings = settings(
        &sandbox.url(),
        &format!(
            "policies: {}\nstore: {{ url: \"{url}\", answer: 300ms, connect: 300ms }}\n",
            policies.display()
        ),
    );
    let fleet = replicas(3, &settings);
    for process in &fleet {
        process.client().get(ROBOTS).await;
    }
    let went = hammer(&fleet, Duration::from_secs(3)).await;
    // What a second allows more, for what was had ahead; and not much less than the rate.
    let most = PER_SECOND * 4 + BURST;
    assert!((PER_SECOND * 2..=most).contains(&went), "{went} of {most}");
    // Alone, each counts for itself, and nobody is held up by a Redis that says nothing.
    wire.cut(true);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let alone = hammer(&fleet, Duration::from_secs(2)).await;
    assert!(alone > PER_SECOND * 3, "{alone}");
    wire.cut(false);
}

/// How many calls went in this time, of as many as three clients each make.
async fn hammer(fleet: &[Process], time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for process in fleet {
        for _ in 0..3 {
            let client = process.client();
            callers.spawn(async move {
                let mut went = 0;
                while Instant::now() < end {
                    let patience = [("x-pintle-timeout", "100ms")];
                    let reply = client.send("GET", ROBOTS, &patience, "").await;
                    went += usize::from(reply.status == 200);
                    if reply.status != 200 {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                went
            });
        }
    }
    callers.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_a_replica_and_redis_die() {
    let mut redis = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let wire = Wire::to(redis.port);
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let app = Receiver::start().await;
    let of_fleet = |port: u16| {
        let receivers = receiver("app", &app, "effect: once, timeout: 2s");
        let more = format!(
            "store: {{ url: \"redis://127.0.0.1:{port}\", answer: 500ms, connect: 500ms }}"
        );
        inbound_settings(&sandbox.url(), &receivers, "", &more)
    };
    let direct = of_fleet(redis.port);
    let mut fleet = replicas(2, &direct);
    fleet.extend(replicas(1, &of_fleet(wire.port)));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let end = Instant::now() + Duration::from_secs(6);
    let mut pushing = JoinSet::new();
    for (at, process) in fleet.iter().enumerate() {
        let client = Client::new(process.public.as_ref().unwrap());
        let acknowledged = Arc::clone(&acknowledged);
        pushing.spawn(async move {
            for number in 0.. {
                if Instant::now() > end {
                    return;
                }
                let call = format!("call-{at}-{number}");
                let push = client.try_post(CALL, &BODY.replace("call-1", &call)).await;
                if push.is_some_and(|status| status == 200) {
                    acknowledged.lock().unwrap().insert(call);
                } else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    wire.cut(true);
    tokio::time::sleep(Duration::from_secs(1)).await;
    wire.cut(false);
    wire.reset();
    drop(fleet.remove(0).kill());
    tokio::time::sleep(Duration::from_secs(1)).await;
    redis.kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.start_again();
    pushing.join_all().await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    // Each is delivered once, or known to be unknown: never twice, and never gone.
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let delivered = delivered(&app);
        assert_eq!(delivered.values().filter(|times| **times > 1).count(), 0);
        let missing = acknowledged
            .iter()
            .filter(|call| !delivered.contains_key(*call));
        let unknown = unknown(&fleet[0]).await;
        if missing.count() <= unknown {
            break;
        }
        assert!(Instant::now() < end, "some are missing, {unknown} unknown");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How often each call came to the receiver.
fn delivered(app: &Receiver) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for one in app.received() {
        let body: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
        let call = body["CallID"].as_str().unwrap().to_owned();
        *times.entry(call).or_default() += 1;
    }
    times
}

async fn unknown(process: &Process) -> usize {
    let admin = Client::new(&process.admin);
    let listed = admin.get("/deliveries?state=unknown").await.json();
    listed["deliveries"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_calls_go_on_and_pushes_wait_or_are_held() {
    for (hold, status) in [("none", 503), ("journal", 200)] {
        let mut redis = Server::start();
        let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
        let app = Receiver::start().await;
        let more = format!(
            "store: {{ url: \"{}\", hold: {hold}, answer: 500ms, connect: 500ms }}",
            redis.url()
        );
        let receivers = receiver("app", &app, "");
        let settings = inbound_settings(&sandbox.url(), &receivers, "", &more);
        let process = replicas(1, &settings).remove(0);
        let public = Client::new(process.public.as_ref().unwrap());
        assert_eq!(process.client().get(ROBOTS).await.status, 200);
        redis.kill();
        let reply = public.post(CALL, BODY).await;
        assert_eq!(reply.status.as_u16(), status, "{hold}");
        assert_eq!(process.client().get(ROBOTS).await.status, 200);
        let ready = Client::new(&process.admin).get("/readyz").await;
        assert_eq!(ready.status.as_u16(), if status == 200 { 200 } else { 503 });
        let told = ready.json();
        assert_eq!(told["redis"]["writable"], false, "{told}");
        if status == 503 {
            assert!(reply.headers.contains_key("retry-after"));
        } else {
            assert_eq!(told["redis"]["held"], 1);
        }
        redis.start_again();
        if status == 200 {
            until("what was held", || app.count() == 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_wire_that_tears_everything_apart_changes_nothing() {
    let redis = Server::start();
    let wire = Wire::to(redis.port);
    wire.delay(Duration::from_millis(3));
    wire.pieces(7);
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let app = Receiver::start().await;
    let receivers = receiver("app", &app, "");
    let more = store(&format!("redis://127.0.0.1:{}", wire.port));
    let settings = inbound_settings(&sandbox.url(), &receivers, "", &more);
    let process = replicas(1, &settings).remove(0);
    let public = Client::new(process.public.as_ref().unwrap());
    for number in 0..10 {
        let body = BODY.replace("call-1", &format!("call-{number}"));
        assert_eq!(public.post(CALL, &body).await.status, 200);
    }
    until("all deliveries", || app.count() == 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_keeps_replies_together_sealed_and_drops_them_together() {
    let redis = Server::start();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let more = format!("cache: {{}}\n{}", store(&redis.url()));
    let fleet = replicas(3, &settings(&sandbox.url(), &more));
    let seen = || {
        sandbox
            .seen()
            .iter()
            .filter(|seen| seen.target.starts_with(ROBOTS))
            .count()
    };
    let first = fleet[0].client().get(ROBOTS).await;
    assert_eq!(first.status, 200);
    // It is kept for the others while its last bytes are on their way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for process in &fleet {
        let reply = process.client().get(ROBOTS).await;
        assert_eq!(reply.body, first.body);
        assert!(
            reply.header("cache-status").contains("hit"),
            "{}",
            reply.header("cache-status")
        );
    }
    assert_eq!(seen(), 1);
    // What every reply has that is kept in the clear.
    let word = b"\"headers\":";
    let has = |bytes: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    for file in std::fs::read_dir(redis.log()).unwrap() {
        let kept = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!has(&kept), "what is kept is sealed");
    }
    let admin = Client::new(&fleet[0].admin);
    let purged = admin
        .send("POST", "/cache/purge?account=main", &[], "")
        .await;
    assert_eq!(purged.status, 200, "{:?}", purged.body);
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert_eq!(fleet[2].client().get(ROBOTS).await.status, 200);
    assert_eq!(seen(), 2);
}
