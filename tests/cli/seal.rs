//! `pintle seal` and `pintle open`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Ended, empty};

/// Runs `pintle` with something on its standard input.
fn piped(folder: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("AES_KEY", "airudderredduria")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that stops before it reads has closed its end.
    let _gone = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The platform's own sample.
const TASK: &str = "TaskID=69f531a01a9df58aa6de2487be610abb";
const SEALED_TASK: &str = "is-encrypted: 1
signed: 6956d7af4c89b89f19f9ae0a8be4bcf12abe7c6ed893691733f3480ad3f3aabc

qbj8cnqKnqR66qDS49ib9ymU1mpMCyp8Dm0gS1VvmnEqTxPGSBzruAU1sapP+cye";

#[test]
fn seal_and_open_do_by_hand_what_the_gateway_does() {
    let folder = empty();
    let run = |arguments: &[&str], input| piped(folder.path(), arguments, input);
    let sealed = run(
        &["seal", "airudder", "--key", "env:AES_KEY", "--query"],
        TASK,
    );
    assert_eq!((sealed.status, sealed.out.as_str()), (Some(0), SEALED_TASK));
    let of_query = ["open", "airudder", "--key", "env:AES_KEY", "--query", "-i"];
    let opened = run(&of_query, SEALED_TASK);
    assert!(opened.out.ends_with(&format!("\n\n{TASK}")), "{opened:?}");

    let body = "{\"a\": 1}";
    let sealed = run(&["seal", "airudder", "--key", "env:AES_KEY"], body);
    assert!(
        sealed
            .out
            .contains("content-type: application/json\ncontent-length: 24\n\n")
    );
    let opened = run(
        &["open", "airudder", "--key", "env:AES_KEY", "-i"],
        &sealed.out,
    );
    assert_eq!(
        opened.out,
        format!("content-type: application/json\ncontent-length: 8\n\n{body}")
    );
    // The key of an account, headers by hand, a file, and JSON for scripts.
    let settings = "accounts: { main: { base_url: \"http://127.0.0.1:7080\", sealing: airudder, \
                    secrets: { app_key: \"literal:k\", app_secret: \"literal:s\" }, \
                    keys: { aes: [{ id: a, key: \"env:AES_KEY\" }] } } }\n";
    std::fs::write(folder.path().join("pintle.yaml"), settings).unwrap();
    let (head, text) = sealed.out.split_once("\n\n").unwrap();
    let signed = head
        .lines()
        .find(|line| line.starts_with("signed"))
        .unwrap();
    std::fs::write(folder.path().join("captured"), format!("{text}\n")).unwrap();
    let opened = run(
        &["open", "airudder", "captured", "-H", signed, "--json"],
        "",
    );
    let opened: Value = serde_json::from_str(&opened.out).unwrap();
    assert_eq!(opened["body"], body);
    assert_eq!(opened["headers"]["content-length"], "8");
}

#[test]
fn seal_and_open_say_what_is_wrong() {
    let folder = empty();
    for (arguments, input, told) in FAULTS {
        let ended = piped(folder.path(), arguments, input);
        assert_eq!(
            (ended.status, ended.out.as_str()),
            (Some(1), ""),
            "{arguments:?} {}",
            ended.err
        );
        assert!(ended.err.contains(told), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.contains("hunter2"));
    }
}

/// Arguments, standard input, and what is told.
const FAULTS: &[(&[&str], &str, &str)] = &[
    (
        &["seal", "airuder"],
        "abcd",
        "there is no sealing `airuder`\n  known here: airudder",
    ),
    (
        &["seal", "airudder"],
        "abcd",
        "the account `main` has no keyring `aes`",
    ),
    (
        &["seal", "airudder", "--account", "mian"],
        "abcd",
        "there is no account `mian`",
    ),
    (
        &["seal", "airudder", "--key", "hunter2"],
        "abcd",
        "this is no reference to a secret",
    ),
    (
        &["seal", "airudder", "--key", "literal:short"],
        "abcd",
        "this one has 5",
    ),
    (
        &["seal", "airudder", "--key", "env:AES_KEY", "nowhere"],
        "abcd",
        "cannot read nowhere",
    ),
    (
        &["seal", "airudder", "--key", "env:AES_KEY"],
        "a\0",
        "not sealed: the payload ends in a zero byte",
    ),
    (
        &["open", "airudder", "--key", "env:AES_KEY"],
        "abcd",
        "not opened: the length is wrong",
    ),
    (
        &["open", "airudder", "--key", "env:AES_KEY"],
        "M/IPsAxHWfJ0I41aH+QKym3FC5By7YJKjGDLyOgAqA39c1J0XABNGHwx6rP6uDy2",
        "is every header here (is-encrypted, signed)?",
    ),
    (
        &["open", "airudder", "--key", "env:AES_KEY", "-i"],
        "is-encrypted: 1",
        "no empty line ends the headers",
    ),
    (
        &["open", "airudder", "--key", "env:AES_KEY", "-H", "signed"],
        "abcd",
        "`signed` is no header",
    ),
    (
        &["sandbox", "--sealing", "airuder"],
        "",
        "there is no sealing `airuder`",
    ),
];
