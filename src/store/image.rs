//! An image as its provider describes it, and what a deletion means for it.

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    error::{Error, Kind},
    image::ImageId,
};

/// Why an existing image cannot be deleted, or does not need to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// The provider is already deleting it.
    Going,
    /// The provider would refuse it, with this documented error.
    Refused(Box<Error>),
    /// No document explains its state. The provider decides about an image that somebody named; rules never choose it.
    Unsure,
}

/// Where its provider keeps an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// It can be pulled.
    #[default]
    Standard,
    Archived,
    /// On its way out of the archive.
    Activating,
}

/// An image as its provider describes it. Fields that the provider did not send are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Image {
    /// How this image is named in its store: its digest, or the provider's id.
    #[serde(skip)]
    pub id: Option<ImageId>,
    /// Why it cannot, or need not, be deleted now.
    #[serde(skip)]
    pub hold: Option<Hold>,
    /// An instance could start from it now, as the newest of its family.
    #[serde(skip)]
    pub usable: bool,
    /// Whether it can be pulled.
    #[serde(skip)]
    pub storage: Storage,
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
    /// When it was built, as it says itself: perhaps long before it was pushed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub built_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was last pulled, as far as the provider recorded it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub pulled_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub archived_at: Option<DateTime<Utc>>,
    /// When it last came back from the archive.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub activated_at: Option<DateTime<Utc>>,
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

    /// What a deletion with the options of this run also deletes.
    #[serde(skip)]
    pub takes_along: Vec<LeftBehind>,
    /// What remains, and costs money, after a deletion with the options of this run.
    #[serde(skip)]
    pub leaves_behind: Vec<LeftBehind>,
}

impl Image {
    /// Why it cannot be archived now.
    pub fn hold_from_archive(&self) -> Option<Error> {
        let error =
            || Error::new(Kind::WrongState, "it is on its way out of the archive").request_id(self.request_id.clone());
        (self.storage == Storage::Activating).then(error)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    pub id: String,
    /// `system_disk` or `data_disk`.
    pub usage: String,
    pub bytes: u64,
}

/// No service here is older than this, so an earlier date is an error of the service.
const FIRST_YEAR: i32 = 2010;

/// A date of a service, or `None` if it cannot be right: before 2010, or after tomorrow. An image without a date is never
/// old enough to delete.
pub(super) fn plausible(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (time.year() >= FIRST_YEAR && time <= Utc::now() + TimeDelta::days(1)).then_some(time)
}

/// Times as every reader understands them: RFC 3339 in UTC, without fractions, which `jq` for one cannot read.
fn whole_seconds<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).serialize(serializer)
}

/// Something that belongs to an image. A deletion leaves it behind, or also deletes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftBehind {
    /// `snapshot`, `ims_image`, `server_group`, `app_group`, `instance`, `referrer`.
    pub kind: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_before_2010_or_after_tomorrow_is_unknown() {
        let now = Utc::now();
        let of_seconds = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        for wrong in [of_seconds(-1), of_seconds(0), of_seconds(1234), now + TimeDelta::hours(25)] {
            assert_eq!(plausible(wrong), None, "{wrong}");
        }
        for right in ["2010-01-01T00:00:00Z".parse().unwrap(), now, now + TimeDelta::hours(23)] {
            assert_eq!(plausible(right), Some(right));
        }
    }
}
