//! Any bytes as a multipart form: reading never panics, and what was read and can be written is
//! read again as it was. The input up to the first zero byte is the content type's boundary.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::codec::{Format, Limits, decode, encode};

fuzz_target!(|input: &[u8]| {
    let mut pieces = input.splitn(2, |byte| *byte == 0);
    let (Some(boundary), Some(body)) = (pieces.next(), pieces.next()) else {
        return;
    };
    let content_type = format!("a; boundary={}", String::from_utf8_lossy(boundary));
    let limits = Limits::default();
    let Ok(document) = decode(Format::Multipart, Some(&content_type), None, body, &limits) else {
        return;
    };
    // Files cannot be written, nor can names with quotes.
    let Ok(encoded) = encode(Format::Multipart, &document) else {
        return;
    };
    let limits = Limits {
        bytes_max: usize::MAX,
        ..limits
    };
    let content_type = Some(encoded.content_type);
    let again = decode(
        Format::Multipart,
        content_type,
        None,
        &encoded.body,
        &limits,
    );
    assert_eq!(again, Ok(document));
});
