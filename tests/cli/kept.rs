//! What never changes about an image is read from an OCI registry once: a second run asks only where the tags point.

use std::fs;

use chrono::Utc;
use imgctl::sandbox::{
    World as Clouds,
    oci::{Habits, Oci, habits::Auth},
};

use crate::world::World;

fn world() -> World {
    let habits = Habits { auth: Auth::Open, ..Habits::of("distribution").unwrap() };
    World::new(Clouds { oci: Oci::seeded(1, 40, habits, Utc::now()), ..Clouds::default() })
}

#[test]
fn a_second_run_reads_no_manifest_and_no_configuration_again() {
    let world = world();
    let store = format!("{}/team/app", world.sandbox.registry());
    let list = ["list", &store, "-o", "json"];
    let first = world.run(&list);
    let items = |run: &crate::world::Run| run.json()["items"].clone();
    assert!(first.exits(0).count("GET manifest") > 10 && first.count("GET blob") > 10, "{}", first.transcript());
    let again = world.run(&list);
    again.exits(0).sends(0, "GET manifest").sends(0, "GET blob").sends(first.count("HEAD manifest"), "HEAD manifest");
    assert_eq!(items(&again), items(&first));
    // What takes no call is not counted as one. The answer that a registry is no particular product takes three.
    assert_eq!(again.json()["summary"]["calls"], again.calls.len() - 3, "{}", again.transcript());
    let prune = ["prune", &store, "--built-before", "300d", "--max-percent", "100", "--dry-run"];
    world.run(&prune).exits(0).sends(0, "GET manifest").sends(0, "GET blob");

    // A changed record is forgotten, and read again.
    let folder = walk(world.home()).expect("a folder of manifests");
    for pack in fs::read_dir(folder).unwrap() {
        let pack = pack.unwrap().path();
        let mut bytes = fs::read(&pack).unwrap();
        bytes[200] ^= 1;
        fs::write(&pack, bytes).unwrap();
    }
    let changed = world.run(&list);
    assert!(changed.exits(0).count("GET manifest") > 0, "{}", changed.transcript());
    assert_eq!(items(&changed), items(&first));
    let off = world.set("IMGCTL_CACHE_DIR", "off");
    let run = off.run(&list);
    run.exits(0).sends(first.count("GET manifest"), "GET manifest");
}

/// The folder of manifests below a home.
fn walk(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).find_map(|path| match path.ends_with("imgctl/manifests") {
        true => Some(path),
        false => walk(&path),
    })
}
