//! Azure's registry: what its own API says of images, and how it removes one tag.
//! <https://learn.microsoft.com/en-us/rest/api/containerregistry/manifests/get-list>

use reqwest::Method;
use serde::Deserialize;

use super::{
    Oci,
    call::{Api, Call},
    described::{Described, date},
    errors::{self, About, LOCKED},
    pages::{self, MOST},
};
use crate::{
    error::{Error, Kind, Result},
    image::Digest,
    store::{Hold, Image},
};

/// Of a repository without images, it names the repository alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    image_name: Option<String>,
    manifests: Option<Vec<Manifest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    digest: Digest,
    image_size: Option<i64>,
    created_time: Option<String>,
    last_update_time: Option<String>,
    architecture: Option<String>,
    os: Option<String>,
    media_type: Option<String>,
    config_media_type: Option<String>,
    tags: Option<Vec<String>>,
    changeable_attributes: Option<Attributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    delete_enabled: Option<bool>,
    write_enabled: Option<bool>,
}

impl Oci {
    /// One page of all manifests, tagged or not.
    pub(super) async fn list_acr(&self, query: &str) -> Result<Described> {
        let query = if query.is_empty() { format!("n={MOST}") } else { query.to_owned() };
        let call = self.call("GET manifests", About::Images, Method::GET, &format!("_manifests?{query}"));
        let call = Call { api: Api::Acr, ..call };
        let answer = self.opened.registry.call(&call).await?;
        let read: Answer =
            serde_json::from_slice(&answer.body).map_err(|error| errors::unreadable("its images", &answer, error))?;
        if read.image_name.is_none() && read.manifests.is_none() {
            return Err(errors::unreadable("its images", &answer, "it names no repository"));
        }
        let manifests = read.manifests.unwrap_or_default();
        let names: Vec<String> = manifests.iter().map(|manifest| manifest.digest.to_string()).collect();
        let next = pages::next(&answer, &format!("/acr/v1/{}", call.path), &names)?;
        Ok(Described { images: manifests.into_iter().map(Manifest::image).collect(), next })
    }

    /// The call that removes a tag.
    pub(super) fn untag_acr(&self, tag: &str) -> Call<'_> {
        let call = self.call("DELETE tag", About::DeleteTag, Method::DELETE, &format!("_tags/{tag}"));
        Call { api: Api::Acr, ..call }
    }
}

impl Manifest {
    fn image(self) -> Image {
        let locked = self.changeable_attributes.as_ref().and_then(Attributes::lock);
        let known = |text: Option<String>| text.filter(|text| !text.is_empty());
        Image {
            state: Some(if locked.is_some() { "locked" } else { "available" }.into()),
            hold: locked.map(|error| Hold::Refused(error.into())),
            tags: self.tags.unwrap_or_default(),
            // An index is said to have no size.
            bytes: self.image_size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
            pushed_at: date(self.created_time.as_deref()),
            updated_at: date(self.last_update_time.as_deref()),
            media_type: known(self.media_type),
            artifact_type: known(self.config_media_type),
            platform: known(self.os).zip(known(self.architecture)).map(|(os, cpu)| format!("{os}/{cpu}")),
            ..Image::of(self.digest)
        }
    }
}

impl Attributes {
    /// Why an image with these attributes is not deleted.
    /// <https://learn.microsoft.com/en-us/azure/container-registry/container-registry-image-lock>
    fn lock(&self) -> Option<Error> {
        let attribute = match (self.delete_enabled, self.write_enabled) {
            (Some(false), _) => "deleteEnabled",
            (_, Some(false)) => "writeEnabled",
            _ => return None,
        };
        let error = Error::new(Kind::Protected, format!("it is locked: its attribute {attribute} is false"))
            .code(LOCKED)
            .hint("unlock it first: `az acr repository update --delete-enabled true --write-enabled true`");
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_manifests_are_read_and_locks_are_holds() {
        let [zeros, ones, twos] = ["0", "1", "2"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let text = format!(
            r#"{{"registry":"x.azurecr.io","imageName":"app","manifests":[
            {{"digest":"{zeros}","imageSize":123,"createdTime":"2024-05-06T07:08:09.1234567Z",
              "lastUpdateTime":"2024-06-06T07:08:09Z","architecture":"amd64","os":"linux","mediaType":"m",
              "configMediaType":"c","tags":["v1","v2"],
              "changeableAttributes":{{"deleteEnabled":true,"writeEnabled":true,"newer":1}}}},
            {{"digest":"{ones}","imageSize":0,"createdTime":"never","architecture":"","os":"","tags":null,
              "changeableAttributes":{{"deleteEnabled":false}}}},
            {{"digest":"{twos}","imageSize":-1,"changeableAttributes":{{"writeEnabled":false}}}}]}}"#
        );
        let answer: Answer = serde_json::from_str(&text).unwrap();
        let images: Vec<Image> = answer.manifests.unwrap().into_iter().map(Manifest::image).collect();
        assert_eq!((images[0].bytes, images[0].tags.len(), &images[0].hold), (Some(123), 2, &None));
        assert_eq!(images[0].pushed_at.unwrap().timestamp(), 1_714_979_289);
        assert!(images[0].updated_at > images[0].pushed_at);
        assert_eq!(images[0].platform.as_deref(), Some("linux/amd64"));
        assert_eq!((images[1].bytes, images[1].pushed_at, &images[1].platform), (None, None, &None));
        for (image, attribute) in [(&images[1], "deleteEnabled"), (&images[2], "writeEnabled")] {
            let Some(Hold::Refused(error)) = &image.hold else { panic!("{image:?}") };
            assert!(error.message.contains(attribute) && error.kind == Kind::Protected, "{error}");
            assert_eq!(image.state.as_deref(), Some("locked"));
        }
        assert!(serde_json::from_str::<Answer>(r#"{"manifests":[{"digest":"sha256:1"}]}"#).is_err());
        assert!(serde_json::from_str::<Answer>(r#"{"imageName":"app"}"#).unwrap().manifests.is_none());
    }
}
