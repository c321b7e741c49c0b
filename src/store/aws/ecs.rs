//! Who uses container images in ECS: running tasks by the digests of their containers; services by their revisions, those
//! that a rollback returns to among them; and by name the task definitions of all these and the newest of each family.
//!
//! Data flow: clusters with their services and tasks, and the newest task definitions, are listed side by side. Revisions
//! of services and task definitions never change, so each is asked about once and kept.

mod decode;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::{join_all, try_join, try_join_all};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::decode::{
    Clusters, DefinitionArns, Deployments, Described, Failed, Revision, Revisions as RevisionList, Service,
    ServiceArns, Services, TaskArns, Tasks, name_of, newest_of_families, service_words,
};
use super::{
    Paged, account,
    call::{Api, Call},
    errors::Row,
    pages,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Asker, Found, Limit, Permission, Revisions, Source, User, Uses, source::asked},
};

const TARGET: &str = "AmazonEC2ContainerServiceV20141113";

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html>
const CODES: &[Row] = &[
    (&["ClusterNotFoundException", "ServiceNotFoundException"], Kind::NotFound, ""),
    (&["UnsupportedFeatureException"], Kind::Unsupported, ""),
    (&["ClientException"], Kind::Invalid, ""),
];

/// The calls of each row share a bucket of 20 a second with the account's deployments, so imgctl takes half of it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
const fn limit(call: &'static str, batch: usize) -> Limit {
    Limit { call, batch, per_second: 10, in_flight: 4 }
}
const CLUSTERS: Limit = limit("ListClusters", 100);
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
const SERVICES: Limit = limit("DescribeServices", 10);
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
const TASKS: Limit = limit("DescribeTasks", 100);
const DEFINITIONS: Limit = limit("DescribeTaskDefinition", 1);
const DEPLOYMENTS: Limit = limit("ListServiceDeployments", 100);
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html>
const REVISIONS: Limit = limit("DescribeServiceRevisions", 20);

/// A rollback returns to the last revision that was deployed successfully: the newest, or the one before.
const SUCCESSFUL: usize = 2;

pub struct Ecs {
    pub api: Api,
    pub revisions: Revisions,
}

/// What one cluster runs.
#[derive(Default)]
struct Cluster {
    services: usize,
    tasks: usize,
    users: Vec<User>,
    /// Task definitions that its services and tasks name, with who names them.
    named: Vec<(String, String)>,
}

#[async_trait]
impl Source for Ecs {
    fn name(&self) -> String {
        self.api.name()
    }

    async fn users(&self, asker: &dyn Asker) -> Result<Found> {
        let asking = Asking { api: &self.api, asker };
        let clusters = async {
            let arns = asking.clusters().await?;
            let users = try_join_all(arns.iter().map(|arn| asking.cluster(arn))).await?;
            Ok((arns, users))
        };
        let ((arns, clusters), newest) = try_join(clusters, asking.newest(self.revisions)).await?;
        let of_clusters: BTreeSet<&str> = clusters
            .iter()
            .flat_map(|cluster| cluster.named.iter().map(|(definition, _)| definition.as_str()))
            .collect();
        let of_families = newest.iter().map(String::as_str);
        let all: BTreeSet<&str> = of_clusters.iter().copied().chain(of_families).collect();
        let definitions = asking.definitions(&all, &of_clusters).await?;
        let count = |number: fn(&Cluster) -> usize| clusters.iter().map(number).sum();
        let seen = vec![
            (arns.len(), ["cluster", "clusters"]),
            (count(|cluster| cluster.services), ["service", "services"]),
            (count(|cluster| cluster.tasks), ["running task", "running tasks"]),
            (definitions.len(), ["task definition", "task definitions"]),
        ];
        let account = arns.first().or(newest.first()).and_then(|arn| account(arn));
        let mut users = Vec::new();
        let mut named = Vec::new();
        for cluster in clusters {
            users.extend(cluster.users);
            named.extend(cluster.named);
        }
        let why = |arn: &String| {
            let name = name_of(arn);
            (arn.clone(), format!("ECS task definition {name}, among the newest {} of its family", self.revisions))
        };
        named.extend(newest.iter().map(why));
        for (definition, who) in named {
            let images = definitions.get(&definition).into_iter().flatten();
            users.extend(images.map(|image| User { who: who.clone(), uses: Uses::Named(image.clone()) }));
        }
        Ok(Found { users, seen, account })
    }

    async fn permissions(&self) -> Vec<Permission> {
        const NOTHING: &str = "imgctl-doctor";
        let in_cluster = |name: &str| json!({ "cluster": NOTHING, name: [NOTHING] });
        let tries = [
            ("ecs:ListClusters", json!({ "maxResults": 1 })),
            ("ecs:ListServices", json!({ "cluster": NOTHING })),
            ("ecs:DescribeServices", in_cluster("services")),
            ("ecs:ListServiceDeployments", json!({ "cluster": NOTHING, "service": NOTHING })),
            ("ecs:DescribeServiceRevisions", json!({ "serviceRevisionArns": [NOTHING] })),
            ("ecs:ListTasks", json!({ "cluster": NOTHING })),
            ("ecs:DescribeTasks", in_cluster("tasks")),
            ("ecs:ListTaskDefinitions", json!({ "maxResults": 1 })),
            ("ecs:DescribeTaskDefinition", json!({ "taskDefinition": NOTHING })),
        ];
        let tried = tries.iter().map(|(name, body)| async move {
            let action = name.trim_start_matches("ecs:");
            Permission::of(name, self.api.target::<Value>(TARGET, Call { action, own: CODES }, body).await)
        });
        join_all(tried).await
    }
}

/// The calls of one search.
struct Asking<'a> {
    api: &'a Api,
    asker: &'a dyn Asker,
}

impl Asking<'_> {
    async fn call<T: DeserializeOwned + Send>(&self, limit: Limit, action: &'static str, body: &Value) -> Result<T> {
        asked(self.asker, limit, || self.once(action, body)).await
    }

    async fn once<T: DeserializeOwned>(&self, action: &'static str, body: &Value) -> Result<T> {
        self.api.target(TARGET, Call { action, own: CODES }, body).await
    }

    async fn pages<T: DeserializeOwned + Send>(
        &self,
        limit: Limit,
        action: &'static str,
        body: &Value,
    ) -> Result<Vec<T>> {
        let call = |token: Option<String>| async move {
            let mut body = body.clone();
            // Some listings give 10 at once if they are not asked for more.
            body["maxResults"] = 100.into();
            if let Some(token) = token {
                body["nextToken"] = token.into();
            }
            self.once::<Paged<T>>(action, &body).await
        };
        pages(self.asker, limit, call).await
    }

    async fn clusters(&self) -> Result<Vec<String>> {
        let pages: Vec<Clusters> = self.pages(CLUSTERS, "ListClusters", &json!({})).await?;
        Ok(pages.into_iter().flat_map(|page| page.cluster_arns).collect())
    }

    /// What a cluster runs; nothing, if the cluster vanished since it was listed.
    async fn cluster(&self, arn: &str) -> Result<Cluster> {
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
            let told: Services = self.call(SERVICES, "DescribeServices", &body).await?;
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
            let told: RevisionList = self.call(REVISIONS, "DescribeServiceRevisions", &body).await?;
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
            let told: Tasks = self.call(TASKS, "DescribeTasks", &body).await?;
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

    /// The newest active revisions of each family.
    async fn newest(&self, revisions: Revisions) -> Result<Vec<String>> {
        let body = json!({ "status": "ACTIVE", "sort": "DESC" });
        let pages: Vec<DefinitionArns> = self.pages(DEFINITIONS, "ListTaskDefinitions", &body).await?;
        newest_of_families(pages.into_iter().flat_map(|page| page.task_definition_arns), revisions.most())
    }

    /// The names of the images of each task definition. One in use can always be described; one that is only listed may be
    /// gone by now.
    async fn definitions(
        &self,
        arns: &BTreeSet<&str>,
        in_use: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Vec<String>>> {
        let mut known: BTreeMap<String, Vec<String>> = self.recalled("definition", arns.iter().copied()).await;
        let unknown = arns.iter().copied().filter(|arn| !known.contains_key(*arn));
        let asked = try_join_all(unknown.map(|arn| async move {
            let body = json!({ "taskDefinition": arn });
            let told: Result<Described> = self.call(DEFINITIONS, "DescribeTaskDefinition", &body).await;
            match told {
                Ok(Described { task_definition }) => {
                    complete("DescribeTaskDefinition", &[arn], [task_definition.arn.as_str()].into_iter(), &[])?;
                    let images = task_definition.container_definitions.into_iter().map(|container| container.image);
                    Ok(Some((arn, images.collect())))
                }
                Err(error) if error.kind == Kind::Invalid && !in_use.contains(arn) => Ok(None),
                Err(error) => Err(error),
            }
        }));
        let new: Vec<(&str, Vec<String>)> = asked.await?.into_iter().flatten().collect();
        self.keep("definition", new.iter().map(|(arn, images)| (*arn, images))).await;
        known.extend(new.into_iter().map(|(arn, images)| (arn.to_owned(), images)));
        Ok(known)
    }

    /// What earlier runs kept.
    async fn recalled<'n, T: DeserializeOwned>(
        &self,
        kind: &str,
        arns: impl Iterator<Item = &'n str>,
    ) -> BTreeMap<String, T> {
        let arns: Vec<&str> = arns.collect();
        let names: Vec<_> = arns.iter().map(|arn| self.api.named(&format!("{kind} {arn}"))).collect();
        let kept = self.asker.kept().answers(&names).await.into_iter();
        let read = |(arn, kept): (&str, Option<String>)| Some((arn.to_owned(), serde_json::from_str(&kept?).ok()?));
        arns.into_iter().zip(kept).filter_map(read).collect()
    }

    async fn keep<'n, T: serde::Serialize + 'n>(&self, kind: &str, new: impl Iterator<Item = (&'n str, &'n T)>) {
        let text = |(arn, what): (&str, &T)| {
            Some((self.api.named(&format!("{kind} {arn}")), serde_json::to_string(what).ok()?))
        };
        let new: Vec<_> = new.filter_map(text).collect();
        self.asker.kept().put_answers(new).await;
    }
}

/// What vanished since it was listed uses nothing.
async fn gone<T: Default>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    match asked.await {
        Err(error) if error.kind == Kind::NotFound => Ok(T::default()),
        other => other,
    }
}

/// Refuses an answer that is about something else, or leaves something out for any other reason than that it vanished.
fn complete<'t>(
    action: &str,
    asked: &[impl AsRef<str>],
    told: impl Iterator<Item = &'t str>,
    failures: &[Failed],
) -> Result<()> {
    let wrong = |why: String| Err(Error::new(Kind::Unreadable, format!("{action} {why}")));
    let mut open: BTreeSet<&str> = asked.iter().map(AsRef::as_ref).collect();
    for arn in told {
        if !open.remove(arn) {
            return wrong(format!("tells about {arn}, which was not asked for"));
        }
    }
    let vanished = |failure: &&Failed| failure.reason.as_deref() == Some("MISSING");
    if let Some(other) = failures.iter().find(|failure| !vanished(failure)) {
        let (arn, reason) = (other.arn.as_deref().unwrap_or("something"), other.reason.as_deref().unwrap_or("?"));
        return wrong(format!("does not tell about {arn}: {reason}"));
    }
    match open.first() {
        Some(arn) if open.len() > failures.len() => wrong(format!("does not tell about {arn}, and does not say why")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_leaves_something_out_is_worthless_unless_it_vanished() {
        let failed = |reason: &str| Failed { arn: Some("b".into()), reason: Some(reason.into()) };
        let check = |told: &[&str], failures: &[Failed]| complete("X", &["a", "b"], told.iter().copied(), failures);
        assert!(check(&["a"], &[failed("MISSING")]).is_ok());
        assert!(check(&["b", "a"], &[]).is_ok());
        for (told, failures) in [
            (&["a"][..], vec![]),
            (&["a"], vec![failed("ACCESS")]),
            (&["a", "b"], vec![failed("ACCESS")]),
            (&["a", "c"], vec![]),
            (&["a", "a"], vec![]),
        ] {
            assert_eq!(check(told, &failures).unwrap_err().kind, Kind::Unreadable, "{told:?}");
        }
    }
}
