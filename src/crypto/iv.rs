//! Fresh initialisation vectors: unpredictable, and never the same twice in one process.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand;

use super::aes_key::BLOCK;
use super::{AesKey, SealFailure};

/// Makes vectors by encrypting a counter under a key that nobody knows: what NIST SP 800-38A,
/// appendix C, names first. The system's random source is asked once.
struct Source {
    key: AesKey,
    process: [u8; 8],
    serial: AtomicU64,
}

/// A vector that was not given out before and cannot be foretold.
pub(super) fn fresh() -> Result<[u8; BLOCK], SealFailure> {
    static SOURCE: LazyLock<Option<Source>> = LazyLock::new(Source::new);
    let source = SOURCE.as_ref().ok_or(SealFailure::NoRandom)?;
    Ok(source.next())
}

impl Source {
    fn new() -> Option<Self> {
        let mut random = [0; BLOCK + 8];
        rand::fill(&mut random).ok()?;
        let (key, process) = random.split_first_chunk::<BLOCK>()?;
        let key = AesKey::new(key).ok()?;
        Some(Self {
            key,
            process: process.try_into().ok()?,
            serial: AtomicU64::new(0),
        })
    }

    fn next(&self) -> [u8; BLOCK] {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut block = [0; BLOCK];
        let (process, counter) = block.split_at_mut(8);
        process.copy_from_slice(&self.process);
        counter.copy_from_slice(&serial);
        self.key.encrypt_ecb(&mut block);
        block
    }
}
