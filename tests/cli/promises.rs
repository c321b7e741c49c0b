//! Promises that were once broken, each by its own race or fault: nothing is deleted that was not shown, and what
//! is reported is true afterwards.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, World as Clouds,
    ecr::{REGION, manifest::Manifest, repository::Repository},
};

use crate::{
    plans::change,
    prune::{has, push, push_index, world},
    world::World,
};

/// A world of one repository, in which something happens right before the nth such call is answered.
fn raced(
    fill: impl FnOnce(&mut Repository),
    operation: &str,
    nth: usize,
    mut race: impl FnMut(&mut Repository) + Send + 'static,
) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    let calls = Arc::new(AtomicUsize::new(0));
    clouds.ecr.before(operation, move |ecr| {
        if calls.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            race(ecr.repository(REGION, "team/app", Utc::now()));
        }
    });
    World::new(clouds)
}

fn plan(world: &World, rules: &[&str]) -> String {
    let most: &[&str] = if rules.contains(&"--max-percent") { &[] } else { &["--max-percent", "100"] };
    let run = world.run(&[&["prune", "ecr:team/app", "-n", "-o", "json"], most, rules].concat());
    run.exits(0);
    run.stdout
}

#[test]
fn one_repository_under_two_spellings_is_one() {
    let registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app";
    let by_two_tags = || world(|repository| drop(push(repository, "one", &["v1", "sha-1"], 40)));
    let tags = ["ecr:team/app:v1", &format!("{registry}:sha-1")];
    let run = by_two_tags().run(&["delete", tags[0], tags[1], "--dry-run", "-o", "json"]);
    run.ends(0, ["would_delete", "would_delete"]);
    let world = by_two_tags();
    let run = world.run(&["delete", tags[0], tags[1], "--yes", "-o", "json"]);
    run.ends(0, ["deleted", "deleted"]);
    assert!(!has(&world, "v1"));

    let world = by_two_tags();
    let digest = world.run(&["get", "ecr:team/app:v1", "-o", "json"]).json()["items"][0]["digest"].clone();
    let digest = digest.as_str().unwrap();
    let fips = registry.replace("dkr.ecr.", "dkr.ecr-fips.");
    for other in [registry, &fips] {
        let (here, there) = (format!("ecr:team/app@{digest}"), format!("{other}@{digest}"));
        let world = by_two_tags();
        world.run(&["delete", &here, &there, "--yes", "-o", "json"]).ends(0, ["deleted"]);
    }
}

#[test]
fn a_tag_is_not_sent_alone_once_the_image_lost_its_other_tag() {
    let fill = |repository: &mut Repository| drop(push(repository, "one", &["v1", "latest"], 40));
    // The first look is for the plan, the second right before the call.
    let world = raced(fill, "DescribeImages", 2, |repository| repository.remove_tag("latest"));
    let plan = world.run(&["list", "ecr:team/app", "-o", "json"]).stdout;
    assert!(plan.contains("latest"));
    let world = raced(fill, "BatchDeleteImage", 1, |repository| repository.remove_tag("latest"));
    let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json"]);
    // A race within one call remains; the report says what it came to.
    run.ends(0, ["deleted"]);
    assert!(!has(&world, "v1"));
}

#[test]
fn an_image_that_was_pushed_again_since_the_plan_stays() {
    let world = world(|repository| {
        push(repository, "old", &["v1"], 400);
        push(repository, "other", &["v2"], 400);
    });
    let plan = plan(&world, &["--older-than", "300d", "--allow-empty", "--max-percent", "100"]);
    change(&world, |repository| {
        let old = repository.tag("v1").unwrap();
        repository.remove(&old);
        repository.push(&Manifest::image("old", 2), &["v1"], Utc::now());
    });
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &plan);
    run.ends(1, ["deleted", "refused"]);
    assert!(run.stdout.contains("it was pushed again since the plan was made"), "{}", run.transcript());
    assert!(has(&world, "v1") && !has(&world, "v2"));
}

#[test]
fn an_image_that_was_pulled_since_the_plan_stays() {
    let world = world(|repository| {
        push(repository, "idle", &["v1"], 400);
        push(repository, "other", &["v2"], 400);
        push_index(repository, "multi", &["v3"], 400);
    });
    let plan = plan(&world, &["--older-than", "300d", "--allow-empty", "--max-percent", "100"]);
    change(&world, |repository| {
        let idle = repository.tag("v1").unwrap();
        *repository.times(&idle).unwrap().1 = Some(Utc::now());
    });
    // The plan read the index itself, which counted as a pull of it.
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &plan);
    let words = run.words();
    assert_eq!((run.code, words.iter().filter(|word| *word == "refused").count()), (1, 1), "{}", run.transcript());
    assert!(run.stdout.contains("it was pulled since the plan was made"), "{}", run.transcript());
    assert!(has(&world, "v1") && !has(&world, "v2") && !has(&world, "v3"));
}

#[test]
fn a_retry_leaves_a_digest_alone_that_was_pushed_again() {
    let fill = |repository: &mut Repository| drop(push(repository, "one", &["v1"], 40));
    let again = |repository: &mut Repository| {
        repository.push(&Manifest::image("one", 2), &["v1"], Utc::now() + TimeDelta::seconds(2));
    };
    for (arguments, outcome) in [(&["--all-tags"][..], "gone"), (&[][..], "gone")] {
        let world = raced(fill, "DescribeImages", 2, again).fault("ecr:BatchDeleteImage:lose-answer:1");
        let run = world.run(&[&["delete", "ecr:team/app:v1", "--yes", "-o", "json"], arguments].concat());
        run.ends(0, [outcome]);
        run.sends(1, "BatchDeleteImage");
        assert!(has(&world, "v1"), "{}", run.transcript());
    }
    // Of a digest that was never looked at, it cannot be told which one is there now.
    let digest = Manifest::image("one", 2).digest;
    let world = raced(fill, "DescribeImages", 1, again).fault("ecr:BatchDeleteImage:lose-answer:1");
    let run = world.run(&["delete", &format!("ecr:team/app@{digest}"), "--yes", "--no-record", "-o", "json"]);
    run.ends(1, ["unknown"]);
    assert!(has(&world, "v1"), "{}", run.transcript());
}

#[test]
fn an_only_tag_that_was_not_the_last_after_all_is_untagged() {
    let fill = |repository: &mut Repository| drop(push(repository, "one", &["v1"], 40));
    let world = raced(fill, "BatchDeleteImage", 1, |repository| {
        let one = repository.tag("v1").unwrap();
        repository.set_tag("v9", one);
    });
    let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json"]);
    run.ends(0, ["untagged"]);
    assert!(has(&world, "v9") && !has(&world, "v1"));
}

#[test]
fn the_last_tags_of_an_image_are_deleted_even_in_several_calls() {
    let tags: Vec<String> = (0..101).map(|number| format!("t{number:03}")).collect();
    let world = world(|repository| {
        push(repository, "one", &tags.iter().map(String::as_str).collect::<Vec<_>>(), 40);
    })
    .fault("ecr:BatchDeleteImage:lose-answer@1:1");
    let list: String = tags.iter().map(|tag| format!("ecr:team/app:{tag}\n")).collect();
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list);
    let words = run.words();
    assert!(words.iter().all(|word| word == "deleted" || word == "gone"), "{}", run.transcript());
    run.exits(0);
}

#[test]
fn a_store_of_a_plan_that_cannot_be_opened_does_not_stop_the_others() {
    let world = world(|repository| drop(push(repository, "old", &["v1"], 400)));
    let plan = plan(&world, &["--older-than", "300d", "--allow-empty", "--max-percent", "100"]);
    let other = r#"{"ref":"cvm://ap-guangzhou/img-6pb6lrmy","provider":"cvm","action":"delete","rule":"selected","reason":"older"},"#;
    let both = plan.replacen("\"items\":[", &format!("\"items\":[{other}"), 1);
    let world = world.unset("TENCENTCLOUD_SECRET_ID").unset("TENCENTCLOUD_SECRET_KEY");
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &both);
    run.ends(1, ["failed", "deleted"]);
}

#[test]
fn a_lost_call_whose_work_was_done_is_gone_and_one_that_may_yet_be_done_is_unknown() {
    let fill = |repository: &mut Repository| drop(push(repository, "one", &["v1"], 40));
    let world = raced(fill, "none", 1, |_| ()).fault("ecr:BatchDeleteImage:slow=3s:1");
    world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json", "--timeout", "1s"]).ends(0, ["gone"]);
    let world = raced(fill, "none", 1, |_| ()).fault("ecr:BatchDeleteImage:hang");
    let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json", "--timeout", "1s", "--attempts", "1"]);
    run.ends(1, ["unknown"]);
    assert!(has(&world, "v1"));
    // Never seen, never there: its absence after a lost call is not a success.
    let digest = Manifest::image("absent", 2).digest;
    let world = raced(fill, "none", 1, |_| ()).fault("ecr:BatchDeleteImage:drop:1");
    let run = world.run(&["delete", &format!("ecr:team/app@{digest}"), "--yes", "-o", "json"]);
    run.exits(1);
}

#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn every_signal_ends_a_run_that_reads_standard_input() {
    for name in ["-INT", "-TERM", "-HUP"] {
        for arguments in [&["delete", "-", "--yes", "-o", "json"][..], &["get", "-", "-o", "json"]] {
            let world = world(|repository| drop(push(repository, "one", &["v1"], 40)));
            let child = world.spawn(arguments);
            std::thread::sleep(std::time::Duration::from_millis(300));
            signal(&child, name);
            // The pipe stays open: nothing ends the reading but the signal.
            let run = world.wait_open(child, arguments);
            assert_eq!((run.code, run.calls.len()), (130, 0), "{name}: {}", run.transcript());
            run.says("nothing was sent");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_terminal_that_closes_during_a_deletion_leaves_a_report() {
    let fill = |repository: &mut Repository| drop(push(repository, "one", &["v1"], 40));
    let world = raced(fill, "none", 1, |_| ()).fault("ecr:BatchDeleteImage:slow=1500ms");
    let arguments = ["delete", "ecr:team/app:v1", "--yes", "-o", "json"];
    let child = world.spawn(&arguments);
    while !world.sandbox.calls().iter().any(|call| call.operation == "BatchDeleteImage") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    signal(&child, "-HUP");
    let run = world.wait(child, &arguments, 0);
    // The call in flight had time to answer; whether the image went with its tag could no longer be asked.
    run.ends(130, ["unknown"]);
}

#[test]
fn a_run_ends_within_a_second_of_its_deadline_when_a_call_hangs() {
    for fault in ["ecr:*:hang", "ecr:BatchDeleteImage:hang", "ecr:DescribeImages:hang@1"] {
        let world = world(|repository| drop(push(repository, "one", &["v1"], 40))).fault(fault);
        let begin = std::time::Instant::now();
        let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json", "--deadline", "2s"]);
        assert!(begin.elapsed().as_millis() < 3_500, "{:?}: {}", begin.elapsed(), run.transcript());
        run.lists(1);
        assert_ne!(run.code, 0, "{}", run.transcript());
    }
}

#[test]
fn the_same_stop_has_the_same_exit_code_in_prune_and_delete() {
    let stale =
        || world(|repository| drop(push(repository, "old", &["v1"], 400))).fault("ecr:BatchDeleteImage:status=403");
    let run = stale().run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json"]);
    let delete = (run.code, run.words());
    let rules = ["--older-than", "300d", "--allow-empty", "--max-percent", "100"];
    let run = stale().run(&[&["prune", "ecr:team/app", "--yes", "-o", "json"], &rules[..]].concat());
    assert_eq!((run.code, run.words()), delete, "{}", run.transcript());
    run.ends(3, ["failed"]);
}

#[test]
fn a_dry_run_foresees_what_an_index_will_refuse() {
    let fill = |repository: &mut Repository| {
        push_index(repository, "multi", &["v1"], 40);
        push(repository, "plain", &["v2"], 40);
        let signature = Manifest::attached("sbom", "application/spdx+json", &Manifest::image("plain", 2));
        repository.push(&signature, &[], Utc::now());
        push(repository, "dangling", &[], 40);
    };
    let world = world(fill);
    let untagged = world.run(&["list", "ecr:team/app", "--untagged", "-o", "json"]).json();
    let untagged = untagged["items"].as_array().unwrap().iter();
    let list: String = untagged.map(|item| format!("{}\n", item["ref"].as_str().unwrap())).collect();
    let run = world.run_with(&["delete", "-", "--dry-run"], &list);
    run.says("1 of these is a signature or another referrer of an image that will stay; `imgctl prune` keeps those");
    let run = world.run_with(&["delete", "-", "--dry-run", "-o", "json"], &list);
    let refused = run.words().iter().filter(|word| *word == "would_refuse").count();
    assert_eq!((run.code, refused, list.lines().count()), (1, 2, 4), "{}", run.transcript());
    assert!(run.stdout.contains("needed by v1 (sha256:"), "{}", run.transcript());
    // The registry says the same.
    let run = world.run_with(&["delete", "-", "--yes", "--no-record", "-o", "json"], &list);
    assert_eq!(run.count("BatchGetImage"), 0, "{}", run.transcript());
    let refused = run.words().iter().filter(|word| *word == "refused").count();
    assert_eq!((run.code, refused), (1, 2), "{}", run.transcript());
}

#[test]
fn what_an_index_needs_is_not_asked_with_a_permission_that_is_missing() {
    let world = world(|repository| drop(push(repository, "dangling", &[], 40)));
    let list = world.run(&["list", "ecr:team/app", "-o", "json"]).json();
    let world = world.fault("ecr:DescribeImages:status=403@1:1");
    let run = world.run(&["delete", list["items"][0]["ref"].as_str().unwrap(), "--dry-run"]);
    run.exits(0).says("cannot tell which images of");
}

#[test]
fn what_could_not_be_counted_exactly_is_counted_as_unknown() {
    let world = world(|repository| {
        let archived = push(repository, "archived", &["v1"], 40);
        repository.archive(&archived.parse().unwrap(), Utc::now());
        push(repository, "plain", &["v2"], 40);
        push(repository, "kept", &["v3"], 1);
    });
    let plan = plan(&world, &["--older-than", "30d", "--freed", "exact"]);
    let store = serde_json::from_str::<serde_json::Value>(&plan).unwrap()["plan"]["stores"][0].clone();
    assert_eq!((&store["deleted"], &store["unsized_images"]), (&2.into(), &1.into()), "{store}");
    assert_eq!(store["freed_exactly"], false);
}

#[test]
fn every_call_names_imgctl_and_its_version() {
    let world = World::new(Clouds::seeded(1, 40, Utc::now()));
    let run = world.run(&["list", "ecr:**", "cvm:", "workspace:", "-o", "json"]);
    let services: BTreeSet<_> = run.calls.iter().map(|call| call.service.as_str()).collect();
    assert!(["ecr", "cvm", "workspace"].iter().all(|service| services.contains(service)), "{services:?}");
    let version = env!("CARGO_PKG_VERSION");
    for call in &run.calls {
        let agent = &call.user_agent;
        let named = [format!("imgctl/{version}"), format!("app/imgctl-{version}")];
        assert!(named.iter().any(|named| agent.contains(named)), "{call:?}");
    }
}
