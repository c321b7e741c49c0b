//! OCI registries: the calls of the distribution specification. `call` sends one, `challenge` and `token` prove who calls,
//! `pages` and `facts` read answers, `errors` reads refusals.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod call;
mod challenge;
mod errors;
pub(super) mod examine;
mod facts;
mod listing;
mod pages;
#[cfg(test)]
mod tests;
mod token;

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

use self::{
    call::{Call, Registry},
    errors::About,
    facts::Facts,
    listing::{Listing, is_google},
    pages::MOST,
};
use super::{Answer, Deletion, Fact, Image, ImageStore, LayerState, Limit, Manifest, Op, Page, Put, Receipt, Shared};
use crate::{
    error::{Error, Kind, Result},
    http::Response,
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
    facts: Mutex<HashMap<(String, Digest), Facts>>,
    /// It refused to remove a tag alone, so it is not asked again.
    whole_only: AtomicBool,
}

/// One repository, or all repositories of a registry.
pub struct Oci {
    opened: Arc<Opened>,
    store: Arc<StoreRef>,
}

pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Oci> {
    let oci = oci::Oci::load(settings, store)?;
    let key = (oci.endpoint.to_string(), oci.place.key());
    let opened = clients.get(key, async { Opened::new(settings, oci).await.map(Arc::new) }).await?;
    Ok(Oci { opened, store: Arc::new(store.clone()) })
}

impl Opened {
    async fn new(settings: &Settings, oci: oci::Oci) -> Result<Self> {
        let found = oci.place.read(&settings.env, settings.timeout).await?;
        let registry = Registry::new(oci.host, oci.endpoint, found.credentials, found.source, settings.timeout)?;
        Ok(Self { registry, facts: Mutex::default(), whole_only: AtomicBool::new(false) })
    }
}

impl Oci {
    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.store.name)
    }

    fn call(&self, operation: &'static str, about: About, method: Method, rest: &str) -> Call<'_> {
        Call::new(operation, about, method, &self.store.name, self.path(rest))
    }

    fn manifest(&self, operation: &'static str, about: About, method: Method, reference: &str) -> Call<'_> {
        let call = self.call(operation, about, method, &format!("manifests/{reference}"));
        Call { accept: Some(MANIFESTS), ..call }
    }

    /// Finds out what a tag or a digest means now.
    async fn head(&self, reference: &str) -> Result<(Digest, Option<String>)> {
        let registry = &self.opened.registry;
        let answer = registry.call(&self.manifest("HEAD manifest", About::Manifest, Method::HEAD, reference)).await?;
        match answer.header("docker-content-digest").and_then(|digest| digest.parse().ok()) {
            Some(digest) => Ok((digest, media_type(&answer))),
            // Old registries leave it out.
            None => {
                let manifest = self.read(reference).await?;
                Ok((manifest.digest, manifest.media_type))
            }
        }
    }

    /// Reads a manifest. A digest's bytes are checked.
    async fn read(&self, reference: &str) -> Result<Manifest> {
        let call = self.manifest("GET manifest", About::Manifest, Method::GET, reference);
        let answer = self.opened.registry.call(&call).await?;
        let bytes = answer.body.to_vec();
        let wanted = reference.parse::<Digest>().ok();
        let digest = match &wanted {
            // Only SHA-256 can be checked here; the registry checked the others.
            Some(digest) if digest.sha256().is_none() => digest.clone(),
            _ => Digest::sha256_of(&bytes),
        };
        if wanted.is_some_and(|wanted| wanted != digest) {
            return Err(errors::unreadable(reference, &answer, format!("its bytes have the digest {digest}")));
        }
        Ok(Manifest { digest, media_type: media_type(&answer), bytes })
    }

    /// What a manifest and its configuration say.
    async fn facts(&self, digest: &Digest, deep: bool) -> Result<Facts> {
        let key = (self.store.name.clone(), digest.clone());
        if let Some(known) = self.opened.facts.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let manifest = self.read(&digest.to_string()).await?;
        let mut facts = facts::of_manifest(&manifest.bytes).unwrap_or_default();
        facts.media_type = facts.media_type.or(manifest.media_type);
        if let Some(config) = facts.config.take() {
            let call = self.call("GET config", About::Blob, Method::GET, &format!("blobs/{config}"));
            // An image without its configuration cannot be pulled, and can be deleted.
            if let Ok(answer) = self.opened.registry.blob(&call).await
                && Digest::sha256_of(&answer.body) == config
            {
                facts::add_config(&mut facts, &answer.body);
            }
        }
        if deep && !facts.children.is_empty() && facts.children.len() <= MOST_CHILDREN {
            let children = facts.children.clone();
            let mut known = Vec::with_capacity(children.len());
            for child in &children {
                known.push(Box::pin(self.facts(child, false)).await.ok());
            }
            facts::add_children(&mut facts, manifest.bytes.len() as u64, &known);
        }
        self.opened.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(key, facts.clone());
        Ok(facts)
    }

    /// Removes a tag, and says what it pointed to right before.
    async fn untag(&self, tag: &str) -> Result<Receipt<Deletion>> {
        let only_whole = || {
            Error::new(Kind::Protected, "the registry cannot remove one tag of an image")
                .code("TagNotAlone")
                .hint("name every tag of the image, name it by its digest, or use --all-tags")
        };
        if self.opened.whole_only.load(Ordering::Relaxed) {
            return Err(only_whole());
        }
        let (digest, _) = self.head(tag).await?;
        let call = self.manifest("DELETE tag", About::DeleteTag, Method::DELETE, tag);
        match self.opened.registry.call(&call).await {
            Ok(answer) => match self.head(&digest.to_string()).await {
                // Old zot deletes the image, whatever other tags it has.
                Err(error) if error.kind == Kind::NotFound => {
                    let message =
                        format!("the registry deleted {digest} with all its tags, instead of the tag {tag} alone");
                    Err(Error::new(Kind::Unreadable, message).code("ImageDeletedWithTag"))
                }
                _ => Ok(Receipt::new(Deletion::Untagged(digest), errors::request_id(&answer))),
            },
            Err(error) if error.kind == Kind::Protected && error.code.as_deref() != Some("DENIED") => {
                self.opened.whole_only.store(true, Ordering::Relaxed);
                let code = error.code.clone().unwrap_or_default();
                Err(Error { message: format!("{} [{code}]", only_whole().message), ..only_whole() }
                    .request_id(error.request_id))
            }
            Err(error) => Err(error),
        }
    }

    /// One page of a list, and what to ask for next.
    async fn page(&self, call: &Call<'_>) -> Result<(Listing, Option<String>)> {
        let answer = self.opened.registry.call(call).await?;
        let listing: Listing =
            serde_json::from_slice(&answer.body).map_err(|error| errors::unreadable(call.operation, &answer, error))?;
        let next = pages::next(&answer, &format!("/v2/{}", call.path), listing.names())?;
        Ok((listing, next))
    }

    /// Deletes an image. Google's registries want its tags deleted first.
    async fn delete_image(&self, digest: &Digest) -> Result<Receipt<Deletion>> {
        let reference = digest.to_string();
        let call = self.manifest("DELETE manifest", About::DeleteImage, Method::DELETE, &reference);
        let registry = &self.opened.registry;
        let answer = match registry.call(&call).await {
            Err(error) if error.code.as_deref() == Some(DANGLING_TAG) => {
                let listed = self.list(None).await?.items;
                let image = listed.into_iter().find(|image| image.digest.as_deref() == Some(&reference));
                for tag in image.ok_or(error)?.tags {
                    registry.call(&self.manifest("DELETE tag", About::DeleteTag, Method::DELETE, &tag)).await?;
                }
                registry.call(&call).await?
            }
            answer => answer?,
        };
        // Some registries leave tags behind, so only a look shows that it is gone.
        Ok(Receipt::new(Deletion::Requested, errors::request_id(&answer)))
    }
}

fn media_type(answer: &Response) -> Option<String> {
    let kind = answer.header("content-type")?.split(';').next()?.trim();
    kind.starts_with("application/vnd.").then(|| kind.to_owned())
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
            Op::Get | Op::Manifests | Op::Layers | Op::Details => limit("read", 1, 500),
            Op::List => limit("read", MOST, 500),
            Op::Delete => limit("delete", 1, 30),
            Op::Put => limit("put", 1, 30),
            Op::Poll | Op::Sharing | Op::Registry | Op::Rules | Op::StorageClass => None,
        }
    }

    fn lists_names(&self) -> bool {
        true
    }

    fn protects_parts(&self) -> bool {
        // Some do, and nothing says which.
        false
    }

    fn tells(&self, fact: Fact) -> bool {
        match fact {
            Fact::Built => true,
            Fact::Age | Fact::Untagged => is_google(&self.opened.registry.host),
            Fact::Pull => false,
        }
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
        let mut image = image.clone();
        // A listing that describes images says enough.
        let open = image.pushed_at.is_none() || image.bytes.is_none();
        if let Some(digest) = image.digest().filter(|_| open) {
            self.facts(&digest, true).await?.describe(&mut image);
        }
        Ok(image)
    }

    async fn list(&self, after: Option<&str>) -> Result<Page<Image>> {
        let query = after.map_or_else(|| format!("n={MOST}"), Into::into);
        let call = self.call("GET tags", About::Tags, Method::GET, &format!("tags/list?{query}"));
        let (listing, next) = self.page(&call).await?;
        Ok(Page { items: listing.images(), total: None, next })
    }

    async fn stores(&self, after: Option<&str>) -> Result<Page<StoreRef>> {
        let query = after.map_or_else(|| format!("n={MOST}"), Into::into);
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

impl Oci {
    /// Whether a blob is there, with its size; `None` if it is not.
    async fn blob(&self, digest: &Digest) -> Result<Option<Option<u64>>> {
        let call = self.call("HEAD blob", About::Blob, Method::HEAD, &format!("blobs/{digest}"));
        match self.opened.registry.blob(&call).await {
            Ok(answer) => Ok(Some(answer.header("content-length").and_then(|length| length.parse().ok()))),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
