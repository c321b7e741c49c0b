//! What DescribeImages says.

use aws_sdk_ecr::types::{ImageDetail, ImageStatus};
use aws_smithy_types::DateTime as SdkTime;
use chrono::{DateTime, Utc};

use super::{ByName, Each, asked_for, only};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Hold, Image, Storage, plausible},
};

/// What DescribeImages says of each id.
pub fn described<'d>(
    asked: &[ImageId],
    details: &'d [ImageDetail],
    request: Option<&str>,
) -> Result<Each<ImageId, Image>> {
    let named = |detail: &'d ImageDetail| {
        let digest = detail.image_digest();
        detail.image_tags().iter().map(move |tag| (Some(&**tag), digest)).chain([(None, digest)])
    };
    only(asked_for(asked), details.iter().flat_map(named), request)?;
    let details = ByName::of(details.iter().flat_map(|detail| named(detail).map(move |name| (name, detail))));
    let mut answers = Vec::with_capacity(asked.len());
    for id in asked {
        let detail = match id {
            ImageId::Tag(tag) | ImageId::TagAt(tag, _) => details.tag(tag),
            ImageId::Digest(digest) => details.digest(digest),
            ImageId::Named(_) => None,
        };
        let Some(detail) = detail else { continue };
        let image = image(detail, request).and_then(|image| match (id, image.digest()) {
            (ImageId::TagAt(tag, expected), Some(is)) if is != *expected => {
                let message = format!("the tag {tag} points to {is}, not to {expected}");
                Err(Error::new(Kind::Changed, message).code("ImageTagDoesNotMatchDigest").request_id(request))
            }
            _ => Ok(image),
        });
        answers.push((id.clone(), image));
    }
    Ok(answers)
}

/// One image's details. imgctl needs a digest to name the image, so an answer without one is unreadable.
pub fn image(detail: &ImageDetail, request: Option<&str>) -> Result<Image> {
    let digest = detail.image_digest().and_then(|digest| digest.parse::<Digest>().ok()).ok_or_else(|| {
        Error::new(Kind::Unreadable, "the service described an image without a digest").request_id(request)
    })?;
    let mut tags = detail.image_tags().to_vec();
    tags.sort_unstable();
    Ok(Image {
        id: Some(ImageId::Digest(digest.clone())),
        request_id: request.map(str::to_owned),
        hold: detail.image_status().and_then(unsure),
        storage: match detail.image_status() {
            Some(ImageStatus::Archived) => Storage::Archived,
            Some(ImageStatus::Activating) => Storage::Activating,
            _ => Storage::Standard,
        },
        state: detail.image_status().map(|status| status.as_str().to_ascii_lowercase()),
        digest: Some(digest.to_string()),
        tags,
        bytes: detail.image_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
        pushed_at: time(detail.image_pushed_at()),
        pulled_at: time(detail.last_recorded_pull_time()),
        archived_at: time(detail.last_archived_at()),
        activated_at: time(detail.last_activated_at()),
        media_type: detail.image_manifest_media_type().map(str::to_owned),
        artifact_type: detail.artifact_media_type().map(str::to_owned),
        subject: detail.subject_manifest_digest().map(str::to_owned),
        ..Image::default()
    })
}

fn unsure(status: &ImageStatus) -> Option<Hold> {
    let known = [ImageStatus::Active, ImageStatus::Archived, ImageStatus::Activating];
    (!known.contains(status)).then_some(Hold::Unsure)
}

fn time(time: Option<&SdkTime>) -> Option<DateTime<Utc>> {
    // The service sends seconds as a floating number; what is finer than a millisecond is an artefact of that.
    plausible(DateTime::from_timestamp_millis(time?.to_millis().ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{digest, hex, tag},
        *,
    };

    #[test]
    fn a_description_is_matched_by_tag_and_digest_and_a_pinned_tag_must_fit() {
        let detail = ImageDetail::builder()
            .image_digest(hex('a'))
            .image_tags("v2")
            .image_tags("v1")
            .image_size_in_bytes(42)
            .image_status(ImageStatus::Archived)
            .build();
        let details = [detail];
        let asked = [
            tag("v1"),
            ImageId::Digest(digest('a')),
            ImageId::TagAt("v1".into(), digest('a')),
            ImageId::TagAt("v1".into(), digest('b')),
            tag("v3"),
        ];
        let answers = described(&asked, &details, Some("r1")).unwrap();
        assert_eq!(answers.len(), 4, "nothing is said of v3");
        for (id, answer) in &answers[..3] {
            let image = answer.as_ref().unwrap();
            assert_eq!(image.tags, ["v1", "v2"], "{id:?}");
            assert_eq!((image.bytes, image.state.as_deref()), (Some(42), Some("archived")));
            assert_eq!(image.storage, Storage::Archived);
        }
        assert_eq!(answers[3].1.as_ref().unwrap_err().kind, Kind::Changed);
        let stranger = [ImageDetail::builder().image_digest(hex('c')).image_tags("v9").build()];
        assert_eq!(described(&asked, &stranger, None).unwrap_err().kind, Kind::Unreadable);
    }

    #[test]
    fn a_push_time_that_cannot_be_right_is_unknown() {
        for (seconds, known) in [(-1, false), (1234, false), (1_700_000_000, true), (9_700_000_000, false)] {
            let pushed = SdkTime::from_secs(seconds);
            let detail = ImageDetail::builder().image_digest(hex('a')).image_pushed_at(pushed).build();
            assert_eq!(image(&detail, None).unwrap().pushed_at.is_some(), known, "{seconds}");
        }
    }

    #[test]
    fn an_image_without_a_digest_is_an_error() {
        let error = image(&ImageDetail::builder().image_tags("v1").build(), None).unwrap_err();
        assert_eq!(error.kind, Kind::Unreadable);
    }
}
