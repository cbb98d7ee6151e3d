//! Chance that is the same on every run: drawn from a seed and from what is asked, never from the order of events.

/// A stream of draws.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The stream of these seeds; their order matters.
    pub(super) fn new(seeds: &[u64]) -> Self {
        Self(seeds.iter().fold(0, |state, seed| mix(state ^ mix(seed.wrapping_add(STEP)))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `sides`; zero where there are none.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % sides).unwrap_or_default()
    }

    /// Yes, with that probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what a float between zero and one can tell apart.
        ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a over all parts, each closed by a byte that no text holds.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter().chain(&[0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_comes_about_as_often_as_it_says() {
        for probability in [0.0, 0.25, 0.9, 1.0] {
            let hits = (0..10_000).filter(|n| Dice::new(&[7, *n]).chance(probability)).count() as f64;
            assert!((hits - probability * 10_000.0).abs() < 200.0, "{probability}: {hits}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}
