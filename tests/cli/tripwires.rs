//! Marked secrets in every credential source. No command may let a mark through: not to stdout, stderr or a file, and
//! not to a child's environment, at the highest verbosity, on success and under faults.

use std::{fs, path::Path};

use imgctl::{sandbox::World as Clouds, settings};

use crate::{
    conformance::{CLOUDS, Cloud},
    world::World,
};

const MARK: &str = "TRIPWIRE";

const FAULTS: [&str; 11] = [
    "",
    "echo",
    "status=401",
    "status=403,html",
    "status=500",
    "throttle:1",
    "redirect",
    "truncate",
    "garble",
    "retype",
    "stranger",
];

/// Clouds whose every secret is marked.
fn marked(cloud: &Cloud) -> Clouds {
    let mut clouds = Clouds::default();
    (0..2).for_each(|number| (cloud.add)(&mut clouds, number));
    let key = &mut clouds.ecr.keys[0];
    key.secret = format!("{MARK}-aws-secret");
    key.session_token = Some(format!("{MARK}-aws-session"));
    clouds.cvm.secret_key = format!("{MARK}-tencent-key");
    clouds.cvm.token = Some(format!("{MARK}-tencent-token"));
    let iam = &mut clouds.workspace.iam;
    iam.users[0].password = format!("{MARK}-huawei-password");
    iam.keys.clear();
    iam.add_key("HUAWEIKEY", &format!("{MARK}-huawei-secret"), None);
    clouds
}

/// Moves the secrets from the environment to the files that the provider's own tools read.
fn in_files(world: World) -> World {
    let write = |path: &str, text: String| {
        let path = world.home().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let (aws, cvm) = {
        let clouds = world.sandbox.world();
        (clouds.ecr.keys[0].id.clone(), clouds.cvm.secret_id.clone())
    };
    write(
        ".aws/credentials",
        format!(
            "[default]\naws_access_key_id = {aws}\naws_secret_access_key = {MARK}-aws-secret\naws_session_token = \
             {MARK}-aws-session\n"
        ),
    );
    write(
        ".tccli/default.credential",
        format!(r#"{{"secretId":"{cvm}","secretKey":"{MARK}-tencent-key","token":"{MARK}-tencent-token"}}"#),
    );
    write(".huaweicloud/credentials", format!("[basic]\nak = HUAWEIKEY\nsk = {MARK}-huawei-secret\n"));
    let variables = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN TENCENTCLOUD_SECRET_ID \
                     TENCENTCLOUD_SECRET_KEY TENCENTCLOUD_TOKEN HW_USER_NAME HW_USER_PASSWORD HUAWEICLOUD_SDK_AK \
                     HUAWEICLOUD_SDK_SK";
    variables.split_whitespace().fold(world, World::unset)
}

/// Every file below a folder that holds a mark, except those that the test wrote.
fn leaks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let own = [".aws", ".tccli", ".huaweicloud"].iter().any(|name| entry.file_name() == *name);
        if path.is_dir() && !own {
            found.extend(leaks(&path));
        } else if path.is_file() && has_secret(&String::from_utf8_lossy(&fs::read(&path).unwrap())) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A mark, a token that the emulator gave for a password, or the signature of a request.
fn has_secret(text: &str) -> bool {
    let signed =
        text.split("Signature=").skip(1).any(|rest| rest.starts_with(|letter: char| letter.is_ascii_hexdigit()));
    text.contains(MARK) || text.contains("MIISandboxToken") || signed
}

fn commands(cloud: &Cloud) -> Vec<Vec<String>> {
    let (image, store) = ((cloud.image)(0), cloud.store);
    let mut lines = vec![
        format!("list {store}"),
        format!("list {store} -o json"),
        format!("get {image}"),
        format!("delete {image} -n"),
        format!("prune {store} --older-than 10d -n --allow-empty --max-percent 100"),
        format!("doctor {}", cloud.name),
        format!("doctor {} -o json", cloud.name),
        format!("__complete -- imgctl get {image}"),
        format!("delete {image} --yes -o ndjson"),
        format!("prune {store} --older-than 10d --yes --allow-empty --max-percent 100 -o json"),
    ];
    if cloud.name == "ecr" {
        lines.push(format!("check-layers {}", (cloud.image)(1)));
        lines.push(format!("get --manifest {}", (cloud.image)(1)));
    }
    lines.iter().map(|line| line.split(' ').map(Into::into).collect()).collect()
}

#[test]
fn no_command_leaks_a_secret() {
    std::thread::scope(|threads| {
        for cloud in &CLOUDS {
            for (number, fault) in FAULTS.into_iter().enumerate() {
                threads.spawn(move || {
                    let mut world = World::new(marked(cloud)).set("IMGCTL_OUTPUT", "table");
                    if number % 2 == 0 {
                        world = in_files(world);
                    }
                    if !fault.is_empty() {
                        world = world.fault(&format!("{}:*:{fault}", cloud.name));
                    }
                    for command in commands(cloud) {
                        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
                        if command[0] != "__complete" {
                            arguments.extend(["-vvv", "--attempts", "2", "--timeout", "2s", "--deadline", "3s"]);
                        }
                        let run = world.run(&arguments);
                        let clean = !has_secret(&run.stdout) && !has_secret(&run.stderr);
                        assert!(clean, "{fault}: {}", run.transcript());
                    }
                    assert_eq!(leaks(world.home()), [""; 0], "{} {fault}", cloud.name);
                    // With wrong secrets a service may repeat what was sent.
                    let wrong = format!("{MARK}-wrong");
                    let names =
                        ["AWS_SECRET_ACCESS_KEY", "TENCENTCLOUD_SECRET_KEY", "HW_USER_PASSWORD", "HUAWEICLOUD_SDK_SK"];
                    let world = names.iter().fold(world, |world, name| world.set(name, &wrong));
                    let run = world.run(&["list", cloud.store, "-vvv", "-o", "json", "--deadline", "3s"]);
                    assert!(!has_secret(&run.stdout) && !has_secret(&run.stderr), "{}", run.transcript());
                });
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn a_command_in_the_sandbox_gets_no_secret_of_the_user() {
    let mut world = World::new(Clouds::default());
    for name in settings::variables() {
        world = world.set(name, &format!("{MARK}-{name}"));
    }
    let run = world.run(&["sandbox", "--", "/usr/bin/env"]);
    run.exits(0);
    assert!(!run.stdout.contains(MARK) && !run.stderr.contains(MARK), "{}", run.transcript());
}
