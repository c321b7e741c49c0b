//! Undoing runs and bringing back single images: what comes back, what does not, and that no tag is ever moved.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, World as Clouds,
    ecr::{
        REGION,
        manifest::Manifest,
        repository::{Mutability, Repository, Status},
    },
};

use crate::world::World;

fn world(fill: impl FnOnce(&mut Repository)) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    World::new(clouds)
}

fn push(repository: &mut Repository, manifest: &Manifest, tags: &[&str]) {
    repository.push(manifest, tags, Utc::now() - TimeDelta::days(40));
}

/// Changes `team/app`, or looks at it.
fn with<T>(world: &World, work: impl FnOnce(&mut Repository) -> T) -> T {
    work(world.sandbox.world().ecr.repository(REGION, "team/app", Utc::now()))
}

/// The image that a tag or digest names now.
fn at(world: &World, name: impl ToString) -> Option<String> {
    with(world, |repository| repository.find(&name.to_string()).map(|image| image.manifest.digest.to_string()))
}

fn image(name: impl std::fmt::Display) -> String {
    format!("ecr:team/app{name}")
}

/// Deletes images; returns the id of the run.
fn delete(world: &World, names: &[&str]) -> String {
    let run = world.run(&[&["delete", "-y", "-o", "json"], names].concat());
    run.exits(0);
    run.json()["run"].as_str().unwrap().to_owned()
}

const RESTORE: [&str; 5] = ["restore", "-y", "-o", "json", "last"];

/// Restores what a tag named: an index with the images that it holds, and not its signature.
const RESTORE_ONE: [&str; 5] = ["restore", "-y", "-o", "json", "ecr:team/app:v1"];

/// An index on two images, with a signature.
fn release(name: &str) -> [Manifest; 4] {
    let [amd64, arm64] = ["amd64", "arm64"].map(|platform| Manifest::image(&format!("{name}, {platform}"), 2));
    let index = Manifest::index(&[(&amd64, "linux/amd64"), (&arm64, "linux/arm64")]);
    let signature = Manifest::attached(&format!("{name}, signature"), "application/x-sig", &index);
    [amd64, arm64, index, signature]
}

fn push_release(repository: &mut Repository, release: &[Manifest; 4], tags: &[&str]) {
    let [amd64, arm64, index, signature] = release;
    for (manifest, tags) in [(amd64, &[][..]), (arm64, &[]), (index, tags), (signature, &[])] {
        push(repository, manifest, tags);
    }
}

/// A repository of so many releases, each with a tag.
#[cfg(unix)]
fn releases(count: usize) -> World {
    world(|repository| {
        for number in 0..count {
            push_release(repository, &release(&number.to_string()), &[&format!("v{number}")]);
        }
    })
}

#[test]
fn a_run_is_undone_children_before_indexes_then_tags() {
    let manifests = release("one");
    let world = world(|repository| push_release(repository, &manifests, &["v1", "v2"]));
    let before = with(&world, |repository| repository.snapshot());
    let prune =
        ["prune", "ecr:team/app", "--older-than", "30d", "--max-percent", "100", "--allow-empty", "-y", "-o", "json"];
    world.run(&prune).ends(0, ["deleted"; 4]);
    assert!(with(&world, |repository| repository.is_empty()));
    let dry = world.run(&["restore", "-n", "-o", "json", "last"]);
    dry.ends(0, ["would_restore"; 4]).sends(0, "PutImage");
    let run = world.run(&RESTORE);
    run.ends(0, ["restored"; 4]).sends(5, "PutImage");
    assert_eq!(with(&world, |repository| repository.snapshot()), before);
    // A restore of a restore, and a second one, find everything there.
    world.run(&RESTORE).ends(0, ["already_there"; 4]).sends(0, "PutImage");
}

#[test]
fn a_removed_tag_is_put_back_without_its_layers() {
    let one = Manifest::image("one", 2);
    let world = world(|repository| push(repository, &one, &["v1", "v2"]));
    delete(&world, &["ecr:team/app:v1"]);
    let run = world.run(&RESTORE);
    run.ends(0, ["retagged"]).sends(1, "PutImage").sends(0, "BatchCheckLayerAvailability");
    assert_eq!(at(&world, "v1"), Some(one.digest.to_string()));
    assert_eq!(run.json()["items"][0]["tags"], serde_json::json!(["v1", "v2"]));
}

#[test]
fn only_what_the_run_took_comes_back() {
    let one = Manifest::image("one", 2);
    let world = world(|repository| push(repository, &one, &["v1", "v2", "v3"]));
    delete(&world, &["ecr:team/app:v1"]);
    delete(&world, &["ecr:team/app:v2"]);
    delete(&world, &["ecr:team/app:v3"]);
    // The last run removed the image with its last tag.
    world.run(&RESTORE).ends(0, ["restored"]);
    assert_eq!((at(&world, "v1"), at(&world, "v2")), (None, None));
    assert_eq!(at(&world, "v3"), Some(one.digest.to_string()));
}

#[test]
fn a_tag_that_points_elsewhere_stays_and_its_image_comes_back_without_it() {
    let (one, two) = (Manifest::image("one", 2), Manifest::image("two", 2));
    for mutability in [Mutability::Mutable, Mutability::Immutable] {
        let world = world(|repository| {
            repository.mutability = mutability;
            push(repository, &one, &["v1", "v2"]);
        });
        let run = delete(&world, &[&image(format!("@{}", one.digest))]);
        let restore = ["restore", "-y", "-o", "json", &run];
        with(&world, |repository| push(repository, &two, &["v1"]));
        world.run(&["restore", "-n", "-o", "json", "last"]).ends(1, ["would_restore", "tag_taken"]);
        let run = world.run(&restore);
        run.ends(1, ["restored", "tag_taken"]);
        assert_eq!(at(&world, "v1"), Some(two.digest.to_string()), "{}", run.transcript());
        assert_eq!(at(&world, "v2"), Some(one.digest.to_string()));
        world.run(&restore).ends(1, ["already_there", "tag_taken"]).sends(0, "PutImage");
    }
}

#[test]
fn a_tag_that_is_taken_after_the_plan_stays_where_it_is() {
    let (one, two) = (Manifest::image("one", 2), Manifest::image("two", 2));
    let mut clouds = Clouds::default();
    push(clouds.ecr.repository(REGION, "team/app", Utc::now()), &one, &["v1"]);
    let (mut checked, other) = (false, two.clone());
    // After the plan's looks and before the first call that changes something.
    clouds.ecr.before("BatchCheckLayerAvailability", move |ecr| {
        if !std::mem::replace(&mut checked, true) {
            push(ecr.repository(REGION, "team/app", Utc::now()), &other, &["v1"]);
        }
    });
    let world = World::new(clouds);
    delete(&world, &["ecr:team/app:v1"]);
    world.run(&RESTORE).ends(1, ["restored", "tag_taken"]);
    assert_eq!(at(&world, "v1"), Some(two.digest.to_string()));
    assert!(at(&world, one.digest).is_some());
}

#[test]
fn an_image_without_its_layers_is_told_apart_and_its_index_refused() {
    let manifests = release("one");
    let world = world(|repository| push_release(repository, &manifests, &["v1"]));
    let names: Vec<String> = [2, 0, 1].iter().map(|n: &usize| image(format!("@{}", manifests[*n].digest))).collect();
    delete(&world, &names.iter().map(String::as_str).collect::<Vec<_>>());
    with(&world, |repository| {
        repository.sweep();
        // One platform's layers are still there.
        manifests[0].blobs().for_each(|blob| repository.add_layer(blob.digest, blob.size));
    });
    let run = world.run(&RESTORE);
    run.ends(1, ["refused", "restored", "layers_gone"]);
    assert_eq!(run.json()["items"][0]["error"]["code"], "PartNotRestored");
    assert_eq!((at(&world, "v1"), at(&world, manifests[0].digest).is_some()), (None, true));
}

#[test]
fn the_registry_decides_about_layers_that_vanish_after_the_check() {
    let one = Manifest::image("one", 2);
    let mut clouds = Clouds::default();
    push(clouds.ecr.repository(REGION, "team/app", Utc::now()), &one, &["v1"]);
    clouds.ecr.before("PutImage", |ecr| ecr.repository(REGION, "team/app", Utc::now()).sweep());
    let world = World::new(clouds);
    delete(&world, &["ecr:team/app:v1"]);
    let run = world.run(&RESTORE);
    run.ends(1, ["layers_gone"]);
    assert_eq!(run.json()["items"][0]["error"]["code"], "LayersNotFoundException");
}

#[test]
fn lost_answers_and_throttles_end_as_restored_and_a_denial_stops_the_store() {
    let manifests = release("one");
    for fault in ["lose-answer:2", "drop:1", "throttle:3", "status=500:1", "slow=50ms:9"] {
        let world = world(|repository| push_release(repository, &manifests, &["v1"]));
        let names: Vec<String> =
            [3, 2, 0, 1].iter().map(|n: &usize| image(format!("@{}", manifests[*n].digest))).collect();
        delete(&world, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let world = world.fault(&format!("ecr:PutImage:{fault}"));
        let run = world.run(&RESTORE);
        run.ends(0, ["restored"; 4]);
        assert_eq!(at(&world, "v1"), Some(manifests[2].digest.to_string()));
    }
    let one = Manifest::image("one", 2);
    let mut clouds = Clouds::default();
    push(clouds.ecr.repository(REGION, "team/app", Utc::now()), &one, &["v1"]);
    clouds.ecr.denied.insert("PutImage".into());
    let world = World::new(clouds);
    delete(&world, &["ecr:team/app:v1"]);
    world.run(&RESTORE).ends(3, ["failed"]).says("is not authorized to perform: ecr:PutImage");
}

#[test]
fn an_answer_that_never_comes_is_unknown_and_a_second_run_settles_it() {
    let one = Manifest::image("one", 2);
    let world = world(|repository| push(repository, &one, &["v1"]));
    delete(&world, &["ecr:team/app:v1"]);
    let world = world.fault("ecr:PutImage:drop:9");
    world.run(&[&RESTORE[..], &["--attempts", "2"]].concat()).ends(1, ["unknown"]);
    assert_eq!(at(&world, "v1"), None);
}

/// A repository whose four images a prune has archived; each takes this long to become active again.
fn archived(manifests: &[Manifest; 4], activation: TimeDelta) -> World {
    let world = world(|repository| push_release(repository, manifests, &["v1"]));
    world.sandbox.world().ecr.delays.activation = activation;
    let all = ["--max-percent", "100", "--allow-empty", "--archive"];
    let prune = [&["prune", "ecr:team/app", "--older-than", "30d", "-y", "-o", "json"], &all[..]].concat();
    world.run(&prune).ends(0, ["archived"; 4]);
    world
}

fn status(world: &World, name: &str) -> Status {
    with(world, |repository| repository.find(name).unwrap().status())
}

#[test]
fn archived_images_become_active_and_are_waited_for() {
    let world = archived(&release("one"), TimeDelta::milliseconds(700));
    let run = world.run(&RESTORE);
    run.ends(0, ["restored"; 4]).sends(4, "UpdateImageStorageClass").sends(0, "PutImage");
    assert_eq!(status(&world, "v1"), Status::Active);
}

#[test]
fn an_image_that_is_on_its_way_back_is_waited_for_and_not_asked_for_again() {
    let manifests = release("one");
    // Long enough for a second run to find them on their way.
    let world = archived(&manifests, TimeDelta::seconds(5));
    world.run(&[&RESTORE_ONE[..], &["--no-wait"]].concat()).ends(0, ["accepted"; 3]);
    world.run(&RESTORE_ONE).ends(0, ["restored"; 3]).sends(0, "UpdateImageStorageClass");
    assert_eq!(status(&world, "v1"), Status::Active);
    assert_eq!(status(&world, &manifests[0].digest.to_string()), Status::Active);
    assert_eq!(status(&world, &manifests[3].digest.to_string()), Status::Archived);
    world.run(&RESTORE_ONE).ends(0, ["already_there"]);
    // An active index that cannot be pulled.
    with(&world, |repository| repository.archive(&manifests[1].digest, Utc::now()));
    world.run(&RESTORE_ONE).ends(0, ["already_there", "restored"]);
    assert_eq!(status(&world, &manifests[1].digest.to_string()), Status::Active);
}

#[test]
fn a_lost_answer_about_an_archived_image_is_looked_after() {
    let world = archived(&release("one"), TimeDelta::milliseconds(700));
    world.fault("ecr:UpdateImageStorageClass:lose-answer:1").run(&RESTORE_ONE).ends(0, ["restored"; 3]);
}

#[test]
fn without_a_record_an_archived_index_comes_back_first_and_says_what_it_holds() {
    let alone = || archived(&release("one"), TimeDelta::milliseconds(700)).set("IMGCTL_STATE_DIR", "off");
    alone().run(&["restore", "-n", "ecr:team/app:v1"]).exits(0).says("once it is back, imgctl restores that too");
    alone().run(&RESTORE_ONE).ends(0, ["restored"; 3]);
    let world = alone().fault("ecr:UpdateImageStorageClass:status=403@2:9");
    let run = world.run(&RESTORE_ONE);
    // The index is active again, and cannot be pulled.
    assert_eq!((run.code, run.words()[0].as_str()), (1, "refused"), "{}", run.transcript());
}

#[test]
fn a_single_image_is_found_in_the_records_with_what_it_holds() {
    let manifests = release("one");
    let other = Manifest::image("other", 2);
    let world = world(|repository| {
        push_release(repository, &manifests, &["v1", "w2"]);
        push(repository, &other, &["w1"]);
    });
    let prune =
        ["prune", "ecr:team/app", "--older-than", "30d", "--max-percent", "100", "--allow-empty", "-y", "-o", "json"];
    world.run(&prune).exits(0);
    // By one tag: the index and both of its images, and only that tag.
    world.run(&RESTORE_ONE).ends(0, ["restored"; 3]);
    assert_eq!(at(&world, "v1"), Some(manifests[2].digest.to_string()));
    assert_eq!((at(&world, "w2"), at(&world, "w1")), (None, None));
    // By digest: with all tags that the run took.
    let digest = image(format!("@{}", manifests[2].digest));
    world.run(&["restore", "-y", "-o", "json", &digest]).ends(0, ["already_there"]);
    let digest = image(format!("@{}", other.digest));
    world.run(&["restore", "-y", "-o", "json", &digest]).ends(0, ["restored"]);
    assert_eq!(at(&world, "w1"), Some(other.digest.to_string()));
    let run = world.run(&["restore", "-y", "-o", "json", "ecr:team/app:never"]);
    run.ends(1, ["missing"]).sends(0, "PutImage");
}

#[test]
fn a_record_is_read_from_a_file_or_standard_input_and_damage_is_noticed() {
    let one = Manifest::image("one", 2);
    let world = world(|repository| push(repository, &one, &["v1"]));
    delete(&world, &["ecr:team/app:v1"]);
    let folder = world.home().join(".local/state/imgctl/runs");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let record = std::fs::read_to_string(&file).unwrap();
    let damaged = record.replace("schemaVersion\\\":2", "schemaVersion\\\":2 ");
    assert_ne!(damaged, record);
    let run = world.run_with(&["restore", "-y", "-o", "json", "-"], &damaged);
    run.ends(1, ["refused"]).sends(0, "PutImage");
    assert!(run.stdout.contains("its saved manifest is damaged"));
    std::fs::write(world.home().join("copy"), &record).unwrap();
    world.run(&["restore", "-y", "-o", "json", "copy"]).ends(0, ["restored"]);
    delete(&world, &["ecr:team/app:v1"]);
    world.run_with(&["restore", "-y", "-o", "json", "-"], &record).ends(0, ["restored"]);
    world.run_with(&["restore", "-y", "-"], "ecr:team/app:v1\n").exits(2).says("not a record of a run").sends_calls(0);
}

#[test]
fn what_cannot_be_restored_is_said_and_nothing_is_sent() {
    let one = Manifest::image("one", 2);
    let mut clouds = Clouds::seeded(1, 200, Utc::now());
    push(clouds.ecr.repository(REGION, "team/app", Utc::now()), &one, &["v1"]);
    let world = World::new(clouds);
    world.run(&["restore", "-y", "cvm:img-2z9lgipz"]).exits(2).says("Tencent Cloud CVM cannot restore").sends_calls(0);
    world.run(&["restore", "-y", "workspace:1"]).exits(2).says("cannot restore images").sends_calls(0);
    world.run(&["restore", "-y", "20260101"]).exits(2).says("no run on record: 20260101").sends_calls(0);
    world.run(&["restore", "-y", "erc:team/app:v1"]).exits(2).says("ecr").sends_calls(0);
    world.run(&["restore", "ecr:team/app:v1"]).exits(4).says("not a terminal").sends_calls(0);
    delete(&world, &["ecr:team/app:v1", "cvm:img-2z9lgipz"]);
    let run = world.run(&RESTORE);
    run.ends(1, ["restored", "refused"]);
    // A deletion without a record, and one whose manifest may not be read.
    world.run(&["delete", "-y", "--no-record", "ecr:team/app:v1"]).exits(0);
    world.run(&RESTORE_ONE).exits(0);
    world.sandbox.world().ecr.denied.insert("BatchGetImage".into());
    delete(&world, &["ecr:team/app:v1"]);
    let run = world.run(&RESTORE);
    run.ends(1, ["refused"]).sends(0, "PutImage");
    assert_eq!(run.json()["items"][0]["error"]["code"], "NoManifest");
}

#[test]
fn a_restore_without_room_for_its_record_sends_nothing() {
    let one = Manifest::image("one", 2);
    let world = world(|repository| push(repository, &one, &["v1"]));
    delete(&world, &["ecr:team/app:v1"]);
    let folder = world.home().join(".local/state/imgctl/runs");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let world = world.set("IMGCTL_STATE_DIR", "/dev/null/nowhere");
    let file = file.to_str().unwrap();
    world.run(&["restore", "-y", file]).says("cannot write the record").sends(0, "PutImage");
    assert_eq!(at(&world, "v1"), None);
    world.run(&["restore", "-y", "--no-record", "-o", "json", file]).ends(0, ["restored"]);
}

/// A repository of so many releases, all of which are deleted; the id of that run.
#[cfg(unix)]
fn deleted(world: &World) -> String {
    let prune =
        ["prune", "ecr:team/app", "--older-than", "30d", "--max-percent", "100", "--allow-empty", "-y", "-o", "json"];
    let run = world.run(&prune);
    run.exits(0);
    run.json()["run"].as_str().unwrap().to_owned()
}

#[test]
#[cfg(unix)]
fn an_interrupted_restore_reports_the_truth_and_can_be_run_again() {
    for wait in [100, 600, 1500] {
        let world = releases(5);
        let before = with(&world, |repository| repository.snapshot());
        let run = deleted(&world);
        let world = world.fault("ecr:PutImage:slow=150ms");
        let arguments = ["restore", "-y", "--concurrency", "1", "-o", "json", &run];
        let calls = world.sandbox.calls().len();
        let child = world.spawn(&arguments);
        while world.sandbox.calls()[calls..].iter().all(|call| call.operation != "PutImage") {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let _ = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).output();
        let cut = world.wait(child, &arguments, calls);
        cut.exits(130).lists(20);
        let now = with(&world, |repository| repository.snapshot());
        for item in cut.json()["items"].as_array().unwrap() {
            let there = now.contains_key(item["digest"].as_str().unwrap());
            match item["outcome"].as_str().unwrap() {
                "restored" => assert!(there, "{item}: {}", cut.transcript()),
                "skipped" => assert!(!there, "{item}: {}", cut.transcript()),
                "unknown" => {}
                other => panic!("{other}: {}", cut.transcript()),
            }
        }
        world.run(&["restore", "-y", "--rate", "1000", "-o", "json", &run]).exits(0).lists(20);
        assert_eq!(with(&world, |repository| repository.snapshot()), before);
    }
}

#[test]
#[cfg(unix)]
fn a_deletion_that_was_killed_is_undone() {
    for wait in [0, 40, 150] {
        let world = releases(40);
        let before = with(&world, |repository| repository.snapshot());
        let world = world.fault("ecr:BatchDeleteImage:slow=60ms");
        let arguments = [
            "prune",
            "ecr:team/app",
            "--older-than",
            "30d",
            "--max-percent",
            "100",
            "--allow-empty",
            "-y",
            "--concurrency",
            "1",
        ];
        let mut child = world.spawn(&arguments);
        while world.sandbox.calls().iter().all(|call| call.operation != "BatchDeleteImage") {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        std::thread::sleep(std::time::Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_ne!(with(&world, |repository| repository.snapshot()), before, "something was deleted");
        world.run(&["restore", "-y", "--rate", "1000", "-o", "json", "last"]).exits(0);
        assert_eq!(with(&world, |repository| repository.snapshot()), before);
    }
}
