//! skopeo against the sandbox's registries: it pulls, pushes and deletes as it does anywhere. Without skopeo these tests say
//! that they did nothing, except in CI.

use std::{
    env,
    io::{Write, stderr},
    process::{Command, Output},
};

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Options, Sandbox, World,
    ecr::{self, REGION, manifest::Manifest, repository::Mutability},
    oci::{Habits, Oci, READER, USER, habits::Auth},
};
use tempfile::TempDir;

/// skopeo with a home of its own, and the sandbox that it talks to.
struct Skopeo {
    sandbox: Sandbox,
    home: TempDir,
}

/// Whether skopeo is here. If not, that is said past the capture of the test's output.
fn is_here(test: &str) -> bool {
    let here = Command::new("skopeo").arg("--version").output().is_ok();
    assert!(here || env::var_os("CI").is_none(), "CI needs skopeo: {test}");
    if !here {
        let _ = writeln!(stderr(), "skipped: {test}: there is no skopeo on this machine");
    }
    here
}

impl Skopeo {
    async fn with(world: World) -> Self {
        let sandbox = Sandbox::start(world, Options::default()).await.expect("a sandbox");
        Self { sandbox, home: tempfile::tempdir().expect("a home") }
    }

    fn call(&self, words: &[&str]) -> Output {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new("skopeo");
        command.arg("--insecure-policy").args(words).env_clear().env("PATH", path).env("HOME", self.home.path());
        command.env("REGISTRY_AUTH_FILE", self.home.path().join("auth.json")).current_dir(self.home.path());
        command.output().expect("skopeo runs")
    }

    /// What it prints, if it succeeds.
    #[track_caller]
    fn run(&self, words: &[&str]) -> String {
        let done = self.call(words);
        assert!(done.status.success(), "skopeo {}\n{}", words.join(" "), String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Why it fails.
    #[track_caller]
    fn fails(&self, words: &[&str]) -> String {
        let done = self.call(words);
        assert!(!done.status.success(), "it succeeded: skopeo {}", words.join(" "));
        String::from_utf8_lossy(&done.stderr).into_owned()
    }

    /// An image of the `oci:` registry.
    fn oci(&self, image: &str) -> String {
        format!("docker://{}/{image}", self.sandbox.registry())
    }

    fn host(&self) -> String {
        self.sandbox.url().replace("http://", "")
    }

    /// An image of the ECR world.
    fn ecr(&self, image: &str) -> String {
        format!("docker://{}/{image}", self.host())
    }

    /// Copies an image of one platform out into a folder, which verifies every digest and size.
    #[track_caller]
    fn pull(&self, image: &str, architecture: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let to = format!("dir:{}", folder.path().display());
        self.run(&["--override-arch", architecture, "copy", "-q", "--src-tls-verify=false", image, &to]);
    }

    #[track_caller]
    fn copy_all(&self, from: &str, to: &str) {
        let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        self.run(&["copy", "-q", "--all", "--preserve-digests", plain[0], plain[1], from, to]);
    }

    fn count(&self, service: &str, operation: &str) -> usize {
        let calls = self.sandbox.calls().into_iter();
        calls.filter(|call| call.service == service && call.operation == operation).count()
    }
}

const PLAIN: &str = "--tls-verify=false";

#[tokio::test]
async fn it_lists_inspects_and_pulls_every_platform() {
    if !is_here("skopeo pulls") {
        return;
    }
    let skopeo = Skopeo::with(World::seeded(1, 60, Utc::now())).await;
    let tags = skopeo.run(&["list-tags", PLAIN, &skopeo.oci("team/app")]);
    assert!(tags.contains("\"v1.0.0\"") && tags.contains("\"latest\""), "{tags}");
    let shown = skopeo.run(&["inspect", PLAIN, &skopeo.oci("team/web:stable")]);
    assert!(shown.contains("\"Architecture\": \"amd64\""), "{shown}");
    for architecture in ["amd64", "arm64"] {
        for image in ["team/app:latest", "team/web:stable"] {
            skopeo.pull(&skopeo.oci(image), architecture);
        }
    }
    for image in ["tools/ci:main", "tools/jib:r0"] {
        skopeo.pull(&skopeo.oci(image), "amd64");
    }
    assert_eq!(skopeo.count("oci", "GET tags"), 2);
}

#[tokio::test]
async fn it_pushes_mounts_and_deletes() {
    if !is_here("skopeo pushes") {
        return;
    }
    let skopeo = Skopeo::with(World::seeded(1, 60, Utc::now())).await;
    let layout = "oci:layout:app";
    skopeo.copy_all(&skopeo.oci("team/app:latest"), layout);
    skopeo.copy_all(layout, &skopeo.oci("new/web:1"));
    skopeo.copy_all(&skopeo.oci("team/app:latest"), &skopeo.oci("new/web:2"));
    let index = {
        let mut world = skopeo.sandbox.world();
        let repository = world.oci.repository("new/web", Utc::now());
        let [one, two] = ["1", "2"].map(|tag| repository.find(tag).expect(tag).manifest.digest);
        assert_eq!((one, repository.len()), (two, 3));
        one.to_string()
    };
    skopeo.pull(&skopeo.oci("new/web:1"), "arm64");
    skopeo.run(&["delete", PLAIN, &skopeo.oci("new/web:1")]);
    let mut world = skopeo.sandbox.world();
    let repository = world.oci.repository("new/web", Utc::now());
    assert!(!repository.has(&index) && repository.tags().is_empty() && repository.len() == 2);
}

/// A registry that gives out tokens, with one image at two tags.
fn with_tokens(life: TimeDelta) -> World {
    let habits = Habits { auth: Auth::Token, ..Habits::of("distribution").expect("it is in the table") };
    let mut world = World { oci: Oci::seeded(1, 12, habits, Utc::now()), ..World::default() };
    world.oci.door.token_life = life;
    world
}

#[tokio::test]
async fn it_gets_tokens_for_what_its_user_may() {
    if !is_here("skopeo and tokens") {
        return;
    }
    let skopeo = Skopeo::with(with_tokens(TimeDelta::minutes(5))).await;
    let image = skopeo.oci("tools/ci:main");
    let as_user = |(name, password): (&str, &str)| format!("{name}:{password}");
    assert!(skopeo.fails(&["inspect", PLAIN, &image]).contains("unauthorized"));
    let wrong = skopeo.fails(&["inspect", PLAIN, "--creds", "sandbox:wrong", &image]);
    assert!(wrong.contains("unauthorized"), "{wrong}");
    let (reader, user) = (as_user(READER), as_user(USER));
    skopeo.run(&["inspect", PLAIN, "--creds", &reader, &image]);
    assert!(skopeo.fails(&["delete", PLAIN, "--creds", &reader, &image]).contains("401 Unauthorized"));
    skopeo.sandbox.world().oci.door.anonymous = true;
    skopeo.run(&["inspect", PLAIN, &image]);
    skopeo.run(&["delete", PLAIN, "--creds", &user, &image]);
    assert!(skopeo.count("oci", "GET token") >= 6);
}

#[tokio::test]
async fn it_is_refused_as_each_registry_refuses() {
    if !is_here("skopeo and refusals") {
        return;
    }
    for (registry, refused) in [("ghcr", "405"), ("gar", "400"), ("harbor", ""), ("zot", "")] {
        let mut world = with_tokens(TimeDelta::minutes(5));
        world.oci.habits = Habits { auth: Auth::Open, ..Habits::of(registry).expect(registry) };
        let skopeo = Skopeo::with(world).await;
        let delete = ["delete", PLAIN, &skopeo.oci("team/web:stable")];
        match refused {
            "" => drop(skopeo.run(&delete)),
            _ => assert!(skopeo.fails(&delete).contains(refused), "{registry}"),
        }
        let mut world = skopeo.sandbox.world();
        assert_eq!(world.oci.repository("team/web", Utc::now()).has("stable"), !refused.is_empty(), "{registry}");
    }
}

/// The password that the AWS CLI prints, or the same without the CLI.
fn password(sandbox: &Sandbox) -> String {
    let Some(clients) = env::var_os("IMGCTL_OFFICIAL_CLIENTS") else { return format!("sandbox-{}", ecr::ACCOUNT) };
    let aws = std::path::Path::new(&clients).join("aws/bin/aws");
    let printed = Command::new(aws)
        .args(["ecr", "get-login-password"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(sandbox.environment())
        .output()
        .expect("the AWS CLI runs");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    String::from_utf8_lossy(&printed.stdout).trim().to_owned()
}

#[tokio::test]
async fn it_works_with_ecr_by_the_password_of_the_aws_cli() {
    if !is_here("skopeo and ECR") {
        return;
    }
    let skopeo = Skopeo::with(World::seeded(1, 200, Utc::now())).await;
    let alpine = skopeo.ecr("base/alpine:3.10");
    assert!(skopeo.fails(&["inspect", PLAIN, &alpine]).contains("authoriz"));
    let wrong = ["login", PLAIN, "-u", "AWS", "-p", "wrong", &skopeo.host()];
    assert!(skopeo.fails(&wrong).contains("invalid username/password"));
    skopeo.run(&["login", PLAIN, "-u", "AWS", "-p", &password(&skopeo.sandbox), &skopeo.host()]);

    let never = |skopeo: &Skopeo| {
        let mut world = skopeo.sandbox.world();
        let repository = world.ecr.repository(REGION, "base/alpine", Utc::now());
        let digest = repository.tag("3.10").expect("a tag");
        let (_, pulled_at) = repository.times(&digest).expect("an image");
        std::mem::take(pulled_at)
    };
    never(&skopeo);
    for architecture in ["amd64", "arm64"] {
        skopeo.pull(&alpine, architecture);
    }
    assert!(never(&skopeo).is_some(), "a pull is kept");
    let tags = skopeo.run(&["list-tags", PLAIN, &skopeo.ecr("base/alpine")]);
    assert!(tags.contains("\"3.10.0\""), "{tags}");

    skopeo.copy_all(&skopeo.oci("team/web:stable"), &skopeo.ecr("team/app:pushed"));
    let absent = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", &alpine, &skopeo.ecr("absent:1")];
    assert!(skopeo.fails(&absent).contains("does not exist"));
    assert!(skopeo.fails(&["delete", PLAIN, &alpine]).contains("405"));
    let old = Manifest::image("old", 1);
    {
        let mut world = skopeo.sandbox.world();
        let repository = world.ecr.repository(REGION, "team/app", Utc::now());
        assert!(repository.find("pushed").is_some_and(|image| image.manifest.children().len() == 2));
        repository.push(&old, &["held"], Utc::now());
        repository.mutability = Mutability::Immutable;
    }
    let held = ["copy", "-q", "--all", "--dest-tls-verify=false", "--src-tls-verify=false"];
    let (from, to) = (skopeo.oci("team/web:stable"), skopeo.ecr("team/app:held"));
    assert!(skopeo.fails(&[&held[..], &[&from, &to]].concat()).contains("tag is immutable"));
}
