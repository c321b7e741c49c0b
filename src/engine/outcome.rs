//! The words in which the end of an item is told; they are part of the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Kind;

/// Exactly one of these ends every item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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

impl Outcome {
    /// Of an item that ended with an error of this kind.
    pub fn of(kind: Kind) -> Self {
        use Kind::*;
        match kind {
            NotFound => Self::Missing,
            InUse | WrongState | Changed | Protected => Self::Refused,
            Stopped | StoreStopped => Self::Skipped,
            Lost | Unreadable => Self::Unknown,
            Throttled | Unreachable | Invalid | TooMany | Failed | Auth | Denied | NoStore | Config | Unsupported
            | Usage | Guard => Self::Failed,
        }
    }

    /// The word that users and scripts see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Untagged => "untagged",
            Self::Gone => "gone",
            Self::Missing => "missing",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::WouldDelete => "would_delete",
            Self::WouldUntag => "would_untag",
            Self::WouldRefuse => "would_refuse",
        }
    }
}
