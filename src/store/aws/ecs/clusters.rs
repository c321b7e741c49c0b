//! What clusters run: their services, with the revisions that a rollback returns to, and their tasks.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all};
use serde_json::json;

use super::{
    CLUSTERS, DEPLOYMENTS, REVISIONS, SERVICES, TASKS,
    asking::{Asking, complete, gone},
    decode::{
        Clusters, Deployments, Revision, Revisions, Service, ServiceArns, Services, TaskArns, Tasks, name_of,
        service_words,
    },
};
use crate::{
    error::{Error, Kind, Result},
    store::User,
};

/// A rollback returns to the last revision that was deployed successfully: the newest, or the one before.
const SUCCESSFUL: usize = 2;

/// What one cluster runs.
#[derive(Default)]
pub struct Cluster {
    pub services: usize,
    pub tasks: usize,
    pub users: Vec<User>,
    /// Task definitions that its services and tasks name, with who names them.
    pub named: Vec<(String, String)>,
}

impl Asking<'_> {
    pub async fn clusters(&self) -> Result<Vec<String>> {
        let pages: Vec<Clusters> = self.pages(CLUSTERS, "ListClusters", &json!({})).await?;
        Ok(pages.into_iter().flat_map(|page| page.cluster_arns).collect())
    }

    /// What a cluster runs; nothing, if the cluster vanished since it was listed.
    pub async fn cluster(&self, arn: &str) -> Result<Cluster> {
        let (services, tasks) = try_join(gone(self.services(arn)), gone(self.tasks(arn))).await?;
        let mut cluster = Cluster::default();
        for part in [services, tasks] {
            cluster.services += part.services;
            cluster.tasks += part.tasks;
            cluster.users.extend(part.users);
            cluster.named.extend(part.named);
        }
        Ok(cluster)
    }

    async fn services(&self, cluster: &str) -> Result<Cluster> {
        let pages: Vec<ServiceArns> = self.pages(SERVICES, "ListServices", &json!({ "cluster": cluster })).await?;
        let arns: Vec<String> = pages.into_iter().flat_map(|page| page.service_arns).collect();
        let described = try_join_all(arns.chunks(SERVICES.batch).map(|arns| async move {
            let body = json!({ "cluster": cluster, "services": arns });
            let told: Services = self.call(SERVICES, "DescribeServices", arns.len(), &body).await?;
            let told_of = told.services.iter().map(|service| service.service_arn.as_str());
            complete("DescribeServices", arns, told_of, &told.failures)?;
            Ok::<_, Error>(told.services)
        }));
        let services = described.await?.concat();
        let revisions = try_join_all(services.iter().map(|service| gone(self.revisions_of(cluster, service)))).await?;
        let mut found = Cluster { services: services.len(), ..Cluster::default() };
        for (service, revisions) in services.iter().zip(revisions) {
            let who = |definition: &str| service_words(&service.service_name, name_of(cluster), name_of(definition));
            found.named.extend(service.definitions().map(|definition| (definition.to_owned(), who(definition))));
            for (arn, revision) in &revisions {
                let current = service.current_service_revisions.iter().any(|current| current.arn == *arn);
                let who = match current {
                    true => who(&revision.task_definition),
                    false => format!("a rollback of {}", who(&revision.task_definition)),
                };
                found.users.extend(revision.images().map(|uses| User { who: who.clone(), uses }));
                found.named.push((revision.task_definition.clone(), who));
            }
        }
        Ok(found)
    }

    /// The revisions that a service runs, and those that a rollback may return to.
    async fn revisions_of(&self, cluster: &str, service: &Service) -> Result<BTreeMap<String, Revision>> {
        let mut wanted: BTreeSet<String> =
            service.current_service_revisions.iter().map(|current| current.arn.clone()).collect();
        if service.is_deployed_by_ecs() {
            let body = json!({ "cluster": cluster, "service": service.service_arn, "status": ["SUCCESSFUL"] });
            let pages: Result<Vec<Deployments>> = self.pages(DEPLOYMENTS, "ListServiceDeployments", &body).await;
            match pages {
                Ok(pages) => wanted.extend(Deployments::newest(pages, SUCCESSFUL)),
                // Where there are no deployments to list, there are none to return to.
                Err(error) if error.kind == Kind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
        let mut known = self.recalled("revision", wanted.iter().map(String::as_str)).await;
        let unknown: Vec<&String> = wanted.iter().filter(|arn| !known.contains_key(*arn)).collect();
        let mut new = Vec::new();
        for arns in unknown.chunks(REVISIONS.batch) {
            let body = json!({ "serviceRevisionArns": arns });
            let told: Revisions = self.call(REVISIONS, "DescribeServiceRevisions", arns.len(), &body).await?;
            let told_of = told.service_revisions.iter().map(|revision| revision.arn.as_str());
            complete("DescribeServiceRevisions", arns, told_of, &told.failures)?;
            new.extend(told.service_revisions);
        }
        // Digests are found out when the first task starts.
        self.keep("revision", new.iter().filter(|revision| revision.is_resolved()).map(|new| (&*new.arn, new))).await;
        known.extend(new.into_iter().map(|revision| (revision.arn.clone(), revision)));
        Ok(known)
    }

    async fn tasks(&self, cluster: &str) -> Result<Cluster> {
        let pages: Vec<TaskArns> = self.pages(TASKS, "ListTasks", &json!({ "cluster": cluster })).await?;
        let arns: Vec<String> = pages.into_iter().flat_map(|page| page.task_arns).collect();
        let described = try_join_all(arns.chunks(TASKS.batch).map(|arns| async move {
            let body = json!({ "cluster": cluster, "tasks": arns });
            let told: Tasks = self.call(TASKS, "DescribeTasks", arns.len(), &body).await?;
            complete("DescribeTasks", arns, told.tasks.iter().map(|task| task.task_arn.as_str()), &told.failures)?;
            Ok::<_, Error>(told.tasks)
        }));
        let tasks = described.await?.concat();
        let mut found = Cluster { tasks: tasks.len(), ..Cluster::default() };
        let mut known = BTreeSet::new();
        for task in &tasks {
            let who = task.who(name_of(cluster));
            let users = task.images().map(|uses| User { who: who.clone(), uses });
            // The tasks of a service mostly run the same.
            found.users.extend(users.filter(|user| known.insert(user.clone())));
            found.named.push((task.task_definition_arn.clone(), who));
        }
        Ok(found)
    }
}
