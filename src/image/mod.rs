//! References: which image, in which store, of which provider. One grammar, read at one door (`parse`) and printed as
//! its inverse (`print`). Nothing here talks to a provider.
//!
//! What the parts of a name may be is in `rules`, the hosts of ECR registries in `registry`, texts of other tools in
//! `foreign`; errors that point at the place come from `place`.

#[cfg(test)]
pub(crate) mod arbitrary;
mod digest;
mod foreign;
pub mod manifest;
mod parse;
pub mod patterns;
mod place;
mod print;
mod registry;
mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::patterns::Pattern;

pub use digest::Digest;
pub use parse::region;
pub use place::ParseError;

/// A product that holds images; also the scheme of its references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Ecr,
    Cvm,
    Workspace,
}

/// Where images live: `SCHEME:[//[OWNER@]REGION/]NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreRef {
    pub provider: Provider,
    /// The account (ECR) or project (Workspace), once known.
    pub owner: Option<String>,
    pub region: Option<String>,
    /// The repository (ECR), or empty.
    pub name: String,
    /// Which of the registry's hosts was named (ECR).
    pub host: HostKind,
}

/// The variants of an ECR registry's host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostKind {
    pub fips: bool,
    pub dual_stack: bool,
}

/// One image within its store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageId {
    /// A provider's own id: CVM image, Workspace image server.
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

impl Provider {
    pub const ALL: [Self; 3] = [Self::Ecr, Self::Cvm, Self::Workspace];

    /// The word that references begin with.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Cvm => "cvm",
            Self::Workspace => "workspace",
        }
    }

    /// All that it holds, as a reference: of ECR every repository.
    pub fn whole(self) -> StoreRef {
        let name = match self {
            Self::Ecr => "**",
            Self::Cvm | Self::Workspace => "",
        };
        StoreRef::of(self).with_name(name)
    }

    /// The provider with this scheme, in either case.
    pub(crate) fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.scheme().eq_ignore_ascii_case(scheme))
    }

    /// Its name in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ecr => "AWS ECR",
            Self::Cvm => "Tencent Cloud CVM",
            Self::Workspace => "Huawei Cloud Workspace",
        }
    }

    /// What the owner of a store is called.
    pub fn owner_word(self) -> &'static str {
        match self {
            Self::Ecr | Self::Cvm => "account",
            Self::Workspace => "project",
        }
    }

    /// Its images are made of layers; otherwise they are machine images.
    pub fn has_layers(self) -> bool {
        self == Self::Ecr
    }
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
        Self { provider, owner: None, region: None, name: String::new(), host: HostKind::default() }
    }

    /// The image of this store with that id.
    pub fn image(&self, id: ImageId) -> ImageRef {
        ImageRef { store: self.clone(), id }
    }

    /// The same store, whichever of its hosts named it.
    pub fn by_any_host(self) -> Self {
        Self { host: HostKind::default(), ..self }
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
        self.provider == Provider::Ecr && Pattern::is_in(&self.name)
    }

    /// What the names of repositories are matched against; a plain name matches itself.
    pub fn pattern(&self) -> Result<Pattern, ParseError> {
        self.name.parse().map_err(|wrong: String| place::Part::whole(&self.name).wrong(wrong))
    }
}

impl Reference {
    /// The store itself, or the one that the image is in.
    pub fn store(&self) -> &StoreRef {
        match self {
            Self::Image(image) => &image.store,
            Self::Store(store) => store,
        }
    }
}
