//! The parts of ECS's answers that tell what uses an image. A list that must be there and is not makes an answer
//! unreadable: an empty one would mean that nothing is in use.

use serde::{Deserialize, Serialize};

use crate::store::Uses;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clusters {
    pub cluster_arns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceArns {
    pub service_arns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskArns {
    pub task_arns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionArns {
    pub task_definition_arns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployments {
    pub service_deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
pub struct Services {
    pub services: Vec<Service>,
    #[serde(default)]
    pub failures: Vec<Failed>,
}

#[derive(Deserialize)]
pub struct Tasks {
    pub tasks: Vec<Task>,
    #[serde(default)]
    pub failures: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revisions {
    pub service_revisions: Vec<Revision>,
    #[serde(default)]
    pub failures: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    pub task_definition: Definition,
}

/// Something that an answer does not tell about.
#[derive(Deserialize)]
pub struct Failed {
    pub arn: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    pub service_arn: String,
    pub service_name: String,
    task_definition: Option<String>,
    #[serde(default)]
    deployments: Vec<Naming>,
    /// Of other deployment controllers than ECS itself.
    #[serde(default)]
    task_sets: Vec<Naming>,
    #[serde(default)]
    pub current_service_revisions: Vec<Current>,
    deployment_controller: Option<Controller>,
}

/// Something that names a task definition.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Naming {
    task_definition: Option<String>,
}

#[derive(Clone, Deserialize)]
pub struct Current {
    pub arn: String,
}

#[derive(Clone, Deserialize)]
struct Controller {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    pub task_arn: String,
    pub task_definition_arn: String,
    /// `service:NAME` of a task that a service runs.
    group: Option<String>,
    containers: Vec<Running>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    image: String,
    /// Absent until the image was pulled.
    image_digest: Option<String>,
}

/// A revision of a service. It never changes once its digests are known.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    #[serde(rename = "serviceRevisionArn")]
    pub arn: String,
    pub task_definition: String,
    #[serde(default)]
    container_images: Vec<Running>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    #[serde(rename = "taskDefinitionArn")]
    pub arn: String,
    pub container_definitions: Vec<Container>,
}

#[derive(Deserialize)]
pub struct Container {
    pub image: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    target_service_revision_arn: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    created_at: f64,
}

impl Service {
    /// The task definitions that it runs or starts: of itself, of its deployments and of its task sets.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        let deployed = self.deployments.iter().chain(&self.task_sets).map(|naming| &naming.task_definition);
        std::iter::once(&self.task_definition).chain(deployed).filter_map(|name| name.as_deref())
    }

    /// Only these have service deployments.
    pub fn is_deployed_by_ecs(&self) -> bool {
        self.deployment_controller.as_ref().is_none_or(|controller| controller.kind == "ECS")
    }
}

impl Task {
    /// Who runs it.
    pub fn who(&self, cluster: &str) -> String {
        let definition = name_of(&self.task_definition_arn);
        match self.group.as_deref().and_then(|group| group.strip_prefix("service:")) {
            Some(service) => service_words(service, cluster, definition),
            None => format!("ECS task {} in cluster {cluster}, task definition {definition}", name_of(&self.task_arn)),
        }
    }

    pub fn images(&self) -> impl Iterator<Item = Uses> {
        self.containers.iter().map(Running::uses)
    }
}

/// `ECS service web in cluster prod, task definition web:41`
pub fn service_words(service: &str, cluster: &str, definition: &str) -> String {
    format!("ECS service {service} in cluster {cluster}, task definition {definition}")
}

impl Running {
    /// The digest that runs, wherever the tag points to by now.
    fn uses(&self) -> Uses {
        match &self.image_digest {
            Some(digest) => Uses::Named(format!("{}@{digest}", self.image.split('@').next().unwrap_or_default())),
            None => Uses::Named(self.image.clone()),
        }
    }
}

impl Revision {
    pub fn images(&self) -> impl Iterator<Item = Uses> {
        self.container_images.iter().map(Running::uses)
    }

    /// Whether it tells the digest of every container.
    pub fn is_resolved(&self) -> bool {
        !self.container_images.is_empty() && self.container_images.iter().all(|image| image.image_digest.is_some())
    }
}

impl Deployments {
    /// The newest distinct revisions that were deployed.
    pub fn newest(pages: Vec<Self>, count: usize) -> Vec<String> {
        let mut all: Vec<Deployment> = pages.into_iter().flat_map(|page| page.service_deployments).collect();
        all.sort_by(|one, other| other.created_at.total_cmp(&one.created_at));
        let mut newest: Vec<String> = Vec::new();
        for revision in all.into_iter().filter_map(|deployment| deployment.target_service_revision_arn) {
            if newest.len() < count && !newest.contains(&revision) {
                newest.push(revision);
            }
        }
        newest
    }
}

/// The name at the end of an Amazon resource name: of a cluster or task, or `FAMILY:REVISION`.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_uses_the_digest_that_runs_in_every_form_of_its_name() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let other = format!("sha256:{}", "b".repeat(64));
        for (image, resolved, uses) in [
            ("host/app:v1", Some(&digest), format!("host/app:v1@{digest}")),
            ("host/app", Some(&digest), format!("host/app@{digest}")),
            (&format!("host/app:v1@{other}"), Some(&digest), format!("host/app:v1@{digest}")),
            ("host/app:v1", None, "host/app:v1".into()),
        ] {
            let running = Running { image: image.into(), image_digest: resolved.cloned() };
            assert_eq!(running.uses(), Uses::Named(uses));
        }
    }

    #[test]
    fn a_rollback_returns_to_the_newest_distinct_revisions_that_were_deployed() {
        let page = |deployments: &[(f64, &str)]| {
            let deployment = |(created_at, arn): &(f64, &str)| Deployment {
                target_service_revision_arn: Some((*arn).into()),
                created_at: *created_at,
            };
            Deployments { service_deployments: deployments.iter().map(deployment).collect() }
        };
        let pages = vec![page(&[(3.0, "b"), (1.0, "a")]), page(&[(2.5, "b"), (4.0, "c")])];
        assert_eq!(Deployments::newest(pages, 2), ["c", "b"]);
    }

    #[test]
    fn a_listing_without_its_list_cannot_be_read() {
        assert!(serde_json::from_str::<TaskArns>("{}").is_err());
        assert!(serde_json::from_str::<Services>(r#"{"failures":[]}"#).is_err());
        assert!(serde_json::from_str::<Tasks>(r#"{"tasks":[],"failures":[]}"#).is_ok());
    }
}
