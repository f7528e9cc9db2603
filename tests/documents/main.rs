//! The documents tell the truth: what they list is what the code has.
#![expect(
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod cache;
mod language;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pintle::config::embedded;
use pintle::crypto::{
    ALGORITHMS, ENCODINGS, HANDSHAKES, PLACEHOLDERS, SCHEMES, SIGNATURE_ENCODINGS, TIMESTAMP_UNITS,
    VERIFIERS,
};
use pintle::error::TABLE;
use pintle::policy::Policies;
use pintle::telemetry::{OF_CALL, OF_PUSH, STAGES};
use pintle::yaml::{Faults, Source};

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first cells of a Markdown table's rows, as they stand between backticks.
fn rows(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(cell, _)| cell.to_owned())
        .collect()
}

#[test]
fn each_life_has_the_stages_of_the_code() {
    for (document, of_path) in [
        ("docs/life-of-a-call.md", &OF_CALL[..]),
        ("docs/life-of-a-push.md", &OF_PUSH),
    ] {
        let text = read(document);
        let stages = STAGES.iter().filter(|(stage, ..)| of_path.contains(stage));
        let names: Vec<&str> = stages.clone().map(|(_, name, _)| *name).collect();
        assert_eq!(rows(&text), names);
        for (_, name, what) in stages {
            let row = format!("| `{name}` | {what} |");
            assert!(text.contains(&row), "{document}: {name}: {what}");
        }
    }
    // Each stage is a step of the path, under the same name.
    let files = [
        "src/outbound.rs",
        "src/inbound.rs",
        "src/inbound/flow.rs",
        "src/server/door.rs",
    ];
    let path = files.map(read).concat();
    for (_, name, _) in STAGES {
        let step = path.lines().any(|line| {
            let comment = line.trim_start().strip_prefix("// ");
            let names = comment
                .and_then(|comment| comment.split_once(": "))
                .map(|(names, _)| names);
            names.is_some_and(|names| names.split(", ").any(|step| step == name))
        });
        assert!(step, "no step `{name}` in the path");
    }
}

#[test]
fn the_list_of_failures_is_the_table() {
    let mut wanted = String::new();
    for row in TABLE {
        let _infallible = writeln!(
            wanted,
            "| `{}` | {} | {} | {} |",
            row.code,
            row.status,
            row.blame.as_str(),
            row.title
        );
    }
    let text = read("docs/failures.md");
    assert!(
        text.contains(&wanted),
        "docs/failures.md must have these rows:\n{wanted}"
    );
    assert_eq!(rows(&text).len(), TABLE.len());
}

/// A line of YAML without what stands before its key.
fn of_line(line: &str) -> &str {
    line.trim_start_matches([' ', '#', '-'])
}

#[test]
fn the_settings_document_names_every_key_that_the_code_reads() {
    let text = read("docs/settings.md");
    let mut keys = BTreeSet::new();
    for file in [
        "account", "flows", "inbound", "keyring", "listener", "settings", "fleet",
    ] {
        let mut code = read(&format!("src/config/{file}.rs"));
        code.retain(|c| !c.is_whitespace());
        for call in [
            ".node(\"",
            ".or(\"",
            ".required(\"",
            ".required_node(\"",
            "fields,\"",
            ">(\"",
            ".optional(\"",
        ] {
            keys.extend(code.split(call).skip(1).filter_map(|rest| {
                let (key, _) = rest.split_once('"')?;
                Some(key.to_owned())
            }));
        }
    }
    assert!(keys.len() > 40, "{keys:?}");
    for key in &keys {
        let named = text
            .lines()
            .any(|line| of_line(line).starts_with(&format!("{key}:")));
        assert!(named, "docs/settings.md does not have `{key}`");
    }
    // And every key that it has is read.
    let block = text
        .split("```yaml")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    // Names that a user chooses, and the key that accounts share with operations and families.
    let known = [
        "sealing",
        "main",
        "process",
        "tenantid",
        "app_key",
        "app_secret",
        "aes",
        "app",
        "callback_path",
        "lendswift",
    ];
    for line in block.lines() {
        let Some((key, _)) = of_line(line).split_once(':') else {
            continue;
        };
        assert!(
            keys.contains(key) || known.contains(&key),
            "no code reads `{key}`"
        );
    }
}

#[test]
fn links_and_paths_in_documents_exist() {
    let mut documents = vec![
        "README.md".to_owned(),
        "ARCHITECTURE.md".to_owned(),
        "CONTRIBUTING.md".to_owned(),
        "SECURITY.md".to_owned(),
        "CHANGELOG.md".to_owned(),
    ];
    for folder in ["docs", "docs/adr"] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "md") {
                documents.push(path.display().to_string());
            }
        }
    }
    for document in documents {
        let text = read(&document);
        let base = Path::new(&document).parent().unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
        {
            let target = link.0.split('#').next().unwrap();
            if !target.is_empty() && !target.starts_with("http") {
                assert!(base.join(target).exists(), "{document} links to {target}");
            }
        }
        for word in text.split('`') {
            let path = [
                "src/",
                "routes/",
                "policies/",
                "tests/",
                "docs/",
                "benches/",
            ]
            .iter()
            .any(|folder| word.starts_with(folder));
            if path && !word.contains([' ', '*', ':']) {
                assert!(Path::new(word).exists(), "{document} names {word}");
            }
        }
    }
}

#[test]
fn decisions_are_short() {
    for entry in fs::read_dir("docs/adr").unwrap() {
        let path = entry.unwrap().path();
        let lines = read(&path.display().to_string()).lines().count();
        assert!(lines <= 60, "{}: {lines} lines", path.display());
    }
}

#[test]
fn the_document_on_sealing_has_every_scheme_and_key() {
    let text = read("docs/sealing.md");
    for scheme in SCHEMES {
        let row = format!(
            "| `{}` | {} | {} |",
            scheme.name, scheme.what, scheme.limits
        );
        assert!(
            text.contains(&row),
            "docs/sealing.md must have the row\n{row}"
        );
    }
    let block = text.split("```yaml").nth(2).unwrap();
    let block = block.split("```").next().unwrap();
    let mut code = read("src/policy/sealing/read.rs");
    code.retain(|c| !c.is_whitespace());
    for line in block.lines().filter(|line| line.starts_with("    ")) {
        let (key, _) = line.trim_start().split_once(':').unwrap();
        assert!(
            code.contains(&format!("\"{key}\"")),
            "no code reads `{key}`"
        );
    }
    for (word, _) in ENCODINGS {
        assert!(block.contains(word), "{word}");
    }
}

#[test]
fn the_document_on_proof_has_every_verifier_and_key() {
    let text = read("docs/proof.md");
    let mut wanted = Vec::new();
    for verifier in VERIFIERS {
        wanted.push(format!(
            "| `{}` | {} | {} |",
            verifier.name, verifier.what, verifier.limits
        ));
    }
    for (name, what) in PLACEHOLDERS {
        wanted.push(format!("| `{{{name}}}` | {what} |"));
    }
    for handshake in HANDSHAKES {
        wanted.push(format!("| `{}` | {} |", handshake.name, handshake.what));
    }
    assert_eq!(rows(&text).len(), wanted.len());
    for row in wanted {
        assert!(
            text.contains(&row),
            "docs/proof.md must have the row\n{row}"
        );
    }
    // The example is read without a fault, and shows every key and word that the code has.
    let block = text.split("```yaml").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let mut sources = embedded::policies();
    sources.retain(|source| !source.name.ends_with("proof.yaml"));
    sources.push(Source::new("docs/proof.md", block));
    let faults = Faults::new();
    let policies = Policies::read(&sources, &faults);
    let told: Vec<String> = faults
        .into_sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(policies.proofs.names().count(), 11);
    let of_slices = ALGORITHMS.map(|(word, _)| word).into_iter();
    let of_slices = of_slices
        .chain(SIGNATURE_ENCODINGS.map(|(word, _)| word))
        .chain(TIMESTAMP_UNITS.map(|(word, _)| word))
        .chain(HANDSHAKES.map(|handshake| handshake.name))
        .chain(VERIFIERS.map(|verifier| verifier.name));
    let words: BTreeSet<&str> = block
        .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        .collect();
    for word in of_slices {
        assert!(words.contains(word), "the example does not show `{word}`");
    }
    let mut code = read("src/policy/proof/read.rs") + &read("src/policy/proof/options.rs");
    code.retain(|c| !c.is_whitespace());
    for call in [
        "fields.node(\"",
        "fields.or(\"",
        "optional(\"",
        "required(\"",
        "required_node(\"",
    ] {
        for key in code
            .split(call)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(words.contains(key), "the example does not show `{key}`");
        }
    }
}

#[test]
fn the_document_on_proof_names_every_shipped_sender() {
    let text = read("docs/proof.md").to_ascii_lowercase();
    let intro = text.split("## ").next().unwrap().replace(['\n', ' '], "_");
    let policies = Policies::read(&embedded::policies(), &Faults::new());
    for name in policies.proofs.names() {
        let sender = match name {
            "standard_webhooks" => name,
            _ => name.split('_').next().unwrap(),
        };
        assert!(intro.contains(sender), "docs/proof.md does not name {name}");
    }
}
