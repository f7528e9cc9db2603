//! Recorded pushes, and what two versions of a route make of them.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{NOW_MS, scene, yes};

const RECORDED: &str = "
route: tried
listen: { path: /in/tried, body: json }
prove: none
never: [$.ssn]
record: { max: 3, without: [$.note] }
vars: { phone: { from: $.body.phone, then: [{ to_e164: US }] } }
steps:
  - call: workflow.add_contacts
    body: { workflow_id: w1, details: [{ callee: { from: $.vars.phone, required: true } }] }
replies:
  accepted: { json: { ok: true } }
";

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_recorded_without_secrets_and_show_what_a_change_would_do() {
    let scene = scene(RECORDED).await;
    for n in 0..5 {
        let body =
            json!({ "phone": format!("202-555-012{n}"), "ssn": "000-11-0000", "note": "hush" });
        scene.play(&body, vec![yes("workflow.add_contacts")]).await;
    }
    let recorded = scene.stage.recordings("tried").await.unwrap();
    assert_eq!(recorded.len(), 3, "the newest");
    let text = recorded.join("\n");
    assert!(
        !text.contains("000-11-0000") && !text.contains("hush"),
        "{text}"
    );
    let first: Value = serde_json::from_str(&recorded[0]).unwrap();
    assert_eq!(first["received_ms"], NOW_MS);

    // Two versions of the route, on what was recorded.
    let folder = tempfile::tempdir().unwrap();
    let version = |name: &str, text: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(
            "routes/platform/workflow.yaml",
            folder.join("workflow.yaml"),
        )
        .unwrap();
        std::fs::write(folder.join("tried.yaml"), text).unwrap();
        folder
    };
    let old = version("old", RECORDED);
    let new = version(
        "new",
        &RECORDED.replace("then: [{ to_e164: US }]", "then: [{ national: US }]"),
    );
    let lines = folder.path().join("lines.jsonl");
    std::fs::write(&lines, &text).unwrap();
    let diff = |new: &std::path::Path, more: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_pintle"))
            .args(["diff", "--json", "--from"])
            .arg(&lines)
            .args([&old, new])
            .args(more)
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
        (ended.status.code(), told)
    };
    assert_eq!(
        diff(&old, &[]).0,
        Some(0),
        "the same version changes nothing"
    );
    let (status, told) = diff(&new, &[]);
    assert_eq!(status, Some(1));
    let fields: Vec<&str> = told["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|changed| changed["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["calls[*].body.details[*].callee", "vars.phone"]);
    assert_eq!(told["changed"][1]["pushes"], 3);
    assert!(
        told["changed"][1]["samples"][0]["new"]
            .as_str()
            .unwrap()
            .contains("202")
    );
    let (status, _) = diff(&new, &["--ignore", "vars.phone", "--ignore", "calls"]);
    assert_eq!(status, Some(0), "noise can be ignored");
}
