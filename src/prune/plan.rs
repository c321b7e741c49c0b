//! What would become of every image: the words in which a plan is shown, saved and run. Who decides is `decide`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Stop;
use crate::image::StoreRef;

/// What would happen to every image of some stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub stores: Vec<StorePlan>,
    /// Guards that stop the run; while there is one, nothing may be sent.
    pub stops: Vec<Stop>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StorePlan {
    pub store: StoreRef,
    /// One an image, in the order of [`super::Stock::images`].
    pub rows: Vec<Row>,
    pub totals: Totals,
    /// What a person should know before agreeing.
    pub warnings: Vec<String>,
}

/// What would become of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Delete,
    Keep,
}

/// Which rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Deleted: every selector fits.
    Selected,
    /// Deleted: it belongs only to images that are deleted.
    Follows,
    /// Kept from here on: a protected name.
    Protected,
    /// It fits an exclusion.
    Excluded,
    /// Something uses it.
    InUse,
    /// The provider would not delete it, or does so already.
    Held,
    /// A selector does not fit.
    NotSelected,
    /// The newest patch of a minor version.
    Release,
    /// Among the newest of those that would go.
    Newest,
    /// A kept index holds it.
    Needed,
    /// It is attached to a kept image.
    Attached,
    /// What it was attached to is gone, and orphans were not asked for.
    Orphan,
    /// An index could not be read that might need it.
    Unreadable,
}

impl Rule {
    /// What it does with an image.
    pub fn action(self) -> Action {
        match self {
            Self::Selected | Self::Follows => Action::Delete,
            _ => Action::Keep,
        }
    }
}

/// What becomes of one image, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in [`super::Stock::images`].
    pub image: usize,
    pub reason: Reason,
    /// Places of the images that it belongs to: the indexes that hold it, and what it is attached to.
    pub needed_by: Vec<usize>,
    /// How many images are attached to it.
    pub attached: usize,
}

/// Why: the rule that decided, and what it found, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Explained")]
pub struct Reason {
    pub rule: Rule,
    pub words: String,
}

/// A reason as JSON tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    pub action: Action,
    pub rule: Rule,
    pub reason: String,
}

impl From<Reason> for Explained {
    fn from(reason: Reason) -> Self {
        let action = reason.rule.action();
        let words = match action {
            Action::Keep => format!("kept: {}", reason.words),
            Action::Delete => reason.words,
        };
        Self { action, rule: reason.rule, reason: words }
    }
}

impl Row {
    pub fn action(&self) -> Action {
        self.reason.rule.action()
    }
}

/// What `prune` chose for an image, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Choice {
    #[serde(flatten)]
    #[schemars(with = "Explained")]
    pub reason: Reason,
    /// Digests of the images that it belongs to: indexes that hold it, and what it is attached to.
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
    pub deleted: usize,
    pub kept: usize,
    /// Images with a tag that people gave them, before and after.
    pub tagged: usize,
    pub tagged_kept: usize,
    /// The sizes of the images that would go, added up; what is freed is not more.
    pub bytes: u64,
    /// Images that would go and whose size is not known.
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
