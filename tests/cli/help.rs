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
    // Whichever registry an example names.
    let registry = format!("http://{}", world.sandbox.registry());
    let world = world.set("PROFILE", "profile.ps1").set("IMGCTL_OCI_ENDPOINT", &registry);
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
    let names = topics(&world);
    assert!(names.len() > 9 && names.contains(&"in-use".to_owned()), "{names:?}");
    for topic in &names {
        assert!(list.contains(topic), "{list}");
        let run = world.run(&["help", topic]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!(run.stdout.lines().count() > 15, "{}", run.transcript());
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

/// The topics that the help lists.
fn topics(world: &World) -> Vec<String> {
    let help = world.run(&["help"]).stdout;
    let list = help.split("\nHelp topics (imgctl help TOPIC):\n").nth(1).unwrap();
    list.lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| Some(line.split_whitespace().next()?.into()))
        .collect()
}

#[test]
#[cfg(unix)]
fn the_examples_of_the_topics_run() {
    let world = world();
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    let mut count = 0;
    for topic in topics(&world) {
        let text = world.run(&["help", &topic]).stdout;
        for example in text.split("\n  $ ").skip(1) {
            // An example ends before an empty line or the next line that is not indented as far.
            let mut lines = example.lines();
            let first = lines.next().unwrap().to_owned();
            let rest = lines.take_while(|line| line.starts_with("    "));
            let line = rest.fold(first, |text, line| text + "\n" + line);
            if line.contains("jq ") && !has_jq {
                continue;
            }
            let output = run(&line);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{topic}: {line}\n{said}");
            assert!(!said.contains("error:"), "{topic}: {line}\n{said}");
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} examples were found");
}

#[test]
fn the_manual_has_a_page_for_each_command_and_topic_and_cites_only_these() {
    let world = world();
    world.run(&["man", "pages"]).exits(0);
    let folder = world.home().join("pages");
    let page = |section: u8, name: &str| {
        let file = folder.join(format!("man{section}/{name}.{section}"));
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    for command in commands(&world) {
        let page = page(1, &format!("imgctl-{command}"));
        assert!(page.contains("\n.SH EXAMPLES\n"), "{page}");
    }
    for topic in topics(&world) {
        page(7, &format!("imgctl-{topic}"));
    }
    let topic = page(7, "imgctl-exit-codes");
    assert!(topic.contains("\n.SH \"OUTCOMES THAT COUNT AS DONE\"\n"), "{topic}");
    assert!(page(1, "imgctl").contains("delete"));

    let mut cited = 0;
    for section in [1, 7] {
        for file in std::fs::read_dir(folder.join(format!("man{section}"))).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap().replace('\\', "");
            for word in text.split(|c: char| c.is_whitespace() || c == ',') {
                for section in [1, 7] {
                    if let Some((name, _)) = word.split_once(&format!("({section})")) {
                        page(section, name.trim_start_matches("fB").trim_end_matches("fR"));
                        cited += 1;
                    }
                }
            }
        }
    }
    assert!(cited > 15, "only {cited} citations were found");
}
