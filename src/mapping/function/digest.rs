//! Digests of text, as lower-case hex. A digest with a key is no mapping: secrets have no place
//! here.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use md5::{Digest as _, Md5};

use super::{Function, Kind, Make, absent, gives};
use crate::crypto::{hex, sha256};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "sha256",
        about: "SHA-256 of the text's UTF-8 bytes, as lower-case hex.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 8,
        examples: &[
            gives(
                "",
                r#""abc""#,
                r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
            ),
            absent("", "null"),
        ],
        make: Make::Text(|text| Some(hex(&sha256(text.as_bytes())))),
    },
    Function {
        name: "sha1",
        about: "SHA-1 of the text's UTF-8 bytes, as lower-case hex. Only for those who ask for it: it is broken.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 8,
        examples: &[
            gives(
                "",
                r#""abc""#,
                r#""a9993e364706816aba3e25717850c26c9cd0d89d""#,
            ),
            absent("", "{}"),
        ],
        make: Make::Text(|text| {
            Some(hex(
                digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref()
            ))
        }),
    },
    Function {
        name: "md5",
        about: "MD5 of the text's UTF-8 bytes, as lower-case hex. Only for those who ask for it: it is broken.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 8,
        examples: &[
            gives("", r#""abc""#, r#""900150983cd24fb0d6963f7d28e17f72""#),
            absent("", "[]"),
        ],
        make: Make::Text(|text| Some(hex(&Md5::digest(text.as_bytes())))),
    },
];
