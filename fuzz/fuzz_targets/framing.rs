//! Raw bytes against the framing rules: they never panic, and a split never changes the verdict.
//!
//! The first byte of the input is the size of the reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::message::framing::{
    ChunkScanner, FramingFault, HeadLimits, HeadScanner, Progress, check_head,
};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 1024,
    headers_max: 16,
    target_bytes_max: 256,
};

fuzz_target!(|input: &[u8]| {
    let Some((&size, bytes)) = input.split_first() else {
        return;
    };
    let size = usize::from(size).max(1);

    let whole = scan_head(bytes, bytes.len().max(1));
    assert_eq!(scan_head(bytes, size), whole);
    if check_head(bytes, LIMITS).is_ok() {
        assert_eq!(whole, Ok(Some(bytes.len())));
    }

    assert_eq!(
        scan_chunks(bytes, size),
        scan_chunks(bytes, bytes.len().max(1))
    );
});

fn scan_head(bytes: &[u8], size: usize) -> Result<Option<usize>, FramingFault> {
    let mut scanner = HeadScanner::new();
    for part in bytes.chunks(size) {
        let end = scanner.scan(part, LIMITS)?;
        if end.is_some() {
            return Ok(end);
        }
    }
    Ok(None)
}

fn scan_chunks(bytes: &[u8], size: usize) -> (usize, Result<Progress, FramingFault>) {
    let mut scanner = ChunkScanner::new();
    let mut taken = 0;
    for part in bytes.chunks(size) {
        let scanned = scanner.scan(part);
        taken += scanned.taken;
        if scanned.outcome != Ok(Progress::More) {
            return (taken, scanned.outcome);
        }
    }
    (taken, Ok(Progress::More))
}
