//! Groups the images of a plan for people: an index with its platforms, an image with its signatures, is one line. Pure.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use super::{
    Reading, Row, Stock, StorePlan,
    attachment::Attachment,
    graph::{Bond, Graph},
    keep::date,
};

/// Images with one action that a plan shows as one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The place of the image that gives the line its name and reason.
    pub head: usize,
    /// The places of the images that belong to it. Each image of a plan is in one group.
    pub rest: Vec<usize>,
    pub held: Held,
    /// How many images of each kind are attached to the images of the group.
    pub attached: BTreeMap<Attachment, usize>,
}

/// What the head of a group holds, if it is an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub is_index: bool,
    /// Images of the index that the store has.
    pub images: usize,
    /// Of these, images for which the index names no platform: what a build says about the others.
    pub nameless: usize,
    /// Of these, images in another group with the same action.
    pub shared: usize,
    /// Of these, images with another action.
    pub otherwise: usize,
}

impl Group {
    /// How many images the line stands for.
    pub fn images(&self) -> usize {
        1 + self.rest.len()
    }

    /// The places of all its images.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(self.head).chain(self.rest.iter().copied())
    }
}

/// All groups of a store's plan, the newest first.
pub fn groups(stock: &Stock, plan: &StorePlan) -> Vec<Group> {
    let graph = Graph::of(stock);
    let images = stock.images();
    let action = |place: usize| plan.rows[place].action();
    let owner_alike = |row: &Row| graph.owners(row.image).iter().any(|(owner, _)| action(*owner) == action(row.image));
    let (follow, mut heads): (Vec<usize>, Vec<usize>) =
        (0..images.len()).partition(|place| graph.follows(*place) && owner_alike(&plan.rows[*place]));
    heads.sort_by_key(|place| (Reverse(date(&images[*place])), !images[*place].is_index()));
    // Signatures that are attached to each other in a circle have no head: the first of them becomes one.
    let candidates = heads.into_iter().chain(follow);
    let mut groups = Vec::new();
    let mut number_of: Vec<Option<usize>> = vec![None; images.len()];
    for head in candidates {
        if number_of[head].is_some() {
            continue;
        }
        let number = groups.len();
        number_of[head] = Some(number);
        let mut rest = Vec::new();
        graph.spread([head], |_, owned, _| {
            let joins = number_of[owned].is_none() && action(owned) == action(head) && graph.follows(owned);
            if joins {
                number_of[owned] = Some(number);
                rest.push(owned);
            }
            joins
        });
        groups.push(Group { head, rest, held: Held::default(), attached: BTreeMap::new() });
    }
    for (number, group) in groups.iter_mut().enumerate() {
        let owned = graph.owned(group.head).iter();
        let held: Vec<usize> = owned.filter(|(_, bond)| *bond == Bond::Held).map(|(place, _)| *place).collect();
        let count = |test: &dyn Fn(usize) -> bool| held.iter().filter(|place| test(**place)).count();
        let nameless = match stock.reading(&images[group.head]) {
            Some(Reading::Manifest { nameless, .. }) => &nameless[..],
            _ => &[],
        };
        let nameless: HashSet<usize> = nameless.iter().filter_map(|digest| stock.place(&digest.to_string())).collect();
        let alike = |place: usize| action(place) == action(group.head);
        group.held = Held {
            is_index: images[group.head].is_index() || !held.is_empty(),
            images: held.len(),
            nameless: count(&|place| nameless.contains(&place)),
            shared: count(&|place| alike(place) && number_of[place] != Some(number)),
            otherwise: count(&|place| !alike(place)),
        };
        for place in &group.rest {
            if graph.owners(*place).iter().any(|(_, bond)| *bond == Bond::Attached) {
                *group.attached.entry(Attachment::of(&images[*place])).or_default() += 1;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::{ImageId, Provider},
        prune::{
            Action, Evidence,
            sample::{Shelf, Told, cosign, digest, machine, planned, store},
        },
    };

    /// The groups as numbers of images, the head first.
    fn numbers(told: &Told) -> Vec<(Action, Vec<usize>)> {
        let plan = &told.plan.stores[0];
        let number = |place: usize| {
            let digest = told.stock.images()[place].digest.clone().unwrap();
            usize::from_str_radix(&digest["sha256:".len()..], 16).unwrap()
        };
        let of = |group: &Group| (plan.rows[group.head].action(), group.places().map(number).collect());
        groups(&told.stock, plan).iter().map(of).collect()
    }

    fn held(told: &Told, place: usize) -> Held {
        groups(&told.stock, &told.plan.stores[0])[place].held
    }

    const OLD: [&str; 2] = ["--older-than", "30d"];

    #[test]
    fn an_index_is_one_line_with_its_platforms_and_what_is_attached_to_any_of_them() {
        let told = Shelf::new()
            .image(2, &[], 90)
            .image(3, &[], 90)
            .index(1, &["v1"], 90, &[2, 3])
            .image(4, &[&cosign(1, ".sig")], 89)
            .image(5, &[&cosign(2, ".att")], 89)
            .image(6, &["v2"], 1)
            .prune(&OLD);
        assert_eq!(numbers(&told), [(Action::Keep, vec![6]), (Action::Delete, vec![1, 2, 3, 4, 5])]);
        let groups = groups(&told.stock, &told.plan.stores[0]);
        assert_eq!(groups[1].held, Held { is_index: true, images: 2, ..Held::default() });
        let attached = [(Attachment::Signature, 1), (Attachment::Attestation, 1)];
        assert_eq!(groups[1].attached, BTreeMap::from(attached));
    }

    #[test]
    fn a_shared_platform_counts_once_with_the_newest_index() {
        let told = Shelf::new()
            .image(3, &[], 90)
            .index(1, &["v1"], 80, &[3, 4])
            .index(2, &["v2"], 70, &[3])
            .image(4, &[], 90)
            .image(9, &["v9"], 1)
            .prune(&OLD);
        assert_eq!(numbers(&told)[1..], [(Action::Delete, vec![2, 3]), (Action::Delete, vec![1, 4])]);
        assert_eq!((held(&told, 1).shared, held(&told, 2).shared), (0, 1));
    }

    #[test]
    fn a_platform_that_a_kept_index_needs_stands_with_that_index() {
        let told = Shelf::new()
            .image(3, &[], 90)
            .index(1, &["v1"], 90, &[3, 4])
            .index(2, &["v2"], 1, &[3])
            .image(4, &[], 90)
            .prune(&OLD);
        assert_eq!(numbers(&told), [(Action::Keep, vec![2, 3]), (Action::Delete, vec![1, 4])]);
        assert_eq!(held(&told, 1), Held { is_index: true, images: 2, otherwise: 1, ..Held::default() });
    }

    #[test]
    fn a_signature_of_a_kept_image_stands_with_it_and_an_orphan_alone() {
        let told = Shelf::new()
            .image(1, &["v1"], 1)
            .image(2, &[&cosign(1, ".sig")], 90)
            .image(3, &[&cosign(8, ".sig")], 90)
            .prune(&OLD);
        assert_eq!(numbers(&told), [(Action::Keep, vec![1, 2]), (Action::Keep, vec![3])]);
        let told = Shelf::new().image(1, &["v1"], 1).image(3, &[&cosign(8, ".sig")], 90).prune(&["--orphans"]);
        assert_eq!(numbers(&told), [(Action::Keep, vec![1]), (Action::Delete, vec![3])]);
    }

    #[test]
    fn a_platform_with_a_tag_of_its_own_has_a_line_of_its_own() {
        let told =
            Shelf::new().image(2, &["v1-arm64"], 90).index(1, &["v1"], 90, &[2]).image(9, &["v9"], 1).prune(&OLD);
        assert_eq!(numbers(&told)[1..], [(Action::Delete, vec![1]), (Action::Delete, vec![2])]);
        assert_eq!(held(&told, 1).shared, 1);
    }

    #[test]
    fn signatures_in_a_circle_still_stand_somewhere_once() {
        let told = Shelf::new()
            .image(1, &[&cosign(2, ".sig")], 90)
            .image(2, &[&cosign(1, ".sig")], 90)
            .image(9, &["v9"], 1)
            .prune(&OLD);
        let mut all: Vec<usize> = numbers(&told).into_iter().flat_map(|(_, numbers)| numbers).collect();
        all.sort();
        assert_eq!(all, [1, 2, 9]);
    }

    #[test]
    fn machines_belong_to_nothing() {
        for provider in [Provider::Cvm, Provider::Workspace] {
            let images = [machine("img-1", "web", None, 90), machine("img-2", "web", None, 80)];
            let stock = Stock::new(store(provider, ""), images);
            let plan = planned(std::slice::from_ref(&stock), &OLD, &Evidence::default());
            let groups = groups(&stock, &plan.stores[0]);
            assert_eq!(groups.iter().map(Group::images).collect::<Vec<_>>(), [1, 1]);
            assert_eq!(stock.images()[groups[0].head].id, Some(ImageId::Named("img-2".into())));
            assert!(groups.iter().all(|group| group.held == Held::default() && group.attached.is_empty()));
        }
    }

    #[test]
    fn what_an_index_says_of_its_platforms_is_told_apart() {
        let mut stock = Shelf::new().index(1, &["v1"], 90, &[2, 3]).image(2, &[], 90).image(3, &[], 90).stock();
        let children: Vec<_> = [2, 3].map(|number| digest(number).parse().unwrap()).into();
        let nameless = children[1..].to_vec();
        stock.read(&digest(1), Reading::Manifest { children, nameless, subject: None });
        let plan = planned(std::slice::from_ref(&stock), &["--older-than", "999d"], &Evidence::default());
        let held = groups(&stock, &plan.stores[0])[0].held;
        assert_eq!((held.images, held.nameless), (2, 1));
    }
}
