//! How ECR's answers are read. Answers are matched by tag and digest, never by their order; what an answer does not
//! mention gets no answer here either. Pure.

use aws_sdk_ecr::types::{
    Image as SdkImage, ImageDetail, ImageFailure, ImageFailureCode, ImageIdentifier, Layer, LayerFailure,
    LayerFailureCode,
};
use aws_smithy_types::DateTime as SdkTime;
use chrono::{DateTime, Utc};

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Deletion, Image, LayerState, Manifest},
};

type Each<I, T> = Vec<(I, Result<T>)>;

/// What BatchDeleteImage did. The answer lists one entry a removed tag, each with its digest.
pub fn deleted(
    asked: &[ImageId],
    done: &[ImageIdentifier],
    failures: &[ImageFailure],
    request: Option<&str>,
) -> Each<ImageId, Deletion> {
    let mut answers = Vec::with_capacity(asked.len());
    for id in asked {
        let removed = match id {
            ImageId::Tag(tag) | ImageId::TagAt(tag, _) => {
                let entry = done.iter().find(|entry| entry.image_tag() == Some(tag));
                entry.and_then(|entry| entry.image_digest()?.parse().ok()).map(Deletion::Untagged)
            }
            ImageId::Digest(digest) => {
                let listed = done.iter().any(|entry| entry.image_digest() == Some(digest.as_str()));
                listed.then_some(Deletion::Deleted)
            }
            ImageId::Named(_) => None,
        };
        answers.extend(removed.map(|deletion| (id.clone(), Ok(deletion))));
    }
    answers.extend(failed(asked, failures, request));
    answers
}

/// The failures that an answer lists, each for the id that it names.
fn failed<T>(asked: &[ImageId], failures: &[ImageFailure], request: Option<&str>) -> Each<ImageId, T> {
    let mut answers = Vec::new();
    for failure in failures {
        let error = failure_of(failure, request);
        let named = |id: &&ImageId| match (failure.image_id(), id) {
            (Some(entry), ImageId::Tag(tag) | ImageId::TagAt(tag, _)) => entry.image_tag() == Some(tag),
            (Some(entry), ImageId::Digest(digest)) => {
                entry.image_tag().is_none() && entry.image_digest() == Some(digest.as_str())
            }
            _ => false,
        };
        answers.extend(asked.iter().filter(named).map(|id| (id.clone(), Err(error.clone()))));
    }
    answers
}

/// What one failure code means. Codes: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html>
fn failure_of(failure: &ImageFailure, request: Option<&str>) -> Error {
    use ImageFailureCode as Code;
    let (kind, hint) = match failure.failure_code() {
        Some(Code::ImageNotFound) => (Kind::NotFound, None),
        Some(Code::ImageTagDoesNotMatchDigest) => {
            (Kind::Changed, Some("the tag was moved meanwhile and was left alone; look again and decide again"))
        }
        Some(Code::ImageReferencedByManifestList) => {
            (Kind::InUse, Some("delete the index that needs it first, or together with it"))
        }
        Some(Code::InvalidImageDigest | Code::InvalidImageTag | Code::MissingDigestAndTag) => (Kind::Invalid, None),
        Some(Code::ImageInaccessible) => {
            (Kind::WrongState, Some("the image is archived or being restored; restore it first"))
        }
        Some(Code::KmsError) => {
            (Kind::Failed, Some("check that the repository's KMS key is enabled and may be used by this caller"))
        }
        Some(Code::UpstreamAccessDenied) => {
            (Kind::Failed, Some("check the credentials of the repository's pull-through cache rule"))
        }
        Some(Code::UpstreamTooManyRequests) => (Kind::Throttled, Some("the upstream registry throttles; try later")),
        Some(Code::UpstreamUnavailable) => (Kind::Unreachable, Some("the upstream registry is down; try later")),
        // Newer than this program: certainly not done, and for a reason that nobody here knows.
        _ => (Kind::Failed, None),
    };
    let code = failure.failure_code().map_or("UnknownFailure", ImageFailureCode::as_str);
    let message = failure.failure_reason().unwrap_or("the service gave no reason");
    let error = Error::new(kind, message).code(code).request_id(request);
    hint.map_or(error.clone(), |hint| error.hint(hint))
}

/// What DescribeImages says of each id.
pub fn described(asked: &[ImageId], details: &[ImageDetail], request: Option<&str>) -> Each<ImageId, Image> {
    let mut answers = Vec::with_capacity(asked.len());
    for id in asked {
        let detail = details.iter().find(|detail| match id {
            ImageId::Tag(tag) | ImageId::TagAt(tag, _) => detail.image_tags().contains(tag),
            ImageId::Digest(digest) => detail.image_digest() == Some(digest.as_str()),
            ImageId::Named(_) => false,
        });
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
    answers
}

/// One image's details. Without a digest it cannot be named, so such an answer is not understood.
pub fn image(detail: &ImageDetail, request: Option<&str>) -> Result<Image> {
    let digest = detail.image_digest().and_then(|digest| digest.parse::<Digest>().ok()).ok_or_else(|| {
        Error::new(Kind::Unreadable, "the service described an image without a digest").request_id(request)
    })?;
    let mut tags = detail.image_tags().to_vec();
    tags.sort_unstable();
    Ok(Image {
        id: Some(ImageId::Digest(digest.clone())),
        request_id: request.map(str::to_owned),
        state: detail.image_status().map(|status| status.as_str().to_ascii_lowercase()),
        digest: Some(digest.to_string()),
        tags,
        bytes: detail.image_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
        pushed_at: time(detail.image_pushed_at()),
        pulled_at: time(detail.last_recorded_pull_time()),
        archived_at: time(detail.last_archived_at()),
        media_type: detail.image_manifest_media_type().map(str::to_owned),
        artifact_type: detail.artifact_media_type().map(str::to_owned),
        subject: detail.subject_manifest_digest().map(str::to_owned),
        ..Image::default()
    })
}

/// The manifests of BatchGetImage, each checked against its digest. An image with several tags may come several times.
pub fn manifests(
    asked: &[ImageId],
    images: &[SdkImage],
    failures: &[ImageFailure],
    request: Option<&str>,
) -> Each<ImageId, Manifest> {
    let mut answers = Vec::with_capacity(asked.len());
    for id in asked {
        let image = images.iter().find(|image| {
            let Some(named) = image.image_id() else {
                return false;
            };
            match id {
                ImageId::Tag(tag) | ImageId::TagAt(tag, _) => named.image_tag() == Some(tag),
                ImageId::Digest(digest) => named.image_digest() == Some(digest.as_str()),
                ImageId::Named(_) => false,
            }
        });
        answers.extend(image.map(|image| (id.clone(), manifest(id, image, request))));
    }
    answers.extend(failed(asked, failures, request));
    answers
}

fn manifest(asked: &ImageId, image: &SdkImage, request: Option<&str>) -> Result<Manifest> {
    let wrong = |kind, message: String| Err(Error::new(kind, message).request_id(request));
    let Some(text) = image.image_manifest() else {
        return wrong(Kind::Failed, "the service sent no manifest".into());
    };
    let named = image.image_id().and_then(|id| id.image_digest()).unwrap_or_default();
    let digest = Digest::sha256_of(text.as_bytes());
    if digest.as_str() != named {
        return wrong(Kind::Failed, format!("the manifest's bytes have the digest {digest}, not {named}"));
    }
    if let ImageId::TagAt(tag, expected) = asked
        && *expected != digest
    {
        return wrong(Kind::Changed, format!("the tag {tag} points to {digest}, not to {expected}"));
    }
    let media_type = image.image_manifest_media_type().map(str::to_owned);
    Ok(Manifest { digest, media_type, bytes: text.as_bytes().to_vec() })
}

/// What BatchCheckLayerAvailability says of each layer.
pub fn layers(
    asked: &[Digest],
    layers: &[Layer],
    failures: &[LayerFailure],
    request: Option<&str>,
) -> Each<Digest, LayerState> {
    let mut answers = Vec::with_capacity(asked.len());
    for digest in asked {
        for layer in layers.iter().filter(|layer| layer.layer_digest() == Some(digest.as_str())) {
            let state = layer.layer_availability().map(|state| state.as_str().to_ascii_lowercase());
            let known = state.map(|state| LayerState {
                state,
                bytes: layer.layer_size().and_then(|bytes| u64::try_from(bytes).ok()),
                media_type: layer.media_type().map(str::to_owned),
            });
            answers.extend(known.map(|state| (digest.clone(), Ok(state))));
        }
        for failure in failures.iter().filter(|failure| failure.layer_digest() == Some(digest.as_str())) {
            let kind = match failure.failure_code() {
                Some(LayerFailureCode::MissingLayerDigest) => Kind::NotFound,
                Some(LayerFailureCode::InvalidLayerDigest) => Kind::Invalid,
                _ => Kind::Failed,
            };
            let code = failure.failure_code().map_or("UnknownFailure", LayerFailureCode::as_str);
            let message = failure.failure_reason().unwrap_or("the service gave no reason");
            answers.push((digest.clone(), Err(Error::new(kind, message).code(code).request_id(request))));
        }
    }
    answers
}

fn time(time: Option<&SdkTime>) -> Option<DateTime<Utc>> {
    // The service sends seconds as a floating number; what is finer than a millisecond is an artefact of that.
    DateTime::from_timestamp_millis(time?.to_millis().ok()?)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::{ImageStatus, LayerAvailability};

    use super::*;

    fn hex(of: char) -> String {
        format!("sha256:{}", String::from(of).repeat(64))
    }

    fn digest(of: char) -> Digest {
        hex(of).parse().unwrap()
    }

    fn tag(tag: &str) -> ImageId {
        ImageId::Tag(tag.into())
    }

    fn entry(tag: Option<&str>, digest: Option<char>) -> ImageIdentifier {
        ImageIdentifier::builder().set_image_tag(tag.map(str::to_owned)).set_image_digest(digest.map(hex)).build()
    }

    fn failure(entry: ImageIdentifier, code: &str) -> ImageFailure {
        ImageFailure::builder().image_id(entry).failure_code(ImageFailureCode::from(code)).failure_reason("why").build()
    }

    #[test]
    fn a_deletion_counts_for_exactly_what_the_answer_names() {
        let whole = ImageId::Digest(digest('a'));
        let pinned = ImageId::TagAt("v1".into(), digest('a'));
        let untagged = |of| Some(Deletion::Untagged(digest(of)));
        // What was asked, what the answer lists, what that means.
        let table = [
            (whole.clone(), vec![entry(None, Some('a'))], Some(Deletion::Deleted)),
            (whole.clone(), vec![entry(Some("v1"), Some('a')), entry(Some("v2"), Some('a'))], Some(Deletion::Deleted)),
            (whole.clone(), vec![entry(Some("v1"), Some('b'))], None),
            (whole, vec![], None),
            (tag("v1"), vec![entry(Some("v1"), Some('a'))], untagged('a')),
            // It took the tag from another image than the one that was seen: the engine compares.
            (pinned.clone(), vec![entry(Some("v1"), Some('b'))], untagged('b')),
            (tag("v1"), vec![entry(Some("v2"), Some('a'))], None),
            // Which image lost the tag is not said, so nothing is certain.
            (tag("v1"), vec![entry(Some("v1"), None)], None),
            (pinned, vec![entry(None, Some('a'))], None),
        ];
        for (asked, done, expected) in table {
            let answers = deleted(std::slice::from_ref(&asked), &done, &[], None);
            let expected: Vec<_> = expected.into_iter().map(|deletion| (asked.clone(), Ok(deletion))).collect();
            assert_eq!(answers, expected, "{asked:?} {done:?}");
        }
    }

    #[test]
    fn every_failure_code_has_its_meaning() {
        let table = [
            ("ImageNotFound", Kind::NotFound),
            ("ImageTagDoesNotMatchDigest", Kind::Changed),
            ("ImageReferencedByManifestList", Kind::InUse),
            ("InvalidImageDigest", Kind::Invalid),
            ("InvalidImageTag", Kind::Invalid),
            ("MissingDigestAndTag", Kind::Invalid),
            ("ImageInaccessible", Kind::WrongState),
            ("KmsError", Kind::Failed),
            ("UpstreamAccessDenied", Kind::Failed),
            ("UpstreamTooManyRequests", Kind::Throttled),
            ("UpstreamUnavailable", Kind::Unreachable),
            ("SomethingNewer", Kind::Failed),
        ];
        for (code, kind) in table {
            let answers = deleted(&[tag("v1")], &[], &[failure(entry(Some("v1"), None), code)], Some("r1"));
            let [(_, Err(error))] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
            assert_eq!((error.message.as_str(), error.request_id.as_deref()), ("why", Some("r1")));
        }
    }

    #[test]
    fn a_failure_is_told_to_the_id_that_it_names_and_to_no_other() {
        let asked = [tag("v1"), ImageId::Digest(digest('a')), ImageId::TagAt("v2".into(), digest('a'))];
        let named = |failure: ImageFailure| -> Vec<_> {
            deleted(&asked, &[], &[failure], None).into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(named(failure(entry(Some("v1"), None), "ImageNotFound")), [asked[0].clone()]);
        assert_eq!(named(failure(entry(None, Some('a')), "ImageNotFound")), [asked[1].clone()]);
        assert_eq!(named(failure(entry(Some("v2"), Some('a')), "ImageNotFound")), [asked[2].clone()]);
        assert_eq!(named(failure(entry(None, None), "MissingDigestAndTag")), []);
    }

    #[test]
    fn a_description_is_matched_by_tag_and_digest_and_a_pinned_tag_must_fit() {
        let detail = ImageDetail::builder()
            .image_digest(hex('a'))
            .image_tags("v2")
            .image_tags("v1")
            .image_size_in_bytes(42)
            .image_status(ImageStatus::Archived)
            .build();
        let asked = [
            tag("v1"),
            ImageId::Digest(digest('a')),
            ImageId::TagAt("v1".into(), digest('a')),
            ImageId::TagAt("v1".into(), digest('b')),
            tag("v3"),
        ];
        let answers = described(&asked, &[detail], Some("r1"));
        assert_eq!(answers.len(), 4, "nothing is said of v3");
        for (id, answer) in &answers[..3] {
            let image = answer.as_ref().unwrap();
            assert_eq!(image.tags, ["v1", "v2"], "{id:?}");
            assert_eq!((image.bytes, image.state.as_deref()), (Some(42), Some("archived")));
        }
        assert_eq!(answers[3].1.as_ref().unwrap_err().kind, Kind::Changed);
    }

    #[test]
    fn an_image_that_cannot_be_named_is_no_image() {
        let error = image(&ImageDetail::builder().image_tags("v1").build(), None).unwrap_err();
        assert_eq!(error.kind, Kind::Unreadable);
    }

    #[test]
    fn a_manifest_is_handed_on_only_with_the_bytes_of_its_digest() {
        let text = "{\"layers\":[]}";
        let right = Digest::sha256_of(text.as_bytes());
        let sent = |digest: &Digest| {
            let id = ImageIdentifier::builder().image_tag("v1").image_digest(digest.as_str()).build();
            SdkImage::builder().image_id(id).image_manifest(text).build()
        };
        let asked = [tag("v1"), ImageId::Digest(right.clone()), ImageId::TagAt("v1".into(), digest('b'))];
        let good = manifests(&asked, &[sent(&right), sent(&right)], &[], None);
        assert_eq!(good[0].1.as_ref().unwrap().bytes, text.as_bytes());
        assert_eq!(good[1].1.as_ref().unwrap().digest, right);
        assert_eq!(good[2].1.as_ref().unwrap_err().kind, Kind::Changed);
        let forged = manifests(&asked[..1], &[sent(&digest('b'))], &[], None);
        assert_eq!(forged[0].1.as_ref().unwrap_err().kind, Kind::Failed);
    }

    #[test]
    fn a_layer_is_what_the_answer_says_and_both_shapes_of_missing_are_told() {
        let layer = |of, state| Layer::builder().layer_digest(hex(of)).layer_availability(state).build();
        let failed = |of, code: &str| {
            LayerFailure::builder().layer_digest(hex(of)).failure_code(LayerFailureCode::from(code)).build()
        };
        let asked = ['a', 'b', 'c', 'd', 'e', 'f'].map(digest);
        let there = [
            layer('c', LayerAvailability::Archived),
            layer('a', LayerAvailability::Available),
            layer('b', LayerAvailability::Unavailable),
        ];
        let answers =
            layers(&asked, &there, &[failed('d', "MissingLayerDigest"), failed('e', "InvalidLayerDigest")], None);
        let words: Vec<_> = answers
            .iter()
            .map(|(_, answer)| match answer {
                Ok(layer) => layer.state.clone(),
                Err(error) => format!("{:?}", error.kind),
            })
            .collect();
        assert_eq!(words, ["available", "unavailable", "archived", "NotFound", "Invalid"], "and nothing of the last");
    }
}
