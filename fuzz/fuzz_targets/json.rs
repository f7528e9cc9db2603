//! Any bytes as JSON: reading never panics, reads what `serde_json` reads, and what was read is
//! written and read again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::codec::{Format, Limits, Undecodable, decode, encode};

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let read = |body: &[u8]| decode(Format::Json, None, None, body, &limits);
    match read(input) {
        Ok(document) => {
            let body = encode(Format::Json, &document).unwrap().body;
            // Numbers may be written longer than they came: `1e5` as `1e+5`.
            match read(&body) {
                Err(Undecodable::TooLarge { .. }) => {}
                again => assert_eq!(again, Ok(document)),
            }
        }
        Err(Undecodable::NotJson { .. } | Undecodable::Charset(_)) => {
            assert!(serde_json::from_slice::<serde_json::Value>(input).is_err());
        }
        Err(_) => {}
    }
});
