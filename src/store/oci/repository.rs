//! One repository: the calls about its tags, manifests and blobs, and what is made of their answers.

use std::sync::{PoisonError, atomic::Ordering};

use reqwest::Method;

use super::{
    DANGLING_TAG, MANIFESTS, MOST_CHILDREN, Oci,
    call::{Api, Call},
    errors::{self, About, LOCKED},
    facts::{self, Facts},
    first_page,
    listing::Listing,
    pages,
    product::Untags,
};
use crate::{
    error::{Error, Kind, Result},
    http::Response,
    image::Digest,
    store::{Deletion, Image, Manifest, Page, Receipt},
};

impl Oci {
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.store.name)
    }

    pub(super) fn call(&self, operation: &'static str, about: About, method: Method, rest: &str) -> Call<'_> {
        Call::new(operation, about, method, &self.store.name, self.path(rest))
    }

    pub(super) fn manifest(&self, operation: &'static str, about: About, method: Method, reference: &str) -> Call<'_> {
        let call = self.call(operation, about, method, &format!("manifests/{reference}"));
        Call { accept: Some(MANIFESTS), ..call }
    }

    /// Finds out what a tag or a digest means now.
    pub(super) async fn head(&self, reference: &str) -> Result<(Digest, Option<String>)> {
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
    pub(super) async fn read(&self, reference: &str) -> Result<Manifest> {
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

    /// An image with what it says itself.
    pub(super) async fn detailed(&self, image: &Image, may_call: bool) -> Result<Image> {
        let mut image = image.clone();
        // A listing that describes images says enough, unless somebody asks for the date of the build.
        let open = image.pushed_at.is_none() || image.built_at.is_none() && self.needs_built.load(Ordering::Relaxed);
        if let Some(digest) = image.digest().filter(|_| open) {
            self.facts(&digest, true, may_call).await?.describe(&mut image);
        }
        Ok(image)
    }

    /// What a manifest and its configuration say; an error where that takes a call that may not be made.
    pub(super) async fn facts(&self, digest: &Digest, deep: bool, may_call: bool) -> Result<Facts> {
        let key = (self.store.name.clone(), digest.clone());
        if let Some(known) = self.opened.facts.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let manifest = self.kept(digest, may_call, async { Ok(self.read(&digest.to_string()).await?.bytes) }).await?;
        let mut facts = facts::of_manifest(&manifest).unwrap_or_default();
        if let Some(config) = facts.config.take() {
            match self.kept(&config, may_call, self.config(&config)).await {
                Ok(bytes) => facts::add_config(&mut facts, &bytes),
                Err(error) if !may_call => return Err(error),
                // An image without its configuration cannot be pulled, and can be deleted.
                Err(_) => {}
            }
        }
        if deep && !facts.children.is_empty() && facts.children.len() <= MOST_CHILDREN {
            let children = facts.children.clone();
            let mut known = Vec::with_capacity(children.len());
            for child in &children {
                match Box::pin(self.facts(child, false, may_call)).await {
                    Err(error) if !may_call => return Err(error),
                    facts => known.push(facts.ok()),
                }
            }
            facts::add_children(&mut facts, manifest.len() as u64, &known);
        }
        self.opened.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(key, facts.clone());
        Ok(facts)
    }

    /// What never changes: from disk, or read and then kept there.
    async fn kept(
        &self,
        digest: &Digest,
        may_call: bool,
        read: impl Future<Output = Result<Vec<u8>>>,
    ) -> Result<Vec<u8>> {
        let cache = &self.opened.cache;
        if let Some(bytes) = cache.one(digest).await {
            return Ok(bytes);
        }
        if !may_call {
            return Err(Error::new(Kind::NotFound, format!("{digest} was not read before")));
        }
        let bytes = read.await?;
        cache.put(vec![(digest.clone(), bytes.clone())]).await;
        Ok(bytes)
    }

    /// Reads a configuration.
    async fn config(&self, digest: &Digest) -> Result<Vec<u8>> {
        let call = self.call("GET config", About::Blob, Method::GET, &format!("blobs/{digest}"));
        let answer = self.opened.registry.blob(&call).await?;
        match Digest::sha256_of(&answer.body) == *digest {
            true => Ok(answer.body.to_vec()),
            false => Err(errors::unreadable("a configuration", &answer, "its bytes have another digest")),
        }
    }

    /// Removes a tag, and says what it pointed to right before.
    pub(super) async fn untag(&self, tag: &str) -> Result<Receipt<Deletion>> {
        if self.opened.untags().await? == Untags::No {
            return Err(only_whole());
        }
        let (digest, _) = self.head(tag).await?;
        let call = match self.opened.product().await?.untagging_api() {
            Some(Api::Acr) => self.untag_acr(tag),
            Some(Api::Harbor) => self.untag_harbor(tag, &digest)?,
            Some(Api::Protocol) | None => self.manifest("DELETE tag", About::DeleteTag, Method::DELETE, tag),
        };
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
            Err(error) if error.code.as_deref() == Some(LOCKED) => Err(error),
            Err(error) if call.api == Api::Protocol && error.kind == Kind::Protected && !denied(&error) => {
                self.opened.whole_only.store(true, Ordering::Relaxed);
                let code = error.code.clone().unwrap_or_default();
                Err(Error { message: format!("{} [{code}]", only_whole().message), ..only_whole() }
                    .request_id(error.request_id))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn tags_call(&self, query: &str) -> Call<'_> {
        self.call("GET tags", About::Tags, Method::GET, &format!("tags/list?{query}"))
    }

    /// One page of the tags, and of images where this list describes them.
    pub(super) async fn list_tags(&self, query: &str) -> Result<Page<Image>> {
        let (listing, next) = self.page(&self.tags_call(query)).await?;
        self.lists_untagged.fetch_or(listing.describes(), Ordering::Relaxed);
        let items = listing.images();
        let mut tags = self.listed_tags.lock().unwrap_or_else(PoisonError::into_inner);
        tags.extend(items.iter().filter_map(|image| Some((image.digest()?, image.tags.clone()))));
        drop(tags);
        Ok(Page { items, total: None, next })
    }

    fn listed_tags(&self, digest: &Digest) -> Option<Vec<String>> {
        self.listed_tags.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// One page of a list, and what to ask for next.
    pub(super) async fn page(&self, call: &Call<'_>) -> Result<(Listing, Option<String>)> {
        let answer = self.opened.registry.call(call).await?;
        let listing: Listing =
            serde_json::from_slice(&answer.body).map_err(|error| errors::unreadable(call.operation, &answer, error))?;
        let next = pages::next(&answer, &format!("/v2/{}", call.path), listing.names())?;
        Ok((listing, next))
    }

    /// Deletes an image. Google's registries want its tags deleted first.
    pub(super) async fn delete_image(&self, digest: &Digest) -> Result<Receipt<Deletion>> {
        let reference = digest.to_string();
        let call = self.manifest("DELETE manifest", About::DeleteImage, Method::DELETE, &reference);
        let registry = &self.opened.registry;
        let answer = match registry.call(&call).await {
            Err(error) if error.code.as_deref() == Some(DANGLING_TAG) => {
                // Those of the last look alone: a tag that the image got since then keeps it.
                let tags = match self.listed_tags(digest) {
                    Some(tags) => Some(tags),
                    None => {
                        self.list_tags(&first_page()).await?;
                        self.listed_tags(digest)
                    }
                };
                for tag in tags.ok_or(error)? {
                    registry.call(&self.manifest("DELETE tag", About::DeleteTag, Method::DELETE, &tag)).await?;
                }
                registry.call(&call).await?
            }
            answer => answer?,
        };
        // Some registries leave tags behind, so only a look shows that it is gone.
        Ok(Receipt::new(Deletion::Requested, errors::request_id(&answer)))
    }

    /// Whether a blob is there, with its size; `None` if it is not.
    pub(super) async fn blob(&self, digest: &Digest) -> Result<Option<Option<u64>>> {
        let call = self.call("HEAD blob", About::Blob, Method::HEAD, &format!("blobs/{digest}"));
        match self.opened.registry.blob(&call).await {
            Ok(answer) => Ok(Some(answer.header("content-length").and_then(|length| length.parse().ok()))),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The error of a tag that shares its image with others, where a registry removes whole images alone.
pub(super) fn only_whole() -> Error {
    Error::new(Kind::Protected, "the registry cannot remove one tag of an image")
        .code("TagNotAlone")
        .hint("name every tag of the image, name it by its digest, or use --all-tags")
}

fn denied(error: &Error) -> bool {
    error.code.as_deref() == Some("DENIED")
}

fn media_type(answer: &Response) -> Option<String> {
    let kind = answer.header("content-type")?.split(';').next()?.trim();
    kind.starts_with("application/vnd.").then(|| kind.to_owned())
}
