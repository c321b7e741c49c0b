//! Variety that repeats: the same seed gives the same numbers. Nothing here is unpredictable, nor need it be.

/// SplitMix64. <https://prng.di.unimi.it/splitmix64.c>
pub(super) struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        let place = usize::try_from(self.below(choices.len() as u64)).unwrap_or_default();
        &choices[place]
    }
}
