//! Any text under any scheme and key: opening never panics, and what was sealed opens to itself.
//!
//! The first bytes of the input choose scheme, places and key; then comes what stands beside the
//! text, and the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::crypto::{
    AesCbc, AesKey, Beside, CbcOptions, ENCODINGS, IvPlace, Keys, MacKey, MacPlace, Scheme,
    SealFailure,
};

fuzz_target!(|input: &[u8]| {
    let Some((&[choice, places, size, cut], rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((bytes, rest)) = rest.split_first_chunk::<32>() else {
        return;
    };
    let keys = Keys {
        cipher: AesKey::new(&bytes[..16 + usize::from(size % 3) * 8]).unwrap(),
        mac: Some(MacKey::new(bytes)),
    };
    let scheme = match choice % 3 {
        0 => Scheme::Airudder,
        1 => Scheme::None,
        _ => cbc(places, bytes),
    };
    let (beside, text) = rest.split_at(usize::from(cut).min(rest.len()));
    let given = Beside {
        digest: Some(beside),
        iv: Some(beside),
        mac: Some(beside),
    };
    if let Ok(plain) = scheme.open(&keys, text, &given) {
        seal_and_open(&scheme, &keys, &plain);
    }
    seal_and_open(&scheme, &keys, text);
});

fn cbc(places: u8, bytes: &[u8; 32]) -> Scheme {
    let (fixed, _) = bytes.split_first_chunk().unwrap();
    let (_, encoding) = ENCODINGS[usize::from(places / 9) % ENCODINGS.len()];
    Scheme::AesCbc(AesCbc(CbcOptions {
        iv: [IvPlace::Prefix, IvPlace::Beside, IvPlace::Fixed(*fixed)][usize::from(places % 3)],
        encoding,
        mac: [None, Some(MacPlace::Appended), Some(MacPlace::Beside)][usize::from(places / 3 % 3)],
    }))
}

fn seal_and_open(scheme: &Scheme, keys: &Keys, plain: &[u8]) {
    let sealed = match scheme.seal(keys, plain) {
        Ok(sealed) => sealed,
        Err(failure) => {
            assert_eq!(failure, SealFailure::TrailingZero);
            return;
        }
    };
    let beside = Beside {
        digest: sealed.digest.as_deref().map(str::as_bytes),
        iv: sealed.iv.as_deref().map(str::as_bytes),
        mac: sealed.mac.as_deref().map(str::as_bytes),
    };
    let opened = scheme.open(keys, &sealed.text, &beside);
    assert_eq!(opened.as_deref(), Ok(plain));
}
