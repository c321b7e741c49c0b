//! A registry while it answers one request, behind its door: what it stores, how it behaves, and who calls. The registry
//! side of ECR and the `oci:` registry are both this.

use std::collections::BTreeMap;

use super::{
    habits::Habits,
    refusal::Refusal,
    route::{Place, Route},
    uploads::Uploads,
};
use crate::sandbox::{
    Received, Reply,
    ecr::{digest::Digest, repository::Repository},
};

pub struct Front<'a> {
    pub repositories: &'a mut BTreeMap<String, Repository>,
    pub uploads: &'a mut Uploads,
    pub habits: &'a Habits,
    pub request: &'a Received,
    /// Whether a push makes the repository that it names.
    pub makes_repositories: bool,
}

impl Front<'_> {
    pub fn answer(&mut self, route: &Route) -> Result<Reply, Refusal> {
        let not_here = || Err(Refusal::new(405, "UNSUPPORTED", "The operation is unsupported."));
        match (route.method.as_str(), &route.place) {
            ("GET" | "HEAD", Place::Root) => Ok(Reply::json(200, &serde_json::json!({}))),
            ("GET", Place::Catalog) => self.list_catalog(),
            ("GET", Place::Tags(name)) => self.list_tags(name),
            ("GET" | "HEAD", Place::Manifest(name, reference)) => self.get_manifest(name, reference),
            ("PUT", Place::Manifest(name, reference)) => self.put_manifest(name, reference),
            ("DELETE", Place::Manifest(name, reference)) => self.delete_manifest(name, reference),
            ("GET" | "HEAD", Place::Blob(name, digest)) => self.get_blob(name, digest),
            ("GET", Place::Referrers(name, digest)) => self.list_referrers(name, digest),
            ("POST", Place::Uploads(name)) => self.start_upload(name),
            (_, Place::Upload(name, id)) => self.go_on_with_upload(name, id),
            _ => not_here(),
        }
    }

    /// The repository of this name.
    pub fn repository(&mut self, name: &str) -> Result<&mut Repository, Refusal> {
        self.repositories.get_mut(name).ok_or_else(|| self.habits.no_repository.into())
    }

    /// The repository to which something is pushed.
    pub fn pushed_to(&mut self, name: &str) -> Result<&mut Repository, Refusal> {
        if self.makes_repositories && !self.repositories.contains_key(name) {
            self.repositories.insert(name.into(), Repository::new(self.request.now));
        }
        self.repository(name)
    }

    /// Whether an answer is asked for without its body.
    pub fn is_head(&self) -> bool {
        self.request.method == "HEAD"
    }
}

/// The digest that a path names.
pub fn digest(text: &str) -> Result<Digest, Refusal> {
    let wrong = || Refusal::new(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    text.parse().map_err(|_| wrong())
}
