//! The gateway is killed again and again in the middle of its work. Every push that was
//! acknowledged is accounted for: delivered, or set aside; and where doing it twice does harm, it
//! was not delivered twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::child::Process;

const ROUNDS: usize = 200;
const SENDERS: usize = 4;

/// Sends pushes until it is told to stop; tells which were acknowledged.
async fn send(public: Client, serial: Arc<AtomicUsize>, done: Arc<AtomicBool>) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    while !done.load(Ordering::Relaxed) {
        let call = format!("call-{}", serial.fetch_add(1, Ordering::Relaxed));
        let body = BODY.replace("call-1", &call);
        match public.try_post(CALL, &body).await {
            Some(status) if status == 200 => drop(acknowledged.insert(call)),
            Some(_) => {}
            None => return acknowledged,
        }
    }
    acknowledged
}

/// How often each call was received, and under how many ids.
fn counted(receiver: &Receiver) -> BTreeMap<String, (usize, BTreeSet<String>)> {
    let mut counted: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
    for received in receiver.received() {
        let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
        let call = body["CallID"].as_str().unwrap().to_owned();
        let (count, ids) = counted.entry(call).or_default();
        *count += 1;
        ids.insert(received.header("webhook-id").to_owned());
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_a_kill() {
    let (app, once) = (Receiver::start().await, Receiver::start().await);
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let receivers = receiver("app", &app, "") + &receiver("once", &once, "effect: once");
    let settings = inbound_settings(&sandbox.url(), &receivers, "", "");
    let mut folder = TempDir::new().unwrap();
    let serial = Arc::new(AtomicUsize::new(0));
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let process = Process::start_in(folder, &settings);
        let public = Client::new(process.public.as_ref().unwrap());
        let done = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (serial, done) = (Arc::clone(&serial), Arc::clone(&done));
                tokio::spawn(send(public.clone(), serial, done))
            })
            .collect();
        // At a moment that differs from round to round, and falls anywhere in what goes on.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(5_000..120_000))).await;
        folder = process.kill();
        done.store(true, Ordering::Relaxed);
        for sender in senders {
            acknowledged.extend(sender.await.unwrap());
        }
        assert!(
            round > 3 || !acknowledged.is_empty(),
            "something was acknowledged"
        );
    }
    assert!(acknowledged.len() > 200, "{}", acknowledged.len());

    // Once more, to deliver what is left.
    let process = Process::start_in(folder, &settings);
    let admin = Client::new(&process.admin);
    let left = |state: &'static str| {
        let admin = admin.clone();
        async move {
            let found = admin.get(&format!("/deliveries/count?state={state}")).await;
            found.json()["count"].as_u64().unwrap()
        }
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while left("waiting").await + left("leased").await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "it never ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let of_app = counted(&app);
    for call in &acknowledged {
        let (_, ids) = of_app.get(call).unwrap_or_else(|| panic!("{call} is lost"));
        assert_eq!(ids.len(), 1, "{call} is one event");
    }
    let of_once = counted(&once);
    let unknown = left("unknown").await;
    let missing = acknowledged
        .iter()
        .filter(|call| !of_once.contains_key(*call));
    let missing = u64::try_from(missing.count()).unwrap();
    assert!(
        missing <= unknown,
        "{missing} are missing, {unknown} are known to be unknown"
    );
    for (call, (count, _)) in &of_once {
        assert_eq!(*count, 1, "{call} was delivered twice");
    }
    // Whoever was killed in five attempts of the same delivery does not try it again.
    let buried = admin.get("/deliveries?state=buried").await.json();
    for delivery in buried["deliveries"].as_array().unwrap() {
        assert_eq!(delivery["class"], "lease_expired", "{delivery}");
    }
}
