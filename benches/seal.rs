//! Sealing and opening beside OpenSSL, in one run on one machine: MB/s, and the ratio.
//!
//! `cargo bench --bench seal`, or with a key size in bits: `cargo bench --bench seal -- 256`. The
//! peer is `openssl speed -evp` for the same cipher and as many bytes of ciphertext. It encrypts
//! one warm buffer in place, without padding, vectors or allocation; so the rows with a goal write
//! into memory that is used again, and do pad and draw vectors. Peer and ours take turns, and the
//! best turn of each counts.
//!
//! The rows `airudder` have no goal: they hold a SHA-256 of the plaintext, which takes most of
//! their time.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints and may fail"
)]

use std::fmt;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use pintle::crypto::{
    AesCbc, AesKey, Airudder, Beside, CbcOptions, Encoding, IvPlace, Keys, Scheme, Sealed,
};

const SIZES: [usize; 4] = [256, 1 << 10, 16 << 10, 1 << 20];
const TURNS: usize = 4;
const TURN: Duration = Duration::from_millis(250);
const TOGETHER: usize = 16;

/// What is measured for each size.
struct Case {
    keys: Keys,
    bits: usize,
    /// The bytes of ciphertext.
    size: usize,
    plain: Vec<u8>,
}

/// One way of ours, and the bytes of plaintext that it works on.
struct Row<'c> {
    what: &'static str,
    bytes: usize,
    run: Box<dyn FnMut() + 'c>,
}

fn main() {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let bits = std::env::args().find_map(|argument| argument.parse().ok());
    let bits: usize = bits.unwrap_or(128);
    println!("AES-{bits}; MB/s of plaintext; `peer` is openssl speed\n");
    println!(
        "{:<36}{:>9}{:>10}{:>10}{:>8}",
        "what", "bytes", "ours", "peer", "ratio"
    );
    for size in SIZES {
        let case = Case {
            keys: Keys {
                cipher: AesKey::new(&vec![7; bits / 8]).unwrap(),
                mac: None,
            },
            bits,
            size,
            // One byte of padding, so that plaintext and ciphertext are of nearly the same size.
            plain: vec![b'x'; size - 1],
        };
        case.compare("cbc", &[], cbc_seal(&case));
        case.compare("cbc", &["-decrypt"], cbc_open(&case));
        case.compare("ecb", &[], ecb_seal(&case));
        case.compare("ecb", &["-decrypt"], ecb_open(&case));
    }
}

fn cbc(encoding: Encoding) -> AesCbc {
    AesCbc(CbcOptions {
        iv: IvPlace::Prefix,
        encoding,
        mac: None,
    })
}

fn cbc_seal(case: &Case) -> Vec<Row<'_>> {
    let (key, plain) = (&case.keys.cipher, case.plain.as_slice());
    let one = move |encoding| {
        let mut sealed = Sealed::empty();
        move || {
            cbc(encoding)
                .seal_into(key, None, black_box(plain), &mut sealed)
                .unwrap();
            black_box(&sealed);
        }
    };
    let several = move |encoding| {
        let mut sealed = Vec::new();
        let plains = vec![plain; TOGETHER];
        move || {
            cbc(encoding)
                .seal_all_into(key, None, black_box(&plains), &mut sealed)
                .unwrap();
            black_box(&sealed);
        }
    };
    vec![
        case.row("cbc seal", one(Encoding::Raw)),
        case.row("cbc seal, base64", one(Encoding::Base64)),
        case.row_of_several("cbc seal, 16 together", several(Encoding::Raw)),
        case.row_of_several("cbc seal, 16 together, base64", several(Encoding::Base64)),
    ]
}

fn cbc_open(case: &Case) -> Vec<Row<'_>> {
    let key = &case.keys.cipher;
    let open = move |encoding| {
        let text = cbc(encoding).seal(key, None, &case.plain).unwrap().text;
        let mut plain = Vec::new();
        move || {
            let beside = Beside::default();
            cbc(encoding)
                .open_into((key, None), black_box(&text), &beside, &mut plain)
                .unwrap();
            black_box(&plain);
        }
    };
    vec![
        case.row("cbc open", open(Encoding::Raw)),
        case.row("cbc open, base64", open(Encoding::Base64)),
    ]
}

fn ecb_seal(case: &Case) -> Vec<Row<'_>> {
    let (key, plain) = (&case.keys.cipher, case.plain.as_slice());
    let (mut raw, mut again, mut text) = (Vec::new(), Vec::new(), Vec::new());
    vec![
        case.row("ecb seal", move || {
            Airudder.encrypt(key, black_box(plain), &mut raw).unwrap();
            black_box(&raw);
        }),
        case.row("ecb seal, base64", move || {
            Airudder.encrypt(key, black_box(plain), &mut again).unwrap();
            Encoding::Base64.encode_into(&again, &mut text);
            black_box(&text);
        }),
        case.row("airudder seal (sha256, base64)", move || {
            black_box(Scheme::Airudder.seal(&case.keys, black_box(plain)).unwrap());
        }),
    ]
}

fn ecb_open(case: &Case) -> Vec<Row<'_>> {
    let key = &case.keys.cipher;
    let sealed = Airudder.seal(key, &case.plain).unwrap();
    let text = sealed.text.clone();
    let blocks = Encoding::Base64.decode(&text).unwrap();
    let (mut raw, mut decoded) = (Vec::new(), Vec::new());
    vec![
        case.row("ecb open", move || {
            raw.clear();
            raw.extend_from_slice(black_box(&blocks));
            Airudder.decrypt(key, &mut raw).unwrap();
            black_box(&raw);
        }),
        case.row("ecb open, base64", move || {
            Encoding::Base64
                .decode_into(black_box(&text), &mut decoded)
                .unwrap();
            Airudder.decrypt(key, &mut decoded).unwrap();
            black_box(&decoded);
        }),
        case.row("airudder open (sha256, base64)", move || {
            let beside = Beside {
                digest: sealed.digest.as_deref().map(str::as_bytes),
                ..Beside::default()
            };
            let text = black_box(&sealed.text);
            black_box(Scheme::Airudder.open(&case.keys, text, &beside).unwrap());
        }),
    ]
}

impl Case {
    fn row<'c>(&'c self, what: &'static str, run: impl FnMut() + 'c) -> Row<'c> {
        Row {
            what,
            bytes: self.plain.len(),
            run: Box::new(run),
        }
    }

    fn row_of_several<'c>(&'c self, what: &'static str, run: impl FnMut() + 'c) -> Row<'c> {
        Row {
            bytes: self.plain.len() * TOGETHER,
            ..self.row(what, run)
        }
    }

    /// Lets the peer and each row take turns, then prints the best turn of each.
    fn compare(&self, mode: &str, direction: &[&str], mut rows: Vec<Row<'_>>) {
        let cipher = format!("aes-{}-{mode}", self.bits);
        let mut peer = 0_f64;
        let mut ours = vec![0_f64; rows.len()];
        for _ in 0..TURNS {
            peer = peer.max(openssl(&cipher, direction, self.size));
            for (best, row) in ours.iter_mut().zip(&mut rows) {
                *best = best.max(row.measure());
            }
        }
        for (ours, row) in ours.iter().zip(&rows) {
            println!(
                "{row:<36}{:>9}{ours:>10.0}{peer:>10.0}{:>8.2}",
                self.size,
                ours / peer
            );
        }
    }
}

impl Row<'_> {
    /// The best of several short runs, in MB/s.
    fn measure(&mut self) -> f64 {
        // The clock is read seldom enough to cost nothing.
        let batch = u32::try_from((64 << 10) / self.bytes).unwrap().max(1);
        let mut best = f64::MAX;
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            let started = Instant::now();
            let mut rounds = 0;
            while rounds == 0 || started.elapsed() < TURN / 10 {
                (0..batch).for_each(|_| (self.run)());
                rounds += batch;
            }
            best = best.min(started.elapsed().as_secs_f64() / f64::from(rounds));
        }
        f64::from(u32::try_from(self.bytes).unwrap()) / best / 1e6
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.what)
    }
}

/// What `openssl speed` does in a second, in MB/s.
fn openssl(cipher: &str, direction: &[&str], size: usize) -> f64 {
    let output = Command::new("openssl")
        .args(["speed", "-seconds", "1", "-bytes", &size.to_string()])
        .args(["-mr", "-evp", cipher])
        .args(direction)
        .output()
        .expect("openssl is needed: apt-get install openssl");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("+F:")).unwrap();
    line.rsplit(':').next().unwrap().parse::<f64>().unwrap() / 1e6
}
