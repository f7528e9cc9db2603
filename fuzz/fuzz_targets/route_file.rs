//! Any text as a file of routes: it is read or its faults are told, each of them printable.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pintle::config::policies;
use pintle::policy::Policies;
use pintle::route::Catalogue;
use pintle::yaml::{Faults, Source};

static POLICIES: LazyLock<Policies> = LazyLock::new(|| policies(None));

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let faults = Faults::new();
    let catalogue = Catalogue::read(&[Source::new("route.yaml", text)], &POLICIES, &faults);
    for flow in catalogue.flows() {
        assert!(!format!("{}", flow.cost()).is_empty());
    }
    for fault in faults.into_sorted() {
        assert!(!fault.to_string().is_empty() && !fault.help_text().is_empty());
    }
});
