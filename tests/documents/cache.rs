//! The document on the cache: its example is read, and shows every key.

use pintle::config::embedded;
use pintle::policy::{KeyPart, Policies};
use pintle::yaml::{Faults, Source, parse};

use crate::{read, rows};

#[test]
fn the_document_on_the_cache_has_every_key_and_part() {
    let text = read("docs/cache.md");
    let block = text.split("```yaml").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let mut sources = embedded::policies();
    sources.retain(|source| !source.name.ends_with("cache.yaml"));
    sources.push(Source::new("docs/cache.md", block));
    let faults = Faults::new();
    let policies = Policies::read(&sources, &faults);
    let told: Vec<String> = faults
        .into_sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(told.is_empty(), "{told:?}");
    let robots = policies.caches.get("robots").unwrap();
    assert!(robots.reads_body() && robots.key.len() == 3);
    let mut code = read("src/policy/cache.rs");
    code.retain(|c| !c.is_whitespace());
    for line in block.lines().filter(|line| line.starts_with("    ")) {
        let (key, _) = line.trim_start().split_once(':').unwrap();
        assert!(
            code.contains(&format!("(\"{key}\"")),
            "no code reads `{key}`"
        );
    }
    for call in ["required(\"", "or(\"", "optional(\""] {
        for key in code
            .split(call)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(
                block.contains(&format!(" {key}: ")),
                "the example does not show `{key}`"
            );
        }
    }
    // Each row of the table is a part.
    let parts = rows(&text);
    assert_eq!(parts.len(), 5);
    for part in parts {
        let faults = Faults::new();
        let node = parse(&Source::new("part", format!("'{part}'")), &faults).unwrap();
        let read = <KeyPart as pintle::yaml::Read>::read(&node, &faults);
        assert!(read.is_some(), "`{part}` is no part");
    }
}
