//! Tencent Cloud CVM, end to end: the outcome of each image of an all-or-nothing call.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{World as Clouds, cvm::state::Region};

use crate::world::World;

const REGION: &str = "ap-guangzhou";

fn world(fill: impl FnOnce(&mut Region)) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.cvm.region(REGION));
    World::new(clouds)
}

fn id(number: usize) -> String {
    format!("img-{number:08}")
}

/// Adds images with these numbers.
fn add(region: &mut Region, numbers: std::ops::Range<usize>) {
    for number in numbers {
        region.add(&id(number), Utc::now() - TimeDelta::days(30));
    }
}

/// References to these images, one a line.
fn list(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("cvm:{}\n", id(number))).collect()
}

/// How many images the region holds that are not on their way out.
fn left(world: &World) -> usize {
    let mut clouds = world.sandbox.world();
    let images = &clouds.cvm.region(REGION).images;
    images.values().filter(|image| image.state != "DELETING").count()
}

#[test]
fn two_hundred_and_thirty_images_are_listed_in_three_calls() {
    let world = world(|region| add(region, 0..230));
    let run = world.run(&["list", "cvm:", "-o", "ndjson"]);
    run.exits(0).sends_calls(3);
    assert_eq!(run.stdout.lines().count(), 230);
    assert!(run.stdout.starts_with("{\"ref\":\"cvm://ap-guangzhou/img-"));
}

#[test]
fn a_missing_and_a_growing_image_spoil_nothing() {
    let world = world(|region| {
        add(region, 0..25);
        region.images.remove(&id(7));
        region.images.get_mut(&id(13)).unwrap().state = "CREATING".into();
    });
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list(0..25));
    let words = run.words();
    for (number, word) in words.iter().enumerate() {
        let expected = match number {
            7 => "missing",
            13 => "refused",
            _ => "deleted",
        };
        assert_eq!(word, expected, "{number}: {}", run.transcript());
    }
    assert_eq!((words.len(), run.code, run.count("DeleteImages")), (25, 1, 3));
    assert_eq!(run.json()["items"][13]["error"]["code"], "InvalidImageId.IncorrectState");
    assert_eq!(left(&world), 1);
}

#[test]
fn sixty_images_are_deleted_within_the_rate() {
    let world = world(|region| add(region, 0..60));
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list(0..60));
    assert!(run.words().iter().all(|word| word == "deleted"), "{}", run.transcript());
    run.exits(0).sends(6, "DeleteImages");
    assert!(run.calls.iter().all(|call| call.code.is_none()), "the rate was exceeded: {}", run.transcript());
}

#[test]
fn one_image_that_is_shared_out_is_found_and_the_others_go() {
    let world = world(|region| {
        add(region, 0..10);
        region.images.get_mut(&id(4)).unwrap().shared_with.insert("100000000001".into(), Utc::now());
    });
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list(0..10));
    let words = run.words();
    assert_eq!(words.iter().filter(|word| *word == "deleted").count(), 9, "{}", run.transcript());
    assert_eq!(words[4], "refused");
    assert_eq!(run.json()["items"][4]["error"]["code"], "InvalidImageId.InShared");
    assert!(run.count("DeleteImages") <= 1 + 2 * 4, "{}", run.transcript());
}

#[test]
fn a_lost_answer_is_never_failed_or_missing() {
    for fault in ["lose-answer", "truncate", "drop", "status=502"] {
        let world = world(|region| add(region, 0..5)).fault(&format!("cvm:DeleteImages:{fault}:1"));
        let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list(0..5));
        let words = run.words();
        assert!(words.iter().all(|word| word == "gone" || word == "deleted"), "{fault}: {}", run.transcript());
        assert_eq!((run.code, left(&world)), (0, 0));
    }
}

#[test]
fn garbage_stops_the_store_and_nothing_is_called_deleted() {
    let world = world(|region| add(region, 0..30)).fault("cvm:DeleteImages:garble");
    let run = world.run_with(&["delete", "-", "--yes", "--concurrency", "1", "-o", "json"], &list(0..30));
    let words = run.words();
    assert!(words[..10].iter().all(|word| word == "gone" || word == "unknown"), "{}", run.transcript());
    assert!(words[10..].iter().all(|word| word == "skipped"), "{}", run.transcript());
    run.exits(1).sends(1, "DeleteImages");
}

#[test]
fn a_dry_run_asks_the_service_and_deletes_nothing() {
    let world = world(|region| {
        add(region, 0..3);
        region.images.get_mut(&id(1)).unwrap().shared_with.insert("100000000001".into(), Utc::now());
    });
    let run = world.run_with(&["delete", "-", "--dry-run", "-o", "json"], &list(0..4));
    assert_eq!(run.words(), ["would_delete", "would_refuse", "would_delete", "missing"], "{}", run.transcript());
    assert_eq!((run.code, left(&world)), (1, 3));
}

#[test]
fn snapshots_that_stay_are_named_with_their_size() {
    let fill = |region: &mut Region| {
        add(region, 0..1);
        region.bind(&id(0), "DATA_DISK", 100);
    };
    let image = format!("cvm:{}", id(0));
    let plain = world(fill).run(&["delete", &image, "--yes", "-o", "json"]);
    assert_eq!(plain.json()["items"][0]["left_behind"].as_array().unwrap().len(), 2, "{}", plain.transcript());
    let with = world(fill).run(&["delete", &image, "--delete-snapshots", "--yes", "-o", "json"]);
    let left = with.json()["items"][0]["left_behind"].clone();
    assert_eq!(left.as_array().unwrap().len(), 1, "{}", with.transcript());
    assert_eq!((&left[0]["kind"], &left[0]["bytes"]), (&"snapshot".into(), &(100u64 << 30).into()));
}

#[test]
fn machine_images_have_no_layers() {
    let run = world(|_| {}).run(&["check-layers", "cvm:img-00000001"]);
    run.exits(2).sends_calls(0);
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl check-layers cvm:img-00000001
    --- stderr
    error: cannot check layers: images of Tencent Cloud CVM are machine images and have no layers
      hint: use `imgctl get` to check that an image exists
    --- exit 2
    ");
}

#[test]
fn a_wrong_secret_ends_with_what_the_service_says() {
    let world = world(|region| add(region, 0..1)).set("TENCENTCLOUD_SECRET_KEY", "wrong");
    let run = world.run(&["delete", &format!("cvm:{}", id(0)), "--yes"]);
    assert_eq!((run.code, left(&world)), (3, 1));
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl delete cvm:img-00000000 --yes
    --- stderr
    error: The signature does not match what was received.
      code: AuthFailure.SignatureFailure
      request: …
      hint: check the secret id and key; `imgctl doctor` shows where they come from
    1 failed · 1 call in …s
    --- exit 3
    > cvm DescribeImages [1] 200 AuthFailure.SignatureFailure
    ");
}

#[test]
fn what_was_looked_at_for_credentials_is_said() {
    let world = world(|_| {})
        .unset("TENCENTCLOUD_SECRET_ID")
        .unset("TENCENTCLOUD_SECRET_KEY")
        .set("IMGCTL_TENCENT_METADATA_ENDPOINT", "off");
    let run = world.run(&["list", "cvm:"]);
    run.exits(3).sends_calls(0).says("TENCENTCLOUD_SECRET_ID");
}

#[test]
fn no_secret_is_printed_at_any_verbosity() {
    let world = world(|region| add(region, 0..1)).set("TENCENTCLOUD_SECRET_KEY", "a-very-secret-key");
    let run = world.run(&["delete", &format!("cvm:{}", id(0)), "--yes", "-vvv"]);
    assert!(!run.transcript().contains("a-very-secret-key"));
    run.says("DescribeImages");
}

#[cfg(unix)]
#[test]
fn an_interrupt_prints_the_report_and_sends_nothing_more() {
    use std::{process::Command, time::Duration};
    let world = world(|region| add(region, 0..200)).fault("cvm:DeleteImages:slow=300ms");
    let list = list(0..200);
    let file = world.home().join("list");
    std::fs::write(&file, list).unwrap();
    let arguments = ["delete", "--from", file.to_str().unwrap(), "--yes", "--concurrency", "1", "-o", "json"];
    let child = world.spawn(&arguments);
    std::thread::sleep(Duration::from_millis(1500));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let run = world.wait(child, &arguments, 0);
    run.exits(130);
    let words = run.words();
    assert_eq!(words.len(), 200);
    assert!(words.iter().any(|word| word == "skipped") && !words.iter().any(|word| word == "failed"));
    let skipped = words.iter().filter(|word| *word == "skipped").count();
    assert_eq!(left(&world), skipped, "what was skipped is there, and nothing else");
}
