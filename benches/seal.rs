//! Sealing and opening beside OpenSSL, in one run on one machine: MB/s, and the ratio.
//!
//! `cargo bench --bench seal`. OpenSSL's figure is that of `openssl speed` for the same cipher and
//! size, run before and after ours, the better of the two counting.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints and may fail"
)]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use pintle::crypto::{AesCbc, AesKey, Airudder, Beside, CbcOptions, Encoding, IvPlace};

const SIZES: [usize; 4] = [256, 1 << 10, 16 << 10, 1 << 20];

fn main() {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("AES-128; MB/s of plaintext; `peer` is openssl speed\n");
    println!(
        "{:<36}{:>9}{:>10}{:>10}{:>8}",
        "what", "bytes", "ours", "peer", "ratio"
    );
    for size in SIZES {
        cbc_rows(size);
        airudder_rows(size);
    }
}

fn cbc_rows(size: usize) {
    let plain = vec![b'x'; size - 16];
    let key = AesKey::new(&[7; 16]).unwrap();
    let sealed = cbc(Encoding::Raw).seal(&key, None, &plain).unwrap().text;
    let many: Vec<&[u8]> = (0..16).map(|_| plain.as_slice()).collect();
    let peer = &["-evp", "aes-128-cbc"];
    row("cbc seal", peer, (size, size), &mut || {
        black_box(
            cbc(Encoding::Raw)
                .seal(&key, None, black_box(&plain))
                .unwrap(),
        );
    });
    row(
        "cbc seal, 16 together",
        peer,
        (size, size * 16),
        &mut || {
            black_box(
                cbc(Encoding::Raw)
                    .seal_all(&key, None, black_box(&many))
                    .unwrap(),
            );
        },
    );
    row("cbc seal, base64", peer, (size, size), &mut || {
        black_box(
            cbc(Encoding::Base64)
                .seal(&key, None, black_box(&plain))
                .unwrap(),
        );
    });
    row(
        "cbc open",
        &["-evp", "aes-128-cbc", "-decrypt"],
        (size, size),
        &mut || {
            let beside = Beside::default();
            black_box(
                cbc(Encoding::Raw)
                    .open(&key, None, black_box(&sealed), &beside)
                    .unwrap(),
            );
        },
    );
}

fn airudder_rows(size: usize) {
    let plain = vec![b'x'; size - 16];
    let key = AesKey::new(&[7; 16]).unwrap();
    let sealed = Airudder.seal(&key, &plain).unwrap();
    let digest = sealed.digest.clone().unwrap();
    let beside = Beside {
        digest: Some(digest.as_bytes()),
        ..Beside::default()
    };
    let peer = &["-evp", "aes-128-ecb"];
    row(
        "airudder seal (ecb, sha256, base64)",
        peer,
        (size, size),
        &mut || {
            black_box(Airudder.seal(&key, black_box(&plain)).unwrap());
        },
    );
    row(
        "airudder open (ecb, sha256, base64)",
        peer,
        (size, size),
        &mut || {
            black_box(
                Airudder
                    .open(&key, black_box(&sealed.text), &beside)
                    .unwrap(),
            );
        },
    );
}

/// Prints one row; the peer runs before and after ours, and its better figure counts.
fn row(what: &str, peer: &[&str], (size, bytes): (usize, usize), run: &mut dyn FnMut()) {
    let before = openssl(peer, size);
    let ours = measure(bytes, run);
    let peer = before.max(openssl(peer, size));
    println!(
        "{what:<36}{size:>9}{ours:>10.0}{peer:>10.0}{:>8.2}",
        ours / peer
    );
}

fn cbc(encoding: Encoding) -> AesCbc {
    AesCbc(CbcOptions {
        iv: IvPlace::Prefix,
        encoding,
        mac: None,
    })
}

/// The best of several short runs, in MB/s.
fn measure(bytes: usize, run: &mut dyn FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        let mut rounds = 0_u32;
        while started.elapsed() < Duration::from_millis(60) {
            for _ in 0..8 {
                run();
            }
            rounds += 8;
        }
        best = best.min(started.elapsed().as_secs_f64() / f64::from(rounds));
    }
    f64::from(u32::try_from(bytes).unwrap()) / best / 1e6
}

fn openssl(cipher: &[&str], size: usize) -> f64 {
    let output = Command::new("openssl")
        .args(["speed", "-seconds", "1", "-bytes", &size.to_string(), "-mr"])
        .args(cipher)
        .output()
        .expect("openssl is here: apt-get install openssl");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("+F:")).unwrap();
    line.rsplit(':').next().unwrap().parse::<f64>().unwrap() / 1e6
}
