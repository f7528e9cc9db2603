//! Start, reload, drain, and what readiness says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pintle::sandbox::Sandbox;

use crate::child::Process;
use crate::support::{Stage, fault, free, sandbox_options, settings, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_under_way_and_ends_with_0() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let mut process = Process::start(&sandbox.url(), "");
    let (client, admin) = (
        process.client(),
        crate::support::Client::new(&process.admin),
    );
    assert_eq!(client.get("/service/cloud/robot").await.status, 200);
    assert_eq!(admin.get("/readyz").await.status, 200);
    let slow = tokio::spawn({
        let client = client.clone();
        async move {
            let headers = [("x-sandbox-fault", "delay=1500ms")];
            client
                .send("GET", "/service/cloud/list", &headers, "")
                .await
        }
    });
    until("the slow call is under way", || {
        sandbox
            .seen()
            .iter()
            .any(|seen| seen.target == "/service/cloud/list")
    })
    .await;
    process.signal("TERM");
    process.logged("draining: no new connections are taken");
    let ready = admin.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["draining"], true);
    assert_eq!(admin.get("/livez").await.status, 200);
    let address = process.local.strip_prefix("http://").unwrap().to_owned();
    until("new connections are refused", || {
        std::net::TcpStream::connect(&address).is_err()
    })
    .await;
    assert_eq!(slow.await.unwrap().status, 200);
    assert!(process.wait().success());
    process.logged("drained");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_takes_too_long_is_cut_off_and_ends_with_0() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let mut process = Process::start(&sandbox.url(), "drain: 100ms");
    let client = process.client();
    tokio::spawn(async move {
        client
            .send(
                "GET",
                "/service/cloud/list",
                &[("x-sandbox-fault", "hang")],
                "",
            )
            .await
    });
    until("the call hangs", || {
        sandbox
            .seen()
            .iter()
            .any(|seen| seen.target == "/service/cloud/list")
    })
    .await;
    process.signal("TERM");
    assert!(process.wait().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_file_leaves_the_configuration_from_before() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let process = Process::start(&sandbox.url(), "");
    let path = process.folder.path().join("pintle.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("base_url", "base_ulr")).unwrap();
    process.signal("HUP");
    let told = process.logged("not reloaded");
    assert!(
        told["fault"].as_str().unwrap().contains("base_ur"),
        "{told}"
    );
    assert!(
        told["place"].as_str().unwrap().contains("pintle.yaml:"),
        "{told}"
    );
    assert_eq!(
        process.client().get("/service/cloud/robot").await.status,
        200
    );
    // A changed file is noticed without a signal.
    let second = good.replace("  main:", "  second:");
    std::fs::write(&path, second).unwrap();
    process.logged("reloaded");
    let headers = [("x-pintle-account", "second")];
    let reply = process
        .client()
        .send("GET", "/service/cloud/robot", &headers, "")
        .await;
    assert_eq!(reply.status, 200);
    let headers = [("x-pintle-account", "main")];
    let reply = process
        .client()
        .send("GET", "/service/cloud/robot", &headers, "")
        .await;
    assert_eq!(reply.code(), "account_unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_under_load_loses_no_call_and_keeps_the_token() {
    let stage = Stage::new().await;
    let path = stage.folder.path().join("pintle.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, over) = (stage.client.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut calls = 0;
                while !over.load(Ordering::Relaxed) {
                    let reply = client.get("/service/cloud/robot").await;
                    assert_eq!(reply.status, 200, "{:?}", reply.body);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let calls = || stage.seen_at("/service/cloud/robot");
    for turn in 1..=20 {
        std::fs::write(&path, format!("{good}\ndrain: {turn}s\n")).unwrap();
        let before = calls().min(900);
        let reloaded = stage.app.reload();
        assert!(
            matches!(reloaded, pintle::app::Reloaded::Done { .. }),
            "{reloaded:?}"
        );
        until("calls go on", || calls() > before).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut all = 0;
    for caller in callers {
        all += caller.await.unwrap();
    }
    assert!(all > 20, "{all}");
    assert_eq!(
        stage.sandbox.logins(),
        1,
        "an account that did not change keeps its token"
    );
}

#[tokio::test]
async fn readiness_tells_why_nothing_can_be_served() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    sandbox.set_fault(fault("status=500").at("/service/cloud/auth"));
    let settings = settings(
        &sandbox.url(),
        "token: { backoff: 10ms, backoff_max: 50ms }",
    );
    let stage = Stage::start(sandbox, &settings).await;
    let admin = stage.admin();
    let mut told = admin.get("/readyz").await;
    while told.json()["accounts"]["main"]["token"] != "login failed" {
        told = admin.get("/readyz").await;
    }
    assert_eq!(told.status, 503);
    let reason = told.json()["accounts"]["main"]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reason.contains("HTTP 500"), "{reason}");
    assert_eq!(admin.get("/livez").await.status, 200);
    stage.sandbox.clear_faults();
    while admin.get("/readyz").await.status != 200 {}
    assert_eq!(admin.get("/nothing").await.status, 404);
    assert_eq!(
        admin.post("/livez", "{}").await.header("allow"),
        "GET, HEAD"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_begun_ends_when_the_downstream_leaves() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let process = Process::start(&sandbox.url(), "");
    let address = process.local.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = "POST /service/cloud/operation HTTP/1.1\r\nHost: localhost\r\n\
        X-Sandbox-Fault: delay=300ms\r\nContent-Length: 2\r\n\r\n{}";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let arrived = || {
        sandbox
            .seen()
            .iter()
            .any(|seen| seen.target == "/service/cloud/operation")
    };
    until("the platform has the call", arrived).await;
    drop(stream);
    let record = process.logged("call");
    assert_eq!(record["left"], true, "{record}");
    assert_eq!(record["status"], 200, "{record}");
    assert_eq!(record["verdict"], "refused", "{record}");
}

#[tokio::test]
async fn two_gateways_on_one_port_are_told_apart() {
    let stage = Stage::new().await;
    let taken = stage.app.addresses().local.unwrap();
    assert_ne!(taken, free());
    let settings = settings(
        &stage.sandbox.url(),
        &format!("local: {{ listen: \"{taken}\" }}"),
    );
    let path = stage.folder.path().join("second.yaml");
    std::fs::write(&path, settings).unwrap();
    let config = pintle::config::load(Some(&path)).config.unwrap();
    let failure = pintle::app::App::start(config, None)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        failure.contains("local listener") && failure.contains(&taken.to_string()),
        "{failure}"
    );
}
