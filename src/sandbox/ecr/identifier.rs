//! How requests name images, and what is wrong with a name.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    digest::{Digest, well_formed},
    refusal::{Refusal, breaks, listed},
    repository::Repository,
    request::Place,
};

/// The most ids a call takes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>
const MOST: usize = 100;

/// An image as a request names it: by tag, by digest, or by both.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identifier {
    pub image_digest: Option<String>,
    pub image_tag: Option<String>,
}

/// Why one id failed, as an answer says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub code: &'static str,
    pub reason: String,
}

impl Failure {
    pub fn not_found() -> Self {
        Self::new("ImageNotFound", "Requested image not found")
    }

    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    pub fn show(&self, id: &Identifier) -> Value {
        json!({"imageId": id.show(), "failureCode": self.code, "failureReason": self.reason})
    }
}

impl Identifier {
    /// The ids of a request, as many and as long as the service model allows.
    pub fn list(ids: Option<Vec<Self>>) -> Result<Vec<Self>, Refusal> {
        let ids = listed(ids, "imageIds", MOST)?;
        for (number, id) in (1..).zip(&ids) {
            let length = id.image_tag.as_ref().map_or(1, |tag| tag.chars().count());
            if !(1..=300).contains(&length) {
                let parameter = format!("imageIds.{number}.member.imageTag");
                return Err(breaks(&parameter, "Member must have length between 1 and 300"));
            }
        }
        Ok(ids)
    }

    /// How a whole call is refused for an image that is not there.
    pub fn absent(&self, place: &Place) -> Refusal {
        let [digest, tag] = [&self.image_digest, &self.image_tag].map(|part| part.as_deref().unwrap_or("null"));
        let image = format!("{{imageDigest:'{digest}', imageTag:'{tag}'}}");
        let message = format!("The image with imageId {image} does not exist within {}", place.in_words());
        Refusal::new("ImageNotFoundException", message)
    }

    /// The id as it was given.
    pub fn show(&self) -> Value {
        show(self.image_digest.as_deref(), self.image_tag.as_deref())
    }

    /// The image that it names, whether or not that can be pulled.
    pub fn resolve(&self, repository: &Repository) -> Result<Digest, Failure> {
        let (digest, tag) = (self.image_digest.as_deref(), self.image_tag.as_deref());
        if digest.is_none() && tag.is_none() {
            let reason = "Invalid request parameters: both tag and digest cannot be null";
            return Err(Failure::new("MissingDigestAndTag", reason));
        }
        if digest.is_some_and(|digest| !well_formed(digest)) {
            let reason =
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
            return Err(Failure::new("InvalidImageDigest", reason));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            let reason = "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9_.-]*'";
            return Err(Failure::new("InvalidImageTag", reason));
        }
        let tagged = tag.map(|tag| repository.tag(tag).ok_or_else(Failure::not_found)).transpose()?;
        // Another algorithm than SHA-256 is well-formed, and never there.
        let wanted = digest.map(|digest| digest.parse::<Digest>().ok());
        match (tagged, wanted) {
            (Some(tagged), Some(wanted)) if Some(tagged) != wanted => Err(Failure::new(
                "ImageTagDoesNotMatchDigest",
                "Invalid request parameters: given tag does not map to the given digest",
            )),
            (Some(tagged), _) => Ok(tagged),
            (None, wanted) => {
                wanted.flatten().filter(|digest| repository.image(digest).is_some()).ok_or_else(Failure::not_found)
            }
        }
    }
}

pub fn show(digest: Option<&str>, tag: Option<&str>) -> Value {
    let mut id = json!({});
    let parts = [("imageDigest", digest), ("imageTag", tag)];
    for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part?))) {
        id[name] = part.into();
    }
    id
}

/// A tag, within the length that the API takes.
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 300
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}
