//! Who uses container images in ECS: running tasks by the digests of their containers; services by their revisions, those
//! that a rollback returns to among them; and by name the task definitions of all these, of what EventBridge starts, and
//! the newest of each family.
//!
//! Data flow: clusters with their services, their tasks and the rules that start tasks in them, the schedules, and the
//! active task definitions are listed side by side. What they name is described, each task definition once: revisions of
//! services and task definitions never change, so they are kept from run to run.

mod asking;
mod clusters;
mod decode;
mod definitions;
mod rules;
mod schedules;
mod start;

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::{join3, try_join, try_join_all, try_join3};
use serde_json::json;

use self::{
    asking::Asking, clusters::Cluster, decode::name_of, definitions::Active, rules::Rules, schedules::Schedules,
    start::Start,
};
use super::{
    account,
    call::{Api, NOTHING, Try},
    errors::Row,
};
use crate::{
    error::{Kind, Result},
    store::{Asker, Found, Limit, Permission, Revisions, Source, User, Uses},
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

pub struct Ecs {
    pub api: Api,
    pub events: Api,
    pub scheduler: Api,
    pub revisions: Revisions,
}

#[async_trait]
impl Source for Ecs {
    fn name(&self) -> String {
        self.api.name()
    }

    async fn users(&self, asker: &dyn Asker) -> Result<Found> {
        let asking = Asking { api: &self.api, asker };
        let (rules, schedules) = (Rules { api: &self.events, asker }, Schedules { api: &self.scheduler, asker });
        let clusters = async {
            let arns = asking.clusters().await?;
            let clusters = try_join_all(arns.iter().map(|arn| asking.cluster(arn)));
            let (clusters, started) = try_join(clusters, rules.starts(&arns)).await?;
            Ok((arns, clusters, started))
        };
        let ((arns, clusters, mut starts), scheduled, active) =
            try_join3(clusters, schedules.starts(), asking.active()).await?;
        starts.extend(scheduled);
        let newest = active.newest(self.revisions.most());
        let (started, mut doubts) = started(&starts, &active);
        let of_clusters: BTreeSet<&str> = clusters
            .iter()
            .flat_map(|cluster| cluster.named.iter().map(|(definition, _)| definition.as_str()))
            .collect();
        let others = started.iter().map(|(_, definition)| *definition).chain(newest.iter().map(String::as_str));
        let all: BTreeSet<&str> = of_clusters.iter().copied().chain(others).collect();
        let definitions = asking.definitions(&all, &of_clusters).await?;
        let count = |number: fn(&Cluster) -> usize| clusters.iter().map(number).sum();
        let seen = vec![
            (arns.len(), ["cluster", "clusters"]),
            (count(|cluster| cluster.services), ["service", "services"]),
            (count(|cluster| cluster.tasks), ["running task", "running tasks"]),
            (starts.iter().map(|start| &start.who).collect::<BTreeSet<_>>().len(), ["schedule", "schedules"]),
            (definitions.len(), ["task definition", "task definitions"]),
        ];
        let account = arns.first().or(newest.first()).and_then(|arn| account(arn));
        let mut users = Vec::new();
        let mut named = Vec::new();
        for cluster in clusters {
            users.extend(cluster.users);
            named.extend(cluster.named);
        }
        for (who, definition) in started {
            if !definitions.contains_key(definition) {
                doubts.push(start::of_nothing(who, definition));
            }
            named.push((definition.to_owned(), format!("{who}, task definition {}", name_of(definition))));
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
        Ok(Found { users, seen, account, doubts })
    }

    async fn permissions(&self) -> Vec<Permission> {
        let in_cluster = |name: &str| json!({ "cluster": NOTHING, name: [NOTHING] });
        let tries = [
            Try::Target("ecs:ListClusters", TARGET, json!({ "maxResults": 1 })),
            Try::Target("ecs:ListServices", TARGET, json!({ "cluster": NOTHING })),
            Try::Target("ecs:DescribeServices", TARGET, in_cluster("services")),
            Try::Target("ecs:ListServiceDeployments", TARGET, json!({ "cluster": NOTHING, "service": NOTHING })),
            Try::Target("ecs:DescribeServiceRevisions", TARGET, json!({ "serviceRevisionArns": [NOTHING] })),
            Try::Target("ecs:ListTasks", TARGET, json!({ "cluster": NOTHING })),
            Try::Target("ecs:DescribeTasks", TARGET, in_cluster("tasks")),
            Try::Target("ecs:ListTaskDefinitions", TARGET, json!({ "maxResults": 1 })),
            Try::Target("ecs:DescribeTaskDefinition", TARGET, json!({ "taskDefinition": NOTHING })),
        ];
        let (mut of_ecs, of_rules, of_schedules) = join3(
            self.api.permissions(CODES, &tries),
            rules::permissions(&self.events),
            schedules::permissions(&self.scheduler),
        )
        .await;
        of_ecs.extend(of_rules);
        of_ecs.extend(of_schedules);
        of_ecs
    }
}

/// What starts which revision, and what is to be told of those that name none.
fn started<'s>(starts: &'s [Start], active: &'s Active) -> (Vec<(&'s str, &'s str)>, Vec<String>) {
    let (mut started, mut doubts) = (Vec::new(), Vec::new());
    for Start { who, definition } in starts {
        match definition {
            Ok(definition) => match active.revision(definition) {
                Some(revision) => started.push((who.as_str(), revision)),
                None => doubts.push(start::of_nothing(who, definition)),
            },
            Err(why) => doubts.push(format!("{who} {why}, so it keeps no image")),
        }
    }
    (started, doubts)
}
