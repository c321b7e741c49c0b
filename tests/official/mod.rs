//! The emulator under the providers' own clients, which no one here wrote. They are Python programs in virtual
//! environments of their own, one a provider, in the folder that `IMGCTL_OFFICIAL_CLIENTS` names; without it these
//! tests say that they did nothing.

mod distribution;
mod pipelines;
mod skopeo;

use std::{
    env,
    io::{BufRead, BufReader, Write, stderr},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use chrono::Utc;
use imgctl::{
    image::{ImageId, Provider, StoreRef},
    sandbox::{
        Options, Sandbox, World,
        cvm::{self, Instance, LaunchConfiguration, LaunchTemplate},
        ecr::{self, REGION, manifest::Manifest},
        ecs,
        events::Rule,
        iam, lambda,
        scheduler::{RUN_TASK, Schedule},
        workspace::state::Failing,
    },
    settings::{Env, Settings},
    store::{self, ImageStore},
};

/// A script of `tests/official`, to be run with the Python of one of the environments.
fn script(environment: &str, script: &str) -> Command {
    let folder = env::var_os("IMGCTL_OFFICIAL_CLIENTS").unwrap_or_default();
    let python = PathBuf::from(folder).join(environment).join("bin/python");
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/official");
    let mut command = Command::new(python);
    command.arg("-B").arg(scripts.join(script)).env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Runs a script to its end, pointed at the sandbox.
fn run(environment: &str, name: &str, sandbox: &Sandbox) {
    run_with(environment, name, sandbox, &[]);
}

fn run_with(environment: &str, name: &str, sandbox: &Sandbox, variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().expect("a home for the client");
    let done = script(environment, name)
        .env("HOME", home.path())
        .envs(sandbox.environment())
        .envs(variables.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let [said, wrong] = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(done.status.success(), "{name} ended with {}\n{said}{wrong}", done.status);
}

/// Whether there are clients to test with. If not, that is said past the capture of the test's output.
fn clients(test: &str) -> bool {
    let there = env::var_os("IMGCTL_OFFICIAL_CLIENTS").is_some();
    if !there {
        let _ = writeln!(stderr(), "skipped: {test}: IMGCTL_OFFICIAL_CLIENTS names no folder of clients");
    }
    there
}

#[tokio::test]
async fn boto3_and_the_aws_cli_work_with_the_emulator() {
    if !clients("boto3 and the AWS CLI") {
        return;
    }
    let mut world = World::default();
    let many = world.ecr.repository(REGION, "many/images", Utc::now());
    for number in 0..2350 {
        let tag = format!("v{number}");
        many.push(&Manifest::image(&tag, 2), &[&tag], Utc::now());
    }
    let sandbox = Sandbox::start(world, Options::default()).await.expect("a sandbox");
    run("aws", "ecr.py", &sandbox);
}

/// An account that runs images in every way, in pages of two.
fn running() -> World {
    let mut world = World::default();
    let image = |tag: &str| format!("{}.dkr.ecr.{REGION}.amazonaws.com/team/app:{tag}", ecr::ACCOUNT);
    let digest = |number: usize| format!("sha256:{number:064x}");
    let ecs = world.ecs.region(REGION);
    ecs.define("job", &["x"]);
    for tag in ["v1", "v2", "v3"] {
        ecs.define("web", &[&image(tag)]);
    }
    ecs.run("batch", "web:1", &[ecs::Container::new(&image("v1"), None)]);
    for number in 0..5 {
        for revision in [1, 2] {
            let container = ecs::Container::new(&image(&format!("v{revision}")), Some(&digest(number)));
            ecs.deploy("prod", &format!("s{number}"), &format!("web:{revision}"), &[container], Utc::now());
        }
    }
    ecs.retire("web:1");
    ecs.retire("web:3");
    world.ecs.door.page = Some(2);
    let name = {
        let ecs = world.ecs.region(REGION).clone();
        move |name: &str| ecs.arn(name)
    };
    let (cluster, definition) = (name("cluster/batch"), name("task-definition/web:1"));
    for (bus, rule) in [("default", "r0"), ("default", "r1"), ("default", "r2"), ("orders", "r3")] {
        let starting = Rule::default().starting(&cluster, &definition).starting(&cluster, &name("task-definition/job"));
        world.events.rules(REGION, bus).insert(rule.into(), starting.calling(&name("cluster/prod")));
    }
    world.events.rules(REGION, "empty");
    world.events.door.page = Some(2);
    for number in 0..3 {
        let schedule = Schedule::starting(&cluster, &definition);
        world.scheduler.add(REGION, "default", &format!("s{number}"), schedule);
    }
    world.scheduler.add(
        REGION,
        "finance",
        "yearly",
        Schedule::calling(RUN_TASK, r#"{"TaskDefinition":"web:1"}"#).disabled(),
    );
    world.scheduler.door.page = Some(2);
    let code = |tag: &str, number| {
        lambda::Code::Image(image(tag), format!("{}@{}", image("").trim_end_matches(':'), digest(number)))
    };
    let versions = vec![code("v2", 2), code("v1", 1), code("v2", 2)];
    let thumbs = lambda::Function { versions, aliases: [("live".into(), "2".into())].into() };
    let functions = world.lambda.functions(REGION);
    functions.insert("thumbs".into(), thumbs);
    functions.insert("zip".into(), lambda::Function { versions: vec![lambda::Code::Zip], ..Default::default() });
    world.lambda.door.page = Some(2);
    for number in 0..4 {
        world.inspector.saw(REGION, "team/app", &digest(number), number as u64);
    }
    world.inspector.door.page = Some(2);
    world
}

#[tokio::test]
async fn boto3_reads_what_runs_from_the_emulator() {
    if !clients("boto3 and what runs") {
        return;
    }
    let sandbox = Sandbox::start(running(), Options::default()).await.expect("a sandbox");
    run("aws", "usage.py", &sandbox);
}

#[tokio::test]
async fn the_emulator_answers_as_moto_does_where_moto_is_right() {
    if !clients("moto") {
        return;
    }
    let sandbox = Sandbox::start(World::default(), Options::default()).await.expect("a sandbox");
    run("aws", "ecr_beside_moto.py", &sandbox);
}

/// One region with 250 images, some of each kind that cannot be deleted, and what uses images.
fn tencent() -> World {
    let mut world = World::default();
    let region = world.cvm.region(cvm::REGION);
    let now = Utc::now();
    for number in 0..250 {
        region.add(&format!("img-more{number}"), now);
    }
    region.add("img-creating", now).state = "CREATING".into();
    let sharing = region.add("img-sharing", now);
    sharing.shared_with.insert("100000000002".into(), now);
    region.add_foreign("img-shared", "SHARED_IMAGE", now);
    region.add_foreign("img-public", "PUBLIC_IMAGE", now);
    region.instances.push(Instance {
        id: "ins-1".into(),
        name: "vm".into(),
        state: "RUNNING".into(),
        zone: "ap-guangzhou-3".into(),
        image: "img-more4".into(),
        created: now,
    });
    region.launch_templates.push(LaunchTemplate {
        id: "lt-1".into(),
        name: "template".into(),
        created: now,
        versions: vec!["img-more5".into()],
        default_version: 1,
    });
    region.launch_configurations.push(LaunchConfiguration {
        id: "asc-1".into(),
        name: "configuration".into(),
        created: now,
        image: None,
        family: Some("web".into()),
    });
    world
}

#[tokio::test]
async fn tccli_and_tencents_sdk_work_with_the_emulator() {
    if !clients("tccli and Tencent's SDK") {
        return;
    }
    let sandbox = Sandbox::start(tencent(), Options::default()).await.expect("a sandbox");
    run("tencent", "cvm.py", &sandbox);
}

#[tokio::test]
async fn huaweis_sdk_works_with_the_emulator() {
    if !clients("Huawei's SDK") {
        return;
    }
    let mut world = World::default();
    let workspace = &mut world.workspace;
    let project = workspace.region(iam::REGION);
    for number in 0..230 {
        project.add(&number.to_string(), Utc::now());
    }
    project.server_mut("7").expect("it was added").status = "CREATING".into();
    let failing = Failing::new("FAILED", "WKS.00211401", "The server group has changed.");
    project.failing.insert("8".into(), failing);
    let keys = ("temporary", "secret-of-temporary", Some("session"));
    workspace.iam.add_key(keys.0, keys.1, keys.2);
    let id = workspace.iam.project_id(iam::REGION).expect("a project");
    let sandbox = Sandbox::start(world, Options::default()).await.expect("a sandbox");
    let variables = [("SANDBOX_PROJECT", id.as_str()), ("SANDBOX_TOKEN", iam::TOKEN)];
    run_with("huawei", "workspace.py", &sandbox, &variables);
}

/// A program that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn tencents_own_code_finds_every_request_of_the_store_signed_as_it_would_sign_it() {
    if !clients("Tencent's signer") {
        return;
    }
    for token in ["", "a-token"] {
        let keys = [
            ("TENCENTCLOUD_SECRET_ID", "AKIDofTheStore"),
            ("TENCENTCLOUD_SECRET_KEY", "key-of-the-store"),
            ("TENCENTCLOUD_TOKEN", token),
        ];
        let mut judge = script("tencent", "cvm_judge.py").envs(keys).stdout(Stdio::piped()).spawn().expect("a judge");
        let said = judge.stdout.take().expect("its output");
        let _judge = Ended(judge);
        let mut url = String::new();
        let mut said = BufReader::new(said);
        said.read_line(&mut url).expect("its address");
        let endpoint = ("IMGCTL_CVM_ENDPOINT", url.trim());
        let settings = Settings { env: Env::of(keys.into_iter().chain([endpoint]), None), ..Settings::default() };
        let home = StoreRef {
            provider: Provider::Cvm,
            owner: None,
            region: Some("ap-singapore".into()),
            name: String::new(),
            host: None,
        };
        let store = store::cvm::open(&settings, &Default::default(), &home).await.expect("a store");
        let ids = [ImageId::Named("img-1".into())];
        store.list(None).await.expect("a listing");
        store.get(&ids).await.expect("a look");
        store.rehearse(&ids).await.expect("a rehearsal");
        store.delete(&ids).await.expect("a deletion");
    }
}
