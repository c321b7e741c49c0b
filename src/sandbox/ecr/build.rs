//! Images of the sample data: manifests with configs and layers that can be pulled.

use chrono::{DateTime, Utc};

use super::{
    made::Recipe,
    manifest::{
        Blob, DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, Manifest, OCI_CONFIG, OCI_EMPTY, OCI_LAYER, OCI_MANIFEST,
    },
    repository::{Content, Repository},
};
use crate::sandbox::ecr::digest::Digest;

/// A manifest, and how its blobs are made.
pub struct Built {
    pub manifest: Manifest,
    blobs: Vec<(Blob, Recipe)>,
}

/// What an image is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Docker,
    Oci,
}

const COSIGN: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

impl Built {
    /// An image of one platform.
    pub fn image(kind: Kind, platform: &str, created: DateTime<Utc>, layers: Vec<Recipe>) -> Self {
        let (manifest, config, layer) = match kind {
            Kind::Docker => (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER),
            Kind::Oci => (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER),
        };
        let recipe = Recipe::Config { platform: platform.into(), created, layers: layers.clone().into() };
        let layers = layers.into_iter().map(|recipe| made(recipe, layer));
        Self::of(manifest, made(recipe, config), layers.collect(), None, None)
    }

    /// An index over images, which are pushed before it.
    pub fn index(children: &[(&Self, &str)]) -> Self {
        let children: Vec<_> = children.iter().map(|(child, platform)| (&child.manifest, *platform)).collect();
        Self { manifest: Manifest::index(&children), blobs: Vec::new() }
    }

    /// A referrer of an image: a signature, an SBOM.
    pub fn attached(text: &str, artifact_type: &'static str, subject: &Manifest) -> Self {
        let content = made(Recipe::Text(text.into()), artifact_type);
        Self::of(
            OCI_MANIFEST,
            made(Recipe::Text("{}".into()), OCI_EMPTY),
            vec![content],
            Some(subject),
            Some(artifact_type),
        )
    }

    /// A signature of the older kind: only its tag names the image.
    pub fn cosign(image: Digest) -> Self {
        let text = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":""}},"image":{{"docker-manifest-digest":"{image}"}},"type":"cosign container image signature"}},"optional":null}}"#
        );
        let config = Recipe::Config { platform: "/".into(), created: DateTime::UNIX_EPOCH, layers: [].into() };
        Self::of(OCI_MANIFEST, made(config, OCI_CONFIG), vec![made(Recipe::Text(text.into()), COSIGN)], None, None)
    }

    /// Something that is not an image, as Helm pushes a chart.
    pub fn artifact(config: (&str, &'static str), content: Recipe, media_type: &'static str) -> Self {
        let config = made(Recipe::Text(config.0.into()), config.1);
        Self::of(OCI_MANIFEST, config, vec![made(content, media_type)], None, None)
    }

    fn of(
        media_type: &'static str,
        config: (Blob, Recipe),
        layers: Vec<(Blob, Recipe)>,
        subject: Option<&Manifest>,
        artifact_type: Option<&str>,
    ) -> Self {
        let blobs = layers.iter().map(|(blob, _)| blob.clone()).collect();
        let manifest = Manifest::write(media_type, config.0.clone(), blobs, subject, artifact_type);
        Self { manifest, blobs: [vec![config], layers].concat() }
    }

    /// Pushes it with its blobs.
    pub fn push(&self, repository: &mut Repository, tags: &[&str], at: DateTime<Utc>) {
        repository.push(&self.manifest, tags, at);
        for (blob, recipe) in &self.blobs {
            repository.fill_layer(blob.digest, blob.size, Content::Made(recipe.clone().into()));
        }
    }
}

fn made(recipe: Recipe, media_type: &'static str) -> (Blob, Recipe) {
    let (digest, size) = recipe.measure();
    (Blob { digest, size, media_type: media_type.into() }, recipe)
}
