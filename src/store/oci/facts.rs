//! What a manifest and its configuration say about an image: size, platform, date of the build. They never change under a
//! digest, so each is read once a run.

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;

use crate::{
    image::{
        Digest,
        manifest::{self, Contents},
    },
    store::Image,
};

/// Reproducible builds say 1970 or 1980, which tells nothing.
/// <https://reproducible-builds.org/docs/source-date-epoch/>
const FIRST_YEAR: i32 = 2000;

/// Where a build's date may stand beside the configuration.
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
const CREATED: &str = "org.opencontainers.image.created";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub bytes: Option<u64>,
    pub media_type: Option<String>,
    pub artifact_type: Option<String>,
    pub subject: Option<Digest>,
    pub built_at: Option<DateTime<Utc>>,
    pub platform: Option<String>,
    /// The configuration of an image, if it may say more.
    pub config: Option<Digest>,
    /// The images of an index.
    pub children: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Config>,
    #[serde(default)]
    annotations: std::collections::HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    digest: String,
    media_type: String,
}

/// Configurations that say when and for which platform an image was built.
/// <https://github.com/opencontainers/image-spec/blob/main/media-types.md>
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Reads a manifest; `None` if it is not one.
pub fn of_manifest(bytes: &[u8]) -> Option<Facts> {
    let contents = manifest::contents(bytes).ok()?;
    let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
    let config = manifest.config;
    let own = u64::try_from(bytes.len()).ok()?;
    let (size, children) = match contents {
        Contents::Image(blobs) => (blobs.iter().map(|blob| blob.bytes).sum::<Option<u64>>(), Vec::new()),
        Contents::Index(children) => (None, children.into_iter().map(|child| child.digest).collect()),
    };
    let of_config = config.as_ref().map(|config| config.media_type.clone());
    Some(Facts {
        bytes: size.map(|size| size + own),
        media_type: manifest.media_type,
        artifact_type: manifest.artifact_type.or(of_config),
        subject: manifest::subject(bytes),
        built_at: manifest.annotations.get(CREATED).and_then(|text| date(text)),
        platform: None,
        config: config
            .filter(|config| CONFIGS.contains(&config.media_type.as_str()))
            .and_then(|config| config.digest.parse().ok()),
        children,
    })
}

/// Adds what a configuration says.
pub fn add_config(facts: &mut Facts, bytes: &[u8]) {
    #[derive(Deserialize)]
    struct Built {
        created: Option<String>,
        os: Option<String>,
        architecture: Option<String>,
    }
    let Ok(built) = serde_json::from_slice::<Built>(bytes) else { return };
    facts.built_at = built.created.as_deref().and_then(date).or(facts.built_at);
    facts.platform = built.os.zip(built.architecture).map(|(os, architecture)| format!("{os}/{architecture}"));
}

/// An index is as large as its images together, and as new as the newest of them.
pub fn add_children(facts: &mut Facts, own: u64, children: &[Option<Facts>]) {
    let sizes = children.iter().map(|child| child.as_ref()?.bytes).sum::<Option<u64>>();
    facts.bytes = sizes.map(|sizes| sizes + own);
    let newest = children.iter().flatten().filter_map(|child| child.built_at).max();
    facts.built_at = newest.or(facts.built_at);
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    built(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

/// The date of a build, or `None` if it cannot be right.
pub fn built(date: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (date.year() >= FIRST_YEAR && date <= Utc::now() + chrono::TimeDelta::days(1)).then_some(date)
}

impl Facts {
    /// Tells an image what it is.
    pub fn describe(&self, image: &mut Image) {
        image.bytes = image.bytes.or(self.bytes);
        image.media_type = image.media_type.take().or_else(|| self.media_type.clone());
        image.artifact_type = image.artifact_type.take().or_else(|| self.artifact_type.clone());
        image.subject = image.subject.take().or_else(|| self.subject.as_ref().map(Digest::to_string));
        image.built_at = image.built_at.or(self.built_at);
        image.platform = image.platform.take().or_else(|| self.platform.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn image(config: &str, more: &str) -> Vec<u8> {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{{"mediaType":"{config}","digest":"{DIGEST}","size":10}},
            "layers":[{{"mediaType":"l","digest":"{DIGEST}","size":300}}]{more}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn an_image_is_its_blobs_and_its_manifest() {
        let bytes = image(CONFIGS[0], "");
        let facts = of_manifest(&bytes).unwrap();
        assert_eq!(facts.bytes, Some(310 + bytes.len() as u64));
        assert_eq!(facts.config, Some(DIGEST.parse().unwrap()));
        assert_eq!(facts.artifact_type.as_deref(), Some(CONFIGS[0]));
        assert_eq!(of_manifest(b"{}"), None);
    }

    #[test]
    fn a_build_before_2000_or_in_the_future_has_no_date() {
        for (created, year) in [
            ("2024-05-06T07:08:09.123456789Z", Some(2024)),
            ("2024-05-06T07:08:09+02:00", Some(2024)),
            ("1970-01-01T00:00:00Z", None),
            ("1980-01-01T00:00:01Z", None),
            ("0001-01-01T00:00:00Z", None),
            ("2999-01-01T00:00:00Z", None),
            ("yesterday", None),
        ] {
            let mut facts = Facts::default();
            add_config(
                &mut facts,
                format!(r#"{{"created":"{created}","os":"linux","architecture":"arm64"}}"#).as_bytes(),
            );
            assert_eq!(facts.built_at.map(|date| date.year()), year, "{created}");
            assert_eq!(facts.platform.as_deref(), Some("linux/arm64"));
        }
    }

    #[test]
    fn an_artifact_says_its_date_in_an_annotation_and_has_no_configuration_to_read() {
        let more = format!(
            r#","annotations":{{"{CREATED}":"2024-01-02T00:00:00Z"}},"subject":{{"digest":"{DIGEST}","size":1}}"#
        );
        let facts = of_manifest(&image("application/vnd.oci.empty.v1+json", &more)).unwrap();
        assert_eq!(facts.built_at.unwrap().year(), 2024);
        assert_eq!((facts.config, facts.subject), (None, Some(DIGEST.parse().unwrap())));
    }

    #[test]
    fn an_index_is_as_large_as_its_images_if_all_are_known() {
        let child = |bytes| Some(Facts { bytes, ..Facts::default() });
        let mut facts = Facts::default();
        add_children(&mut facts, 5, &[child(Some(100)), child(Some(200))]);
        assert_eq!(facts.bytes, Some(305));
        add_children(&mut facts, 5, &[child(Some(100)), None]);
        assert_eq!(facts.bytes, None);
    }
}
