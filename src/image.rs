//! References: which image, in which store, of which provider. One grammar, parsed at one door and printed as its
//! inverse. Nothing here talks to a provider.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// `algorithm:hex`, well-formed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

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

impl Digest {
    pub fn as_str(&self) -> &str {
        &self.0
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
    /// The image of this store with that id.
    pub fn image(&self, id: ImageId) -> ImageRef {
        ImageRef {
            store: self.clone(),
            id,
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Digest {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Ok(Self(s.into()))
    }
}
