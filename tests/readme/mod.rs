//! The README's console blocks are real: each is run in a freshly seeded sandbox, and must print what stands there.
//! With UPDATE_README set, what they print is written into the README instead, and its picture is drawn again.

#[cfg(target_os = "linux")]
mod picture;

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use imgctl::sandbox::{Options, Sandbox, World};

/// What begins a block that is run.
const FENCE: &str = "```console\n";

/// The widest line of a block that a narrow page shows whole.
const WIDEST: usize = 80;

/// The longest README that people read.
const LONGEST: usize = 350;

/// Where releases and the action are: the `repository` of Cargo.toml, or a placeholder until its owner sets it.
fn repository() -> &'static str {
    match env!("CARGO_PKG_REPOSITORY") {
        "" => "https://github.com/OWNER/imgctl",
        set => set,
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Whether files are written instead of compared.
fn updates() -> bool {
    std::env::var_os("UPDATE_README").is_some()
}

/// A command in a shell, in a world of its own.
fn in_world(shell: impl FnOnce(&mut Command), stdin: Option<&str>) -> String {
    let world = World::seeded(1, 200, chrono::Utc::now());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(world, Options::default())).unwrap();
    let home = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_imgctl"));
    let path = std::env::join_paths(
        program.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&std::env::var("PATH").unwrap())),
    );
    let mut command = Command::new("sh");
    command.env_clear().envs(sandbox.environment()).env("PATH", path.unwrap());
    command.env("HOME", home.path()).current_dir(home.path());
    shell(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut shown = Vec::new();
    let (mut typed, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    match stdin {
        // Typed after the question: what comes before it is dropped.
        Some(answer) => {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut part) {
                shown.extend_from_slice(&part[..length]);
                if String::from_utf8_lossy(&shown).ends_with("[y/N] ") {
                    typed.write_all(answer.as_bytes()).unwrap();
                }
            }
        }
        None => {
            drop(typed);
            output.read_to_end(&mut shown).unwrap();
        }
    }
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

/// Runs a line as a shell would. A reader sees errors too, so both streams are shown, in their order.
fn run(line: &str) -> String {
    let both = format!("{{ {line}\n}} 2>&1");
    in_world(
        |shell| {
            shell.args(["-c", &both]);
        },
        None,
    )
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
    let file = root().join("README.md");
    let readme = fs::read_to_string(&file).unwrap();
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    let mut parts = readme.split(FENCE);
    let mut written = parts.next().unwrap().to_owned();
    let mut blocks = 0;
    for part in parts {
        let (block, rest) = part.split_once("```").unwrap();
        let (command, shown) = block.split_once('\n').unwrap();
        let line = command.strip_prefix("$ ").expect("a block begins with its command");
        let printed = if line.contains("jq") && !has_jq { shown.to_owned() } else { steady(&run(line)) };
        if !updates() {
            assert_eq!(printed, shown, "{command}");
        }
        let widest = printed.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDEST), "{command}\n{printed}");
        written += &format!("{FENCE}{command}\n{printed}```{rest}");
        blocks += 1;
    }
    assert!(blocks >= 7, "only {blocks} blocks were found");
    if updates() {
        fs::write(file, written).unwrap();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_picture_is_what_the_program_shows() {
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let line = "imgctl prune ecr:team/app --older-than 400d";
    let in_terminal = format!("stty cols 100 rows 21; {line} --no-progress --color always");
    let shown = in_world(
        |shell| {
            shell.args(["-c", r#"exec script --quiet --return --command "$LINE" /dev/null"#]);
            shell.env("LINE", &in_terminal).env("TERM", "xterm-256color");
        },
        Some("n\n"),
    );
    let (plan, _) = shown.split_once("[y/N] ").unwrap_or_else(|| panic!("no question in\n{shown}"));
    let drawn = picture::svg(&format!("$ {line}\n{}[y/N] ", plan.replace('\r', "")), 100);
    let file = root().join(".github/plan.svg");
    if updates() {
        fs::write(file, drawn).unwrap();
        return;
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == drawn,
        "the program shows another plan; draw it with `UPDATE_README=1 cargo test --test cli readme`:\n{shown}"
    );
}

#[test]
fn the_readme_is_short_and_its_links_lead_somewhere() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= LONGEST, "{lines} lines");
    let anchor = |heading: &str| heading.to_lowercase().replace(' ', "-");
    let headings: Vec<String> = readme.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let mut links = 0;
    let named = readme.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let pictures = readme.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    for (link, _) in named.chain(pictures) {
        match link.strip_prefix('#') {
            Some(heading) => assert!(headings.contains(&heading.to_owned()), "{link}"),
            None => assert!(root().join(link).exists(), "{link}"),
        }
        links += 1;
    }
    assert!(links > 20, "only {links} links were found");
    let rust = format!("You need Rust {} or newer", env!("CARGO_PKG_RUST_VERSION"));
    assert!(readme.contains(&rust), "{rust}");
}

/// The README and the files to copy from it.
fn copied() -> Vec<(String, String)> {
    let examples = fs::read_dir(root().join(".github/examples")).unwrap();
    let mut files: Vec<PathBuf> = examples.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3);
    files.push(root().join("README.md"));
    let read = |file: PathBuf| (file.display().to_string(), fs::read_to_string(&file).unwrap());
    files.into_iter().map(read).collect()
}

#[test]
fn the_repository_is_named_in_one_place() {
    let owned = repository().strip_prefix("https://github.com/").unwrap();
    let mut found = 0;
    for (file, text) in copied() {
        for (place, _) in text.match_indices("/imgctl/releases").chain(text.match_indices("/imgctl/.github/")) {
            let before = text[..place].rsplit(['/', ' ']).next().unwrap();
            assert_eq!(format!("{before}/imgctl"), owned, "{file}");
            found += 1;
        }
        let version = format!("v{}", env!("CARGO_PKG_VERSION"));
        let versions = text.match_indices("v0.").map(|(place, _)| &text[place..]);
        versions.for_each(|found| assert!(found.starts_with(&version), "{file}"));
    }
    assert!(found >= 4, "only {found} places were found");
}

/// Every line of a pipeline that runs imgctl, as its shell would run it, beside the files that it needs.
#[test]
#[cfg(unix)]
fn the_lines_of_the_pipelines_run() {
    let policy = "[policy.web]\nstores = [\"ecr:team/*\"]\nselect = { older-than = \"90d\", keep = 10 }\n";
    let in_use = r#"{"items":[{"image":"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:latest"}]}"#;
    let mut count = 0;
    for (file, text) in copied() {
        for line in text.lines().map(|line| line.trim_start_matches([' ', '-']).trim_start_matches("arguments: ")) {
            let line = match line {
                line if line.starts_with("imgctl prune") && line.contains("--yes") => line.to_owned(),
                line if line.starts_with("prune --policy") => format!("imgctl {line}"),
                _ => continue,
            };
            let before = format!("mkdir .github; echo '{policy}' > .github/clean.toml; echo '{in_use}' > in-use.json");
            let shown = run(&format!("{before}; {line}; echo \"code $?\""));
            // A sandbox is staler than what a guard allows from one night to the next.
            let stopped = shown.ends_with("code 4\n") && shown.contains("--max-percent allows");
            assert!(shown.ends_with("code 0\n") || stopped, "{file}: {line}\n{shown}");
            count += 1;
        }
    }
    assert!(count >= 4, "only {count} lines were found");
}
