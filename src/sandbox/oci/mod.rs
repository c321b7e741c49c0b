//! Registries that speak the OCI distribution protocol: the `oci:` registry on a port of its own, and, through [`Front`],
//! the registry side of ECR. `habits` holds how registries differ; nothing else names one.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod acr;
mod api;
mod blobs;
mod door;
mod front;
mod gar;
pub mod habits;
mod harbor;
mod lists;
mod manifests;
mod referrers;
mod refusal;
mod route;
mod seed;
#[cfg(test)]
mod tests;
mod uploads;
mod zot;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use self::api::Call;
pub use self::{
    door::{Door, READER, USER, User},
    front::Front,
    habits::Habits,
    refusal::Refusal,
    route::{OPERATIONS, Route, is_upload},
    uploads::Uploads,
};
use super::{Hooked, Hooks, Received, Reply, Service, ecr::repository::Repository};

/// One registry.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Oci {
    pub repositories: BTreeMap<String, Repository>,
    #[serde(skip)]
    pub habits: Habits,
    #[serde(skip)]
    pub door: Door,
    #[serde(skip)]
    uploads: Uploads,
    #[serde(skip)]
    hooks: Hooks<Oci>,
}

impl Oci {
    /// The repository of that name, which is made if it is not there.
    pub fn repository(&mut self, name: &str, now: DateTime<Utc>) -> &mut Repository {
        self.repositories.entry(name.into()).or_insert_with(|| Repository::new(now))
    }

    /// Repository and digest of every image, with its tags: to compare before and after.
    pub fn snapshot(&self) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        self.repositories.iter().map(|(name, repository)| (name.clone(), repository.snapshot())).collect()
    }

    fn perform(&mut self, request: &Received) -> Result<Reply, Refusal> {
        if request.path == self.habits.realm {
            return self.door.give(request);
        }
        if self.exchanges(request) {
            return self.door.exchange(request);
        }
        if let Some(call) = Call::of(self.habits.api, request) {
            let auth = call.auth.unwrap_or(self.habits.auth);
            self.door.admit(request, Some(call.needs()), auth, &self.habits)?;
            self.run_hooks(call.operation);
            return (call.act)(&mut self.front(request), &call);
        }
        let route = Route::of(request).filter(|route| route.is_known(&self.habits)).ok_or_else(Refusal::no_route)?;
        self.door.admit(request, route.needs(&self.habits), self.habits.auth, &self.habits)?;
        self.run_hooks(&route.name());
        self.front(request).answer(&route)
    }

    fn front<'a>(&'a mut self, request: &'a Received) -> Front<'a> {
        Front {
            repositories: &mut self.repositories,
            uploads: &mut self.uploads,
            habits: &self.habits,
            request,
            makes_repositories: true,
        }
    }

    fn exchanges(&self, request: &Received) -> bool {
        self.habits.api == Some(habits::Api::Acr) && request.path == "/oauth2/exchange"
    }
}

impl Hooked for Oci {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

impl Service for Oci {
    fn operation(&self, request: &Received) -> Option<String> {
        let method = &request.method;
        if request.path == self.habits.realm {
            return Some(format!("{method} token"));
        }
        if self.exchanges(request) {
            return Some(format!("{method} exchange"));
        }
        if let Some(call) = Call::of(self.habits.api, request) {
            return Some(call.operation.into());
        }
        let route = Route::of(request);
        Some(route.map_or_else(|| format!("{method} {}", request.path), |route| route.name()))
    }

    fn at_registry(&self) -> bool {
        true
    }

    fn login(&self) -> Option<(String, String)> {
        let user = self.door.users.first().filter(|_| self.habits.auth != habits::Auth::Open)?;
        Some((user.name.clone(), user.password.clone()))
    }

    fn operations(&self) -> Vec<&'static str> {
        let own = self.habits.api.map_or(&[][..], habits::Api::operations);
        ["GET token", "POST token"].into_iter().chain(OPERATIONS).chain(own.iter().copied()).collect()
    }

    fn items(&self, request: &Received) -> Vec<String> {
        let item = match Call::of(self.habits.api, request) {
            Some(call) => call.item(),
            None => Route::of(request).and_then(|route| route.item()),
        };
        item.into_iter().collect()
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let reply = self.perform(request).unwrap_or_else(Refusal::reply);
        reply.with("docker-distribution-api-version", "registry/2.0")
    }

    fn throttled(&self) -> Reply {
        Refusal::from(self.habits.too_many).reply()
    }

    fn broken(&self, status: u16) -> Reply {
        Refusal::of_status(status).reply()
    }

    fn environment(&self, _url: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
