//! Manifests: the exact bytes that were pushed, and what the registry reads in them. Manifests for worlds and tests
//! are written here too, in the shape that builders push.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::digest::Digest;

/// A media type; the usual ones cost no memory.
pub type MediaType = Cow<'static, str>;

pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A config or a layer, which is stored by digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    pub size: u64,
    pub media_type: MediaType,
}

/// What a manifest points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Image { config: Blob, layers: Box<[Blob]> },
    Index { children: Box<[Digest]> },
}

/// A manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub text: Box<str>,
    pub digest: Digest,
    pub media_type: MediaType,
    pub content: Content,
    pub subject: Option<Digest>,
    pub artifact_type: Option<MediaType>,
}

/// The parts of a manifest that the registry reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    /// Where a layer is that no registry keeps.
    #[serde(default)]
    urls: Vec<String>,
}

impl Manifest {
    /// Reads a pushed manifest. The media type that came with it stands in for one that is not written in it.
    pub fn parse(text: &str, declared: Option<&str>) -> Result<Self, String> {
        let parts: Parts = serde_json::from_str(text).map_err(|error| format!("Invalid JSON syntax: {error}"))?;
        if parts.schema_version != 2 {
            return Err("manifest schema version not supported".into());
        }
        let media_type = match (parts.media_type.as_deref(), declared) {
            (Some(written), Some(declared)) if written != declared => {
                return Err(format!("media type {written} in the manifest is not {declared}"));
            }
            (written, declared) => written.or(declared).ok_or("the manifest has no media type")?,
        };
        let content = match (media_type, parts.config, parts.layers, parts.manifests) {
            (DOCKER_MANIFEST | OCI_MANIFEST, Some(config), Some(layers), None) => {
                let held = layers.into_iter().filter(|layer| layer.urls.is_empty());
                Content::Image { config: config.into(), layers: held.map(Into::into).collect() }
            }
            (DOCKER_LIST | OCI_INDEX, None, None, Some(children)) => {
                Content::Index { children: children.into_iter().map(|child| child.digest).collect() }
            }
            (DOCKER_MANIFEST | OCI_MANIFEST | DOCKER_LIST | OCI_INDEX, ..) => {
                return Err(format!("the manifest does not have the parts of {media_type}"));
            }
            _ => return Err(format!("media type {media_type} not supported")),
        };
        Ok(Self {
            digest: Digest::of(text),
            text: text.into(),
            media_type: intern(media_type),
            content,
            subject: parts.subject.map(|subject| subject.digest),
            artifact_type: parts.artifact_type.as_deref().map(intern),
        })
    }

    /// An image of one platform. Its layers follow from the name.
    pub fn image(name: &str, layers: usize) -> Self {
        let layers = (0..layers).map(|layer| Blob::layer(&format!("{name}, layer {layer}")));
        Self::of_layers(name, layers.collect())
    }

    /// An image of one platform on these layers.
    pub fn of_layers(name: &str, layers: Vec<Blob>) -> Self {
        let config = Blob::named(&format!("{name}, config"), DOCKER_CONFIG, 2_000..9_000);
        Self::write(DOCKER_MANIFEST, config, layers, None, None)
    }

    /// A referrer of an image: a signature, an SBOM.
    pub fn attached(name: &str, artifact_type: &str, subject: &Self) -> Self {
        let config = Blob { digest: Digest::of("{}"), size: 2, media_type: OCI_EMPTY.into() };
        let content = Blob::named(name, artifact_type, 400..60_000);
        Self::write(OCI_MANIFEST, config, vec![content], Some(subject), Some(artifact_type))
    }

    /// A signature of the older kind: only its tag names the image.
    pub fn cosign(name: &str) -> Self {
        let config = Blob::named(&format!("{name}, config"), OCI_CONFIG, 200..300);
        let layer = "application/vnd.dev.cosign.simplesigning.v1+json";
        Self::write(OCI_MANIFEST, config, vec![Blob::named(name, layer, 230..260)], None, None)
    }

    /// An index over images, each with its `os/architecture`.
    pub fn index(children: &[(&Self, &str)]) -> Self {
        let docker = |(child, _): &(&Self, &str)| child.media_type == DOCKER_MANIFEST;
        let media_type = if children.iter().all(docker) { DOCKER_LIST } else { OCI_INDEX };
        let entries = children.iter().map(|(child, platform)| {
            let (os, architecture) = platform.split_once('/').unwrap_or(("unknown", platform));
            (*child, format!(r#","platform":{{"architecture":"{architecture}","os":"{os}"}}"#))
        });
        Self::write_index(media_type, entries)
    }

    /// The index that clients keep under a tag where a registry does not list what is attached to an image.
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    pub fn attachments(referrers: &[Self]) -> Self {
        let entries = referrers.iter().map(|referrer| {
            let kind = referrer.artifact_media_type().map(AsRef::as_ref).unwrap_or_default();
            (referrer, format!(r#","artifactType":"{kind}""#))
        });
        Self::write_index(OCI_INDEX, entries)
    }

    /// An index of manifests, each with what its entry says beside digest and size.
    fn write_index<'m>(media_type: &'static str, entries: impl Iterator<Item = (&'m Self, String)>) -> Self {
        let (children, entries): (Vec<_>, Vec<_>) = entries
            .map(|(child, more)| (child.digest, descriptor(&child.media_type, child.digest, child.size(), &more)))
            .unzip();
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{}]}}"#, entries.join(","));
        Self {
            digest: Digest::of(&text),
            text: text.into(),
            media_type: media_type.into(),
            content: Content::Index { children: children.into() },
            subject: None,
            artifact_type: None,
        }
    }

    pub(super) fn write(
        media_type: &'static str,
        config: Blob,
        layers: Vec<Blob>,
        subject: Option<&Self>,
        artifact_type: Option<&str>,
    ) -> Self {
        let blob = |blob: &Blob| descriptor(&blob.media_type, blob.digest, blob.size, "");
        let artifact = artifact_type.map_or(String::new(), |artifact| format!(r#","artifactType":"{artifact}""#));
        let attached = subject.map_or(String::new(), |subject| {
            let subject = descriptor(&subject.media_type, subject.digest, subject.size(), "");
            format!(r#","subject":{subject}"#)
        });
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}"{artifact},"config":{},"layers":[{}]{attached}}}"#,
            blob(&config),
            layers.iter().map(blob).collect::<Vec<_>>().join(",")
        );
        Self {
            digest: Digest::of(&text),
            text: text.into(),
            media_type: media_type.into(),
            content: Content::Image { config, layers: layers.into() },
            subject: subject.map(|subject| subject.digest),
            artifact_type: artifact_type.map(intern),
        }
    }

    /// The size of the manifest itself.
    pub fn size(&self) -> u64 {
        self.text.len() as u64
    }

    /// Every blob that must be there before the manifest.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        let (config, layers): (Option<&Blob>, &[Blob]) = match &self.content {
            Content::Image { config, layers } => (Some(config), layers),
            Content::Index { .. } => (None, &[]),
        };
        config.into_iter().chain(layers)
    }

    /// Every image that must be there before the manifest.
    pub fn children(&self) -> &[Digest] {
        match &self.content {
            Content::Index { children } => children,
            Content::Image { .. } => &[],
        }
    }

    /// Its artifact type, or else its config's media type.
    pub fn artifact_media_type(&self) -> Option<&MediaType> {
        let of_config = match &self.content {
            Content::Image { config, .. } => Some(&config.media_type),
            Content::Index { .. } => None,
        };
        let known = of_config.filter(|media_type| !media_type.is_empty());
        self.artifact_type.as_ref().or(known)
    }

    /// The annotations in its text.
    pub fn annotations(&self) -> Option<Value> {
        let mut text: Value = serde_json::from_str(&self.text).ok()?;
        text.get_mut("annotations").map(Value::take)
    }
}

impl Blob {
    /// A layer of an image, its digest and size drawn from its name.
    pub fn layer(name: &str) -> Self {
        Self::named(name, DOCKER_LAYER, 40_000..90_000_000)
    }

    fn named(name: &str, media_type: &str, sizes: std::ops::Range<u64>) -> Self {
        let digest = Digest::of(name);
        Self { digest, size: sizes.start + digest.number() % (sizes.end - sizes.start), media_type: intern(media_type) }
    }
}

impl From<Descriptor> for Blob {
    fn from(descriptor: Descriptor) -> Self {
        Self { digest: descriptor.digest, size: descriptor.size, media_type: intern(&descriptor.media_type) }
    }
}

/// Written by hand and not by `serde_json`, whose order of keys, and so the digest, depends on how it was built.
fn descriptor(media_type: &str, digest: Digest, size: u64, more: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{more}}}"#)
}

fn intern(media_type: &str) -> MediaType {
    const USUAL: [&str; 9] = [
        DOCKER_MANIFEST,
        DOCKER_LIST,
        DOCKER_CONFIG,
        DOCKER_LAYER,
        OCI_MANIFEST,
        OCI_INDEX,
        OCI_CONFIG,
        OCI_LAYER,
        OCI_EMPTY,
    ];
    let known = USUAL.into_iter().find(|known| *known == media_type);
    known.map_or_else(|| media_type.to_owned().into(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let image = Manifest::image("app 1", 3);
        let other = Manifest::image("app 1 for arm", 3);
        for manifest in [
            Manifest::index(&[(&image, "linux/amd64"), (&other, "linux/arm64")]),
            Manifest::attached("sbom", "application/spdx+json", &image),
            Manifest::cosign("signature"),
            image,
        ] {
            assert_eq!(Manifest::parse(&manifest.text, None), Ok(manifest));
        }
    }

    #[test]
    fn a_manifest_must_be_whole_and_of_a_kind_that_is_stored() {
        let config = format!(r#"{{"mediaType":"{OCI_CONFIG}","digest":"{}","size":1}}"#, Digest::of("c"));
        let image = format!(r#""config":{config},"layers":[]"#);
        let read = |rest: &str, declared| Manifest::parse(&format!(r#"{{"schemaVersion":2,{rest}}}"#), declared);
        assert!(read(&image, Some(OCI_MANIFEST)).is_ok());
        for (rest, declared, why) in [
            (image.as_str(), None, "no media type"),
            (&image, Some(OCI_INDEX), "does not have the parts"),
            (&format!(r#"{image},"mediaType":"{OCI_MANIFEST}""#), Some(OCI_INDEX), "is not"),
            (r#""layers":[]"#, Some(OCI_MANIFEST), "does not have the parts"),
            (&image, Some("application/json"), "not supported"),
            (r#""schemaVersion":1"#, Some(OCI_MANIFEST), "Invalid JSON"),
        ] {
            let error = read(rest, declared).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let old = Manifest::parse(r#"{"schemaVersion":1}"#, Some(OCI_MANIFEST));
        assert!(old.unwrap_err().contains("schema version"));
    }
}
