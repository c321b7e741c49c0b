//! A provider's own rules for deleting images, in words that all providers share.

use crate::error::{Error, Kind, Result};

use super::ecr;
use crate::image::StoreRef;

/// One rule, in the order in which the provider applies them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRule {
    /// What the provider calls it: `priority 1`.
    pub name: String,
    pub description: Option<String>,
    pub about: About,
    /// It is about archived images, and not about those that can be pulled.
    pub archived: bool,
    pub limit: OwnLimit,
    pub action: OwnAction,
}

/// Which images a rule is about. No later rule may delete them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Each of these globs matches one of its tags.
    Tagged(Vec<String>),
    Untagged,
    All,
}

/// From when on an image is stale. An image that came back from an archive counts from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLimit {
    /// More than so many images are newer. Those that earlier rules are about count, too.
    Newer(u32),
    PushedDaysAgo(u32),
    /// One that was never pulled counts from its push.
    PulledDaysAgo(u32),
    ArchivedDaysAgo(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAction {
    Delete,
    Archive,
}

/// Reads rules that were saved to a file, as the provider writes them; with the store, if the file names it.
pub fn own_rules(name: &str, text: &str) -> Result<(Option<StoreRef>, Vec<OwnRule>)> {
    ecr::lifecycle::saved(text).map_err(|why| Error::new(Kind::Usage, format!("{name}: {why}")))
}
