//! Converts an image as CVM describes it: what it is, why it cannot be deleted now, and what its deletion leaves
//! behind.
//! <https://www.tencentcloud.com/document/api/213/15753#Image>

use chrono::DateTime;
use serde::Deserialize;

use super::super::errors;
use crate::{
    error::Error,
    image::ImageId,
    store::{Hold, Image, LeftBehind, Snapshot, plausible},
};

/// Some versions of the API send null for an absent field.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    pub image_id: String,
    image_type: Option<String>,
    created_time: Option<String>,
    image_name: Option<String>,
    image_description: Option<String>,
    image_size: Option<i64>,
    architecture: Option<String>,
    image_state: Option<String>,
    platform: Option<String>,
    snapshot_set: Option<Vec<Bound>>,
    image_family: Option<String>,
    image_deprecated: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bound {
    snapshot_id: String,
    disk_usage: Option<String>,
    disk_size: Option<i64>,
}

const SYSTEM_DISK: &str = "system_disk";

impl Described {
    /// `delete_snapshots` is what a deletion in this run would ask for.
    pub fn into_image(self, delete_snapshots: bool, request_id: &str) -> Image {
        let state = text(self.image_state).map(|state| state.to_lowercase());
        let image_type = text(self.image_type).map(|kind| kind.to_lowercase());
        let hold = foreign(image_type.as_deref(), request_id).or_else(|| unready(state.as_deref(), request_id));
        let snapshots: Vec<_> = self
            .snapshot_set
            .unwrap_or_default()
            .into_iter()
            .map(|bound| Snapshot {
                id: bound.snapshot_id,
                usage: bound.disk_usage.unwrap_or_default().to_lowercase(),
                bytes: bytes(bound.disk_size).unwrap_or_default(),
            })
            .collect();
        Image {
            leaves_behind: left_behind(&snapshots, delete_snapshots),
            id: Some(ImageId::Named(self.image_id)),
            hold,
            usable: state.as_deref() == Some("normal") && self.image_deprecated != Some(true),
            request_id: Some(request_id.to_owned()),
            state,
            name: text(self.image_name),
            description: text(self.image_description),
            bytes: bytes(self.image_size),
            created_at: self
                .created_time
                .and_then(|time| DateTime::parse_from_rfc3339(&time).ok())
                .and_then(|time| plausible(time.to_utc())),
            family: text(self.image_family),
            deprecated: self.image_deprecated,
            architecture: text(self.architecture),
            platform: text(self.platform),
            image_type,
            snapshots,
            ..Image::default()
        }
    }
}

fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Sizes come in GiB.
fn bytes(gib: Option<i64>) -> Option<u64> {
    u64::try_from(gib?).ok()?.checked_mul(1 << 30)
}

/// A hold with the code that the provider documents for this refusal.
pub fn refused(code: &str, message: &str, request_id: &str) -> Hold {
    let meaning = errors::meaning(code);
    let mut error = Error::new(meaning.kind, message).code(code).request_id(Some(request_id));
    error.hint = meaning.hint.map(Into::into);
    Hold::Refused(error.into())
}

/// Images of other accounts can be used, but not deleted.
fn foreign(image_type: Option<&str>, request_id: &str) -> Option<Hold> {
    let (code, message) = match image_type? {
        "shared_image" => (errors::SHARED_TO_YOU, "another account shares this image with yours"),
        "public_image" => (errors::NOT_DELETABLE, "this is a public image"),
        "market_image" => (errors::NOT_DELETABLE, "this is an image of the marketplace"),
        _ => return None,
    };
    Some(refused(code, message, request_id))
}

fn unready(state: Option<&str>, request_id: &str) -> Option<Hold> {
    let message = match state? {
        "creating" => "the image is being created",
        "syncing" => "the image is being copied to another region",
        "importing" => "the image is being imported",
        // In the documents until 2025; old images may still say so.
        "using" => "the image is in use",
        "deleting" => return Some(Hold::Going),
        "normal" | "createfailed" | "importfailed" => return None,
        _ => return Some(Hold::Unsure),
    };
    Some(refused(errors::INCORRECT_STATE, message, request_id))
}

/// With DeleteBindedSnap the service deletes only the snapshot of the system disk and keeps those of data disks.
/// <https://github.com/cloud-barista/cb-spider/pull/872>
fn left_behind(snapshots: &[Snapshot], delete_snapshots: bool) -> Vec<LeftBehind> {
    snapshots
        .iter()
        .filter(|snapshot| !(delete_snapshots && snapshot.usage == SYSTEM_DISK))
        .map(|snapshot| LeftBehind {
            kind: "snapshot".into(),
            id: snapshot.id.clone(),
            bytes: Some(snapshot.bytes).filter(|bytes| *bytes > 0),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::Kind;

    fn image(fields: Value, delete_snapshots: bool) -> Image {
        let described: Described = serde_json::from_value(fields).unwrap();
        described.into_image(delete_snapshots, "r-1")
    }

    #[test]
    fn every_field_that_is_known_is_carried_over() {
        let image = image(
            json!({
                "ImageId": "img-34vaef8fe", "OsName": "TencentOS 4", "ImageType": "PRIVATE_IMAGE",
                "CreatedTime": "2025-03-24T06:35:06Z", "ImageName": "web-7", "ImageDescription": "built",
                "ImageSize": 50, "Architecture": "x86_64", "ImageState": "NORMAL", "Platform": "TencentOS",
                "ImageCreator": "100000000001", "ImageSource": "CREATE_IMAGE", "SyncPercent": 100,
                "IsSupportCloudinit": true, "Tags": [{"Key": "a", "Value": "b"}], "LicenseType": "TencentCloud",
                "SnapshotSet": [{"SnapshotId": "snap-1", "DiskUsage": "SYSTEM_DISK", "DiskSize": 50}],
                "ImageFamily": "web", "ImageDeprecated": false, "CdcCacheStatus": null, "Later": {}
            }),
            false,
        );
        assert_eq!(image.id, Some(ImageId::Named("img-34vaef8fe".into())));
        assert_eq!(image.hold, None);
        assert!(image.usable);
        assert_eq!(image.state.as_deref(), Some("normal"));
        assert_eq!(
            serde_json::to_value(&image).unwrap(),
            json!({
                "name": "web-7", "description": "built", "bytes": 53_687_091_200_u64,
                "created_at": "2025-03-24T06:35:06Z", "family": "web", "deprecated": false,
                "architecture": "x86_64", "platform": "TencentOS", "image_type": "private_image",
                "snapshots": [{"id": "snap-1", "usage": "system_disk", "bytes": 53_687_091_200_u64}],
            })
        );
    }

    #[test]
    fn null_absent_empty_and_absurd_fields_are_unknown() {
        let nulls = json!({
            "ImageId": "img-1", "ImageType": null, "CreatedTime": null, "ImageName": null, "ImageDescription": "",
            "ImageSize": null, "Architecture": null, "ImageState": null, "Platform": null, "SnapshotSet": null,
            "ImageFamily": "", "ImageDeprecated": null
        });
        for fields in [
            nulls,
            json!({"ImageId": "img-1"}),
            json!({"ImageId": "img-1", "ImageSize": -1, "CreatedTime": "yesterday"}),
            json!({"ImageId": "img-1", "ImageSize": i64::MAX}),
            json!({"ImageId": "img-1", "CreatedTime": "1970-01-01T00:00:00Z"}),
            json!({"ImageId": "img-1", "CreatedTime": "2970-01-01T00:00:00Z"}),
        ] {
            let image = image(fields, false);
            assert_eq!(serde_json::to_value(&image).unwrap(), json!({}));
            assert!(image.state.is_none() && image.hold.is_none() && image.leaves_behind.is_empty());
        }
    }

    #[test]
    fn both_spellings_of_a_time_are_the_same_time() {
        for time in ["2020-09-22T00:00:00Z", "2020-09-22T00:00:00+00:00", "2020-09-22T08:00:00+08:00"] {
            let image = image(json!({"ImageId": "img-1", "CreatedTime": time}), false);
            assert_eq!(image.created_at, Some("2020-09-22T00:00:00Z".parse().unwrap()));
        }
    }

    #[test]
    fn an_image_that_would_be_refused_says_so_with_the_documented_code() {
        let refused = |code, kind| Some((code, kind));
        let state = refused("InvalidImageId.IncorrectState", Kind::WrongState);
        let shared = refused("InvalidParameterValue.InvalidImageIdIsShared", Kind::Protected);
        let public = refused("InvalidParameterValue.InvalidImageId", Kind::Protected);
        for (image_type, image_state, expected) in [
            ("PRIVATE_IMAGE", "NORMAL", None),
            ("PRIVATE_IMAGE", "CREATEFAILED", None),
            ("PRIVATE_IMAGE", "IMPORTFAILED", None),
            ("PRIVATE_IMAGE", "CREATING", state),
            ("PRIVATE_IMAGE", "SYNCING", state),
            ("PRIVATE_IMAGE", "IMPORTING", state),
            ("PRIVATE_IMAGE", "USING", state),
            ("SHARED_IMAGE", "NORMAL", shared),
            ("SHARED_IMAGE", "CREATING", shared),
            ("PUBLIC_IMAGE", "NORMAL", public),
            ("MARKET_IMAGE", "NORMAL", public),
        ] {
            let fields = json!({"ImageId": "img-1", "ImageType": image_type, "ImageState": image_state});
            let image = image(fields, false);
            assert_eq!(image.state, Some(image_state.to_lowercase()));
            match image.hold {
                None => assert_eq!(expected, None, "{image_type} {image_state}"),
                Some(Hold::Going | Hold::Unsure) => panic!("{image_type} {image_state}"),
                Some(Hold::Refused(error)) => {
                    assert_eq!(error.code.as_deref().zip(Some(error.kind)), expected);
                    assert_eq!(error.request_id.as_deref(), Some("r-1"));
                    assert!(error.hint.is_some());
                }
            }
        }
        let going = image(json!({"ImageId": "img-1", "ImageState": "DELETING"}), false);
        assert_eq!(going.hold, Some(Hold::Going));
        let new = image(json!({"ImageId": "img-1", "ImageState": "SOMETHING_NEW"}), false);
        assert_eq!(new.hold, Some(Hold::Unsure));
        assert_eq!(image(json!({"ImageId": "img-1"}), false).hold, None);
    }

    #[test]
    fn only_a_normal_image_that_is_not_deprecated_can_be_started_from() {
        for (state, deprecated, usable) in [
            (json!("NORMAL"), json!(false), true),
            (json!("NORMAL"), json!(null), true),
            (json!("NORMAL"), json!(true), false),
            (json!("CREATING"), json!(false), false),
            (json!(null), json!(false), false),
        ] {
            let fields = json!({"ImageId": "img-1", "ImageState": state, "ImageDeprecated": deprecated});
            assert_eq!(image(fields, false).usable, usable, "{state} {deprecated}");
        }
    }

    #[test]
    fn only_the_system_disk_snapshot_is_deleted_and_only_on_request() {
        let fields = json!({"ImageId": "img-1", "SnapshotSet": [
            {"SnapshotId": "snap-s", "DiskUsage": "SYSTEM_DISK", "DiskSize": 1},
            {"SnapshotId": "snap-d", "DiskUsage": "DATA_DISK", "DiskSize": 2},
            {"SnapshotId": "snap-x", "DiskUsage": null, "DiskSize": null},
        ]});
        let left = |delete_snapshots| -> Vec<_> {
            let image = image(fields.clone(), delete_snapshots);
            image.leaves_behind.into_iter().map(|left| (left.kind, left.id, left.bytes)).collect()
        };
        let stays = |id: &str, bytes: Option<u64>| ("snapshot".to_owned(), id.to_owned(), bytes);
        let [system, data] = [stays("snap-s", Some(1 << 30)), stays("snap-d", Some(2 << 30))];
        let unknown = stays("snap-x", None);
        assert_eq!(left(false), [system, data.clone(), unknown.clone()]);
        assert_eq!(left(true), [data, unknown]);
    }
}
