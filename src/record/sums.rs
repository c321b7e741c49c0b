//! What became of the images of a run, in numbers.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{engine::Outcome, image::Digest};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sums {
    /// The number of images with each outcome.
    pub counts: BTreeMap<String, usize>,
    /// Images whose outcome is not certain: a call was sent, and nobody saw how it ended.
    pub uncertain: usize,
    /// The size of the images that were deleted. Images of unknown size do not count.
    pub bytes: u64,
    /// Images that count already; one may have gone by several tags.
    #[serde(skip)]
    seen: HashSet<u64>,
}

impl Sums {
    /// Adds an image that was sent or has an outcome. `image`: its store, its digest, and the bytes that it frees.
    pub fn add(&mut self, outcome: Option<Outcome>, image: impl FnOnce() -> Option<(usize, Option<Digest>, u64)>) {
        if let Some(outcome) = outcome {
            match self.counts.get_mut(outcome.word()) {
                Some(count) => *count += 1,
                None => drop(self.counts.insert(outcome.word().to_owned(), 1)),
            }
        }
        self.uncertain += usize::from(is_uncertain(outcome));
        if matches!(outcome, Some(Outcome::Deleted | Outcome::Gone))
            && let Some((store, digest, bytes)) = image()
        {
            let mut hasher = DefaultHasher::new();
            (store, &digest).hash(&mut hasher);
            if digest.is_none() || self.seen.insert(hasher.finish()) {
                self.bytes += bytes;
            }
        }
    }
}

/// Whether a look can tell more.
pub fn is_uncertain(outcome: Option<Outcome>) -> bool {
    matches!(outcome, None | Some(Outcome::Unknown | Outcome::Accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_counts_its_size_once_however_many_tags_it_went_by() {
        let mut sums = Sums::default();
        let digest = |of: &str| Some(Digest::sha256_of(of.as_bytes()));
        sums.add(Some(Outcome::Deleted), || Some((0, digest("a"), 7)));
        sums.add(Some(Outcome::Deleted), || Some((0, digest("a"), 7)));
        sums.add(Some(Outcome::Gone), || Some((1, digest("a"), 7)));
        sums.add(Some(Outcome::Gone), || Some((2, None, 5)));
        sums.add(Some(Outcome::Failed), || Some((0, digest("b"), 7)));
        sums.add(Some(Outcome::Unknown), || Some((0, digest("c"), 7)));
        sums.add(None, || None);
        assert_eq!((sums.bytes, sums.uncertain), (19, 2));
        let counts: Vec<_> = sums.counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        assert_eq!(counts, ["2 deleted", "1 failed", "2 gone", "1 unknown"]);
    }
}
