//! What cannot be stored is not acknowledged, and the command line sees what is stored.

use std::process::Command;
use std::time::Duration;

use super::*;
use crate::child::Process;
use crate::receiver::Manner;
use crate::support::until;

/// The gateway may write files of this size and no larger: to it the disk is full.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_acknowledged_and_nothing_that_was_is_lost() {
    let app = Receiver::start().await;
    app.always(Some(Manner::Status(500)));
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let receivers = receiver("app", &app, "");
    let settings = inbound_settings(&sandbox.url(), &receivers, "", "");
    let process = Process::start_in(TempDir::new().unwrap(), &settings);
    let (public, admin) = (
        Client::new(process.public.as_ref().unwrap()),
        Client::new(&process.admin),
    );
    limit_files(&process, FILE_BYTES_MAX);
    let filler = "x".repeat(16 * 1024);
    let mut acknowledged = 0;
    let refused = loop {
        let body = format!(r#"{{"CallID":"call-{acknowledged}","filler":"{filler}"}}"#);
        let reply = public.post(CALL, &body).await;
        if reply.status != 200 {
            break reply;
        }
        acknowledged += 1;
        assert!(acknowledged < 1000, "the disk is never full");
    };
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (503, "store_unavailable")
    );
    assert_eq!(refused.header("retry-after"), "31");
    let ready = admin.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["journal"]["writable"], false);

    limit_files(&process, u64::MAX);
    let body = r#"{"CallID":"after"}"#;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while public.post(CALL, body).await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it never recovers");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(admin.get("/readyz").await.status, 200);
    app.always(None);
    let calls = || {
        let received = app.received();
        let bodies = received.iter().map(|received| {
            let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
            body["CallID"].as_str().unwrap().to_owned()
        });
        bodies.collect::<std::collections::BTreeSet<_>>()
    };
    until("all that was acknowledged", || calls().len() > acknowledged).await;
    assert!((0..acknowledged).all(|call| calls().contains(&format!("call-{call}"))));
}

/// Limits the size of the files that the process may write.
fn limit_files(process: &Process, bytes: u64) {
    let limit = if bytes == u64::MAX {
        "--fsize=unlimited".to_owned()
    } else {
        format!("--fsize={bytes}:unlimited")
    };
    let limited = Command::new("prlimit")
        .args(["--pid", &process.id().to_string(), &limit])
        .status()
        .expect("prlimit is here: apt-get install util-linux");
    assert!(limited.success());
}

/// Runs `pintle queue` against a gateway of this process.
fn queue(bridge: &Bridge, arguments: &[&str]) -> (bool, String) {
    ask(bridge, "queue", arguments)
}

/// Runs a command of `pintle` that asks a gateway, this one.
fn ask(bridge: &Bridge, command: &str, arguments: &[&str]) -> (bool, String) {
    let admin = bridge.stage.admin();
    let output = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .arg(command)
        .args(arguments)
        .args(["--admin", admin.base()])
        .current_dir(bridge.stage.folder.path())
        .output()
        .unwrap();
    let told = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_lists_replays_and_buries() {
    let app = Receiver::start().await;
    app.always(Some(Manner::Status(500)));
    let url = app.url();
    let receivers = format!(
        "  app: {{ url: \"{url}\", retry: {{ first: 50ms, max: 50ms, horizon: 200ms }} }}\n"
    );
    let bridge = Bridge::start(&receivers).await;
    for call in ["a", "b"] {
        bridge
            .public
            .post(CALL, &BODY.replace("call-1", call))
            .await;
    }
    let buried = || queue(&bridge, &["list", "--state", "buried", "--json"]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let count = |told: &str| {
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        told["deliveries"].as_array().unwrap().len()
    };
    while count(&buried().1) < 2 {
        assert!(tokio::time::Instant::now() < deadline, "never buried");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, table) = queue(&bridge, &["list"]);
    assert!(
        table.contains("workflow.call_finished") && table.contains("buried"),
        "{table}"
    );
    let (_, counted) = queue(&bridge, &["replay", "--state", "buried"]);
    assert!(counted.starts_with("2 deliveries would"), "{counted}");
    assert_eq!(count(&buried().1), 2);
    app.always(None);
    let tried = app.count();
    let (_, done) = queue(&bridge, &["replay", "--state", "buried", "--yes"]);
    assert_eq!(done, "2 of 2 changed\n");
    until("both are delivered", || app.count() == tried + 2).await;
    let (good, told) = queue(&bridge, &["bury", "--yes"]);
    assert!(!good && told.contains("--all"), "{told}");
    let (good, told) = queue(&bridge, &["show", "99999"]);
    assert!(!good && told.contains("nothing of that name"), "{told}");
}

#[tokio::test]
async fn a_clock_that_jumps_neither_loses_nor_repeats() {
    let app = Receiver::start().await;
    let bridge = Bridge::start(&receiver("app", &app, "")).await;
    let clock = bridge.stage.app.outbound().clock.clone();
    for (at, jump) in [0, 3600, -7200, 30].into_iter().enumerate() {
        clock.turn(jump);
        let body = BODY.replace("call-1", &format!("call-{at}"));
        assert_eq!(bridge.public.post(CALL, &body).await.status, 200);
        assert_eq!(bridge.public.post(CALL, &body).await.status, 200);
        until("the delivery", || app.count() == at + 1).await;
        // Not while one is under way: a lease that is over by the clock is handed out again.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while bridge.listed("state=done").await.len() < at + 1 {
            assert!(tokio::time::Instant::now() < deadline, "never settled");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(app.count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_changes_who_is_left_alone() {
    let app = Receiver::start().await;
    let bridge = Bridge::start(&receiver("app", &app, "")).await;
    let suppress = |arguments: &[&str]| ask(&bridge, "suppress", arguments);
    let (good, lists) = suppress(&["list"]);
    assert!(good && lists.contains("\"do_not_call\""), "{lists}");
    let many: Vec<String> = (0..1200)
        .map(|number| format!("+1404555{number:04}"))
        .collect();
    let mut added = vec!["add", "do_not_call"];
    added.extend(many.iter().map(String::as_str));
    assert!(suppress(&added).0);
    let listed = suppress(&["list", "do_not_call"]).1;
    assert_eq!(listed.lines().collect::<Vec<_>>(), many);
    let removed = suppress(&["remove", "do_not_call", "+14045550007"]).1;
    assert!(removed.contains("\"keys\": 1"), "{removed}");
    let listed = suppress(&["list", "do_not_call"]).1;
    assert_eq!(listed.lines().count(), 1199);
    assert!(!listed.contains("+14045550007"));
    let (good, told) = suppress(&["add", "dont_call", "+1"]);
    assert!(
        !good && told.contains("there is nothing of that name"),
        "{told}"
    );
    let long = "1".repeat(600);
    let (good, told) = suppress(&["add", "do_not_call", &long]);
    assert!(!good && told.contains("longer than 512 bytes"), "{told}");
}
