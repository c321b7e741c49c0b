//! A smoke run of the real binary against moto, an emulator of AWS that others wrote: only where it is known to answer
//! as ECR does. Needs the virtual environment that `.ci/run` makes; without it the test says that it was skipped.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Puts two repositories into moto: images with one and with two tags; an index, what it holds, and a leftover.
const SEED: &str = r#"
import hashlib, json, sys, boto3
ecr = boto3.client("ecr", endpoint_url=sys.argv[1], region_name="eu-west-1")
media = "application/vnd.docker.distribution.manifest.v2+json"
ecr.create_repository(repositoryName="team/app")
for number, tags in enumerate([["v1"], ["v2", "latest"], ["v3"]]):
    blob = {"mediaType": "x", "size": 7, "digest": "sha256:%064x" % number}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": blob, "layers": [blob]})
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    for tag in tags:
        ecr.put_image(repositoryName="team/app", imageManifest=manifest, imageManifestMediaType=media,
                      imageTag=tag, imageDigest=digest)

ecr.create_repository(repositoryName="team/multi")
def put(manifest, kind, **more):
    text = json.dumps(manifest)
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    ecr.put_image(repositoryName="team/multi", imageManifest=text, imageManifestMediaType=kind, imageDigest=digest, **more)
    return {"mediaType": kind, "size": len(text), "digest": digest}
images = []
for number in range(3):
    blob = {"mediaType": "x", "size": 7, "digest": "sha256:%064x" % (100 + number)}
    images.append(put({"schemaVersion": 2, "mediaType": media, "config": blob, "layers": [blob]}, media))
index = "application/vnd.docker.distribution.manifest.list.v2+json"
put({"schemaVersion": 2, "mediaType": index, "manifests": images[:2]}, index, imageTag="v1")
"#;

/// A service that runs one of the three images of `team/app`, a rule and a schedule that start the two others, and a function that runs one of the two of `solo`: moto finds
/// no image of a function below a slash. The service is deployed by another controller than
/// ECS: moto knows no service deployments.
const USERS: &str = r#"
import hashlib, json, sys, boto3
def client(service):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name="eu-west-1")
host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app"
ecs = client("ecs")
ecs.create_cluster(clusterName="prod")
definition = ecs.register_task_definition(
    family="web", containerDefinitions=[{"name": "main", "image": host + ":v1", "memory": 64}]
)["taskDefinition"]["taskDefinitionArn"]
ecs.create_service(cluster="prod", serviceName="web", taskDefinition=definition, desiredCount=0,
                   deploymentController={"type": "EXTERNAL"})
def register(family, tag):
    definition = ecs.register_task_definition(family=family, containerDefinitions=[
        {"name": "main", "image": host + ":" + tag, "memory": 64}
    ])
    return definition["taskDefinition"]["taskDefinitionArn"]
pinned = register("report", "v2")
register("report", "v1")
register("mail", "v3")
cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
events = client("events")
events.create_event_bus(Name="orders")
events.put_rule(Name="nightly", EventBusName="orders", EventPattern="{}", State="DISABLED")
events.put_targets(Rule="nightly", EventBusName="orders", Targets=[
    {"Id": "1", "Arn": cluster, "RoleArn": "arn:aws:iam::123456789012:role/r", "EcsParameters": {"TaskDefinitionArn": pinned}}
])
scheduler = client("scheduler")
scheduler.create_schedule_group(Name="finance")
scheduler.create_schedule(
    Name="weekly", GroupName="finance", ScheduleExpression="rate(7 days)", FlexibleTimeWindow={"Mode": "OFF"},
    Target={"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": "arn:aws:iam::123456789012:role/r",
            "Input": json.dumps({"TaskDefinition": "mail"})},
)
client("ecr").create_repository(repositoryName="solo")
media = "application/vnd.docker.distribution.manifest.v2+json"
for number, tag in enumerate(["f1", "f2"]):
    blob = {"mediaType": "x", "size": 7, "digest": "sha256:%064x" % (50 + number)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": blob, "layers": [blob]})
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    client("ecr").put_image(repositoryName="solo", imageManifest=manifest, imageManifestMediaType=media, imageTag=tag,
                            imageDigest=digest)
role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}", Path="/my/")["Role"]["Arn"]
functions = client("lambda")
functions.create_function(FunctionName="thumbs", PackageType="Image", Role=role, Publish=True,
                          Code={"ImageUri": host.replace("team/app", "solo") + ":f1"})
functions.create_alias(FunctionName="thumbs", Name="live", FunctionVersion="1")
"#;

/// A moto server that ends with the test.
struct Moto {
    server: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Moto {
    fn start(python: &PathBuf) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            // Functions resolve their images in moto's own registry.
            .env("MOTO_LAMBDA_STUB_ECR", "false")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { server, url: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "moto did not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        moto
    }

    fn python(&self, python: &PathBuf, script: &str) {
        let ended = self.command(python).args(["-c", script, &self.url]).status().unwrap();
        assert!(ended.success());
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE000000000")
            .env("AWS_SECRET_ACCESS_KEY", "anything")
            .env("AWS_REGION", "eu-west-1")
            .env("IMGCTL_CACHE_DIR", "off");
        command
    }

    /// Runs the binary; its exit code, and the words and tags of its items.
    fn imgctl(&self, arguments: &[&str]) -> (Option<i32>, Vec<(String, Vec<String>)>) {
        let output = self.command(env!("CARGO_BIN_EXE_imgctl")).args(arguments).args(["-o", "json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let item = |item: &Value| {
            let word = item["outcome"].as_str().or(item["state"].as_str()).unwrap_or("-").to_owned();
            let tags = item["tags"].as_array().into_iter().flatten();
            (word, tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect())
        };
        (output.status.code(), document["items"].as_array().unwrap().iter().map(item).collect())
    }
}

/// A moto server with two repositories, and the Python that runs it; none without the official clients.
fn seeded(test: &str) -> Option<(Moto, PathBuf)> {
    let Some(clients) = std::env::var_os("IMGCTL_OFFICIAL_CLIENTS") else {
        // Past the capture of the test's output.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: IMGCTL_OFFICIAL_CLIENTS names no folder of clients");
        return None;
    };
    let python = PathBuf::from(clients).join("aws/bin/python");
    let moto = Moto::start(&python);
    moto.python(&python, SEED);
    Some((moto, python))
}

#[test]
fn what_runs_in_motos_ecs_and_lambda_is_kept() {
    let Some((moto, python)) = seeded("moto's ECS and Lambda") else { return };
    let prune = ["--tag", "*", "--no-default-protect", "--ask", "ecs,lambda", "--ask-revisions", "0"];
    let imgctl = |arguments: &[&str]| {
        moto.command(env!("CARGO_BIN_EXE_imgctl")).arg("prune").args(prune).args(arguments).output().unwrap()
    };
    // Moto knows nothing yet.
    let output = imgctl(&["ecr:team/app", "--yes"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ECS in eu-west-1 and Lambda in eu-west-1 know of nothing that uses images"), "{said}");
    assert_eq!(output.status.code(), Some(4));

    moto.python(&python, USERS);
    let output = imgctl(&["ecr:team/app", "ecr:solo", "--dry-run", "-o", "json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let mut reasons: Vec<(String, String)> = Vec::new();
    for item in document["items"].as_array().unwrap() {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        reasons.push((item["tags"].as_array().unwrap().last().unwrap().as_str().unwrap().into(), text("reason")));
    }
    reasons.sort();
    let kept: Vec<_> = reasons.iter().filter(|(_, reason)| reason.starts_with("kept")).collect();
    let function = "kept: in use, Lambda function thumbs, $LATEST";
    let service = "kept: in use, ECS service web in cluster prod, task definition web:1";
    assert_eq!(reasons.len(), 5);
    let rule = "kept: in use, EventBridge rule nightly on event bus orders, task definition report:1";
    let schedule = "kept: in use, EventBridge schedule weekly in group finance, task definition mail:1";
    let expected = [("f1", function), ("v1", service), ("v2", rule), ("v3", schedule)];
    let kept: Vec<_> = kept.iter().map(|(tag, reason)| (tag.as_str(), reason.as_str())).collect();
    assert_eq!(kept, expected, "{reasons:?}");
}

#[test]
fn moto_is_read_and_deleted_from() {
    let Some((moto, _)) = seeded("moto") else { return };

    let (code, items) = moto.imgctl(&["list", "ecr:team/app"]);
    let tags: Vec<_> = items.iter().map(|(_, tags)| tags.join(" ")).collect();
    assert_eq!((code, tags), (Some(0), vec!["v1".into(), "latest v2".into(), "v3".into()]));

    let word = |word: &str| word.to_owned();
    let words = |items: Vec<(String, Vec<String>)>| items.into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    let (code, items) = moto.imgctl(&["get", "ecr:team/app:v1", "ecr:team/app:nope"]);
    assert_eq!((code, words(items)), (Some(1), vec![word("unknown"), word("missing")]));

    let gone = ["delete", "--yes", "ecr:team/app:v1", "ecr:team/app:latest", "ecr:team/app:nope"];
    let (code, items) = moto.imgctl(&gone);
    assert_eq!((code, words(items)), (Some(1), vec![word("deleted"), word("untagged"), word("missing")]));
    let (code, items) = moto.imgctl(&["list", "ecr:team/app"]);
    let tags: Vec<_> = items.iter().map(|(_, tags)| tags.join(" ")).collect();
    assert_eq!((code, tags), (Some(0), vec![word("v2"), word("v3")]));
    assert_eq!(moto.imgctl(&["list", "ecr:nope"]).0, Some(3));

    // Of four images three are without a tag, and two of those are the platforms of the fourth.
    let prune = ["prune", "ecr:team/m*", "--untagged", "--show", "all"];
    let (code, items) = moto.imgctl(&[&prune[..], &["--dry-run"]].concat());
    let going = |items: &[(String, Vec<String>)]| {
        let going = items.iter().filter(|(word, _)| word == "would_delete");
        going.count()
    };
    assert_eq!((code, items.len(), going(&items)), (Some(0), 4, 1));
    let (code, _) = moto.imgctl(&[&prune[..], &["--yes"]].concat());
    assert_eq!(code, Some(0));
    let (_, items) = moto.imgctl(&["list", "ecr:team/multi"]);
    assert_eq!(items.len(), 3);
    let (code, items) = moto.imgctl(&[&prune[..], &["--dry-run"]].concat());
    assert_eq!((code, items.len(), going(&items)), (Some(0), 3, 0));
}
