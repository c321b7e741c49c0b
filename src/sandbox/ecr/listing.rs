//! ListImages, DescribeImages and ListImageReferrers: what is there, page by page or by id.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    digest::{Digest, well_formed},
    identifier::{Identifier, show},
    paging::{self, Entry},
    refusal::{Refusal, breaks, invalid, page_size, required},
    repository::{Image, Repository, Status},
    request::{Place, Request, seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    image_ids: Option<Vec<Identifier>>,
    next_token: Option<String>,
    max_results: Option<i64>,
    #[serde(default)]
    filter: Filter,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    tag_status: Option<String>,
    image_status: Option<String>,
}

/// A filter that has been checked.
struct Wanted {
    tagged: Option<bool>,
    status: Option<Status>,
}

impl Filter {
    fn read(&self) -> Result<Wanted, Refusal> {
        let tagged = match self.tag_status.as_deref() {
            None | Some("ANY") => None,
            Some("TAGGED") => Some(true),
            Some("UNTAGGED") => Some(false),
            Some(_) => {
                return Err(breaks("filter.tagStatus", "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]"));
            }
        };
        let status = read_status(self.image_status.as_deref(), "filter.imageStatus")?;
        Ok(Wanted { tagged, status })
    }

    /// What a token of this listing is bound to.
    fn listing(&self, operation: &str, place: &Place) -> String {
        format!("{operation} {} {:?} {:?}", place.arn(), self.tag_status, self.image_status)
    }
}

/// Without a filter, only what can be pulled.
fn read_status(word: Option<&str>, parameter: &str) -> Result<Option<Status>, Refusal> {
    match word {
        Some("ANY") => Ok(None),
        None | Some("ACTIVE") => Ok(Some(Status::Active)),
        Some("ARCHIVED") => Ok(Some(Status::Archived)),
        Some("ACTIVATING") => Ok(Some(Status::Activating)),
        Some(_) => Err(breaks(parameter, "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]")),
    }
}

impl Wanted {
    fn state(&self, image: &Image) -> bool {
        self.status.is_none_or(|status| status == image.status())
    }

    fn tags(&self, image: &Image) -> bool {
        self.tagged.is_none_or(|tagged| tagged != image.tags.is_empty())
    }
}

pub fn list_images(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let wanted = parameters.filter.read()?;
    let size = page_size(parameters.max_results, 100, 1000)?;
    let quirks = request.quirks;
    let repository = request.repository(&place)?;
    let listing = parameters.filter.listing("ListImages", &place);
    let after = paging::after(parameters.next_token, &listing)?;
    let start = after.as_ref().and_then(|key| key.split(' ').next()?.parse().ok());
    // One entry a tag, and one for an image without any.
    let entries = repository.images_from(start).flat_map(|image| {
        let digest = image.manifest.digest.to_string();
        let shown = wanted.state(image) && wanted.tags(image);
        let none = image.tags.is_empty().then_some(None);
        let tags = image.tags.iter().map(|tag| Some(tag.as_str()));
        tags.chain(none).map(move |tag| Entry {
            key: format!("{digest} {}", tag.unwrap_or_default()),
            shown: shown.then(|| show(Some(&digest), tag)),
        })
    });
    let entries = entries.filter(|entry| after.as_ref().is_none_or(|after| entry.key > *after));
    let (ids, next) = paging::page(entries, size, &listing, quirks);
    Ok(paging::answer(json!({"imageIds": ids}), next))
}

pub fn describe_images(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let wanted = parameters.filter.read()?;
    let quirks = request.quirks;
    if let Some(ids) = parameters.image_ids {
        if parameters.next_token.is_some() || parameters.max_results.is_some() {
            return Err(invalid("nextToken and maxResults cannot be used with imageIds"));
        }
        let ids = Identifier::list(Some(ids))?;
        return describe_ids(request.repository(&place)?, &place, &ids, &wanted);
    }
    let size = page_size(parameters.max_results, 100, 1000)?;
    let repository = request.repository(&place)?;
    let listing = parameters.filter.listing("DescribeImages", &place);
    let after = paging::after(parameters.next_token, &listing)?;
    let after: Option<Digest> = after.and_then(|key| key.parse().ok());
    let entries = repository.images_from(after).filter(|image| after != Some(image.manifest.digest)).map(|image| {
        let shown = wanted.state(image) && wanted.tags(image);
        Entry { key: image.manifest.digest.to_string(), shown: shown.then(|| describe(repository, &place, image)) }
    });
    let (details, next) = paging::page(entries, size, &listing, quirks);
    Ok(paging::answer(json!({"imageDetails": details}), next))
}

/// One id that names nothing fails them all.
fn describe_ids(repository: &Repository, place: &Place, ids: &[Identifier], wanted: &Wanted) -> Result<Value, Refusal> {
    let mut digests = BTreeSet::new();
    for id in ids {
        let found = match id.resolve(repository) {
            Ok(digest) => repository.image(&digest).filter(|image| wanted.state(image)),
            Err(failure) if matches!(failure.code, "ImageNotFound" | "ImageTagDoesNotMatchDigest") => None,
            Err(failure) => return Err(invalid(failure.reason)),
        };
        let image = found.ok_or_else(|| id.absent(place))?;
        if wanted.tags(image) {
            digests.insert(image.manifest.digest);
        }
    }
    let images = digests.iter().filter_map(|digest| repository.image(digest));
    let details: Vec<_> = images.map(|image| describe(repository, place, image)).collect();
    Ok(json!({"imageDetails": details}))
}

fn describe(repository: &Repository, place: &Place, image: &Image) -> Value {
    let manifest = &image.manifest;
    let mut detail = json!({
        "imageDigest": manifest.digest,
        "imageSizeInBytes": repository.size(image),
        "imagePushedAt": seconds(image.pushed_at),
        "imageManifestMediaType": manifest.media_type,
        "imageStatus": image.status(),
    });
    let times = [
        ("lastRecordedPullTime", image.pulled_at),
        ("lastArchivedAt", image.archived_at),
        ("lastActivatedAt", image.activated_at),
    ];
    for (name, time) in times.into_iter().filter_map(|(name, time)| Some((name, time?))) {
        detail[name] = seconds(time);
    }
    if !image.tags.is_empty() {
        detail["imageTags"] = image.tags.iter().cloned().collect();
    }
    if let Some(media_type) = manifest.artifact_media_type() {
        detail["artifactMediaType"] = media_type.as_ref().into();
    }
    if let Some(subject) = manifest.subject {
        detail["subjectManifestDigest"] = subject.to_string().into();
    }
    place.answer(detail)
}

pub fn list_image_referrers(mut request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        subject_id: Option<Identifier>,
        #[serde(default)]
        filter: Filter,
        next_token: Option<String>,
        max_results: Option<i64>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Filter {
        #[serde(default)]
        artifact_types: Vec<String>,
        artifact_status: Option<String>,
    }
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let subject = required(parameters.subject_id, "subjectId")?;
    let subject = required(subject.image_digest, "subjectId.imageDigest")?;
    if !well_formed(&subject) {
        return Err(breaks(
            "subjectId.imageDigest",
            "image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ));
    }
    let Filter { artifact_types, artifact_status } = parameters.filter;
    if artifact_types.len() > 5 {
        return Err(breaks("filter.artifactTypes", "Member must have length less than or equal to 5"));
    }
    let status = read_status(artifact_status.as_deref(), "filter.artifactStatus")?;
    let size = page_size(parameters.max_results, 20, 50)?;
    let quirks = request.quirks;
    let repository = request.repository(&place)?;
    let listing = format!("ListImageReferrers {} {subject} {artifact_types:?} {artifact_status:?}", place.arn());
    let after = paging::after(parameters.next_token, &listing)?;
    let subject = subject.parse::<Digest>().ok();
    let entries = subject.iter().flat_map(|subject| repository.referrers(subject)).map(|image| {
        let manifest = &image.manifest;
        let artifact_type = manifest.artifact_media_type();
        let shown = status.is_none_or(|status| status == image.status())
            && (artifact_types.is_empty()
                || artifact_type.is_some_and(|is| artifact_types.iter().any(|wanted| wanted == is)));
        Entry {
            key: manifest.digest.to_string(),
            shown: shown.then(|| {
                let mut referrer = json!({
                    "digest": manifest.digest,
                    "mediaType": manifest.media_type,
                    "artifactType": artifact_type,
                    "size": manifest.size(),
                    "artifactStatus": image.status(),
                });
                if let Some(annotations) = manifest.annotations() {
                    referrer["annotations"] = annotations;
                }
                referrer
            }),
        }
    });
    let entries = entries.filter(|entry| after.as_ref().is_none_or(|after| entry.key > *after));
    let (referrers, next) = paging::page(entries, size, &listing, quirks);
    Ok(paging::answer(json!({"referrers": referrers}), next))
}
