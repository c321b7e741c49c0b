//! The prompt, in a terminal of its own: what a person sees before a deletion, and what each answer does. The
//! terminal is made by `script` of util-linux; without it, nothing is tested.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};

use crate::{
    prune::{has, one_of_two_is_tagged_late, push, push_index, world},
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
    let line = format!("stty cols 100 rows 30; {line}");
    let mut command = world.program("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env("PATH", std::env::var_os("PATH")?).env("TERM", "xterm").env("NO_COLOR", "1");
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

const PRUNE: [&str; 6] = ["prune", "ecr:team/app", "--older-than", "30d", "--max-percent", "100"];

#[test]
fn a_plan_is_shown_with_account_region_counts_and_bytes_and_yes_carries_it_out() {
    let world = stale();
    let Some(shown) = in_terminal(&world, &PRUNE, "y\n") else {
        return;
    };
    assert_eq!(shown.code, 0, "{}", shown.text);
    let text = shown.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "delete 3 of 4 images, which frees at most",
        "index of 2 platforms",
        "pushed 90 days ago, older than 30d",
        "Delete 3 images, which frees at most ",
        "in AWS ECR eu-west-1 of account 123456789012? [y/N]",
        "3 deleted",
    ] {
        assert!(text.contains(part), "{part:?} in\n{}", shown.text);
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
    let (world, _) = one_of_two_is_tagged_late();
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
    let line = format!("'{}' prune ecr:team/app --older-than 30d --max-percent 100", env!("CARGO_BIN_EXE_imgctl"));
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
    let text = shown.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sums: Vec<_> = text.split("which frees ").skip(1).collect();
    let sum = |text: &str| text.split([';', ',']).next().unwrap().to_owned();
    assert_eq!((sums.len(), sum(sums[0])), (2, sum(sums[1])), "{}", shown.text);
}

/// Ninety old images, half of them indexes with two platforms, and two young ones.
fn many() -> World {
    world(|repository| {
        for number in 0..45 {
            push_index(repository, &format!("index {number}"), &[&format!("v{number}")], 100 + number);
            push(repository, &format!("single {number}"), &[&format!("pr-{number}")], 200 + number);
        }
        push(repository, "young", &["v99"], 1);
        push(repository, "fresh", &["v98"], 2);
    })
}

#[test]
fn a_large_plan_fits_the_screen_with_exact_counts_and_says_where_the_rest_is() {
    let world = many();
    let Some(shown) = in_terminal(&world, &PRUNE, "n\n") else {
        return;
    };
    assert_eq!(shown.code, 4, "{}", shown.text);
    let question = shown.text.find("Delete 180 images, which frees at most ").expect(&shown.text);
    let plan = shown.text[..question].lines();
    assert!((10..28).contains(&plan.clone().count()), "{}", shown.text);
    let text = shown.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in
        ["delete 180 of 182 images", "keep 2 (2 not selected)", "delete 180 images: older than 30d", "--show all"]
    {
        assert!(text.contains(part), "{part:?} in\n{}", shown.text);
    }
    // The newest and the oldest image, and between them the count of the others.
    let below = plan.skip_while(|line| !line.starts_with("delete 180 images"));
    let rows: Vec<&str> = below.filter(|line| line.starts_with("  ")).collect();
    assert!(rows[0].contains("v0 ") && rows[0].contains("index of 2 platforms"), "{}", shown.text);
    assert!(rows.last().unwrap().contains("pr-44 "), "{}", shown.text);
    let images = |row: &&str| if row.contains("index of 2") { 3 } else { 1 };
    let (counts, lines): (Vec<&str>, Vec<&str>) = rows.iter().copied().partition(|row| row.contains('…'));
    let counted: usize = counts[0].split(' ').rev().find_map(|word| word.parse().ok()).unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!(lines.iter().map(images).sum::<usize>() + counted, 180, "{}", shown.text);
}

#[test]
fn all_images_are_shown_to_a_person_who_asks_for_them() {
    let world = many();
    for flags in [&["--show", "all"][..], &["--show", "deleted"], &["-v"]] {
        let Some(shown) = in_terminal(&world, &[&PRUNE, flags].concat(), "n\n") else {
            return;
        };
        assert_eq!(shown.text.matches("would delete").count(), 180, "{}", shown.text);
    }
}

#[test]
fn a_dry_run_in_a_terminal_is_one_screen_and_in_a_pipe_one_line_an_image() {
    let world = many();
    let dry = [&PRUNE[..], &["--dry-run"]].concat();
    let Some(shown) = in_terminal(&world, &dry, "") else {
        return;
    };
    assert_eq!(shown.code, 0, "{}", shown.text);
    assert!(shown.text.lines().count() <= 30, "{}", shown.text);
    let kept = shown.text.find("keep 2 images: not selected, not older than 30d").expect(&shown.text);
    assert!(kept < shown.text.find("delete 180 of 182 images").expect(&shown.text));
    assert!(shown.text.contains("dry run, nothing changed: 2 kept, 180 would delete"), "{}", shown.text);
    let piped = world.run(&dry);
    assert_eq!(piped.stdout.lines().count(), 1 + 182, "{}", piped.transcript());
}

/// The images of `many`, and some that are not there.
fn named_in(world: &World) -> String {
    let listed = world.run(&["list", "ecr:team/app", "-o", "json"]).json();
    let items = listed["items"].as_array().unwrap().iter();
    let named = items.map(|item| item["ref"].as_str().unwrap().to_owned() + "\n");
    named.chain((0..5).map(|number| format!("ecr:team/app:gone-{number}\n"))).collect()
}

#[test]
fn a_long_list_of_named_images_is_one_screen_and_in_a_pipe_one_line_an_image() {
    let world = many();
    let names = named_in(&world);
    let images = names.lines().count() - 5;
    std::fs::write(world.home().join("names"), &names).unwrap();
    for flags in [&["--dry-run"][..], &[]] {
        let arguments = [&["delete", "--from", "names", "--no-progress"], flags].concat();
        let Some(shown) = in_terminal(&world, &arguments, "n\n") else { return };
        assert_eq!(shown.code, if flags.is_empty() { 4 } else { 1 }, "{}", shown.text);
        let lines: Vec<&str> = shown.text.lines().collect();
        assert!(lines.len() <= 30, "{} lines:\n{}", lines.len(), shown.text);
        assert!(lines.iter().all(|line| line.chars().count() <= 100), "{}", shown.text);
        let words = shown.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in
            [&*format!("/team/app: delete {images} images, which frees at most "), "missing: 5 images", "`-v` lists"]
        {
            assert!(words.contains(part), "{part:?} in\n{}", shown.text);
        }
        assert!(words.contains("more images"), "{}", shown.text);
        let all = in_terminal(&world, &[&arguments[..], &["-v"]].concat(), "n\n").unwrap();
        assert!(all.text.lines().count() > images, "{}", all.text);
    }
    let piped = world.run(&["delete", "--from", "names", "--dry-run"]);
    assert!(piped.stdout.lines().count() > images, "{}", piped.transcript());
    // A few fit the screen, in the table that shows all of each.
    let few: String = names.lines().take(3).collect::<Vec<_>>().join("\n");
    std::fs::write(world.home().join("few"), few).unwrap();
    let shown = in_terminal(&world, &["delete", "--from", "few", "--dry-run"], "").unwrap();
    assert!(shown.text.contains("OUTCOME") && !shown.text.contains("`-v` lists"), "{}", shown.text);
}

#[test]
fn a_saved_plan_is_one_screen_with_its_reasons() {
    let world = many();
    let plan = world.run(&[&PRUNE[..], &["-n", "-o", "json"]].concat());
    std::fs::write(world.home().join("plan.json"), &plan.exits(0).stdout).unwrap();
    let Some(shown) = in_terminal(&world, &["delete", "--from", "plan.json", "--no-progress"], "n\n") else { return };
    assert_eq!(shown.code, 4, "{}", shown.text);
    assert!(shown.text.lines().count() <= 30, "{}", shown.text);
    assert!(shown.text.contains("older than 30d") && shown.text.contains("more images"), "{}", shown.text);
    assert!(
        shown.text.trim_end().ends_with("Nothing was deleted.") || shown.text.contains("[y/N] n"),
        "{}",
        shown.text
    );
}

#[test]
fn a_long_warning_is_wrapped_at_words_whatever_the_format() {
    let world = stale();
    let pattern = "a-tag-that-no-image-has-".repeat(3);
    let line = format!(
        "'{}' prune ecr:team/app --older-than 30d --protect 'one two three four {pattern} five six seven' -n -o json | cat > plan",
        env!("CARGO_BIN_EXE_imgctl")
    );
    let Some(shown) = dialogue(&world, &line, "", &[]) else { return };
    let warning: Vec<&str> = shown.text.lines().skip_while(|line| !line.starts_with("warning: ")).take(2).collect();
    assert!(warning.len() == 2 && warning[1].starts_with("  "), "{}", shown.text);
}
