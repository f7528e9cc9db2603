//! Files and folders that are not there, or not what they should be.

use crate::support::{ACCOUNT, folder, hold, pintle, told};

fn hold_told(name: &str, told: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("file__{name}"), told));
}

#[test]
fn a_settings_file_that_cannot_be_read_is_told() {
    hold_told("missing", &told(folder(&[]).path()));
    let nested = folder(&[("pintle.yaml/x", "")]);
    hold_told("is_a_folder", &told(nested.path()));
    let huge = folder(&[]);
    let lines = "# a remark\n".repeat(400_000);
    std::fs::write(huge.path().join("pintle.yaml"), lines).unwrap();
    hold_told("huge", &told(huge.path()));
    let binary = folder(&[]);
    std::fs::write(binary.path().join("pintle.yaml"), b"drain: \xff\xfe").unwrap();
    hold_told("not_text", &told(binary.path()));
}

#[test]
fn a_file_that_never_ends_is_not_read_to_its_end() {
    let folder = folder(&[]);
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("pintle.yaml")).unwrap();
    hold_told("endless", &told(folder.path()));
}

#[test]
fn a_file_of_nothing_but_faults_is_told_within_bounds() {
    let lines: Vec<String> = (0..2_000).map(|n| format!("unknown_{n}: 1\n")).collect();
    let lines = lines.concat();
    let folder = folder(&[("pintle.yaml", &format!("{lines}{ACCOUNT}"))]);
    let told = told(folder.path());
    assert!(told.contains("there are more than 500 faults"), "{told}");
    assert!(told.ends_with("501 faults\n"), "{told}");
}

#[test]
fn a_folder_of_routes_or_policies_has_files() {
    let settings = format!("routes: routes\n{ACCOUNT}");
    let both = format!("policies: policies\n{settings}");
    hold(
        "folder",
        &[
            ("missing", &[("pintle.yaml", &both)]),
            ("is_a_file", &[("pintle.yaml", &settings), ("routes", "")]),
            (
                "is_empty",
                &[("pintle.yaml", &settings), ("routes/notes.txt", "")],
            ),
            (
                "has_yml",
                &[
                    ("pintle.yaml", &settings),
                    ("routes/a.yml", "family: cloud\n"),
                ],
            ),
            (
                "has_an_empty_file",
                &[("pintle.yaml", &settings), ("routes/a.yaml", "# x\n")],
            ),
        ],
    );
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    let folder = folder(&[("pintle.yaml", &format!("\u{feff}{ACCOUNT}"))]);
    let output = pintle(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
