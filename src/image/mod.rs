//! References: which image, in which store, of which provider. One grammar, parsed at one door (`parse`) and printed
//! as its inverse (`print`). Nothing here talks to a provider.

mod digest;
mod error;
mod parse;
mod print;
mod registry;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{digest::Digest, error::ParseError};

/// A product that holds images; also the scheme of its references.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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

/// What a command takes that works on stores as well as on images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Store(StoreRef),
    Image(ImageRef),
}

impl Provider {
    pub const ALL: [Self; 3] = [Self::Ecr, Self::Cvm, Self::Workspace];

    pub fn scheme(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Cvm => "cvm",
            Self::Workspace => "workspace",
        }
    }

    /// Its name in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ecr => "AWS ECR",
            Self::Cvm => "Tencent Cloud CVM",
            Self::Workspace => "Huawei Cloud Workspace",
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
    /// A store with nothing said of its owner and region.
    pub fn new(provider: Provider, name: impl Into<String>) -> Self {
        Self {
            provider,
            owner: None,
            region: None,
            name: name.into(),
            host: HostKind::default(),
        }
    }

    /// The image of this store with that id.
    pub fn image(&self, id: ImageId) -> ImageRef {
        ImageRef {
            store: self.clone(),
            id,
        }
    }

    /// The name stands for several stores.
    pub fn is_pattern(&self) -> bool {
        self.name.contains(['*', '?', '[', '{'])
    }

    /// Whether this pattern means that store. `*` stands for anything but `/`, `**` for anything.
    pub fn matches(&self, store: &Self) -> bool {
        let pattern = globset::GlobBuilder::new(&self.name)
            .literal_separator(true)
            .build();
        pattern.is_ok_and(|pattern| pattern.compile_matcher().is_match(&store.name))
    }
}
