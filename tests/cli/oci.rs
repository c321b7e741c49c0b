//! OCI registries: imgctl against a real one, which `skopeo` fills and then pulls everything from that was kept.

use crate::{
    docker_registry::{DELETES, Registry},
    world::World,
};

/// A world whose runs see a registry without credentials.
fn world() -> World {
    World::new(Default::default())
}

#[test]
fn images_are_listed_with_all_their_tags_and_described_by_name() {
    let Some(registry) = Registry::start(DELETES) else { return };
    let (one, many) = (registry.layout("one", &[]), registry.layout("many", &["linux/amd64", "linux/arm64"]));
    registry.push(&one, "team/app", &["v1", "latest"]);
    registry.push(&many, "team/app", &["v2"]);
    let world = world();
    let run = world.run(&["list", &registry.at("team/app"), "-o", "json"]);
    run.exits(0).lists(2);
    let items = run.json()["items"].as_array().unwrap().clone();
    let item = items.iter().find(|item| item["digest"] == *one.digest).unwrap();
    assert_eq!(item["tags"].as_array().unwrap().len(), 2, "{item}");
    assert_eq!(item["built_at"], "2024-05-06T07:08:09Z");
    assert_eq!(item["platform"], "linux/amd64");
    assert!(item["bytes"].as_u64() > Some(1024) && item.get("pushed_at").is_none(), "{item}");
    let index = items.iter().find(|item| item["digest"] == *many.digest).unwrap();
    assert!(index["bytes"].as_u64() > Some(2048), "{index}");
    let run = world.run(&["get", &registry.at("team/app:v1"), &registry.at("team/app:none"), "-o", "json"]);
    run.exits(1).lists(2);
    assert_eq!(run.json()["items"][0]["ref"], registry.at(&format!("team/app:v1@{}", one.digest)));
    assert_eq!(run.json()["items"][1]["state"], "missing");
    let run = world.run(&["get", "--manifest", &registry.at("team/app:v2")]);
    assert!(run.stdout.contains(&many.children[1]), "{}", run.stdout);
    world.run(&["check-layers", &registry.at("team/app:v2"), "-o", "json"]).exits(0);
    let run = world.run(&["list", &registry.at("team/**"), "-o", "json"]);
    run.exits(0).lists(2);
    world.run(&["list", &registry.at("other/app"), "-o", "json"]).exits(3);
}

#[test]
fn a_tag_goes_only_with_its_image_where_the_registry_removes_no_single_tags() {
    let Some(registry) = Registry::start(DELETES) else { return };
    let (one, two) = (registry.layout("one", &[]), registry.layout("two", &["linux/amd64", "linux/arm64"]));
    registry.push(&one, "app", &["v1", "latest"]);
    registry.push(&two, "app", &["v2"]);
    let world = world();
    let (v1, latest) = (registry.at("app:v1"), registry.at("app:latest"));
    let run = world.run(&["delete", &v1, "--yes", "-o", "json"]);
    run.ends(1, ["refused"]);
    let message = run.json()["items"][0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("latest"), "{message}");
    registry.pulls("app:v1");
    world.run(&["delete", &v1, &latest, "--yes", "-o", "json"]).ends(0, ["deleted", "deleted"]);
    world
        .run(&["get", &v1, &latest, &registry.at(&format!("app@{}", one.digest)), "-o", "json"])
        .ends(1, ["missing", "missing", "missing"]);
    registry.pulls("app:v2");
    // An index goes alone: its images stay for the registry to collect.
    world.run(&["delete", &registry.at("app:v2"), "--yes", "-o", "json"]).ends(0, ["deleted"]);
    let child = registry.at(&format!("app@{}", two.children[0]));
    world.run(&["get", &child, "-o", "json"]).exits(0);
}

#[test]
fn a_digest_goes_with_all_its_tags_and_only_once() {
    let Some(registry) = Registry::start(DELETES) else { return };
    let one = registry.layout("one", &[]);
    registry.push(&one, "app", &["v1", "v1b"]);
    registry.push(&registry.layout("two", &[]), "app", &["v2"]);
    let world = world();
    let image = registry.at(&format!("app@{}", one.digest));
    let run = world.run(&["delete", &image, "--dry-run", "-o", "json"]);
    run.ends(0, ["would_delete"]);
    assert_eq!(run.json()["items"][0]["tags"].as_array().unwrap().len(), 2, "{}", run.stdout);
    world.run(&["delete", &image, "--yes", "-o", "json"]).ends(0, ["deleted"]);
    world.run(&["delete", &image, "--yes", "-o", "json"]).ends(1, ["missing"]);
    world.run(&["delete", &image, "--yes", "--ignore-missing", "-o", "json"]).ends(0, ["missing"]);
    registry.pulls("app:v2");
    world.run(&["delete", &registry.at("app:v2"), "--all-tags", "--yes", "-o", "json"]).ends(0, ["deleted"]);
}

#[test]
fn a_registry_without_deletion_is_named_as_such() {
    let Some(registry) = Registry::start("storage: {inmemory: {}}") else { return };
    registry.push(&registry.layout("one", &[]), "app", &["v1"]);
    let world = world();
    let run = world.run(&["delete", &registry.at("app:v1"), "--yes", "-o", "json"]);
    let error = run.json()["items"][0]["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("does not delete"), "{}", run.transcript());
    let run = world.run(&["doctor", &registry.at("app"), "--check-delete", "-o", "json"]);
    assert!(run.stdout.contains("does not delete"), "{}", run.transcript());
}

#[test]
fn a_part_of_an_index_that_stays_is_refused() {
    let Some(registry) = Registry::start(DELETES) else { return };
    let many = registry.layout("many", &["linux/amd64", "linux/arm64"]);
    registry.push(&many, "app", &["v1"]);
    let world = world();
    let child = registry.at(&format!("app@{}", many.children[0]));
    for flag in ["--yes", "--dry-run"] {
        let run = world.run(&["delete", &child, flag, "-o", "json"]);
        run.ends(1, [if flag == "--yes" { "refused" } else { "would_refuse" }]);
        assert!(run.stdout.contains("needed by v1"), "{}", run.transcript());
    }
    registry.pulls("app:v1");
    // Together with its index, it may go.
    world.run(&["delete", &registry.at("app:v1"), &child, "--yes", "-o", "json"]).ends(0, ["deleted", "deleted"]);
}

#[test]
fn a_deletion_is_undone_with_every_tag_and_platform() {
    let Some(registry) = Registry::start(DELETES) else { return };
    let (one, many) = (registry.layout("one", &[]), registry.layout("many", &["linux/amd64", "linux/arm64"]));
    registry.push(&one, "app", &["v1", "latest"]);
    registry.push(&many, "app", &["v2"]);
    let world = world();
    let images = [registry.at("app:v2"), registry.at(&format!("app@{}", one.digest))];
    world.run(&["delete", &images[0], &images[1], "--yes", "-o", "json"]).ends(0, ["deleted", "deleted"]);
    let run = world.run(&["restore", "last", "--yes", "-o", "json"]);
    run.exits(0);
    assert_eq!(run.words(), ["restored", "restored"], "{}", run.transcript());
    for tag in ["v1", "latest", "v2"] {
        registry.pulls(&format!("app:{tag}"));
    }
}

#[test]
fn prune_keeps_what_rules_keep_and_refuses_what_the_registry_cannot_tell() {
    let Some(registry) = Registry::start(DELETES) else { return };
    for word in ["v1.0.1", "v1.0.2", "v1.1.0"] {
        registry.push(&registry.layout(word, &["linux/amd64", "linux/arm64"]), "team/app", &[word]);
    }
    registry.push(&registry.layout("pr", &[]), "team/app", &["pr-1", "pr-2"]);
    registry.push(&registry.layout("other", &[]), "team/app", &["pr-3", "keep"]);
    let world = world();
    let store = registry.at("team/app");
    for flags in [&["--older-than", "1d"][..], &["--not-pulled-for", "1d"], &["--untagged"], &["--keep-untagged", "1"]]
    {
        let run = world.run(&[&["prune", &store, "--yes", "-o", "json"], flags].concat());
        run.exits(3).says("does not tell");
        world.run(&[&["list", &store, "-o", "json"], flags].concat()).exits(3).says("does not tell");
    }
    let run =
        world.run(&["prune", &store, "--keep-semver", "--tag", "v*", "--max-percent", "100", "--yes", "-o", "json"]);
    run.exits(0);
    let run = world.run(&[
        "prune",
        &store,
        "--tag",
        "pr-*",
        "--built-before",
        "2025-01-01",
        "--max-percent",
        "100",
        "--yes",
        "-o",
        "json",
    ]);
    run.exits(0);
    world.run(&["get", &registry.at("team/app:v1.0.1"), "-o", "json"]).exits(1);
    world.run(&["get", &registry.at("team/app:pr-1"), "-o", "json"]).exits(1);
    for tag in ["v1.0.2", "v1.1.0", "pr-3", "keep"] {
        registry.pulls(&format!("team/app:{tag}"));
    }
    world.run(&["prune", &store, "--built-before", "2024-01-01", "--yes", "-o", "json"]).exits(0);
    registry.pulls("team/app:keep");
}
