//! Counts the bytes that deletions free. A registry stores each layer once: a layer of a kept image is not freed, and a
//! layer of two deleted images is freed once.

use std::collections::{HashMap, HashSet};

use super::{Action, Reading, Stock, StorePlan};
use crate::{image::Digest, image::manifest::Blob, store::Image};

/// What the deletions free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    pub bytes: u64,
    /// Images of unknown size. If there are any, `bytes` is not exact.
    pub unknown: usize,
}

/// Adds up the sizes of deleted images: an upper bound of what is freed, as far as sizes are known. An index has no
/// layers of its own, and its children count by themselves.
pub fn quick(stock: &Stock, plan: &StorePlan) -> Freed {
    let mut freed = Freed::default();
    for row in plan.rows.iter().filter(|row| row.action() == Action::Delete) {
        let image = &stock.images()[row.image];
        match own_bytes(stock, image) {
            Some(bytes) => freed.bytes += bytes.saturating_sub(left_behind(image)),
            None => freed.unknown += 1,
        }
    }
    freed
}

/// The size of an image by itself, if it is known.
pub fn own_bytes(stock: &Stock, image: &Image) -> Option<u64> {
    match stock.reading(image) {
        Some(Reading::Manifest { children, .. }) if !children.is_empty() => Some(0),
        _ => image.bytes,
    }
}

/// Snapshots that the deletion leaves behind still cost money.
fn left_behind(image: &Image) -> u64 {
    image.leaves_behind.iter().filter_map(|left| left.bytes).sum()
}

/// Adds up layers image by image, in any order, without holding manifests in memory. Use one per repository: a registry
/// does not share layers between repositories.
#[derive(Clone, Debug, Default)]
pub struct Exact {
    needed: HashSet<Digest>,
    going: HashMap<Digest, u64>,
    unknown: usize,
}

impl Exact {
    /// Takes the blobs of a kept or deleted image, or `None` if its manifest could not be read. Indexes have no blobs.
    pub fn add(&mut self, action: Action, blobs: Option<&[Blob]>) {
        let Some(blobs) = blobs else {
            self.unknown += 1;
            return;
        };
        for blob in blobs {
            match (action, blob.bytes) {
                (Action::Keep | Action::Archive, _) => {
                    self.going.remove(&blob.digest);
                    self.needed.insert(blob.digest.clone());
                }
                (Action::Delete, Some(bytes)) if !self.needed.contains(&blob.digest) => {
                    self.going.insert(blob.digest.clone(), bytes);
                }
                (Action::Delete, _) => {}
            }
        }
    }

    pub fn freed(&self) -> Freed {
        Freed { bytes: self.going.values().sum(), unknown: self.unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        prune::sample::{Shelf, digest},
        store::LeftBehind,
    };

    fn blobs(numbers: &[(usize, u64)]) -> Vec<Blob> {
        let blob = |(number, bytes): &(usize, u64)| Blob {
            inline: false,
            digest: digest(*number).parse().unwrap(),
            bytes: Some(*bytes),
            media_type: None,
        };
        numbers.iter().map(blob).collect()
    }

    #[test]
    fn layers_of_kept_images_are_not_freed_and_others_once_in_any_order() {
        let images = [
            (Action::Delete, blobs(&[(1, 10), (2, 20), (3, 40)])),
            (Action::Keep, blobs(&[(1, 10)])),
            (Action::Delete, blobs(&[(3, 40), (4, 80), (4, 80)])),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
            let mut exact = Exact::default();
            for place in order {
                exact.add(images[place].0, Some(&images[place].1));
            }
            assert_eq!(exact.freed(), Freed { bytes: 140, unknown: 0 }, "{order:?}");
        }
    }

    #[test]
    fn an_unreadable_manifest_counts_as_unknown() {
        let mut exact = Exact::default();
        exact.add(Action::Keep, None);
        assert_eq!(exact.freed().unknown, 1);
    }

    #[test]
    fn the_quick_sum_leaves_out_indexes_and_what_stays_behind() {
        let left = |bytes| LeftBehind { kind: "snapshot".into(), id: "snap-1".into(), bytes: Some(bytes) };
        let told = Shelf::new()
            .index(1, &["a"], 99, &[2, 3])
            .image(2, &[], 99)
            .image(3, &[], 99)
            .with(4, &["b"], 99, |image| image.leaves_behind = vec![left(30)])
            .with(5, &["c"], 99, |image| image.bytes = None)
            .image(6, &["d"], 1)
            .prune(&["--older-than", "30d"]);
        assert_eq!(quick(&told.stock, &told.plan.stores[0]), Freed { bytes: 270, unknown: 1 });
    }
}
