//! Harbor: what its own API says of images, and how it removes one tag.
//! <https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml>

use reqwest::Method;
use serde::Deserialize;

use super::{
    Oci,
    call::{Api, Call},
    described::{Described, built_at, date},
    errors::{self, About},
};
use crate::{
    error::{Error, Kind, Result},
    image::Digest,
    store::Image,
};

/// The most that the documents allow on a page.
const PAGE: usize = 100;

/// All images, also those that only an index holds; in the order in which they came, so that a push does not move them
/// between pages.
const ALL: &str = "q=base%3D*&sort=id&with_tag=true&with_accessory=true";

#[derive(Deserialize)]
struct Artifact {
    digest: Digest,
    size: Option<i64>,
    artifact_type: Option<String>,
    media_type: Option<String>,
    manifest_media_type: Option<String>,
    push_time: Option<String>,
    pull_time: Option<String>,
    tags: Option<Vec<Tag>>,
    accessories: Option<Vec<Accessory>>,
    extra_attrs: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    push_time: Option<String>,
    pull_time: Option<String>,
}

/// A signature or another referrer, which is listed only with its subject.
#[derive(Deserialize)]
struct Accessory {
    digest: Digest,
    size: Option<i64>,
    creation_time: Option<String>,
}

impl Oci {
    /// One page of all images, tagged or not, with their signatures.
    pub(super) async fn list_harbor(&self, page: &str) -> Result<Described> {
        let page: usize = page.parse().unwrap_or(1);
        let path = self.in_harbor(&format!("?page={page}&page_size={PAGE}&{ALL}"))?;
        let call = Call::new("GET artifacts", About::Images, Method::GET, &self.store.name, path);
        let answer = self.opened.registry.call(&Call { api: Api::Harbor, ..call }).await?;
        let artifacts: Option<Vec<Artifact>> =
            serde_json::from_slice(&answer.body).map_err(|error| errors::unreadable("its images", &answer, error))?;
        let artifacts = artifacts.unwrap_or_default();
        let total = answer.header("x-total-count").and_then(|total| total.parse::<usize>().ok());
        let more = match total {
            Some(total) => page * PAGE < total,
            None => artifacts.len() >= PAGE,
        };
        let next = more.then(|| (page + 1).to_string());
        Ok(Described { images: artifacts.into_iter().flat_map(Artifact::images).collect(), next })
    }

    /// The call that removes a tag, if it points to this image.
    pub(super) fn untag_harbor(&self, tag: &str, digest: &Digest) -> Result<Call<'_>> {
        let path = self.in_harbor(&format!("/{digest}/tags/{tag}"))?;
        let call = Call::new("DELETE tag", About::DeleteTag, Method::DELETE, &self.store.name, path);
        Ok(Call { api: Api::Harbor, ..call })
    }

    /// The path of the repository's images, and what follows it. A slash in the name within the project is encoded twice.
    fn in_harbor(&self, rest: &str) -> Result<String> {
        let (project, name) =
            self.store.name.split_once('/').ok_or_else(|| {
                Error::new(Kind::NoStore, "Harbor's repositories are in a project: PROJECT/REPOSITORY")
            })?;
        Ok(format!("projects/{project}/repositories/{}/artifacts{rest}", name.replace('/', "%252F")))
    }
}

impl Artifact {
    /// The image, and what is attached to it.
    fn images(self) -> Vec<Image> {
        let tags = self.tags.unwrap_or_default();
        let newest = |of: fn(&Tag) -> Option<&str>| tags.iter().filter_map(|tag| date(of(tag))).max();
        let known = |text: Option<String>| text.filter(|text| !text.is_empty());
        let extra = self.extra_attrs.unwrap_or_default();
        let attribute = |name: &str| extra[name].as_str().filter(|text| !text.is_empty());
        let image = Image {
            bytes: bytes(self.size),
            pushed_at: date(self.push_time.as_deref()),
            updated_at: newest(|tag| tag.push_time.as_deref()),
            pulled_at: date(self.pull_time.as_deref()).max(newest(|tag| tag.pull_time.as_deref())),
            built_at: built_at(attribute("created")),
            media_type: known(self.manifest_media_type),
            artifact_type: known(self.artifact_type).or_else(|| known(self.media_type)),
            platform: attribute("os").zip(attribute("architecture")).map(|(os, cpu)| format!("{os}/{cpu}")),
            tags: tags.into_iter().map(|tag| tag.name).collect(),
            ..Image::available(self.digest)
        };
        let subject = image.digest.clone();
        let attached = self.accessories.into_iter().flatten().map(|accessory| Image {
            bytes: bytes(accessory.size),
            pushed_at: date(accessory.creation_time.as_deref()),
            subject: subject.clone(),
            ..Image::available(accessory.digest)
        });
        let attached: Vec<Image> = attached.collect();
        std::iter::once(image).chain(attached).collect()
    }
}

fn bytes(size: Option<i64>) -> Option<u64> {
    size.and_then(|size| u64::try_from(size).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_artifacts_are_read_with_what_is_attached_to_them() {
        let [zeros, ones, twos] = ["0", "1", "2"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let text = format!(
            r#"[{{"id":7,"digest":"{zeros}","size":123,"media_type":"c","manifest_media_type":"m","artifact_type":"",
            "push_time":"2024-05-06T07:08:09.123Z","pull_time":"0001-01-01T00:00:00.000Z",
            "extra_attrs":{{"created":"1970-01-01T00:00:00Z","os":"linux","architecture":"arm64","config":{{}}}},
            "tags":[{{"name":"v1","push_time":"2024-06-06T00:00:00.000Z","pull_time":"2024-07-01T00:00:00.000Z"}},
                    {{"name":"v2","push_time":"2024-05-07T00:00:00.000Z","pull_time":"0001-01-01T00:00:00.000Z"}}],
            "accessories":[{{"digest":"{twos}","size":9,"type":"signature.cosign","creation_time":"2024-05-08T00:00:00Z"}}]}},
            {{"digest":"{ones}","size":-1,"push_time":"","tags":null,"accessories":null,"extra_attrs":null}}]"#
        );
        let artifacts: Vec<Artifact> = serde_json::from_str(&text).unwrap();
        let images: Vec<Image> = artifacts.into_iter().flat_map(Artifact::images).collect();
        let [first, attached, second] = images.as_slice() else { panic!("{images:?}") };
        assert_eq!((first.bytes, first.tags.as_slice()), (Some(123), &["v1".to_owned(), "v2".to_owned()][..]));
        assert_eq!(first.pushed_at.unwrap().to_rfc3339(), "2024-05-06T07:08:09.123+00:00");
        assert_eq!(first.updated_at.unwrap().to_rfc3339(), "2024-06-06T00:00:00+00:00");
        assert_eq!(first.pulled_at.unwrap().to_rfc3339(), "2024-07-01T00:00:00+00:00");
        assert_eq!((first.built_at, first.platform.as_deref()), (None, Some("linux/arm64")));
        assert_eq!((first.media_type.as_deref(), first.artifact_type.as_deref()), (Some("m"), Some("c")));
        assert_eq!((attached.subject.as_ref(), attached.bytes), (Some(&zeros), Some(9)));
        assert_eq!((second.bytes, second.pushed_at, second.pulled_at), (None, None, None));
        assert!(second.tags.is_empty() && second.updated_at.is_none());
        assert!(serde_json::from_str::<Vec<Artifact>>(r#"[{"digest":"latest"}]"#).is_err());
    }
}
