//! The operations on images: describe, delete, share, count. Each refusal carries the code in the operation's
//! documentation.
//! <https://www.tencentcloud.com/document/api/213/33255>

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Call, Cvm, Failure,
    parameters::{Filter, missing},
    state::{Image, Region},
};

/// The most ids of one call.
const MOST_DESCRIBED: usize = 100;

/// <https://www.tencentcloud.com/document/product/213/4942>
const QUOTA: usize = 500;

/// The most accounts that an image can be shared with.
const MOST_SHARES: usize = 500;

impl Cvm {
    pub(super) fn describe_images(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let ids = call.asked.texts("ImageIds")?;
        let filters = call.asked.filters()?;
        if !ids.is_empty() && !filters.is_empty() {
            return Err(Failure::new(
                "InvalidParameter.InvalidParameterCoexistImageIdsFilters",
                "ImageIds and Filters exclude each other.",
            ));
        }
        if ids.len() > MOST_DESCRIBED {
            return Err(Failure::new("InvalidParameterValue.LimitExceeded", "ImageIds holds more than 100 ids."));
        }
        well_formed(&ids)?;
        filters.iter().try_for_each(known)?;
        let account = self.account.clone();
        let region = self.region(call.region);
        let mut images: Vec<_> = region
            .images
            .iter()
            .filter(|(id, _)| ids.is_empty() || ids.contains(id))
            .filter(|(id, image)| filters.iter().all(|filter| fits(filter, id, image)))
            .collect();
        images.sort_by(|(id, image), (other_id, other)| other.created.cmp(&image.created).then(id.cmp(other_id)));
        call.asked.page("ImageSet", images, |(id, image)| describe(id, image, region, &account))
    }

    /// All of the images or none.
    pub(super) fn delete_images(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let ids = call.asked.texts("ImageIds")?;
        let with_snapshots = call.asked.flag("DeleteBindedSnap")?;
        let dry_run = call.asked.flag("DryRun")?;
        if ids.is_empty() {
            return Err(missing("ImageIds"));
        }
        if self.most_ids.is_some_and(|most| ids.len() > most) {
            return Err(Failure::new(
                "InvalidParameterValue.LimitExceeded",
                "The number of values in ImageIds exceeds the limit.",
            ));
        }
        well_formed(&ids)?;
        let (gone, answers_with_code) = (call.now + self.deleting_for, self.dry_run_code);
        let region = self.region(call.region);
        for id in &ids {
            deletable(id, region.images.get_mut(id))?;
        }
        if dry_run && answers_with_code {
            return Err(Failure::new("DryRunOperation", "The request would have succeeded."));
        }
        if !dry_run {
            for id in &ids {
                region.remove(id, with_snapshots, gone);
            }
            region.settle(call.now);
        }
        Ok(json!({}))
    }

    pub(super) fn describe_quota(&mut self, _: &Call<'_>) -> Result<Value, Failure> {
        Ok(json!({ "ImageNumQuota": QUOTA }))
    }

    pub(super) fn describe_sharing(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let image = own(self.region(call.region), call.asked.required("ImageId")?)?;
        let accounts: Vec<_> = image
            .shared_with
            .iter()
            .map(|(account, since)| json!({ "AccountId": account, "CreatedTime": time(*since) }))
            .collect();
        Ok(json!({ "SharePermissionSet": accounts }))
    }

    pub(super) fn modify_sharing(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let accounts = call.asked.texts("AccountIds")?;
        let share = match call.asked.required("Permission")? {
            "SHARE" => true,
            "CANCEL" => false,
            _ => {
                return Err(Failure::new("InvalidParameterValue", "Permission is SHARE or CANCEL."));
            }
        };
        if accounts.is_empty() {
            return Err(missing("AccountIds"));
        }
        if accounts.iter().any(|account| !account.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(Failure::new("InvalidAccountId.NotFound", "There is no such account."));
        }
        if accounts.contains(&self.account) {
            return Err(Failure::new("FailedOperation.AccountIsYourSelf", "That is your own account."));
        }
        let image = own(self.region(call.region), call.asked.required("ImageId")?)?;
        if image.state != "NORMAL" {
            return Err(Failure::new(
                "InvalidParameterValue.InvalidImageState",
                "The image is occupied by another operation.",
            ));
        }
        if !share {
            accounts.iter().for_each(|account| {
                image.shared_with.remove(account);
            });
            return Ok(json!({}));
        }
        if accounts.iter().any(|account| image.shared_with.contains_key(account)) {
            return Err(Failure::new("FailedOperation.AccountAlreadyExists", "It is shared already."));
        }
        if image.shared_with.len() + accounts.len() > MOST_SHARES {
            return Err(Failure::new("OverQuota", "An image is shared with 500 accounts at most."));
        }
        let since = accounts.into_iter().map(|account| (account, call.now));
        image.shared_with.extend(since);
        Ok(json!({}))
    }
}

fn well_formed(ids: &[String]) -> Result<(), Failure> {
    let good = |id: &str| {
        id.strip_prefix("img-").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
        })
    };
    match ids.iter().find(|id| !good(id)) {
        Some(id) => Err(Failure::new("InvalidImageId.Malformed", format!("`{id}` is not an image id."))),
        None => Ok(()),
    }
}

/// Whether one image may be deleted. Not every message names the image, as at the service.
fn deletable(id: &str, image: Option<&mut Image>) -> Result<(), Failure> {
    let Some(image) = image else {
        return Err(Failure::new("InvalidImageId.NotFound", format!("The image `{id}` is not found.")));
    };
    let (code, why) = match (image.kind.as_str(), image.state.as_str()) {
        ("SHARED_IMAGE", _) => {
            ("InvalidParameterValue.InvalidImageIdIsShared", "The image is shared by another account.")
        }
        ("PRIVATE_IMAGE", "CREATING" | "SYNCING" | "IMPORTING" | "USING" | "DELETING") => {
            ("InvalidImageId.IncorrectState", "The state of the image does not allow this.")
        }
        ("PRIVATE_IMAGE", _) if !image.shared_with.is_empty() => {
            ("InvalidImageId.InShared", "The image is being shared.")
        }
        ("PRIVATE_IMAGE", _) if image.busy > 0 => {
            image.busy -= 1;
            ("MutexOperation.TaskRunning", "The same task is running.")
        }
        ("PRIVATE_IMAGE", _) => return Ok(()),
        _ => ("InvalidParameterValue.InvalidImageId", "The image does not support this operation."),
    };
    Err(Failure::new(code, why))
}

fn own<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Image, Failure> {
    well_formed(&[id.to_owned()])?;
    match region.images.get_mut(id) {
        None => Err(Failure::new("InvalidImageId.NotFound", format!("The image `{id}` is not found."))),
        Some(image) if !image.is_own() => {
            Err(Failure::new("UnauthorizedOperation.ImageNotBelongToAccount", "The image belongs to another account."))
        }
        Some(image) => Ok(image),
    }
}

fn known(filter: &Filter) -> Result<(), Failure> {
    match filter.name.as_str() {
        "image-id" | "image-type" | "image-name" | "platform" | "tag-key" | "tag-value" => Ok(()),
        name if name.strip_prefix("tag:").is_some_and(|key| !key.is_empty()) => Ok(()),
        name => Err(Failure::new("InvalidFilter", format!("There is no filter `{name}`."))),
    }
}

fn fits(filter: &Filter, id: &str, image: &Image) -> bool {
    filter.values.iter().any(|value| match filter.name.as_str() {
        "image-id" => id == value,
        "image-type" => image.kind == *value,
        // These two are fuzzy.
        "image-name" => image.name.contains(value.as_str()),
        "platform" => image.platform.to_lowercase().contains(&value.to_lowercase()),
        "tag-key" => image.tags.contains_key(value),
        "tag-value" => image.tags.values().any(|tag| tag == value),
        name => name.strip_prefix("tag:").is_some_and(|key| image.tags.get(key) == Some(value)),
    })
}

pub(super) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn describe(id: &str, image: &Image, region: &Region, account: &str) -> Value {
    let snapshots: Vec<_> = image
        .snapshots
        .iter()
        .filter_map(|id| Some((id, region.snapshots.get(id)?)))
        .map(|(id, snapshot)| json!({ "SnapshotId": id, "DiskUsage": snapshot.usage, "DiskSize": snapshot.gib }))
        .collect();
    let tags: Vec<_> = image.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let (creator, source) = match image.kind.as_str() {
        "PRIVATE_IMAGE" => (account, "CREATE_IMAGE"),
        "SHARED_IMAGE" => (OTHER_ACCOUNT, "CREATE_IMAGE"),
        _ => ("tencent", "OFFICIAL"),
    };
    json!({
        "ImageId": id,
        "OsName": format!("{} Server 4 64bit", image.platform),
        "ImageType": image.kind,
        "CreatedTime": time(image.created),
        "ImageName": image.name,
        "ImageDescription": image.description,
        "ImageSize": image.gib,
        "Architecture": image.architecture,
        "ImageState": image.state,
        "Platform": image.platform,
        "ImageCreator": creator,
        "ImageSource": source,
        "SyncPercent": if image.state == "SYNCING" { json!(42) } else { Value::Null },
        "IsSupportCloudinit": true,
        "SnapshotSet": snapshots,
        "Tags": tags,
        "LicenseType": "TencentCloud",
        "ImageFamily": image.family,
        "ImageDeprecated": image.deprecated,
        "CdcCacheStatus": null,
    })
}

pub(super) const OTHER_ACCOUNT: &str = "100000000099";
