//! References as values: an image, its store, and the provider.

use std::sync::Arc;

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
    /// The variant of the registry's host that was named, where owner and region do not tell. The provider's file reads it.
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

/// One image, named completely enough to ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    pub store: Arc<StoreRef>,
    pub id: ImageId,
}

/// An image or a store. A tag, a digest or an id makes it an image.
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
    /// All images of a provider, in the default region.
    pub fn of(provider: Provider) -> Self {
        Self { provider, owner: None, region: None, name: String::new(), host: None }
    }

    /// The image of this store with that id.
    pub fn image(self: &Arc<Self>, id: ImageId) -> ImageRef {
        ImageRef { store: Arc::clone(self), id }
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

    /// Whether the name is a pattern that may match several repositories.
    pub fn is_pattern(&self) -> bool {
        Pattern::is_in(&self.name)
    }

    /// The pattern to match names of repositories with; a plain name matches itself.
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

impl From<Arc<StoreRef>> for Reference {
    fn from(store: Arc<StoreRef>) -> Self {
        Self::Store(Arc::unwrap_or_clone(store))
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
