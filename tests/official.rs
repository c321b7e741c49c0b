//! The emulator under the providers' own clients, which no one here wrote. They are Python programs in virtual
//! environments of their own, one a provider, in the folder that `IMGCTL_OFFICIAL_CLIENTS` names; without it these
//! tests say that they did nothing.

use std::{
    env,
    io::{Write, stderr},
    path::PathBuf,
    process::Command,
};

use chrono::Utc;
use imgctl::sandbox::{
    Options, Sandbox, World,
    ecr::{REGION, manifest::Manifest},
};

/// Runs a script of `tests/official` with the Python of one of the environments, pointed at the sandbox.
fn run(environment: &str, script: &str, sandbox: &Sandbox) {
    let Some(folder) = env::var_os("IMGCTL_OFFICIAL_CLIENTS") else {
        return;
    };
    let python = PathBuf::from(folder).join(environment).join("bin/python");
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/official");
    let home = tempfile::tempdir().expect("a home for the client");
    let done = Command::new(&python)
        .arg("-B")
        .arg(scripts.join(script))
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .envs(sandbox.environment())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let [said, wrong] =
        [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(
        done.status.success(),
        "{script} ended with {}\n{said}{wrong}",
        done.status
    );
}

/// Whether there are clients to test with. If not, that is said past the capture of the test's output.
fn clients(test: &str) -> bool {
    let there = env::var_os("IMGCTL_OFFICIAL_CLIENTS").is_some();
    if !there {
        let _ = writeln!(
            stderr(),
            "skipped: {test}: IMGCTL_OFFICIAL_CLIENTS names no folder of clients"
        );
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
    let sandbox = Sandbox::start(world, Options::default())
        .await
        .expect("a sandbox");
    run("aws", "ecr.py", &sandbox);
}

#[tokio::test]
async fn the_emulator_answers_as_moto_does_where_moto_is_right() {
    if !clients("moto") {
        return;
    }
    let sandbox = Sandbox::start(World::default(), Options::default())
        .await
        .expect("a sandbox");
    run("aws", "ecr_beside_moto.py", &sandbox);
}
