//! The operations, each as its page of the API reference describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Cluster, Region, Revision,
    state::{Container, Service},
};
use crate::sandbox::{
    door::{Door, page, paged},
    ecr::refusal::{Refusal, invalid},
};

/// The parameters of all operations together.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    cluster: Option<String>,
    services: Option<Vec<String>>,
    tasks: Option<Vec<String>>,
    service: Option<String>,
    service_revision_arns: Option<Vec<String>>,
    #[serde(default)]
    status: Value,
    sort: Option<String>,
    family_prefix: Option<String>,
    task_definition: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// The names of [`answer`].
pub(super) const OPERATIONS: [&str; 9] = [
    "ListClusters",
    "ListServices",
    "ListTasks",
    "ListTaskDefinitions",
    "ListServiceDeployments",
    "DescribeServices",
    "DescribeTasks",
    "DescribeServiceRevisions",
    "DescribeTaskDefinition",
];

pub(super) fn answer(operation: &str, region: &Region, door: &Door, asked: &Asked) -> Result<Value, Refusal> {
    match operation {
        "ListClusters" => list_clusters(region, door, asked),
        "ListServices" => list_services(region, door, asked),
        "ListTasks" => list_tasks(region, door, asked),
        "ListTaskDefinitions" => list_definitions(region, door, asked),
        "ListServiceDeployments" => list_deployments(region, door, asked),
        "DescribeServices" => describe_services(region, asked),
        "DescribeTasks" => describe_tasks(region, asked),
        "DescribeServiceRevisions" => describe_revisions(region, asked),
        "DescribeTaskDefinition" => describe_definition(region, asked),
        other => Err(Refusal::new("UnknownOperationException", format!("Unknown operation {other}"))),
    }
}

/// The size of a page, 100 at most.
fn size(door: &Door, asked: &Asked, usual: usize) -> Result<usize, Refusal> {
    match asked.max_results {
        None => Ok(door.size(usual)),
        Some(size @ 1..=100) => Ok(door.size(size as usize)),
        Some(_) => Err(invalid("maxResults must be between 1 and 100")),
    }
}

fn list<'k>(
    name: &str,
    all: impl Iterator<Item = (&'k str, Value)>,
    asked: &Asked,
    size: usize,
) -> Result<Value, Refusal> {
    Ok(paged(name, page(all, asked.next_token.as_deref(), size), "nextToken"))
}

/// The cluster that is meant, and its name.
fn cluster<'r>(region: &'r Region, asked: &Asked) -> Result<(&'r str, &'r Cluster), Refusal> {
    let name = asked.cluster.as_deref().unwrap_or("default");
    let name = name.rsplit('/').next().unwrap_or(name);
    match region.clusters.get_key_value(name) {
        Some((name, cluster)) if !cluster.vanished => Ok((name, cluster)),
        _ => Err(Refusal::new("ClusterNotFoundException", "Cluster not found.")),
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html>
fn list_clusters(region: &Region, door: &Door, asked: &Asked) -> Result<Value, Refusal> {
    let all = region.clusters.keys().map(|name| (name.as_str(), region.arn(&format!("cluster/{name}")).into()));
    list("clusterArns", all, asked, size(door, asked, 100)?)
}

/// Ten, unless more are asked for.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>
fn list_services(region: &Region, door: &Door, asked: &Asked) -> Result<Value, Refusal> {
    let (cluster, known) = cluster(region, asked)?;
    let arn = |name: &String| region.arn(&format!("service/{cluster}/{name}")).into();
    let all = known.services.keys().map(|name| (name.as_str(), arn(name)));
    list("serviceArns", all, asked, size(door, asked, 10)?)
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
fn list_tasks(region: &Region, door: &Door, asked: &Asked) -> Result<Value, Refusal> {
    let (cluster, known) = cluster(region, asked)?;
    let all = known.tasks.keys().map(|id| (id.as_str(), region.arn(&format!("task/{cluster}/{id}")).into()));
    list("taskArns", all, asked, size(door, asked, 100)?)
}

/// Sorted by family and revision, the newest first with `DESC`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html>
fn list_definitions(region: &Region, door: &Door, asked: &Asked) -> Result<Value, Refusal> {
    let inactive = match asked.status.as_str().unwrap_or("ACTIVE") {
        "ACTIVE" => false,
        "INACTIVE" => true,
        _ => return Err(invalid("status must be ACTIVE or INACTIVE")),
    };
    let of_family = |family: &&String| asked.family_prefix.as_ref().is_none_or(|prefix| prefix == *family);
    let mut names: Vec<String> = Vec::new();
    for family in region.families.keys().filter(of_family) {
        let revisions = region.families[family].iter().enumerate();
        let kept = revisions.filter(|(_, definition)| definition.inactive == inactive);
        names.extend(kept.map(|(number, _)| format!("{family}:{}", number + 1)));
    }
    if asked.sort.as_deref() == Some("DESC") {
        names.reverse();
    }
    // Pages go on by place: names are not in the order of letters.
    let places: Vec<String> = (0..names.len()).map(|place| format!("{place:09}")).collect();
    let arn = |name: &String| region.arn(&format!("task-definition/{name}")).into();
    let all = places.iter().zip(&names).map(|(place, name)| (place.as_str(), arn(name)));
    list("taskDefinitionArns", all, asked, size(door, asked, 100)?)
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html>
fn list_deployments(region: &Region, door: &Door, asked: &Asked) -> Result<Value, Refusal> {
    let (cluster, known) = cluster(region, asked)?;
    let name = asked.service.as_deref().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or(name);
    let missing = || Refusal::new("ServiceNotFoundException", "Service not found.");
    let service = known.services.get(name).ok_or_else(missing)?;
    if service.controller.is_some() {
        return Err(invalid("The service does not use the ECS deployment controller."));
    }
    let wanted: Vec<&str> = asked.status.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let status = |revision: &Revision| if revision.successful { "SUCCESSFUL" } else { "IN_PROGRESS" };
    let fits = |revision: &&Revision| wanted.is_empty() || wanted.contains(&status(revision));
    let all = service.revisions.iter().filter(fits).map(|revision| {
        let deployment = json!({
            "serviceDeploymentArn": region.arn(&format!("service-deployment/{cluster}/{name}/{}", revision.id)),
            "targetServiceRevisionArn": revision_arn(region, cluster, name, revision),
            "status": status(revision),
            "createdAt": revision.deployed.timestamp_millis() as f64 / 1000.0,
        });
        (revision.id.as_str(), deployment)
    });
    list("serviceDeployments", all, asked, size(door, asked, 20)?)
}

fn revision_arn(region: &Region, cluster: &str, service: &str, revision: &Revision) -> String {
    region.arn(&format!("service-revision/{cluster}/{service}/{}", revision.id))
}

/// The things that are asked for by name, and failures for those that are not there.
fn described(
    name: &str,
    asked: Option<&Vec<String>>,
    most: usize,
    find: impl Fn(&str) -> Option<Value>,
) -> Result<Value, Refusal> {
    let asked = asked.filter(|asked| !asked.is_empty()).ok_or_else(|| invalid(format!("{name} cannot be empty.")))?;
    if asked.len() > most {
        return Err(invalid(format!("{name}: at most {most} at once")));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for asked in asked {
        match find(asked.rsplit('/').next().unwrap_or(asked)) {
            Some(value) => found.push(value),
            None => failures.push(json!({ "arn": asked, "reason": "MISSING" })),
        }
    }
    Ok(json!({ name: found, "failures": failures }))
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
fn describe_services(region: &Region, asked: &Asked) -> Result<Value, Refusal> {
    let (cluster, known) = cluster(region, asked)?;
    described("services", asked.services.as_ref(), 10, |name| {
        let service: &Service = known.services.get(name)?;
        let definition = |name: &String| region.arn(&format!("task-definition/{name}"));
        let current = service.revisions.iter().filter(|revision| revision.current);
        let current: Vec<_> =
            current.map(|revision| json!({ "arn": revision_arn(region, cluster, name, revision) })).collect();
        let primary = [("PRIMARY", &service.definition)];
        let others = service.deployments.iter().map(|name| ("ACTIVE", name));
        let deployments: Vec<_> = primary
            .into_iter()
            .chain(others)
            .map(|(status, name)| json!({ "status": status, "taskDefinition": definition(name) }))
            .collect();
        let task_sets: Vec<_> =
            service.task_sets.iter().map(|name| json!({ "taskDefinition": definition(name) })).collect();
        Some(json!({
            "serviceArn": region.arn(&format!("service/{cluster}/{name}")),
            "serviceName": name,
            "clusterArn": region.arn(&format!("cluster/{cluster}")),
            "status": "ACTIVE",
            "taskDefinition": definition(&service.definition),
            "deploymentController": { "type": service.controller.as_deref().unwrap_or("ECS") },
            "deployments": if service.controller.is_some() { Vec::new() } else { deployments },
            "taskSets": task_sets,
            "currentServiceRevisions": current,
        }))
    })
}

fn container(container: &Container) -> Value {
    let mut shown = json!({ "name": "main", "containerName": "main", "image": container.image });
    if let Some(digest) = &container.digest {
        shown["imageDigest"] = digest.clone().into();
    }
    shown
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
fn describe_tasks(region: &Region, asked: &Asked) -> Result<Value, Refusal> {
    let (cluster, known) = cluster(region, asked)?;
    described("tasks", asked.tasks.as_ref(), 100, |id| {
        let task = known.tasks.get(id)?;
        Some(json!({
            "taskArn": region.arn(&format!("task/{cluster}/{id}")),
            "clusterArn": region.arn(&format!("cluster/{cluster}")),
            "taskDefinitionArn": region.arn(&format!("task-definition/{}", task.definition)),
            "group": task.group,
            "lastStatus": "RUNNING",
            "containers": task.containers.iter().map(container).collect::<Vec<_>>(),
        }))
    })
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html>
fn describe_revisions(region: &Region, asked: &Asked) -> Result<Value, Refusal> {
    let mut all: BTreeMap<&str, Value> = BTreeMap::new();
    for (cluster, known) in &region.clusters {
        for (service, of) in &known.services {
            all.extend(of.revisions.iter().map(|revision| {
                let shown = json!({
                    "serviceRevisionArn": revision_arn(region, cluster, service, revision),
                    "serviceArn": region.arn(&format!("service/{cluster}/{service}")),
                    "taskDefinition": region.arn(&format!("task-definition/{}", revision.definition)),
                    "containerImages": revision.containers.iter().map(container).collect::<Vec<_>>(),
                });
                (revision.id.as_str(), shown)
            }));
        }
    }
    described("serviceRevisions", asked.service_revision_arns.as_ref(), 20, |id| all.get(id).cloned())
}

/// An inactive revision can be described only while something runs it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html>
fn describe_definition(region: &Region, asked: &Asked) -> Result<Value, Refusal> {
    let unknown = || Refusal::new("ClientException", "Unable to describe task definition.");
    let name = asked.task_definition.as_deref().ok_or_else(|| invalid("taskDefinition cannot be empty."))?;
    let (name, definition) = region.definition(name).ok_or_else(unknown)?;
    if definition.inactive && !region.uses(&name) {
        return Err(unknown());
    }
    let (family, revision) = name.split_once(':').unwrap_or_default();
    let containers: Vec<_> = definition
        .images
        .iter()
        // Secrets stand here too, which no client must log.
        .map(|image| json!({ "name": "main", "image": image, "environment": [{ "name": "A", "value": "hunter2" }] }))
        .collect();
    Ok(json!({ "taskDefinition": {
        "taskDefinitionArn": region.arn(&format!("task-definition/{name}")),
        "family": family,
        "revision": revision.parse::<u64>().unwrap_or_default(),
        "status": if definition.inactive { "INACTIVE" } else { "ACTIVE" },
        "containerDefinitions": containers,
    } }))
}
