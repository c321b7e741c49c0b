//! Container manifests: what an image is made of. Decoding only; nothing here asks a registry.

use serde::{Deserialize, de::IgnoredAny};

use crate::{
    error::{Error, Kind, Result},
    image::Digest,
};

/// An image's configuration and layers, or an index of images.
#[derive(Debug, PartialEq)]
pub enum Contents {
    Image(Vec<Blob>),
    Index(Vec<Child>),
}

/// A configuration or layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    pub digest: Digest,
    pub bytes: Option<u64>,
    pub media_type: Option<String>,
    /// The manifest holds its contents, so an image can do without the blob.
    pub inline: bool,
}

/// One image of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    pub digest: Digest,
    /// `linux/arm64/v8`, where the index says.
    pub platform: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    size: Option<u64>,
    media_type: Option<String>,
    platform: Option<Platform>,
    urls: Option<Vec<String>>,
    data: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Platform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

/// The image that a manifest says it is attached to.
pub fn subject(bytes: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Referrer {
        subject: Option<Descriptor>,
    }
    let referrer: Referrer = serde_json::from_slice(bytes).ok()?;
    referrer.subject?.digest.parse().ok()
}

/// Reads a manifest of any of the four common kinds.
pub fn contents(bytes: &[u8]) -> Result<Contents> {
    let wrong = |why: String| Error::new(Kind::Unreadable, format!("cannot read this manifest: {why}"));
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let digest = |text: &str| text.parse::<Digest>().map_err(|_| wrong(format!("\"{text}\" is not a digest")));
    if let Some(children) = manifest.manifests {
        let child = |child: Descriptor| {
            Ok(Child { digest: digest(&child.digest)?, platform: child.platform.and_then(Platform::name) })
        };
        return children.into_iter().map(child).collect::<Result<_>>().map(Contents::Index);
    }
    let (None, None) = (&manifest.config, &manifest.layers) else {
        let blobs = manifest.config.into_iter().chain(manifest.layers.into_iter().flatten());
        // A layer with its own address is never in the registry.
        let held = blobs.filter(|blob| blob.urls.as_ref().is_none_or(Vec::is_empty));
        let blob = |blob: Descriptor| {
            let inline = blob.data.is_some();
            Ok(Blob { digest: digest(&blob.digest)?, bytes: blob.size, media_type: blob.media_type, inline })
        };
        return held.map(blob).collect::<Result<_>>().map(Contents::Image);
    };
    Err(wrong("it has neither layers nor images".into()))
}

impl Platform {
    fn name(self) -> Option<String> {
        let known = |part: Option<String>| part.filter(|part| !part.is_empty() && part != "unknown");
        let name = format!("{}/{}", known(self.os)?, known(self.architecture)?);
        Some(self.variant.map_or(name.clone(), |variant| format!("{name}/{variant}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: char) -> String {
        format!("sha256:{}", String::from(of).repeat(64))
    }

    #[test]
    fn an_image_needs_its_configuration_and_each_layer_that_the_registry_holds() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"{}","size":7}},"layers":[
                {{"digest":"{}","size":9,"mediaType":"application/x"}},
                {{"digest":"{}","size":9,"urls":["https://example.com/foreign"]}}]}}"#,
            digest('a'),
            digest('b'),
            digest('c')
        );
        let Contents::Image(blobs) = contents(text.as_bytes()).unwrap() else { panic!("an image") };
        let found: Vec<_> = blobs.iter().map(|blob| (blob.digest.to_string(), blob.bytes)).collect();
        assert_eq!(found, [(digest('a'), Some(7)), (digest('b'), Some(9))]);
    }

    #[test]
    fn an_index_names_its_images_and_their_platforms() {
        let text = format!(
            r#"{{"manifests":[{{"digest":"{}","platform":{{"os":"linux","architecture":"arm","variant":"v7"}}}},
                {{"digest":"{}","platform":{{"os":"unknown","architecture":"unknown"}}}}]}}"#,
            digest('a'),
            digest('b')
        );
        let Contents::Index(children) = contents(text.as_bytes()).unwrap() else { panic!("an index") };
        let found: Vec<_> = children.iter().map(|child| child.platform.as_deref()).collect();
        assert_eq!(found, [Some("linux/arm/v7"), None]);
    }

    #[test]
    fn a_document_that_is_not_a_manifest_is_an_error() {
        for text in ["", "{}", "[]", r#"{"layers":[{"digest":"x"}]}"#, r#"{"manifests":[{}]}"#] {
            assert_eq!(contents(text.as_bytes()).unwrap_err().kind, Kind::Unreadable, "{text}");
        }
    }
}
