//! OCI registries: the calls of the distribution specification. `call` sends one, `challenge` and `token` prove who calls,
//! `pages` and `facts` read answers, `errors` reads refusals. `product` finds out what a registry can do beyond that;
//! `acr`, `harbor` and `zot` do it, and `described` puts their listings before the list of tags.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod acr;
mod call;
mod challenge;
mod described;
mod errors;
pub(super) mod examine;
mod facts;
mod harbor;
mod listing;
mod pages;
mod product;
mod referrers;
mod repository;
#[cfg(test)]
mod tests;
mod token;
mod zot;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::Method;
use tokio::sync::OnceCell;

use self::{
    call::{Call, Registry},
    described::unclear,
    errors::About,
    facts::Facts,
    pages::MOST,
    product::{Found, Untags},
    referrers::Lists,
};
use super::{
    Answer, Deletion, Fact, Image, ImageStore, LayerState, Limit, Manifest, Op, Outlook, Page, Put, Receipt, Shared,
};
use crate::{
    cache::Cache,
    error::{Error, Kind, Result},
    image::{Digest, ImageId, StoreRef},
    settings::{Settings, oci, shortened},
};

/// All kinds of manifests. A registry may answer for a part of an image where one of them is left out.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// Google's registries refuse an image that has tags.
/// <https://cloud.google.com/artifact-registry/docs/docker/troubleshoot>
const DANGLING_TAG: &str = "GOOGLE_MANIFEST_DANGLING_TAG";

/// Images of one index that are read for its size. No index that people build has more.
const MOST_CHILDREN: usize = 32;

/// Registries, each as one user: repositories share tokens and connections.
pub type Clients = Shared<(String, String), Arc<Opened>>;

/// One registry as one user, and what was learned about it.
pub struct Opened {
    registry: Registry,
    found: OnceCell<Found>,
    /// Manifests and configurations of earlier runs.
    cache: Arc<Cache>,
    facts: Mutex<HashMap<(String, Digest), Facts>>,
    /// It refused to remove a tag alone, so it is not asked again.
    whole_only: AtomicBool,
    lists_referrers: Lists,
}

/// One repository, or all repositories of a registry.
pub struct Oci {
    opened: Arc<Opened>,
    store: Arc<StoreRef>,
    /// Something was asked that only the registry's own API tells.
    needs_own: AtomicBool,
    /// It was asked when images were built.
    needs_built: AtomicBool,
    /// The last listing shows images without a tag.
    lists_untagged: AtomicBool,
    /// The tags of images where the list of tags describes those, as it was last read.
    listed_tags: Mutex<HashMap<Digest, Vec<String>>>,
    /// Why the registry's own API was not read.
    reduced: Mutex<Option<Error>>,
}

impl Oci {
    fn new(opened: Arc<Opened>, store: &StoreRef) -> Self {
        Self {
            opened,
            store: Arc::new(store.clone()),
            needs_own: AtomicBool::default(),
            needs_built: AtomicBool::default(),
            lists_untagged: AtomicBool::default(),
            listed_tags: Mutex::default(),
            reduced: Mutex::default(),
        }
    }
}

pub async fn open(settings: &Settings, clients: &Clients, cache: &Arc<Cache>, store: &StoreRef) -> Result<Oci> {
    let oci = oci::Oci::load(settings, store)?;
    let key = (oci.endpoint.to_string(), oci.place.key());
    let opened = clients.get(key, async { Opened::new(settings, oci, Arc::clone(cache)).await.map(Arc::new) }).await?;
    Ok(Oci::new(opened, store))
}

impl Opened {
    async fn new(settings: &Settings, oci: oci::Oci, cache: Arc<Cache>) -> Result<Self> {
        let found = oci.place.read(&settings.env, settings.timeout).await?;
        let registry =
            Registry::new(oci.host, oci.endpoint, found.credentials, found.source, oci.certificates, settings.timeout)?;
        Ok(Self::of(registry, cache))
    }

    fn of(registry: Registry, cache: Arc<Cache>) -> Self {
        Self {
            registry,
            found: OnceCell::new(),
            cache,
            facts: Mutex::default(),
            whole_only: AtomicBool::default(),
            lists_referrers: Lists::default(),
        }
    }
}

/// The query of the first page of tags.
fn first_page() -> String {
    format!("n={MOST}")
}

fn one<T>(ids: &[T]) -> Result<&T> {
    match ids {
        [id] => Ok(id),
        _ => Err(Error::new(Kind::TooMany, "a registry is asked for one image at a time")),
    }
}

#[async_trait]
impl ImageStore for Oci {
    fn home(&self) -> Arc<StoreRef> {
        Arc::clone(&self.store)
    }

    fn caller(&self) -> Option<String> {
        match &self.opened.registry.credentials {
            oci::Credentials::Anonymous => None,
            oci::Credentials::Password { user, .. } => Some(shortened(user)),
            other => Some(other.caller()),
        }
    }

    fn endpoint(&self) -> Option<String> {
        Some(self.opened.registry.endpoint.to_string())
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.opened.registry.clock_ahead()
    }

    fn limit(&self, op: Op) -> Option<Limit> {
        // Four calls at once, as other clients make them. GitHub counts 2,000 changes and 44,000 reads a minute.
        // <https://github.com/google/go-containerregistry/blob/main/pkg/v1/remote/options.go>
        let limit = |call, batch, per_second| Some(Limit { call, batch, per_second, in_flight: 4 });
        match op {
            Op::Get | Op::Manifests | Op::Layers | Op::Details | Op::Referrers => limit("read", 1, 500),
            Op::List => limit("read", MOST, 500),
            Op::Delete => limit("delete", 1, 30),
            Op::Put => limit("put", 1, 30),
            Op::Poll | Op::Sharing | Op::Registry | Op::Rules | Op::StorageClass => None,
        }
    }

    fn lists_names(&self) -> bool {
        true
    }

    fn lists_untagged(&self) -> bool {
        self.lists_untagged.load(Ordering::Relaxed)
    }

    fn cascades(&self) -> bool {
        self.opened.found.get().is_some_and(|found| found.product.cascades())
    }

    fn protects_parts(&self) -> bool {
        // Some do, and nothing says which.
        false
    }

    async fn tells(&self, fact: Fact) -> Result<bool> {
        self.told(fact).await
    }

    fn reduced(&self) -> Option<Error> {
        // Many registries refuse calls that they do not know.
        let doubt = || self.opened.found.get()?.doubt.as_ref().filter(|error| error.kind == Kind::Lost).map(unclear);
        self.reduced.lock().unwrap_or_else(PoisonError::into_inner).clone().or_else(doubt)
    }

    async fn outlook(&self, id: &ImageId) -> Result<Outlook> {
        if !matches!(id, ImageId::Tag(_)) {
            return Ok(Outlook::Open);
        }
        Ok(match self.opened.untags().await? {
            Untags::Yes => Outlook::Open,
            Untags::No => Outlook::Refused(repository::only_whole()),
            Untags::Depends => Outlook::Depends("some registries cannot remove one tag of an image; then it stays"),
        })
    }

    async fn delete(&self, ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        let id = one(ids)?;
        let deletion = match id {
            ImageId::Tag(tag) => self.untag(tag).await,
            ImageId::Digest(digest) => self.delete_image(digest).await,
            ImageId::TagAt(..) | ImageId::Named(_) => {
                Err(Error::new(Kind::Invalid, "a registry deletes a tag or a digest, not both at once"))
            }
        };
        match deletion {
            // These are about the call as a whole.
            Err(error) if error.kind.transient() || error.kind.stops_store() => Err(error),
            Err(error) => {
                let request_id = error.request_id.clone();
                Ok(Receipt::new(Answer::Each(vec![(id.clone(), Err(error))]), request_id))
            }
            Ok(Receipt { said, request_id }) => {
                Ok(Receipt::new(Answer::Each(vec![(id.clone(), Ok(said))]), request_id))
            }
        }
    }

    async fn get(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Image>> {
        let id = one(ids)?;
        let reference = match id {
            ImageId::Tag(name) | ImageId::TagAt(name, _) => name.clone(),
            ImageId::Digest(digest) => digest.to_string(),
            ImageId::Named(_) => return Err(Error::new(Kind::Invalid, "images of a registry have tags and digests")),
        };
        let found = match self.head(&reference).await {
            Ok((digest, _)) if id.digest().is_some_and(|wanted| *wanted != digest) => {
                let message = format!("{reference} is {digest} now");
                Err(Error::new(Kind::NotFound, message).code("TagMoved"))
            }
            Ok((digest, media_type)) => Ok(Image {
                id: Some(ImageId::Digest(digest.clone())),
                digest: Some(digest.to_string()),
                state: Some("available".into()),
                tags: id.tag().map(str::to_owned).into_iter().collect(),
                media_type,
                ..Image::default()
            }),
            Err(error) if error.kind == Kind::NotFound => Err(error),
            Err(error) => return Err(error),
        };
        Ok(Answer::Each(vec![(id.clone(), found)]))
    }

    async fn details(&self, image: &Image) -> Result<Image> {
        self.detailed(image, true).await
    }

    async fn known_details(&self, image: &Image) -> Option<Image> {
        self.detailed(image, false).await.ok()
    }

    async fn referrers(&self, subject: &Digest, after: Option<&str>) -> Result<Option<Page<Image>>> {
        self.list_referrers(subject, after).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Page<Image>> {
        if let Some(page) = self.list_described(after).await? {
            self.lists_untagged.store(self.opened.product().await?.tells(Fact::Untagged), Ordering::Relaxed);
            return Ok(page);
        }
        if after.is_none() {
            self.lists_untagged.store(false, Ordering::Relaxed);
        }
        self.list_tags(&after.map_or_else(first_page, Into::into)).await
    }

    async fn stores(&self, after: Option<&str>) -> Result<Page<StoreRef>> {
        let query = after.map_or_else(first_page, Into::into);
        let call = Call::new("GET catalog", About::Catalog, Method::GET, "", format!("_catalog?{query}"));
        let (listing, next) = self.page(&call).await?;
        let items = listing.tags.into_iter().flatten().map(|name| (*self.store).clone().with_name(name)).collect();
        Ok(Page { items, total: None, next })
    }

    async fn manifests(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Manifest>> {
        let id = one(ids)?;
        let read = match id {
            ImageId::Tag(tag) => self.read(tag).await,
            ImageId::TagAt(tag, digest) => self.read(tag).await.and_then(|manifest| match manifest.digest == *digest {
                true => Ok(manifest),
                false => Err(Error::new(Kind::NotFound, format!("{tag} is {} now", manifest.digest)).code("TagMoved")),
            }),
            ImageId::Digest(digest) => self.read(&digest.to_string()).await,
            ImageId::Named(_) => Err(Error::new(Kind::Invalid, "images of a registry have tags and digests")),
        };
        match read {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            read => Ok(Answer::Each(vec![(id.clone(), read)])),
        }
    }

    async fn put(&self, put: &Put) -> Result<Receipt<()>> {
        let Put { manifest, tag } = put;
        let blobs = crate::image::manifest::contents(&manifest.bytes)?;
        let registry = &self.opened.registry;
        if let crate::image::manifest::Contents::Image(blobs) = &blobs {
            // Not every registry checks them.
            let needed = blobs.iter().filter(|blob| !blob.inline);
            let states =
                join_all(needed.map(|blob| async move { (blob.digest.clone(), self.blob(&blob.digest).await) })).await;
            for (digest, state) in states {
                match state {
                    Ok(Some(_)) => {}
                    Ok(None) => return Err(Error::new(Kind::LayersGone, format!("the layer {digest} is gone"))),
                    Err(error) => return Err(error),
                }
            }
        }
        let reference = tag.clone().unwrap_or_else(|| manifest.digest.to_string());
        let media_type = manifest.media_type.clone().or_else(|| facts::of_manifest(&manifest.bytes)?.media_type);
        let media_type = media_type.ok_or_else(|| Error::new(Kind::Invalid, "its media type is not known"))?;
        let call = self.call("PUT manifest", About::Put, Method::PUT, &format!("manifests/{reference}"));
        let call = Call { body: Some((&media_type, manifest.bytes.clone())), ..call };
        match registry.call(&call).await {
            Ok(answer) => match answer.header("docker-content-digest") {
                Some(digest) if !manifest.digest.is(digest) => {
                    Err(errors::unreadable("the manifest", &answer, format!("it stored {digest}")))
                }
                _ => Ok(Receipt::new((), errors::request_id(&answer))),
            },
            Err(error) if error.code.as_deref() == Some("MANIFEST_BLOB_UNKNOWN") => {
                let kind = match blobs {
                    crate::image::manifest::Contents::Image(_) => Kind::LayersGone,
                    crate::image::manifest::Contents::Index(_) => Kind::PartsMissing,
                };
                Err(Error { kind, ..error })
            }
            Err(error) => Err(error),
        }
    }

    async fn check_layers(&self, digests: &[Digest]) -> Result<Answer<Digest, LayerState>> {
        let digest = one(digests)?;
        let state = match self.blob(digest).await? {
            Some(bytes) => Ok(LayerState { state: "available".into(), bytes, media_type: None }),
            None => Err(Error::new(Kind::NotFound, "there is no such layer in this repository").code("BLOB_UNKNOWN")),
        };
        Ok(Answer::Each(vec![(digest.clone(), state)]))
    }
}
