//! Saved plans, end to end: `prune --dry-run -o json`, later `delete --from`. What changed meanwhile is refused, image
//! by image, with the change named; the rest goes.

use chrono::Utc;
use imgctl::sandbox::ecr::{REGION, manifest::Manifest, repository::Repository};

use crate::{
    prune::{STORE, has, push, push_index, said, world},
    world::{Run, World},
};

/// Six stale images, one of them an index, and a young one; each stale one by its tag.
fn stale() -> World {
    world(|repository| {
        for name in ["same", "moved", "tagged", "gone", "held", "used"] {
            push(repository, name, &[name], 90);
        }
        push_index(repository, "multi", &["multi"], 90);
        push(repository, "young", &["v1"], 1);
    })
}

fn save(world: &World, flags: &[&str]) -> Run {
    let run = world.run(
        &[&["prune", STORE, "--older-than", "30d", "--max-percent=100", "--dry-run", "-o", "json"], flags].concat(),
    );
    run.exits(0);
    std::fs::write(world.home().join("plan.json"), &run.stdout).unwrap();
    run
}

pub fn change(world: &World, change: impl FnOnce(&mut Repository)) {
    let mut clouds = world.sandbox.world();
    change(clouds.ecr.repository(REGION, "team/app", Utc::now()));
}

fn run(world: &World, flags: &[&str]) -> Run {
    world.run(&[&["delete", "--from", "plan.json", "-o", "json"], flags].concat())
}

/// The outcome and the error's message of the image that once had this tag.
fn ended(run: &Run, plan: &Run, tag: &str) -> (String, String) {
    let find = |run: &Run, test: &dyn Fn(&serde_json::Value) -> bool| {
        let document = run.json();
        let item = document["items"].as_array().unwrap().iter().find(|item| test(item)).cloned();
        item.unwrap_or_else(|| panic!("no {tag} in {}", run.transcript()))
    };
    let planned = find(plan, &|item| item["tags"][0] == tag);
    let item = find(run, &|item| item["ref"] == planned["ref"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&item["outcome"]), text(&item["error"]["message"]))
}

#[test]
fn a_plan_that_nothing_contradicts_is_carried_out() {
    let world = stale();
    let plan = save(&world, &[]);
    let dry = run(&world, &["--dry-run"]);
    dry.ends(0, ["would_delete"; 9]);
    dry.sends(0, "BatchDeleteImage");
    let done = run(&world, &["--yes"]);
    done.ends(0, ["deleted"; 9]);
    let refs = |run: &Run| -> Vec<_> {
        let document = run.json();
        let items = document["items"].as_array().unwrap().iter();
        items.filter(|item| item["action"] == "delete").map(|item| item["ref"].clone()).collect()
    };
    assert_eq!(refs(&done), refs(&plan), "in the order of the plan");
    assert!(has(&world, "v1"));
    let again = run(&world, &["--yes"]);
    again.ends(1, ["missing"; 9]);
    run(&world, &["--yes", "--ignore-missing"]).exits(0);
}

#[test]
fn what_changed_since_is_refused_by_name_and_the_rest_goes() {
    let world = stale();
    let plan = save(&world, &[]);
    change(&world, |repository| {
        let young = repository.tag("v1").unwrap();
        repository.set_tag("moved", young);
        let tagged = repository.tag("tagged").unwrap();
        repository.set_tag("v2", tagged);
        let gone = repository.tag("gone").unwrap();
        repository.remove(&gone);
        let held = Manifest::image("held", 2);
        repository.push(&Manifest::index(&[(&held, "linux/amd64")]), &["v3"], Utc::now());
    });
    std::fs::write(world.home().join("used.txt"), "team/app:used\n").unwrap();
    let done = run(&world, &["--yes", "--in-use", "used.txt"]);
    done.exits(1);
    for (tag, outcome, why) in [
        ("same", "deleted", ""),
        ("multi", "deleted", ""),
        ("moved", "refused", "tag moved moved to "),
        ("tagged", "refused", "it gained the tag v2"),
        ("gone", "missing", "no longer exists"),
        ("held", "refused", "v3 (sha256:"),
        ("used", "refused", "in use, used.txt line 1"),
    ] {
        let (word, message) = ended(&done, &plan, tag);
        assert_eq!(word, outcome, "{tag}: {}", done.transcript());
        assert!(message.contains(why), "{tag}: {message}");
    }
    assert!(has(&world, "v2") && has(&world, "v3") && has(&world, "used") && !has(&world, "same"));
}

#[test]
fn a_plan_keeps_what_it_keeps_however_it_is_given() {
    let world = stale();
    let plan = save(&world, &[]);
    // Its lines, as a filter may leave them.
    let lines: String = plan.json()["items"].as_array().unwrap().iter().map(|item| format!("{item}\n")).collect();
    let given = world.run_with(&["delete", "-", "--yes"], &lines);
    given.exits(2).sends_calls(0).says("the plan keeps");
    // The whole of it on standard input is as good as a file.
    let given = world.run_with(&["delete", "-", "--dry-run", "-o", "json"], &plan.stdout);
    given.exits(0).lists(9);
    let pretty = serde_json::to_string_pretty(&plan.json()).unwrap();
    let given = world.run_with(&["delete", "--from", "-", "--dry-run", "-o", "json"], &pretty);
    given.exits(0).lists(9);
}

#[cfg(unix)]
#[test]
fn what_comes_through_a_pipe_is_read_from_its_beginning() {
    let world = stale();
    let plan = save(&world, &[]);
    let document = plan.json();
    let items = document["items"].as_array().unwrap().iter();
    let goes = items.filter(|item| item["action"] == "delete");
    let list: String = goes.map(|item| format!("{}\n", item["ref"].as_str().unwrap())).collect();
    let marked = format!("\u{feff}{}", plan.stdout);
    for given in [&list, &plan.stdout, &marked] {
        let arguments = ["delete", "--from", "/dev/stdin", "--dry-run", "-o", "json"];
        let run = world.run_with(&arguments, given);
        run.exits(0).lists(9);
    }
}

#[test]
fn standard_input_cannot_be_read_twice() {
    let world = stale();
    let plan = save(&world, &[]);
    let twice = ["--in-use", "-", "--in-use", "-"];
    for (arguments, stdin) in [
        (&["delete", "-", "--in-use", "-", "--allow-empty-in-use"][..], &*plan.stdout),
        (&[&["prune", STORE, "--older-than", "30d"][..], &twice, &["--allow-empty-in-use"]].concat(), "team/app:used"),
    ] {
        let run = world.run_with(&[arguments, &["--yes"]].concat(), stdin);
        run.exits(2).sends_calls(0);
    }
    let run = world.run_with(&["delete", "--from", "plan.json", "--in-use", "-", "--dry-run"], "team/app:used");
    run.says("1 images of these stores are in use");
}

#[test]
fn the_report_of_a_run_and_a_plan_that_a_guard_stopped_are_refused_as_plans() {
    let world = stale();
    let stopped = world.run(&["prune", STORE, "--older-than", "30d", "--max-delete", "3", "--dry-run", "-o", "json"]);
    stopped.exits(4);
    std::fs::write(world.home().join("plan.json"), &stopped.stdout).unwrap();
    let refused = run(&world, &["--yes"]);
    refused.exits(4).sends_calls(0);

    let report = world.run(&["prune", STORE, "--older-than", "30d", "--max-percent=100", "--yes", "-o", "json"]);
    report.exits(0);
    std::fs::write(world.home().join("plan.json"), &report.stdout).unwrap();
    let refused = run(&world, &["--yes"]);
    refused.exits(2).sends_calls(0);
}

#[test]
fn what_was_protected_when_the_plan_was_made_is_protected_when_it_runs() {
    let world = stale();
    save(&world, &["--protect", "keep-*"]);
    change(&world, |repository| {
        let same = repository.tag("same").unwrap();
        repository.set_tag("keep-me", same);
    });
    let done = run(&world, &["--yes"]);
    assert!(has(&world, "keep-me"), "{}", done.transcript());
    let loose = stale();
    save(&loose, &["--no-default-protect"]);
    run(&loose, &["--yes"]).exits(0);
}

#[test]
fn a_plan_says_of_each_image_what_and_why() {
    let world = stale();
    let plan = save(&world, &["--keep", "6"]);
    let document = plan.json();
    assert_eq!(document["dry_run"], true);
    let items = document["items"].as_array().unwrap();
    assert_eq!(items.len(), 10);
    let young = items.iter().find(|item| item["tags"][0] == "v1").unwrap();
    let said = said(&plan, young["digest"].as_str().unwrap());
    assert_eq!(said[..2], ["keep", "not_selected"]);
    assert_eq!(said[2], "kept: pushed 24 hours ago, not older than 30d");
    let store = &document["plan"]["stores"][0];
    assert_eq!((&store["images"], &store["kept"]), (&10.into(), &9.into()), "{store}");
}

#[test]
fn a_plan_without_what_it_deletes_is_a_mistake_and_lists_that_are_not_read_again_are_said() {
    let world = stale();
    save(&world, &["--show", "kept"]);
    let refused = run(&world, &["--yes"]);
    refused.exits(2).sends_calls(0).says("lists none of the 9 images");

    std::fs::write(world.home().join("used.txt"), "team/app:used\n").unwrap();
    save(&world, &["--in-use", "used.txt"]);
    let warned = world.run(&["delete", "--from", "plan.json", "--dry-run"]);
    warned.says("does not read the in-use lists of the plan again");
    let newer = run(&world, &["--dry-run", "--in-use", "used.txt"]);
    newer.exits(0).sends(1, "DescribeImages");
}

#[test]
fn a_plan_names_the_stores_that_could_not_be_read() {
    let world = stale();
    let plan = world.run(&["prune", STORE, "ecr:no/such", "--older-than", "30d", "--dry-run", "-o", "json"]);
    let failed = &plan.json()["plan"]["failed"][0];
    assert_eq!(failed["error"]["code"], "RepositoryNotFoundException", "{}", plan.transcript());
    assert!(failed["store"].as_str().unwrap().contains("no/such"));
}

#[test]
fn a_missing_image_that_counts_as_done_is_not_annotated() {
    let world = stale();
    save(&world, &[]);
    run(&world, &["--yes"]).exits(0);
    let again = run(&world, &["--yes", "--ignore-missing", "--github", "always"]);
    again.exits(0);
    assert!(!again.stderr.contains("::warning"), "{}", again.transcript());
}
