//! What a store has now of the images to restore: the images, the tags and the layers.

use std::collections::{HashMap, HashSet};

use super::wish::Wish;
use crate::{
    engine::Session,
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Image, LayerState, Storage},
};

/// What a look at one store showed.
#[derive(Default)]
pub struct Seen {
    /// Images to restore, and those that their indexes hold.
    pub images: HashMap<Digest, Result<Image>>,
    /// Where tags point.
    pub tags: HashMap<String, Result<Digest>>,
    pub layers: HashMap<Digest, Result<LayerState>>,
}

impl Seen {
    /// Looks at everything that decides what to do. A manifest that no record has is read, if its image is there and needs
    /// a tag.
    pub async fn at(session: &Session, wishes: &mut [Wish]) -> Self {
        let mut seen = Self::default();
        let digests = distinct(wishes.iter().flat_map(|wish| [vec![wish.digest.clone()], wish.children()].concat()));
        let ids: Vec<_> = digests.iter().cloned().map(ImageId::Digest).collect();
        // Most of them are gone.
        let found = session.look_for_gone(&ids).await;
        for image in found.iter().flatten() {
            let digest = image.digest();
            let tags = image.tags.iter().filter_map(|tag| Some((tag.clone(), Ok(digest.clone()?))));
            seen.tags.extend(tags);
        }
        seen.images = digests.into_iter().zip(found).collect();

        let tags = wishes.iter().flat_map(|wish| wish.tags.iter()).filter(|tag| !seen.tags.contains_key(*tag));
        let tags = distinct(tags.cloned());
        let ids: Vec<_> = tags.iter().cloned().map(ImageId::Tag).collect();
        let found = session.look_for_gone(&ids).await.into_iter().map(|image| {
            let unnamed = || Error::new(Kind::Unreadable, "the answer does not say where the tag points");
            image.and_then(|image| image.digest().ok_or_else(unnamed))
        });
        seen.tags.extend(tags.into_iter().zip(found));

        let absent = wishes.iter().filter(|wish| seen.is_absent(&wish.digest));
        let layers = distinct(absent.flat_map(Wish::layers));
        let answers = session.layers(&layers).await;
        seen.layers = layers.into_iter().zip(answers).collect();
        seen.read_manifests(session, wishes).await;
        seen
    }

    async fn read_manifests(&self, session: &Session, wishes: &mut [Wish]) {
        let needs = |wish: &&mut Wish| {
            let readable =
                matches!(self.images.get(&wish.digest), Some(Ok(image)) if image.storage == Storage::Standard);
            wish.manifest.is_err()
                && readable
                && wish.tags.iter().any(|tag| !self.tags.get(tag).is_some_and(Result::is_ok))
        };
        let mut unread: Vec<&mut Wish> = wishes.iter_mut().filter(needs).collect();
        let ids: Vec<_> = unread.iter().map(|wish| ImageId::Digest(wish.digest.clone())).collect();
        let found = session.manifests(&ids).await;
        for (wish, manifest) in unread.iter_mut().zip(found) {
            wish.manifest = manifest.map(Into::into);
        }
    }

    /// Whether the store says that it has no such image.
    pub fn is_absent(&self, digest: &Digest) -> bool {
        matches!(self.images.get(digest), Some(Err(error)) if error.kind == Kind::NotFound)
    }
}

fn distinct<T: Clone + Eq + std::hash::Hash>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut known = HashSet::new();
    all.into_iter().filter(|one| known.insert(one.clone())).collect()
}
