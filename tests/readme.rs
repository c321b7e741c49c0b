//! The README's console blocks are real: each is run in a freshly seeded sandbox, and must print what stands there.
//! With UPDATE_README set, what they print is written into the README instead.

use std::{path::Path, process::Command};

use imgctl::sandbox::{Options, Sandbox, World};

/// What begins a block that is run.
const FENCE: &str = "```console\n";

/// Runs a line as a shell would, in a world of its own.
fn run(line: &str) -> String {
    let world = World::seeded(1, 200, chrono::Utc::now());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(world, Options::default())).unwrap();
    let home = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_imgctl"));
    let path = std::env::join_paths(
        program.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&std::env::var("PATH").unwrap())),
    );
    // A reader sees errors too, so both streams are shown, in their order.
    let output = Command::new("sh")
        .args(["-c", &format!("{{ {line}\n}} 2>&1")])
        .env_clear()
        .envs(sandbox.environment())
        .env("PATH", path.unwrap())
        .env("HOME", home.path())
        .current_dir(home.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Durations, and the sandbox's port, differ from run to run.
fn steady(text: &str) -> String {
    let line = |line: &str| match (line.rsplit_once(" in "), line.split_once("//127.0.0.1:")) {
        (Some((before, time)), _) if time.ends_with(" s") && before.contains("call") => {
            format!("{before} in 0.1 s")
        }
        (_, Some((before, after))) => {
            let (_, after) = after.split_once(' ').unwrap_or_default();
            let (after, _) = after.rsplit_once(", ").unwrap_or_default();
            format!("{before}//127.0.0.1:4566 {after}, 2 ms")
        }
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
#[cfg(unix)]
fn every_console_block_prints_what_it_shows() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    let mut parts = readme.split(FENCE);
    let mut written = parts.next().unwrap().to_owned();
    let mut blocks = 0;
    for part in parts {
        let (block, rest) = part.split_once("```").unwrap();
        let (command, shown) = block.split_once('\n').unwrap();
        let line = command.strip_prefix("$ ").expect("a block begins with its command");
        let printed = if line.contains("jq") && !has_jq { shown.to_owned() } else { steady(&run(line)) };
        if std::env::var_os("UPDATE_README").is_none() {
            assert_eq!(printed, shown, "{command}");
        }
        written += &format!("{FENCE}{command}\n{printed}```{rest}");
        blocks += 1;
    }
    assert!(blocks >= 7, "only {blocks} blocks were found");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(file, written).unwrap();
    }
}
