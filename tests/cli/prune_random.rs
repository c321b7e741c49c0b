//! Random inventories, rules and faults against the real binary: after any prune, everything that is left can be
//! pulled completely, nothing protected or young is gone, and the report is true. The checker reads the emulator's
//! own state and shares nothing with the program.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    ecr::{REGION, digest::Digest, manifest::Manifest, repository::Repository},
};

use crate::{dice::Dice, world::World};

const RUNS: u64 = 48;

const FLAGS: [&[&str]; 8] = [
    &["--older-than", "30d"],
    &["--untagged"],
    &["--tag", "pr-*"],
    &["--tag", "*", "--any-tag"],
    &["--older-than", "10d", "--keep", "2"],
    &["--keep", "1"],
    &["--keep-semver", "--older-than", "1d"],
    &["--orphans"],
];

const FAULTS: [&str; 6] = [
    "ecr:BatchDeleteImage:lose-answer:1",
    "ecr:BatchDeleteImage:status=500:1",
    "ecr:BatchDeleteImage:throttle:1",
    "ecr:BatchGetImage:status=500:1",
    "ecr:DescribeImages:lose-answer:1",
    "ecr:*:slow=50ms:3",
];

/// Images, indexes of those and of indexes, signatures of both kinds, with tags here and there.
fn fill(repository: &mut Repository, dice: &mut Dice, seed: u64, now: DateTime<Utc>) {
    let mut manifests: Vec<Manifest> = Vec::new();
    for number in 0..4 + dice.below(20) {
        let name = format!("{seed} {number}");
        let known = manifests.len();
        let manifest = match dice.below(6) {
            0 | 1 if known > 0 => {
                let mut children: Vec<_> = (0..1 + dice.below(3)).map(|_| dice.below(known)).collect();
                children.sort();
                children.dedup();
                let children: Vec<_> = children.iter().map(|child| (&manifests[*child], "linux/amd64")).collect();
                Manifest::index(&children)
            }
            2 if known > 0 => Manifest::attached(&name, "application/x-sbom", &manifests[dice.below(known)]),
            3 if known > 0 => Manifest::cosign(&name),
            _ => Manifest::image(&name, 2),
        };
        let mut tags = Vec::new();
        for tag in ["pr", "v1.0", "build"] {
            if dice.below(4) == 0 {
                tags.push(format!("{tag}-{number}").replace("v1.0-", "v1.0."));
            }
        }
        if dice.below(5) == 0 && known > 0 {
            let about = manifests[dice.below(known)].digest.to_string();
            tags.push(format!("{}.sig", about.replace(':', "-")));
        }
        if dice.below(12) == 0 {
            tags.push("latest".into());
        }
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let at = now - TimeDelta::days(dice.below(90) as i64);
        if !manifests.iter().any(|known| known.digest == manifest.digest) {
            repository.push(&manifest, &tags, at);
            manifests.push(manifest);
        }
    }
}

/// An image: its digest, tags, age in days, children, and whether it refers to another image.
type Known = (Digest, Vec<String>, i64, Vec<Digest>, bool);

/// The images of the repository.
fn state(world: &World) -> Vec<Known> {
    let mut clouds = world.sandbox.world();
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    let snapshot = repository.snapshot();
    repository
        .images()
        .map(|image| {
            let tags = snapshot[&image.manifest.digest.to_string()].clone();
            let days = (Utc::now() - image.pushed_at).num_days();
            let refers = image.manifest.subject.is_some() || tags.iter().any(|tag| tag.ends_with(".sig"));
            (image.manifest.digest, tags, days, image.manifest.children().to_vec(), refers)
        })
        .collect()
}

#[test]
fn all_that_is_left_can_still_be_pulled() {
    std::thread::scope(|threads| {
        for part in 0..4 {
            threads.spawn(move || (part..RUNS).step_by(4).for_each(one_run));
        }
    });
}

fn one_run(seed: u64) {
    let mut dice = Dice(seed * 104_729 + 7);
    let mut clouds = Clouds::default();
    let now = Utc::now();
    fill(clouds.ecr.repository(REGION, "team/app", now), &mut dice, seed, now);
    let mut world = World::new(clouds);
    let faults: Vec<_> = (0..dice.below(3)).map(|_| FAULTS[dice.below(FAULTS.len())]).collect();
    for fault in &faults {
        world = world.fault(fault);
    }
    let before = state(&world);
    let flags = FLAGS[dice.below(FLAGS.len())];
    let always =
        ["prune", "ecr:team/app", "--yes", "-o", "json", "--max-percent", "100", "--allow-empty", "--show", "all"];
    let run = world.run(&[&always[..], flags].concat());
    let after = state(&world);
    let case = || format!("seed {seed} {flags:?} {faults:?}\n{}", run.transcript());

    let there: BTreeSet<String> = before.iter().map(|image| image.0.to_string()).collect();
    let left: BTreeSet<String> = after.iter().map(|image| image.0.to_string()).collect();
    for (digest, tags, _, children, _) in &after {
        for child in children {
            let child = child.to_string();
            assert!(left.contains(&child) || !there.contains(&child), "{digest} {tags:?} lost {child}: {}", case());
        }
    }
    for (digest, tags, days, _, refers) in &before {
        let gone = !left.contains(&digest.to_string());
        assert!(!(gone && tags.iter().any(|tag| tag == "latest")), "{digest} was protected: {}", case());
        // A signature or SBOM follows its image, whatever its own tags and age.
        let named = !refers && !tags.is_empty();
        assert!(!(gone && named && flags.contains(&"--untagged")), "{digest} {tags:?}: {}", case());
        let young = flags.contains(&"30d") && *days < 30;
        // What only a stale index holds goes with it, however young; what has a name of its own does not.
        assert!(!(gone && named && young), "{digest} {tags:?} is young: {}", case());
    }
    if run.code == 4 || run.stdout.is_empty() {
        return;
    }
    let document = run.json();
    for item in document["items"].as_array().unwrap() {
        let digest = item["digest"].as_str().unwrap();
        let gone = !left.contains(digest);
        match (item["action"].as_str(), item["outcome"].as_str()) {
            (Some("keep"), None) => assert!(!gone, "{digest} was to be kept: {}", case()),
            (Some("delete"), Some("deleted" | "gone" | "missing")) => {
                assert!(gone, "{digest}: {}", case())
            }
            (Some("delete"), Some("failed" | "refused" | "skipped")) => {
                assert!(!gone, "{digest}: {}", case())
            }
            (Some("delete"), Some("unknown")) => {}
            other => panic!("{other:?}: {}", case()),
        }
    }
    // Started again it comes to its end, and then there is nothing left to do.
    let again = || world.run(&[&always[..9], &["deleted"], flags].concat());
    let (_, last) = (again(), again());
    assert_eq!((last.code, last.words().len()), (0, 0), "{}{}", case(), last.transcript());
}
