//! One repository: its images, tags and layers, and the links between them. Every method keeps the maps
//! consistent; the operations decide what the API refuses. Every look-up is by key, so that a repository of a
//! hundred thousand images answers like a small one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use chrono::{DateTime, Utc};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Delays,
    digest::Digest,
    made::Recipe,
    manifest::{Manifest, MediaType},
};

/// Whether tags may move to another image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mutability {
    #[default]
    Mutable,
    Immutable,
    MutableWithExclusion,
    ImmutableWithExclusion,
}

/// Whether an image can be pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    #[default]
    Active,
    Archived,
    Activating,
}

/// An image, an index or a referrer.
#[derive(Clone, Debug)]
pub struct Image {
    pub manifest: Manifest,
    pub tags: BTreeSet<String>,
    pub pushed_at: DateTime<Utc>,
    pub pulled_at: Option<DateTime<Utc>>,
    pub archived_at: Option<DateTime<Utc>>,
    pub activated_at: Option<DateTime<Utc>>,
    status: Status,
}

impl Image {
    pub fn status(&self) -> Status {
        self.status
    }
}

/// A layer, or a config, that was pushed.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    pub size: u64,
    /// Known once a manifest has named it.
    pub media_type: Option<MediaType>,
    pub content: Content,
    /// Images that have it: those that can be pulled, and all.
    ready: u32,
    users: u32,
}

/// The bytes of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Only digest and size were ever told.
    #[default]
    Unknown,
    Pushed(Bytes),
    /// How the sandbox makes them.
    Made(Box<Recipe>),
}

impl Layer {
    /// The bytes, if they are known.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match &self.content {
            Content::Unknown => None,
            Content::Pushed(bytes) => Some(bytes.to_vec()),
            Content::Made(recipe) => Some(recipe.bytes()),
        }
    }

    /// Whether only archived images have it.
    pub fn archived(&self) -> bool {
        self.users > 0 && self.ready == 0
    }
}

#[derive(Clone, Debug, Default)]
pub struct Repository {
    pub created_at: DateTime<Utc>,
    pub mutability: Mutability,
    /// Wildcards of tags for which the other rule holds.
    pub exclusions: Vec<String>,
    pub lifecycle_policy: Option<String>,
    /// Images that a user of Azure's registry locked.
    pub locked: BTreeSet<Digest>,
    /// When tags were put on their images, unless that was with the push of the image.
    pub tagged: BTreeMap<String, DateTime<Utc>>,
    /// Takes manifests whose layers were never pushed, for clients that push none.
    pub takes_missing_layers: bool,
    images: BTreeMap<Digest, Image>,
    tags: BTreeMap<String, Digest>,
    layers: BTreeMap<Digest, Layer>,
    /// When the last request came; none came yet if this is unknown.
    now: Option<DateTime<Utc>>,
    /// Images on their way out of the archive, and when that began.
    activating: BTreeMap<Digest, DateTime<Utc>>,
    /// Layers that no image has, and since when; since the next request if unknown.
    unused: BTreeMap<Digest, Option<DateTime<Utc>>>,
    parents: HashMap<Digest, BTreeSet<Digest>>,
    referrers: HashMap<Digest, BTreeSet<Digest>>,
}

impl Repository {
    pub fn new(created_at: DateTime<Utc>) -> Self {
        Self { created_at, ..Self::default() }
    }

    pub fn image(&self, digest: &Digest) -> Option<&Image> {
        self.images.get(digest)
    }

    pub fn tag(&self, tag: &str) -> Option<Digest> {
        self.tags.get(tag).copied()
    }

    pub fn layer(&self, digest: &Digest) -> Option<&Layer> {
        self.layers.get(digest)
    }

    /// All tags in order, also those whose image is gone.
    pub fn tags(&self) -> Vec<String> {
        self.tags.keys().cloned().collect()
    }

    /// All layers by digest.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.values()
    }

    pub fn len(&self) -> usize {
        self.images.len()
    }

    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// All images by digest. Clients must not rely on the order.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.images.values()
    }

    /// The images from this digest on.
    pub fn images_from(&self, from: Option<Digest>) -> impl Iterator<Item = &Image> {
        let start = from.map_or(Bound::Unbounded, Bound::Included);
        self.images.range((start, Bound::Unbounded)).map(|(_, image)| image)
    }

    /// The indexes that hold this image.
    pub fn parents(&self, digest: &Digest) -> impl Iterator<Item = &Digest> {
        self.parents.get(digest).into_iter().flatten()
    }

    /// What is attached to this image.
    pub fn referrers(&self, digest: &Digest) -> impl Iterator<Item = &Image> {
        let referrers = self.referrers.get(digest).into_iter().flatten();
        referrers.filter_map(|digest| self.images.get(digest))
    }

    /// The bytes that pulling an image takes; of an index, those of its largest image.
    pub fn size(&self, image: &Image) -> u64 {
        let children = image.manifest.children().iter();
        let largest = children.filter_map(|child| Some(self.size(self.images.get(child)?))).max();
        largest.unwrap_or_else(|| image.manifest.blobs().map(|blob| blob.size).sum())
    }

    /// Does what the service does in its own time: it activates images and drops layers that no image has.
    pub fn pass_time(&mut self, now: DateTime<Utc>, delays: &Delays) {
        self.now = Some(now);
        let active = |began: DateTime<Utc>| now - began >= delays.activation;
        while let Some((digest, _)) = self.activating.iter().find(|(_, began)| active(**began)) {
            self.set_status(*digest, Status::Active, now);
        }
        if let Some(kept) = delays.layers_kept {
            let layers = &mut self.layers;
            self.unused.retain(|digest, since| {
                let stays = now - *since.get_or_insert(now) < kept;
                if !stays {
                    layers.remove(digest);
                }
                stays
            });
        }
    }

    /// Stores a layer that was pushed.
    pub fn add_layer(&mut self, digest: Digest, size: u64) {
        self.layers.entry(digest).or_insert_with(|| {
            self.unused.insert(digest, self.now);
            Layer { size, ..Layer::default() }
        });
    }

    /// Stores a layer with its bytes.
    pub fn fill_layer(&mut self, digest: Digest, size: u64, content: Content) {
        self.add_layer(digest, size);
        self.layers.entry(digest).and_modify(|layer| layer.content = content);
    }

    /// Stores an image; one that was archived comes back.
    pub fn add(&mut self, manifest: Manifest, now: DateTime<Utc>) {
        let digest = manifest.digest;
        if self.images.contains_key(&digest) {
            return self.set_status(digest, Status::Active, now);
        }
        for blob in manifest.blobs() {
            self.add_layer(blob.digest, blob.size);
            let layer = self.layers.entry(blob.digest).or_default();
            layer.media_type = Some(blob.media_type.clone());
            layer.ready += 1;
            layer.users += 1;
            self.unused.remove(&blob.digest);
        }
        for child in manifest.children() {
            self.parents.entry(*child).or_default().insert(digest);
        }
        if let Some(subject) = manifest.subject {
            self.referrers.entry(subject).or_default().insert(digest);
        }
        let image = Image {
            manifest,
            tags: BTreeSet::new(),
            pushed_at: now,
            pulled_at: None,
            archived_at: None,
            activated_at: None,
            status: Status::Active,
        };
        self.images.insert(digest, image);
    }

    /// Points a tag at an image, wherever it pointed before.
    pub fn set_tag(&mut self, tag: &str, digest: Digest) {
        self.remove_tag(tag);
        if let Some(image) = self.images.get_mut(&digest) {
            image.tags.insert(tag.into());
            self.tags.insert(tag.into(), digest);
        }
    }

    /// When a tag was put on its image.
    pub fn tagged_at(&self, tag: &str, image: &Image) -> DateTime<Utc> {
        self.tagged.get(tag).copied().unwrap_or(image.pushed_at)
    }

    /// Leaves a tag that names an image which is gone.
    pub fn point(&mut self, tag: &str, digest: Digest) {
        self.tags.insert(tag.into(), digest);
    }

    /// Removes a tag. Its image stays, even without tags.
    pub fn remove_tag(&mut self, tag: &str) {
        self.tagged.remove(tag);
        if let Some(digest) = self.tags.remove(tag)
            && let Some(image) = self.images.get_mut(&digest)
        {
            image.tags.remove(tag);
        }
    }

    /// Removes an image with all its tags. Its layers stay until [`Repository::sweep`].
    pub fn remove(&mut self, digest: &Digest) -> Option<Image> {
        let image = self.images.remove(digest)?;
        self.activating.remove(digest);
        for tag in &image.tags {
            self.tags.remove(tag);
        }
        for blob in image.manifest.blobs() {
            if let Some(layer) = self.layers.get_mut(&blob.digest) {
                layer.users -= 1;
                layer.ready -= u32::from(image.status == Status::Active);
                if layer.users == 0 {
                    self.unused.insert(blob.digest, self.now);
                }
            }
        }
        for child in image.manifest.children() {
            untie(&mut self.parents, child, digest);
        }
        if let Some(subject) = &image.manifest.subject {
            untie(&mut self.referrers, subject, digest);
        }
        Some(image)
    }

    /// Removes the layers that no image uses. The service does so "at any time".
    pub fn sweep(&mut self) {
        self.unused.clear();
        self.layers.retain(|_, layer| layer.users > 0);
    }

    pub fn set_status(&mut self, digest: Digest, status: Status, now: DateTime<Utc>) {
        let Some(image) = self.images.get_mut(&digest) else {
            return;
        };
        let (was, is) = (image.status == Status::Active, status == Status::Active);
        self.activating.remove(&digest);
        match status {
            Status::Archived => image.archived_at = Some(now),
            Status::Active if !was => image.activated_at = Some(now),
            Status::Activating => drop(self.activating.insert(digest, now)),
            Status::Active => {}
        }
        image.status = status;
        for blob in image.manifest.blobs() {
            if let Some(layer) = self.layers.get_mut(&blob.digest) {
                layer.ready = layer.ready + u32::from(is) - u32::from(was);
            }
        }
    }

    /// The layers that no image has, with their sizes.
    pub fn loose_layers(&self) -> impl Iterator<Item = (Digest, u64)> {
        let loose = self.layers.iter().filter(|(_, layer)| layer.users == 0);
        loose.map(|(digest, layer)| (*digest, layer.size))
    }

    /// Sets what is remembered of an image beside its push.
    pub fn restore(
        &mut self,
        digest: Digest,
        status: Status,
        [pulled_at, archived_at, activated_at]: [Option<DateTime<Utc>>; 3],
    ) {
        self.set_status(digest, status, DateTime::default());
        if let Some(image) = self.images.get_mut(&digest) {
            (image.pulled_at, image.archived_at, image.activated_at) = (pulled_at, archived_at, activated_at);
        }
    }

    /// An image's times, to be read and set.
    pub fn times(&mut self, digest: &Digest) -> Option<(&mut DateTime<Utc>, &mut Option<DateTime<Utc>>)> {
        let image = self.images.get_mut(digest)?;
        Some((&mut image.pushed_at, &mut image.pulled_at))
    }
}

fn untie(ties: &mut HashMap<Digest, BTreeSet<Digest>>, from: &Digest, to: &Digest) {
    if let Some(others) = ties.get_mut(from) {
        others.remove(to);
        if others.is_empty() {
            ties.remove(from);
        }
    }
}

/// For worlds and tests: what a pusher would do in several calls.
impl Repository {
    /// Pushes a manifest with its layers and tags.
    pub fn push(&mut self, manifest: &Manifest, tags: &[&str], at: DateTime<Utc>) -> Digest {
        self.add(manifest.clone(), at);
        for tag in tags {
            self.set_tag(tag, manifest.digest);
        }
        manifest.digest
    }

    /// The image that a tag or a digest names.
    pub fn find(&self, name: &str) -> Option<&Image> {
        let digest = self.tag(name).or_else(|| name.parse().ok())?;
        self.image(&digest)
    }

    /// Whether this tag, or this digest, is there.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn archive(&mut self, digest: &Digest, at: DateTime<Utc>) {
        self.set_status(*digest, Status::Archived, at);
    }

    /// Every digest with its tags, to compare before and after.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<String>> {
        let entry = |image: &Image| (image.manifest.digest.to_string(), image.tags.iter().cloned().collect());
        self.images().map(entry).collect()
    }
}

#[cfg(test)]
mod tests;
