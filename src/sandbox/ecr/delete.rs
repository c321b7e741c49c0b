//! BatchDeleteImage: each id succeeds or fails on its own.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    digest::Digest,
    identifier::{Failure, Identifier, show},
    refusal::Refusal,
    repository::Repository,
    request::Request,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    image_ids: Option<Vec<Identifier>>,
}

pub fn batch_delete_image(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let ids = Identifier::list(request.parameters::<Parameters>()?.image_ids)?;
    let repository = request.repository(&place)?;
    // An index that goes in the same call protects its images all the same.
    let protected: Vec<_> = ids.iter().map(|id| protected(repository, id)).collect();
    let mut deletion = Deletion::default();
    let mut failures = Vec::new();
    for (id, protected) in ids.iter().zip(protected) {
        if let Err(failure) = deletion.delete(repository, id, protected) {
            failures.push(failure.show(id));
        }
    }
    Ok(json!({"imageIds": deletion.deleted, "failures": failures}))
}

/// The failure of an id that would take an image out of an index.
fn protected(repository: &Repository, id: &Identifier) -> Option<Failure> {
    let digest = id.resolve(repository).ok()?;
    let one_of_several = id.image_tag.is_some() && repository.image(&digest)?.tags.len() > 1;
    let parents: Vec<_> = repository.parents(&digest).map(Digest::to_string).collect();
    let reason = format!("Requested image referenced by manifest list: [{}]", parents.join(", "));
    (!parents.is_empty() && !one_of_several).then(|| Failure::new("ImageReferencedByManifestList", reason))
}

/// What one call has deleted so far.
#[derive(Default)]
struct Deletion {
    deleted: Vec<Value>,
    asked: HashSet<Identifier>,
    tags: HashSet<String>,
    images: HashSet<Digest>,
}

impl Deletion {
    fn delete(
        &mut self,
        repository: &mut Repository,
        id: &Identifier,
        protected: Option<Failure>,
    ) -> Result<(), Failure> {
        let first = self.asked.insert(id.clone());
        let digest = match id.resolve(repository) {
            Ok(digest) => digest,
            // What went under another of its names in this call has been reported under that.
            Err(_) if first && self.took(id) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        if let Some(failure) = protected {
            return Err(failure);
        }
        match &id.image_tag {
            Some(tag) => {
                repository.remove_tag(tag);
                self.report(digest, Some(tag));
                let untagged = repository.image(&digest).is_some_and(|image| image.tags.is_empty());
                if untagged {
                    repository.remove(&digest);
                    self.images.insert(digest);
                }
            }
            None => {
                let tags = repository.remove(&digest).map(|image| image.tags).unwrap_or_default();
                for tag in &tags {
                    self.report(digest, Some(tag));
                }
                if tags.is_empty() {
                    self.report(digest, None);
                }
                self.images.insert(digest);
            }
        }
        Ok(())
    }

    fn report(&mut self, digest: Digest, tag: Option<&str>) {
        self.tags.extend(tag.map(Into::into));
        self.deleted.push(show(Some(&digest.to_string()), tag));
    }

    fn took(&self, id: &Identifier) -> bool {
        match &id.image_tag {
            Some(tag) => self.tags.contains(tag),
            None => id
                .image_digest
                .as_ref()
                .is_some_and(|digest| digest.parse().is_ok_and(|digest| self.images.contains(&digest))),
        }
    }
}
