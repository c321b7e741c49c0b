//! What the program asks of a provider, and how a provider answers. Each method of [`ImageStore`] is one call to the
//! service; batching, pacing, retrying, halving and checking live once, above it, in `engine`.

pub mod cvm;
mod difference;
pub mod ecr;
pub mod examine;
pub mod workspace;

pub use self::difference::Difference;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

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

    /// The documented limits of each call.
    fn limits(&self) -> Limits;

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

    /// How fast [`ImageStore::add_sharing`] may be called, where images can be shared with accounts at all.
    fn sharing(&self) -> Option<Limit> {
        None
    }

    /// Asks which accounts one image of this account's own is shared with, and notes them, and the hold that follows.
    async fn add_sharing(&self, _image: &mut Image) -> Result<()> {
        Err(unsupported("shares images with accounts"))
    }

    /// How fast [`ImageStore::scan`] may be called, where there is anything to scan.
    fn scanning(&self) -> Option<Limit> {
        None
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

/// What stores of a provider share while a program runs.
#[derive(Default)]
pub struct Clients {
    ecr: ecr::Clients,
    workspace: workspace::Clients,
}

/// Opens a store with the credentials that the settings lead to.
pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Arc<dyn ImageStore>> {
    Ok(match store.provider {
        Provider::Ecr => ecr::Ecr::open(settings, &clients.ecr, store).await?,
        Provider::Cvm => Arc::new(cvm::open(settings, store).await?),
        Provider::Workspace => Arc::new(clients.workspace.open(settings, store).await?),
    })
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

/// The most that one kind of call may carry and bear. Each figure stands beside its source.
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

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub delete: Limit,
    pub get: Limit,
    pub list: Limit,
    pub manifests: Limit,
    pub layers: Limit,
    pub poll: Limit,
    /// One bad id makes the service refuse a whole deletion, so ids are looked at before they are sent.
    pub all_or_nothing: bool,
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

/// Why an image that is there cannot be deleted, or need not be.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// Already on its way out.
    Going,
    /// The provider would refuse it, with this documented error.
    Refused(Error),
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

/// An image as its provider describes it. What a provider does not know is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Image {
    /// How this image is named in its store: its digest, or the provider's id.
    #[serde(skip)]
    pub id: Option<ImageId>,
    /// Why it cannot, or need not, be deleted now.
    #[serde(skip)]
    pub hold: Option<Hold>,
    /// An instance could be started from it now, as the newest of its family.
    #[serde(skip)]
    pub usable: bool,
    /// The answer that described it.
    #[serde(skip)]
    pub request_id: Option<String>,

    /// The provider's own word, in lower case. An item of the output says in which state it was read.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub pushed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was last pulled, as far as the provider recorded it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub pulled_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub archived_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The digest of the image that this one is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,

    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Private, shared, public, gold: the provider's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_type: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
    /// Accounts that an image is shared with, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<Vec<String>>,

    /// The image that an image server produced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_image: Option<String>,
    /// The image that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enterprise_project: Option<String>,

    /// What a deletion takes with it, with the options of this run.
    #[serde(skip)]
    pub takes_along: Vec<LeftBehind>,
    /// What stays, and costs money, after this image is deleted with the options of this run.
    #[serde(skip)]
    pub leaves_behind: Vec<LeftBehind>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    pub id: String,
    /// `system_disk` or `data_disk`.
    pub usage: String,
    pub bytes: u64,
}

/// Times as every reader understands them: RFC 3339 in UTC, without fractions, which `jq` for one cannot read.
fn whole_seconds<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).serialize(serializer)
}

/// Something around an image: a deletion leaves it behind, or takes it along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftBehind {
    /// `snapshot`, `ims_image`, `server_group`, `app_group`, `instance`.
    pub kind: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}
