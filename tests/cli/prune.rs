//! `prune` of container images, end to end: what it chooses and why, what it sends, and what stops it.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, World as Clouds,
    ecr::{
        REGION,
        manifest::{Blob, Manifest},
        repository::Repository,
    },
};
use serde_json::Value;

use crate::world::{Run, World};

pub const STORE: &str = "ecr:team/app";

/// A world with one repository, `team/app`.
pub fn world(fill: impl FnOnce(&mut Repository)) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    World::new(clouds)
}

/// Two old images and a young one, and the digests of the old ones. The first gets a tag between the listing and the look
/// right before the deletion.
pub fn one_of_two_is_tagged_late() -> (World, [String; 2]) {
    let mut clouds = Clouds::default();
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    let digests = ["one", "two"].map(|name| push(repository, name, &[&format!("pr-{name}")], 90));
    push(repository, "young", &["v1"], 1);
    let mut looks = 0;
    clouds.ecr.before("DescribeImages", move |ecr| {
        looks += 1;
        if looks == 2 {
            let repository = ecr.repository(REGION, "team/app", Utc::now());
            let one = repository.tag("pr-one").unwrap();
            repository.set_tag("v9", one);
        }
    });
    (World::new(clouds), digests)
}

/// Pushes an image of one platform so many days ago.
pub fn push(repository: &mut Repository, name: &str, tags: &[&str], days: i64) -> String {
    let at = Utc::now() - TimeDelta::days(days);
    let manifest = Manifest::image(name, 2);
    repository.push(&manifest, tags, at).to_string()
}

/// Pushes an index with its two platforms; the digests of all three, the index first.
pub fn push_index(repository: &mut Repository, name: &str, tags: &[&str], days: i64) -> [String; 3] {
    let at = Utc::now() - TimeDelta::days(days);
    let platforms = ["amd64", "arm64"].map(|platform| Manifest::image(&format!("{name} {platform}"), 2));
    let children = platforms.each_ref().map(|platform| repository.push(platform, &[], at).to_string());
    let index = Manifest::index(&[(&platforms[0], "linux/amd64"), (&platforms[1], "linux/arm64")]);
    let [first, second] = children;
    [repository.push(&index, tags, at).to_string(), first, second]
}

/// Whether a tag or digest is in `team/app` now.
pub fn has(world: &World, name: &str) -> bool {
    let mut clouds = world.sandbox.world();
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    repository.has(name)
}

/// What a plan says of an image: its action, its rule, its reason.
pub fn said(run: &Run, digest: &str) -> [String; 3] {
    let document = run.json();
    let mut items = document["items"].as_array().unwrap().iter();
    let item = items.find(|item| item["digest"] == digest || item["ref"].as_str().unwrap().ends_with(digest));
    let item = item.unwrap_or_else(|| panic!("{digest} is not in {}", run.transcript()));
    ["action", "rule", "reason"].map(|name| item[name].as_str().unwrap().to_owned())
}

pub fn tagged(run: &Run, action: &str) -> Vec<String> {
    let document = run.json();
    let items = document["items"].as_array().unwrap().iter();
    let mut tags: Vec<String> = items
        .filter(|item| item["action"] == action)
        .flat_map(|item| item["tags"].as_array().cloned().unwrap_or_default())
        .map(|tag| tag.as_str().unwrap().to_owned())
        .collect();
    tags.sort();
    tags
}

fn prune(world: &World, flags: &[&str]) -> Run {
    // Small worlds lose most of what they have.
    let most: &[&str] = if flags.contains(&"--max-percent") { &[] } else { &["--max-percent", "100"] };
    world.run(&[&["prune", STORE, "-o", "json"], most, flags].concat())
}

#[test]
fn what_a_kept_index_needs_stays_and_what_only_a_stale_one_needs_goes_with_it() {
    let (mut old, mut new, mut alone) = Default::default();
    let world = world(|repository| {
        old = push_index(repository, "old", &["v1"], 90);
        new = push_index(repository, "new", &["v2"], 1);
        alone = push(repository, "alone", &[], 90);
    });
    let run = prune(&world, &["--older-than", "30d", "--dry-run"]);
    run.exits(0);
    for digest in old.iter().chain([&alone]) {
        assert_eq!(said(&run, digest)[0], "delete", "{}", run.transcript());
    }
    assert_eq!(said(&run, &old[1])[1], "follows");
    for digest in &new {
        assert_eq!(said(&run, digest)[0], "keep", "{}", run.transcript());
    }
    assert_eq!(said(&run, &new[1])[1], "needed");
    run.sends(0, "BatchDeleteImage");

    let run = prune(&world, &["--older-than", "30d", "--yes"]);
    run.exits(0);
    assert_eq!(run.words(), ["deleted"; 4], "{}", run.transcript());
    assert!(old.iter().chain([&alone]).all(|digest| !has(&world, digest)));
    assert!(new.iter().all(|digest| has(&world, digest)));
    // The index and the single image, then what the index held.
    run.sends(2, "BatchDeleteImage");
    // Indexes are loaded once; the record needs what the stale index held, and the single image.
    run.sends(2, "BatchGetImage");

    let again = prune(&world, &["--older-than", "30d", "--yes"]);
    again.exits(0).lists(0).sends(0, "BatchDeleteImage");
}

#[test]
fn untagged_is_only_untagged_and_never_a_platform_of_something_tagged() {
    let (mut index, mut loose) = Default::default();
    let world = world(|repository| {
        index = push_index(repository, "multi", &["v1"], 90);
        loose = push(repository, "loose", &[], 90);
        push(repository, "single", &["v2"], 90);
    });
    let run = prune(&world, &["--untagged", "--yes"]);
    run.ends(0, ["deleted"]);
    assert!(!has(&world, &loose) && index.iter().all(|digest| has(&world, digest)));
}

#[test]
fn indexes_are_not_read_where_nothing_could_go() {
    let world = world(|repository| drop(push_index(repository, "multi", &["v1"], 1)));
    let run = prune(&world, &["--older-than", "30d", "--dry-run"]);
    run.exits(0).sends(0, "BatchGetImage").sends_calls(1);
}

#[test]
fn an_index_that_cannot_be_read_keeps_all_that_it_might_need() {
    let (mut index, mut loose) = Default::default();
    let world = world(|repository| {
        index = push_index(repository, "multi", &["v1"], 1);
        loose = push(repository, "loose", &["pr-1"], 90);
    })
    .fault("ecr:BatchGetImage:status=500:9");
    let run = prune(&world, &["--older-than", "30d", "--yes", "--show", "all", "--attempts", "1"]);
    run.exits(0);
    assert_eq!(said(&run, &loose)[1], "unreadable", "{}", run.transcript());
    assert!(has(&world, &loose) && run.count("BatchDeleteImage") == 0);
    assert_eq!(run.json()["plan"]["stores"][0]["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_store_whose_indexes_may_not_be_read_fails_and_the_error_names_the_reason() {
    // Enough that the listing goes on when the first answer comes.
    let world = world(|repository| {
        for number in 0..500 {
            push_index(repository, &format!("{number}"), &[&format!("v{number}")], 90);
        }
    })
    .fault("ecr:BatchGetImage:status=403");
    let run = prune(&world, &["--older-than", "30d", "--keep", "400", "--yes"]);
    run.exits(3);
    let error: Value = serde_json::from_str(run.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["kind"], "denied", "{}", run.transcript());
    run.sends(0, "BatchDeleteImage");
}

#[test]
fn a_kept_index_on_disk_is_believed_only_if_it_has_its_digest() {
    let mut index = Default::default();
    let world = world(|repository| {
        index = push_index(repository, "multi", &["v1"], 1);
        push(repository, "loose", &["pr-1"], 90);
    });
    let dry = ["--older-than", "30d", "--dry-run"];
    assert_eq!(prune(&world, &dry).count("BatchGetImage"), 1);
    assert_eq!(prune(&world, &dry).count("BatchGetImage"), 0);
    let folder = world.home().join(".cache/imgctl/manifests");
    let kept: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &kept[..] else { panic!("{kept:?}") };
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() = b' ';
    std::fs::write(file, bytes).unwrap();
    let run = prune(&world, &dry);
    run.sends(1, "BatchGetImage");
    assert_eq!(said(&run, &index[1])[1], "needed");
}

#[test]
fn keep_counts_images_and_not_tags() {
    let world = world(|repository| {
        push(repository, "one", &["a", "b", "c"], 50);
        push_index(repository, "two", &["d"], 60);
        push(repository, "three", &["e"], 70);
        push(repository, "young", &["f"], 1);
    });
    let run = prune(&world, &["--older-than", "30d", "--keep", "2", "--dry-run"]);
    assert_eq!(tagged(&run, "delete"), ["e"], "{}", run.transcript());
}

#[test]
fn guards_stop_the_run_with_exit_code_4_and_nothing_is_sent() {
    let world = world(|repository| {
        for number in 0..10 {
            push(repository, &format!("{number}"), &[&format!("t{number}")], 90);
        }
        push(repository, "prod", &["prod-eu"], 90);
    });
    for (flags, message) in [
        (&["--keep", "2", "--max-delete", "7"][..], "the plan deletes 8 images, 1 more than --max-delete 7 allows"),
        (&["--keep", "2", "--max-percent", "70"], "the plan deletes 8 of 11 images: 73%, and --max-percent allows 70%"),
        (
            &["--tag", "*", "--no-default-protect", "--max-percent", "100"],
            "the plan deletes all 11 tagged images of repository team/app",
        ),
    ] {
        for mode in ["--yes", "--dry-run"] {
            let run = prune(&world, &[flags, &[mode]].concat());
            run.exits(4);
            let error: Value = serde_json::from_str(run.stderr.lines().last().unwrap()).unwrap();
            assert_eq!(error["error"]["kind"], "guard");
            assert_eq!(error["error"]["message"], message, "{}", run.transcript());
            run.sends(0, "BatchDeleteImage");
        }
    }
    let run = world.run(&["prune", STORE, "--keep", "2", "--dry-run"]);
    run.exits(4).says("73%, and --max-percent allows 50%").says("allow it with --max-percent 73");
    let run = prune(&world, &["--tag", "*", "--max-percent", "95", "--yes"]);
    assert_eq!(run.code, 0, "a protected tag is left: {}", run.transcript());
    assert!(has(&world, "prod-eu") && !has(&world, "t0"));
}

#[test]
fn nothing_is_sent_without_a_way_to_confirm_or_without_a_selector() {
    let world = world(|repository| drop(push(repository, "one", &["v1"], 90)));
    for (flags, code) in [
        (&["--older-than", "30d"][..], 4),
        (&["--yes"], 2),
        (&["--exclude", "v*", "--yes"], 2),
        (&["--older-than", "-30d", "--yes"], 2),
        (&["--older-than", "99999999999d", "--yes"], 2),
        (&["--older-than", "30d", "--in-use", "no-such-file", "--yes"], 2),
        (&["--older-than", "30d", "--keep", "0", "--yes"], 2),
        (&["--tag-regex", "(", "--yes"], 2),
    ] {
        let run = prune(&world, flags);
        assert_eq!((run.code, run.calls.len()), (code, 0), "{flags:?}: {}", run.transcript());
    }
}

#[test]
fn what_a_list_names_is_in_use_and_an_empty_list_is_a_mistake() {
    let (mut pinned, mut platform) = Default::default();
    let world = world(|repository| {
        pinned = push(repository, "pinned", &[], 90);
        platform = push_index(repository, "multi", &["v1"], 90);
        push(repository, "stale", &["pr-1"], 90);
    });
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app";
    let pods =
        format!("{{\"items\":[\n{{\"image\":\"{host}@{pinned}\"}},\n{{\"imageID\":\"{host}@{}\"}}]}}", platform[1]);
    std::fs::write(world.home().join("pods.json"), pods).unwrap();
    std::fs::write(world.home().join("empty.json"), "{\"items\":[]}").unwrap();

    let flags = ["--older-than", "30d", "--show", "all", "--in-use"];
    let run = prune(&world, &[&flags[..], &["pods.json", "--dry-run"]].concat());
    assert_eq!(said(&run, &pinned)[2], "kept: in use, pods.json line 2", "{}", run.transcript());
    assert_eq!(said(&run, &platform[1])[1], "in_use");
    assert_eq!(said(&run, &platform[0])[1], "in_use", "a platform in use was pulled through the index");
    assert_eq!(said(&run, &platform[2])[1], "needed");
    assert_eq!(tagged(&run, "delete"), ["pr-1"]);

    let run = prune(&world, &[&flags[..], &["empty.json", "--yes"]].concat());
    run.exits(4).sends(0, "BatchDeleteImage");
    let run = prune(&world, &[&flags[..], &["-", "--yes"]].concat());
    run.exits(4).sends(0, "BatchDeleteImage");
    let run = prune(
        &world,
        &[&flags[..], &["empty.json", "--allow-empty-in-use", "--allow-empty", "--max-percent", "100", "--dry-run"]]
            .concat(),
    );
    assert_eq!((run.code, tagged(&run, "delete").len()), (0, 2), "{}", run.transcript());
}

#[test]
fn a_tag_that_comes_between_the_plan_and_the_call_saves_its_image() {
    let (world, digests) = one_of_two_is_tagged_late();
    let run = prune(&world, &["--older-than", "30d", "--yes"]);
    run.exits(1);
    let mut words = run.words();
    words.sort();
    assert_eq!(words, ["deleted", "refused"], "{}", run.transcript());
    assert!(has(&world, "v9") && has(&world, &digests[0]) && !has(&world, &digests[1]));
}

#[test]
fn what_an_index_held_stays_when_the_index_could_not_be_deleted() {
    let mut index = Default::default();
    let world = world(|repository| {
        index = push_index(repository, "old", &["v1"], 90);
        push(repository, "young", &["v2"], 1);
    })
    .fault("ecr:BatchDeleteImage:status=400:9");
    let run = prune(&world, &["--older-than", "30d", "--yes", "--attempts", "1"]);
    run.exits(1);
    assert!(index.iter().all(|digest| has(&world, digest)), "{}", run.transcript());
    assert!(
        run.words().iter().all(|word| ["failed", "refused", "skipped"].contains(&word.as_str())),
        "{}",
        run.transcript()
    );
    run.sends(1, "BatchDeleteImage");
}

#[test]
fn a_run_that_failed_half_way_can_be_run_again() {
    let world = world(|repository| {
        for number in 0..3 {
            push_index(repository, &format!("old {number}"), &[&format!("v{number}")], 90);
        }
        push(repository, "young", &["v9"], 1);
    })
    .fault("ecr:BatchDeleteImage:lose-answer:1")
    .fault("ecr:BatchDeleteImage:status=500:2");
    let flags = ["--older-than", "30d", "--yes", "--attempts", "1"];
    let runs: Vec<Run> = (0..5).map(|_| prune(&world, &flags)).collect();
    runs[0].exits(1);
    runs[4].exits(0).lists(0);
    let mut clouds = world.sandbox.world();
    assert_eq!(clouds.ecr.repository(REGION, "team/app", Utc::now()).len(), 1);
}

#[test]
fn the_bytes_freed_are_those_of_layers_that_no_kept_image_uses() {
    let shared = Blob::layer("shared");
    let own = Blob::layer("own");
    let (stale, kept) = (
        Manifest::of_layers("stale", vec![shared.clone(), own.clone()]),
        Manifest::of_layers("kept", vec![shared.clone()]),
    );
    let config: u64 = stale.blobs().map(|blob| blob.size).sum::<u64>() - shared.size - own.size;
    let world = world(|repository| {
        let at = |days| Utc::now() - TimeDelta::days(days);
        repository.push(&stale, &["pr-1"], at(90));
        repository.push(&kept, &["v1"], at(1));
    });
    let freed = |how: &str| {
        let run = prune(&world, &["--older-than", "30d", "--dry-run", "--freed", how]);
        let store = run.json()["plan"]["stores"][0].clone();
        (store["freed_bytes"].as_u64().unwrap(), store["freed_exactly"].as_bool().unwrap())
    };
    assert_eq!(freed("exact"), (own.size + config, true));
    let (quick, exactly) = freed("quick");
    assert!(quick >= own.size + config && !exactly);
}

#[test]
fn an_absent_repository_does_not_stop_the_others() {
    let world = world(|repository| {
        push(repository, "old", &["pr-1"], 90);
        push(repository, "young", &["v1"], 1);
    });
    let run = world.run(&["prune", STORE, "ecr:no/such", "--older-than", "30d", "--yes", "-o", "json"]);
    run.ends(1, ["deleted"]);
    let run = world.run(&["prune", "ecr:no/such", "--older-than", "30d", "--yes", "-o", "json"]);
    run.exits(3);
    // What is attached to images of an unread store does not count as an orphan.
    let run = world.run(&["prune", STORE, "ecr:no/such", "--orphans", "--yes", "-o", "json"]);
    run.exits(4);
}

#[test]
fn a_repository_is_one_by_whichever_of_its_hosts_it_is_named() {
    let world = world(|repository| {
        push(repository, "old", &["pr-1"], 90);
        push(repository, "young", &["v1"], 1);
    });
    let fips = "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com/team/app";
    let run = prune(&world, &[fips, "--older-than", "30d", "--dry-run"]);
    run.ends(0, ["would_delete", "active"]);
}

#[test]
fn nothing_that_the_service_says_moves_the_cursor() {
    let world = world(|repository| {
        push_index(repository, "multi", &["v\u{1b}[2J"], 90);
        push(repository, "loose", &["pr\u{1b}[2J", "\u{202e}pr"], 90);
    })
    .fault("ecr:BatchGetImage:status=500");
    for flags in [&["--attempts", "1", "--exclude", "v*"][..], &["--keep", "1", "--exclude", "v*"]] {
        let flags = [flags, &["--older-than", "30d", "--dry-run"]].concat();
        let run = world.run(&[&["prune", STORE][..], &flags].concat());
        run.says("warning");
        let said = run.stdout + &run.stderr;
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn after_an_interrupt_what_was_not_sent_is_skipped() {
    let world = world(|repository| {
        push_index(repository, "old", &["v1"], 90);
        push(repository, "young", &["v2"], 1);
    })
    .fault("ecr:BatchDeleteImage:hang:1");
    let arguments = ["prune", STORE, "--older-than", "30d", "--max-percent=100", "--yes", "-o", "json"];
    let child = world.spawn(&arguments);
    let asked = || {
        let calls = world.sandbox.calls();
        calls.iter().any(|call| call.operation == "BatchDeleteImage")
    };
    let started = std::time::Instant::now();
    while !asked() {
        assert!(started.elapsed().as_secs() < 30, "nothing is sent");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The second stops waiting for the answer, too.
    for _ in 0..2 {
        let interrupt = ["-INT", &child.id().to_string()];
        let sent = std::process::Command::new("kill").args(interrupt).status();
        assert!(sent.unwrap().success());
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let run = world.wait(child, &arguments, 0);
    let mut words = run.words();
    words.sort();
    assert_eq!(
        (run.code, words),
        (130, ["skipped", "skipped", "unknown"].map(String::from).into()),
        "{}",
        run.transcript()
    );
}

#[test]
fn a_plan_reads_well_and_says_why() {
    let world = world(|repository| {
        push_index(repository, "old", &["v1"], 90);
        push(repository, "young", &["v2"], 1);
        push(repository, "protected", &["release-1"], 90);
    });
    let run = world.run(&["prune", STORE, "--older-than", "30d", "--max-percent=60", "--dry-run"]);
    insta::assert_snapshot!(run.transcript());
    let run = world.run(&["prune", STORE, "--older-than", "30d", "--max-percent=60", "--yes"]);
    insta::assert_snapshot!("pruning_tells_what_became_of_each_image", run.transcript());
}
