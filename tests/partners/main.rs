//! What partners really send, replayed over sockets from its raw bytes: every case of
//! `tests/data/partners/` with its clock, its stubs, the calls and answers that are expected.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod case;
mod neutral;
mod setting;

use std::path::{Path, PathBuf};

use case::Case;

/// Every case: the folders below `tests/data/partners` that hold a `case.json`.
fn cases() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_dir()).collect()
    };
    let contracts = folders(Path::new("tests/data/partners"));
    let mut found: Vec<PathBuf> = contracts
        .iter()
        .flat_map(|contract| folders(contract))
        .filter(|path| path.join("case.json").exists())
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_as_its_contract_has_it() {
    let cases = cases();
    let mut wrong = Vec::new();
    for folder in &cases {
        let case = Case::read(folder);
        for fault in case.play().await {
            wrong.push(format!("{}: {fault}", case.id));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(cases.len(), 22);
}
