//! How the images of a repository depend on each other. An index holds images. Signatures, attestations and other
//! referrers are attached to an image by `subject` or by a digest tag. A place is a position in [`Stock::images`].

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    inventory::{Reading, Stock, identity, may_be_index},
    keep::date,
    select::short,
};
use crate::store::Image;

/// Unreadable indexes that can be deleted before what they may hold. With more of them, what they may hold is kept: each
/// image would have to wait for all of them.
const MOST_FIRST: usize = 100;

/// Why one image belongs to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// An index holds it: without it the index cannot be pulled.
    Held,
    /// It describes the other: a signature, an attestation, an SBOM.
    Attached,
}

/// Which images belong to which, within one store.
#[derive(Debug, Default)]
pub struct Graph {
    owners: Vec<Vec<(usize, Bond)>>,
    owned: Vec<Vec<(usize, Bond)>>,
    /// Subjects of an image that are not in the store.
    lost: Vec<Vec<String>>,
    /// It has a tag that a person gave it.
    named: Vec<bool>,
    /// It is attached to another image, wherever that is.
    referrers: Vec<bool>,
    /// Indexes that could not be read, each with the reason.
    pub unreadable: Vec<(usize, String)>,
}

impl Graph {
    pub fn of(stock: &Stock) -> Self {
        let images = stock.images();
        let places: HashMap<&str, usize> =
            images.iter().enumerate().filter_map(|(place, image)| Some((identity(image)?, place))).collect();
        let mut graph = Self {
            owners: vec![Vec::new(); images.len()],
            owned: vec![Vec::new(); images.len()],
            lost: vec![Vec::new(); images.len()],
            named: vec![false; images.len()],
            referrers: vec![false; images.len()],
            unreadable: Vec::new(),
        };
        for (place, image) in images.iter().enumerate() {
            let mut read_subject = None;
            match stock.reading(image) {
                None => {}
                Some(Reading::Unreadable(why)) if may_be_index(image) => graph.unreadable.push((place, why.clone())),
                Some(Reading::Unreadable(_)) => {}
                Some(Reading::Manifest { children, subject, .. }) => {
                    read_subject = subject.as_ref().map(ToString::to_string);
                    let known = children.iter().filter_map(|child| places.get(child.to_string().as_str()));
                    // An index may name an image twice, for two platforms.
                    for child in known.copied().collect::<BTreeSet<_>>() {
                        graph.join(place, child, Bond::Held);
                    }
                }
            }
            let mut named = false;
            let by_tag = image.tags.iter().filter_map(|tag| {
                let subject = attached_by(tag);
                named |= subject.is_none();
                subject
            });
            let mut subjects: BTreeSet<String> = by_tag.chain(image.subject.clone()).chain(read_subject).collect();
            subjects.retain(|subject| identity(image) != Some(subject));
            graph.named[place] = named;
            graph.referrers[place] = !subjects.is_empty();
            for subject in subjects {
                match places.get(subject.as_str()) {
                    Some(subject) => graph.join(*subject, place, Bond::Attached),
                    None => graph.lost[place].push(subject),
                }
            }
        }
        graph
    }

    fn join(&mut self, owner: usize, owned: usize, bond: Bond) {
        if owner != owned {
            self.owners[owned].push((owner, bond));
            self.owned[owner].push((owned, bond));
        }
    }

    /// The images that this image belongs to.
    pub fn owners(&self, place: usize) -> &[(usize, Bond)] {
        &self.owners[place]
    }

    /// The images that belong to this image.
    pub fn owned(&self, place: usize) -> &[(usize, Bond)] {
        &self.owned[place]
    }

    /// The images that are attached to this one.
    pub fn attached(&self, place: usize) -> impl Iterator<Item = usize> {
        self.owned[place].iter().filter(|(_, bond)| *bond == Bond::Attached).map(|(attached, _)| *attached)
    }

    /// It is kept or deleted with the images that it belongs to: a referrer, or an image without a tag of its own.
    pub fn follows(&self, place: usize) -> bool {
        self.owners[place].iter().any(|(_, bond)| *bond == Bond::Attached || !self.named[place])
    }

    /// The image's subject, if none of its subjects is in the store.
    pub fn orphan_of(&self, place: usize) -> Option<&str> {
        let attached = self.owners[place].iter().any(|(_, bond)| *bond == Bond::Attached);
        let first = self.lost[place].first().filter(|_| !attached);
        first.map(String::as_str)
    }

    /// All subjects of the image that are not in the store.
    pub fn lost(&self, place: usize) -> &[String] {
        &self.lost[place]
    }

    /// It is a tagged image in its own right, not a referrer of another.
    pub fn is_tagged_image(&self, place: usize) -> bool {
        self.named[place] && !self.referrers[place]
    }

    /// It is attached to another image, wherever that is.
    pub fn is_referrer(&self, place: usize) -> bool {
        self.referrers[place]
    }

    /// Walks from some images to everything that belongs to them. `visit` sees each step and says whether to follow it.
    pub fn spread(&self, from: impl IntoIterator<Item = usize>, mut visit: impl FnMut(usize, usize, Bond) -> bool) {
        let mut queue: VecDeque<usize> = from.into_iter().collect();
        while let Some(owner) = queue.pop_front() {
            for (owned, bond) in &self.owned[owner] {
                if visit(owner, *owned, *bond) {
                    queue.push_back(*owned);
                }
            }
        }
    }

    /// Everything that an index holds, directly or through nested indexes.
    pub fn held(&self, place: usize) -> Vec<usize> {
        self.reach(place, &self.owned)
    }

    /// All indexes that hold an image, directly or through others.
    pub fn holders(&self, place: usize) -> Vec<usize> {
        self.reach(place, &self.owners)
    }

    fn reach(&self, place: usize, bonds: &[Vec<(usize, Bond)>]) -> Vec<usize> {
        let mut found = vec![place];
        let mut known = HashSet::from([place]);
        let mut next = 0;
        while let Some(place) = found.get(next).copied() {
            next += 1;
            let held = bonds[place].iter().filter(|(_, bond)| *bond == Bond::Held);
            found.extend(held.map(|(other, _)| *other).filter(|other| known.insert(*other)));
        }
        found.remove(0);
        found
    }

    /// The order of deletion: the pass of each deleted image. An index comes before what it holds, so that a refusal stops
    /// the rest in time. An image comes before its referrers, so that a kept image never loses its signature.
    pub fn passes(&self, goes: &[bool]) -> Vec<usize> {
        let mut pass = vec![0; goes.len()];
        let mut done = vec![false; goes.len()];
        self.sort(goes, &mut pass, &mut done, |_| true);
        // Tags set by hand can make circles of attachments. Indexes cannot, because digests cannot.
        self.sort(goes, &mut pass, &mut done, |bond| bond == Bond::Held);
        self.put_unreadable_first(goes, &mut pass);
        pass
    }

    /// An unreadable index, and the images that it belongs to, come before everything that it may hold.
    fn put_unreadable_first(&self, goes: &[bool], pass: &mut [usize]) {
        let mut first: Vec<usize> =
            self.unreadable.iter().map(|(place, _)| *place).filter(|place| goes[*place]).collect();
        let mut known: HashSet<usize> = first.iter().copied().collect();
        let mut next = 0;
        while let Some(place) = first.get(next).copied() {
            next += 1;
            let owners = self.owners[place].iter().map(|(owner, _)| *owner);
            first.extend(owners.filter(|owner| goes[*owner] && known.insert(*owner)));
        }
        let Some(last) = first.iter().map(|place| pass[*place]).max() else { return };
        for place in (0..goes.len()).filter(|place| goes[*place] && !known.contains(place)) {
            pass[place] += last + 1;
        }
    }

    /// The unreadable indexes that must be deleted before an image, because they may hold it.
    pub fn before<'g>(&'g self, images: &'g [Arc<Image>], place: usize) -> impl Iterator<Item = usize> + 'g {
        let unreadable = self.unreadable.iter().map(|(index, _)| *index);
        unreadable.filter(move |index| *index != place && may_hold(&images[*index], &images[place]))
    }

    /// Of the unreadable indexes that are kept, the one that may hold the newest images. An index can only hold images
    /// that are not newer than itself, because a registry takes an index after its images.
    pub fn newest_unreadable(&self, images: &[Arc<Image>], kept: impl Fn(usize) -> bool) -> Option<&(usize, String)> {
        let many = self.unreadable.len() > MOST_FIRST;
        let kept = self.unreadable.iter().filter(|(place, _)| many || kept(*place));
        kept.max_by_key(|(place, _)| (date(&images[*place]).is_none(), date(&images[*place])))
    }

    /// Gives a pass to each image that waits for no other image by the bonds that count.
    fn sort(&self, goes: &[bool], pass: &mut [usize], done: &mut [bool], counts: impl Fn(Bond) -> bool) {
        let open: Vec<usize> = (0..goes.len()).filter(|place| goes[*place] && !done[*place]).collect();
        let first = (0..goes.len()).filter(|place| done[*place]).map(|place| pass[place] + 1).max().unwrap_or(0);
        let mut waits = vec![0; goes.len()];
        let mut ready = VecDeque::new();
        for place in open {
            pass[place] = first;
            let owners = self.owners[place].iter();
            waits[place] = owners.filter(|(owner, bond)| counts(*bond) && goes[*owner] && !done[*owner]).count();
            if waits[place] == 0 {
                ready.push_back(place);
            }
        }
        while let Some(place) = ready.pop_front() {
            done[place] = true;
            for (owned, _) in
                self.owned[place].iter().filter(|(owned, bond)| goes[*owned] && !done[*owned] && counts(*bond))
            {
                pass[*owned] = pass[*owned].max(pass[place] + 1);
                waits[*owned] -= 1;
                if waits[*owned] == 0 {
                    ready.push_back(*owned);
                }
            }
        }
    }
}

/// Whether an index may hold an image, judging by their dates.
pub fn may_hold(index: &Image, image: &Image) -> bool {
    match (date(index), date(image)) {
        (Some(index), Some(image)) => image <= index,
        _ => true,
    }
}

/// The digest in a tag of the form `sha256-HEX`, `sha256-HEX.sig` or, with cosign's prefix, `PREFIXsha256-HEX.sig`.
/// <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, and without a suffix
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
pub fn attached_by(tag: &str) -> Option<String> {
    let (prefix, rest) = tag.split_once("sha256-")?;
    let hex = rest.get(..64).filter(|hex| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))?;
    let suffix = &rest[64..];
    (suffix.is_empty() && prefix.is_empty() || suffix.starts_with('.')).then(|| format!("sha256:{hex}"))
}

/// An image's name for a sentence: its first tag or name, and the start of its digest.
pub fn called(image: &Image) -> String {
    let id = identity(image).map(short).unwrap_or_default();
    match image.tags.first().filter(|tag| attached_by(tag).is_none()).or(image.name.as_ref()) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::{Shelf, cosign, digest};

    #[test]
    fn a_digest_tag_names_its_subject() {
        for suffix in ["", ".sig", ".att", ".sbom", ".cosign"] {
            assert_eq!(attached_by(&cosign(7, suffix)), Some(digest(7)), "{suffix}");
        }
        assert_eq!(attached_by(&format!("web-{}", cosign(7, ".sig"))), Some(digest(7)));
        // A tag made of a hash of the content.
        assert_eq!(attached_by(&format!("web-{}", cosign(7, ""))), None);
        for tag in ["sha256-abc.sig", "v1", "sha256-", &cosign(7, "a"), &cosign(7, "-x"), &cosign(7, "").to_uppercase()]
        {
            assert_eq!(attached_by(tag), None, "{tag}");
        }
    }

    #[test]
    fn indexes_come_before_their_children_and_images_before_their_referrers() {
        let stock = Shelf::new()
            .image(3, &[], 1)
            .index(2, &[], 1, &[3])
            .index(1, &["v1"], 1, &[2, 3])
            .image(4, &[&cosign(3, ".sig")], 1)
            .referrer(5, 1, 4)
            .stock();
        let passes = Graph::of(&stock).passes(&[true; 5]);
        // In the order of the shelf: 3, 2, 1, 4, 5.
        assert_eq!(passes, [2, 1, 0, 3, 4]);
    }

    #[test]
    fn a_circle_of_signatures_still_puts_indexes_first() {
        let stock = Shelf::new()
            .image(1, &[&cosign(2, ".sig")], 1)
            .index(2, &[&cosign(1, ".sig")], 1, &[1, 3])
            .image(3, &[&cosign(3, ".sig")], 1)
            .stock();
        let passes = Graph::of(&stock).passes(&[true; 3]);
        assert!(passes[1] < passes[0] && passes[1] < passes[2], "{passes:?}");
    }

    #[test]
    fn an_orphan_has_no_subject_in_the_store() {
        let stock = Shelf::new()
            .image(1, &["v1"], 1)
            .referrer(2, 1, 1)
            .referrer(3, 1, 9)
            .image(4, &[&cosign(1, ".sig"), &cosign(9, ".sig")], 1)
            .stock();
        let graph = Graph::of(&stock);
        let orphans: Vec<_> = (0..4).filter(|place| graph.orphan_of(*place).is_some()).collect();
        assert_eq!(orphans, [2]);
        assert!(graph.follows(1) && !graph.follows(2) && graph.follows(3));
    }
}
