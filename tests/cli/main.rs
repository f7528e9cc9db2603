//! The command line: what each command prints, and the status it ends with.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod bench;
mod seal;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What a command did.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    out: String,
    err: String,
}

/// Runs `pintle` in a folder, with an environment that has nothing in it.
fn pintle(folder: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    Ended {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn empty() -> TempDir {
    TempDir::new().unwrap()
}

/// An address that somebody listens on.
fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

const FREE: &str = "127.0.0.1:0";

#[test]
fn the_demo_tells_each_step_and_its_real_addresses() {
    let ended = pintle(
        empty().path(),
        &[
            "demo",
            "--once",
            "--local",
            FREE,
            "--admin",
            FREE,
            "--public",
            FREE,
            "--sandbox",
            FREE,
        ],
    );
    assert_eq!(
        (ended.status, ended.err.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    for step in [
        "1. List the robots.",
        "2. Create a workflow.",
        "3. Add two people to call.",
        "4. A call that the platform refuses.",
        "5. A call that Pintle refuses.",
        "authorization: Token ••••••",
        "200 OK, accepted",
        "200 OK, refused",
        "403 Forbidden",
        "nothing: the call never left Pintle",
        "Five calls, 1 login, and no credentials in any of them; two callbacks",
    ] {
        assert!(
            ended.out.contains(step),
            "{step} is missing in\n{}",
            ended.out
        );
    }
    assert!(
        !ended.out.contains('\u{1b}'),
        "no colours into a pipe: {}",
        ended.out
    );
    let addresses: Vec<SocketAddr> = ended
        .out
        .split("http://")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(addresses.len(), 2, "{}", ended.out);
    assert!(
        addresses.iter().all(|address| address.port() != 0),
        "{addresses:?}"
    );
}

#[test]
fn a_taken_address_is_told_with_the_way_out() {
    let folder = empty();
    let (_held, address) = taken();
    let demo = |option: &str| {
        let mut arguments = vec!["demo", "--once"];
        for other in ["--local", "--admin", "--public", "--sandbox"] {
            arguments.extend([other, if other == option { &address } else { FREE }]);
        }
        pintle(folder.path(), &arguments)
    };
    let serve = |name: &str| {
        let settings = ["local", "admin"].map(|other| {
            let address = if other == name { &address } else { FREE };
            format!("{other}:\n  listen: {address}\n")
        });
        let account = "accounts:\n  main:\n    base_url: http://127.0.0.1:7080\n    secrets:\n      \
                       app_key: literal:a\n      app_secret: literal:b\n";
        let path = folder.path().join("pintle.yaml");
        std::fs::write(path, format!("{}{account}", settings.concat())).unwrap();
        pintle(folder.path(), &["serve", "--config", "pintle.yaml"])
    };
    for (who, way, ended) in [
        ("the local listener", "with --local\n", demo("--local")),
        ("the admin listener", "with --admin\n", demo("--admin")),
        ("the sandbox", "with --sandbox\n", demo("--sandbox")),
        (
            "the local listener",
            "with `local.listen`\n",
            serve("local"),
        ),
        (
            "the admin listener",
            "with `admin.listen`\n",
            serve("admin"),
        ),
        (
            "the sandbox",
            "with --listen\n",
            pintle(folder.path(), &["sandbox", "--listen", &address]),
        ),
    ] {
        assert_eq!(ended.status, Some(1), "{ended:?}");
        let told = format!("pintle: {who} cannot use {address}: it is taken\n");
        assert!(ended.err.contains(&told), "{told}{}", ended.err);
        assert!(ended.err.contains(way), "{way}{}", ended.err);
        assert!(ended.err.contains("ss -ltnp | grep "), "{}", ended.err);
    }
}

#[test]
fn an_address_of_another_machine_is_no_panic() {
    let ended = pintle(empty().path(), &["sandbox", "--listen", "192.0.2.1:1"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(
        ended
            .err
            .starts_with("pintle: the sandbox cannot use 192.0.2.1:1: "),
        "{ended:?}"
    );
}

#[test]
fn routes_are_listed_as_a_table_or_as_json() {
    let folder = empty();
    let ended = pintle(folder.path(), &["routes"]);
    assert_eq!(
        (ended.status, ended.err.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    let mut lines = ended.out.lines();
    let header: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        ["NAME", "METHOD", "PATH", "EFFECT", "SOURCE", "TITLE"]
    );
    assert!(lines.any(|line| line.starts_with("auth.token ") && line.contains(" POST ")));
    assert!(ended.out.contains("(calls us)") && ended.out.contains("unknown: routes/"));
    assert!(
        ended.out.trim_end().ends_with("with a known path"),
        "{}",
        ended.out
    );

    let ended = pintle(folder.path(), &["routes", "--json", "--family", "workflow"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let list: Value = serde_json::from_str(&ended.out).unwrap();
    let list = list.as_array().unwrap();
    assert!(list.len() > 10, "{}", ended.out);
    for entry in list {
        assert_eq!(entry.get("family").unwrap(), "workflow");
        assert!(entry.get("line").unwrap().is_u64(), "{entry}");
    }
}

#[test]
fn a_family_that_is_not_known_is_told_with_what_was_meant() {
    let ended = pintle(empty().path(), &["routes", "--family", "worflow"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let told = "pintle: there is no family `worflow`: did you mean `workflow`?\n";
    assert_eq!(ended.err, told);
    let ended = pintle(empty().path(), &["routes", "--family", "xyz"]);
    assert!(
        ended.err.contains("known here: api_store, bot, "),
        "{}",
        ended.err
    );
}

#[test]
fn exported_files_are_good_and_are_not_overwritten() {
    let folder = empty();
    let ended = pintle(folder.path(), &["routes", "--export", "mine"]);
    assert_eq!(
        (ended.status, ended.err.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    assert!(
        ended
            .out
            .contains("  routes: mine/routes\n  policies: mine/policies"),
        "{}",
        ended.out
    );
    let shipped =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pintle.yaml")).unwrap();
    let settings = format!("{shipped}\nroutes: mine/routes\npolicies: mine/policies\n");
    std::fs::write(folder.path().join("pintle.yaml"), settings).unwrap();
    let ended = pintle(folder.path(), &["check"]);
    assert_eq!(
        (ended.status, ended.err.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    let exported = pintle(folder.path(), &["routes", "--json"]).out;
    let built_in = pintle(empty().path(), &["routes", "--json"]).out;
    assert_eq!(exported.replace("mine/routes/", "routes/"), built_in);

    let ended = pintle(folder.path(), &["routes", "--export", "mine"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(
        ended.err.starts_with("pintle: cannot write mine/routes/"),
        "{}",
        ended.err
    );
}

#[test]
fn openapi_is_one_document() {
    let ended = pintle(empty().path(), &["openapi"]);
    assert_eq!(
        (ended.status, ended.err.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    let document: Value = serde_json::from_str(&ended.out).unwrap();
    let version = document.get("openapi").and_then(Value::as_str).unwrap();
    assert!(version.starts_with("3.1."), "{version}");
    for part in ["info", "paths", "webhooks", "components"] {
        let part = document.get(part).and_then(Value::as_object);
        assert!(part.is_some_and(|part| !part.is_empty()), "{}", ended.out);
    }
}

#[test]
fn check_without_a_file_checks_what_is_built_in() {
    let ended = pintle(empty().path(), &["check"]);
    assert_eq!(
        (ended.status, ended.err.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    assert!(
        ended.out.starts_with("the built-in settings: good ("),
        "{}",
        ended.out
    );
}

#[test]
fn every_command_explains_itself() {
    let folder = empty();
    let whole = pintle(folder.path(), &["--help"]);
    assert_eq!(whole.status, Some(0), "{whole:?}");
    assert!(
        whole.out.contains("Start with `pintle demo`"),
        "{}",
        whole.out
    );
    for command in [
        "demo", "serve", "sandbox", "bench", "check", "routes", "openapi",
    ] {
        assert!(
            whole.out.contains(&format!("\n  {command} ")),
            "{command}: {}",
            whole.out
        );
        let ended = pintle(folder.path(), &[command, "--help"]);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        // The first line says what it does, and at the end stands something to type.
        assert!(
            ended.out.lines().next().unwrap().len() > 30,
            "{}",
            ended.out
        );
        let example = ["Example:\n", "Examples:\n", "Then:\n"]
            .iter()
            .any(|heading| ended.out.contains(heading));
        assert!(example, "{command} --help has no example:\n{}", ended.out);
    }
    let version = pintle(folder.path(), &["--version"]);
    assert_eq!(
        version.out,
        format!("pintle {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_arguments_end_with_2() {
    let folder = empty();
    for (arguments, told) in [
        (&["chekc"][..], "check"),
        (&[][..], "Usage:"),
        (&["check", "--jsn"][..], "--json"),
        (&["sandbox", "--listen", "here"][..], "--listen"),
        (
            &["routes", "--json", "--export", "x"][..],
            "cannot be used with",
        ),
    ] {
        let ended = pintle(folder.path(), arguments);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
        assert_eq!(ended.out, "");
    }
}
