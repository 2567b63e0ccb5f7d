//! A fast hash for ids. They are mostly chance already; ten thousand rows are filtered anew with every letter typed.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map by ids.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Folds words by multiplication (the scheme that Firefox and rustc use). No defence against chosen keys: whoever makes up ids that
/// collide slows down a browser and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

const FACTOR: u64 = 0x517c_c1b7_2722_0a95;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Big-endian: ids that follow one another differ in their last byte, and mixing goes upwards from the lowest bit.
            self.0 = (self.0.rotate_left(5) ^ u64::from_be_bytes(word)).wrapping_mul(FACTOR);
        }
    }

    fn finish(&self) -> u64 {
        // Multiplication mixes upwards, and the map picks buckets by the low bits.
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;
    use uuid::Uuid;

    #[test]
    fn ids_that_follow_one_another_spread_over_the_buckets() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let bucket = |id: u128| build.hash_one(Uuid::from_u128(id)) % 1_024;
        let used: std::collections::BTreeSet<_> = (0..1_024).map(bucket).collect();
        assert!(used.len() > 500, "{} buckets of 1,024", used.len());
    }
}
