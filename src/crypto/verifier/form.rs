//! Names and values of a query or form, decoded to bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode;

/// Splits `application/x-www-form-urlencoded` text. What is no UTF-8 stays as it is.
pub(in crate::crypto) fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let parts = text.split(|byte| *byte == b'&');
    parts.filter(|part| !part.is_empty()).map(|part| {
        let mut halves = part.splitn(2, |byte| *byte == b'=');
        let mut half = || decode(halves.next().unwrap_or_default());
        (half(), half())
    })
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut spaced = Cow::Borrowed(text);
    if text.contains(&b'+') {
        let space = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
        spaced = Cow::Owned(text.iter().map(space).collect());
    }
    percent_decode(&spaced).collect()
}

/// Name and value of each field run together, sorted by name; of a repeated name each value once
/// and sorted (Twilio).
pub(super) fn sorted(body: &[u8]) -> Vec<u8> {
    let mut fields: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (name, value) in pairs(body) {
        fields.entry(name).or_default().insert(value);
    }
    let mut text = Vec::with_capacity(body.len());
    for (name, values) in fields {
        for value in values {
            text.extend_from_slice(&name);
            text.extend_from_slice(&value);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_and_repeats_are_one() {
        for (body, expected) in [
            ("", ""),
            ("b=2&a=1", "a1b2"),
            ("d=5678&d=1234&d=1234", "d1234d5678"),
            ("a+b=%2B1&&x", "a b+1x"),
            ("a=1=2&%C3%A9=%zz", "a1=2é%zz"),
        ] {
            assert_eq!(sorted(body.as_bytes()), expected.as_bytes(), "{body}");
        }
    }
}
