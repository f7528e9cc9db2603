//! Whatever the bytes of the files are, the loader answers with faults and never panics.

use std::path::Path;

use pintle::config;
use pintle::policy::Policies;
use pintle::route::Catalogue;
use pintle::yaml::{Faults, Source};
use proptest::prelude::*;
use proptest::sample::Index;

const SHIPPED: &str = include_str!("../../pintle.yaml");

/// What is put in: pieces that mean something to YAML, or to us.
const PIECES: &[&str] = &[
    "\n",
    "\r",
    "\t",
    " ",
    "  ",
    ":",
    ": ",
    "-",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!t ",
    "<<: ",
    "|",
    ">",
    "|-\n",
    "'",
    "\"",
    "#",
    "---\n",
    "...\n",
    "%",
    "@",
    "`",
    "?",
    "? ",
    "~",
    "null",
    "\0",
    "\u{feff}",
    "\u{2028}",
    "é",
    "张",
    "\u{1f600}",
    "env:",
    "file:",
    "literal:",
    "0",
    "-1",
    "99999999999999999999",
    "\\",
    "\u{85}",
    "\u{7f}",
];

#[derive(Debug, Clone)]
enum Change {
    Delete(Index, usize),
    Double(Index, usize),
    Insert(Index, &'static str),
    Byte(Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Change::Delete(at, len)),
        (any::<Index>(), 1..80_usize).prop_map(|(at, len)| Change::Double(at, len)),
        (any::<Index>(), prop::sample::select(PIECES))
            .prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match change {
            Change::Delete(at, len) => {
                let at = place(at);
                let end = (at + len).min(bytes.len());
                bytes.drain(at..end);
            }
            Change::Double(at, len) => {
                let at = place(at);
                let piece = bytes[at..(at + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            Change::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.bytes());
            }
            Change::Byte(at, byte) => {
                let at = place(at);
                bytes.insert(at, *byte);
            }
        }
    }
    bytes
}

/// Loads a file, and asks each fault for all that a renderer asks for.
fn load(path: &Path) {
    for fault in config::load(Some(path)).faults {
        assert!(!fault.to_string().is_empty());
        let mut text = String::new();
        miette::GraphicalReportHandler::new()
            .with_context_lines(0)
            .render_report(&mut text, &fault)
            .unwrap();
        if let Some((_, line, column)) = fault.position() {
            assert!(line > 0 && column > 0, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_settings_never_panic_the_loader(changes in prop::collection::vec(change(), 1..8)) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("pintle.yaml");
        std::fs::write(&path, changed(SHIPPED, &changes)).unwrap();
        load(&path);
    }

    #[test]
    fn changed_policies_and_routes_never_panic_the_reader(
        file in any::<Index>(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let (mut policies, mut routes) = (config::embedded::policies(), config::embedded::routes());
        let count = policies.len() + routes.len();
        let at = file.index(count);
        let source = policies.iter_mut().chain(&mut routes).nth(at).unwrap();
        let text = String::from_utf8_lossy(&changed(&source.text, &changes)).into_owned();
        *source = Source::new(source.name.clone(), text);
        let faults = Faults::new();
        let policies = Policies::read(&policies, &faults);
        Catalogue::read(&routes, &policies, &faults);
        faults.into_sorted();
    }
}
