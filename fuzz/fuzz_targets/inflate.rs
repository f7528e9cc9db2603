//! Any bytes in any content coding: inflating never panics and never exceeds its limit. The first
//! byte chooses the coding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::codec::{Format, Limits, decode};

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let coding = ["gzip", "deflate", "br", ""][usize::from(choice % 4)];
    let limits = Limits {
        bytes_max: 64 * 1024,
        ..Limits::default()
    };
    // A text in Latin-1 has as many characters as it had bytes.
    let read = decode(
        Format::Text,
        Some("a; charset=latin1"),
        Some(coding),
        body,
        &limits,
    );
    if let Ok(text) = read {
        assert!(text.as_str().unwrap().chars().count() <= limits.bytes_max);
    }
});
