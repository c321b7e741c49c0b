//! A registry as a file keeps it: manifests as they were pushed, tags and times. Everything else is derived again when
//! it is loaded. Keys, quirks, rates and hooks belong to a run and are not kept.

use std::{borrow::Cow, collections::BTreeMap};

use aws_smithy_types::base64;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    Ecr,
    digest::Digest,
    made::Recipe,
    manifest::Manifest,
    registry::Rules,
    repository::{Content, Image, Mutability, Repository, Status},
};

/// The repositories of all regions.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    account: Cow<'a, str>,
    regions: BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, SavedRepository<'a>>>,
    #[serde(default)]
    rules: BTreeMap<Cow<'a, str>, Rules>,
}

#[derive(Serialize, Deserialize)]
struct SavedRepository<'a> {
    created_at: DateTime<Utc>,
    mutability: Mutability,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    exclusions: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifecycle_policy: Option<Cow<'a, str>>,
    #[serde(default)]
    takes_missing_layers: bool,
    images: Vec<SavedImage<'a>>,
    /// Layers that no image has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    loose_layers: BTreeMap<Digest, u64>,
    /// The layers whose bytes are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contents: Vec<SavedContent<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedContent<'a> {
    Made(Cow<'a, Recipe>),
    /// In base64.
    Pushed(String),
}

#[derive(Serialize, Deserialize)]
struct SavedImage<'a> {
    manifest: Cow<'a, str>,
    media_type: Cow<'a, str>,
    tags: Vec<Cow<'a, str>>,
    pushed_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pulled_at: Option<DateTime<Utc>>,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    archived_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated_at: Option<DateTime<Utc>>,
}

impl Serialize for Ecr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ecr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Saved::deserialize(deserializer)?.load().map_err(D::Error::custom)
    }
}

impl<'a> From<&'a Ecr> for Saved<'a> {
    fn from(ecr: &'a Ecr) -> Self {
        let regions = ecr.registries.iter().map(|(region, registry)| {
            let repositories = registry.repositories.iter();
            let saved = repositories.map(|(name, repository)| (name.into(), repository.into()));
            (region.into(), saved.collect())
        });
        let rules = ecr.registries.iter().map(|(region, registry)| (region.into(), registry.rules.clone()));
        Self { account: (&ecr.account).into(), regions: regions.collect(), rules: rules.collect() }
    }
}

impl<'a> From<&'a Repository> for SavedRepository<'a> {
    fn from(repository: &'a Repository) -> Self {
        Self {
            created_at: repository.created_at,
            mutability: repository.mutability,
            exclusions: (&repository.exclusions).into(),
            lifecycle_policy: repository.lifecycle_policy.as_ref().map(Into::into),
            takes_missing_layers: repository.takes_missing_layers,
            images: repository.images().map(Into::into).collect(),
            loose_layers: repository.loose_layers().collect(),
            contents: repository.layers().filter_map(|layer| saved(&layer.content)).collect(),
        }
    }
}

fn saved(content: &Content) -> Option<SavedContent<'_>> {
    match content {
        Content::Unknown => None,
        Content::Made(recipe) => Some(SavedContent::Made(Cow::Borrowed(recipe))),
        Content::Pushed(bytes) => Some(SavedContent::Pushed(base64::encode(bytes))),
    }
}

impl SavedContent<'_> {
    fn fill(self, repository: &mut Repository) -> Result<(), String> {
        let (digest, size, content) = match self {
            Self::Made(recipe) => {
                let (digest, size) = recipe.measure();
                (digest, size, Content::Made(recipe.into_owned().into()))
            }
            Self::Pushed(text) => {
                let bytes = base64::decode(text).map_err(|error| format!("a layer is not in base64: {error}"))?;
                (Digest::of(&bytes), bytes.len() as u64, Content::Pushed(bytes.into()))
            }
        };
        repository.fill_layer(digest, size, content);
        Ok(())
    }
}

impl Serialize for Repository {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SavedRepository::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Repository {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = SavedRepository::deserialize(deserializer)?;
        let mut repository = Self::new(saved.created_at);
        saved.fill(&mut repository).map_err(D::Error::custom)?;
        Ok(repository)
    }
}

impl<'a> From<&'a Image> for SavedImage<'a> {
    fn from(image: &'a Image) -> Self {
        Self {
            manifest: Cow::Borrowed(&image.manifest.text),
            media_type: Cow::Borrowed(&image.manifest.media_type),
            tags: image.tags.iter().map(Into::into).collect(),
            pushed_at: image.pushed_at,
            pulled_at: image.pulled_at,
            status: image.status(),
            archived_at: image.archived_at,
            activated_at: image.activated_at,
        }
    }
}

impl Saved<'_> {
    /// The registry that was saved, or which manifest in it cannot be read.
    fn load(self) -> Result<Ecr, String> {
        let mut ecr = Ecr { account: self.account.into_owned(), ..Ecr::default() };
        for (region, repositories) in self.regions {
            for (name, saved) in repositories {
                let repository = ecr.repository(&region, &name, saved.created_at);
                saved.fill(repository).map_err(|why| format!("{region}, repository {name}: {why}"))?;
            }
        }
        for (region, rules) in self.rules {
            *ecr.rules(&region) = rules;
        }
        Ok(ecr)
    }
}

impl SavedRepository<'_> {
    fn fill(self, repository: &mut Repository) -> Result<(), String> {
        repository.mutability = self.mutability;
        repository.exclusions = self.exclusions.into_owned();
        repository.lifecycle_policy = self.lifecycle_policy.map(Cow::into_owned);
        repository.takes_missing_layers = self.takes_missing_layers;
        for image in self.images {
            let manifest = Manifest::parse(&image.manifest, Some(&image.media_type))?;
            let tags: Vec<&str> = image.tags.iter().map(AsRef::as_ref).collect();
            let digest = repository.push(&manifest, &tags, image.pushed_at);
            repository.restore(digest, image.status, [image.pulled_at, image.archived_at, image.activated_at]);
        }
        for (digest, size) in self.loose_layers {
            repository.add_layer(digest, size);
        }
        self.contents.into_iter().try_for_each(|content| content.fill(repository))
    }
}
