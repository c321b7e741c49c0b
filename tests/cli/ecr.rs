//! ECR, end to end: what is deleted, what is reported, and how many calls it takes.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, World as Clouds,
    ecr::{
        REGION,
        manifest::{Blob, Manifest},
        repository::Repository,
    },
};

use crate::world::World;

/// A world with one repository, `team/app`, filled by `fill`.
fn world(fill: impl FnOnce(&mut Repository)) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    World::new(clouds)
}

/// Pushes an image of that name with these tags, some days ago.
fn push(repository: &mut Repository, name: &str, tags: &[&str]) -> String {
    let at = Utc::now() - TimeDelta::days(40);
    repository.push(&Manifest::image(name, 2), tags, at).to_string()
}

/// Whether a tag or digest is in `team/app` now.
fn has(world: &World, name: &str) -> bool {
    let mut clouds = world.sandbox.world();
    clouds.ecr.repository(REGION, "team/app", Utc::now()).has(name)
}

fn image(name: &str) -> String {
    format!("ecr:team/app{name}")
}

#[test]
fn a_tag_that_is_not_the_last_goes_alone() {
    let world = world(|repository| drop(push(repository, "one", &["v1", "latest"])));
    let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json"]);
    run.ends(0, ["untagged"]);
    assert!(!has(&world, "v1") && has(&world, "latest"));
    run.sends(2, "DescribeImages").sends(1, "BatchDeleteImage");
}

#[test]
fn with_its_last_tag_goes_the_image() {
    let world = world(|repository| drop(push(repository, "one", &["v1", "v2"])));
    let run = world.run(&["delete", "ecr:team/app:v1", "ecr:team/app:v2", "--yes", "-o", "json"]);
    run.ends(0, ["deleted"; 2]);
    assert!(!has(&world, "v1") && !has(&world, "v2"));
}

#[test]
fn a_digest_is_the_image_with_all_its_tags_and_needs_no_look() {
    let mut digest = String::new();
    let world = world(|repository| digest = push(repository, "one", &["v1", "v2"]));
    let run = world.run(&["delete", &image(&format!("@{digest}")), "--yes", "--no-record", "-o", "json"]);
    run.ends(0, ["deleted"]);
    assert!(!has(&world, &digest));
    // And whether deletions are replicated.
    run.sends(1, "DescribeRegistry").sends_calls(2);
}

#[test]
fn all_tags_takes_what_a_tag_points_to() {
    let mut digest = String::new();
    let world = world(|repository| digest = push(repository, "one", &["v1", "v2"]));
    let run = world.run(&["delete", "ecr:team/app:v1", "--all-tags", "--yes", "-o", "json"]);
    run.ends(0, ["deleted"]);
    assert!(!has(&world, &digest));
}

#[test]
fn a_tag_and_its_image_named_together_are_both_told_of_and_sent_once() {
    let mut digest = String::new();
    let world = world(|repository| digest = push(repository, "one", &["v1", "v2"]));
    let whole = image(&format!("@{digest}"));
    let run = world.run(&["delete", "ecr:team/app:v1", &whole, &whole, "--yes", "-o", "json"]);
    run.ends(0, ["deleted"; 2]);
    run.sends(1, "BatchDeleteImage");
}

#[test]
fn a_pinned_tag_that_points_elsewhere_is_refused() {
    let mut other = String::new();
    let world = world(|repository| {
        push(repository, "one", &["v1"]);
        other = push(repository, "two", &["v2"]);
    });
    let run = world.run(&["delete", &image(&format!(":v1@{other}")), "--yes", "-o", "json"]);
    run.ends(1, ["refused"]);
    assert!(has(&world, "v1") && has(&world, "v2"));
    assert_eq!(run.json()["items"][0]["error"]["code"], "ImageTagDoesNotMatchDigest");
    run.sends(0, "BatchDeleteImage");
}

#[test]
fn a_repository_without_tag_or_digest_is_never_read_as_latest() {
    let world = world(|repository| drop(push(repository, "one", &["latest"])));
    let run = world.run(&["delete", "ecr:team/app", "--yes"]);
    run.exits(2);
    assert!(run.calls.is_empty() && has(&world, "latest"));
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl delete ecr:team/app --yes
    --- stderr
    error: this names a repository and no image; nothing is ever read as :latest
      ecr:team/app
                  ^
      hint: write ecr:team/app:TAG or ecr:team/app@sha256:DIGEST
    --- exit 2
    ");
}

#[test]
fn nothing_is_sent_without_a_terminal_to_confirm_in() {
    let world = world(|repository| drop(push(repository, "one", &["v1"])));
    let run = world.run(&["delete", "ecr:team/app:v1"]);
    run.exits(4);
    assert!(run.calls.is_empty() && has(&world, "v1"));
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl delete ecr:team/app:v1
    --- stderr
    error: cannot ask for confirmation: not a terminal
      hint: nothing was sent; check the plan with --dry-run, then confirm it with --yes
    --- exit 4
    ");
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let world = world(|repository| {
        push(repository, "one", &["v1"]);
        push(repository, "two", &["v2", "latest"]);
    });
    let run = world.run(&["delete", "-n", "ecr:team/app:v1", "ecr:team/app:v2", "ecr:team/app:v3"]);
    run.sends(0, "BatchDeleteImage");
    assert!(has(&world, "v1") && has(&world, "v2"));
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn two_hundred_and_fifty_digests_are_three_calls_and_a_missing_one_is_told() {
    let mut digests = Vec::new();
    let world = world(|repository| {
        digests = (0..249).map(|number| push(repository, &format!("i{number}"), &[])).collect();
    });
    digests.insert(100, format!("sha256:{}", "0".repeat(64)));
    let list = digests.iter().map(|digest| image(&format!("@{digest}"))).collect::<Vec<_>>().join("\n");
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list);
    // The record needs each image's manifest, and what a look shows of it. One look fails, because an image is missing.
    run.sends(3, "BatchDeleteImage")
        .sends(3, "BatchGetImage")
        .sends(4, "DescribeImages")
        .sends(1, "DescribeRegistry")
        .sends(1, "DescribePullThroughCacheRules")
        .sends_calls(12);
    let words = run.words();
    assert_eq!((words.len(), run.code), (250, 1));
    assert!(words.iter().enumerate().all(|(place, word)| word == if place == 100 { "missing" } else { "deleted" }));
    let again = world.run_with(&["delete", "-", "--yes", "--ignore-missing"], &list);
    again.exits(0);
}

#[test]
fn an_index_goes_before_its_children_even_when_named_after_them() {
    let (mut index, mut child) = (String::new(), String::new());
    let world = world(|repository| {
        let (amd, arm) = (Manifest::image("amd", 2), Manifest::image("arm", 2));
        let now = Utc::now();
        child = repository.push(&amd, &[], now).to_string();
        repository.push(&arm, &[], now);
        index = repository
            .push(&Manifest::index(&[(&amd, "linux/amd64"), (&arm, "linux/arm64")]), &["v1"], now)
            .to_string();
    });
    let (index, child) = (image(&format!("@{index}")), image(&format!("@{child}")));
    let alone = world.run(&["delete", &child, "--yes", "-o", "json"]);
    alone.ends(1, ["refused"]);
    assert_eq!(alone.json()["items"][0]["error"]["code"], "ImageReferencedByManifestList");
    let both = world.run(&["delete", &child, &index, "--yes", "-o", "json"]);
    both.ends(0, ["deleted"; 2]);
}

#[test]
fn a_throttled_call_is_made_again() {
    let mut digest = String::new();
    let world = world(|repository| digest = push(repository, "one", &["v1"])).fault("ecr:BatchDeleteImage:throttle:1");
    let run = world.run(&["delete", &image(&format!("@{digest}")), "--yes", "-o", "json"]);
    run.ends(0, ["deleted"]).sends(2, "BatchDeleteImage");
}

#[test]
fn a_lost_answer_is_looked_after_and_never_called_missing() {
    for fault in ["lose-answer", "truncate", "status=503", "drop"] {
        let world = world(|repository| drop(push(repository, "one", &["v1"])))
            .fault(&format!("ecr:BatchDeleteImage:{fault}:1"));
        let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json"]);
        let done = if fault == "lose-answer" || fault == "truncate" { "gone" } else { "deleted" };
        assert_eq!((run.code, run.words()), (0, vec![done.to_owned()]), "{fault} {}", run.transcript());
        assert!(!has(&world, "v1"));
    }
}

#[test]
fn a_tag_that_was_pushed_again_after_a_lost_answer_is_left_alone() {
    let mut clouds = Clouds::default();
    push(clouds.ecr.repository(REGION, "team/app", Utc::now()), "old", &["v1", "keep"]);
    let mut looks = 0;
    clouds.ecr.before("DescribeImages", move |ecr| {
        looks += 1;
        if looks == 2 {
            // The answer is lost; before anyone looks again, a pusher makes the tag anew.
            push(ecr.repository(REGION, "team/app", Utc::now()), "new", &["v1"]);
        }
    });
    let world = World::new(clouds).fault("ecr:BatchDeleteImage:lose-answer:1");
    let run = world.run(&["delete", "ecr:team/app:v1", "--yes", "-o", "json"]);
    assert_eq!(run.words(), ["unknown"], "{}", run.transcript());
    run.sends(1, "BatchDeleteImage");
    assert!(has(&world, "v1"), "the new image's tag was deleted");
}

#[test]
fn garbage_stops_the_store_and_nothing_is_called_deleted() {
    let mut digests = Vec::new();
    let world = world(|repository| {
        digests = (0..150).map(|number| push(repository, &format!("i{number}"), &[])).collect();
    })
    .fault("ecr:BatchDeleteImage:garble");
    let list = digests.iter().map(|digest| image(&format!("@{digest}"))).collect::<Vec<_>>().join("\n");
    let run = world.run_with(&["delete", "-", "--yes", "--concurrency", "1", "-o", "json"], &list);
    run.exits(1);
    assert!(run.words()[..100].iter().all(|word| word == "gone"));
    assert!(run.words()[100..].iter().all(|word| word == "skipped"));
    run.sends(1, "BatchDeleteImage");
}

#[test]
fn what_an_answer_leaves_out_is_never_called_deleted() {
    let mut digest = String::new();
    let world = world(|repository| digest = push(repository, "one", &["v1"])).fault("ecr:BatchDeleteImage:empty");
    let run = world.run(&["delete", &image(&format!("@{digest}")), "--yes", "-o", "json"]);
    // The emulator did it and said nothing, so it was looked for and found gone. Nothing tells that it was there before.
    run.ends(1, ["gone"]);
}

#[test]
fn a_wrong_key_ends_with_what_the_service_says() {
    let world = world(|_| {}).set("AWS_SECRET_ACCESS_KEY", "wrong");
    let run = world.run(&["get", "ecr:team/app:v1", "-o", "table"]);
    run.exits(3).sends_calls(1);
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl get ecr:team/app:v1 -o table
    --- stderr
    error: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
      code: InvalidSignatureException
      request: …
      hint: check the secret key, and this machine's clock
    1 failed · 1 call in …s
    --- exit 3
    > ecr DescribeImages [1] 400 InvalidSignatureException
    ");
}

#[test]
fn an_absent_repository_is_reported_once() {
    let world = world(|_| {});
    let run = world.run(&["delete", "ecr:team/nope:v1", "ecr:team/nope:v2", "--yes"]);
    run.exits(3);
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl delete ecr:team/nope:v1 ecr:team/nope:v2 --yes
    --- stderr
    error: The repository with name 'team/nope' does not exist in the registry with id '123456789012'
      code: RepositoryNotFoundException
      request: …
      hint: check the repository's name, its region and the account
    2 failed · 2 calls in …s
    --- exit 3
    > ecr DescribeImages [2] 400 RepositoryNotFoundException
    > ecr DescribeRegistry [0] 200
    ");
}

#[test]
fn a_listing_of_2350_images_is_three_calls_and_shows_archived_ones() {
    let world = world(|repository| {
        for number in 0..2349 {
            push(repository, &format!("i{number}"), &[]);
        }
        let old = Manifest::image("old", 1);
        let digest = repository.push(&old, &["old"], Utc::now());
        repository.archive(&digest, Utc::now());
    });
    let run = world.run(&["list", "ecr:team/app", "-o", "ndjson"]);
    run.exits(0).sends_calls(3);
    assert_eq!(run.stdout.lines().count(), 2350);
    assert_eq!(run.stdout.lines().filter(|line| line.contains("\"state\":\"archived\"")).count(), 1);
}

#[test]
fn a_pattern_lists_the_repositories_that_it_means() {
    let mut clouds = Clouds::default();
    for name in ["team/app", "team/web", "team/app/deep", "other"] {
        push(clouds.ecr.repository(REGION, name, Utc::now()), name, &["v1"]);
    }
    let world = World::new(clouds);
    let run = world.run(&["list", "ecr:team/*", "-o", "table"]);
    insta::assert_snapshot!(run.transcript(), @r"
    $ imgctl list ecr:team/* -o table
    --- stdout
    STATE   IMAGE                                                                                                                          TAGS  SIZE    AGE
    active  123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@sha256:a1348a759ce26e606a06561031d2db0f5af10ba9de03faab3c46b2f089f33893  v1    78 MiB  40 days ago
    active  123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web@sha256:d6bde77ec890c9972915b5c79643363d330d562f17544179821c1986102ae815  v1    76 MiB  40 days ago
    --- stderr
    2 active · 154 MiB · 3 calls in …s
    --- exit 0
    > ecr DescribeRepositories [0] 200
    > ecr DescribeImages [0] 200
    > ecr DescribeImages [0] 200
    ");
    world.run(&["list", "ecr:nothing/*"]).exits(3);
}

#[test]
fn details_of_images_are_read_without_pulling_them() {
    let world = world(|repository| drop(push(repository, "one", &["v1", "latest"])));
    let run = world.run(&["get", "ecr:team/app:v1", "ecr:team/app:v2", "-o", "table"]);
    run.sends(0, "BatchGetImage");
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_manifest_comes_byte_for_byte() {
    let manifest = Manifest::image("one", 2);
    let world = world(|repository| {
        repository.push(&manifest, &["v1"], Utc::now());
    });
    let run = world.run(&["get", "--manifest", "ecr:team/app:v1"]);
    run.exits(0);
    assert_eq!(
        imgctl::image::Digest::sha256_of(run.stdout.as_bytes()).to_string(),
        world.run(&["get", "ecr:team/app:v1", "-o", "json"]).json()["items"][0]["digest"]
    );
    world.run(&["get", "--manifest", "ecr:team/app:v2"]).exits(1);
}

#[test]
fn layers_of_every_platform_are_checked_in_few_calls() {
    let world = world(|repository| {
        let (amd, arm) = (Manifest::image("amd", 3), Manifest::image("arm", 3));
        repository.push(&amd, &[], Utc::now());
        repository.push(&arm, &[], Utc::now());
        repository.push(&Manifest::index(&[(&amd, "linux/amd64"), (&arm, "linux/arm64")]), &["v1"], Utc::now());
    });
    let run = world.run(&["check-layers", "ecr:team/app:v1", "-o", "json"]);
    run.exits(0);
    assert!(run.words().iter().all(|word| word == "available"));
    run.sends(2, "BatchGetImage").sends(1, "BatchCheckLayerAvailability");
    let platforms = run.json().to_string();
    assert!(platforms.contains("linux/amd64") && platforms.contains("linux/arm64"));
}

#[test]
fn two_hundred_and_fifty_layers_are_three_calls_and_each_is_told_once() {
    let blobs: Vec<Blob> = (0..250).map(|number| Blob::layer(&format!("l{number}"))).collect();
    let digests: Vec<String> = blobs.iter().map(|blob| blob.digest.to_string()).collect();
    let world = world(|repository| {
        for blob in &blobs[..249] {
            repository.add_layer(blob.digest, 5);
        }
    });
    let mut arguments = vec!["check-layers", "ecr:team/app", "-o", "json"];
    arguments.extend(digests.iter().map(String::as_str));
    arguments.push(&digests[0]);
    let run = world.run(&arguments);
    run.exits(1).sends_calls(3);
    let words = run.words();
    assert_eq!(words.len(), 250);
    assert!(words[..249].iter().all(|word| word == "available"));
    assert_ne!(words[249], "available");
}

#[test]
fn what_is_listed_can_be_piped_into_a_deletion_of_images() {
    let world = world(|repository| {
        push(repository, "one", &["v1", "latest"]);
        push(repository, "two", &[]);
    });
    let list = world.run(&["list", "ecr:team/app", "-o", "json"]);
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list.stdout);
    run.ends(0, ["deleted"; 2]);
    assert!(!has(&world, "v1"));
}

#[cfg(unix)]
#[test]
fn a_reader_that_closes_the_pipe_early_does_not_fail_the_run() {
    let world = world(|repository| {
        for number in 0..1500 {
            push(repository, &format!("i{number}"), &[]);
        }
    });
    let mut child = world.spawn(&["list", "ecr:team/app", "-o", "ndjson"]);
    // The first line is read, the rest is not.
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_has_ended_is_printed_while_the_rest_is_under_way() {
    let mut list = String::new();
    let world = world(|repository| {
        for number in 0..150 {
            list += &format!("ecr:team/app@{}\n", push(repository, &format!("i{number}"), &[]));
        }
    });
    let world = world.fault("ecr:BatchDeleteImage:hang@1");
    let mut child = world.spawn(&["delete", "-", "--yes", "-o", "ndjson", "--no-record", "--timeout", "5"]);
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), list.as_bytes()).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    // One of the two calls is never answered.
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains(r#""outcome":"deleted""#), "{first}");
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    let more = lines.count();
    assert!([49, 99].contains(&more), "{more}");
}

#[test]
fn a_listing_shows_what_the_selectors_choose_and_a_deletion_takes_it_from_there() {
    let world = world(|repository| {
        for (name, tag, days) in
            [("old", "pr-1", 90), ("older", "pr-2", 120), ("new", "pr-3", 1), ("release", "v1.0.0", 200)]
        {
            repository.push(&Manifest::image(name, 1), &[tag], Utc::now() - TimeDelta::days(days));
        }
    });
    let tags = |arguments: &[&str]| {
        let run = world.run(&[&["list", "ecr:team/app", "-o", "json"], arguments].concat());
        run.exits(0);
        let mut tags: Vec<_> = run.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["tags"][0].as_str().unwrap().to_owned())
            .collect();
        tags.sort();
        tags
    };
    assert_eq!(tags(&["--older-than", "30d"]), ["pr-1", "pr-2", "v1.0.0"]);
    assert_eq!(tags(&["--older-than", "30d", "--tag", "pr-*"]), ["pr-1", "pr-2"]);
    assert_eq!(tags(&["--older-than", "30d", "--exclude", "v*", "--keep", "1"]), ["pr-2"]);
    world.run(&["list", "ecr:team/app", "--older-than", "-3d"]).exits(2);
    let stale = world.run(&["list", "ecr:team/app", "--older-than", "30d", "--tag", "pr-*", "-o", "ndjson"]);
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &stale.stdout);
    run.ends(0, ["deleted"; 2]);
    assert!(has(&world, "pr-3") && has(&world, "v1.0.0"));
}

#[test]
fn an_image_named_with_its_region_and_without_is_one_item() {
    let world = world(|repository| drop(push(repository, "one", &["v1"])));
    let run = world.run(&["get", "ecr:team/app:v1", "ecr://eu-west-1/team/app:v1", "-o", "json"]);
    run.ends(0, ["active"]);
    let run = world.run(&["delete", "ecr:team/app:v1", "ecr://eu-west-1/team/app:v1", "--yes", "-o", "json"]);
    run.ends(0, ["deleted"]);
}

#[test]
fn a_missing_repository_changes_the_exit_code() {
    let world = World::new(Clouds::seeded(1, 20, chrono::Utc::now()));
    let run = world.run(&["list", "ecr:no/such", "ecr:team/app"]);
    run.exits(1);
    let run = world.run(&["list", "ecr:no/such"]);
    run.exits(3);
}
