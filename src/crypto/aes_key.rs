//! An AES key, expanded once, and the two modes that the schemes use.

use std::fmt;

use aes::cipher::{
    Array, Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, InnerIvInit, KeyInit,
};
use aes::{Aes128, Aes192, Aes256};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use thiserror::Error;
use zeroize::Zeroizing;

use super::chain::{Abreast, Chain};

/// The block of AES, in bytes.
pub(super) const BLOCK: usize = 16;

/// An AES-128, AES-192 or AES-256 key. It is overwritten when it is dropped.
pub struct AesKey {
    expanded: Expanded,
    bytes: Zeroizing<Vec<u8>>,
}

enum Expanded {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

/// A key of the wrong length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an AES key has 16, 24 or 32 bytes, this one has {length}")]
pub struct KeyFault {
    /// The length that was given, in bytes.
    pub length: usize,
}

/// Runs the same expression for whichever key it is.
macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $run:expr) => {
        match &$key.expanded {
            Expanded::Aes128($cipher) => $run,
            Expanded::Aes192($cipher) => $run,
            Expanded::Aes256($cipher) => $run,
        }
    };
}

impl AesKey {
    /// Expands a key of 16, 24 or 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyFault> {
        let fault = |_| KeyFault {
            length: bytes.len(),
        };
        let expanded = match bytes.len() {
            24 => Expanded::Aes192(Box::new(Aes192::new_from_slice(bytes).map_err(fault)?)),
            32 => Expanded::Aes256(Box::new(Aes256::new_from_slice(bytes).map_err(fault)?)),
            _ => Expanded::Aes128(Box::new(Aes128::new_from_slice(bytes).map_err(fault)?)),
        };
        Ok(Self {
            expanded,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    /// Encrypts whole blocks, each for itself.
    pub(super) fn encrypt_ecb(&self, buffer: &mut [u8]) {
        with_cipher!(self, cipher => cipher.encrypt_blocks(blocks(buffer)));
    }

    /// Decrypts whole blocks, each for itself.
    pub(super) fn decrypt_ecb(&self, buffer: &mut [u8]) {
        with_cipher!(self, cipher => cipher.decrypt_blocks(blocks(buffer)));
    }

    /// Encrypts whole blocks in a chain.
    pub(super) fn encrypt_cbc(&self, iv: &[u8; BLOCK], buffer: &mut [u8]) {
        with_cipher!(self, cipher => cipher.encrypt_with_backend(Chain::new(iv, buffer)));
    }

    /// Encrypts whole blocks in several chains, each under its own initialisation vector.
    pub(super) fn encrypt_abreast(&self, chains: &mut [Chain<'_>]) {
        with_cipher!(self, cipher => cipher.encrypt_with_backend(Abreast(chains)));
    }

    /// Decrypts whole blocks of a chain.
    pub(super) fn decrypt_cbc(&self, iv: &[u8; BLOCK], buffer: &mut [u8]) {
        with_cipher!(self, cipher => {
            cbc::Decryptor::inner_iv_init(cipher.as_ref(), &(*iv).into())
                .decrypt_blocks(blocks(buffer));
        });
    }
}

impl PartialEq for AesKey {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.bytes, &other.bytes).is_ok()
    }
}

impl Eq for AesKey {}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The whole blocks of a buffer. Callers pass whole blocks only.
fn blocks(buffer: &mut [u8]) -> &mut [Block<Aes128>] {
    Array::slice_as_chunks_mut(buffer).0
}
