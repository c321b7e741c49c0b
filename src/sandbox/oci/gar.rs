//! What Google's Artifact Registry adds to `tags/list`: every image, tagged or not, with its times.
//! <https://github.com/google/go-containerregistry/blob/main/pkg/v1/google/list.go>

use serde_json::{Map, Value, json};

use crate::sandbox::ecr::repository::Repository;

/// The member `manifest`: numbers are texts, times are milliseconds since 1970.
pub fn members(repository: &Repository) -> Value {
    let shown = repository.images().map(|image| {
        let pushed = image.pushed_at.timestamp_millis().to_string();
        let entry = json!({
            "imageSizeBytes": repository.size(image).to_string(), "mediaType": image.manifest.media_type,
            "timeCreatedMs": pushed, "timeUploadedMs": pushed, "tag": image.tags,
        });
        (image.manifest.digest.to_string(), entry)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}
