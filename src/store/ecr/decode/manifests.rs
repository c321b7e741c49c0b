//! What BatchGetImage says.

use aws_sdk_ecr::types::{Image as SdkImage, ImageFailure};

use super::{ByName, Each, asked_for, failed, named, only};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::Manifest,
};

/// The manifests of BatchGetImage, each checked against its digest. An image with several tags may come several times.
pub fn manifests(
    asked: &[ImageId],
    images: &[SdkImage],
    failures: &[ImageFailure],
    request: Option<&str>,
) -> Result<Each<ImageId, Manifest>> {
    let entries =
        images.iter().filter_map(SdkImage::image_id).chain(failures.iter().filter_map(ImageFailure::image_id));
    only(asked_for(asked), entries.map(named), request)?;
    let images = ByName::of(images.iter().filter_map(|image| Some((named(image.image_id()?), image))));
    let mut answers = Vec::with_capacity(asked.len());
    for id in asked {
        // Some registries answer a request for a tag and its digest with the digest alone.
        let by_digest = || id.digest().and_then(|digest| images.digest(digest));
        let image = id.tag().and_then(|tag| images.tag(tag)).or_else(by_digest);
        answers.extend(image.map(|image| (id.clone(), manifest(id, image, request))));
    }
    answers.extend(failed(asked, failures, request));
    Ok(answers)
}

fn manifest(asked: &ImageId, image: &SdkImage, request: Option<&str>) -> Result<Manifest> {
    let wrong = |kind, message: String| Err(Error::new(kind, message).request_id(request));
    let Some(text) = image.image_manifest() else {
        return wrong(Kind::Failed, "the service sent no manifest".into());
    };
    let named = image.image_id().and_then(|id| id.image_digest()).unwrap_or_default();
    let digest = Digest::sha256_of(text.as_bytes());
    if !digest.is(named) {
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

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::ImageIdentifier;

    use super::{
        super::tests::{digest, tag},
        *,
    };

    #[test]
    fn a_manifest_must_have_the_bytes_of_its_digest() {
        let text = "{\"layers\":[]}";
        let right = Digest::sha256_of(text.as_bytes());
        let sent = |digest: &Digest| {
            let id = ImageIdentifier::builder().image_tag("v1").image_digest(digest.to_string()).build();
            SdkImage::builder().image_id(id).image_manifest(text).build()
        };
        let asked = [tag("v1"), ImageId::Digest(right.clone()), ImageId::TagAt("v1".into(), digest('b'))];
        let good = manifests(&asked, &[sent(&right), sent(&right)], &[], None).unwrap();
        assert_eq!(good[0].1.as_ref().unwrap().bytes, text.as_bytes());
        assert_eq!(good[1].1.as_ref().unwrap().digest, right);
        assert_eq!(good[2].1.as_ref().unwrap_err().kind, Kind::Changed);
        let by_digest = ImageIdentifier::builder().image_digest(right.to_string()).build();
        let by_digest = SdkImage::builder().image_id(by_digest).image_manifest(text).build();
        let named = manifests(&[ImageId::TagAt("v1".into(), right.clone())], &[by_digest], &[], None).unwrap();
        assert_eq!(named[0].1.as_ref().unwrap().digest, right);
        let forged = manifests(&asked[..1], &[sent(&digest('b'))], &[], None).unwrap();
        assert_eq!(forged[0].1.as_ref().unwrap_err().kind, Kind::Failed);
        let stranger = manifests(&[ImageId::Digest(digest('c'))], &[sent(&right)], &[], None);
        assert_eq!(stranger.unwrap_err().kind, Kind::Unreadable);
    }
}
