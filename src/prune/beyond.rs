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
