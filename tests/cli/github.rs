//! What a run leaves in GitHub Actions: annotations on stderr, a step summary in its file, and data untouched.

use imgctl::sandbox::World as Clouds;

use crate::world::{Run, World};

fn world() -> World {
    let world = World::new(Clouds::seeded(1, 200, chrono::Utc::now()));
    let summary = world.home().join("summary.md").display().to_string();
    world.set("GITHUB_ACTIONS", "true").set("GITHUB_STEP_SUMMARY", &summary)
}

fn summary(world: &World) -> String {
    std::fs::read_to_string(world.home().join("summary.md")).unwrap_or_default()
}

fn commands(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines.filter(|line| line.starts_with("::")).collect()
}

#[test]
fn a_deletion_annotates_what_is_not_done_and_sums_itself_up() {
    let world = world();
    let run = world.run(&["delete", "--yes", "ecr:base/alpine:3.10.0", "ecr:base/alpine:nope", "ecr:no/such:v1"]);
    let commands = commands(&run);
    assert_eq!((run.code, commands.len()), (1, 2), "{}", run.transcript());
    let [store, missing] = [commands[0], commands[1]];
    assert!(store.starts_with("::error title=imgctl delete::The repository"), "{store}");
    assert!(store.contains("%0A  code: RepositoryNotFoundException"), "{store}");
    let title = "::warning title=imgctl delete%3A missing::";
    assert!(missing.starts_with(title) && missing.contains("base/alpine:nope"), "{missing}");
    assert!(!run.stderr.contains("\nerror:") && !run.stdout.contains("::"), "{}", run.transcript());

    let text = summary(&world);
    assert!(text.starts_with("### imgctl delete\n\n1 deleted, 1 failed, 1 missing · "), "{text}");
    for part in [
        "<summary>Not done: 1</summary>",
        "<summary>Done: 1</summary>",
        "\n| deleted | <code>",
        "RepositoryNotFoundException",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn layers_that_are_not_there_are_errors() {
    let world = world();
    let run = world.run(&["check-layers", "ecr:base/alpine", &format!("sha256:{}", "0".repeat(64))]);
    let commands = commands(&run);
    assert_eq!((run.code, commands.len()), (1, 1), "{}", run.transcript());
    let title = "::error title=imgctl check-layers%3A unavailable::";
    assert!(commands[0].starts_with(title), "{}", run.transcript());
    assert!(summary(&world).contains("<summary>Failed: 1</summary>"));
    let run = world.run(&["check-layers", "ecr:base/alpine:3.10"]);
    assert_eq!((run.code, self::commands(&run).len()), (0, 0));
    let text = summary(&world);
    assert_eq!(text.matches("### imgctl check-layers").count(), 2, "{text}");
}

#[test]
fn data_stay_data() {
    let world = world();
    for format in ["json", "ndjson"] {
        // The schema is checked by the world itself.
        let run = world.run(&["delete", "-y", "ecr:base/alpine:nope", "-o", format]);
        assert_eq!((run.code, commands(&run).len()), (1, 1), "{}", run.transcript());
    }
    let run = world.run(&["delete", "ecr:base/alpine:3.10", "-o", "json"]);
    let (json, annotation) = run.stderr.split_once('\n').unwrap();
    assert_eq!((run.code, run.stdout.as_str()), (4, ""));
    serde_json::from_str::<serde_json::Value>(json).unwrap();
    assert!(annotation.starts_with("::error title=imgctl delete::cannot ask for confirmation"));
}

#[test]
fn reading_leaves_nothing_behind_unless_it_goes_wrong() {
    let world = world();
    for arguments in [&["list", "ecr:base/*"][..], &["get", "ecr:base/alpine:3.10"], &["schema"]] {
        let run = world.run(arguments);
        assert_eq!((run.code, commands(&run).len(), summary(&world).len()), (0, 0, 0));
    }
    let run = world.run(&["get", "ecr:base/alpine:nope"]);
    assert_eq!((run.code, commands(&run).len()), (1, 1));
    assert!(summary(&world).contains("<summary>Not done: 1</summary>"));
}

#[test]
fn what_counts_as_done_is_not_annotated() {
    for format in ["table", "json", "ndjson"] {
        let world = world();
        let arguments = ["delete", "-y", "--ignore-missing", "ecr:base/alpine:nope", "-o", format];
        let run = world.run(&arguments);
        assert_eq!((run.code, commands(&run).len()), (0, 0), "{}", run.transcript());
        assert!(summary(&world).contains("<summary>Done: 1</summary>"));
    }
}

#[test]
fn it_can_be_turned_off_and_on() {
    let delete = ["delete", "-y", "ecr:base/alpine:nope"];
    for (variable, when, expected) in
        [("true", "auto", 1), ("true", "never", 0), ("false", "auto", 0), ("", "always", 1)]
    {
        let world = world().set("GITHUB_ACTIONS", variable);
        let run = world.run(&[&delete[..], &["--github", when]].concat());
        assert_eq!(commands(&run).len(), expected, "{}", run.transcript());
        assert_eq!(summary(&world).is_empty(), expected == 0);
    }
}

#[test]
fn a_summary_that_cannot_be_written_does_not_change_the_end() {
    let world = world().set("GITHUB_STEP_SUMMARY", "/no/such/folder/summary");
    let run = world.run(&["delete", "-y", "ecr:base/alpine:3.10.0"]);
    run.exits(0).says("cannot write the step summary");
}
