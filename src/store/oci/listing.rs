//! What a listing of tags says. Google's registries add every manifest to it, also those without a tag.
//! <https://github.com/google/go-containerregistry/blob/main/pkg/v1/google/list.go>

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{super::plausible, facts::built};
use crate::{
    image::{Digest, ImageId},
    store::Image,
};

/// The answer to a list of tags or of repositories; a repository without tags has none.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Listing {
    #[serde(alias = "repositories")]
    pub tags: Option<Vec<String>>,
    manifest: Option<BTreeMap<Digest, Listed>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    image_size_bytes: Option<String>,
    media_type: Option<String>,
    time_created_ms: Option<String>,
    time_uploaded_ms: Option<String>,
    #[serde(default)]
    tag: Vec<String>,
}

impl Listing {
    pub fn names(&self) -> &[String] {
        self.tags.as_deref().unwrap_or_default()
    }

    /// Whether it describes images, also if there are none.
    pub fn describes(&self) -> bool {
        self.manifest.is_some()
    }

    /// Images where the listing describes them, names alone where it does not.
    pub fn images(self) -> Vec<Image> {
        let manifests = self.manifest.unwrap_or_default();
        let told: HashSet<&String> = manifests.values().flat_map(|listed| &listed.tag).collect();
        let open = self.tags.iter().flatten().filter(|tag| !told.contains(tag)).cloned();
        let name = |tag: String| Image { id: Some(ImageId::Tag(tag.clone())), tags: vec![tag], ..Image::default() };
        let names: Vec<Image> = open.map(name).collect();
        manifests.into_iter().map(|(digest, listed)| listed.image(digest)).chain(names).collect()
    }
}

impl Listed {
    fn image(self, digest: Digest) -> Image {
        let date = |text: Option<String>| DateTime::<Utc>::from_timestamp_millis(text?.parse().ok()?);
        Image {
            tags: self.tag,
            bytes: self.image_size_bytes.and_then(|text| text.parse().ok()),
            media_type: self.media_type.filter(|kind| !kind.is_empty()),
            pushed_at: date(self.time_uploaded_ms).and_then(plausible),
            built_at: date(self.time_created_ms).and_then(built),
            ..Image::available(digest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_listing_has_every_manifest_and_others_have_names() {
        let zeros = format!("sha256:{}", "0".repeat(64));
        let ones = format!("sha256:{}", "1".repeat(64));
        let text = format!(
            r#"{{"child":["sub"],"name":"p/r/app","tags":["v1","late"],"manifest":{{
            "{zeros}":{{"imageSizeBytes":"123","mediaType":"m","timeCreatedMs":"0","timeUploadedMs":"1715000000000","tag":["v1"]}},
            "{ones}":{{"imageSizeBytes":"5","mediaType":"","timeCreatedMs":"1715000000000","timeUploadedMs":"1","tag":[]}}}}}}"#
        );
        let images = serde_json::from_str::<Listing>(&text).unwrap().images();
        assert_eq!(images.len(), 3);
        assert_eq!((images[0].bytes, images[0].tags.as_slice()), (Some(123), &["v1".to_owned()][..]));
        assert_eq!(images[0].pushed_at.map(|at| at.timestamp()), Some(1_715_000_000));
        // 1970 is neither a push nor a build.
        assert_eq!((images[0].built_at, images[1].pushed_at), (None, None));
        assert!(images[1].built_at.is_some() && images[1].tags.is_empty());
        assert_eq!(images[2].id, Some(ImageId::Tag("late".into())));
        let plain: Listing = serde_json::from_str(r#"{"name":"app","tags":null}"#).unwrap();
        assert!(plain.images().is_empty());
    }
}
