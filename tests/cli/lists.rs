//! Listings: their order, their length, their columns, and images that are named as tables show them.

use imgctl::sandbox::World as Clouds;

use crate::{
    prune::{push, world},
    world::{Run, World},
};

fn seeded() -> World {
    World::new(Clouds::seeded(1, 200, chrono::Utc::now()))
}

/// A number or time of each item, in order.
fn values(run: &Run, name: &str) -> Vec<String> {
    let document = run.json();
    let items = document["items"].as_array().unwrap().iter();
    items.map(|item| item[name].to_string()).collect()
}

#[test]
fn a_listing_is_sorted_over_all_stores_and_cut_at_its_limit() {
    let world = seeded();
    let all = world.run(&["list", "ecr:**", "-o", "json"]);
    for (by, field) in [("pushed", "pushed_at"), ("size", "bytes"), ("pulled", "pulled_at")] {
        let key = |value: &String| match value.parse::<u64>() {
            Ok(number) => format!("{number:020}"),
            // What is not known comes last.
            Err(_) => {
                if value == "null" {
                    String::new()
                } else {
                    value.clone()
                }
            }
        };
        let mut expected: Vec<String> = values(&all, field).iter().map(key).collect();
        expected.sort_by(|one, other| other.cmp(one));
        for limit in [7, 10_000] {
            let run = world.run(&["list", "ecr:**", "--sort", by, "--limit", &limit.to_string(), "-o", "json"]);
            let found: Vec<String> = values(run.exits(0), field).iter().map(key).collect();
            assert_eq!(found, expected[..limit.min(expected.len())], "{by}");
        }
    }
    let names = world.run(&["list", "cvm:", "--sort", "name", "-o", "json"]);
    let found = values(&names, "name");
    assert!(found.is_sorted() && found.len() > 10, "{found:?}");
}

#[test]
fn a_limit_without_an_order_asks_for_no_more_pages_than_it_needs() {
    let world = world(|repository| {
        (0..3000).for_each(|number| drop(push(repository, &format!("i{number}"), &[], 90)));
    });
    let run = world.run(&["list", "ecr:team/app", "--limit", "5", "-o", "json"]);
    run.exits(0).lists(5);
    // The next page is on its way when this one is printed.
    assert!(run.calls.len() <= 2, "{}", run.transcript());
    world.run(&["list", "ecr:team/app", "--limit", "2000", "-o", "json"]).lists(2000);
}

#[test]
fn columns_keep_their_place_from_the_first_row_to_the_last() {
    let world = world(|repository| {
        for number in 0..2500 {
            let tag = format!("v{}", "1".repeat(if number == 10 { 40 } else { 3 }) + &number.to_string());
            push(repository, &format!("i{number}"), &[&tag], 90);
        }
    });
    let run = world.run(&["list", "ecr:team/app", "-o", "table"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2501);
    let age = |line: &&str| line.rfind("90 days ago");
    let first = age(&lines[1]);
    // A page may widen a column, and none narrows it.
    let places: Vec<_> = lines[1..].iter().map(age).collect();
    assert!(places.is_sorted() && first.is_some(), "{:?}", places.iter().collect::<std::collections::BTreeSet<_>>());
    assert_eq!(run.stdout.matches("IMAGE").count(), 1);
}

#[test]
fn details_show_the_last_pull() {
    let run = seeded().run(&["get", "ecr:base/alpine:3.10", "-o", "table"]);
    assert!(run.exits(0).stdout.lines().next().unwrap().contains("PULLED"), "{}", run.transcript());
    let run = seeded().run(&["list", "ecr:base/alpine", "-o", "table"]);
    assert!(!run.stdout.contains("PULLED"), "{}", run.transcript());
    let run = seeded().run(&["list", "ecr:base/alpine", "--wide", "-o", "table"]);
    assert!(run.stdout.contains("PULLED"), "{}", run.transcript());
}

/// The digest of a tag.
fn digest(world: &World, image: &str) -> String {
    let run = world.run(&["get", image, "-o", "json"]);
    run.json()["items"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_short_digest_names_its_image_and_is_shown_whole() {
    let world = seeded();
    let whole = digest(&world, "ecr:base/alpine:3.10");
    let hex = &whole["sha256:".len()..];
    for short in [&hex[..7], &format!("{}…", &hex[..12]), &format!("sha256:{}...", &hex[..20])] {
        let image = format!("ecr:base/alpine@{short}");
        for command in [&["get"][..], &["delete", "-n"], &["check-layers"]] {
            let run = world.run(&[command, &[&image]].concat());
            run.exits(0).says(&format!("{image} is ecr:base/alpine@{whole}"));
            run.sends(0, "BatchDeleteImage");
            assert!(command[0] == "check-layers" || run.stdout.contains(&whole), "{}", run.transcript());
        }
    }
    let pinned = format!("ecr:base/alpine:3.10@{}", &hex[..9]);
    world.run(&["get", &pinned]).exits(0);
    let run = world.run(&["get", "ecr:base/alpine@0000000"]);
    run.exits(2).says("no digest in ecr:base/alpine begins with 0000000");
    // A list comes from a program, which has the whole digest.
    let piped = format!("ecr:base/alpine@{}\n", &hex[..12]);
    world.run_with(&["delete", "-", "-y"], &piped).exits(2).sends_calls(0);
    // Without a way to confirm, nothing is sent, not even a look.
    world.run(&["delete", &format!("ecr:base/alpine@{}", &hex[..12])]).exits(4).sends_calls(0);
    let run = world.run(&["delete", "-y", &format!("ecr:base/alpine@{}", &hex[..12]), "-o", "json"]);
    run.ends(0, ["deleted"]);
    assert!(run.stdout.contains(&whole), "{}", run.transcript());
}

#[test]
fn a_short_digest_that_fits_several_images_is_refused_with_all_of_them() {
    // Of some ten thousand names, these two make digests that begin alike.
    let mut digests = [const { String::new() }; 3];
    let world = world(|repository| digests = ["i9447", "i11600", "i1"].map(|name| push(repository, name, &[], 90)));
    let [one, other, third] = digests.each_ref().map(|digest| digest["sha256:".len()..].split_at(7));
    assert!(one.0 == other.0 && one.0 != third.0, "{digests:?}");
    let run = world.run(&["get", &format!("ecr:team/app@{}", one.0)]);
    run.exits(2).says("may be 2 images:").says(&digests[0]).says(&digests[1]);
    assert!(!run.stderr.contains(&digests[2]), "{}", run.transcript());
}

#[test]
fn in_a_pipe_each_image_is_one_row_with_every_column_in_its_place() {
    let world = seeded();
    for (store, of_time) in [("ecr:**", "pushed_at"), ("cvm:", "created_at"), ("workspace:", "created_at")] {
        let items = world.run(&["list", store, "-o", "json"]).json()["items"].clone();
        let run = world.run(&["list", store]);
        let rows: Vec<Vec<&str>> = run.exits(0).stdout.lines().map(|row| row.split('\t').collect()).collect();
        let items = items.as_array().unwrap();
        assert_eq!(rows.len(), items.len(), "{store}");
        for (row, item) in rows.iter().zip(items) {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            let tags: Vec<&str> =
                item["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str()).collect();
            let bytes = item["bytes"].as_u64().map(|bytes| bytes.to_string()).unwrap_or_default();
            let expected = [
                text("ref"),
                text("state"),
                text("digest"),
                tags.join(","),
                text("name"),
                bytes,
                text(of_time),
                text("pulled_at"),
                String::new(),
            ];
            assert_eq!(row[..], expected, "{store}");
        }
        // What anybody may want to know besides goes to stderr.
        assert!(run.stderr.contains(" calls in ") || run.stderr.contains(" call in "), "{}", run.stderr);
    }
    let table = world.run(&["list", "cvm:", "-o", "table"]);
    assert!(table.exits(0).stdout.starts_with("STATE"), "{}", table.stdout);
    let table = World::new(Clouds::seeded(1, 200, chrono::Utc::now())).set("IMGCTL_OUTPUT", "table");
    assert!(table.run(&["list", "cvm:"]).stdout.starts_with("STATE"));
}

#[test]
fn what_get_finds_is_a_row_too_and_what_it_does_not_find() {
    let world = world(|repository| drop(push(repository, "a", &["v1", "v2"], 90)));
    let run = world.run(&["get", "ecr:team/app:v1", "ecr:team/app:nope"]);
    let rows: Vec<Vec<&str>> = run.exits(1).stdout.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [9, 9], "{}", run.stdout);
    assert!(rows[0][0].contains("/team/app:v1") && rows[0][2].len() == 71 && rows[0][3] == "v1,v2", "{}", run.stdout);
    assert_eq!(rows[1][1..8], ["missing", "", "", "", "", "", ""], "{}", run.stdout);
    let read = world.run_with(&["delete", "-", "--dry-run", "-o", "json"], &run.stdout);
    read.ends(1, ["would_untag", "missing"]);
    // A plan stays a table.
    let plan = world.run(&["delete", "ecr:team/app:v1", "--dry-run"]);
    assert!(plan.exits(0).stdout.starts_with("OUTCOME"), "{}", plan.stdout);
}
