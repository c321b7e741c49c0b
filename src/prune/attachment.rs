//! What is attached to an image: a signature, an SBOM, an attestation. Tells them apart by tag and type, for people only.

use super::graph::attached_by;
use crate::store::Image;

/// A kind of referrer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attachment {
    Signature,
    Sbom,
    Attestation,
    Other,
}

/// Parts of media types, and endings of cosign's tags, that tell what an artifact is.
/// <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, <https://notaryproject.dev/docs/>,
/// <https://spdx.dev/>, <https://cyclonedx.org/>, <https://in-toto.io/>
const TYPES: [(&str, Attachment); 10] = [
    ("spdx", Attachment::Sbom),
    ("cyclonedx", Attachment::Sbom),
    ("sbom", Attachment::Sbom),
    ("syft", Attachment::Sbom),
    ("in-toto", Attachment::Attestation),
    ("attestation", Attachment::Attestation),
    ("dsse", Attachment::Attestation),
    ("signature", Attachment::Signature),
    ("cosign", Attachment::Signature),
    ("sigstore", Attachment::Signature),
];

impl Attachment {
    pub fn of(image: &Image) -> Self {
        let by_tag =
            image.tags.iter().filter(|tag| attached_by(tag).is_some()).find_map(|tag| match tag.rsplit_once('.')?.1 {
                "sig" => Some(Self::Signature),
                "sbom" => Some(Self::Sbom),
                "att" => Some(Self::Attestation),
                _ => None,
            });
        let artifact = image.artifact_type.as_deref().unwrap_or_default().to_ascii_lowercase();
        let by_type = || TYPES.iter().find(|(part, _)| artifact.contains(part)).map(|(_, kind)| *kind);
        by_tag.or_else(by_type).unwrap_or(Self::Other)
    }

    /// The word for one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Sbom => "SBOM",
            Self::Attestation => "attestation",
            Self::Other => "referrer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::cosign;

    #[test]
    fn tags_and_types_tell_what_is_attached() {
        for (tag, artifact, word) in [
            (cosign(1, ".sig"), None, "signature"),
            (cosign(1, ".att"), None, "attestation"),
            (cosign(1, ".sbom"), Some("application/vnd.oci.image.config.v1+json"), "SBOM"),
            (String::new(), Some("application/spdx+json"), "SBOM"),
            (String::new(), Some("application/vnd.cyclonedx+json"), "SBOM"),
            (String::new(), Some("application/vnd.in-toto+json"), "attestation"),
            (String::new(), Some("application/vnd.dev.cosign.artifact.sig.v1+json"), "signature"),
            (String::new(), Some("application/vnd.cncf.notary.signature"), "signature"),
            (String::new(), Some("application/vnd.dev.sigstore.bundle.v0.3+json"), "signature"),
            // A tag of a person tells nothing.
            ("v1.sig".into(), Some("application/x-report"), "referrer"),
            (cosign(1, ""), None, "referrer"),
        ] {
            let image = Image { tags: vec![tag], artifact_type: artifact.map(Into::into), ..Image::default() };
            assert_eq!(Attachment::of(&image).word(), word, "{image:?}");
        }
    }
}
