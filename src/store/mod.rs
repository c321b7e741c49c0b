//! What the program asks of a provider, and how a provider answers. Each method of [`ImageStore`] is one call to the
//! service; batching, pacing, retrying, halving and checking live once, above it, in `engine`.

pub mod cvm;
mod difference;
pub mod ecr;
pub mod examine;
mod image;
pub mod workspace;

pub use self::{
    difference::Difference,
    image::{Hold, Image, LeftBehind, Snapshot},
};

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId, Provider, StoreRef},
    settings::Settings,
};

/// A store of images. An `Err` of a call speaks of the whole call; an [`Answer`] speaks of its items.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// The store with all that is known of it by now: its region, and its owner once something has named it.
    fn home(&self) -> StoreRef;

    /// The documented limit of a kind of call; `None` where the provider has no such call.
    fn limit(&self, op: Op) -> Option<Limit>;

    /// One bad id makes the service refuse a whole deletion, so ids are looked at before they are sent.
    fn all_or_nothing(&self) -> bool {
        false
    }

    /// Whose credentials these are, shortened, for a prompt that cannot name an account.
    fn caller(&self) -> Option<String> {
        None
    }

    async fn delete(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Deletion>>;

    /// Whether the service can be asked beforehand what it would delete.
    fn rehearses(&self) -> bool {
        false
    }

    /// Asks the service whether it would delete these, where it offers that.
    async fn rehearse(&self, _ids: &[ImageId]) -> Result<Answer<ImageId, ()>> {
        Err(unsupported("rehearses deletions"))
    }

    async fn get(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Image>>;

    /// One page of the store's images, after the given token.
    async fn list(&self, after: Option<&str>) -> Result<Page<Image>>;

    /// Whether a listing shows every image that can be asked for by name.
    fn lists_all(&self) -> bool {
        true
    }

    /// Asks which accounts one image of this account's own is shared with, and notes them, and the hold that follows.
    async fn add_sharing(&self, _image: &mut Image) -> Result<()> {
        Err(unsupported("shares images with accounts"))
    }

    /// The calls with which a search for users of this store's images begins; none where a listing says all.
    fn scans(&self) -> Vec<Scan> {
        Vec::new()
    }

    /// One call of that search: the users that it found, and the calls that must follow.
    async fn scan(&self, _scan: &Scan) -> Result<Scanned> {
        Err(unsupported("tells who uses images"))
    }

    /// One page of the account's stores, for names with a pattern in them.
    async fn stores(&self, _after: Option<&str>) -> Result<Page<StoreRef>> {
        Err(unsupported("has stores to list"))
    }

    /// The exact bytes of manifests, each with the digest that they have.
    async fn manifests(&self, _ids: &[ImageId]) -> Result<Answer<ImageId, Manifest>> {
        Err(unsupported("has manifests"))
    }

    async fn check_layers(&self, _digests: &[Digest]) -> Result<Answer<Digest, LayerState>> {
        Err(unsupported("has layers"))
    }

    /// What became of a job; `None` while it runs. `Err` with [`Kind::Failed`] is a job that failed as a whole.
    async fn poll(&self, _job: &Job) -> Result<Option<Answer<ImageId, Deletion>>> {
        Err(unsupported("runs jobs"))
    }
}

/// What the stores of each provider share while a program runs.
#[derive(Default)]
pub struct Clients {
    ecr: ecr::Clients,
    cvm: cvm::Clients,
    workspace: workspace::Clients,
}

/// Opens a store with the credentials that the settings lead to.
pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Arc<dyn ImageStore>> {
    Ok(match store.provider {
        Provider::Ecr => Arc::new(ecr::open(settings, &clients.ecr, store).await?),
        Provider::Cvm => Arc::new(cvm::open(settings, &clients.cvm, store).await?),
        Provider::Workspace => Arc::new(workspace::open(settings, &clients.workspace, store).await?),
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
    Error::new(Kind::Unsupported, format!("this provider has nothing that {what}"))
}

/// How a provider answers a call about several items.
#[derive(Debug)]
pub enum Answer<I, T> {
    /// One answer for all that was asked.
    All(T),
    /// An answer for each item that it mentions; what it leaves out stays unknown.
    Each(Vec<(I, Result<T>)>),
}

/// What a provider said of a deletion.
#[derive(Clone, Debug, PartialEq)]
pub enum Deletion {
    /// The image is gone.
    Deleted,
    /// The tag is gone from the image with this digest.
    Untagged(Digest),
    /// The request was taken; nothing was said of its end, so look.
    Requested,
    /// A job will do it.
    Accepted(Job),
}

/// A provider's job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    pub id: String,
}

/// A kind of call, with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Delete,
    Get,
    /// Images, or the stores of an account.
    List,
    Manifests,
    Layers,
    Poll,
    /// [`ImageStore::add_sharing`]
    Sharing,
    /// [`ImageStore::scan`]
    Users,
}

/// The most that one kind of call may carry, and how often it may be sent. Each figure stands beside its source.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The provider's name for the call: what has one name has one rate.
    pub call: &'static str,
    /// Items a call.
    pub batch: usize,
    /// Calls a second: the published rate, or the most that is tried where none is published.
    pub per_second: u32,
    /// Calls at once.
    pub in_flight: usize,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// How many there are in all, where the service says.
    pub total: Option<usize>,
    /// What to ask for next; `None` at the end.
    pub next: Option<String>,
}

/// One call of a search for users of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The provider's name for the call.
    pub call: &'static str,
    /// What it is about, where it is about one thing.
    pub of: Option<String>,
    /// Where its page begins.
    pub offset: usize,
}

/// What one call of a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    pub users: Vec<User>,
    /// The calls that must follow before the search is complete.
    pub more: Vec<Scan>,
}

/// Something that uses an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `instance ins-1`
    pub who: String,
    pub uses: Uses,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uses {
    Image(String),
    /// Whatever is the newest of a family when it starts.
    Family(String),
}

/// The exact bytes of a manifest and what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub digest: Digest,
    pub media_type: Option<String>,
    pub bytes: Vec<u8>,
}

/// Whether a layer can be had.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerState {
    /// The provider's own word in lower case: `available`, `unavailable`, `archived`.
    pub state: String,
    pub bytes: Option<u64>,
    pub media_type: Option<String>,
}
