//! The sandbox says that it is one: in what runs inside it, in what it prints for another terminal, and to who calls it.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use imgctl::{sandbox::World as Clouds, settings};

use crate::{
    prompt::dialogue,
    world::{Run, World},
};

const MARK: &str = "[sandbox]";
const ALPINE: &str = "ecr:base/alpine:3.10";

fn sandbox() -> World {
    World::new(Clouds::seeded(1, 200, chrono::Utc::now()))
}

/// The last line, which sums up a run.
fn summary(run: &Run) -> &str {
    run.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_summary_is_marked_only_where_the_endpoint_says_that_it_is_a_sandbox() {
    let delete = ["delete", "--dry-run", ALPINE];
    let outer = World::new(Clouds::default());
    let inside = outer.run(&[&["sandbox", "--", "imgctl"], &delete[..]].concat());
    assert!(summary(&inside).starts_with("[sandbox] dry run, nothing changed: "), "{}", inside.transcript());
    let untold = sandbox().run(&delete);
    assert!(!untold.stderr.contains(MARK), "{}", untold.transcript());
    untold.sends_calls(2);
    let told = sandbox().set("IMGCTL_SANDBOX", "1").run(&delete);
    assert!(summary(&told).starts_with(MARK), "{}", told.transcript());
    // Whether the endpoint is a sandbox is not a call of a service.
    told.sends_calls(2);
}

#[test]
fn a_variable_that_was_left_marks_no_other_endpoint() {
    let world = sandbox();
    let (host, url) = (world.sandbox.url().replace("http://", ""), world.sandbox.url());
    // A tunnel to an account, perhaps: everything goes through, but its root does not say anything.
    let tunnel = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", tunnel.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in tunnel.incoming() {
            let (Ok(mut stream), host) = (stream, host.clone()) else { continue };
            std::thread::spawn(move || {
                let mut head = vec![0; 5];
                if stream.read_exact(&mut head).is_err() || head == *b"GET /" {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    return;
                }
                let mut real = TcpStream::connect(host).unwrap();
                real.write_all(&head).unwrap();
                let (mut from, mut to) = (stream.try_clone().unwrap(), real.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let _ = std::io::copy(&mut real, &mut stream);
            });
        }
    });
    let world = world.set("IMGCTL_SANDBOX", &url).set("AWS_ENDPOINT_URL_ECR", &address);
    let run = world.run(&["delete", "--dry-run", ALPINE]);
    run.exits(0);
    assert!(!run.stderr.contains(MARK), "{}", run.transcript());
    let Some(shown) = dialogue(&world, &binary("delete ecr:base/alpine:3.10"), "", &[("[y/N] ", "n\n")]) else {
        return;
    };
    // The question may wrap.
    let text = shown.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("of account 123456789012, NOT in the sandbox? [y/N]"), "{}", shown.text);
}

fn binary(arguments: &str) -> String {
    format!("'{}' {arguments}", env!("CARGO_BIN_EXE_imgctl"))
}

#[test]
fn a_question_in_the_sandbox_is_marked() {
    let world = sandbox().set("IMGCTL_SANDBOX", "1");
    let Some(shown) = dialogue(&world, &binary("delete ecr:base/alpine:3.10"), "", &[("[y/N] ", "n\n")]) else {
        return;
    };
    assert!(shown.text.contains("in [sandbox] AWS ECR eu-west-1 of account 123456789012? [y/N]"), "{}", shown.text);
}

#[test]
fn a_shell_in_the_sandbox_greets_and_marks_its_prompt() {
    let world = World::new(Clouds::default());
    for (shell, prompt) in [("bash", "[sandbox] own> "), ("sh", "[sandbox] $ "), ("zsh", "[sandbox] own> ")] {
        if Command::new(shell).args(["-c", "true"]).output().is_err() {
            continue;
        }
        std::fs::write(world.home().join(".bashrc"), "PS1='own> '\n").unwrap();
        std::fs::write(world.home().join(".zshrc"), "PROMPT='own> '\nunsetopt prompt_sp zle\n").unwrap();
        let line = binary(&format!("sandbox -- {shell}"));
        let answers = [(prompt, "echo at $IMGCTL_SANDBOX and $SANDBOX_REGISTRY\n"), (prompt, "exit 3\n")];
        let Some(shown) = dialogue(&world, &line, "", &answers) else { return };
        assert_eq!(shown.code, 3, "{}", shown.text);
        for part in [
            format!("This {shell} is in the sandbox: "),
            "The OCI registry is at 127.0.0.1:".into(),
            " and 127.0.0.1:".into(),
        ] {
            assert!(shown.text.contains(&part), "{part:?} in\n{}", shown.text);
        }
    }
    let piped = world.run_with(&["sandbox", "--", "bash"], "echo $PS1");
    assert!(!piped.stderr.contains("This bash") && !piped.stdout.contains(MARK), "{}", piped.transcript());
}

/// A sandbox that serves, ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).output();
        let _ = self.0.wait();
    }
}

/// A sandbox that serves, the lines that it prints for another terminal, and what it says of its registry.
fn serving(world: &World, flags: &[&str]) -> (Serving, String, String) {
    let mut child = world.spawn(&[&["sandbox"], flags].concat());
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (mut said, mut registry) = (String::new(), String::new());
    // Said after everything is printed.
    let mut stderr = BufReader::new(stderr);
    stderr.read_line(&mut said).unwrap();
    stderr.read_line(&mut registry).unwrap();
    assert!(said.contains("sandbox running at http://127.0.0.1:"), "{said}");
    let mut lines = BufReader::new(stdout).lines().map(Result::unwrap);
    let mut script = String::new();
    for line in lines.by_ref() {
        script += &format!("{line}\n");
        if line.starts_with("export no_proxy") {
            break;
        }
    }
    (Serving(child), script, registry)
}

#[test]
fn the_printed_lines_fit_and_lead_every_tool_into_the_sandbox_alone() {
    let mut world = World::new(Clouds::default());
    for name in settings::variables() {
        world = world.set(name, "of-the-user");
    }
    let (_serving, script, _) = serving(&world, &[]);
    assert!(script.lines().all(|line| line.len() <= 100), "{script}");
    std::fs::write(world.home().join("exports"), &script).unwrap();
    let line = format!(". ./exports; env; imgctl delete --dry-run {ALPINE} 2>&1");
    let ran = world.shell(&["bash", "-c", &line]);
    let ran = String::from_utf8(ran.stdout).unwrap();
    assert!(!ran.contains("of-the-user") && ran.contains("[sandbox] dry run, nothing changed: 1 would untag"), "{ran}");
}

/// The whole answer to a request without a login.
fn get(host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn flags_choose_the_registry_its_door_and_its_quirks() {
    let world = World::new(Clouds::default());
    let flags = ["--registry", "zot", "--registry-auth", "token", "--token-life", "7s", "--quirk", "no-referrers"];
    let (_serving, _, said) = serving(&world, &flags);
    let (host, login) = said.strip_prefix("OCI registry (zot) at ").unwrap().split_once(", ").unwrap();
    assert_eq!(login, "user sandbox, password sandbox-password\n");
    assert!(get(host, "/v2/").contains("\r\nwww-authenticate: Bearer realm="));
    assert!(get(host, "/token").contains("\"expires_in\":7"));
    assert!(get(host, "/v2/team/app/referrers/sha256:0").contains("404 page not found"));
    let (_serving, _, said) = serving(&world, &["--registry", "zot", "--anonymous-pulls"]);
    let host = said.split_once(" at ").unwrap().1.split_once(',').unwrap().0;
    assert!(get(host, "/v2/team/app/tags/list").contains("\"latest\""));
    assert!(get(host, "/v2/_catalog").contains("401"));
}

#[test]
fn who_calls_the_sandbox_by_its_root_learns_what_it_is() {
    let world = World::new(Clouds::default());
    for host in [world.sandbox.url().replace("http://", ""), world.sandbox.registry()] {
        let answer = get(&host, "/");
        assert!(answer.contains("\r\nimgctl-sandbox: ") && answer.contains("Nothing here is real"), "{answer}");
    }
    assert!(world.sandbox.calls().is_empty());
}

#[test]
fn a_fault_of_an_unknown_operation_is_an_error_that_names_the_known_ones() {
    let world = World::new(Clouds::default());
    let run = world.run(&["sandbox", "--fault", "ecr:BatchDeletImage:drop", "--", "true"]);
    run.exits(2).says("did you mean \"BatchDeleteImage\"?").says("Operations of ecr:").says("HEAD manifest");
    let run = world.run(&["sandbox", "--registry", "harbor", "--fault", "oci:POST search:drop", "--", "true"]);
    run.exits(2).says("GET artifacts");
    world.run(&["sandbox", "--registry", "zot", "--fault", "oci:POST search:drop", "--", "/bin/true"]).exits(0);
}

#[test]
fn the_tour_waits_at_a_terminal_until_it_is_ended() {
    let world = World::new(Clouds::default());
    let tour = binary("sandbox --tour");
    let Some(shown) = dialogue(&world, &tour, "", &[("q ends: ", "\n"), ("q ends: ", "q\n")]) else { return };
    assert_eq!(shown.code, 0, "{}", shown.text);
    assert!(shown.text.contains("2 of ") && shown.text.contains("3 of ") && !shown.text.contains("4 of "));
    assert!(shown.text.contains("imgctl list cvm:") && !shown.text.contains("imgctl get "), "{}", shown.text);
}

#[test]
fn the_tour_runs_through_in_a_pipe() {
    let run = World::new(Clouds::default()).run(&["sandbox", "--tour"]);
    run.exits(0);
    assert!(!run.stderr.contains("q ends") && run.stdout.contains("All of this ran on this machine."));
}
