//! Each example in a command's help is run in a world of its own, and must end as the help says.

use std::process::{Command, Output};

use imgctl::sandbox::World as Clouds;

use crate::world::World;

/// The longest line that a terminal of 80 columns shows whole.
const WIDEST: usize = 80;

fn world() -> World {
    World::new(Clouds::seeded(1, 200, chrono::Utc::now()))
}

/// The commands that the help lists.
fn commands(world: &World) -> Vec<String> {
    let help = world.run(&["--help"]).stdout;
    let list = help.split("\nCommands:\n").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    list.lines().filter_map(name).collect()
}

/// An example: its description and its command, which may span several lines.
fn examples(help: &str) -> Vec<(String, String)> {
    let Some((_, end)) = help.split_once("\nExamples:\n") else {
        return Vec::new();
    };
    let example = |text: &str| {
        let (why, line) = text.trim().split_once("\n  $ ").unwrap();
        (why.trim_start_matches("# ").to_owned(), line.to_owned())
    };
    end.split("\n\n").map(example).collect()
}

#[cfg(unix)]
fn run(line: &str) -> Output {
    let world = world();
    // The folders and variables that the shells in question have.
    for folder in [".zfunc", ".config/fish/completions"] {
        std::fs::create_dir_all(world.home().join(folder)).unwrap();
    }
    let world = world.set("PROFILE", "profile.ps1");
    world.shell(&["bash", "-c", &format!("set -o pipefail; {line}")])
}

#[test]
#[cfg(unix)]
fn every_command_has_examples_that_run_as_they_say() {
    let world = world();
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    for command in commands(&world) {
        let help = world.run(&[&command, "--help"]).stdout;
        let examples = examples(&help);
        assert!((2..=4).contains(&examples.len()), "{command}: {examples:?}");
        for (why, line) in examples {
            let widest = [why.as_str(), &line].map(|part| {
                let widths = part.lines().map(|line| line.chars().count() + 4);
                widths.max().unwrap_or_default()
            });
            assert!(widest.iter().all(|width| *width <= WIDEST), "{why}\n{line}");
            assert!(line.contains(&format!("imgctl {command}")), "{line}");
            if line.contains("jq ") && !has_jq {
                continue;
            }
            let output = run(&line);
            let code = why.split_once("exit code ").map_or(0, |(_, code)| {
                let digits = code.split(|c: char| !c.is_ascii_digit()).next();
                digits.unwrap().parse().unwrap()
            });
            let printed = String::from_utf8_lossy(&output.stdout);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{line}\n{printed}{said}");
        }
    }
}

#[test]
fn the_short_help_points_to_the_long_one() {
    let run = world().run(&["delete", "-h"]);
    assert!(!run.stdout.contains("Examples:"), "{}", run.transcript());
    assert!(run.stdout.contains("'--help'"), "{}", run.transcript());
}

#[test]
fn help_of_a_command_is_the_same_by_either_way_and_a_topic_is_explained() {
    let world = world();
    for words in [&["delete"][..], &["rm"], &["help"], &[]] {
        let by_flag = world.run(&[words, &["--help"]].concat());
        let by_word = world.run(&[&["help"], words].concat());
        assert_eq!((by_word.code, by_word.stderr.as_str()), (0, ""));
        assert_eq!(by_word.stdout, by_flag.stdout);
    }
    let list = world.run(&["help"]).stdout;
    for topic in ["exit-codes", "references", "environment"] {
        assert!(list.contains(topic), "{list}");
        let run = world.run(&["help", topic]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!(run.stdout.lines().count() > 20, "{}", run.transcript());
    }
}

#[test]
fn a_slip_in_what_help_is_asked_for_is_recognised() {
    let world = world();
    for (typed, meant) in [
        ("exit-code", "did you mean `imgctl help exit-codes`?"),
        ("delet", "did you mean `imgctl help delete`?"),
        ("kubernetes", "`imgctl help` lists them"),
    ] {
        let run = world.run(&["help", typed]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        run.says(meant);
    }
}

#[test]
fn the_manual_has_a_page_for_each_command_and_topic() {
    let world = world();
    world.run(&["man", "pages"]).exits(0);
    let page = |name: &str| std::fs::read_to_string(world.home().join("pages").join(name));
    for command in commands(&world) {
        let page = page(&format!("imgctl-{command}.1")).unwrap();
        assert!(page.contains("\n.SH EXAMPLES\n"), "{page}");
    }
    let topic = page("imgctl-exit-codes.7").unwrap();
    assert!(topic.contains("\n.SH \"OUTCOMES THAT COUNT AS DONE\"\n"), "{topic}");
    assert!(page("imgctl.1").unwrap().contains("delete"));
}
