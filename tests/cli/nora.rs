//! A second family of servers: NORA, which lists and deletes in its own way. Without `IMGCTL_NORA`, this does nothing.

use crate::{docker_registry::Registry, world::World};

#[test]
fn images_of_nora_are_listed_deleted_pruned_and_restored() {
    let Some(registry) = Registry::nora() else { return };
    let (one, two) = (registry.layout("one", &[]), registry.layout("two", &[]));
    let many = registry.layout("many", &["linux/amd64", "linux/arm64"]);
    registry.push(&one, "team/app", &["v1", "latest"]);
    registry.push(&two, "team/app", &["pr-1"]);
    registry.push(&many, "team/app", &["multi"]);
    let world = World::new(Default::default());
    let (at, store) = (|rest: &str| registry.at(&format!("team/app{rest}")), registry.at("team/app"));
    world.run(&["doctor", &store, "--check-delete", "-o", "json"]).exits(0);
    let run = world.run(&["list", &store, "-o", "json"]);
    run.exits(0).lists(3);
    world.run(&["list", &registry.at("**"), "-o", "json"]).exits(0).lists(3);
    world.run(&["get", &at(":v1"), &at(":none"), "-o", "json"]).ends(1, ["available", "missing"]);
    world.run(&["check-layers", &at(":multi"), "-o", "json"]).exits(0);

    let child = at(&format!("@{}", many.children[0]));
    world.run(&["delete", &child, "--yes", "-o", "json"]).ends(1, ["refused"]);
    world.run(&["delete", &at(&format!("@{}", one.digest)), "--yes", "-o", "json"]).ends(0, ["deleted"]);
    world.run(&["get", &at(":v1"), &at(":latest"), "-o", "json"]).ends(1, ["missing", "missing"]);
    world.run(&["restore", "last", "--yes", "-o", "json"]).ends(0, ["restored"]);
    registry.pulls("team/app:v1");
    registry.pulls("team/app:latest");

    let prune = ["prune", &store, "--tag", "pr-*", "--built-before", "2025-01-01", "--yes", "-o", "json"];
    world.run(&prune).ends(0, ["deleted"]);
    registry.pulls("team/app:multi");
    // With a tag, it deletes the image that others have, too. imgctl notices, and stops.
    let run = world.run(&["delete", &at(":v1"), "--yes"]);
    run.says("ImageDeletedWithTag");
}
