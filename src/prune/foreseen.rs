//! What a registry will say to the deletion of named images, from a listing: an index that stays keeps what it holds.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    Stock,
    beyond::kept_list_of,
    graph::{Bond, Graph, called},
};
use crate::{
    image::Digest,
    store::{Image, LeftBehind},
};

/// What is known of named images before they are sent.
#[derive(Debug, Default, PartialEq)]
pub struct Foreseen {
    /// The index that stays and holds an image, by the image's digest.
    pub needed: HashMap<String, String>,
    /// How many of the images are signatures or other referrers of images that stay.
    pub attached: usize,
    /// What stays, though it is attached to an image that goes, by the digest of that.
    pub left: HashMap<String, Vec<LeftBehind>>,
    /// What goes with an image that goes where a registry cascades, by the digest of that.
    pub taken: HashMap<String, Vec<LeftBehind>>,
}

/// Looks for images that stay and need some of those that go, given by their digests.
pub fn foresee<'g>(stock: &Stock, goes: impl IntoIterator<Item = &'g Digest>) -> Foreseen {
    let graph = Graph::of(stock);
    let images = stock.images();
    let mut stays = vec![true; images.len()];
    goes.into_iter().filter_map(|digest| stock.place(&digest.to_string())).for_each(|place| stays[place] = false);
    let mut foreseen = Foreseen::default();
    let from: Vec<usize> = (0..images.len()).filter(|place| stays[*place]).collect();
    graph.spread(from, |owner, owned, bond| {
        let refused = bond == Bond::Held && !stays[owned];
        if let (true, Some(digest)) = (refused, &images[owned].digest) {
            stays[owned] = true;
            foreseen.needed.insert(digest.clone(), needed_by(&images[owner]));
        }
        refused
    });
    let attached = |place: &usize| {
        let mut owners = graph.owners(*place).iter();
        !stays[*place] && owners.any(|(owner, bond)| *bond == Bond::Attached && stays[*owner])
    };
    foreseen.attached = (0..images.len()).filter(attached).count();
    for place in (0..images.len()).filter(|place| !stays[*place]) {
        let left = graph.attached(place).filter(|attached| stays[*attached]);
        let left: Vec<LeftBehind> = left.filter_map(|attached| left_behind(&images[attached], "referrer")).collect();
        let Some(digest) = &images[place].digest else { continue };
        if !left.is_empty() {
            foreseen.left.insert(digest.clone(), left);
        }
        let taken = taken(&graph, images, &stays, place);
        if !taken.is_empty() {
            foreseen.taken.insert(digest.clone(), taken);
        }
    }
    foreseen
}

/// What nobody asked for and goes with an image where a registry cascades: what is attached to it, and what it holds if
/// that has no tag and no other index holds it. The same again of each of those.
fn taken(graph: &Graph, images: &[Arc<Image>], stays: &[bool], place: usize) -> Vec<LeftBehind> {
    let (mut found, mut gone) = (Vec::new(), HashSet::from([place]));
    let mut open = VecDeque::from([place]);
    while let Some(owner) = open.pop_front() {
        for (owned, bond) in graph.owned(owner) {
            let alone = || {
                let others = graph.owners(*owned).iter().filter(|(_, bond)| *bond == Bond::Held);
                images[*owned].tags.is_empty() && others.into_iter().all(|(other, _)| gone.contains(other))
            };
            if stays[*owned] && !gone.contains(owned) && (*bond == Bond::Attached || alone()) {
                gone.insert(*owned);
                open.push_back(*owned);
                let kind = if *bond == Bond::Attached { "referrer" } else { "image" };
                found.extend(left_behind(&images[*owned], kind));
            }
        }
    }
    found
}

/// Why something must stay, for its owner's sake.
fn needed_by(owner: &Image) -> String {
    match kept_list_of(owner).and_then(|_| owner.tags.first()) {
        Some(tag) => format!("the tag {tag} still lists it, and stays"),
        None => format!("needed by {}, which stays", called(owner)),
    }
}

fn left_behind(image: &Image, kind: &str) -> Option<LeftBehind> {
    // Its bytes are no part of the image that goes.
    Some(LeftBehind { kind: kind.into(), id: image.digest.clone()?, bytes: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::{Shelf, digest};

    #[test]
    fn a_cascade_takes_what_nothing_else_holds_and_what_is_attached() {
        let shelf = Shelf::new()
            .index(1, &["v1"], 9, &[2, 3, 4])
            .image(2, &[], 9)
            .image(3, &["own"], 9)
            .image(4, &[], 9)
            .index(5, &["v2"], 9, &[4])
            .referrer(6, 9, 1)
            .referrer(7, 9, 2)
            .referrer(8, 9, 6);
        let stock = shelf.stock();
        let taken = |goes: &[usize]| {
            let digests: Vec<Digest> = goes.iter().map(|number| digest(*number).parse().unwrap()).collect();
            let taken = foresee(&stock, &digests).taken;
            let taken = taken.get(&digest(1)).cloned().unwrap_or_default();
            let mut ids: Vec<String> = taken.into_iter().map(|thing| thing.id).collect();
            ids.sort();
            ids
        };
        let digests = |numbers: &[usize]| numbers.iter().map(|number| digest(*number)).collect::<Vec<_>>();
        assert_eq!(taken(&[1]), digests(&[2, 6, 7, 8]));
        // What was asked for itself is not said twice.
        assert_eq!(taken(&[1, 2]), digests(&[6, 8]));
    }

    #[test]
    fn an_index_that_stays_keeps_what_it_holds_also_through_another_index() {
        let shelf = Shelf::new()
            .index(1, &["outer"], 9, &[2])
            .index(2, &[], 9, &[3])
            .image(3, &[], 9)
            .image(4, &["alone"], 9)
            .referrer(5, 9, 4);
        let stock = shelf.stock();
        let foreseen = |goes: &[usize]| {
            let digests: Vec<Digest> = goes.iter().map(|number| digest(*number).parse().unwrap()).collect();
            let foreseen = foresee(&stock, &digests);
            let mut needed: Vec<usize> =
                (1..=5).filter(|number| foreseen.needed.contains_key(&digest(*number))).collect();
            needed.sort_unstable();
            (needed, foreseen.attached)
        };
        assert_eq!(foreseen(&[3]), (vec![3], 0));
        assert_eq!(foreseen(&[2, 3]), (vec![2, 3], 0));
        assert_eq!(foreseen(&[1, 2, 3]), (vec![], 0));
        assert_eq!(foreseen(&[1, 3]), (vec![3], 0));
        assert_eq!(foreseen(&[5]), (vec![], 1));
        assert_eq!(foreseen(&[4, 5]), (vec![], 0));
        let said = foresee(&stock, [&digest(3).parse().unwrap()]).needed;
        assert_eq!(said[&digest(3)], format!("needed by {}, which stays", &digest(2)[..19]));
    }
}
