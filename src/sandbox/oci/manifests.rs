//! Manifests: reading, pushing and deleting them by tag or digest.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;

use super::{
    acr::LOCKED,
    front::{Front, digest},
    habits::{Pulls, Referrers},
    harbor,
    refusal::{Known, Refusal},
};
use crate::sandbox::{
    Reply,
    ecr::{
        digest::Digest,
        is_tag,
        manifest::{DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST},
        movable,
        repository::{Image, Repository, Status},
    },
};

/// <https://github.com/distribution/distribution/blob/v2.8.2/registry/handlers/manifests.go>
const LONGEST: usize = 4 << 20;

impl Front<'_> {
    pub fn get_manifest(&mut self, name: &str, reference: &str) -> Result<Reply, Refusal> {
        let (habits, request, now) = (self.habits, self.request, self.request.now);
        let head = self.is_head();
        let no_image = || Refusal::from(habits.no_image);
        // Who asks for an image learns that it is not there, whatever else is not.
        let repository = self.repository(name).map_err(|_| no_image())?;
        let image = find(repository, reference)?.filter(|image| readable(image)).ok_or_else(no_image)?;
        let image = match habits.converts {
            true => acceptable(repository, image, reference, &request.list("accept"))?,
            false => image,
        };
        let (found, media_type) = (image.manifest.digest, image.manifest.media_type.clone());
        let etag = format!("\"{found}\"");
        if request.header("if-none-match") == etag {
            return Ok(Reply::of(304));
        }
        let text = image.manifest.text.as_bytes().to_vec();
        if !head {
            pulled(repository, &found, now, habits.keeps_pulls);
        }
        let reply = Reply::of(200).with("content-type", media_type).with("etag", etag).bearing(text);
        let named = !head || habits.names_digest;
        Ok(if named { reply.with("docker-content-digest", found) } else { reply })
    }

    pub fn put_manifest(&mut self, name: &str, reference: &str) -> Result<Reply, Refusal> {
        let (habits, request) = (self.habits, self.request);
        let invalid = |why: String| Refusal::new(400, "MANIFEST_INVALID", why);
        if request.body.len() > LONGEST {
            return Err(invalid("http: request body too large".into()));
        }
        let text = std::str::from_utf8(&request.body).map_err(|error| invalid(error.to_string()))?;
        let kind = Some(request.header("content-type")).filter(|kind| !kind.is_empty());
        let manifest = Manifest::parse(text, kind).map_err(invalid)?;
        let pushed = manifest.digest;
        let tag = (!reference.contains(':')).then_some(reference);
        match tag {
            None if digest(reference)? != pushed => {
                return Err(Refusal::new(400, "DIGEST_INVALID", "provided digest did not match uploaded content"));
            }
            Some(tag) if !is_tag(tag) => return Err(Refusal::no_route()),
            _ => {}
        }
        if !self.makes_repositories {
            self.repository(name)?;
        }
        // A push that is refused makes no repository.
        let there = self.repositories.get(name);
        let layer = |digest| there.is_some_and(|there| there.takes_missing_layers || there.layer(digest).is_some());
        let image = |digest| there.is_some_and(|there| there.image(digest).is_some());
        if !manifest.blobs().all(|blob| layer(&blob.digest)) || !manifest.children().iter().all(image) {
            return Err(Refusal::new(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"));
        }
        let repository = self.pushed_to(name)?;
        let subject = manifest.subject;
        if let Some(tag) = tag
            && repository.tag(tag).is_some_and(|on| on != pushed)
            && !movable(repository, tag)
        {
            let message = format!(
                "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the \
                 tag is immutable."
            );
            return Err(Refusal::new(400, "TAG_INVALID", message));
        }
        repository.add(manifest, request.now);
        if let Some(tag) = tag {
            repository.set_tag(tag, pushed);
            repository.tagged.insert(tag.into(), request.now);
        }
        let reply = Reply::of(201)
            .with("location", format!("/v2/{name}/manifests/{pushed}"))
            .with("docker-content-digest", pushed);
        Ok(match subject.filter(|_| habits.referrers == Referrers::Listed) {
            Some(subject) => reply.with("oci-subject", subject),
            None => reply,
        })
    }

    pub fn delete_manifest(&mut self, name: &str, reference: &str) -> Result<Reply, Refusal> {
        let habits = self.habits;
        let refused = |why: Option<Known>| why.map_or(Ok(()), |why| Err(Refusal::from(why)));
        // Neither of these looks whether there is anything to delete.
        refused(habits.no_deletion)?;
        let by_tag = !reference.contains(':');
        if by_tag {
            refused(habits.no_untagging)?;
        }
        let repository = self.repository(name).map_err(|_| Refusal::from(habits.deletion_nowhere))?;
        let Some(image) = find(repository, reference)? else { return Err(habits.no_image.into()) };
        let (found, has_tags) = (image.manifest.digest, !image.tags.is_empty());
        if repository.locked.contains(&found) {
            return Err(LOCKED.into());
        }
        if by_tag {
            repository.remove_tag(reference);
            return Ok(Reply::of(habits.deleted));
        }
        match (habits.tagged, image.tags.first()) {
            (Some((status, code, message)), Some(tag)) => {
                return Err(Refusal::new(status, code, format!("{message}: {tag}")));
            }
            _ if !has_tags => refused(habits.untagged)?,
            _ => {}
        }
        if repository.parents(&found).next().is_some() {
            refused(habits.child)?;
        }
        let tags = delete(repository, &found, habits.cascades);
        if habits.tags_stay {
            tags.iter().for_each(|tag| repository.point(tag, found));
        }
        Ok(Reply::of(habits.deleted))
    }
}

/// The image that a path names.
fn find<'r>(repository: &'r Repository, reference: &str) -> Result<Option<&'r Image>, Refusal> {
    let digest = if reference.contains(':') { Some(digest(reference)?) } else { repository.tag(reference) };
    Ok(digest.and_then(|digest| repository.image(&digest)))
}

fn readable(image: &Image) -> bool {
    image.status() == Status::Active && !image.manifest.text.is_empty()
}

/// The image in a form that the client takes: an index that was asked for by tag may be answered with one of its images.
fn acceptable<'r>(
    repository: &'r Repository,
    image: &'r Image,
    reference: &str,
    accept: &[&str],
) -> Result<&'r Image, Refusal> {
    let by_tag = !reference.contains(':');
    let takes = |kind: &str| accept.iter().any(|accepted| accepted.split(';').next().map(str::trim) == Some(kind));
    let unknown = |what: &str| {
        let message = format!("OCI {what} found, but accept header does not support OCI {what}s");
        Err(Refusal::new(404, "MANIFEST_UNKNOWN", message.replace("indexs", "indexes")))
    };
    match image.manifest.media_type.as_ref() {
        OCI_MANIFEST if !takes(OCI_MANIFEST) => unknown("manifest"),
        OCI_INDEX if !takes(OCI_INDEX) => unknown("index"),
        DOCKER_LIST if by_tag && !takes(DOCKER_LIST) => {
            let child = child_for(&image.manifest, "amd64").and_then(|child| repository.image(&child));
            let child = child.ok_or_else(|| Refusal::new(404, "MANIFEST_UNKNOWN", "manifest unknown"))?;
            acceptable(repository, child, reference, accept)
        }
        // It would have to be rewritten as a manifest of the first kind, which needs a name that it does not have.
        DOCKER_MANIFEST if by_tag && !takes(DOCKER_MANIFEST) => {
            Err(Refusal::new(400, "MANIFEST_INVALID", "manifest invalid"))
        }
        _ => Ok(image),
    }
}

/// The image of an index for Linux on an architecture.
fn child_for(index: &Manifest, architecture: &str) -> Option<Digest> {
    let text: Value = serde_json::from_str(&index.text).ok()?;
    let fits = |entry: &&Value| entry["platform"]["architecture"] == architecture && entry["platform"]["os"] == "linux";
    text["manifests"].as_array()?.iter().find(fits)?["digest"].as_str()?.parse().ok()
}

/// Keeps a pull with its image. ECR refreshes the record at most daily.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html>
fn pulled(repository: &mut Repository, digest: &Digest, now: chrono::DateTime<chrono::Utc>, keeps: Pulls) {
    let apart = match keeps {
        Pulls::None => return,
        Pulls::Daily => TimeDelta::days(1),
        Pulls::Each => TimeDelta::zero(),
    };
    if let Some((_, pulled_at)) = repository.times(digest)
        && pulled_at.is_none_or(|time| now - time >= apart)
    {
        *pulled_at = Some(now);
    }
}

/// Deletes an image, and what goes with it where a registry cascades. Returns the tags that it had.
fn delete(repository: &mut Repository, digest: &Digest, cascades: bool) -> BTreeSet<String> {
    let Some(image) = repository.remove(digest) else { return BTreeSet::new() };
    if !cascades {
        return image.tags;
    }
    // What is attached goes with its tags.
    let attached: Vec<Digest> = harbor::attached(repository, digest).map(|image| image.manifest.digest).collect();
    for referrer in attached {
        delete(repository, &referrer, true);
    }
    for part in image.manifest.children().iter().collect::<BTreeSet<_>>() {
        let alone = repository.image(part).is_some_and(|part| part.tags.is_empty());
        if alone && repository.parents(part).next().is_none() {
            delete(repository, part, true);
        }
    }
    image.tags
}
