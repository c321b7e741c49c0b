//! The jobs: the world that each begins in, the command that does it, and the least calls that could.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    World,
    ecr::{
        REGION,
        manifest::{Blob, Manifest},
    },
};
use serde_json::{Value, json};

use crate::floor::{Call, Floor};

/// How the service limits calls.
#[derive(Clone, Copy, PartialEq)]
pub enum Limit {
    None,
    /// So many a second, for each operation, after as many at once.
    Bucket(u32),
    /// So many within any second, as the provider publishes.
    Window(u32),
}

/// What a peer is told to do.
#[derive(Clone, Copy, PartialEq)]
pub enum Task {
    Delete,
    Get,
    List,
    Other,
}

pub struct Job {
    pub name: &'static str,
    pub count: usize,
    pub latency: Duration,
    pub limit: Limit,
    pub task: Task,
    pub world: Box<dyn Fn() -> World>,
    pub command: Vec<String>,
    pub stdin: String,
    /// What runs before, unmeasured: its output is the standard input.
    pub before: Option<Vec<String>>,
    pub floor: Floor,
    /// Images of ECR that the job is about, for peers.
    pub digests: Vec<String>,
}

/// An image of its own with one layer.
fn image(repository: usize, number: usize) -> Manifest {
    Manifest::of_layers(&format!("{repository}/{number}"), vec![Blob::layer(&format!("layer {repository}/{number}"))])
}

/// A world with this many images in each of some repositories, each with a tag, two months old.
fn ecr(repositories: usize, images: usize) -> World {
    let (mut world, at) = (World::default(), Utc::now() - TimeDelta::days(60));
    for repository in 0..repositories {
        let filled = world.ecr.repository(REGION, &name(repository), at);
        for number in 0..images {
            filled.push(&image(repository, number), &[&format!("v{number}")], at);
        }
    }
    world
}

fn name(repository: usize) -> String {
    format!("app/{repository:03}")
}

fn digests(count: usize) -> Vec<String> {
    (0..count).map(|number| image(0, number).digest.to_string()).collect()
}

/// Calls about these ids, a hundred in each.
fn calls(operation: &'static str, ids: &[Value]) -> Vec<Call> {
    let body = |ids: &[Value]| match operation {
        "BatchCheckLayerAvailability" => json!({ "repositoryName": name(0), "layerDigests": ids }),
        "DescribeImages" => json!({ "repositoryName": name(0), "imageIds": ids, "filter": { "imageStatus": "ANY" } }),
        _ => json!({ "repositoryName": name(0), "imageIds": ids }),
    };
    ids.chunks(100).map(|ids| Call { operation, body: body(ids) }).collect()
}

fn by_digest(digests: &[String]) -> Vec<Value> {
    digests.iter().map(|digest| json!({ "imageDigest": digest })).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

pub fn all() -> Vec<Job> {
    let delete = |count, latency| job("delete digests", count, latency);
    let mut jobs = vec![
        delete(1_000, 50),
        delete(10_000, 0),
        delete(10_000, 50),
        delete(100_000, 50),
        get(5_000, 50),
        check_layers(1_000, 50),
        tags("delete tags", 5_000, ""),
        tags("delete --all-tags", 10_000, " --all-tags"),
        list("list", 1, 100_000, 0),
        list("list", 1, 100_000, 50),
        list("list of 100 repositories", 100, 100, 50),
        list("list of 200 repositories", 200, 10, 50),
        prune(20_000, 50),
        saved(20_000, 50),
        get(1, 0),
        cvm(60),
        cvm(600),
    ];
    // The same without a record of the run, which reads every manifest.
    for recorded in [delete(10_000, 50), delete(100_000, 50), Job { limit: Limit::Bucket(20), ..delete(10_000, 20) }] {
        let command = [recorded.command, words("--no-record")].concat();
        let floor = Floor::Stages(vec![calls("BatchDeleteImage", &by_digest(&recorded.digests))]);
        jobs.push(Job { name: "delete digests, no record", command, floor, ..recorded });
    }
    for (rate, count) in [(5, 3_000), (20, 10_000), (50, 20_000), (100, 30_000)] {
        jobs.push(Job { limit: Limit::Bucket(rate), ..delete(count, 20) });
    }
    jobs
}

fn job(name: &'static str, count: usize, latency: u64) -> Job {
    let digests = digests(count);
    let refs: Vec<_> = digests.iter().map(|digest| format!("ecr:{}@{digest}\n", self::name(0))).collect();
    Job {
        name,
        count,
        latency: Duration::from_millis(latency),
        limit: Limit::None,
        task: Task::Delete,
        world: Box::new(move || ecr(1, count)),
        command: words("delete - --yes -o ndjson"),
        stdin: refs.concat(),
        before: None,
        floor: recorded(by_digest(&digests), &digests),
        digests,
    }
}

/// The least calls of a deletion that is recorded: a look at each batch, a reading of its manifests, and the deletion.
fn recorded(looked: Vec<Value>, digests: &[String]) -> Floor {
    let ids = by_digest(digests);
    let stages = [calls("DescribeImages", &looked), calls("BatchGetImage", &ids), calls("BatchDeleteImage", &ids)];
    let [looks, reads, deletions] = stages.map(Vec::into_iter);
    Floor::Chains(looks.zip(reads).zip(deletions).map(|((look, read), delete)| vec![look, read, delete]).collect())
}

fn get(count: usize, latency: u64) -> Job {
    let job = job(if count == 1 { "get one image" } else { "get" }, count, latency);
    let floor = Floor::Stages(vec![calls("DescribeImages", &by_digest(&job.digests))]);
    Job { task: Task::Get, command: words("get - -o ndjson"), floor, ..job }
}

fn check_layers(count: usize, latency: u64) -> Job {
    let layers: Vec<_> =
        (0..count).map(|number| Blob::layer(&format!("layer 0/{number}")).digest.to_string()).collect();
    let mut command = vec!["check-layers".to_owned(), format!("ecr:{}", name(0))];
    command.extend(layers.iter().cloned());
    command.extend(words("-o ndjson"));
    let ids: Vec<_> = layers.into_iter().map(Value::String).collect();
    let floor = Floor::Stages(vec![calls("BatchCheckLayerAvailability", &ids)]);
    Job { task: Task::Other, command, stdin: String::new(), floor, ..job("check-layers", count, latency) }
}

fn tags(name: &'static str, count: usize, flag: &str) -> Job {
    let job = job(name, count, 50);
    let refs: Vec<_> = (0..count).map(|number| format!("ecr:{}:v{number}\n", self::name(0))).collect();
    let looked: Vec<_> = (0..count).map(|number| json!({ "imageTag": format!("v{number}") })).collect();
    Job {
        task: Task::Other,
        command: words(&format!("delete - --yes -o ndjson{flag}")),
        stdin: refs.concat(),
        floor: recorded(looked, &job.digests),
        ..job
    }
}

fn list(name: &'static str, repositories: usize, images: usize, latency: u64) -> Job {
    let pattern = if repositories == 1 { self::name(0) } else { "app/*".into() };
    Job {
        name,
        count: repositories * images,
        latency: Duration::from_millis(latency),
        limit: Limit::None,
        task: if repositories == 1 { Task::List } else { Task::Other },
        world: Box::new(move || ecr(repositories, images)),
        command: words(&format!("list ecr:{pattern} -o ndjson")),
        stdin: String::new(),
        before: None,
        floor: Floor::Listing {
            repositories: (0..repositories).map(self::name).collect(),
            pages: images.div_ceil(1000),
            find: repositories > 1,
        },
        digests: Vec::new(),
    }
}

/// A dry run in which every tenth image is an index that nothing on disk knows.
fn prune(count: usize, latency: u64) -> Job {
    let index = |number| Manifest::index(&[(&image(0, number), "linux/amd64")]);
    let indexes: Vec<_> = (0..count / 10).map(|number| index(number).digest.to_string()).collect();
    let world = move || {
        let (mut world, at) = (ecr(1, count - count / 10), Utc::now() - TimeDelta::days(60));
        let filled = world.ecr.repository(REGION, &name(0), at);
        for number in 0..count / 10 {
            filled.push(&index(number), &[&format!("multi{number}")], at);
        }
        world
    };
    Job {
        world: Box::new(world),
        command: words(&format!(
            "prune ecr:{} --older-than 30d --dry-run --max-delete {count} --max-percent 100 --allow-empty -o ndjson",
            name(0)
        )),
        floor: Floor::Both(
            Box::new(Floor::Listing { repositories: vec![name(0)], pages: count.div_ceil(1000), find: false }),
            Box::new(Floor::Stages(vec![calls("BatchGetImage", &by_digest(&indexes))])),
        ),
        ..list("prune plan, nothing on disk", 1, count, latency)
    }
}

/// A saved plan that deletes two thirds of a repository, which is listed again first.
fn saved(count: usize, latency: u64) -> Job {
    let goes = count * 2 / 3;
    let plan = "prune ecr:app/000 --tag v* --older-than 30d --dry-run --show deleted -o json --no-default-protect";
    let limits = format!(" --max-delete {count} --max-percent 100 --keep {}", count - goes);
    let job = job("delete a saved plan", count, latency);
    // All were pushed at one time; which of them stay does not matter to the floor.
    let floor = Floor::Then(
        Box::new(Floor::Listing { repositories: vec![name(0)], pages: count.div_ceil(1000), find: false }),
        Box::new(recorded(by_digest(&job.digests[..goes]), &job.digests[..goes])),
    );
    let before = Some(words(&format!("{plan}{limits}")));
    Job { task: Task::Other, command: words("delete - --yes -o ndjson"), stdin: String::new(), before, floor, ..job }
}

fn cvm(count: usize) -> Job {
    let id = |number| format!("img-{number:08}");
    Job {
        name: "CVM delete",
        count,
        latency: Duration::from_millis(50),
        limit: Limit::Window(10),
        task: Task::Other,
        world: Box::new(move || {
            let mut world = World::default();
            let region = world.cvm.region("ap-guangzhou");
            for number in 0..count {
                region.add(&id(number), Utc::now());
            }
            world
        }),
        command: words("delete - --yes -o ndjson"),
        stdin: (0..count).map(|number| format!("cvm://ap-guangzhou/{}\n", id(number))).collect(),
        before: None,
        // A look before and one after, a hundred images a call, and the deletions, ten images a call.
        floor: Floor::Counted(2 * count.div_ceil(100) + count.div_ceil(10)),
        digests: Vec::new(),
    }
}
