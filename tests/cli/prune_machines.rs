//! `prune` of machine images, end to end: what instances, templates, families, shares and groups keep.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    cvm::{Instance, LaunchConfiguration, LaunchTemplate, Region},
    iam,
};

use crate::{
    prune::said,
    world::{Run, World},
};

fn id(number: usize) -> String {
    format!("img-{number:08}")
}

/// Nine old images, each used in another way; 0 and 8 are not.
fn world(fill: impl FnOnce(&mut Region)) -> World {
    let mut clouds = Clouds::default();
    let region = clouds.cvm.region("ap-guangzhou");
    let ago = |days| Utc::now() - TimeDelta::days(days);
    for number in 0..9 {
        region.add(&id(number), ago(100 - number as i64)).name = format!("image {number}");
    }
    region.instances.push(Instance {
        id: "ins-1".into(),
        name: "web".into(),
        state: "STOPPED".into(),
        zone: "ap-guangzhou-1".into(),
        image: id(1),
        created: ago(50),
    });
    region.launch_templates.push(LaunchTemplate {
        id: "lt-1".into(),
        name: "web".into(),
        created: ago(50),
        // The old version counts, too.
        versions: vec![id(2), id(1)],
        default_version: 2,
    });
    let configuration = |id: &str, image, family| LaunchConfiguration {
        id: id.into(),
        name: id.into(),
        created: ago(50),
        image,
        family,
    };
    region.launch_configurations.push(configuration("asc-1", Some(id(3)), None));
    region.launch_configurations.push(configuration("asc-2", None, Some("web".into())));
    for (number, family) in [(4, "web"), (5, "batch"), (6, "batch")] {
        region.images.get_mut(&id(number)).unwrap().family = Some(family.into());
    }
    let shared = region.images.get_mut(&id(7)).unwrap();
    shared.shared_with.insert("100000000002".into(), ago(9));
    fill(region);
    World::new(clouds)
}

fn prune(world: &World, flags: &[&str]) -> Run {
    world.run(&[&["prune", "cvm:", "--older-than", "30d", "-o", "json"], flags].concat())
}

#[test]
fn an_image_is_kept_while_it_or_its_family_is_in_use() {
    let world = world(|_| ());
    let run = prune(&world, &["--dry-run"]);
    run.exits(0);
    for (number, rule, reason) in [
        (0, "selected", "created 100 days ago, older than 30d"),
        (1, "in_use", "kept: in use, instance ins-1 was made from it"),
        (2, "in_use", "kept: in use, launch template lt-1 version 1 was made from it"),
        (3, "in_use", "kept: in use, launch configuration asc-1 was made from it"),
        (4, "in_use", "kept: the newest of family web"),
        (5, "selected", "created 95 days ago, older than 30d"),
        (6, "in_use", "kept: the newest of family batch"),
        (7, "in_use", "kept: shared with account 100000000002"),
        (8, "selected", "created 92 days ago, older than 30d"),
    ] {
        let [_, is, why] = said(&run, &id(number));
        assert_eq!((is.as_str(), why.as_str()), (rule, reason), "{}", run.transcript());
    }
    // One page of each, the versions of one template, and the accounts that each chosen image is shared with.
    for (call, count) in [
        ("DescribeImages", 1),
        ("DescribeInstances", 1),
        ("DescribeLaunchTemplates", 1),
        ("DescribeLaunchTemplateVersions", 1),
        ("DescribeLaunchConfigurations", 1),
    ] {
        assert_eq!(run.count(call), count, "{call}: {}", run.transcript());
    }

    let run = prune(&world, &["--yes"]);
    run.ends(0, ["deleted"; 3]);
}

#[test]
fn what_cannot_be_asked_keeps_everything_and_skipping_it_is_said() {
    let world = world(|_| ()).fault("cvm:DescribeInstances:status=500:99");
    let run = prune(&world, &["--yes", "--attempts", "1"]);
    run.exits(1).sends(0, "DeleteImages").says("--skip-usage-check");
    let run = prune(&world, &["--dry-run", "--skip-usage-check", "--max-percent", "100"]);
    run.exits(0);
    assert_eq!(run.json()["plan"]["usage_checked"], false);
    run.sends_calls(1);
    let run = world.run(&["prune", "cvm:", "--keep", "9", "-n", "--skip-usage-check"]);
    assert!(!run.stderr.contains("warning"), "nothing goes: {}", run.transcript());
    let run = world.run(&["prune", "cvm:", "--keep", "1", "-n", "--skip-usage-check", "-q"]);
    run.says("warning: imgctl did not check");
}

#[test]
fn usage_is_not_checked_when_nothing_would_be_deleted() {
    let world = world(|_| ());
    let run = prune(&world, &["--keep", "9", "--yes"]);
    run.exits(0).sends_calls(1);
}

#[test]
fn all_pages_of_users_are_read() {
    let world = world(|region| {
        for number in 0..450 {
            let mut instance = region.instances[0].clone();
            instance.id = format!("ins-{}", number + 2);
            instance.image = if number == 449 { id(8) } else { id(1) };
            region.instances.push(instance);
        }
    });
    let run = prune(&world, &["--dry-run"]);
    assert_eq!(said(&run, &id(8))[2], "kept: in use, instance ins-451 was made from it", "{}", run.transcript());
    run.sends(6, "DescribeInstances");
}

#[test]
fn an_image_that_came_into_use_since_the_plan_is_refused_when_it_runs() {
    let world = world(|_| ());
    let plan = prune(&world, &["--dry-run"]);
    std::fs::write(world.home().join("plan.json"), &plan.stdout).unwrap();
    let mut clouds = world.sandbox.world();
    clouds.cvm.region("ap-guangzhou").instances[0].image = id(8);
    drop(clouds);
    let run = world.run(&["delete", "--from", "plan.json", "--yes", "-o", "json"]);
    run.exits(1);
    let mut words = run.words();
    words.sort();
    assert_eq!(words, ["deleted", "deleted", "refused"], "{}", run.transcript());
    assert_eq!(run.json()["items"][0]["error"]["message"], "in use, instance ins-1 was made from it");
}

#[test]
fn keep_counts_by_family_or_name_and_what_is_kept_anyway_does_not_count() {
    let world = world(|region| {
        for number in 10..14 {
            let image = region.add(&id(number), Utc::now() - TimeDelta::days(120 - number as i64));
            image.name = format!("nightly-2025010{number}");
        }
        // The newest of them is in use, so it is none of those that --keep counts.
        region.instances[0].image = id(13);
    });
    let run = prune(&world, &["--keep", "1", "--tag", "nightly-*", "--dry-run"]);
    let rules: Vec<_> = (10..14).map(|number| said(&run, &id(number))[1].clone()).collect();
    assert_eq!(rules, ["selected", "selected", "newest", "in_use"], "{}", run.transcript());
}

#[test]
fn image_servers_with_groups_stay_unless_they_may_go_with_them() {
    let mut clouds = Clouds::default();
    let ids = ["697612196993040384", "697612196993040385"];
    for (id, group) in ids.into_iter().zip(["group-1", ""]) {
        let server = clouds.workspace.region(iam::REGION).add(id, Utc::now() - TimeDelta::days(90));
        server.server_group_id = group.into();
        server.app_group_id = String::new();
    }
    let world = World::new(clouds);
    let flags = ["prune", "workspace:", "--older-than", "30d", "-o", "json", "--max-percent", "100"];
    let run = world.run(&[&flags[..], &["--dry-run"]].concat());
    assert_eq!(said(&run, ids[0])[2], "kept: server group group-1 depends on it", "{}", run.transcript());
    assert_eq!(said(&run, ids[1])[0], "delete");
    let run = world.run(&[&flags[..], &["--dry-run", "--recursive"]].concat());
    assert_eq!(said(&run, ids[0])[0], "delete", "{}", run.transcript());
    std::fs::write(world.home().join("plan.json"), &run.stdout).unwrap();
    let other = world.run(&["delete", "--from", "plan.json", "--yes"]);
    other.exits(2).sends_calls(0);
}

#[test]
fn several_clouds_are_pruned_in_one_run() {
    let mut clouds = Clouds::seeded(1, 200, Utc::now());
    clouds.cvm.region("ap-guangzhou");
    let world = World::new(clouds);
    let flags = [
        "prune",
        "ecr:**",
        "cvm:",
        "workspace:",
        "--older-than",
        "60d",
        "--keep",
        "1",
        "--max-percent=65",
        "-o",
        "json",
    ];
    let plan = world.run(&[&flags[..], &["--dry-run"]].concat());
    plan.exits(0);
    let providers = |run: &Run, word: &str| {
        let document = run.json();
        let items = document["items"].as_array().unwrap().iter();
        let mut found: Vec<_> = items
            .filter(|item| item["outcome"] == word)
            .map(|item| item["provider"].as_str().unwrap().to_owned())
            .collect();
        found.dedup();
        found
    };
    assert_eq!(providers(&plan, "would_delete"), ["ecr", "cvm"]);
    let run = world.run(&[&flags[..], &["--yes"]].concat());
    run.exits(0);
    assert_eq!(providers(&run, "deleted"), ["ecr", "cvm"]);
}
