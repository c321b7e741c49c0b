//! What a realistic account runs of its own images: services in ECS with their history, tasks that EventBridge starts,
//! functions in Lambda, and what Amazon Inspector saw.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    World,
    ecr::{ACCOUNT, REGION},
    ecs::Container,
    events::Rule,
    lambda::{Code, Function},
    scheduler::{RUN_TASK, Schedule},
};

/// Runs some of the images that are there.
pub(super) fn fill(world: &mut World, now: DateTime<Utc>) {
    service(world, "app", "team/app", now);
    service(world, "api", "team/api", now);
    if let Some((_, digest)) = tagged(world, "base/alpine").pop() {
        world.inspector.saw(REGION, "base/alpine", &digest, 3);
    }
    let builds = tagged(world, "tools/ci");
    if let [(image, digest), ..] = &builds[..] {
        let ecs = world.ecs.region(REGION);
        let job = ecs.define("ci-job", &[image]);
        ecs.run("batch", &job, &[Container::new(image, Some(digest))]);
    }
    scheduled(world, &builds);
    // Functions take no indexes.
    if let [_, (image, digest), ..] = &builds[..] {
        let code = || Code::Image(image.clone(), resolved("tools/ci", digest));
        let thumbs = Function { versions: vec![code(), code()], aliases: [("live".into(), "1".into())].into() };
        let functions = world.lambda.functions(REGION);
        functions.insert("thumbs".into(), thumbs);
        functions.insert("mail".into(), Function { versions: vec![Code::Zip], ..Function::default() });
    }
}

/// Reports that rules and schedules start: the oldest revisions of a family are named by nothing else.
fn scheduled(world: &mut World, builds: &[(String, String)]) {
    let Some(images) = builds.get(2..12) else { return };
    let ecs = world.ecs.region(REGION);
    let revisions: Vec<String> = images.iter().map(|(image, _)| ecs.define("report", &[image])).collect();
    let (cluster, definition) = (ecs.arn("cluster/batch"), |name: &str| ecs.arn(&format!("task-definition/{name}")));
    let nightly = Rule::default().starting(&cluster, &definition(&revisions[0]));
    world.events.rules(REGION, "default").insert("nightly-report".into(), nightly);
    let latest = Rule::default().starting(&cluster, &definition("report"));
    world.events.rules(REGION, "orders").insert("order-report".into(), latest);
    let yearly = Schedule::starting(&cluster, &definition(&revisions[1])).disabled();
    world.scheduler.add(REGION, "finance", "yearly-report", yearly);
    let input = format!(r#"{{"Cluster":"batch","TaskDefinition":"{}"}}"#, revisions[2]);
    world.scheduler.add(REGION, "default", "weekly-report", Schedule::calling(RUN_TASK, &input));
}

/// A service of this name that was deployed with some of the repository's tags, one after the other.
fn service(world: &mut World, name: &str, repository: &str, now: DateTime<Utc>) {
    let images = tagged(world, repository);
    let step = (images.len() / 4).max(1);
    let deployed: Vec<_> = images.iter().rev().step_by(step).take(3).rev().collect();
    let ecs = world.ecs.region(REGION);
    for (number, (image, digest)) in deployed.iter().enumerate() {
        let definition = ecs.define(name, &[image]);
        let at = now - TimeDelta::days(30 * (deployed.len() - number) as i64);
        ecs.deploy("prod", name, &definition, &[Container::new(image, Some(digest))], at);
    }
}

/// A repository's tagged images as they are pulled, with their digests, the oldest first.
fn tagged(world: &World, repository: &str) -> Vec<(String, String)> {
    let all = world.ecr.repositories(REGION).filter(|(name, _)| *name == repository);
    let mut images: Vec<_> = all.flat_map(|(_, known)| known.images()).collect();
    images.sort_by_key(|image| (image.pushed_at, image.manifest.digest));
    let names = images.into_iter().filter_map(|image| {
        let tag = image.tags.iter().find(|tag| !tag.starts_with("sha256-"))?;
        Some((format!("{}:{tag}", uri(repository)), image.manifest.digest.to_string()))
    });
    names.collect()
}

fn uri(repository: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}")
}

fn resolved(repository: &str, digest: &str) -> String {
    format!("{}@{digest}", uri(repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_world_runs_some_of_its_images_and_an_empty_one_nothing() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut world = World::seeded(1, 300, now);
        let ecs = world.ecs.region(REGION);
        assert_eq!(ecs.clusters["prod"].services.len(), 2);
        assert_eq!(ecs.clusters["prod"].services["app"].revisions.len(), 3);
        assert_eq!(ecs.clusters["batch"].tasks.len(), 1);
        assert_eq!(world.lambda.functions(REGION).len(), 2);
        assert!(World::seeded(1, 0, now).ecs.region(REGION).clusters.is_empty());
    }
}
