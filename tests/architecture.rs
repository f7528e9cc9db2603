//! The order of the modules in `src/lib.rs`, and what each may use, held against the sources.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Outside crates that only some modules may name.
const GATED: &[(&str, &[&str])] = &[
    ("hyper", &["server", "upstream", "sandbox", "cli"]),
    ("hyper_util", &["server", "upstream", "sandbox", "cli"]),
    ("rustls", &["server", "upstream", "sandbox"]),
    ("tokio_rustls", &["server", "upstream", "sandbox"]),
    ("webpki_roots", &["upstream"]),
    ("webpki", &["server"]),
    ("saphyr_parser", &["yaml"]),
    ("jsonpath_rust", &["mapping"]),
    ("regex", &["mapping"]),
    ("quick_xml", &["codec"]),
    ("encoding_rs", &["codec"]),
    ("flate2", &["codec"]),
    ("brotli_decompressor", &["codec"]),
    ("aes", &["crypto"]),
    ("cbc", &["crypto"]),
    ("governor", &["limit"]),
    ("quick_cache", &["cache"]),
    ("http_cache_semantics", &["cache"]),
    ("httpdate", &["cache"]),
    ("rusqlite", &["store"]),
    ("redis", &["store/redis"]),
    (
        "jiff",
        &[
            "config",
            "delivery",
            "cli",
            "policy",
            "mapping",
            "telemetry",
        ],
    ),
    ("rlibphonenumber", &["mapping"]),
    ("clap", &["cli"]),
    ("hdrhistogram", &["cli"]),
    ("miette", &["cli", "yaml"]),
    ("include_dir", &["config"]),
    ("tracing_subscriber", &["cli", "telemetry"]),
];

/// Modules that neither wait, nor touch the world, nor log.
const PURE: &[&str] = &["route", "policy", "mapping", "codec", "crypto"];

/// What a pure module may not contain.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "SystemTime",
    "Instant",
    "fastrand",
    "async fn",
    ".await",
];

const LINES_MAX: usize = 500;

struct File {
    /// Relative to the project, with `/`.
    path: String,
    /// The top-level module it belongs to; `lib` and `main` for the roots.
    module: String,
    text: String,
    /// The text without comments and strings.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn listed(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            listed(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

fn files(folder: &str) -> Vec<File> {
    let mut paths = Vec::new();
    listed(&root().join(folder), &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let below = path.strip_prefix(root().join(folder)).unwrap();
        let first = below.iter().next().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        File {
            path: path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            module: first.trim_end_matches(".rs").to_owned(),
            code: code_of(&text),
            text,
        }
    };
    paths.iter().map(read).collect()
}

/// Blanks out comments and the insides of strings, so that prose is not taken for code.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    let starts = |at: usize, piece: &str| {
        piece
            .chars()
            .enumerate()
            .all(|(n, c)| chars.get(at + n) == Some(&c))
    };
    while let Some(&c) = chars.get(at) {
        let is_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        let is_raw = c == 'r' && !is_word && chars.get(at + 1 + hashes) == Some(&'"');
        if starts(at, "//") {
            while chars.get(at).is_some_and(|c| *c != '\n') {
                at += 1;
            }
        } else if is_raw {
            let end = format!("\"{}", "#".repeat(hashes));
            at += hashes + 2;
            while at < chars.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.len();
            code.push_str("\"\"");
        } else if c == '"' {
            at += 1;
            while chars.get(at).is_some_and(|c| *c != '"') {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
            code.push_str("\"\"");
        } else if starts(at, "'\"'") || starts(at, "'\\") {
            // A character that would be taken for the beginning of a string, or an escape.
            at += 2;
            while chars.get(at).is_some_and(|c| *c != '\'') {
                at += 1;
            }
            at += 1;
            code.push_str("' '");
        } else {
            code.push(c);
            at += 1;
        }
    }
    code
}

/// The modules of `src/lib.rs`, from the top down.
fn order() -> Vec<String> {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    lib.lines()
        .filter_map(|line| {
            let name = line.trim_start_matches("pub ").strip_prefix("mod ")?;
            name.strip_suffix(';').map(str::to_owned)
        })
        .collect()
}

/// The top-level modules that a piece of code names by `crate::`.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `pub(in crate::…)` count too; `xcrate::` is another word.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(first_words(group));
        } else {
            names.insert(word(rest));
        }
    }
    names
}

/// The first word of each path of a `{…}` group, at its outermost level.
fn first_words(group: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                words.push(word(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.push(word(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn word(text: &str) -> String {
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    text.chars().take_while(is_part).collect()
}

/// Whether code uses a path that begins with a crate's name.
fn uses_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + name.len()..];
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | ':' | '.'));
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        begins
            && (after.starts_with("::")
                || line.trim_start().starts_with("use ") && after.starts_with(';'))
    })
}

fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git is needed: the test asks it which files belong to the project");
    assert!(output.status.success(), "git ls-files failed: {output:?}");
    let names = String::from_utf8(output.stdout).unwrap();
    names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn none(found: &str, what: &str) {
    assert!(found.is_empty(), "{what}:\n{found}");
}

#[test]
fn a_module_uses_only_modules_beneath_it() {
    let order = order();
    assert!(order.len() > 10, "src/lib.rs lists its modules: {order:?}");
    let height = |name: &str| order.iter().position(|module| module == name);
    let mut found = String::new();
    for file in files("src") {
        if matches!(file.module.as_str(), "lib" | "main") {
            continue;
        }
        let own = height(&file.module);
        assert!(own.is_some(), "{} is in no module of src/lib.rs", file.path);
        for name in named(&file.code) {
            match height(&name) {
                Some(other) if Some(other) >= own => {}
                Some(_) => writeln!(
                    found,
                    "{}: crate::{name} stands above {}",
                    file.path, file.module
                )
                .unwrap(),
                None => writeln!(
                    found,
                    "{}: crate::{name} is no module of src/lib.rs",
                    file.path
                )
                .unwrap(),
            }
        }
    }
    none(
        &found,
        "a module imports only modules beneath it in src/lib.rs",
    );
}

#[test]
fn an_outside_crate_is_named_only_where_it_belongs() {
    let mut found = String::new();
    for file in files("src") {
        for (name, allowed) in GATED {
            let belongs = |place: &&str| {
                let beneath = file.path.strip_prefix("src/").unwrap().strip_prefix(*place);
                beneath.is_some_and(|rest| rest.starts_with(['.', '/']))
            };
            if !allowed.iter().any(belongs) && uses_crate(&file.code, name) {
                writeln!(
                    found,
                    "{}: {name} belongs to {}",
                    file.path,
                    allowed.join(", ")
                )
                .unwrap();
            }
        }
    }
    none(&found, "an outside crate is named where it does not belong");
}

#[test]
fn the_pure_modules_touch_nothing() {
    let mut found = String::new();
    for file in files("src")
        .iter()
        .filter(|file| PURE.contains(&file.module.as_str()))
    {
        for piece in IMPURE.iter().filter(|piece| file.code.contains(**piece)) {
            writeln!(found, "{}: {piece}", file.path).unwrap();
        }
    }
    none(&found, "a pure module touches the world");
}

#[test]
fn every_source_says_what_it_is_and_is_of_one_sitting() {
    let mut found = String::new();
    for file in ["src", "tests"].into_iter().flat_map(files) {
        if !file.text.starts_with("//! ") {
            writeln!(found, "{}: does not begin with `//! `", file.path).unwrap();
        }
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            writeln!(
                found,
                "{}: {lines} lines, and {LINES_MAX} are the most",
                file.path
            )
            .unwrap();
        }
    }
    none(&found, "sources that are not as they should be");
}

#[test]
fn no_file_names_a_place_outside_the_project() {
    // Written in two parts, so that this file does not name them itself.
    let places = [concat!("/wo", "rk/"), concat!("../sha", "red")];
    let mut found = String::new();
    for name in tracked() {
        let Ok(bytes) = std::fs::read(root().join(&name)) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        for place in places {
            let hits = text.match_indices(place).filter(|(at, _)| {
                // `/network/` and the like are other words; so is a URL's own path.
                let before = text[..*at].chars().next_back();
                !before.is_some_and(char::is_alphanumeric)
            });
            for (at, _) in hits {
                let line = text[..at].lines().count().max(1);
                writeln!(found, "{name}:{line}: {place}").unwrap();
            }
        }
    }
    none(&found, "files that name a place of one machine");
}

#[test]
fn the_reading_of_sources_is_right() {
    let code = code_of(
        "use crate::a; // crate::b\nlet s = \"crate::c \\\" x\"; let r = r#\"crate::d\"#; let q = '\"'; crate::e::f();",
    );
    let names: Vec<String> = named(&code).into_iter().collect();
    assert_eq!(names, ["a", "e"]);
    let grouped: Vec<String> = named("use crate::{a::{b, c}, d, e::f};")
        .into_iter()
        .collect();
    assert_eq!(grouped, ["a", "d", "e"]);
    assert!(uses_crate("use hyper::body;", "hyper") && uses_crate("let x: hyper::Error;", "hyper"));
    assert!(!uses_crate("use hyper_util::rt;", "hyper") && !uses_crate("crate::hyper::x", "hyper"));
}
