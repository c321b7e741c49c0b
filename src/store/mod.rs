//! What imgctl asks a provider, and how the provider answers. Each method of [`ImageStore`] is one call to the service.
//! `engine` does the batching, pacing, retrying, halving and checking for all providers.

mod aws;
pub mod cvm;
mod difference;
pub mod ecr;
pub mod examine;
mod image;
mod limit;
pub mod oci;
mod own;
mod registry;
mod said;
mod source;
pub mod workspace;

use self::image::plausible;
pub use self::{
    difference::{Condition, Difference},
    image::{Hold, Image, LeftBehind, Snapshot, Storage},
    limit::{Limit, Op},
    own::{About, OwnAction, OwnLimit, OwnRule, own_rules},
    registry::{CacheRule, Replica, Replication, ReplicationRule},
    source::{Ask, Asker, Found, Permission, Revisions, Service, Source, User, Uses},
};

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::{
    cache::Cache,
    error::{Error, Kind, Result},
    image::{Digest, ImageId, Provider, StoreRef},
    settings::Settings,
};

/// A store of images. An `Err` is about the whole call; an [`Answer`] is about its items.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// The store with everything known so far: its region, and its owner once an answer has named it.
    fn home(&self) -> Arc<StoreRef>;

    /// The documented limit of a kind of call; `None` if the provider does not have this call.
    fn limit(&self, op: Op) -> Option<Limit>;

    /// One bad id makes the service refuse a whole deletion, so imgctl checks the ids before it sends them.
    fn all_or_nothing(&self) -> bool {
        false
    }

    /// Whose credentials these are, shortened. A prompt shows this if it does not know the account.
    fn caller(&self) -> Option<String> {
        None
    }

    /// Where its calls go, if that is known before the first one.
    fn endpoint(&self) -> Option<String> {
        None
    }

    /// How far this machine's clock is ahead of the service's, if that is more than a minute.
    fn clock_ahead(&self) -> Option<TimeDelta> {
        None
    }

    async fn delete(&self, ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>>;

    /// Whether the service offers a dry run of a deletion.
    fn rehearses(&self) -> bool {
        false
    }

    /// Asks the service whether it would delete these images.
    async fn rehearse(&self, _ids: &[ImageId]) -> Result<Answer<ImageId, ()>> {
        Err(unsupported("has no dry run of deletions"))
    }

    async fn get(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Image>>;

    /// One page of the store's images, after the given token.
    async fn list(&self, after: Option<&str>) -> Result<Page<Image>>;

    /// Whether a listing shows only names, and a look at a tag only what that tag points to. Then only looks at all tags show
    /// which of them an image has, and removing its last tag leaves the image.
    fn lists_names(&self) -> bool {
        false
    }

    /// Whether the listing that was just read also shows images without a tag.
    fn lists_untagged(&self) -> bool {
        true
    }

    /// Whether the service deletes with an image what is attached to it and what only that image holds. A look shows that.
    fn cascades(&self) -> bool {
        false
    }

    /// Whether the service refuses to delete an image that an index still needs. Otherwise imgctl finds that out first.
    fn protects_parts(&self) -> bool {
        true
    }

    /// Whether this store tells a fact about its images that it knows at all. What was asked here must be in its listings:
    /// one that cannot tell it is an error.
    async fn tells(&self, fact: Fact) -> Result<bool> {
        Ok(fact != Fact::Built)
    }

    /// Why the listings of this run say less about images than this store could, if they do.
    fn reduced(&self) -> Option<Error> {
        None
    }

    /// What is known about sending this to be deleted, before it is sent.
    async fn outlook(&self, _id: &ImageId) -> Result<Outlook> {
        Ok(Outlook::Open)
    }

    /// What an image's own contents say about it, where no listing and no look does.
    async fn details(&self, _image: &Image) -> Result<Image> {
        Err(unsupported("describes images by itself"))
    }

    /// The same, where it takes no call.
    async fn known_details(&self, _image: &Image) -> Option<Image> {
        None
    }

    /// Asks which accounts an image is shared with, and records them and the resulting hold on the image.
    async fn add_sharing(&self, _image: &mut Image) -> Result<()> {
        Err(unsupported("cannot share images"))
    }

    /// What always knows who uses this store's images: the provider's own machines.
    fn users(&self) -> Option<Arc<dyn Source>> {
        None
    }

    /// Whether services can be asked who uses this store's images.
    fn has_sources(&self) -> bool {
        false
    }

    /// Those of the services to ask that may use this store's images, in this store's region and the others to ask about.
    async fn sources(&self, _ask: &Ask) -> Result<Vec<Arc<dyn Source>>> {
        Ok(Vec::new())
    }

    /// Where deletions in this store's registry are repeated.
    async fn replication(&self) -> Result<Replication> {
        Err(unsupported("has no registry"))
    }

    /// One page of the rules that fill stores of this store's registry from elsewhere.
    async fn cache_rules(&self, _after: Option<&str>) -> Result<Page<CacheRule>> {
        Err(unsupported("has no registry"))
    }

    /// One page of the account's stores, to expand patterns in store names.
    async fn stores(&self, _after: Option<&str>) -> Result<Page<StoreRef>> {
        Err(unsupported("has no stores to list"))
    }

    /// The provider's own rules for deleting images of this store; `None` if it has none.
    async fn own_rules(&self) -> Result<Option<Vec<OwnRule>>> {
        Err(unsupported("has no rules of its own"))
    }

    /// One page of what is attached to an image: signatures and the like. `None` where only tags tell.
    async fn referrers(&self, _subject: &Digest, _after: Option<&str>) -> Result<Option<Page<Image>>> {
        Err(unsupported("lists what is attached to images with the images"))
    }

    /// The exact bytes of manifests, each with its digest.
    async fn manifests(&self, _ids: &[ImageId]) -> Result<Answer<ImageId, Manifest>> {
        Err(unsupported("has no manifests"))
    }

    /// Stores a manifest byte for byte, and points the tag at it. A service may move the tag from another image without
    /// asking, so look first.
    async fn put(&self, _put: &Put) -> Result<Receipt<()>> {
        Err(unsupported("cannot restore images"))
    }

    /// Moves one image to another storage class. Only a look shows when that is done.
    async fn set_storage_class(&self, _id: &ImageId, _class: StorageClass) -> Result<Receipt<()>> {
        Err(unsupported("has no archive"))
    }

    async fn check_layers(&self, _digests: &[Digest]) -> Result<Answer<Digest, LayerState>> {
        Err(unsupported("has no layers"))
    }

    /// The result of a job; `None` while it runs. `Err` with [`Kind::Failed`] means that the whole job failed.
    async fn poll(&self, _job: &Job) -> Result<Option<Answer<ImageId, Deletion>>> {
        Err(unsupported("has no jobs"))
    }
}

/// What the stores of each provider share during a run.
#[derive(Default)]
pub struct Clients {
    cache: Arc<Cache>,
    ecr: ecr::Clients,
    cvm: cvm::Clients,
    workspace: workspace::Clients,
    oci: oci::Clients,
}

impl Clients {
    /// For stores that keep on disk what never changes.
    pub fn keeping(cache: Arc<Cache>) -> Self {
        Self { cache, ..Self::default() }
    }
}

/// Opens a store with the credentials that the settings name.
pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Arc<dyn ImageStore>> {
    Ok(match store.provider {
        Provider::Ecr => Arc::new(ecr::open(settings, &clients.ecr, store).await?),
        Provider::Cvm => Arc::new(cvm::open(settings, &clients.cvm, store).await?),
        Provider::Workspace => Arc::new(workspace::open(settings, &clients.workspace, store).await?),
        Provider::Oci => Arc::new(oci::open(settings, &clients.oci, &clients.cache, store).await?),
    })
}

/// Things that several stores use, each opened once.
pub struct Shared<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Shared<K, V> {
    async fn get(&self, key: K, open: impl Future<Output = Result<V>>) -> Result<V> {
        let mut opened = self.0.lock().await;
        match opened.get(&key) {
            Some(known) => Ok(known.clone()),
            None => {
                let new = open.await?;
                opened.insert(key, new.clone());
                Ok(new)
            }
        }
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(Kind::Unsupported, format!("this provider {what}"))
}

/// A provider's answer to a call about several items.
#[derive(Clone, Debug)]
pub enum Answer<I, T> {
    /// One answer for all requested items.
    All(T),
    /// One answer for each item that the service mentions. The state of the others is unknown.
    Each(Vec<(I, Result<T>)>),
}

/// What a provider said to a call that changes something, and its own id of the call, by which its logs know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt<T> {
    pub said: T,
    pub request_id: Option<String>,
}

impl<T> Receipt<T> {
    pub fn new(said: T, request_id: Option<impl Into<String>>) -> Self {
        Self { said, request_id: request_id.map(Into::into) }
    }
}

/// What a provider said about a deletion.
#[derive(Clone, Debug, PartialEq)]
pub enum Deletion {
    /// The image is gone.
    Deleted,
    /// The tag is gone from the image with this digest.
    Untagged(Digest),
    /// The service accepted the request and did not say how it ended, so imgctl looks.
    Requested,
    /// A job will do it.
    Accepted(Job),
}

/// A provider's job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    pub id: String,
}

/// What is known about a deletion before it is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Outlook {
    /// Nothing speaks against it.
    Open,
    /// It would be refused.
    Refused(Error),
    /// It may be refused, for this reason. A clause.
    Depends(&'static str),
}

/// A fact about images that rules may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// When an image was pushed or created.
    Age,
    /// When it was last pulled.
    Pull,
    /// When it was built.
    Built,
    /// Images without a tag.
    Untagged,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The number of items on all pages, if the service says so.
    pub total: Option<usize>,
    /// What to ask for next; `None` at the end.
    pub next: Option<String>,
}

/// The exact bytes of a manifest, with their digest and media type.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub digest: Digest,
    pub media_type: Option<String>,
    pub bytes: Vec<u8>,
}

/// A manifest to store, with a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    pub manifest: Arc<Manifest>,
    pub tag: Option<String>,
}

/// Where a provider keeps an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageClass {
    Standard,
    /// The image stays, and cannot be pulled.
    Archive,
}

/// Whether a layer is available.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerState {
    /// The provider's own word in lower case: `available`, `unavailable`, `archived`.
    pub state: String,
    pub bytes: Option<u64>,
    pub media_type: Option<String>,
}
