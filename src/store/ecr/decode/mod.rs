//! Reads ECR's answers. Items are matched by tag and digest, never by their order. An id that the answer does not
//! mention gets no answer here either.

mod images;
mod layers;
mod manifests;

use aws_sdk_ecr::types::{ImageFailure, ImageIdentifier};

pub use self::{
    images::{described, image},
    layers::layers,
    manifests::manifests,
};
use super::errors;
use crate::{error::Result, image::ImageId, store::Deletion};

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
        let error = errors::of_image(failure, request);
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

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::ImageFailureCode;

    use super::*;
    use crate::{error::Kind, image::Digest};

    pub fn hex(of: char) -> String {
        format!("sha256:{}", String::from(of).repeat(64))
    }

    pub fn digest(of: char) -> Digest {
        hex(of).parse().unwrap()
    }

    pub fn tag(tag: &str) -> ImageId {
        ImageId::Tag(tag.into())
    }

    fn entry(tag: Option<&str>, digest: Option<char>) -> ImageIdentifier {
        ImageIdentifier::builder().set_image_tag(tag.map(str::to_owned)).set_image_digest(digest.map(hex)).build()
    }

    fn failure(entry: ImageIdentifier, code: &str) -> ImageFailure {
        ImageFailure::builder().image_id(entry).failure_code(ImageFailureCode::from(code)).failure_reason("why").build()
    }

    #[test]
    fn a_broken_answer_is_read_or_refused() {
        use aws_sdk_ecr::operation::{
            batch_delete_image::{BatchDeleteImage, BatchDeleteImageOutput},
            describe_images::{DescribeImages, DescribeImagesOutput},
        };
        use aws_smithy_runtime_api::client::{
            interceptors::context::{Error, Output},
            orchestrator::{HttpResponse, OrchestratorError},
            runtime_plugin::RuntimePlugin,
            ser_de::{DeserializeResponse, SharedResponseDeserializer},
        };
        use aws_smithy_types::config_bag::ConfigBag;
        // What the SDK makes of a body, without a call.
        let sdk =
            |operation: &dyn RuntimePlugin, status: u16, body: &[u8]| -> Result<Output, OrchestratorError<Error>> {
                let layer = operation.config().expect("an operation has a configuration");
                let decoder = layer.load::<SharedResponseDeserializer>().expect("and a decoder");
                let answer = HttpResponse::new(status.try_into().unwrap(), body.to_vec().into());
                decoder.deserialize_nonstreaming_with_config(&answer, &ConfigBag::base())
            };
        let asked = [tag("v1"), ImageId::Digest(digest('a')), ImageId::TagAt("v1".into(), digest('a'))];
        let details = format!(
            r#"{{"nextToken":"t","imageDetails":[{{"registryId":"1","repositoryName":"app","imageDigest":"{}","imageTags":["v1"],
            "imageSizeInBytes":5,"imagePushedAt":1.7e9,"imageStatus":"ACTIVE","subjectManifestDigest":"{}"}}]}}"#,
            hex('a'),
            hex('b')
        );
        let done = format!(
            r#"{{"imageIds":[{{"imageDigest":"{}","imageTag":"v1"}}],"failures":[{{"imageId":{{"imageTag":"v2"}},
            "failureCode":"ImageNotFound","failureReason":"why"}}]}}"#,
            hex('a')
        );
        let error = r#"{"__type":"com.amazonaws#ImageNotFoundException","message":"why"}"#;
        crate::fuzz::each(&[&details, &done, error], |text| {
            let _ = sdk(&DescribeImages::new(), 400, text);
            if let Ok(output) = sdk(&DescribeImages::new(), 200, text) {
                let output = output.downcast::<DescribeImagesOutput>().expect("the output of the operation");
                drop(described(&asked, output.image_details(), None));
            }
            if let Ok(output) = sdk(&BatchDeleteImage::new(), 200, text) {
                let output = output.downcast::<BatchDeleteImageOutput>().expect("the output of the operation");
                drop(deleted(&asked, output.image_ids(), output.failures(), None));
            }
        });
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
            // The tag was removed from another image than expected; the engine compares.
            (pinned.clone(), vec![entry(Some("v1"), Some('b'))], untagged('b')),
            (tag("v1"), vec![entry(Some("v2"), Some('a'))], None),
            // Without the digest it is unknown which image lost the tag.
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
            ("UpstreamUnavailable", Kind::Failed),
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
    fn a_failure_is_for_exactly_the_id_that_it_names() {
        let asked = [tag("v1"), ImageId::Digest(digest('a')), ImageId::TagAt("v2".into(), digest('a'))];
        let named = |failure: ImageFailure| -> Vec<_> {
            deleted(&asked, &[], &[failure], None).into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(named(failure(entry(Some("v1"), None), "ImageNotFound")), [asked[0].clone()]);
        assert_eq!(named(failure(entry(None, Some('a')), "ImageNotFound")), [asked[1].clone()]);
        assert_eq!(named(failure(entry(Some("v2"), Some('a')), "ImageNotFound")), [asked[2].clone()]);
        assert_eq!(named(failure(entry(None, None), "MissingDigestAndTag")), []);
    }
}
