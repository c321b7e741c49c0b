//! The order in which saved images can be put back: an image before the index that holds it, a subject before what is
//! attached to it.

use std::collections::{HashMap, HashSet};

use super::form::Saved;
use crate::image::{
    Digest,
    manifest::{self, Contents},
};

/// Sorts images so that each comes after those of the same store that it needs, and otherwise in their own order.
pub fn in_restore_order<'s>(images: impl IntoIterator<Item = &'s Saved>) -> Vec<&'s Saved> {
    let images: Vec<&Saved> = images.into_iter().collect();
    let mut places: HashMap<(usize, Digest), Vec<usize>> = HashMap::new();
    for (place, image) in images.iter().enumerate() {
        if let Some(digest) = image.digest() {
            places.entry((image.store, digest)).or_default().push(place);
        }
    }
    let needs = |place: usize| {
        let image = images[place];
        let of_digest = |digest| places.get(&(image.store, digest)).cloned().unwrap_or_default();
        needed(image).into_iter().flat_map(of_digest).collect::<Vec<_>>()
    };
    let (mut begun, mut sorted) = (HashSet::new(), Vec::with_capacity(images.len()));
    for first in 0..images.len() {
        // Depth first, without recursion: a record is a file, and may hold anything.
        let mut open = vec![(first, false)];
        while let Some((place, needs_are_there)) = open.pop() {
            if needs_are_there {
                sorted.push(images[place]);
            } else if begun.insert(place) {
                open.push((place, true));
                open.extend(needs(place).into_iter().rev().map(|needed| (needed, false)));
            }
        }
    }
    sorted
}

/// The images that a manifest names.
fn needed(image: &Saved) -> Vec<Digest> {
    let Some(text) = &image.manifest else { return Vec::new() };
    let children = match manifest::contents(text.as_bytes()) {
        Ok(Contents::Index(children)) => children.into_iter().map(|child| child.digest).collect(),
        _ => Vec::new(),
    };
    children.into_iter().chain(manifest::subject(text.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::form::tests::saved, store::Image};

    fn image(n: usize, manifest: &str) -> Saved {
        let digest = Digest::sha256_of(manifest.as_bytes()).to_string();
        let image = Image { digest: Some(digest), ..Image::default() };
        Saved { n, image: image.into(), manifest: Some(manifest.into()), ..saved() }
    }

    fn digest(of: &Saved) -> String {
        of.digest().unwrap().to_string()
    }

    #[test]
    fn children_come_before_their_index_and_a_subject_before_its_referrers() {
        let child = image(3, r#"{"layers":[]}"#);
        let index = image(1, &format!(r#"{{"manifests":[{{"digest":"{}"}}]}}"#, digest(&child)));
        let outer = image(0, &format!(r#"{{"manifests":[{{"digest":"{}"}}]}}"#, digest(&index)));
        let signature = image(2, &format!(r#"{{"layers":[],"subject":{{"digest":"{}"}}}}"#, digest(&outer)));
        let sorted = in_restore_order([&outer, &index, &signature, &child]);
        assert_eq!(sorted.iter().map(|saved| saved.n).collect::<Vec<_>>(), [3, 1, 0, 2]);
    }

    #[test]
    fn each_image_comes_once_even_in_other_stores_or_without_a_manifest() {
        let child = image(1, r#"{"layers":[]}"#);
        let elsewhere = Saved { n: 2, store: 1, ..child.clone() };
        let bare = Saved { n: 3, manifest: None, ..image(3, "{}") };
        let index = image(0, &format!(r#"{{"manifests":[{{"digest":"{}"}}]}}"#, digest(&child)));
        let sorted = in_restore_order([&index, &elsewhere, &bare, &child]);
        assert_eq!(sorted.iter().map(|saved| saved.n).collect::<Vec<_>>(), [1, 0, 2, 3]);
    }
}
