//! UpdateImageStorageClass: into the archive at once, and out of it after a while.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    SameClass,
    identifier::{Identifier, show},
    refusal::{Refusal, breaks, invalid, required},
    repository::Status,
    request::Request,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    image_id: Option<Identifier>,
    target_storage_class: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdateImageStorageClass.html>
pub fn update_image_storage_class(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let id = required(parameters.image_id, "imageId")?;
    let archive = match required(parameters.target_storage_class, "targetStorageClass")?.as_str() {
        "ARCHIVE" => true,
        "STANDARD" => false,
        _ => return Err(breaks("targetStorageClass", "Member must satisfy enum value set: [STANDARD, ARCHIVE]")),
    };
    let (now, same_class) = (request.now, request.quirks.same_class);
    let at_once = request.delays.activation.is_zero();
    let repository = request.repository(&place)?;
    let digest = id.resolve(repository).map_err(|failure| match failure.code {
        "ImageNotFound" | "ImageTagDoesNotMatchDigest" => id.absent(&place),
        _ => invalid(failure.reason),
    })?;
    let was = repository.image(&digest).map(|image| image.status()).unwrap_or_default();
    let is = match (was, archive) {
        (Status::Active, true) => Status::Archived,
        (Status::Archived, false) if at_once => Status::Active,
        (Status::Archived, false) => Status::Activating,
        (same, _) if same_class == SameClass::Accepted && (same == Status::Archived) == archive => same,
        _ => {
            let message = "The requested image storage class update is not supported.";
            return Err(Refusal::new("ImageStorageClassUpdateNotSupportedException", message));
        }
    };
    if is != was {
        repository.set_status(digest, is, now);
    }
    let image_id = show(Some(&digest.to_string()), id.image_tag.as_deref());
    Ok(place.answer(json!({"imageId": image_id, "imageStatus": is})))
}
