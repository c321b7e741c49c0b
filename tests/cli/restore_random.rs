//! Random deletions and restores over random repositories, whose tags move and whose layers vanish meanwhile: every image
//! that is called restored can be read whole on every platform, by the same tags, and nothing that was there is changed.
//! The checker reads the emulator's own state and shares nothing with the program.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    ecr::{
        REGION,
        digest::Digest,
        manifest::{Blob, Manifest},
        repository::{Mutability, Repository, Status},
    },
};

use crate::{dice::Dice, world::World};

const RUNS: u64 = 40;

const FAULTS: [&str; 6] = [
    "ecr:PutImage:lose-answer:2",
    "ecr:PutImage:status=500:1",
    "ecr:PutImage:throttle:2",
    "ecr:BatchCheckLayerAvailability:status=500:1",
    "ecr:DescribeImages:lose-answer:1",
    "ecr:BatchDeleteImage:lose-answer:1",
];

/// Images on shared layers, indexes of those and of indexes, referrers, and tags here and there.
fn fill(repository: &mut Repository, dice: &mut Dice, seed: u64, now: DateTime<Utc>) {
    let mut manifests: Vec<Manifest> = Vec::new();
    for number in 0..4 + dice.below(16) {
        let known = manifests.len();
        let name = format!("{seed} {number}");
        let manifest = match dice.below(6) {
            0 | 1 if known > 0 => {
                let children: BTreeSet<_> = (0..1 + dice.below(3)).map(|_| dice.below(known)).collect();
                let children: Vec<_> = children.iter().map(|child| (&manifests[*child], "linux/amd64")).collect();
                Manifest::index(&children)
            }
            2 if known > 0 => Manifest::attached(&name, "application/x-sbom", &manifests[dice.below(known)]),
            _ => {
                let layers = (0..1 + dice.below(3)).map(|_| Blob::layer(&format!("shared {}", dice.below(8))));
                Manifest::of_layers(&name, layers.collect())
            }
        };
        let mut tags: Vec<String> = Vec::new();
        for tag in 0..4 {
            if dice.below(3) == 0 {
                tags.push(format!("{}-{tag}", ["v", "w"][dice.below(2)]));
            }
        }
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        if !manifests.iter().any(|known| known.digest == manifest.digest) {
            repository.push(&manifest, &tags, now - TimeDelta::days(dice.below(90) as i64));
            manifests.push(manifest);
        }
    }
}

/// Every image with its tags.
type State = BTreeMap<String, BTreeSet<String>>;

fn with<T>(world: &World, work: impl FnOnce(&mut Repository) -> T) -> T {
    work(world.sandbox.world().ecr.repository(REGION, "team/app", Utc::now()))
}

fn state(world: &World) -> State {
    with(world, |repository| {
        let snapshot = repository.snapshot().into_iter();
        snapshot.map(|(digest, tags)| (digest, tags.into_iter().collect())).collect()
    })
}

/// Whether an image can be pulled on every platform.
fn whole(repository: &Repository, digest: &Digest) -> bool {
    repository.image(digest).is_some_and(|image| {
        let layers = image.manifest.blobs().all(|blob| repository.layer(&blob.digest).is_some());
        let children = image.manifest.children().iter().all(|child| whole(repository, child));
        image.status() == Status::Active && layers && children
    })
}

#[test]
fn what_is_called_restored_can_be_read_whole_by_the_same_tags() {
    let restored = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for part in 0..4 {
            let restored = &restored;
            threads.spawn(move || {
                for seed in (part..RUNS).step_by(4) {
                    restored.fetch_add(one_run(seed), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    let restored = restored.into_inner();
    assert!(restored > RUNS as usize * 2, "only {restored} images were restored in all");
}

fn one_run(seed: u64) -> usize {
    let mut dice = Dice(seed * 15_485_863 + 11);
    let mut clouds = Clouds::default();
    let now = Utc::now();
    let repository = clouds.ecr.repository(REGION, "team/app", now);
    if dice.below(4) == 0 {
        repository.mutability = Mutability::Immutable;
    }
    fill(repository, &mut dice, seed, now);
    let world = World::new(clouds);

    let first = state(&world);
    let mut names: Vec<String> = Vec::new();
    for (digest, tags) in &first {
        match dice.below(3) {
            0 => names.push(format!("ecr:team/app@{digest}")),
            1 => names.extend(tags.iter().filter(|_| dice.below(2) == 0).map(|tag| format!("ecr:team/app:{tag}"))),
            _ => {}
        }
    }
    if names.is_empty() {
        return 0;
    }
    let world = if dice.below(2) == 0 { world.fault(FAULTS[dice.below(FAULTS.len())]) } else { world };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let deletion = world.run(&[&["delete", "-y", "-o", "json"], &names[..]].concat());
    if deletion.count("BatchDeleteImage") == 0 {
        return 0;
    }

    // Meanwhile: tags go to new images, images are deleted by others, layers vanish.
    let moved: Vec<String> =
        ["v-0", "w-1", "v-2"].iter().filter(|_| dice.below(3) == 0).map(ToString::to_string).collect();
    with(&world, |repository| {
        for tag in &moved {
            repository.push(&Manifest::image(&format!("{seed} new {tag}"), 1), &[tag], now);
        }
        let first = repository.images().next().map(|image| image.manifest.digest);
        let loose = first.filter(|digest| repository.parents(digest).next().is_none());
        if let Some(digest) = loose.filter(|_| dice.below(4) == 0) {
            repository.remove(&digest);
        }
        if dice.below(3) == 0 {
            repository.sweep();
        }
    });
    let before = state(&world);
    let world = if dice.below(2) == 0 { world.fault(FAULTS[dice.below(FAULTS.len())]) } else { world };
    let run = world.run(&["restore", "-y", "-o", "json", "last"]);
    let after = state(&world);
    let case = || format!("seed {seed} {moved:?}\n{}{}", deletion.transcript(), run.transcript());

    // Nothing that was there is gone, and no tag has moved.
    for (digest, tags) in &before {
        let now = after.get(digest).unwrap_or_else(|| panic!("{digest} is gone: {}", case()));
        assert!(now.is_superset(tags), "{digest} lost tags: {}", case());
    }
    // Nothing is there that was never there.
    for (digest, tags) in &after {
        let known = |state: &State| state.get(digest).cloned().unwrap_or_default();
        let old: BTreeSet<String> = known(&first).union(&known(&before)).cloned().collect();
        assert!(first.contains_key(digest) || before.contains_key(digest), "{digest} is new: {}", case());
        assert!(tags.is_subset(&old), "{digest} has new tags {tags:?}: {}", case());
    }
    let mut restored = 0;
    for item in run.json()["items"].as_array().unwrap() {
        let digest: Digest = item["digest"].as_str().unwrap().parse().unwrap();
        let tags = item["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str());
        let of_tag = item["ref"].as_str().unwrap().contains("app:");
        let there = after.get(&digest.to_string());
        match item["outcome"].as_str().unwrap() {
            "restored" | "retagged" | "already_there" => {
                let there = there.unwrap_or_else(|| panic!("{digest} is not there: {}", case()));
                assert!(tags.into_iter().all(|tag| there.contains(tag)), "{digest}: {}", case());
                let was_whole = with(&world, |repository| whole(repository, &digest));
                // What others broke before is not ours to mend; what this run put back is whole.
                assert!(was_whole || before.contains_key(&digest.to_string()), "{digest} is not whole: {}", case());
                restored += usize::from(item["outcome"] != "already_there");
            }
            "layers_gone" | "refused" | "failed" if !of_tag => {
                assert!(there.is_none() || before.contains_key(&digest.to_string()), "{digest} is there: {}", case());
            }
            "tag_taken" => {
                let tag = item["ref"].as_str().unwrap().split("app:").nth(1).unwrap().split('@').next().unwrap();
                assert!(there.is_none_or(|tags| !tags.contains(tag)), "{tag} is not taken: {}", case());
            }
            "unknown" | "failed" | "layers_gone" | "refused" | "skipped" => {}
            other => panic!("{other}: {}", case()),
        }
    }
    // Started again, everything that can be there is there.
    let again = world.run(&["restore", "-y", "-o", "json", "last"]);
    if run.code == 0 {
        assert!(again.words().iter().all(|word| word == "already_there"), "{}{}", case(), again.transcript());
    }
    restored
}
