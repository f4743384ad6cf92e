//! Which keys a run cannot have, without a look at the disk.

/// Bits for each key. With [`BITS_SET`] of them set, one of a hundred foreign keys costs a look that finds nothing.
const BITS: usize = 10;
/// How many bits each key sets, all of them in one block, so that a question costs one line of the processor's cache.
const BITS_SET: u32 = 6;
/// The words of a block: 64 bytes.
const WORDS: usize = 8;
/// The bits that name one of a block's bits.
const PLACE: u32 = 9;

/// A Bloom filter in blocks (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"). Keys are
/// hashes, so their own bits take the place of hash functions.
pub(super) struct Filter(Vec<[u64; WORDS]>);

impl Filter {
    /// With room for `count` keys.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![[0; WORDS]; (count * BITS).div_ceil(WORDS * 64).max(1)])
    }

    pub(super) fn add(&mut self, key: u128) {
        let block = self.block(key);
        if let Some(words) = self.0.get_mut(block) {
            words.iter_mut().zip(pattern(key)).for_each(|(word, bits)| *word |= bits);
        }
    }

    /// False only for keys that were not added.
    pub(super) fn may_have(&self, key: u128) -> bool {
        let words = self.0.get(self.block(key));
        words.is_none_or(|words| words.iter().zip(pattern(key)).all(|(word, bits)| word & bits == bits))
    }

    /// The upper half of a key, taken as a fraction, chooses the block.
    fn block(&self, key: u128) -> usize {
        let blocks = u128::try_from(self.0.len()).unwrap_or(u128::MAX);
        usize::try_from(((key >> 64) * blocks) >> 64).unwrap_or_default()
    }
}

/// The bits of a key within its block; the lower half of the key chooses them.
fn pattern(key: u128) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for turn in 0..BITS_SET {
        let place = (key >> (turn * PLACE)) & ((1 << PLACE) - 1);
        let word = usize::try_from(place >> 6).unwrap_or_default();
        if let Some(word) = words.get_mut(word) {
            *word |= 1 << (place & 63);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_added_is_never_denied(keys in prop::collection::vec(any::<u128>(), 1..200), room in 0_usize..300) {
            let mut filter = Filter::new(room);
            keys.iter().for_each(|key| filter.add(*key));
            prop_assert!(keys.iter().all(|key| filter.may_have(*key)));
        }
    }

    #[test]
    fn few_others_are_let_through() {
        let key = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|n| filter.add(key(n)));
        let let_through = (10_000..110_000).filter(|n| filter.may_have(key(*n))).count();
        assert!(let_through < 3000, "{let_through} of 100,000");
    }
}
