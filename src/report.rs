//! The result of each item, and their sum: the words and fields of the output contract.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::{
    checkup::{self, Check},
    engine::{Outcome, Verdict},
    error::Error,
    image::{ImageId, Provider, Reference, StoreRef},
    prune::saved,
    prune::{Action, Choice},
    record::Brief,
    store::{Image, LeftBehind, Replica, Storage},
};

/// One item of the output: an image, a layer of an image, or a provider that `doctor` checked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct Item {
    #[serde(flatten, serialize_with = "named")]
    #[schemars(with = "Named")]
    pub reference: Reference,
    /// The result of a deletion; absent when the item was only read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The state that was read; absent when there is an outcome. Of an image: the provider's own word in lower case, or
    /// `missing` or `unknown`. Of a layer: `available`, or why not. Of a provider: `ok`, `warning`, `failed` or `not_configured`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "state")]
    #[schemars(with = "Option<String>")]
    pub state: Option<State>,
    #[serde(flatten)]
    pub image: Arc<Image>,
    #[serde(flatten)]
    pub choice: Option<Choice>,
    /// Of a layer: the platforms of the image that need it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// Other registries in which the deletion is repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicated_to: Vec<Replica>,
    /// What is deleted with it: the groups and machines of an image server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_along: Vec<LeftBehind>,
    /// What the deletion leaves behind, and what costs money.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<LeftBehind>,
    /// Of an image that would be deleted, untagged or archived: whether `imgctl restore` could undo that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// The provider's job, as a reference for `imgctl get --job`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Of an image in `history RUN`: the provider's ids of the calls about it that were answered. Errors have their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_ids: Vec<Arc<str>>,
    /// Of a provider: what `doctor` found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Of an image that nothing is known of. A run may report a million.
static NOTHING: LazyLock<Arc<Image>> = LazyLock::new(Arc::default);

/// How JSON names the subject of an item.
#[derive(Serialize, JsonSchema)]
struct Named {
    /// The complete reference, accepted as input.
    #[serde(rename = "ref")]
    reference: String,
    provider: Provider,
}

fn named<S: Serializer>(reference: &Reference, serializer: S) -> Result<S::Ok, S::Error> {
    Named { reference: reference.to_string(), provider: reference.store().provider }.serialize(serializer)
}

/// Whether a step of a plan could be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// The image stays in its store.
    Possible,
    /// As long as the provider keeps the layers, and it does not say how long.
    WhileLayersStay,
    Impossible,
}

/// What a reading command found.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Of an image: the provider's own word, in lower case.
    Said(String),
    /// The answer did not say.
    Unknown,
    /// The store has no such image.
    Missing,
    /// Of a layer: it can be pulled.
    Available,
    /// Of a layer: it cannot be pulled, for this reason.
    Unavailable(String),
    /// Of a provider: its worst check.
    Checked(checkup::State),
}

impl State {
    pub fn word(&self) -> &str {
        match self {
            Self::Said(word) | Self::Unavailable(word) => word,
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Available => "available",
            Self::Checked(checkup::State::Missing) => "not_configured",
            Self::Checked(state) => state.word(),
        }
    }
}

fn state<S: Serializer>(state: &Option<State>, serializer: S) -> Result<S::Ok, S::Error> {
    state.as_ref().map(State::word).serialize(serializer)
}

impl Item {
    pub fn new(reference: impl Into<Reference>) -> Self {
        Self {
            reference: reference.into(),
            outcome: None,
            state: None,
            image: NOTHING.clone(),
            choice: None,
            platforms: Vec::new(),
            replicated_to: Vec::new(),
            takes_along: Vec::new(),
            left_behind: Vec::new(),
            undo: None,
            job: None,
            request_ids: Vec::new(),
            checks: Vec::new(),
            error: None,
        }
    }

    /// An image as its provider describes it.
    pub fn found(reference: impl Into<Reference>, image: impl Into<Arc<Image>>) -> Self {
        let image = image.into();
        let state = image.state.clone().map_or(State::Unknown, State::Said);
        Self { state: Some(state), image, ..Self::new(reference) }
    }

    /// Sets the outcome. The state that was read before is no longer true.
    pub fn ends_with(&mut self, outcome: Outcome) {
        self.state = None;
        self.outcome = Some(outcome);
        use Outcome::*;
        if matches!(outcome, Deleted | Gone | Accepted | WouldDelete) {
            self.left_behind = self.image.leaves_behind.clone();
            self.takes_along = self.image.takes_along.clone();
        } else {
            self.left_behind.clear();
            self.takes_along.clear();
        }
        self.undo = match outcome {
            WouldArchive | WouldUntag => Some(Undo::Possible),
            WouldDelete if self.is_restorable() => Some(Undo::WhileLayersStay),
            WouldDelete => Some(Undo::Impossible),
            _ => None,
        };
    }

    /// Whether its manifest can be saved before it is deleted, and put back.
    pub fn is_restorable(&self) -> bool {
        self.reference.store().provider.undo().is_some() && self.image.storage == Storage::Standard
    }

    /// Sets the result of a deletion in this store.
    pub fn end(&mut self, home: &Arc<StoreRef>, verdict: Verdict) {
        self.ends_with(verdict.outcome);
        self.job = verdict.job.map(|job| home.image(ImageId::Named(job.id)).to_string());
        self.error = verdict.error;
    }

    /// Whether a plan keeps it.
    pub fn is_kept(&self) -> bool {
        let choice = self.choice.as_ref();
        choice.is_some_and(|choice| choice.reason.rule.action() == Action::Keep)
    }

    /// The word that the summary counts: the outcome, or the state that was read.
    pub fn word(&self) -> &str {
        match (&self.outcome, &self.state, &self.error) {
            (Some(outcome), ..) => outcome.word(),
            _ if self.is_kept() => "kept",
            (None, Some(State::Unknown), Some(_)) => "failed",
            (None, Some(state), _) => state.word(),
            (None, None, Some(_)) => "failed",
            (None, None, None) => "found",
        }
    }
}

/// The size of images together. Each image counts once, however many tags name it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes {
    seen: HashSet<u64>,
    pub images: usize,
    pub bytes: u64,
    /// Images of unknown size.
    pub unknown: usize,
    /// Kept images may share layers with these, which are then not freed.
    pub is_bound: bool,
}

impl Sizes {
    /// Of images that were counted elsewhere.
    pub fn counted(images: usize, bytes: u64, unknown: usize, is_bound: bool) -> Self {
        Self { images, bytes, unknown, is_bound: is_bound && images > 0, ..Self::default() }
    }

    /// Together with those of another store.
    pub fn plus(self, other: Self) -> Self {
        Self::counted(
            self.images + other.images,
            self.bytes + other.bytes,
            self.unknown + other.unknown,
            self.is_bound || other.is_bound,
        )
    }

    pub fn add(&mut self, item: &Item) {
        let mut hasher = DefaultHasher::new();
        match &item.image.digest {
            Some(digest) => (item.reference.store(), digest).hash(&mut hasher),
            None => item.reference.hash(&mut hasher),
        }
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        self.images += 1;
        // The size of an index is that of its largest image, which counts itself.
        if item.image.is_index() {
            return;
        }
        let left = item.left_behind.iter().filter_map(|left| left.bytes).sum();
        match item.image.bytes {
            Some(bytes) => self.bytes += bytes.saturating_sub(left),
            None => self.unknown += 1,
        }
        self.is_bound |= item.reference.store().provider.has_containers();
    }
}

/// The sum of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// The number of items with each outcome or state.
    #[serde(flatten)]
    pub counts: BTreeMap<String, usize>,
    /// Calls sent to providers.
    pub calls: usize,
    pub seconds: f64,
    /// Total size of the images that were deleted, would be deleted, or were read, without what they leave behind. Images
    /// of unknown size do not count.
    pub bytes: u64,
    #[serde(skip)]
    sizes: Sizes,
}

impl Summary {
    pub fn add(&mut self, item: &Item) {
        match self.counts.get_mut(item.word()) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(item.word().to_owned(), 1)),
        }
        use Outcome::*;
        match item.outcome {
            // A listing or a plan shows every image once.
            None if item.error.is_none() && !item.is_kept() => self.bytes += item.image.bytes.unwrap_or(0),
            Some(Deleted | Gone | WouldDelete) => {
                let before = self.sizes.bytes;
                self.sizes.add(item);
                self.bytes += self.sizes.bytes - before;
            }
            _ => {}
        }
    }
}

/// The whole of `-o json`.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "imgctl/v1")]
pub struct Document {
    /// Always `imgctl/v1`.
    pub schema: String,
    pub command: String,
    pub dry_run: bool,
    /// The id of the run's record, for `imgctl history`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Of `prune`: the sums of the plan, and the options it was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<saved::Head>,
    /// Of `history`: the runs on record. They are the lines of its NDJSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<Vec<Brief>>,
    pub items: Vec<Item>,
    /// What a person would be warned of on stderr, unless the plan or an item says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    pub summary: Summary,
}
