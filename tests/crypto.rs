//! Sealing against OpenSSL's command line, both ways, and against ten thousand tampered texts.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use fastrand::Rng;
use pintle::crypto::{
    AesCbc, AesKey, Airudder, Beside, CbcOptions, Encoding, IvPlace, Keys, MacKey, MacPlace, Scheme,
};

const BLOCK: usize = 16;
const KEY_BYTES: [usize; 3] = [16, 24, 32];
/// How many random sizes are tried for each size of the key.
const SIZES: usize = 16;
const SIZE_MAX: usize = 64 << 10;
const TAMPERED: usize = 10_000;

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is needed: apt-get install openssl");
    let mut stdin = child.stdin.take().unwrap();
    // Beside the reading: a pipe holds less than the longest text.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    output.stdout
}

fn hex(bytes: &[u8]) -> String {
    String::from_utf8(Encoding::Hex.encode(bytes)).unwrap()
}

fn random(rng: &mut Rng, bytes: usize) -> Vec<u8> {
    let mut filled = vec![0; bytes];
    rng.fill(&mut filled);
    filled
}

/// The ends of the range, the sizes around a block, and random ones.
fn sizes(rng: &mut Rng) -> Vec<usize> {
    let mut sizes = vec![0, 1, BLOCK - 1, BLOCK, BLOCK + 1, SIZE_MAX];
    sizes.resize_with(SIZES, || rng.usize(..=SIZE_MAX));
    sizes
}

/// Each size of a key with each size of a text.
fn each_case(seed: u64, check: impl Fn(&[u8], Vec<u8>, &mut Rng)) {
    let mut rng = Rng::with_seed(seed);
    for key_bytes in KEY_BYTES {
        for size in sizes(&mut rng) {
            let (key, plain) = (random(&mut rng, key_bytes), random(&mut rng, size));
            check(&key, plain, &mut rng);
        }
    }
}

fn cbc(iv: IvPlace, encoding: Encoding, mac: Option<MacPlace>) -> AesCbc {
    AesCbc(CbcOptions { iv, encoding, mac })
}

#[test]
fn openssl_opens_what_is_sealed_with_cbc() {
    each_case(1, |key, plain, _| {
        let cipher = AesKey::new(key).unwrap();
        let scheme = cbc(IvPlace::Prefix, Encoding::Raw, None);
        let text = scheme.seal(&cipher, None, &plain).unwrap().text;
        let (iv, body) = text.split_at(BLOCK);
        let name = format!("-aes-{}-cbc", key.len() * 8);
        let opened = openssl(
            &["enc", "-d", &name, "-K", &hex(key), "-iv", &hex(iv)],
            body,
        );
        assert!(opened == plain, "{name}, {} bytes", plain.len());
    });
}

#[test]
fn what_openssl_seals_with_cbc_is_opened() {
    each_case(2, |key, plain, rng| {
        let cipher = AesKey::new(key).unwrap();
        let iv = random(rng, BLOCK);
        let name = format!("-aes-{}-cbc", key.len() * 8);
        let body = openssl(&["enc", &name, "-K", &hex(key), "-iv", &hex(&iv)], &plain);
        let text = [iv, body].concat();
        let scheme = cbc(IvPlace::Prefix, Encoding::Raw, None);
        let opened = scheme.open(&cipher, None, &text, &Beside::default());
        assert!(
            opened.as_ref() == Ok(&plain),
            "{name}, {} bytes",
            plain.len()
        );
    });
}

#[test]
fn several_sealed_together_are_opened_by_openssl() {
    let mut rng = Rng::with_seed(3);
    for key_bytes in KEY_BYTES {
        let key = random(&mut rng, key_bytes);
        let plains: Vec<Vec<u8>> = sizes(&mut rng)
            .iter()
            .map(|size| random(&mut rng, *size))
            .collect();
        let all: Vec<&[u8]> = plains.iter().map(Vec::as_slice).collect();
        let scheme = cbc(IvPlace::Prefix, Encoding::Raw, None);
        let cipher = AesKey::new(&key).unwrap();
        let sealed = scheme.seal_all(&cipher, None, &all).unwrap();
        assert_eq!(sealed.len(), all.len());
        let name = format!("-aes-{}-cbc", key_bytes * 8);
        for (plain, sealed) in all.iter().zip(sealed) {
            let (iv, body) = sealed.text.split_at(BLOCK);
            let opened = openssl(
                &["enc", "-d", &name, "-K", &hex(&key), "-iv", &hex(iv)],
                body,
            );
            assert!(opened == *plain, "{name}, {} bytes", plain.len());
        }
    }
}

#[test]
fn openssl_opens_what_is_sealed_for_the_platform() {
    each_case(4, |key, mut plain, _| {
        plain.push(b'}');
        let sealed = Airudder.seal(&AesKey::new(key).unwrap(), &plain).unwrap();
        let name = format!("-aes-{}-ecb", key.len() * 8);
        let body = Encoding::Base64.decode(&sealed.text).unwrap();
        let opened = openssl(&["enc", "-d", &name, "-nopad", "-K", &hex(key)], &body);
        let (start, padding) = opened.split_at(plain.len());
        assert!(start == plain, "{name}, {} bytes", plain.len());
        assert!((1..=BLOCK).contains(&padding.len()) && padding.iter().all(|byte| *byte == 0));
        let digest = openssl(&["dgst", "-sha256", "-r"], &plain);
        assert_eq!(sealed.digest.unwrap().as_bytes(), &digest[..64]);
    });
}

#[test]
fn what_openssl_seals_for_the_platform_is_opened() {
    each_case(5, |key, mut plain, _| {
        plain.push(b'}');
        let mut padded = plain.clone();
        padded.resize((plain.len() / BLOCK + 1) * BLOCK, 0);
        let name = format!("-aes-{}-ecb", key.len() * 8);
        let arguments = ["enc", &name, "-nopad", "-base64", "-A", "-K", &hex(key)];
        let text = openssl(&arguments, &padded);
        let digest = openssl(&["dgst", "-sha256", "-r"], &plain);
        let beside = Beside {
            digest: Some(&digest[..64]),
            ..Beside::default()
        };
        let opened = Airudder.open(&AesKey::new(key).unwrap(), &text, &beside);
        assert!(
            opened.as_ref() == Ok(&plain),
            "{name}, {} bytes",
            plain.len()
        );
    });
}

#[test]
fn the_tag_is_the_one_that_openssl_takes() {
    each_case(6, |key, plain, rng| {
        let mac_bytes = rng.usize(1..100);
        let mac = random(rng, mac_bytes);
        let scheme = cbc(IvPlace::Prefix, Encoding::Raw, Some(MacPlace::Appended));
        let text = scheme
            .seal(&AesKey::new(key).unwrap(), Some(&MacKey::new(&mac)), &plain)
            .unwrap()
            .text;
        let (wire, tag) = text.split_at(text.len() - 32);
        let key = format!("hexkey:{}", hex(&mac));
        let arguments = [
            "dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", &key,
        ];
        assert_eq!(openssl(&arguments, wire), tag);
    });
}

/// What came over the wire, decoded.
#[derive(Clone, PartialEq)]
struct Wire {
    body: Vec<u8>,
    beside: Vec<u8>,
}

/// Changes a text in one of the ways in which texts are changed; always to another one.
fn tamper(good: &Wire, rng: &mut Rng) -> Wire {
    let mut wire = good.clone();
    while wire == *good {
        let blocks = wire.body.len() / BLOCK;
        match rng.u8(..6) {
            0 => flip(&mut wire.body, rng),
            1 => wire.body.truncate(rng.usize(..good.body.len())),
            2 => wire.body.truncate(rng.usize(..blocks) * BLOCK),
            3 => {
                let (left, right) = (rng.usize(..blocks) * BLOCK, rng.usize(..blocks) * BLOCK);
                for at in 0..BLOCK {
                    wire.body.swap(left + at, right + at);
                }
            }
            4 => {
                let more = rng.usize(1..=2 * BLOCK);
                wire.body.extend(random(rng, more));
            }
            _ if wire.beside.is_empty() => {}
            _ => flip(&mut wire.beside, rng),
        }
    }
    wire
}

fn flip(bytes: &mut [u8], rng: &mut Rng) {
    let bit = rng.usize(..bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

#[test]
fn no_tampered_text_of_the_platform_opens() {
    let mut rng = Rng::with_seed(7);
    for tried in 0..TAMPERED {
        let key = AesKey::new(&random(&mut rng, KEY_BYTES[tried % 3])).unwrap();
        let size = rng.usize(..300);
        let mut plain = random(&mut rng, size);
        plain.push(b'}');
        let sealed = Airudder.seal(&key, &plain).unwrap();
        let good = Wire {
            body: Encoding::Base64.decode(&sealed.text).unwrap(),
            beside: sealed.digest.unwrap().into_bytes(),
        };
        let wire = tamper(&good, &mut rng);
        let beside = Beside {
            digest: Some(&wire.beside),
            ..Beside::default()
        };
        let opened = Airudder.open(&key, &Encoding::Base64.encode(&wire.body), &beside);
        // An aligned text has a block of nothing but padding. Without it, it says the same.
        let is_padding_lost = plain.len().is_multiple_of(BLOCK)
            && wire.beside == good.beside
            && wire.body == good.body[..plain.len()];
        assert!(
            opened.is_err() || is_padding_lost && opened == Ok(plain),
            "text {tried}"
        );
    }
}

#[test]
fn no_changed_character_of_the_platforms_text_opens() {
    let mut rng = Rng::with_seed(8);
    let key = AesKey::new(&[7; 16]).unwrap();
    for tried in 0..TAMPERED {
        let plain = vec![b'x'; 1 + tried % 50];
        let sealed = Airudder.seal(&key, &plain).unwrap();
        let beside = Beside {
            digest: sealed.digest.as_deref().map(str::as_bytes),
            ..Beside::default()
        };
        let mut text = sealed.text.clone();
        flip(&mut text, &mut rng);
        assert!(Airudder.open(&key, &text, &beside).is_err(), "text {tried}");
    }
}

#[test]
fn no_tampered_text_with_a_tag_opens() {
    let mut rng = Rng::with_seed(9);
    let places = [IvPlace::Prefix, IvPlace::Fixed([9; BLOCK])];
    let tags = [MacPlace::Appended, MacPlace::Beside];
    let encodings = [
        Encoding::Raw,
        Encoding::Base64,
        Encoding::Base64Url,
        Encoding::Hex,
    ];
    for tried in 0..TAMPERED {
        let encoding = encodings[tried % 4];
        let scheme = Scheme::AesCbc(cbc(
            places[tried / 4 % 2],
            encoding,
            Some(tags[tried / 8 % 2]),
        ));
        let keys = Keys {
            cipher: AesKey::new(&random(&mut rng, KEY_BYTES[tried % 3])).unwrap(),
            mac: Some(MacKey::new(&random(&mut rng, 32))),
        };
        let size = rng.usize(..300);
        let sealed = scheme.seal(&keys, &random(&mut rng, size)).unwrap();
        // Beside a raw text stands base64.
        let written = match encoding {
            Encoding::Raw => Encoding::Base64,
            other => other,
        };
        let good = Wire {
            body: encoding.decode(&sealed.text).unwrap(),
            beside: written
                .decode(sealed.mac.unwrap_or_default().as_bytes())
                .unwrap(),
        };
        let wire = tamper(&good, &mut rng);
        let mac = written.encode(&wire.beside);
        let beside = Beside {
            mac: Some(&mac),
            ..Beside::default()
        };
        let opened = scheme.open(&keys, &encoding.encode(&wire.body), &beside);
        assert!(opened.is_err(), "text {tried}");
    }
}
