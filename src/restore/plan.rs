//! Decides what to do for each image, from what was saved and from what is there. Pure.

use std::collections::{HashMap, HashSet};

use super::{look::Seen, wish::Wish};
use crate::{
    engine::{Outcome, Verdict, taken},
    error::{Error, Kind},
    image::Digest,
    store::Storage,
};

/// What to do for one image.
#[derive(Debug)]
pub struct Planned {
    pub step: Step,
    /// What to do for each tag of the wish.
    pub tags: Vec<(String, TagStep)>,
    /// When it is sent: after those of lower levels, which it needs.
    pub level: usize,
    /// Other images of this run that must be there before it.
    pub after: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It is not there: store its manifest.
    Put,
    /// It is in the archive.
    Activate,
    /// It is on its way out of the archive.
    Wait,
    /// It is there.
    There,
    /// It cannot be restored.
    Ended(Box<Verdict>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum TagStep {
    Put,
    There,
    /// It points to another image, or nobody knows where.
    Ended(Box<Verdict>),
}

impl Planned {
    pub fn puts_tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter(|(_, step)| *step == TagStep::Put).map(|(tag, _)| tag.as_str())
    }

    /// Whether something is sent for it.
    pub fn sends(&self) -> bool {
        match &self.step {
            Step::Put | Step::Activate | Step::Wait => true,
            Step::There => self.puts_tags().next().is_some(),
            Step::Ended(_) => false,
        }
    }

    /// How it ends if nothing is sent for it.
    pub fn unsent(&self) -> Verdict {
        match &self.step {
            Step::Ended(verdict) => (**verdict).clone(),
            _ => Verdict::of(Outcome::AlreadyThere),
        }
    }

    /// What a dry run says.
    pub fn would(&self) -> Verdict {
        match &self.step {
            Step::Put | Step::Activate | Step::Wait => Verdict::of(Outcome::WouldRestore),
            Step::There if self.sends() => Verdict::of(Outcome::WouldRetag),
            Step::There | Step::Ended(_) => self.unsent().rehearsed(),
        }
    }
}

/// One plan an image, in the order of the wishes.
pub fn plan(wishes: &[Wish], seen: &Seen) -> Vec<Planned> {
    let places: HashMap<&Digest, usize> =
        wishes.iter().enumerate().map(|(place, wish)| (&wish.digest, place)).collect();
    let mut claimed: HashMap<&str, &Digest> = HashMap::new();
    let mut plans: Vec<Planned> = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let step = step(wish, seen);
        let mut tags = Vec::with_capacity(wish.tags.len());
        for tag in &wish.tags {
            let mut to = tag_step(wish, tag, seen);
            // Two images of one run may have had a tag one after the other.
            let first = *claimed.entry(tag).or_insert(&wish.digest);
            if to == TagStep::Put && *first != wish.digest {
                to = TagStep::Ended(Box::new(Verdict::failed(taken(tag, Some(first)))));
            }
            tags.push((tag.clone(), to));
        }
        let needs = wish.children().into_iter().chain(wish.subject());
        let after = needs.filter_map(|digest| places.get(&digest).copied()).collect();
        plans.push(Planned { step, tags, level: 0, after });
    }
    set_levels(&mut plans);
    refuse_without_parts(wishes, seen, &mut plans);
    plans
}

fn step(wish: &Wish, seen: &Seen) -> Step {
    let ended = |error: Error| Step::Ended(Box::new(Verdict::failed(error)));
    match seen.images.get(&wish.digest) {
        Some(Ok(image)) => match image.storage {
            Storage::Standard => Step::There,
            Storage::Archived => Step::Activate,
            Storage::Activating => Step::Wait,
        },
        Some(Err(error)) if error.kind == Kind::NotFound => match (&wish.manifest, layers_gone(wish, seen)) {
            (Err(error), _) => ended(error.clone()),
            (Ok(_), Some(error)) => ended(error),
            (Ok(_), None) => Step::Put,
        },
        Some(Err(error)) => Step::Ended(Box::new(Verdict::not_sent(error.clone()))),
        None => Step::Ended(Box::new(Verdict::not_sent(Error::new(Kind::Lost, "it was not looked at")))),
    }
}

/// Why the store cannot have all layers of an image. A layer that only archived images have is there.
fn layers_gone(wish: &Wish, seen: &Seen) -> Option<Error> {
    let layers = wish.layers();
    let (mut gone, mut unclear) = (Vec::new(), None);
    for layer in &layers {
        match seen.layers.get(layer) {
            Some(Ok(found)) if found.state == "unavailable" => gone.push(layer),
            Some(Err(error)) if error.kind == Kind::NotFound => gone.push(layer),
            Some(Err(error)) => unclear = Some(error.clone()),
            _ => {}
        }
    }
    let Some(first) = gone.first() else { return unclear };
    let message = format!("{} of its {} layers are gone, such as {first}", gone.len(), layers.len());
    Some(Error::new(Kind::LayersGone, message).hint("push the image again from where it was built"))
}

fn tag_step(wish: &Wish, tag: &str, seen: &Seen) -> TagStep {
    let ended = |error: Error| TagStep::Ended(Box::new(Verdict::failed(error)));
    match seen.tags.get(tag) {
        // A tag cannot be on an image that another look did not find; it is looked at again before it is put.
        Some(Ok(digest)) if *digest == wish.digest && seen.is_absent(digest) => TagStep::Put,
        Some(Ok(digest)) if *digest == wish.digest => TagStep::There,
        Some(Ok(digest)) => ended(taken(tag, Some(digest))),
        Some(Err(error)) if error.kind != Kind::NotFound => ended(error.clone()),
        _ => TagStep::Put,
    }
}

/// Refuses indexes that hold an image which is neither there nor restored, and what is attached to refused images.
fn refuse_without_parts(wishes: &[Wish], seen: &Seen, plans: &mut [Planned]) {
    let in_run: HashSet<&Digest> = wishes.iter().map(|wish| &wish.digest).collect();
    let mut upwards: Vec<usize> = (0..plans.len()).filter(|place| plans[*place].step == Step::Put).collect();
    upwards.sort_by_key(|place| plans[*place].level);
    for place in upwards {
        let elsewhere = |child: &Digest| !in_run.contains(child) && !matches!(seen.images.get(child), Some(Ok(_)));
        let refused = |below: &usize| matches!(plans[*below].step, Step::Ended(_));
        let below = plans[place].after.iter().copied().find(refused).map(|below| wishes[below].digest.clone());
        if let Some(missing) = below.or_else(|| wishes[place].children().into_iter().find(elsewhere)) {
            plans[place].step = Step::Ended(Box::new(Verdict::failed(without(&missing))));
        }
    }
}

/// Something that this image needs is not there.
pub fn without(digest: &Digest) -> Error {
    Error::new(Kind::PartsMissing, format!("it needs {digest}, which is not there and cannot be restored"))
        .code("PartNotRestored")
}

/// Puts each image above those that it needs.
fn set_levels(plans: &mut [Planned]) {
    // Digests cannot form a circle; a wrong record ends here after as many rounds as it has images.
    for _ in 0..plans.len() {
        let mut changed = false;
        for place in 0..plans.len() {
            let below = plans[place].after.iter().filter(|below| **below != place);
            let level = below.map(|below| plans[*below].level + 1).max().unwrap_or(0);
            changed |= std::mem::replace(&mut plans[place].level, level) != level;
        }
        if !changed {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
