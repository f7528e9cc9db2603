//! Any bytes as XML: reading never panics, and whatever was read can be written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::codec::{Format, Limits, decode, encode};

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let Ok(document) = decode(Format::Xml, None, None, input, &limits) else {
        return;
    };
    let body = encode(Format::Xml, &document).unwrap().body;
    let limits = Limits {
        bytes_max: usize::MAX,
        ..limits
    };
    // Not always the same document: `null` is written as an empty element.
    assert!(decode(Format::Xml, None, None, &body, &limits).is_ok());
});
