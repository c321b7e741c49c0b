//! The outcomes of an item. Their words are part of the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Kind;

/// Every item ends with exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider confirmed that the image is gone.
    Deleted,
    /// The tag was removed, and the image still exists.
    Untagged,
    /// The deletion was sent without a clear answer, and the image no longer exists.
    Gone,
    /// It did not exist.
    Missing,
    /// The provider deletes it in a job, and `--no-wait` said not to wait.
    Accepted,
    /// A rule of the provider or of imgctl forbids it.
    Refused,
    Failed,
    /// The deletion was sent, and its result could not be found out.
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
            Stopped | StoreStopped | Unrecorded => Self::Skipped,
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
