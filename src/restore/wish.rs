//! What to restore: the images of a record that its run changed, or single images that some record knows.

use std::{collections::HashMap, sync::Arc};

use crate::{
    engine::{Outcome, Verdict},
    error::{Error, Kind, Result},
    image::{
        Digest, ImageId, ImageRef, StoreRef,
        manifest::{self, Contents},
    },
    record::{Record, Recorded, Saved},
    report::Item,
    store::{Image, Manifest, Storage},
};

/// One image to restore.
#[derive(Clone, Debug)]
pub struct Wish {
    pub store: Arc<StoreRef>,
    pub digest: Digest,
    /// As a look showed it before the run that changed it.
    pub image: Image,
    /// Its manifest, or why no record has it.
    pub manifest: Result<Arc<Manifest>>,
    /// The tags to put back.
    pub tags: Vec<String>,
}

/// What was asked for, in order.
#[derive(Default)]
pub struct Wishes {
    pub wishes: Vec<Wish>,
    /// Items that cannot be restored, whatever the stores say.
    pub ended: Vec<Item>,
    places: HashMap<(StoreRef, Digest), usize>,
}

impl Wishes {
    /// Adds a wish. One image is one wish, however often it is named.
    pub fn add(&mut self, wish: Wish) {
        let place = (StoreRef::clone(&wish.store).by_any_host(), wish.digest.clone());
        match self.places.get(&place) {
            None => {
                self.places.insert(place, self.wishes.len());
                self.wishes.push(wish);
            }
            Some(place) => {
                let known = &mut self.wishes[*place];
                let new = wish.tags.into_iter().filter(|tag| !known.tags.contains(tag)).collect::<Vec<_>>();
                known.tags.extend(new);
                if known.manifest.is_err() {
                    known.manifest = wish.manifest;
                }
            }
        }
    }

    /// Adds everything that the run of a record changed.
    pub fn add_record(&mut self, record: &Record) {
        for saved in record.images.iter().filter_map(changed) {
            match saved.reference() {
                Ok(reference) => match wish(&reference, saved, saved.tags()) {
                    Some(wish) => self.add(wish),
                    None => self.ended.push(impossible(&reference, saved)),
                },
                // A record of a newer version may name what this one cannot read; nothing is done about it.
                Err(error) => tracing::warn!("cannot read a reference of the record: {error}"),
            }
        }
    }

    /// Adds an image that a record knows, with the images that it holds.
    pub fn add_image(&mut self, image: &ImageRef, record: &Record) {
        let known: Vec<&Saved> = of_store(image, record).collect();
        // The last change counts: a tag may have been on several images.
        let Some((saved, tags)) = known.iter().rev().find_map(|saved| Some((*saved, asked_tags(image, saved)?))) else {
            return;
        };
        let found = saved.reference().ok().and_then(|reference| wish(&reference, saved, tags));
        let Some(found) = found else {
            return self.ended.push(impossible(image, saved));
        };
        let mut open = vec![found];
        while let Some(wish) = open.pop() {
            let held = wish.children().into_iter().filter(|digest| !self.knows(&wish.store, digest));
            let held = held.filter_map(|digest| {
                let saved = known.iter().rev().find(|saved| saved.digest().as_ref() == Some(&digest))?;
                self::wish(&saved.reference().ok()?, saved, Vec::new())
            });
            open.extend(held.collect::<Vec<_>>());
            self.add(wish);
        }
    }

    fn knows(&self, store: &StoreRef, digest: &Digest) -> bool {
        self.places.contains_key(&(store.clone().by_any_host(), digest.clone()))
    }
}

impl Wish {
    /// It is an archived index, and no record says what it holds.
    pub fn has_unknown_parts(&self) -> bool {
        self.manifest.is_err() && self.image.is_index() && self.image.storage != Storage::Standard
    }

    /// The images that it holds, which must be there before it.
    pub fn children(&self) -> Vec<Digest> {
        let contents = self.manifest.as_ref().ok().and_then(|manifest| manifest::contents(&manifest.bytes).ok());
        match contents {
            Some(Contents::Index(children)) => children.into_iter().map(|child| child.digest).collect(),
            _ => Vec::new(),
        }
    }

    /// The image that it is attached to. A registry takes it without.
    pub fn subject(&self) -> Option<Digest> {
        manifest::subject(&self.manifest.as_ref().ok()?.bytes)
    }

    /// The layers that the registry must still have.
    pub fn layers(&self) -> Vec<Digest> {
        let contents = self.manifest.as_ref().ok().and_then(|manifest| manifest::contents(&manifest.bytes).ok());
        match contents {
            Some(Contents::Image(blobs)) => {
                blobs.into_iter().filter(|blob| !blob.inline).map(|blob| blob.digest).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Whether the run of a record changed this image.
pub fn knows(record: &Record, image: &ImageRef) -> bool {
    of_store(image, record).any(|saved| asked_tags(image, saved).is_some())
}

/// The images of a record that its run changed, in the store of an image.
fn of_store<'r>(image: &ImageRef, record: &'r Record) -> impl DoubleEndedIterator<Item = &'r Saved> {
    let is_same = move |saved: &&Saved| saved.reference().is_ok_and(|known| is_same(&image.store, &known.store));
    record.images.iter().filter_map(changed).filter(is_same)
}

/// An image that the run changed, or may have changed.
fn changed(recorded: &Recorded) -> Option<&Saved> {
    use Outcome::*;
    let saved = recorded.saved.as_ref()?;
    match recorded.ended.as_ref().map(|ended| ended.outcome) {
        // Nobody knows: a look tells.
        None | Some(Unknown | Accepted) => Some(saved),
        Some(Deleted | Gone | Untagged | Archived | Restored | Retagged) => Some(saved),
        _ => None,
    }
}

/// A wish for a saved image; `None` if images of its provider cannot be restored.
fn wish(reference: &ImageRef, saved: &Saved, tags: Vec<String>) -> Option<Wish> {
    reference.store.provider.undo()?;
    let digest = saved.digest().or_else(|| reference.id.digest().cloned())?;
    let manifest = match saved.restorable() {
        Some((digest, text)) => {
            let media_type = saved.manifest_type.clone().or_else(|| saved.image.media_type.clone());
            Ok(Arc::new(Manifest { digest, media_type, bytes: text.as_bytes().to_vec() }))
        }
        None => Err(without_manifest(saved)),
    };
    Some(Wish { store: reference.store.clone(), digest, image: (*saved.image).clone(), manifest, tags })
}

/// The tags of a saved image that a reference asks for; `None` if it names another image.
fn asked_tags(image: &ImageRef, saved: &Saved) -> Option<Vec<String>> {
    let (tags, digest) = (saved.tags(), saved.digest());
    match &image.id {
        ImageId::Digest(asked) => (digest.as_ref() == Some(asked)).then_some(tags),
        ImageId::Tag(tag) => tags.contains(tag).then(|| vec![tag.clone()]),
        ImageId::TagAt(tag, asked) => (digest.as_ref() == Some(asked) && tags.contains(tag)).then(|| vec![tag.clone()]),
        ImageId::Named(id) => {
            let named = saved.reference().is_ok_and(|known| known.id == ImageId::Named(id.clone()));
            named.then(Vec::new)
        }
    }
}

/// Whether a store that a user named is the one of a record: what the name leaves out may be anything.
fn is_same(named: &StoreRef, known: &StoreRef) -> bool {
    let fits = |named: &Option<String>, known: &Option<String>| named.is_none() || named == known;
    named.provider == known.provider
        && named.name == known.name
        && fits(&named.owner, &known.owner)
        && fits(&named.region, &known.region)
}

fn without_manifest(saved: &Saved) -> Error {
    let why = match (&saved.unrestorable, &saved.manifest) {
        (Some(unrestorable), _) => unrestorable.why.clone(),
        (None, Some(_)) => "its saved manifest is damaged".into(),
        (None, None) => "its manifest was not saved".into(),
    };
    Error::new(Kind::Protected, format!("the record cannot bring it back: {why}"))
        .code("NoManifest")
        .hint("push it again from where it was built")
}

/// The item of an image that no record can bring back.
fn impossible(reference: &ImageRef, saved: &Saved) -> Item {
    let title = reference.store.provider.title();
    let message = format!("{title} cannot restore images");
    let error = Error::new(Kind::Protected, message).code("CannotRestore");
    let mut item = Item { image: Arc::new((*saved.image).clone()), ..Item::new(reference.clone()) };
    item.end(&reference.store, Verdict::failed(error));
    item
}
