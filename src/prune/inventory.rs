//! The inventory of a store: its images, and the contents of its indexes. `survey` fills it; the rest of `prune` reads it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::beyond::Beyond;
use crate::{
    error::{Error, Result},
    image::manifest::{self, Contents},
    image::{Digest, ImageId, StoreRef},
    store::{Hold, Image, Storage},
};

/// The images of one store (a repository, a region or a project), each once.
#[derive(Clone, Debug, PartialEq)]
pub struct Stock {
    pub store: Arc<StoreRef>,
    images: Vec<Arc<Image>>,
    /// The position of each image by digest or id.
    places: HashMap<String, usize>,
    readings: HashMap<String, Reading>,
    /// Digests of images in the archive, which a run that archives images leaves out.
    archived: HashSet<String>,
    pub(super) beyond: Beyond,
}

/// What a manifest says, or why that is unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The images that it holds if it is an index, and its subject if it is a referrer.
    Manifest {
        children: Vec<Digest>,
        /// Children for which the index names no platform.
        nameless: Vec<Digest>,
        subject: Option<Digest>,
    },
    /// Why it could not be read. Everything that it might need is kept.
    Unreadable(String),
}

/// Configurations of plain container images. A registry that names the type of an artifact also names its subject.
/// <https://github.com/opencontainers/image-spec/blob/main/media-types.md>
const PLAIN: [&str; 2] = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Media types of single images; anything else might be an index.
/// <https://github.com/opencontainers/image-spec/blob/main/media-types.md>, <https://distribution.github.io/distribution/spec/manifest-v2-2/>
const SINGLE: [&str; 5] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.artifact.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

impl Stock {
    /// Takes a store's whole listing. An image on two pages is one image with the tags of both.
    pub fn new(store: impl Into<Arc<StoreRef>>, listed: impl IntoIterator<Item = Image>) -> Self {
        let store = store.into();
        let mut stock = Self {
            store,
            images: Vec::new(),
            places: HashMap::new(),
            readings: HashMap::new(),
            archived: HashSet::new(),
            beyond: Beyond::default(),
        };
        listed.into_iter().for_each(|image| stock.add(image));
        stock
    }

    /// Adds an image of the listing.
    pub fn add(&mut self, image: Image) {
        let known = identity(&image).and_then(|id| self.places.get(id).copied());
        if let Some(place) = known {
            let tags = &mut Arc::make_mut(&mut self.images[place]).tags;
            for tag in image.tags {
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
            return;
        }
        if let Some(id) = identity(&image) {
            self.places.insert(id.to_owned(), self.images.len());
        }
        self.images.push(Arc::new(image));
    }

    /// Adds an image that is not in it yet.
    pub(super) fn push(&mut self, image: Image) {
        if let Some(id) = identity(&image) {
            self.places.insert(id.to_owned(), self.images.len());
            self.images.push(Arc::new(image));
        }
    }

    /// Records what an image is attached to; tells whether that is new.
    pub(super) fn set_subject(&mut self, place: usize, subject: String) -> bool {
        let known = &mut Arc::make_mut(&mut self.images[place]).subject;
        let new = known.as_ref() != Some(&subject);
        *known = Some(subject);
        new
    }

    /// Adds an image that can be archived: one in the archive is left out, and one on its way out of it is held.
    pub fn add_to_archive(&mut self, mut image: Image) {
        if image.storage == Storage::Archived {
            self.archived.extend(image.digest);
            return;
        }
        image.hold = image.hold_from_archive().map(|error| Hold::Refused(error.into()));
        self.add(image);
    }

    /// Whether the image with this digest was left out because it is in the archive.
    pub fn is_archived(&self, digest: &str) -> bool {
        self.archived.contains(digest)
    }

    pub fn images(&self) -> &[Arc<Image>] {
        &self.images
    }

    /// The position of the image with this digest or id.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The image with this digest or id.
    pub fn find(&self, id: &str) -> Option<&Arc<Image>> {
        self.place(id).map(|place| &self.images[place])
    }

    /// Records what a manifest says.
    pub fn read(&mut self, digest: &str, reading: Reading) {
        self.readings.insert(digest.to_owned(), reading);
    }

    /// Digests whose manifests must still be read before anything can be decided.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        let indexes = self.images.iter().filter(|image| self.may_be_index(image));
        indexes.filter_map(|image| identity(image)).filter(|id| !self.readings.contains_key(*id))
    }

    /// Whether only the manifest of an image can tell that it is a referrer.
    pub fn may_be_referrer(&self, image: &Image) -> bool {
        let read = identity(image).is_some_and(|id| self.readings.contains_key(id));
        self.store.provider.has_containers() && !read && may_be_referrer(image)
    }

    /// What the manifest of an image says, if it was read or must be, because the image may be an index.
    pub fn reading(&self, image: &Image) -> Option<&Reading> {
        static UNREAD: std::sync::LazyLock<Reading> =
            std::sync::LazyLock::new(|| Reading::Unreadable("it was not read".into()));
        let read = identity(image).and_then(|id| self.readings.get(id));
        // A manifest that was read counts whatever media type the listing gives.
        read.or_else(|| self.may_be_index(image).then(|| &*UNREAD))
    }

    fn may_be_index(&self, image: &Image) -> bool {
        self.store.provider.has_containers() && may_be_index(image)
    }
}

impl Reading {
    /// Of the bytes of a manifest, or of the error.
    pub fn of(manifest: Result<Vec<u8>>) -> Self {
        let read = |bytes: Vec<u8>| {
            let held = match manifest::contents(&bytes)? {
                Contents::Index(children) => children,
                Contents::Image(_) => Vec::new(),
            };
            let nameless = held.iter().filter(|child| child.platform.is_none());
            let nameless = nameless.map(|child| child.digest.clone()).collect();
            let children = held.into_iter().map(|child| child.digest).collect();
            Ok(Self::Manifest { children, nameless, subject: manifest::subject(&bytes) })
        };
        manifest.and_then(read).unwrap_or_else(|error: Error| Self::Unreadable(error.to_string()))
    }

    /// Of an image that holds nothing and is not attached to anything.
    pub fn plain() -> Self {
        Self::Manifest { children: Vec::new(), nameless: Vec::new(), subject: None }
    }
}

/// Whether a container image may be an index, judging by its listing.
pub fn may_be_index(image: &Image) -> bool {
    image.media_type.as_deref().is_none_or(|media_type| !SINGLE.contains(&media_type))
}

/// Whether an image may be a referrer although its listing names no subject: some registries leave that out.
pub fn may_be_referrer(image: &Image) -> bool {
    let plain = image.artifact_type.as_deref().is_some_and(|artifact_type| PLAIN.contains(&artifact_type));
    image.subject.is_none() && !plain
}

/// How a store identifies an image: by digest, or by the provider's id.
pub fn identity(image: &Image) -> Option<&str> {
    match (&image.id, &image.digest) {
        (Some(ImageId::Named(id)), _) => Some(id),
        (_, Some(digest)) => Some(digest),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::{digest, repository};

    #[test]
    fn an_image_on_two_pages_is_one_with_the_tags_of_both() {
        let named = |tag: &str| Image { digest: Some(digest(1)), tags: vec![tag.into()], ..Image::default() };
        let stock = Stock::new(repository("app"), [named("a"), named("b"), named("a")]);
        assert_eq!(stock.images().len(), 1);
        assert_eq!(stock.images()[0].tags, ["a", "b"]);
    }

    #[test]
    fn images_of_an_unknown_media_type_must_be_read() {
        let of = |n: usize, media_type: Option<&str>| Image {
            digest: Some(digest(n)),
            media_type: media_type.map(Into::into),
            ..Image::default()
        };
        let listed = [
            of(1, Some("application/vnd.oci.image.manifest.v1+json")),
            of(2, Some("application/vnd.oci.image.index.v1+json")),
            of(3, None),
            of(4, Some("application/x-new")),
        ];
        let mut stock = Stock::new(repository("app"), listed);
        stock.read(&digest(3), Reading::plain());
        assert_eq!(stock.unread().collect::<Vec<_>>(), [digest(2), digest(4)]);
        assert_eq!(stock.reading(&stock.images()[0]), None);
        assert!(matches!(stock.reading(&stock.images()[1]), Some(Reading::Unreadable(_))));
    }
}
