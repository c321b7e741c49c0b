//! The referrers API: what is attached to an image.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>

use serde_json::json;

use super::{
    front::{Front, digest},
    habits::Referrers,
    refusal::Refusal,
};
use crate::sandbox::{Reply, ecr::manifest::OCI_INDEX};

impl Front<'_> {
    pub fn list_referrers(&mut self, name: &str, subject: &str) -> Result<Reply, Refusal> {
        if self.habits.referrers == Referrers::Elsewhere {
            // The digest is cut, as GitHub does it.
            let page = format!("https://registry.invalid/{name}/packages?digest={subject:.20}");
            return Err(Refusal::new(303, "", "").with("location", page));
        }
        let kind = self.request.parameter("artifactType");
        let subject = digest(subject)?;
        // An unknown subject has no referrers; it may still come.
        let referrers = self.repositories.get(name).into_iter().flat_map(|repository| repository.referrers(&subject));
        let shown = referrers.filter_map(|image| {
            let manifest = &image.manifest;
            let of_kind = manifest.artifact_media_type().map(AsRef::as_ref).unwrap_or_default();
            let mut entry = json!({
                "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size(),
                "artifactType": of_kind,
            });
            if let Some(annotations) = manifest.annotations() {
                entry["annotations"] = annotations;
            }
            kind.as_deref().is_none_or(|kind| kind == of_kind).then_some(entry)
        });
        let shown: Vec<_> = shown.collect();
        let body = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": shown });
        let reply = Reply::of(200).with("content-type", OCI_INDEX).bearing(body.to_string());
        Ok(if kind.is_some() { reply.with("oci-filters-applied", "artifactType") } else { reply })
    }
}
