//! Any bytes as text in any charset: reading never panics, and what was read is written as UTF-8.
//!
//! The input up to the first zero byte is the name of the charset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::codec::{Format, Limits, decode, encode};

fuzz_target!(|input: &[u8]| {
    let mut pieces = input.splitn(2, |byte| *byte == 0);
    let (Some(charset), Some(body)) = (pieces.next(), pieces.next()) else {
        return;
    };
    let content_type = format!(
        "text/plain; charset=\"{}\"",
        String::from_utf8_lossy(charset)
    );
    let read = decode(
        Format::Text,
        Some(&content_type),
        None,
        body,
        &Limits::default(),
    );
    if let Ok(document) = read {
        let written = encode(Format::Text, &document).unwrap().body;
        assert_eq!(document.as_str().map(str::as_bytes), Some(&*written));
    }
});
