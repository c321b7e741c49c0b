//! How many calls follow one after the other: with the latency of a network, that is the time that a small job takes.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Options, World as Clouds,
    ecr::{REGION, manifest::Manifest},
};

use crate::world::World;

/// Long enough for calls that are sent side by side to overlap on a busy machine.
const LATENCY: Duration = Duration::from_millis(300);

const COUNT: usize = 250;

/// Two repositories with images of one tag each, and all their digests.
fn world() -> (World, Vec<String>) {
    let (mut clouds, mut digests) = (Clouds::default(), Vec::new());
    for name in ["team/app", "team/other"] {
        let repository = clouds.ecr.repository(REGION, name, Utc::now());
        for number in 0..COUNT {
            let at = Utc::now() - TimeDelta::days(40);
            let image = Manifest::image(&format!("{name} {number}"), 2);
            digests.push(repository.push(&image, &[&format!("v{number}")], at).to_string());
        }
    }
    (World::with(clouds, Options { latency: LATENCY, ..Options::default() }), digests)
}

#[test]
fn a_deletion_of_digests_takes_three_rounds_with_its_record() {
    let (world, digests) = world();
    let refs: String = digests[..COUNT].iter().map(|digest| format!("ecr:team/app@{digest}\n")).collect();
    // What applies to the registry; looks and manifests; the deletion.
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &refs);
    run.exits(0).sends(3, "DescribeImages").sends(3, "BatchGetImage").sends(3, "BatchDeleteImage").takes_rounds(3);
}

#[test]
fn a_deletion_of_last_tags_takes_five_rounds() {
    let (world, _) = world();
    let refs: String = (0..COUNT).map(|number| format!("ecr:team/app:v{number}\n")).collect();
    // Looks; manifests; the deletion; a listing of what is left; and whether images are gone that it does not show.
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &refs);
    run.exits(0).sends(6, "BatchGetImage").sends(1, "DescribePullThroughCacheRules").takes_rounds(5);
}

#[test]
fn layers_of_images_in_several_stores_are_checked_side_by_side() {
    let (world, _) = world();
    // What applies to the registry; manifests; layers.
    let run = world.run(&["check-layers", "ecr:team/app:v1", "ecr:team/other:v1", "-o", "json"]);
    run.exits(0).sends(2, "BatchGetImage").sends(2, "BatchCheckLayerAvailability").takes_rounds(3);
    let stores = run.json()["items"].as_array().unwrap().iter().map(|item| item["ref"].to_string()).collect::<Vec<_>>();
    let (first, second) = stores.split_at(stores.len() / 2);
    assert!(
        first.iter().all(|store| store.contains("team/app")) && second.iter().all(|store| store.contains("team/other"))
    );
}
