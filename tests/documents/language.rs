//! The language of routes, as `docs/mapping.md` tells it.

use std::collections::BTreeSet;
use std::fs;

use pintle::codec::CODECS;
use pintle::mapping::condition::CONDITIONS;
use pintle::mapping::document::MEMBERS;
use pintle::mapping::expr::OPERATORS;
use pintle::mapping::function;
use pintle::route::flow::REPLIES;

use crate::read;

/// The parts of the document on routes that are made from the code, by the name of their marker.
fn parts_of_the_language() -> Vec<(&'static str, String)> {
    let table = |head: &str, rows: &[(&str, &str)]| {
        let rows = rows
            .iter()
            .map(|(name, what)| format!("| `{name}` | {what} |\n"));
        format!("| {head} |\n|---|---|\n{}", rows.collect::<String>())
    };
    let codecs: Vec<_> = CODECS
        .iter()
        .map(|codec| (codec.name, codec.about))
        .collect();
    vec![
        ("replies", table("answer | when it is given", REPLIES)),
        ("members", table("member | what it is", MEMBERS)),
        ("operators", table("operator | what it gives", OPERATORS)),
        ("conditions", table("condition | when it holds", CONDITIONS)),
        (
            "codecs",
            table("format | what a document looks like", &codecs),
        ),
        ("functions", function::markdown()),
    ]
}

/// `PINTLE_WRITE=1 cargo test --test documents` writes the parts that are made from the code.
#[test]
fn the_document_on_routes_is_made_from_the_code() {
    let path = "docs/mapping.md";
    let text = read(path);
    let mut wanted = text.clone();
    for (name, part) in parts_of_the_language() {
        let marker = format!("<!-- generated: {name} -->\n");
        let (before, rest) = wanted.split_once(&marker).unwrap();
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        wanted = format!("{before}{marker}\n{part}\n<!-- end -->{after}");
    }
    #[expect(clippy::disallowed_methods, reason = "no settings of the gateway")]
    if std::env::var_os("PINTLE_WRITE").is_some() {
        fs::write(path, &wanted).unwrap();
        return;
    }
    assert!(
        text == wanted,
        "{path} is not what the code has: run `PINTLE_WRITE=1 cargo test --test documents`"
    );
}

#[test]
fn the_document_on_routes_names_every_key_that_the_code_reads() {
    let text = read("docs/mapping.md");
    let tables = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| {
            let mut cells = line.split(" | ");
            Some(format!("{} {}", cells.next()?, cells.next()?))
        });
    let words: BTreeSet<String> = tables
        .flat_map(|cells| {
            let parts = cells.split('`').map(str::to_owned);
            parts.collect::<Vec<_>>()
        })
        .collect();
    let mut keys = BTreeSet::new();
    for file in [
        "route/flow/read",
        "route/flow/read/begins",
        "route/flow/read/replies",
        "route/flow/read/steps",
        "rehearsal/script",
    ] {
        let mut code = read(&format!("src/{file}.rs"));
        code.retain(|c| !c.is_whitespace());
        for call in [
            ".node(\"",
            ".or(\"",
            ".required(\"",
            ".required_node(\"",
            ">(\"",
            ".optional(\"",
        ] {
            keys.extend(code.split(call).skip(1).filter_map(|rest| {
                let (key, _) = rest.split_once('"')?;
                Some(key.to_owned())
            }));
        }
    }
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys {
        assert!(
            words.contains(&key),
            "docs/mapping.md does not have `{key}`"
        );
    }
}

#[test]
fn the_limits_of_the_language_are_those_of_the_code() {
    let text = read("docs/mapping.md");
    for (file, constant, told) in LIMITS {
        assert!(
            read(file).contains(constant),
            "{file} has another `{constant}`"
        );
        assert!(text.contains(told), "docs/mapping.md does not say `{told}`");
    }
}

/// File, what stands in it, and what the document says.
const LIMITS: &[(&str, &str, &str)] = &[
    (
        "src/mapping/path.rs",
        "PUSH_NODES_MAX: u64 = 200_000;",
        "200,000",
    ),
    (
        "src/route/flow/plan.rs",
        "ITEMS_MAX: usize = 1000;",
        "items of a push | 1000",
    ),
    (
        "src/mapping/function.rs",
        "TEXT_MAX: usize = 64 * 1024;",
        "64 KiB",
    ),
    (
        "src/mapping/function.rs",
        "LIST_MAX: usize = 10_000;",
        "10,000 entries",
    ),
    (
        "src/mapping/function/pipeline.rs",
        "CALLS_MAX: usize = 32;",
        "functions in one `then` | 32",
    ),
    (
        "src/mapping/function/argument.rs",
        "ARGUMENT_MAX: usize = 1024;",
        "1024 bytes; 1000",
    ),
    (
        "src/mapping/path/scan.rs",
        "BYTES_MAX: usize = 4096;",
        "4096 bytes, 32",
    ),
    (
        "src/mapping/path/scan.rs",
        "NESTING_MAX: usize = 32;",
        "4096 bytes, 32",
    ),
    (
        "src/mapping/pattern.rs",
        "SIZE_MAX: usize = 256 << 10;",
        "256 KiB",
    ),
    (
        "src/mapping/pattern.rs",
        "TEXT_BYTES_MAX: usize = 64 << 10;",
        "matched | 64 KiB",
    ),
    (
        "src/mapping/template.rs",
        "TEXT_BYTES_MAX: usize = 64 << 10;",
        "64 KiB",
    ),
    ("src/codec.rs", "bytes_max: 1024 * 1024,", "1 MiB"),
    ("src/codec.rs", "depth_max: 64,", "within each other | 64"),
    ("src/codec.rs", "nodes_max: 100_000,", "100,000"),
    (
        "src/runner/call.rs",
        "REPLY_BYTES_MAX: usize = 1 << 20;",
        "reply of a call | 1 MiB",
    ),
    (
        "src/route/flow/read/steps.rs",
        "TIMEOUT: Duration = Duration::from_secs(10);",
        "`timeout` | 10s",
    ),
    (
        "src/route/flow/read/steps.rs",
        "CHUNK: u64 = 500;",
        "at a time, 500",
    ),
    (
        "src/route/flow/read/steps.rs",
        "CANDIDATES: usize = 5;",
        "at most; 5",
    ),
    (
        "src/route/flow/read.rs",
        "BUDGET: Duration = Duration::from_secs(20);",
        "`budget` | 20s",
    ),
];
