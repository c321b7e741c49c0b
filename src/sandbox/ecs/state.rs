//! What a region of ECS holds: clusters with their services and tasks, and the revisions of task definitions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    pub(super) name: String,
    pub(super) account: String,
    pub clusters: BTreeMap<String, Cluster>,
    /// Families with their revisions; the first is number 1.
    pub(super) families: BTreeMap<String, Vec<Definition>>,
    deployments: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    pub services: BTreeMap<String, Service>,
    pub tasks: BTreeMap<String, Task>,
    /// Listed, but gone when anything is asked about it.
    pub vanished: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Definition {
    pub images: Vec<String>,
    pub inactive: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// `web:41`
    pub definition: String,
    /// Deployments under way besides the primary one, by their task definitions.
    pub deployments: Vec<String>,
    /// Of other controllers than ECS, by their task definitions.
    pub task_sets: Vec<String>,
    pub controller: Option<String>,
    pub revisions: Vec<Revision>,
}

/// A revision of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revision {
    pub id: String,
    pub definition: String,
    pub containers: Vec<Container>,
    pub deployed: DateTime<Utc>,
    pub successful: bool,
    /// It runs now.
    pub current: bool,
}

/// A container, with the digest that its image was resolved to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Container {
    pub image: String,
    pub digest: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Task {
    pub definition: String,
    pub group: String,
    pub containers: Vec<Container>,
}

impl Container {
    pub fn new(image: &str, digest: Option<&str>) -> Self {
        Self { image: image.into(), digest: digest.map(Into::into) }
    }
}

impl Region {
    pub(super) fn new(name: &str, account: &str) -> Self {
        Self { name: name.into(), account: account.into(), ..Self::default() }
    }

    pub fn cluster(&mut self, name: &str) -> &mut Cluster {
        self.clusters.entry(name.into()).or_default()
    }

    /// Adds a revision to a family, and names it: `web:41`.
    pub fn define(&mut self, family: &str, images: &[&str]) -> String {
        let revisions = self.families.entry(family.into()).or_default();
        let images = images.iter().map(ToString::to_string).collect();
        revisions.push(Definition { images, inactive: false });
        format!("{family}:{}", revisions.len())
    }

    /// Deregisters a revision. What runs goes on with it.
    pub fn retire(&mut self, definition: &str) {
        if let Some(known) = self.definition_mut(definition) {
            known.inactive = true;
        }
    }

    /// Deploys a task definition to a service: its revision is the current one, and one task runs.
    pub fn deploy(
        &mut self,
        cluster: &str,
        service: &str,
        definition: &str,
        containers: &[Container],
        at: DateTime<Utc>,
    ) {
        self.deployments += 1;
        let id = format!("{:016}", self.deployments);
        let cluster = self.cluster(cluster);
        let known = cluster.services.entry(service.into()).or_default();
        known.definition = definition.into();
        known.revisions.iter_mut().for_each(|revision| revision.current = false);
        known.revisions.push(Revision {
            id: id.clone(),
            definition: definition.into(),
            containers: containers.into(),
            deployed: at,
            successful: true,
            current: true,
        });
        let group = format!("service:{service}");
        cluster.tasks.retain(|_, task| task.group != group);
        cluster.tasks.insert(id, Task { definition: definition.into(), group, containers: containers.into() });
    }

    /// Runs one task of its own.
    pub fn run(&mut self, cluster: &str, definition: &str, containers: &[Container]) {
        self.deployments += 1;
        let id = format!("{:032x}", self.deployments);
        let family = definition.split(':').next().unwrap_or_default();
        let task =
            Task { definition: definition.into(), group: format!("family:{family}"), containers: containers.into() };
        self.cluster(cluster).tasks.insert(id, task);
    }

    /// The resource name of something in this region: of `cluster/prod`.
    pub fn arn(&self, what: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{what}", self.name, self.account)
    }

    /// A family or a revision by its name, which may be the whole resource name. Of a family, the latest active one.
    pub(super) fn definition(&self, name: &str) -> Option<(String, &Definition)> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => (family, revision.parse::<usize>().ok()?.checked_sub(1)?),
            None => (name, self.families.get(name)?.iter().rposition(|definition| !definition.inactive)?),
        };
        let definition = self.families.get(family)?.get(revision)?;
        Some((format!("{family}:{}", revision + 1), definition))
    }

    fn definition_mut(&mut self, name: &str) -> Option<&mut Definition> {
        let (family, revision) = name.split_once(':')?;
        self.families.get_mut(family)?.get_mut(revision.parse::<usize>().ok()?.checked_sub(1)?)
    }

    /// Whether something runs or starts a revision.
    pub(super) fn uses(&self, definition: &str) -> bool {
        self.clusters.values().any(|cluster| {
            let of_task = cluster.tasks.values().any(|task| task.definition == definition);
            let of_service = |service: &Service| {
                let revisions = service.revisions.iter().map(|revision| &revision.definition);
                let mut all =
                    service.deployments.iter().chain(&service.task_sets).chain(revisions).chain([&service.definition]);
                all.any(|used| used == definition)
            };
            of_task || cluster.services.values().any(of_service)
        })
    }
}
