//! Which keys a run cannot have, without a look at the disk.

/// Bits for each key. With [`BITS_SET`] of them set, three of a thousand foreign keys cost a look that finds nothing.
const BITS: usize = 13;
/// How many bits each key sets, all of them in one block, so that a question costs one line of the processor's cache.
const BITS_SET: u32 = 7;
/// The words of a block: 64 bytes.
const WORDS: usize = 8;
/// The bits that name one of a block's bits.
const PLACE: u32 = 9;
/// The blocks that are stored together: 64 KiB.
const CHUNK: usize = 1024;

/// A Bloom filter in blocks (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"). Keys are
/// hashes, so their own bits take the place of hash functions. One without blocks lets everything through.
pub(super) struct Filter(Vec<Block>);

type Block = [u64; WORDS];

/// A key with its bits in whatever block a filter has for it: the same in all filters, so worked out once.
pub(super) struct Probe {
    key: u128,
    bits: Block,
}

impl Probe {
    pub(super) fn new(key: u128) -> Self {
        Self { key, bits: bits(key) }
    }
}

impl Filter {
    /// With room for `count` keys.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![[0; WORDS]; count.saturating_mul(BITS).div_ceil(WORDS * 64).max(1)])
    }

    /// Of stored chunks; if these are not `blocks` in all, a filter that lets everything through.
    pub(super) fn stored(blocks: usize, chunks: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut all = Vec::new();
        for chunk in chunks {
            let (words, _) = chunk.as_chunks::<{ size_of::<u64>() }>();
            let words: Vec<u64> = words.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
            all.extend_from_slice(words.as_chunks::<WORDS>().0);
        }
        if all.len() != blocks {
            all.clear();
        }
        all.shrink_to_fit();
        Self(all)
    }

    pub(super) fn blocks(&self) -> usize {
        self.0.len()
    }

    /// The bytes that [`Filter::stored`] takes.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0
            .chunks(CHUNK)
            .map(|blocks| blocks.iter().flatten().flat_map(|word| word.to_le_bytes()).collect())
    }

    pub(super) fn add(&mut self, probe: &Probe) {
        let block = self.block(probe.key);
        if let Some(words) = self.0.get_mut(block) {
            words.iter_mut().zip(probe.bits).for_each(|(word, bits)| *word |= bits);
        }
    }

    /// False only for keys that were not added.
    pub(super) fn may_have(&self, probe: &Probe) -> bool {
        let words = self.0.get(self.block(probe.key));
        words.is_none_or(|words| words.iter().zip(probe.bits).all(|(word, bits)| word & bits == bits))
    }

    /// The upper half of a key, taken as a fraction, chooses the block.
    fn block(&self, key: u128) -> usize {
        let blocks = u128::try_from(self.0.len()).unwrap_or(u128::MAX);
        usize::try_from(((key >> 64) * blocks) >> 64).unwrap_or_default()
    }
}

/// The bits of a key within its block; the lower half of the key chooses them.
fn bits(key: u128) -> Block {
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

    fn stored(filter: &Filter) -> Filter {
        Filter::stored(filter.blocks(), filter.chunks())
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn what_was_added_is_never_denied(keys in prop::collection::vec(any::<u128>(), 1..200), room in 0_usize..300) {
            let mut filter = Filter::new(room);
            let probes: Vec<Probe> = keys.into_iter().map(Probe::new).collect();
            probes.iter().for_each(|probe| filter.add(probe));
            prop_assert!(probes.iter().all(|probe| filter.may_have(probe)));
            let again = stored(&filter);
            prop_assert_eq!(again.0, filter.0);
        }
    }

    /// With these bits a filter without blocks would let 0.21 % through; blocks that are fuller than others make it more.
    #[test]
    fn few_others_are_let_through() {
        let probe = |n: u128| Probe::new(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let mut filter = Filter::new(200_000);
        (0..200_000).for_each(|n| filter.add(&probe(n)));
        let filter = stored(&filter);
        assert_eq!(filter.blocks(), 5079, "five chunks");
        let let_through = (200_000..400_000).filter(|n| filter.may_have(&probe(*n))).count();
        assert!((200..1000).contains(&let_through), "{let_through} of 200,000");
    }

    #[test]
    fn a_filter_that_is_not_whole_lets_everything_through() {
        let mut filter = Filter::new(100_000);
        filter.add(&Probe::new(1));
        for chunks in [vec![], vec![0], vec![0, 1], vec![0, 2], vec![0, 1, 2, 2]] {
            let short = Filter::stored(
                filter.blocks(),
                chunks.iter().filter_map(|index| filter.chunks().nth(*index)),
            );
            assert!((0..1000).all(|n| short.may_have(&Probe::new(n << 90))), "{chunks:?}");
        }
    }
}
