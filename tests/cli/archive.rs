//! Archiving instead of deleting: which images may go to the archive, what is shown before, what is reported after.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, World as Clouds,
    ecr::{
        REGION, SameClass,
        manifest::Manifest,
        repository::{Repository, Status},
    },
};

use crate::world::World;

const FIND: &str = "ecr:team/app";

fn world(fill: impl FnOnce(&mut Repository)) -> World {
    changed(fill, |_| ())
}

fn changed(fill: impl FnOnce(&mut Repository), change: impl FnOnce(&mut Clouds)) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    change(&mut clouds);
    World::new(clouds)
}

fn push(repository: &mut Repository, manifest: &Manifest, tags: &[&str]) {
    repository.push(manifest, tags, Utc::now() - TimeDelta::days(40));
}

/// How an image of `team/app` is stored now.
fn status(world: &World, name: &str) -> Status {
    let mut clouds = world.sandbox.world();
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    repository.find(name).unwrap_or_else(|| panic!("{name} is gone")).status()
}

fn image(name: impl std::fmt::Display) -> String {
    format!("{FIND}{name}")
}

/// An index on two images, of which the first belongs to another index as well.
fn indexes() -> [Manifest; 4] {
    let [shared, own] = ["shared", "own"].map(|name| Manifest::image(name, 2));
    let first = Manifest::index(&[(&shared, "linux/amd64"), (&own, "linux/arm64")]);
    let second = Manifest::index(&[(&shared, "linux/amd64")]);
    [shared, own, first, second]
}

#[test]
fn a_tag_names_its_image_and_all_tags_must_be_named() {
    let world = world(|repository| push(repository, &Manifest::image("one", 2), &["v1", "v2"]));
    let run = world.run(&["delete", "--archive", "-y", &image(":v1"), "-o", "json"]);
    run.ends(1, ["refused"]).sends(0, "UpdateImageStorageClass");
    assert_eq!(run.json()["items"][0]["error"]["code"], "OtherTags");
    assert_eq!(status(&world, "v1"), Status::Active);
    let run = world.run(&["delete", "--archive", "-y", &image(":v1"), &image(":v2"), "-o", "json"]);
    run.ends(0, ["archived"; 2]).sends(1, "UpdateImageStorageClass").sends(0, "BatchDeleteImage");
    assert_eq!(status(&world, "v1"), Status::Archived);
    let run = world.run(&["delete", "--archive", "-y", &image(":v1"), "--all-tags", "-o", "json"]);
    run.ends(0, ["already_archived"]).sends(0, "UpdateImageStorageClass");
}

#[test]
fn what_an_active_index_or_subject_needs_is_refused_and_the_index_goes_first() {
    let [shared, own, first, second] = indexes();
    let signature = Manifest::attached("signature", "application/x-sig", &second);
    let world = world(|repository| {
        for (manifest, tags) in
            [(&shared, &[][..]), (&own, &[]), (&first, &["v1"]), (&second, &["v2"]), (&signature, &[])]
        {
            push(repository, manifest, tags);
        }
    });
    let digest = |manifest: &Manifest| image(format!("@{}", manifest.digest));
    let names = [digest(&shared), digest(&own), digest(&first), digest(&signature)];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = world.run(&[&["delete", "--archive", "-y", "-o", "json"], &names[..]].concat());
    run.ends(1, ["refused", "archived", "archived", "refused"]);
    let order: Vec<_> = run.calls.iter().filter(|call| call.operation == "UpdateImageStorageClass").collect();
    assert_eq!(order[0].items, [first.digest.to_string()], "{}", run.transcript());
    assert_eq!(status(&world, &shared.digest.to_string()), Status::Active);
    assert_eq!(status(&world, "v2"), Status::Active);
}

#[test]
fn only_a_look_makes_an_image_archived() {
    // The service says yes and does nothing.
    let quirk = |clouds: &mut Clouds| {
        clouds.ecr.quirks.same_class = SameClass::Accepted;
        clouds.ecr.before("UpdateImageStorageClass", |ecr| {
            let repository = ecr.repository(REGION, "team/app", Utc::now());
            let digest = repository.find("v1").unwrap().manifest.digest;
            repository.archive(&digest, Utc::now());
        });
        // Another pushes it again right before the look.
        clouds.ecr.before("DescribeImages", |ecr| {
            let repository = ecr.repository(REGION, "team/app", Utc::now());
            let digest = repository.find("v1").unwrap().manifest.digest;
            repository.set_status(digest, Status::Active, Utc::now());
        });
    };
    let world = changed(|repository| push(repository, &Manifest::image("one", 2), &["v1"]), quirk);
    let run = world.run(&["delete", "--archive", "-y", "--timeout-job", "2s", &image(":v1"), "-o", "json"]);
    run.ends(1, ["unknown"]);
}

#[test]
fn lost_answers_and_images_archived_or_deleted_meanwhile_are_told_apart() {
    let one = Manifest::image("one", 2);
    let fresh = || world(|repository| push(repository, &one, &["v1"]));
    let name = image(":v1");
    let archive = ["delete", "--archive", "-y", &name, "-o", "json"];
    for (fault, ends) in [("lose-answer:1", "archived"), ("drop:1", "archived"), ("throttle:2", "archived")] {
        let world = fresh().fault(&format!("ecr:UpdateImageStorageClass:{fault}"));
        world.run(&archive).ends(0, [ends]);
        assert_eq!(status(&world, "v1"), Status::Archived);
    }
    let denied = changed(
        |repository| push(repository, &one, &["v1"]),
        |clouds| clouds.ecr.denied.extend(["UpdateImageStorageClass".into()]),
    );
    denied.run(&archive).ends(3, ["failed"]);
    let gone = changed(
        |repository| push(repository, &one, &["v1"]),
        |clouds| {
            let digest = one.digest;
            clouds.ecr.before("UpdateImageStorageClass", move |ecr| {
                ecr.repository(REGION, "team/app", Utc::now()).remove(&digest);
            });
        },
    );
    gone.run(&archive).ends(1, ["missing"]);
}

#[test]
fn a_plan_of_an_archive_run_is_never_carried_out_as_a_deletion() {
    let fresh = || {
        world(|repository| {
            for name in ["one", "two", "three"] {
                push(repository, &Manifest::image(name, 2), &[name]);
            }
        })
    };
    // A plan of rules, and the reports of a dry run in both formats.
    for plan in [
        vec![
            "prune",
            FIND,
            "--older-than",
            "30d",
            "--archive",
            "--max-percent",
            "100",
            "--allow-empty",
            "-n",
            "-o",
            "json",
        ],
        vec!["delete", "ecr:team/app:one", "--archive", "-n", "-o", "json"],
        vec!["delete", "ecr:team/app:one", "--archive", "-n", "-o", "ndjson"],
    ] {
        let world = fresh();
        let saved = world.run(&plan);
        assert!(
            saved.stdout.contains("would_archive") && !saved.stdout.contains("would_delete"),
            "{}",
            saved.transcript()
        );
        let file = world.home().join("plan");
        std::fs::write(&file, &saved.stdout).unwrap();
        let run = world.run(&["delete", "-y", "--from", "plan", "-o", "json"]);
        run.exits(0).sends(0, "BatchDeleteImage");
        assert!(run.words().iter().all(|word| word == "archived"), "{}", run.transcript());
        assert_eq!(status(&world, "one"), Status::Archived);
        let again = world.run(&["delete", "-y", "--from", "plan", "-o", "json"]);
        assert!(again.words().iter().all(|word| word == "already_archived"), "{}", again.transcript());
        again.exits(0).sends(0, "BatchDeleteImage");
    }
}

#[test]
fn a_plan_of_a_deletion_is_not_archived_and_a_mix_is_refused() {
    let world = world(|repository| push(repository, &Manifest::image("one", 2), &["v1"]));
    let plan =
        world.run(&["prune", FIND, "--older-than", "30d", "--max-percent", "100", "--allow-empty", "-n", "-o", "json"]);
    std::fs::write(world.home().join("plan"), &plan.stdout).unwrap();
    world
        .run(&["delete", "-y", "--archive", "--from", "plan"])
        .exits(2)
        .says("it was made with none of")
        .sends_calls(0);
    let edited = plan.stdout.replace("\"action\":\"delete\"", "\"action\":\"archive\"");
    std::fs::write(world.home().join("edited"), edited).unwrap();
    world.run(&["delete", "-y", "--from", "edited"]).exits(2).says("has another action than the plan").sends_calls(0);
    let mix = "{\"ref\":\"ecr:team/app:v1\",\"outcome\":\"would_archive\"}\n{\"ref\":\"ecr:team/app:v2\",\"outcome\":\"would_delete\"}\n";
    world.run_with(&["delete", "-y", "-"], mix).exits(2).says("some of these items are to be archived").sends_calls(0);
}

#[test]
fn rules_choose_active_images_only_and_what_is_being_restored_is_kept() {
    let archived = Manifest::image("archived", 2);
    let activating = Manifest::image("activating", 2);
    let world = changed(
        |repository| {
            push(repository, &archived, &["a"]);
            push(repository, &activating, &["b"]);
            push(repository, &Manifest::image("active", 2), &["c"]);
            push(repository, &Manifest::image("other", 2), &["d"]);
            repository.archive(&archived.digest, Utc::now());
            repository.set_status(activating.digest, Status::Activating, Utc::now());
        },
        |clouds| clouds.ecr.delays.activation = TimeDelta::hours(1),
    );
    let prune = ["prune", FIND, "--older-than", "30d", "--keep", "1", "--archive", "-y", "-o", "json"];
    let run = world.run(&prune);
    run.ends(0, ["archived"]);
    assert_eq!(status(&world, "b"), Status::Activating);
    // Again: nothing is left to archive, and what is archived is not counted against the guards.
    world.run(&prune).ends(0, []);
}

#[test]
fn the_manifest_is_on_record_before_an_image_goes_to_the_archive() {
    let one = Manifest::image("one", 2);
    let world = world(|repository| push(repository, &one, &["v1"]));
    let run = world.run(&["delete", "--archive", "-y", &image(":v1"), "-o", "json"]);
    run.ends(0, ["archived"]).sends(1, "BatchGetImage");
    // Someone deletes it there; an archived image cannot be read any more.
    world.sandbox.world().ecr.repository(REGION, "team/app", Utc::now()).remove(&one.digest);
    let restore = world.run(&["restore", "-y", run.json()["run"].as_str().unwrap(), "-o", "json"]);
    restore.ends(0, ["restored"]).sends(1, "PutImage");
    assert_eq!(status(&world, "v1"), Status::Active);
}

#[test]
fn only_ecr_has_an_archive() {
    let world = World::new(Clouds::default());
    for command in [
        &["delete", "--archive", "-y", "cvm:img-6pb6lrmy"][..],
        &["delete", "--archive", "-n", "ecr:team/app:v1", "workspace:1"],
        &["prune", "--archive", "--older-than", "1d", "-n", "cvm:"],
    ] {
        world.run(command).exits(2).says("has no archive").sends_calls(0);
    }
}

#[test]
fn a_plan_says_what_the_archive_costs_and_what_can_be_undone() {
    let [shared, own, first, second] = indexes();
    let world = world(|repository| {
        for (manifest, tags) in [(&shared, &[][..]), (&own, &[]), (&first, &["v1"]), (&second, &["v2"])] {
            push(repository, manifest, tags);
        }
    });
    let run = world.run(&["delete", "--archive", "-n", &image(":v2")]);
    run.exits(0).says("charges each image for 90 days at least").says("archives the index first");
    let run = world.run(&["delete", "-n", &image(":v2"), "-o", "json"]);
    run.ends(0, ["would_delete"]);
    assert_eq!(run.json()["items"][0]["undo"], "while_layers_stay");
    world.run(&["delete", "-n", &image(":v2")]).says("AWS does not say how long");
}

#[test]
fn a_policy_archives_and_one_run_does_not_mix() {
    let world = world(|repository| {
        push(repository, &Manifest::image("one", 2), &["v1"]);
        push(repository, &Manifest::image("two", 2), &["v2"]);
    });
    let rules = "select = { older-than = \"30d\", keep = 1 }\n";
    let policies = format!(
        "[policy.cold]\nstores = [\"{FIND}\"]\narchive = true\n{rules}[policy.gone]\nstores = [\"ecr:other\"]\n{rules}"
    );
    std::fs::write(world.home().join("p.toml"), policies).unwrap();
    let prune = |flags: &[&str]| world.run(&[&["prune", "--policy", "p.toml", "-o", "json"], flags].concat());
    prune(&["-y"]).exits(2).says("policy cold archives images, and policy gone deletes them").sends_calls(0);
    let run = prune(&["cold", "-y"]);
    run.ends(0, ["archived"]).sends(0, "BatchDeleteImage");
    let run = prune(&["cold", "-n", "--archive"]);
    run.exits(0);
}

#[test]
fn a_guard_says_that_the_plan_archives() {
    let world = world(|repository| push(repository, &Manifest::image("one", 2), &["v1"]));
    let run = world.run(&["prune", FIND, "--older-than", "30d", "--archive", "-n"]);
    run.exits(4).says("the plan archives all 1 tagged images of repository team/app");
}
