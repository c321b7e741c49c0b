//! `prune` of images and of the repository that holds their signatures, in one run.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    ecr::{REGION, manifest::Manifest},
};

use crate::{
    plans,
    world::{Run, World},
};

const STORES: [&str; 2] = ["ecr:team/signatures", "ecr:team/app"];

const RULES: [&str; 6] = ["--older-than", "30d", "--max-percent", "70", "-o", "json"];

/// Two old images and a young one, each with a signature in a repository of its own.
fn world() -> World {
    let mut clouds = Clouds::default();
    for (name, days) in [("v1", 90), ("v2", 80), ("v3", 1)] {
        let at = Utc::now() - TimeDelta::days(days);
        let image = Manifest::image(name, 2);
        let digest = clouds.ecr.repository(REGION, "team/app", Utc::now()).push(&image, &[name], at);
        let tag = format!("{}.sig", digest.to_string().replace(':', "-"));
        let signature = Manifest::image(&format!("signature of {name}"), 1);
        clouds.ecr.repository(REGION, "team/signatures", Utc::now()).push(&signature, &[&tag], at);
    }
    World::new(clouds)
}

/// How many images two repositories have.
fn left(world: &World) -> [usize; 2] {
    let mut clouds = world.sandbox.world();
    ["team/app", "team/signatures"].map(|name| clouds.ecr.repository(REGION, name, Utc::now()).len())
}

fn prune(world: &World, flags: &[&str]) -> Run {
    world.run(&[&["prune"], &STORES[..], &RULES[..], flags].concat())
}

#[test]
fn signatures_go_with_their_images_and_after_them() {
    let world = world();
    prune(&world, &["-y"]).ends(0, ["deleted"; 4]).sends(2, "BatchDeleteImage");
    assert_eq!(left(&world), [1, 1]);
}

#[test]
fn a_signature_stays_if_its_image_could_not_be_deleted() {
    for (fault, code, outcomes) in [
        ("status=403", 1, ["refused", "refused", "failed", "failed"]),
        ("lose-answer", 0, ["deleted", "deleted", "gone", "gone"]),
    ] {
        let world = world().fault(&format!("ecr:BatchDeleteImage:{fault}:1"));
        let run = prune(&world, &["-y"]);
        run.ends(code, outcomes);
        let gone = if code == 0 { 2 } else { 0 };
        assert_eq!(left(&world), [3 - gone, 3 - gone], "{}", run.transcript());
    }
}

#[test]
fn a_saved_plan_refuses_the_signature_of_an_image_that_has_changed() {
    let world = world();
    let plan = prune(&world, &["-n"]).stdout;
    plans::change(&world, |repository| {
        let digest = repository.tag("v1").unwrap();
        repository.set_tag("now-used", digest);
    });
    let run = world.run_with(&["delete", "-", "-y", "-o", "json"], &plan);
    run.ends(1, ["deleted", "refused", "deleted", "refused"]);
    assert!(run.stdout.contains("which stays"), "{}", run.transcript());
    assert_eq!(left(&world), [2, 2]);
}

#[test]
fn a_plan_without_the_images_leaves_their_signatures() {
    let world = world();
    let mut plan = prune(&world, &["-n"]).json();
    let items = plan["items"].as_array_mut().unwrap();
    items.retain(|item| !item["ref"].as_str().unwrap().contains("team/app"));
    let run = world.run_with(&["delete", "-", "-y", "-o", "json"], &plan.to_string());
    run.ends(1, ["refused", "refused"]);
    assert_eq!(left(&world), [3, 3]);
}

#[test]
fn nothing_follows_images_of_other_stores_if_a_store_could_not_be_read() {
    let world = world();
    let run = prune(&world, &["ecr:team/none", "-y"]);
    run.ends(1, ["deleted", "deleted"]);
    assert_eq!(left(&world), [1, 3]);
}
