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
    /// The deletion was sent without a clear answer, or the registry deleted it with what it belongs to: it no longer exists.
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
    /// It is in the archive, as a look shows.
    Archived,
    /// It was in the archive before.
    AlreadyArchived,
    /// It is back, as a look shows.
    Restored,
    /// It was there and has its tags back, as a look shows.
    Retagged,
    /// It was there before, with its tags.
    AlreadyThere,
    /// The provider no longer has all of its layers, so it cannot be restored.
    LayersGone,
    /// The tag points to another image, and stays there.
    TagTaken,
    WouldDelete,
    WouldUntag,
    WouldArchive,
    WouldRestore,
    WouldRetag,
    WouldRefuse,
}

impl Outcome {
    /// Of an item that ended with an error of this kind.
    pub fn of(kind: Kind) -> Self {
        use Kind::*;
        match kind {
            NotFound => Self::Missing,
            InUse | WrongState | Changed | Protected | PartsMissing => Self::Refused,
            LayersGone => Self::LayersGone,
            AlreadyThere => Self::AlreadyThere,
            TagTaken => Self::TagTaken,
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
            Self::Archived => "archived",
            Self::AlreadyArchived => "already_archived",
            Self::Restored => "restored",
            Self::Retagged => "retagged",
            Self::AlreadyThere => "already_there",
            Self::LayersGone => "layers_gone",
            Self::TagTaken => "tag_taken",
            Self::WouldDelete => "would_delete",
            Self::WouldUntag => "would_untag",
            Self::WouldArchive => "would_archive",
            Self::WouldRestore => "would_restore",
            Self::WouldRetag => "would_retag",
            Self::WouldRefuse => "would_refuse",
        }
    }
}
