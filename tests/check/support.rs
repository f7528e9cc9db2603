//! Runs the binary on a folder of files.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// An account that is good, to be put after the part that is not.
pub const ACCOUNT: &str = "accounts:
  main:
    base_url: http://127.0.0.1:7080
    secrets:
      app_key: literal:sandbox-key
      app_secret: literal:sandbox-secret
";

/// What no output may contain: the cases use it where a secret stands.
pub const SECRET: &str = "hunter2";

/// A folder with files in it.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Runs `pintle` in a folder, with an environment that has nothing in it.
pub fn pintle(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

/// What `check` tells of a folder that is faulty.
pub fn told(folder: &Path) -> String {
    let output = pintle(folder, &["check", "--config", "pintle.yaml"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{told}");
    assert!(!told.contains(SECRET), "a secret is shown:\n{told}");
    told
}

/// Holds what is told of each case to its snapshot.
pub fn hold(group: &str, cases: &[(&str, &[(&str, &str)])]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, files) in cases {
            let folder = folder(files);
            insta::assert_snapshot!(format!("{group}__{name}"), told(folder.path()));
        }
    });
}

/// Holds what is told of each settings file, to which a good account is added.
pub fn hold_settings(group: &str, cases: &[(&str, &str)]) {
    for (name, text) in cases {
        let whole = format!("{text}{ACCOUNT}");
        hold(group, &[(name, &[("pintle.yaml", &whole)])]);
    }
}

/// Holds what is told of each settings file as it stands.
pub fn hold_files(group: &str, cases: &[(&str, &str)]) {
    for (name, text) in cases {
        hold(group, &[(name, &[("pintle.yaml", text)])]);
    }
}
