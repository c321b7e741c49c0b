//! What became of each item asked for: the words of the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Exactly one of these ends every item.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider confirmed that the image is gone.
    Deleted,
    /// The tag went, the image stays.
    Untagged,
    /// Asked, no clear answer, and found gone afterwards.
    Gone,
    /// It was not there.
    Missing,
    /// A job runs; nobody waited for it.
    Accepted,
    /// A rule of the provider or of ours says no.
    Refused,
    Failed,
    /// Asked, and nobody can say what became of it.
    Unknown,
    /// Not tried.
    Skipped,
    WouldDelete,
    WouldUntag,
    WouldRefuse,
}
