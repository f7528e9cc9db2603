//! Whole stores, moved by the command line.

use super::*;
use crate::receiver::Manner;

/// What `pintle queue` says about the store of a process that was ended: whether it is content, and
/// both its outputs.
fn queue(folder: &TempDir, words: &[&str]) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pintle"))
        .arg("queue")
        .args(words)
        .args(["--config", "pintle.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_has_moves_from_the_journal_to_redis_and_back() {
    let redis = Server::start();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let app = Receiver::start().await;
    app.behave([Manner::Status(200)]);
    app.always(Some(Manner::Status(503)));
    let of = |more: &str| {
        let receivers = receiver("app", &app, "");
        inbound_settings(&sandbox.url(), &receivers, "", more)
    };
    let process = replicas(1, &of("")).remove(0);
    let public = Client::new(process.public.as_ref().unwrap());
    let call = |number: usize| BODY.replace("call-1", &format!("call-{number}"));
    for number in 0..12 {
        assert_eq!(public.post(CALL, &call(number)).await.status, 200);
    }
    let admin = Client::new(&process.admin);
    let done = || async { admin.get("/deliveries/count?state=done").await.json()["count"] == 1 };
    while !done().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (good, told) = queue(&process.folder, &["export", "--out", "store.ndjson"]);
    assert!(
        !good && told.contains("another process uses the journal"),
        "{told}"
    );
    let mut folder = process.kill();
    for (store, back) in [(store(&redis.url()), false), (String::new(), true)] {
        // One for each push, and one for each import.
        let marks = 12 + usize::from(back);
        let (good, told) = queue(&folder, &["export", "--out", "store.ndjson"]);
        assert!(
            good && told.starts_with(&format!("exported: 11 events, {marks} marks")),
            "{told}"
        );
        let file = folder.path().join("store.ndjson");
        let lines = std::fs::read_to_string(&file).unwrap();
        faults(&folder, &lines);
        let next = TempDir::new().unwrap();
        std::fs::copy(&file, next.path().join("moved.ndjson")).unwrap();
        std::fs::write(next.path().join("pintle.yaml"), of(&store)).unwrap();
        let (good, told) = queue(&next, &["import", "moved.ndjson"]);
        assert!(
            good && told.starts_with(&format!("added: 11 events, {marks} marks")),
            "{told}"
        );
        let (good, told) = queue(&next, &["import", "moved.ndjson"]);
        assert!(good && told.starts_with("nothing added"), "{told}");
        let process = Process::start_in(next, &of(&store));
        let public = Client::new(process.public.as_ref().unwrap());
        // What was delivered there is known here.
        let before = app.count();
        if back {
            app.always(None);
            until("all deliveries", || app.count() >= before + 11).await;
        }
        for number in 0..12 {
            assert_eq!(public.post(CALL, &call(number)).await.status, 200);
        }
        let admin = Client::new(&process.admin);
        let counted = admin.get("/deliveries/count").await.json();
        assert_eq!(counted["count"], 11, "repeats are known");
        let mut process = process;
        process.signal("TERM");
        process.wait();
        folder = process.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_at_work_is_not_exported() {
    let mut redis = Server::start();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let app = Receiver::start().await;
    app.behave([Manner::Slow(Duration::from_mins(1))]);
    let more = format!(
        "store: {{ url: \"{}\", hold: journal, answer: 500ms, connect: 500ms }}",
        redis.url()
    );
    let receivers = receiver("app", &app, "");
    let settings = inbound_settings(&sandbox.url(), &receivers, "", &more);
    let process = replicas(1, &settings).remove(0);
    let public = Client::new(process.public.as_ref().unwrap());
    assert_eq!(public.post(CALL, BODY).await.status, 200);
    until("the attempt", || app.count() == 1).await;
    // Another machine of the fleet, with no process of its own.
    let other = TempDir::new().unwrap();
    std::fs::write(other.path().join("pintle.yaml"), &settings).unwrap();
    let export = ["export", "--out", "store.ndjson"];
    let (good, told) = queue(&other, &export);
    assert!(!good && told.contains("the store is in use"), "{told}");
    assert!(!other.path().join("store.ndjson").exists());
    redis.kill();
    let (good, told) = queue(&other, &export);
    assert!(!good && told.contains("cannot be reached"), "{told}");
    let held = BODY.replace("call-1", "call-2");
    assert_eq!(public.post(CALL, &held).await.status, 200);
    let folder = process.kill();
    redis.start_again();
    let (good, told) = queue(&folder, &export);
    assert!(
        !good && told.contains("1 pushes are held for Redis"),
        "{told}"
    );
}

/// What is wrong with an export is said, and nothing of it is taken.
fn faults(folder: &TempDir, lines: &str) {
    let without_last = &lines[..=lines.trim_end().rfind('\n').unwrap()];
    let dropped: Vec<&str> = lines
        .lines()
        .enumerate()
        .filter(|(at, _)| *at != 3)
        .map(|(_, line)| line)
        .collect();
    for (text, wanted) in [
        (without_last.to_owned(), "its last line is missing"),
        (
            lines[..lines.len() / 2].to_owned(),
            "its last line is missing",
        ),
        (
            dropped.join("\n") + "\n",
            "lines were lost, added or changed",
        ),
        (format!("{lines}\n"), "lines were lost, added or changed"),
        (lines.replacen("{\"mark\"", "{\"later\"", 1), "is no record"),
        (
            lines.replacen("\"pintle_store\":1", "\"pintle_store\":2", 1),
            "by a later version",
        ),
        ("{}\n".to_owned(), "is no export of a store"),
    ] {
        std::fs::write(folder.path().join("bad.ndjson"), text).unwrap();
        let (good, told) = queue(folder, &["import", "bad.ndjson"]);
        assert!(!good && told.contains(wanted), "{wanted}: {told}");
    }
    let (good, told) = queue(folder, &["export", "--out", "store.ndjson"]);
    assert!(
        !good && told.contains("cannot write store.ndjson"),
        "{told}"
    );
    let (good, told) = queue(folder, &["export", "--admin", "http://127.0.0.1:1"]);
    assert!(!good && told.contains("leave out --admin"), "{told}");
}
