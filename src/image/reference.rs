//! What a reference says: an image, the store that it is in, the provider that the store is of.

use super::{
    digest::Digest,
    patterns::Pattern,
    place::{ParseError, Part},
    provider::Provider,
};

/// Where images live: `SCHEME:[//[OWNER@]REGION/]NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreRef {
    pub provider: Provider,
    /// The account or project, once known.
    pub owner: Option<String>,
    pub region: Option<String>,
    /// The repository, or empty where a provider has none.
    pub name: String,
    /// Which host of the registry was named, where the owner and the region do not say it. The provider's own file
    /// says what it means.
    pub host: Option<String>,
}

/// One image within its store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageId {
    /// A provider's own id of a machine image.
    Named(String),
    /// A tag, wherever it points.
    Tag(String),
    /// The image itself, with all its tags.
    Digest(Digest),
    /// A tag, provided that it points to that digest.
    TagAt(String, Digest),
}

/// One image, named completely enough to be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    pub store: StoreRef,
    pub id: ImageId,
}

/// What a command takes that works on images and on stores; a tag, a digest or an id makes it an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    Image(ImageRef),
    Store(StoreRef),
}

impl ImageId {
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag(tag) | Self::TagAt(tag, _) => Some(tag),
            _ => None,
        }
    }

    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Digest(digest) | Self::TagAt(_, digest) => Some(digest),
            _ => None,
        }
    }
}

impl StoreRef {
    /// The whole of a provider's images, wherever it takes them from when nothing more is said.
    pub fn of(provider: Provider) -> Self {
        Self { provider, owner: None, region: None, name: String::new(), host: None }
    }

    /// The image of this store with that id.
    pub fn image(&self, id: ImageId) -> ImageRef {
        ImageRef { store: self.clone(), id }
    }

    /// The same store, whichever of its hosts named it.
    pub fn by_any_host(self) -> Self {
        Self { host: None, ..self }
    }

    /// The same store, now that its region is known.
    pub fn with_region(self, region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// The same store, now that its owner is known.
    pub fn with_owner(self, owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    /// The store of that name in the same place.
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Tells whether the name stands for several repositories, to be found by asking which there are.
    pub fn is_pattern(&self) -> bool {
        Pattern::is_in(&self.name)
    }

    /// What the names of repositories are matched against; a plain name matches itself.
    pub fn pattern(&self) -> Result<Pattern, ParseError> {
        self.name.parse().map_err(|wrong: String| Part::whole(&self.name).wrong(wrong))
    }
}

impl From<ImageRef> for Reference {
    fn from(image: ImageRef) -> Self {
        Self::Image(image)
    }
}

impl From<StoreRef> for Reference {
    fn from(store: StoreRef) -> Self {
        Self::Store(store)
    }
}

impl Reference {
    /// The digest that pins the image, if one does.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Image(image) => image.id.digest(),
            Self::Store(_) => None,
        }
    }

    /// The store itself, or the one that the image is in.
    pub fn store(&self) -> &StoreRef {
        match self {
            Self::Image(image) => &image.store,
            Self::Store(store) => store,
        }
    }
}
