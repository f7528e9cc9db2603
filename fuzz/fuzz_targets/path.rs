//! Any text as a JSONPath, over any document: it never panics, and a budget never changes an answer.
//!
//! The path is the input's first line, the document is the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::mapping::{Fuel, Path};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (path, document) = text.split_once('\n').unwrap_or((text, "null"));
    let Ok(path) = Path::parse(path) else {
        return;
    };
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return;
    };
    let Ok(nodes) = path.select(&document, &mut Fuel::new(100_000)) else {
        return;
    };
    assert!(nodes.len() <= 1 || !path.is_singular());
    let first = path.first(&document, &mut Fuel::new(100_000));
    assert_eq!(first, Ok(nodes.first()));
    if let Ok(less) = path.select(&document, &mut Fuel::new(20)) {
        assert!(less.iter().eq(nodes.iter()));
    }
});
