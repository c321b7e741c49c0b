//! How the images of a repository hang together: indexes hold images, and signatures, attestations and other referrers
//! are attached to them by `subject` or by a tag made of the digest. Places are positions in [`Stock::images`].

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::{
    inventory::{Reading, Stock, identity},
    select::short,
};
use crate::store::Image;

/// Why one image belongs to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// An index holds it: without it the index cannot be pulled.
    Held,
    /// It is about the other: a signature, an attestation, a list of materials.
    Attached,
}

/// Who belongs to whom, within one store.
#[derive(Debug, Default)]
pub struct Graph {
    owners: Vec<Vec<(usize, Bond)>>,
    owned: Vec<Vec<(usize, Bond)>>,
    /// What an image says that it is attached to and that is not in the store.
    lost: Vec<Vec<String>>,
    /// It has a tag that people gave it.
    named: Vec<bool>,
    /// Indexes that cannot be read, and why.
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
            unreadable: Vec::new(),
        };
        for (place, image) in images.iter().enumerate() {
            match stock.reading(image) {
                None => {}
                Some(Reading::Unreadable(why)) => graph.unreadable.push((place, why.clone())),
                Some(Reading::Children(children)) => {
                    let known = children.iter().filter_map(|child| places.get(child.as_str()));
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
            let subjects: BTreeSet<String> = by_tag.chain(image.subject.clone()).collect();
            graph.named[place] = named;
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

    /// The images that this one belongs to.
    pub fn owners(&self, place: usize) -> &[(usize, Bond)] {
        &self.owners[place]
    }

    /// The images that belong to this one.
    pub fn owned(&self, place: usize) -> &[(usize, Bond)] {
        &self.owned[place]
    }

    /// It has no name of its own and belongs to others: what becomes of it is decided by what becomes of them.
    pub fn follows(&self, place: usize) -> bool {
        !self.named[place] && !self.owners[place].is_empty()
    }

    /// What it was attached to, if none of that is in the store.
    pub fn orphan_of(&self, place: usize) -> Option<&str> {
        let attached = self.owners[place].iter().any(|(_, bond)| *bond == Bond::Attached);
        let first = self.lost[place].first().filter(|_| !attached);
        first.map(String::as_str)
    }

    /// What it says it is attached to that is not in the store, whatever else it is attached to.
    pub fn lost(&self, place: usize) -> &[String] {
        &self.lost[place]
    }

    /// It has a tag that people gave it.
    pub fn is_named(&self, place: usize) -> bool {
        self.named[place]
    }

    /// Goes from some images to all that belongs to them, and tells `visit` of each step; it says whether to go on.
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

    /// All that an image holds, through indexes in indexes, and whatever holds it.
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

    /// The order of deletion: the pass of each image that goes. Indexes come before what they hold, so that a refusal
    /// stops in time; images before what is attached to them, so that none that stays loses its signature.
    pub fn passes(&self, goes: &[bool]) -> Vec<usize> {
        let mut pass = vec![0; goes.len()];
        let mut done = vec![false; goes.len()];
        self.sort(goes, &mut pass, &mut done, |_| true);
        // Attachments can go in circles, by tags that were set by hand; holding cannot, for digests cannot.
        self.sort(goes, &mut pass, &mut done, |bond| bond == Bond::Held);
        pass
    }

    /// Gives a pass, after all that is done, to each image that waits for no other by the bonds that count.
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

/// The digest that a tag of the form `sha256-HEX`, `sha256-HEX.sig` speaks of.
/// <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, and without a suffix
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
pub fn attached_by(tag: &str) -> Option<String> {
    let rest = tag.strip_prefix("sha256-")?;
    let hex = rest.get(..64).filter(|hex| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))?;
    let suffix = &rest[64..];
    (suffix.is_empty() || suffix.starts_with('.')).then(|| format!("sha256:{hex}"))
}

/// An image in a sentence: its first tag or name, and enough of its digest to find it.
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
    fn a_tag_made_of_a_digest_says_what_it_is_attached_to() {
        for suffix in ["", ".sig", ".att", ".sbom", ".cosign"] {
            assert_eq!(attached_by(&cosign(7, suffix)), Some(digest(7)), "{suffix}");
        }
        for tag in ["sha256-abc.sig", "v1", "sha256-", &cosign(7, "a"), &cosign(7, "-x"), &cosign(7, "").to_uppercase()]
        {
            assert_eq!(attached_by(tag), None, "{tag}");
        }
    }

    #[test]
    fn indexes_go_before_what_they_hold_and_images_before_what_is_attached_to_them() {
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
    fn signatures_in_a_circle_still_have_an_order_and_it_keeps_indexes_first() {
        let stock = Shelf::new()
            .image(1, &[&cosign(2, ".sig")], 1)
            .index(2, &[&cosign(1, ".sig")], 1, &[1, 3])
            .image(3, &[&cosign(3, ".sig")], 1)
            .stock();
        let passes = Graph::of(&stock).passes(&[true; 3]);
        assert!(passes[1] < passes[0] && passes[1] < passes[2], "{passes:?}");
    }

    #[test]
    fn an_orphan_is_attached_to_nothing_that_is_there() {
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
