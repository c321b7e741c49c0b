//! The plan: an action and a reason for every image. `decide` makes it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Stop;
use crate::image::StoreRef;

/// The action for every image of some stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub stores: Vec<StorePlan>,
    /// Guards that stop the run. If there is one, nothing may be sent.
    pub stops: Vec<Stop>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StorePlan {
    pub store: Arc<StoreRef>,
    /// One per image, in the order of [`super::Stock::images`].
    pub rows: Vec<Row>,
    pub totals: Totals,
    /// What a person should know before confirming.
    pub warnings: Vec<String>,
}

/// The action for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Delete,
    /// Move to the archive instead.
    Archive,
    Keep,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Deleted: every selector matches.
    Selected,
    /// Deleted: it belongs only to deleted images.
    Follows,
    /// Kept, like all that follow: a protected name.
    Protected,
    /// It matches --exclude.
    Excluded,
    /// Something uses it.
    InUse,
    /// The provider would refuse to delete it, or is deleting it already.
    Held,
    /// A rule of the policy keeps its images.
    Policy,
    /// A selector does not match.
    NotSelected,
    /// The newest patch of a minor version.
    Release,
    /// Among the newest that --keep keeps.
    Newest,
    /// A kept index holds it.
    Needed,
    /// It is attached to a kept image.
    Attached,
    /// Its subject is not in these stores, and --orphans was not given.
    Orphan,
    /// An index that could not be read might need it.
    Unreadable,
}

impl Rule {
    /// What the rule does with an image.
    pub fn action(self) -> Action {
        match self {
            Self::Selected | Self::Follows => Action::Delete,
            _ => Action::Keep,
        }
    }
}

/// The action for one image, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in [`super::Stock::images`].
    pub image: usize,
    pub reason: Reason,
    /// Places of the images that it belongs to: the indexes that hold it, and its subjects.
    pub needed_by: Vec<usize>,
    /// Its subjects in other stores of the run.
    pub elsewhere: Vec<String>,
    /// How many images are attached to it.
    pub attached: usize,
}

/// The rule that decided, and the reason in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Explained")]
pub struct Reason {
    pub rule: Rule,
    pub words: String,
    /// The run archives what it chooses.
    pub archive: bool,
}

/// A reason in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    pub action: Action,
    pub rule: Rule,
    pub reason: String,
}

impl From<Reason> for Explained {
    fn from(reason: Reason) -> Self {
        let action = match reason.rule.action() {
            Action::Delete if reason.archive => Action::Archive,
            action => action,
        };
        let words = match action {
            Action::Keep => format!("kept: {}", reason.words),
            Action::Delete | Action::Archive => reason.words,
        };
        Self { action, rule: reason.rule, reason: words }
    }
}

impl Row {
    pub fn action(&self) -> Action {
        self.reason.rule.action()
    }
}

/// What `prune` decided for an image, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Choice {
    #[serde(flatten)]
    #[schemars(with = "Explained")]
    pub reason: Reason,
    /// Digests of the images that it belongs to: indexes that hold it, and its subjects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed_by: Vec<String>,
    /// How many images are attached to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attached: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The sum of a store's plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    pub images: usize,
    /// Images that the plan deletes, or archives.
    pub deleted: usize,
    pub kept: usize,
    /// Images with a tag that a person gave them, before and after.
    pub tagged: usize,
    pub tagged_kept: usize,
    /// The sizes of all deleted images: an upper bound of what is freed.
    pub bytes: u64,
    /// Deleted images of unknown size.
    pub unsized_images: usize,
}

impl Plan {
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for Totals { images, deleted, kept, tagged, tagged_kept, bytes, unsized_images } in
            self.stores.iter().map(|of| of.totals)
        {
            sum.images += images;
            sum.deleted += deleted;
            sum.kept += kept;
            sum.tagged += tagged;
            sum.tagged_kept += tagged_kept;
            sum.bytes += bytes;
            sum.unsized_images += unsized_images;
        }
        sum
    }
}
