//! The prompt, in a terminal of its own: what a person sees before a deletion, and what each answer does. The
//! terminal is made by `script` of util-linux; without it, nothing is tested.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};

use chrono::Utc;
use imgctl::sandbox::{Hooked as _, World as Clouds, ecr::REGION};

use crate::{
    prune::{has, push, push_index, world},
    world::World,
};

/// What the terminal showed, and the exit code.
pub struct Shown {
    pub text: String,
    pub code: i32,
}

/// Runs the binary in a terminal, with this typed into it.
fn in_terminal(world: &World, arguments: &[&str], typed: &str) -> Option<Shown> {
    let quoted: Vec<_> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_imgctl"), quoted.join(" "));
    line_in_terminal(world, &line, "", typed)
}

/// Runs a line of a shell in a terminal; `early` is typed before the question, `typed` after it.
fn line_in_terminal(world: &World, line: &str, early: &str, typed: &str) -> Option<Shown> {
    // Typed only after the question: earlier input is dropped.
    dialogue(world, line, early, &[("[y/N] ", typed)])
}

/// Runs a line of a shell in a terminal. Each answer is typed once its question is there, after what came before.
pub fn dialogue(world: &World, line: &str, early: &str, answers: &[(&str, &str)]) -> Option<Shown> {
    let line = format!("stty cols 100; {line}");
    let mut command = world.program("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env("PATH", std::env::var_os("PATH")?).env("TERM", "xterm");
    let mut child = command.spawn().ok()?;
    let (mut stdin, mut stdout) = (child.stdin.take()?, child.stdout.take()?);
    stdin.write_all(early.as_bytes()).unwrap();
    let (mut shown, mut buffer, mut answered) = (Vec::new(), [0; 4096], 0);
    let mut answers = answers.iter();
    let mut next = answers.next();
    loop {
        let length = stdout.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        shown.extend_from_slice(&buffer[..length]);
        while let Some((question, typed)) = next
            && String::from_utf8_lossy(&shown[answered..]).contains(question)
        {
            answered = shown.len();
            stdin.write_all(typed.as_bytes()).unwrap();
            next = answers.next();
        }
    }
    Some(Shown {
        text: String::from_utf8_lossy(&shown).replace('\r', ""),
        code: child.wait().unwrap().code().unwrap_or(-1),
    })
}

fn stale() -> World {
    world(|repository| {
        push_index(repository, "old", &["v1"], 90);
        push(repository, "young", &["v2"], 1);
    })
}

const PRUNE: [&str; 4] = ["prune", "ecr:team/app", "--older-than", "30d"];

#[test]
fn a_plan_is_shown_with_account_region_counts_and_bytes_and_yes_carries_it_out() {
    let world = stale();
    let Some(shown) = in_terminal(&world, &PRUNE, "y\n") else {
        return;
    };
    assert_eq!(shown.code, 0, "{}", shown.text);
    for part in [
        "delete 3 of 4 images, which frees at most",
        "would delete",
        "pushed 90 days ago, older than 30d",
        "Delete 3 images, which frees at most ",
        "in AWS ECR eu-west-1 of account 123456789012? [y/N]",
        "3 deleted",
    ] {
        assert!(shown.text.contains(part), "{part:?} in\n{}", shown.text);
    }
    assert!(!has(&world, "v1") && has(&world, "v2"));
}

#[test]
fn anything_but_yes_deletes_nothing() {
    for typed in ["n\n", "\n", "yess\n", "Y E S\n", "\u{4}"] {
        let world = stale();
        let Some(shown) = in_terminal(&world, &PRUNE, typed) else {
            return;
        };
        assert_eq!(shown.code, 4, "{typed:?}: {}", shown.text);
        assert!(shown.text.contains("Cancelled. Nothing was deleted."), "{}", shown.text);
        assert!(has(&world, "v1"));
    }
}

#[test]
fn an_interrupt_at_the_prompt_deletes_nothing() {
    let world = stale();
    let Some(shown) = in_terminal(&world, &PRUNE, "\u{3}") else {
        return;
    };
    assert_eq!(shown.code, 130, "{}", shown.text);
    assert!(has(&world, "v1"));
}

#[test]
fn what_changes_while_a_person_thinks_is_refused_by_name() {
    let mut clouds = Clouds::default();
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    for name in ["one", "two"] {
        push(repository, name, &[&format!("pr-{name}")], 90);
    }
    push(repository, "young", &["v2"], 1);
    let mut looks = 0;
    clouds.ecr.before("DescribeImages", move |ecr| {
        looks += 1;
        if looks == 2 {
            let repository = ecr.repository(REGION, "team/app", Utc::now());
            let one = repository.tag("pr-one").unwrap();
            repository.set_tag("v9", one);
        }
    });
    let world = World::new(clouds);
    let Some(shown) = in_terminal(&world, &PRUNE, "yes\n") else {
        return;
    };
    assert_eq!(shown.code, 1, "{}", shown.text);
    assert!(shown.text.contains("it gained the tag v9"), "{}", shown.text);
    assert!(has(&world, "pr-one") && !has(&world, "pr-two"));
}

#[test]
fn delete_asks_too() {
    let world = stale();
    let Some(shown) = in_terminal(&world, &["delete", "ecr:team/app:v2"], "y\n") else {
        return;
    };
    assert_eq!(shown.code, 0, "{}", shown.text);
    assert!(shown.text.contains("Delete 1 image, which frees at most "), "{}", shown.text);
    assert!(!has(&world, "v2"));
}

#[test]
fn what_was_typed_before_the_question_is_not_its_answer() {
    let world = stale().fault("ecr:DescribeImages:slow=1s:1");
    let line = format!("'{}' prune ecr:team/app --older-than 30d", env!("CARGO_BIN_EXE_imgctl"));
    let Some(shown) = line_in_terminal(&world, &line, "y\n", "n\n") else {
        return;
    };
    assert_eq!(shown.code, 4, "{}", shown.text);
    assert!(has(&world, "v1"));
}

#[test]
fn a_deletion_of_references_from_a_pipe_is_confirmed_at_the_terminal() {
    let world = stale();
    let program = env!("CARGO_BIN_EXE_imgctl");
    let line = format!("'{program}' list ecr:team/app --tag v2 -q -o ndjson | '{program}' delete -");
    let Some(shown) = line_in_terminal(&world, &line, "", "y\n") else {
        return;
    };
    assert_eq!(shown.code, 0, "{}", shown.text);
    assert!(!has(&world, "v2") && has(&world, "v1"), "{}", shown.text);
}

#[test]
fn the_question_and_the_plan_have_one_sum() {
    let world = world(|repository| drop(push(repository, "one", &["v1", "v2", "v3"], 90)));
    let tags = ["delete", "ecr:team/app:v1", "ecr:team/app:v2", "ecr:team/app:v3"];
    let Some(shown) = in_terminal(&world, &tags, "n\n") else {
        return;
    };
    assert!(shown.text.contains("Delete 1 image, which frees at most "), "{}", shown.text);

    let world = stale();
    let Some(shown) = in_terminal(&world, &PRUNE, "n\n") else {
        return;
    };
    let sums: Vec<_> = shown.text.split("which frees ").skip(1).collect();
    let sum = |text: &str| text.split([';', ',']).next().unwrap().to_owned();
    assert_eq!((sums.len(), sum(sums[0])), (2, sum(sums[1])), "{}", shown.text);
}
