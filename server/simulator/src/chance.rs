//! Chance that can be repeated: drawn from a seed and written down, or read from what was written down.
//!
//! A run is nothing but its choices. To shrink a run is to shorten the list and to lower its numbers, and then to see what a run of
//! those choices does (as Hypothesis does it: MacIver and Donaldson, *Test-Case Reduction via Test-Case Generation*, 2020). So 0
//! is always the plainest choice, and where the list ends, all further choices are 0.

/// Where every decision of a run comes from.
#[derive(Clone, Debug)]
pub struct Chance {
    source: Source,
    taken: Vec<u32>,
    /// Nothing is left to chance any more.
    over: bool,
}

#[derive(Clone, Debug)]
enum Source {
    /// The state of SplitMix64 (Steele, Lea and Flood 2014): a few lines that never change, so a seed names its run for ever.
    Seed(u64),
    Choices {
        list: Vec<u32>,
        next: usize,
    },
}

impl Chance {
    /// Choices by a seed.
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self { source: Source::Seed(seed), taken: Vec::new(), over: false }
    }

    /// Choices as they were taken before.
    #[must_use]
    pub const fn from_choices(list: Vec<u32>) -> Self {
        Self { source: Source::Choices { list, next: 0 }, taken: Vec::new(), over: false }
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        if self.over {
            return 0;
        }
        let choice = match &mut self.source {
            Source::Seed(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                let high = (mixed ^ (mixed >> 31)) >> 32;
                // Scaled and not divided: the high bits are the better ones.
                u32::try_from((high * u64::from(bound)) >> 32).unwrap_or(0)
            }
            Source::Choices { list, next } => {
                let choice = list.get(*next).copied().unwrap_or(0);
                *next += 1;
                choice.min(bound.saturating_sub(1))
            }
        };
        self.taken.push(choice);
        choice
    }

    /// Whether something happens that happens once in `times`. Choice 0 says no.
    pub fn once_in(&mut self, times: u32) -> bool {
        times > 1 && self.below(times) == times - 1
    }

    /// A place in a list of that length, `None` when it is empty.
    pub fn index(&mut self, length: usize) -> Option<usize> {
        let bound = u32::try_from(length).unwrap_or(u32::MAX);
        if bound == 0 { None } else { usize::try_from(self.below(bound)).ok() }
    }

    /// From now on every choice is 0, and none is written down.
    pub(crate) const fn end(&mut self) {
        self.over = true;
    }

    /// Whether the list has come to its end: nothing further was ever chosen.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(&self.source, Source::Choices { list, next } if *next >= list.len())
    }

    /// Every choice so far.
    #[must_use]
    pub fn taken(&self) -> &[u32] {
        &self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_chosen_again_from_the_list() {
        let mut first = Chance::from_seed(7);
        let drawn: Vec<u32> = (1..200).map(|bound| first.below(bound)).collect();
        assert!(drawn.iter().zip(1..).all(|(choice, bound)| *choice < bound));
        let mut again = Chance::from_choices(first.taken().to_vec());
        assert_eq!((1..200).map(|bound| again.below(bound)).collect::<Vec<_>>(), drawn);
        assert_eq!(again.below(1_000), 0, "behind the end everything is plain");
    }

    #[test]
    fn a_seed_names_its_choices_for_ever() {
        let mut chance = Chance::from_seed(42);
        assert_eq!([chance.below(1_000), chance.below(1_000), chance.below(1_000)], GOLDEN);
    }

    const GOLDEN: [u32; 3] = [741, 159, 278];
}
