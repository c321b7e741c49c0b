//! BatchGetImage: manifests by id, which the service counts as pulls.

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ArchivedPull,
    identifier::{Failure, Identifier, show},
    refusal::{Refusal, listed},
    repository::{Image, Status},
    request::Request,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    image_ids: Option<Vec<Identifier>>,
    accepted_media_types: Option<Vec<String>>,
}

pub fn batch_get_image(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let ids = Identifier::list(parameters.image_ids)?;
    let accepted =
        parameters.accepted_media_types.map(|types| listed(Some(types), "acceptedMediaTypes", 100)).transpose()?;
    let (now, quirks) = (request.now, request.quirks);
    let rules = request.registry.rules.clone();
    let repository = request.repository(&place)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in &ids {
        if let (Some(tag), Err(_)) = (&id.image_tag, id.resolve(repository))
            && let Some(manifest) = rules.import(&place.name, tag)
        {
            repository.push(&manifest, &[tag], now);
        }
        let found = id.resolve(repository).and_then(|digest| {
            let image = repository.image(&digest).ok_or_else(Failure::not_found)?;
            readable(image, accepted.as_deref(), quirks.archived_pull).map(|()| image)
        });
        let image = match found {
            Ok(image) => image,
            Err(failure) => {
                failures.push(failure.show(id));
                continue;
            }
        };
        let digest = image.manifest.digest;
        let mut tags: Vec<Option<&str>> = match &id.image_tag {
            Some(tag) => vec![Some(tag)],
            None => image.tags.iter().map(|tag| Some(tag.as_str())).collect(),
        };
        if tags.is_empty() {
            tags.push(None);
        }
        if !quirks.one_image_a_tag {
            tags.truncate(1);
        }
        for tag in tags {
            images.push(place.answer(json!({
                "imageId": show(Some(&digest.to_string()), tag),
                "imageManifest": image.manifest.text,
                "imageManifestMediaType": image.manifest.media_type,
            })));
        }
        if let Some((_, pulled_at)) = repository.times(&digest)
            // The record is refreshed at most daily.
            // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html
            && pulled_at.is_none_or(|time| now - time >= TimeDelta::days(1))
        {
            *pulled_at = Some(now);
        }
    }
    Ok(json!({"images": images, "failures": failures}))
}

fn readable(image: &Image, accepted: Option<&[String]>, archived: ArchivedPull) -> Result<(), Failure> {
    if image.status() != Status::Active {
        return Err(match archived {
            ArchivedPull::Inaccessible => Failure::new("ImageInaccessible", "Requested image is not accessible"),
            ArchivedPull::NotFound => Failure::not_found(),
        });
    }
    if image.manifest.text.is_empty() {
        let message = "The sandbox was loaded from a listing, which holds no manifests";
        return Err(Failure::new("ImageInaccessible", message));
    }
    match accepted {
        Some(types) if !types.iter().any(|accepted| *accepted == image.manifest.media_type) => {
            Err(Failure::not_found())
        }
        _ => Ok(()),
    }
}
