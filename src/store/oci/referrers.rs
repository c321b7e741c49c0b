//! What is attached to an image, as the registry itself lists it. Many registries have no such list; there, tags tell.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>

use reqwest::Method;
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};

use super::{
    Oci,
    call::Call,
    errors::{self, About},
    pages,
};
use crate::{
    error::Result,
    image::{Digest, ImageId},
    store::{Image, Page},
};

/// The type of the answer. An index of something else could be any page of a proxy.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Whether a registry lists what is attached to images. Its first answer tells, so that a registry without this list gets
/// one question, however many images a run asks about.
#[derive(Default)]
pub struct Lists {
    known: OnceCell<bool>,
    /// Held by the first question.
    first: Mutex<()>,
}

/// The answer: an index of what is attached.
#[derive(Deserialize)]
struct Listed {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    digest: Digest,
    media_type: Option<String>,
    artifact_type: Option<String>,
}

impl Oci {
    /// One page of what is attached to an image; `None` where the registry has no such list.
    pub(super) async fn list_referrers(&self, subject: &Digest, after: Option<&str>) -> Result<Option<Page<Image>>> {
        let lists = &self.opened.lists_referrers;
        let first = match lists.known.get() {
            Some(_) => None,
            None => Some(lists.first.lock().await),
        };
        if lists.known.get() == Some(&false) {
            return Ok(None);
        }
        // The others may go on as soon as one has asked.
        let _first = first.filter(|_| lists.known.get().is_none());
        let query = after.map(|query| format!("?{query}")).unwrap_or_default();
        let call = self.call("GET referrers", About::Referrers, Method::GET, &format!("referrers/{subject}{query}"));
        let answer = self.opened.registry.ask(&Call { accept: Some(INDEX), ..call }).await?;
        match answer.status {
            200..300 => {}
            // GitHub leads to a page for people.
            // <https://github.com/artifacthub/hub/issues/4785>
            300..400 | 404 | 405 => {
                // A registry with this list may still have no such repository.
                if !errors::names_what_is_missing(&answer) {
                    let _ = lists.known.set(false);
                }
                return Ok(None);
            }
            _ => return Err(self.opened.registry.refused(About::Referrers, &answer)),
        }
        let unreadable = |why: String| errors::unreadable("the referrers", &answer, why);
        let listed: Listed = serde_json::from_slice(&answer.body).map_err(|error| unreadable(error.to_string()))?;
        // Nothing was filtered out on imgctl's behalf.
        if let Some(filters) = answer.header("oci-filters-applied").filter(|filters| !filters.is_empty()) {
            return Err(unreadable(format!("it left some out, by {filters}")));
        }
        let _ = lists.known.set(true);
        let path = format!("/v2/{}", self.path(&format!("referrers/{subject}")));
        let next = pages::next(&answer, &path, &[])?;
        Ok(Some(Page { items: listed.manifests.into_iter().map(Entry::image).collect(), total: None, next }))
    }
}

impl Entry {
    fn image(self) -> Image {
        Image {
            digest: Some(self.digest.to_string()),
            id: Some(ImageId::Digest(self.digest)),
            state: Some("available".into()),
            media_type: self.media_type,
            artifact_type: self.artifact_type,
            ..Image::default()
        }
    }
}
