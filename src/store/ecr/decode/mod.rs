//! Reads ECR's answers. Items are matched by tag and digest, never by their order. An id that the answer does not
//! mention gets no answer here either.

mod images;
mod layers;
mod manifests;

use std::collections::{HashMap, HashSet};

use aws_sdk_ecr::types::{ImageFailure, ImageIdentifier};

pub use self::{
    images::{described, image},
    layers::layers,
    manifests::manifests,
};
use super::errors;
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::Deletion,
};

type Each<I, T> = Vec<(I, Result<T>)>;

/// The tag and the digest by which an answer names an image.
type Named<'e> = (Option<&'e str>, Option<&'e str>);

/// Refuses the answer to another call: one about an image that was not asked for. An answer to a tag names its digest
/// and may name other tags of that digest.
fn only<'e>(
    asked_for: impl Fn(Named) -> bool,
    entries: impl Iterator<Item = Named<'e>> + Clone,
    request: Option<&str>,
) -> Result<()> {
    let known: HashSet<&str> =
        entries.clone().filter(|entry| asked_for(*entry)).filter_map(|(_, digest)| digest).collect();
    let mut others = entries.filter(|entry| {
        !asked_for(*entry) && !entry.1.is_some_and(|digest| known.contains(digest)) && *entry != (None, None)
    });
    match others.next() {
        None => Ok(()),
        Some((tag, digest)) => {
            let name = digest.or(tag).unwrap_or_default();
            let message = format!("ECR's answer is about {name}, which was not asked for");
            Err(Error::new(Kind::Unreadable, message).request_id(request))
        }
    }
}

fn asked_for(asked: &[ImageId]) -> impl Fn(Named) -> bool {
    let tags: HashSet<&str> = asked.iter().filter_map(ImageId::tag).collect();
    let digests: HashSet<String> = asked.iter().filter_map(ImageId::digest).map(ToString::to_string).collect();
    move |(tag, digest)| {
        tag.is_some_and(|tag| tags.contains(tag)) || digest.is_some_and(|digest| digests.contains(digest))
    }
}

/// The entries of an answer by the names that they bear; of several with one name, the first. An answer has a hundred, and
/// a run a thousand answers.
struct ByName<'e, T> {
    tags: HashMap<&'e str, &'e T>,
    digests: HashMap<&'e str, &'e T>,
}

impl<'e, T> ByName<'e, T> {
    fn of(entries: impl Iterator<Item = (Named<'e>, &'e T)>) -> Self {
        let mut all = Self { tags: HashMap::new(), digests: HashMap::new() };
        for ((tag, digest), entry) in entries {
            tag.map(|tag| all.tags.entry(tag).or_insert(entry));
            digest.map(|digest| all.digests.entry(digest).or_insert(entry));
        }
        all
    }

    fn tag(&self, tag: &str) -> Option<&'e T> {
        self.tags.get(tag).copied()
    }

    fn digest(&self, digest: &Digest) -> Option<&'e T> {
        self.digests.get(&*digest.to_string()).copied()
    }
}

fn named(entry: &ImageIdentifier) -> Named<'_> {
    (entry.image_tag(), entry.image_digest())
}

/// What BatchDeleteImage did. The answer lists one entry a removed tag, each with its digest.
pub fn deleted(
    asked: &[ImageId],
    done: &[ImageIdentifier],
    failures: &[ImageFailure],
    request: Option<&str>,
) -> Result<Each<ImageId, Deletion>> {
    let entries = done.iter().chain(failures.iter().filter_map(ImageFailure::image_id));
    only(asked_for(asked), entries.map(named), request)?;
    let mut answers = Vec::with_capacity(asked.len());
    let done = ByName::of(done.iter().map(|entry| (named(entry), entry)));
    for id in asked {
        let removed = match id {
            ImageId::Tag(tag) | ImageId::TagAt(tag, _) => {
                done.tag(tag).and_then(|entry| entry.image_digest()?.parse().ok()).map(Deletion::Untagged)
            }
            ImageId::Digest(digest) => done.digest(digest).map(|_| Deletion::Deleted),
            ImageId::Named(_) => None,
        };
        answers.extend(removed.map(|deletion| (id.clone(), Ok(deletion))));
    }
    answers.extend(failed(asked, failures, request));
    Ok(answers)
}

/// The failures that an answer lists, each for the id that it names.
fn failed<T>(asked: &[ImageId], failures: &[ImageFailure], request: Option<&str>) -> Each<ImageId, T> {
    let mut ids: HashMap<(Option<&str>, Option<String>), Vec<&ImageId>> = HashMap::new();
    for id in asked.iter().filter(|_| !failures.is_empty()) {
        let digest = if id.tag().is_some() { None } else { id.digest().map(ToString::to_string) };
        ids.entry((id.tag(), digest)).or_default().push(id);
    }
    let mut answers = Vec::new();
    for failure in failures {
        let error = errors::of_image(failure, request);
        let (tag, digest) = failure.image_id().map(named).unwrap_or_default();
        let digest = if tag.is_some() { None } else { digest.map(str::to_owned) };
        let of = ids.get(&(tag, digest)).filter(|_| failure.image_id().is_some());
        answers.extend(of.into_iter().flatten().map(|id| ((*id).clone(), Err(error.clone()))));
    }
    answers
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::ImageFailureCode;

    use super::*;
    use crate::image::Digest;

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
            let answers = deleted(std::slice::from_ref(&asked), &done, &[], None).unwrap_or_default();
            let expected: Vec<_> = expected.into_iter().map(|deletion| (asked.clone(), Ok(deletion))).collect();
            assert_eq!(answers, expected, "{asked:?} {done:?}");
        }
    }

    #[test]
    fn an_answer_about_another_image_is_unreadable() {
        let whole = ImageId::Digest(digest('a'));
        let refused = |asked: &ImageId, done: &[ImageIdentifier], failures: &[ImageFailure]| {
            let answer = deleted(std::slice::from_ref(asked), done, failures, Some("r1"));
            answer.err().map(|error| (error.kind, error.request_id))
        };
        let unreadable = Some((Kind::Unreadable, Some("r1".to_owned())));
        for stranger in [entry(None, Some('b')), entry(Some("v9"), None), entry(Some("v9"), Some('b'))] {
            // Also beside what was asked for.
            let beside = [entry(None, Some('a')), stranger.clone()];
            assert_eq!(refused(&whole, &beside, &[]), unreadable, "{stranger:?}");
            assert_eq!(refused(&whole, &[], &[failure(stranger.clone(), "ImageNotFound")]), unreadable, "{stranger:?}");
        }
        // A tag's answer names the digest, and perhaps its other tags. A failure may name nothing.
        let other_tag = [entry(Some("v1"), Some('b')), entry(Some("v2"), Some('b'))];
        assert_eq!(refused(&tag("v1"), &other_tag, &[]), None);
        assert_eq!(refused(&whole, &[], &[failure(entry(None, None), "MissingDigestAndTag")]), None);
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
            let answers = deleted(&[tag("v1")], &[], &[failure(entry(Some("v1"), None), code)], Some("r1")).unwrap();
            let [(_, Err(error))] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
            assert_eq!((error.message.as_str(), error.request_id.as_deref()), ("why", Some("r1")));
        }
    }

    #[test]
    fn a_failure_is_for_exactly_the_id_that_it_names() {
        let asked = [tag("v1"), ImageId::Digest(digest('a')), ImageId::TagAt("v2".into(), digest('a'))];
        let named = |failure: ImageFailure| -> Vec<_> {
            deleted(&asked, &[], &[failure], None).unwrap().into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(named(failure(entry(Some("v1"), None), "ImageNotFound")), [asked[0].clone()]);
        assert_eq!(named(failure(entry(None, Some('a')), "ImageNotFound")), [asked[1].clone()]);
        assert_eq!(named(failure(entry(Some("v2"), Some('a')), "ImageNotFound")), [asked[2].clone()]);
        assert_eq!(named(failure(entry(None, None), "MissingDigestAndTag")), []);
    }
}
