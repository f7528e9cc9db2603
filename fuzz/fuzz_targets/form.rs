//! Any bytes as a form: reading never panics, and what was read is written and read again as it
//! was. The first byte chooses a charset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::codec::{Format, Limits, decode, encode};

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let charset = ["utf-8", "latin1", "gbk", "shift_jis", "utf-16le", "none"];
    let content_type = format!(
        "a; charset={}",
        charset[usize::from(*choice) % charset.len()]
    );
    let limits = Limits::default();
    let Ok(document) = decode(Format::Form, Some(&content_type), None, body, &limits) else {
        return;
    };
    let body = encode(Format::Form, &document).unwrap().body;
    let limits = Limits {
        bytes_max: usize::MAX,
        ..limits
    };
    assert_eq!(
        decode(Format::Form, None, None, &body, &limits),
        Ok(document)
    );
});
