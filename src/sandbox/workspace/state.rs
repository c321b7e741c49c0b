//! Image servers and the jobs that delete them, and how both change as time goes by.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// What one region holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Project {
    /// In the order in which they are listed.
    pub servers: Vec<Server>,
    pub jobs: BTreeMap<String, Job>,
    /// Groups, machines and images that belong to servers, or did.
    pub resources: BTreeSet<String>,
    /// Servers whose deletion goes wrong.
    pub failing: BTreeMap<String, Failing>,
}

/// An image server. An empty text is a field that the service has not set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    pub id: String,
    pub name: String,
    pub description: String,
    pub status: String,
    /// The image that it was made from, and of which type that is.
    pub source: (String, String),
    /// The image that was built on it.
    pub image_id: String,
    pub server_group_id: String,
    pub app_group_id: String,
    pub server_id: String,
    pub instance_id: String,
    pub enterprise_project_id: String,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    /// Its coming changes, in order.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    pub at: DateTime<Utc>,
    pub status: String,
}

/// How the deletion of a server goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failing {
    /// `FAILED`, `ABNORMAL`, `ROLLBACK` or `ABORTING`.
    pub status: String,
    pub code: String,
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub begun: DateTime<Utc>,
    pub ends: DateTime<Utc>,
    pub recursive: bool,
    pub ended: bool,
    pub sub_jobs: Vec<SubJob>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubJob {
    pub id: String,
    pub server: String,
    pub name: String,
    /// What the server was before.
    pub was: String,
    pub failed: Option<Failing>,
}

impl Failing {
    pub fn new(status: &str, code: &str, message: &str) -> Self {
        Self { status: status.into(), code: code.into(), message: message.into() }
    }
}

impl Project {
    /// Adds a server with everything around it, active and built.
    pub fn add(&mut self, id: &str, created: DateTime<Utc>) -> &mut Server {
        let server = Server {
            id: id.into(),
            name: format!("server-{id}"),
            status: "BUILT".into(),
            source: (format!("source-of-{id}"), "gold".into()),
            image_id: format!("image-of-{id}"),
            server_group_id: format!("group-of-{id}"),
            app_group_id: format!("apps-of-{id}"),
            server_id: format!("wksapp-{id}"),
            instance_id: format!("machine-of-{id}"),
            enterprise_project_id: "0".into(),
            created,
            updated: created,
            ..Server::default()
        };
        let around = server.around().into_iter().chain([server.image_id.clone()]);
        self.resources.extend(around);
        self.servers.push(server);
        self.servers.last_mut().expect("one was added")
    }

    pub fn server(&self, id: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.id == id)
    }

    pub fn server_mut(&mut self, id: &str) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.id == id)
    }

    /// Whether there is such a server still.
    pub fn has(&self, id: &str) -> bool {
        self.server(id).is_some()
    }

    /// Starts to delete these servers, except those that are absent or being deleted.
    pub(super) fn start(&mut self, id: String, servers: &[&str], recursive: bool, now: DateTime<Utc>, takes: Duration) {
        let mut sub_jobs = Vec::new();
        for (number, name) in servers.iter().enumerate() {
            let Some(server) = self.server_mut(name) else {
                continue;
            };
            if server.status == "DELETING" {
                continue;
            }
            let was = std::mem::replace(&mut server.status, "DELETING".into());
            server.updated = now;
            server.changes.clear();
            sub_jobs.push(SubJob {
                id: format!("{id}{number:02}"),
                server: server.id.clone(),
                name: server.name.clone(),
                was,
                failed: None,
            });
        }
        let job = Job {
            id: id.clone(),
            begun: now,
            ends: now + TimeDelta::from_std(takes).unwrap_or_default(),
            recursive,
            ended: false,
            sub_jobs,
        };
        self.jobs.insert(id, job);
    }

    /// Applies every change that is due.
    pub(super) fn settle(&mut self, now: DateTime<Utc>) {
        for server in &mut self.servers {
            while server.changes.first().is_some_and(|change| change.at <= now) {
                let change = server.changes.remove(0);
                server.status = change.status;
                server.updated = change.at;
            }
        }
        let due: Vec<_> =
            self.jobs.iter().filter(|(_, job)| !job.ended && job.ends <= now).map(|(id, _)| id.clone()).collect();
        for id in due {
            self.finish(&id);
        }
    }

    fn finish(&mut self, id: &str) {
        let Some(mut job) = self.jobs.remove(id) else {
            return;
        };
        for sub_job in &mut job.sub_jobs {
            sub_job.failed = self.failing.get(&sub_job.server).cloned();
            if sub_job.failed.is_some() {
                if let Some(server) = self.server_mut(&sub_job.server) {
                    server.status.clone_from(&sub_job.was);
                    server.updated = job.ends;
                }
            } else {
                let place = self.servers.iter().position(|server| server.id == sub_job.server);
                if let Some(place) = place {
                    let server = self.servers.remove(place);
                    if job.recursive {
                        for resource in server.around() {
                            self.resources.remove(&resource);
                        }
                    }
                }
            }
        }
        job.ended = true;
        self.jobs.insert(id.to_owned(), job);
    }
}

impl Server {
    /// What a recursive deletion removes with the server. The image that was built stays.
    fn around(&self) -> [String; 4] {
        [self.server_group_id.clone(), self.app_group_id.clone(), self.server_id.clone(), self.instance_id.clone()]
    }

    /// The states in which nothing may be done with a server.
    pub(super) fn is_busy(&self) -> bool {
        ["CREATING", "BUILDING"].contains(&self.status.as_str())
    }
}

impl Job {
    /// Its state, in the service's word.
    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        if !self.ended {
            let third = (self.ends - self.begun) / 3;
            return if now < self.begun + third { "WAITING" } else { "RUNNING" };
        }
        if self.sub_jobs.iter().any(|sub_job| sub_job.failed.is_some()) { "FAILED" } else { "SUCCESS" }
    }
}
