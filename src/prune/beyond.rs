//! What a listing does not show, where it shows only images with tags: signatures, SBOMs and other images without a tag.
//! Rules never choose them: they go and stay with the images that they belong to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    Reading, Stock,
    graph::{Graph, attached_by},
    inventory::identity,
    select::short,
};
use crate::{image::Digest, store::Image};

/// What was learned beside the listing of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beyond {
    /// Images that the listing does not show.
    unlisted: HashSet<String>,
    /// Images that must stay, and what could not be found out about each.
    doubts: HashMap<String, String>,
    asked: HashSet<String>,
    looked_for: HashSet<String>,
}

/// What must be known about images before they go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// What is attached to these?
    pub subjects: Vec<Digest>,
    /// Clients keep a tag that lists what is attached to an image: which of those are really attached to it?
    pub kept_lists: Vec<(Digest, Vec<Digest>)>,
    /// Are these really gone, though others are attached to them?
    pub lost: Vec<Digest>,
}

impl Stock {
    /// What must be known about these images before they go. Each question is asked once.
    pub fn questions(&mut self, candidates: &[usize]) -> Questions {
        let graph = Graph::of(self);
        let (mut subjects, mut kept_lists, mut lost) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        for place in candidates {
            let image = &self.images()[*place];
            let Some(digest) = image.digest() else { continue };
            lost.extend(graph.lost(*place).iter().filter(|id| !self.beyond.looked_for.contains(*id)).cloned());
            if self.beyond.asked.contains(&digest.to_string()) {
                continue;
            }
            if let (Some(subject), Some(Reading::Manifest { children, .. })) =
                (kept_list_of(image), self.reading(image))
            {
                let unlisted = children.iter().filter(|child| self.place(&child.to_string()).is_none());
                kept_lists.entry(subject).or_insert_with(Vec::new).extend(unlisted.cloned());
            }
            subjects.push(digest);
        }
        self.beyond.asked.extend(subjects.iter().map(Digest::to_string));
        self.beyond.looked_for.extend(lost.iter().cloned());
        Questions {
            subjects,
            kept_lists: kept_lists.into_iter().filter(|(_, listed)| !listed.is_empty()).collect(),
            lost: lost.into_iter().filter_map(|id| id.parse().ok()).collect(),
        }
    }

    /// Of each image, whether it is attached to one of these, which the listing does not show.
    pub fn attached_to_any(&self, lost: &HashSet<Digest>) -> Vec<bool> {
        let graph = Graph::of(self);
        let any = |place: usize| graph.lost(place).iter().any(|id| id.parse().is_ok_and(|id| lost.contains(&id)));
        (0..self.images().len()).map(any).collect()
    }

    /// Adds images that the listing does not show; tells whether there are any.
    pub fn add_unlisted(&mut self, images: impl IntoIterator<Item = Image>) -> bool {
        let mut any = false;
        for image in images {
            let Some(id) = identity(&image).map(str::to_owned) else { continue };
            any |= match (self.place(&id), image.subject.clone()) {
                (None, _) => {
                    self.beyond.unlisted.insert(id);
                    self.push(image);
                    true
                }
                // Its listing may leave out what it is attached to.
                (Some(place), Some(subject)) => self.set_subject(place, subject),
                (Some(_), None) => false,
            };
        }
        any
    }

    /// Keeps an image about which something could not be found out.
    pub fn doubt(&mut self, image: &Digest, what: String) {
        self.beyond.doubts.insert(image.to_string(), what);
    }

    /// Keeps everything attached to an image that may still exist.
    pub fn doubt_referrers_of(&mut self, subject: &Digest, why: &str) {
        let subject = subject.to_string();
        let graph = Graph::of(self);
        let attached = (0..self.images().len()).filter(|place| graph.lost(*place).contains(&subject));
        let attached: Vec<Digest> = attached.filter_map(|place| self.images()[place].digest()).collect();
        for image in attached {
            self.doubt(&image, format!("whether its subject {} still exists is unknown: {why}", short(&subject)));
        }
    }

    /// What could not be found out about an image.
    pub fn doubt_about(&self, image: &Image) -> Option<&str> {
        self.beyond.doubts.get(identity(image)?).map(String::as_str)
    }

    /// Whether the listing does not show an image.
    pub fn is_unlisted(&self, image: &Image) -> bool {
        identity(image).is_some_and(|id| self.beyond.unlisted.contains(id))
    }

    /// The places of what is attached to these images.
    pub fn attached_to(&self, places: &[usize]) -> Vec<usize> {
        let graph = Graph::of(self);
        let attached = places.iter().flat_map(|place| graph.attached(*place));
        attached.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The image whose referrers this index lists, by the tag that clients keep where a registry does not.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
pub fn kept_list_of(image: &Image) -> Option<Digest> {
    let of_tag = |tag: &String| attached_by(tag).filter(|_| !tag.contains('.'))?.parse().ok();
    image.is_index().then(|| image.tags.iter().find_map(of_tag))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::{
        Evidence, Reading,
        sample::{Shelf, Told, cosign, digest, planned},
    };

    const FLAGS: [&str; 3] = ["--older-than", "30d", "--allow-empty"];

    fn of(number: usize) -> Digest {
        digest(number).parse().unwrap()
    }

    fn image(number: usize, subject: Option<usize>) -> Image {
        Image { digest: Some(digest(number)), id: None, subject: subject.map(digest), ..Image::default() }
    }

    /// The plan for a stock, in which everything with a date is old.
    fn plan(stock: Stock) -> Told {
        let plan = planned(std::slice::from_ref(&stock), &FLAGS, &Evidence::default());
        Told { stock, plan }
    }

    #[test]
    fn what_the_listing_does_not_show_follows_its_image_and_is_never_chosen() {
        let mut stock = Shelf::new().image(1, &["old"], 90).image(2, &["new"], 1).stock();
        let old = Image { pushed_at: stock.images()[0].pushed_at, ..image(6, None) };
        assert!(stock.add_unlisted([image(3, Some(1)), image(4, Some(2)), image(5, Some(3)), old]));
        for number in 3..7 {
            stock.read(&digest(number), Reading::plain());
        }
        assert!(!stock.add_unlisted([image(3, Some(1)), image(2, None)]));
        let told = plan(stock);
        assert_eq!(told.deleted(), [1, 3, 5]);
        assert!(told.reason(4).starts_with("kept: attached to new"), "{}", told.reason(4));
        assert!(told.reason(6).starts_with("kept: it has no tag"), "{}", told.reason(6));
    }

    #[test]
    fn an_image_about_which_something_is_unknown_stays_with_what_is_attached_to_it() {
        let mut stock = Shelf::new().image(1, &["old"], 90).image(2, &[&cosign(1, ".sig")], 90).stock();
        stock.doubt(&of(1), "what is attached to it is unknown: no".into());
        let told = plan(stock);
        assert!(told.deleted().is_empty());
        assert_eq!(told.reason(1), "kept: what is attached to it is unknown: no");
        let mut stock = Shelf::new().image(2, &[&cosign(9, ".sig")], 90).stock();
        stock.doubt_referrers_of(&of(9), "no");
        let told = plan(stock);
        assert!(told.reason(2).contains("still exists is unknown: no"), "{}", told.reason(2));
    }

    #[test]
    fn each_question_about_images_that_may_go_is_asked_once() {
        let kept_tag = cosign(1, "");
        let shelf = Shelf::new().image(1, &["v1"], 9).index(2, &[&kept_tag], 9, &[3, 4]).image(4, &["x"], 9);
        let mut stock = shelf.image(5, &[&cosign(8, ".att")], 9).image(6, &["y"], 9).stock();
        let asked = stock.questions(&[0, 1, 3]);
        assert_eq!(asked.subjects, [of(1), of(2), of(5)]);
        // The listing shows the other one.
        assert_eq!(asked.kept_lists, [(of(1), vec![of(3)])]);
        assert_eq!(asked.lost, [of(8)]);
        assert_eq!(stock.questions(&[0, 1, 3]), Questions::default());
        assert_eq!(stock.questions(&[3, 4]).subjects, [of(6)]);
        assert_eq!(stock.attached_to(&[0, 4]), [1]);
        assert_eq!(stock.attached_to_any(&HashSet::from([of(8)])), [false, false, false, true, false]);
    }
}
