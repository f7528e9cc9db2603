//! Chains of blocks (CBC), several of them beside each other where there are several.
//!
//! A block waits for the one before it, so one chain leaves most of the processor idle; blocks of
//! different chains wait for nothing. The loops run inside the cipher's own code, where a block
//! stays in a register from one round to the next: that is a fifth faster than a chain around
//! the cipher (`docs/adr/0009-the-cipher-is-held.md`).
#![expect(
    clippy::inline_always,
    reason = "outside the cipher's code each block is a call through memory"
)]

use aes::Block;
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockSizeUser};

use super::aes_key::BLOCK;

/// One chain: what its next block is mixed with, and the blocks to encrypt in place.
pub(super) struct Chain<'b> {
    /// The initialisation vector, then the block that was encrypted last.
    last: [u8; BLOCK],
    blocks: &'b mut [[u8; BLOCK]],
}

/// Several chains. They may differ in length.
pub(super) struct Abreast<'c, 'b>(pub(super) &'c mut [Chain<'b>]);

impl<'b> Chain<'b> {
    /// A chain over the whole blocks of a buffer. Callers pass whole blocks only.
    pub(super) fn new(iv: &[u8; BLOCK], buffer: &'b mut [u8]) -> Self {
        let (blocks, _) = buffer.as_chunks_mut();
        Self { last: *iv, blocks }
    }
}

impl BlockSizeUser for Chain<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Chain<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, cipher: &B) {
        let mut last = Block::from(self.last);
        for block in self.blocks {
            mix(&mut last, block);
            cipher.encrypt_block((&mut last).into());
            *block = last.into();
        }
    }
}

impl BlockSizeUser for Abreast<'_, '_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Abreast<'_, '_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, cipher: &B) {
        let lengths = self.0.iter().map(|chain| chain.blocks.len());
        for round in 0..lengths.max().unwrap_or(0) {
            for chain in self.0.iter_mut() {
                let Some(block) = chain.blocks.get_mut(round) else {
                    continue;
                };
                let mut last = Block::from(chain.last);
                mix(&mut last, block);
                cipher.encrypt_block((&mut last).into());
                chain.last = last.into();
                *block = chain.last;
            }
        }
    }
}

#[inline(always)]
fn mix(last: &mut Block, block: &[u8; BLOCK]) {
    for (to, from) in last.iter_mut().zip(block) {
        *to ^= from;
    }
}
