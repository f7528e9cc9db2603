//! A filter of names: says for certain that a name is not in a run, and nearly always that it is.
//!
//! A Bloom filter in blocks of one cache line. Names are halves of digests, so their own bits are as
//! good as a hash of them.

use crate::store::journal::mark::Name;

const WORDS: usize = 8;
/// So many bits a name, rounded up to a power of two of blocks.
const NAME_BITS: usize = 12;
const BLOCK_BITS: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    /// A power of two of them.
    blocks: Vec<[u64; WORDS]>,
}

impl Filter {
    /// An empty filter for so many names.
    pub(super) fn sized(names: usize) -> Self {
        let blocks = names.saturating_mul(NAME_BITS).div_ceil(BLOCK_BITS);
        Self {
            blocks: vec![[0; WORDS]; blocks.max(1).next_power_of_two()],
        }
    }

    pub(super) fn insert(&mut self, name: &Name) {
        let (place, mask) = self.find(name);
        if let Some(block) = self.blocks.get_mut(place) {
            for (word, bit) in block.iter_mut().zip(mask) {
                *word |= bit;
            }
        }
    }

    pub(super) fn may_have(&self, name: &Name) -> bool {
        let (place, mask) = self.find(name);
        let mut pairs = self.blocks.get(place).into_iter().flatten().zip(mask);
        pairs.all(|(word, bit)| word & bit != 0)
    }

    /// Half as large, and wrong more often; `false` where it cannot be smaller.
    pub(super) fn fold(&mut self) -> bool {
        let half = self.blocks.len() / 2;
        if half == 0 {
            return false;
        }
        let upper = self.blocks.split_off(half);
        for (block, other) in self.blocks.iter_mut().zip(upper) {
            for (word, bits) in block.iter_mut().zip(other) {
                *word |= bits;
            }
        }
        self.blocks.shrink_to_fit();
        true
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK_BITS / 8
    }

    /// As it lies in the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let words = self.blocks.iter().flatten();
        words.flat_map(|word| word.to_le_bytes()).collect()
    }

    /// `None` where it is no filter.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let (blocks, more) = words.as_chunks::<WORDS>();
        let is_whole = rest.is_empty() && more.is_empty() && blocks.len().is_power_of_two();
        let block = |block: &[[u8; 8]; WORDS]| block.map(u64::from_le_bytes);
        is_whole.then(|| Self {
            blocks: blocks.iter().map(block).collect(),
        })
    }

    /// The block of a name, and its bits: one in each word.
    fn find(&self, name: &Name) -> (usize, [u64; WORDS]) {
        let whole = u128::from_le_bytes(*name);
        // The lowest bits choose the block, so that one of half the size is found by one bit less.
        let low = usize::try_from(whole & 0xffff_ffff).unwrap_or(0);
        let mut bits = whole >> 32;
        let mask = std::array::from_fn(|_| {
            let bit = u32::try_from(bits & 63).unwrap_or(0);
            bits >>= 6;
            1 << bit
        });
        (low & (self.blocks.len() - 1), mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::journal::mark::name;

    #[test]
    fn what_is_in_it_is_always_found_and_what_is_not_nearly_never() {
        let mut filter = Filter::sized(20_000);
        let made = |n: u32| name("r", &n.to_string());
        for n in 0..20_000 {
            filter.insert(&made(n));
        }
        let mut filter = Filter::decode(&filter.encode()).unwrap();
        for most in [200, 4_000] {
            assert!((0..20_000).all(|n| filter.may_have(&made(n))));
            let wrong = (20_000..40_000).filter(|n| filter.may_have(&made(*n)));
            let wrong = wrong.count();
            assert!(wrong < most, "{wrong}");
            assert!(filter.fold());
        }
        while filter.fold() {}
        assert!((0..20_000).all(|n| filter.may_have(&made(n))));
        assert_eq!(Filter::decode(&[0; 100]), None);
    }
}
