//! The guide to writing a route is followed: its file is checked and its examples are played.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pintle::config;
use pintle::rehearsal::{Script, Setting, Stage, differences, read_scripts};
use pintle::route::Flow;
use pintle::yaml::Faults;
use tempfile::TempDir;

const GUIDE: &str = "docs/write-a-route.md";
const MARK: &str = "# routes/flex/brightlead.yaml, the whole file\n";
const NOW_MS: i64 = 1_767_268_800_000;

/// The blocks of YAML, in their order.
fn blocks() -> Vec<String> {
    let text = fs::read_to_string(GUIDE).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// The last block that is marked as the whole file.
fn whole() -> String {
    let mut whole = blocks().into_iter().filter(|block| block.starts_with(MARK));
    whole.next_back().unwrap()
}

/// The routes as they are, with that of the guide beside them.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(Path::new("routes"), &folder.path().join("routes"));
    fs::write(folder.path().join("routes/flex/brightlead.yaml"), whole()).unwrap();
    folder
}

fn copy(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

async fn play(flow: &Flow, script: &Script, routes: PathBuf) -> (Vec<String>, Vec<usize>) {
    let setting = Setting {
        routes: Some(routes),
        policies: None,
        run: script.run.clone(),
        url: script.url.clone(),
        now_ms: script
            .turns
            .first()
            .and_then(|turn| turn.now_ms)
            .unwrap_or(NOW_MS),
    };
    let stage = Stage::start(&setting).await;
    let stage = stage.unwrap_or_else(|why| panic!("{}: {why:?}", script.name));
    let mut wrong = Vec::new();
    for turn in &script.turns {
        let played = stage.play(turn).await.unwrap();
        let found = differences(&turn.expected, &played);
        wrong.extend(
            found
                .into_iter()
                .map(|found| format!("{}: {found:?}", script.name)),
        );
    }
    let used = stage.used_lines(&flow.name);
    stage.end().await;
    (wrong, used)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_the_guide_does_what_its_examples_say() {
    let folder = folder();
    let routes = folder.path().join("routes");
    let faults = Faults::new();
    let catalogue = config::catalogue(Some(&routes), &config::policies(None), &faults);
    let flow = catalogue
        .flows()
        .iter()
        .find(|flow| flow.name == "brightlead")
        .unwrap();
    let scripts = read_scripts(flow, &faults);
    let told: Vec<String> = faults
        .into_sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        told.iter().all(|fault| !fault.contains("brightlead")),
        "{told:?}"
    );
    assert_eq!(scripts.len(), 2);
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for script in &scripts {
        let (found, lines) = play(flow, script, routes.clone()).await;
        wrong.extend(found);
        used.extend(lines);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let unused: Vec<usize> = flow
        .lines()
        .into_iter()
        .map(|(line, _)| line)
        .filter(|line| !used.contains(line))
        .collect();
    // The sample has no certificate.
    assert_eq!(unused.len(), 1, "{unused:?}");
}

#[test]
fn every_step_of_the_guide_is_in_its_file() {
    let whole = whole();
    let lines: BTreeSet<&str> = whole.lines().collect();
    for block in blocks() {
        let is_of_settings = ["routes:", "public:"]
            .iter()
            .any(|key| block.starts_with(key));
        if is_of_settings || block.starts_with(MARK) {
            continue;
        }
        for line in block.lines() {
            assert!(lines.contains(line), "not in the whole file: {line}");
        }
    }
}

#[test]
fn the_settings_of_the_guide_are_good() {
    let folder = folder();
    let run = blocks()
        .into_iter()
        .find(|block| block.starts_with("public:"))
        .unwrap();
    let run = run.replace("env:BRIGHTLEAD_KEY", "literal:bl-key-1");
    let text = format!(
        "accounts:\n  main:\n    base_url: http://127.0.0.1:7080\n    secrets: {{ app_key: literal:a, \
         app_secret: literal:b }}\nroutes: routes\n{run}"
    );
    let path = folder.path().join("pintle.yaml");
    fs::write(&path, text).unwrap();
    let loaded = config::load(Some(&path));
    let told: Vec<String> = loaded.faults.iter().map(ToString::to_string).collect();
    assert!(loaded.config.is_some(), "{told:?}");
    assert!(
        told.iter().all(|fault| !fault.contains("brightlead")),
        "{told:?}"
    );
}
