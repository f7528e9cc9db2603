//! The report as a whole: all faults of all files, in order, for people and for programs.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{ACCOUNT, SECRET, folder, hold, pintle};

const FILES: &[(&str, &str)] = &[
    (
        "pintle.yaml",
        "routes: routes
local:
  lisen: 127.0.0.1:7070
  allow_remote: yes
accounts:
  main:
    base_url: http://192.0.2.1
    secrets:
      app_key: hunter2
log:
  level: loud
",
    ),
    (
        "routes/a.yaml",
        "family: clout\noperations:\n  - name: A\n    titles: A\n    source: guessed\n",
    ),
    ("routes/b.yaml", "family: cloud\noperations: [\n"),
];

#[test]
fn every_fault_of_every_file_is_told_in_order() {
    hold("report", &[("all_at_once", FILES)]);
}

#[test]
fn a_program_reads_the_same_with_places() {
    let folder = folder(FILES);
    let output = pintle(
        folder.path(),
        &["check", "--json", "--config", "pintle.yaml"],
    );
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["usable"], false);
    let faults = report["faults"].as_array().unwrap();
    let places: Vec<(String, u64, u64)> = faults
        .iter()
        .map(|fault| {
            (
                fault["file"].as_str().unwrap().to_owned(),
                fault["line"].as_u64().unwrap(),
                fault["column"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(
        places.contains(&("pintle.yaml".to_owned(), 3, 3)),
        "{places:?}"
    );
    assert!(
        places.contains(&("routes/a.yaml".to_owned(), 1, 9)),
        "{places:?}"
    );
    for fault in faults {
        let told = |key: &str| !fault[key].as_str().unwrap().is_empty();
        assert!(told("message") && told("help"), "{fault}");
        assert!(["error", "warning"].contains(&fault["severity"].as_str().unwrap()));
    }
}

#[test]
fn the_shipped_settings_are_good_and_nothing_is_bound() {
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pintle.yaml"));
    let folder = folder(&[("pintle.yaml", &shipped.unwrap())]);
    let output = pintle(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("pintle.yaml: good (1 file, 1 account, "),
        "{told}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = format!("local:\n  listen: {address}\n{ACCOUNT}");
    std::fs::write(folder.path().join("pintle.yaml"), settings).unwrap();
    let output = pintle(folder.path(), &["check", "--json"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "a taken port does not matter to check"
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["usable"], &report["faults"]),
        (&Value::Bool(true), &Value::Array(vec![]))
    );
}

#[test]
fn a_warning_is_told_and_the_files_are_good() {
    let settings = "accounts:\n  main:\n    base_url: http://192.0.2.1\n    secrets:\n      \
                    app_key: file:key\n      app_secret: file:key\n";
    let folder = folder(&[("pintle.yaml", settings), ("key", SECRET)]);
    let output = pintle(folder.path(), &["check"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("without TLS") && told.ends_with("1 warning\n"),
        "{told}"
    );
    assert!(!told.contains(SECRET));
}

#[test]
fn the_other_commands_refuse_faulty_files_too() {
    let folder = folder(FILES);
    for command in ["serve", "routes", "openapi"] {
        let output = pintle(folder.path(), &[command, "--config", "pintle.yaml"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.ends_with("pintle: pintle.yaml cannot be used: nothing was started\n"),
            "{told}"
        );
        assert!(!told.contains(SECRET), "{told}");
    }
}
