//! PutImage: what must exist before a manifest, which tags are immutable, and what a push restores.

use globset::Glob;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    digest::Digest,
    identifier::{is_tag, show},
    manifest::Manifest,
    refusal::{Refusal, breaks, required},
    repository::{Mutability, Repository, Status},
    request::{Place, Request},
};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
const LONGEST_MANIFEST: usize = 4_194_304;
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST_IMAGES: usize = 100_000;
/// The same page.
const MOST_TAGS: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    image_manifest: Option<String>,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

pub fn put_image(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let now = request.now;
    let text = required(parameters.image_manifest, "imageManifest")?;
    if !(1..=LONGEST_MANIFEST).contains(&text.len()) {
        let rule = format!("Member must have length between 1 and {LONGEST_MANIFEST}");
        return Err(breaks("imageManifest", rule));
    }
    let tag = parameters.image_tag.as_deref();
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return Err(breaks("imageTag", format!("\"{tag}\" is not a tag")));
    }
    let repository = request.repository(&place)?;
    let manifest = Manifest::parse(&text, parameters.image_manifest_media_type.as_deref())
        .map_err(|why| breaks("ImageManifest", why))?;
    let digest = manifest.digest;
    if parameters.image_digest.is_some_and(|given| given != digest.to_string()) {
        return Err(Refusal::new(
            "ImageDigestDoesNotMatchException",
            format!("The specified image digest does not match the calculated image digest '{digest}'"),
        ));
    }
    check_overwriting(repository, &place, digest, tag)?;
    check_parts(repository, &place, &manifest)?;
    check_quotas(repository, digest, tag)?;
    let media_type = manifest.media_type.clone();
    repository.add(manifest, now);
    if let Some(tag) = tag {
        repository.set_tag(tag, digest);
    }
    let image = place.answer(json!({
        "imageId": show(Some(&digest.to_string()), tag),
        "imageManifest": text,
        "imageManifestMediaType": media_type,
    }));
    Ok(json!({"image": image}))
}

fn check_overwriting(repository: &Repository, place: &Place, digest: Digest, tag: Option<&str>) -> Result<(), Refusal> {
    let there = repository.image(&digest);
    let nothing_new = |tag: Option<&str>| {
        there.is_some_and(|image| image.status() == Status::Active && tag.is_none_or(|tag| image.tags.contains(tag)))
    };
    if nothing_new(tag) {
        let tag = tag.unwrap_or("null");
        return Err(Refusal::new(
            "ImageAlreadyExistsException",
            format!(
                "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{}' in registry with id '{}'",
                place.name, place.account
            ),
        ));
    }
    match tag {
        Some(tag) if repository.tag(tag).is_some_and(|on| on != digest) && !movable(repository, tag) => {
            Err(Refusal::new(
                "ImageTagAlreadyExistsException",
                format!(
                    "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag is immutable.",
                    place.name
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Whether the repository's rules let this tag go to another image.
pub fn movable(repository: &Repository, tag: &str) -> bool {
    let excluded = || {
        let matches =
            |pattern: &String| Glob::new(pattern).is_ok_and(|pattern| pattern.compile_matcher().is_match(tag));
        repository.exclusions.iter().any(matches)
    };
    match repository.mutability {
        Mutability::Mutable => true,
        Mutability::Immutable => false,
        Mutability::MutableWithExclusion => !excluded(),
        Mutability::ImmutableWithExclusion => excluded(),
    }
}

fn check_parts(repository: &Repository, place: &Place, manifest: &Manifest) -> Result<(), Refusal> {
    let list = |digests: Vec<Digest>| {
        let digests: Vec<_> = digests.iter().map(Digest::to_string).collect();
        digests.join(", ")
    };
    let children = manifest.children().iter().copied();
    let missing: Vec<_> = children.filter(|child| repository.image(child).is_none()).collect();
    if !missing.is_empty() {
        return Err(Refusal::new(
            "ReferencedImagesNotFoundException",
            format!(
                "Images with digests '[{}]' required for pushing image into {} do not exist",
                list(missing),
                place.in_words()
            ),
        ));
    }
    let blobs = manifest.blobs().map(|blob| blob.digest);
    let missing: Vec<_> = blobs.filter(|blob| repository.layer(blob).is_none()).collect();
    if !missing.is_empty() && !repository.takes_missing_layers {
        return Err(Refusal::new(
            "LayersNotFoundException",
            format!(
                "Layers with digests '[{}]' required for pushing image into {} do not exist",
                list(missing),
                place.in_words()
            ),
        ));
    }
    Ok(())
}

fn check_quotas(repository: &Repository, digest: Digest, tag: Option<&str>) -> Result<(), Refusal> {
    let exceeded =
        |what: &str, most: usize| Refusal::new("LimitExceededException", format!("{what} exceeds the quota of {most}"));
    match repository.image(&digest) {
        None if repository.len() >= MOST_IMAGES => Err(exceeded("The number of images in the repository", MOST_IMAGES)),
        Some(image) if tag.is_some() && image.tags.len() >= MOST_TAGS => {
            Err(exceeded("The number of tags of the image", MOST_TAGS))
        }
        _ => Ok(()),
    }
}
