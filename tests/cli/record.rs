//! The record of runs: whatever is deleted stands in it before, with what a restore needs; nothing is deleted that cannot
//! be recorded; and a run that was killed at any moment can be told apart into what went and what stayed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    ecr::{REGION, manifest::Manifest, repository::Repository},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    conformance::{CLOUDS, is_true},
    dice::Dice,
    world::{Run, World},
};

/// How many runs are killed, unless IMGCTL_KILLS says how many.
const KILLS: u64 = 24;

fn world(fill: impl FnOnce(&mut Repository)) -> World {
    let mut clouds = Clouds::default();
    fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    World::new(clouds)
}

fn push(repository: &mut Repository, name: &str, tags: &[&str]) -> String {
    repository.push(&Manifest::image(name, 2), tags, Utc::now() - TimeDelta::days(40)).to_string()
}

/// An index with two images of its own.
fn push_index(repository: &mut Repository, name: &str, tags: &[&str]) -> Vec<String> {
    let at = Utc::now() - TimeDelta::days(40);
    let [one, two] = ["amd64", "arm64"].map(|platform| Manifest::image(&format!("{name} {platform}"), 2));
    let index = Manifest::index(&[(&one, "linux/amd64"), (&two, "linux/arm64")]);
    repository.push(&one, &[], at);
    repository.push(&two, &[], at);
    repository.push(&index, tags, at);
    [index.digest, one.digest, two.digest].iter().map(ToString::to_string).collect()
}

/// The digests that are in `team/app` now.
fn there(world: &World) -> BTreeSet<String> {
    let mut clouds = world.sandbox.world();
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    repository.images().map(|image| image.manifest.digest.to_string()).collect()
}

/// The files of the record, the oldest first.
fn files(world: &World) -> Vec<PathBuf> {
    let folder = world.home().join(".local/state/imgctl/runs");
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The complete lines of a record of this kind.
fn lines(file: &PathBuf, kind: &str) -> Vec<Value> {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let lines = complete.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["line"] == kind).collect()
}

/// The manifest of each image on record, by digest. Each has its digest.
fn manifests(file: &PathBuf) -> BTreeMap<String, String> {
    let image = |line: Value| {
        let (digest, text) = (line["digest"].as_str()?.to_owned(), line["manifest"].as_str()?.to_owned());
        assert_eq!(digest, format!("sha256:{}", hex::encode(Sha256::digest(&text))), "{line}");
        Some((digest, text))
    };
    lines(file, "image").into_iter().filter_map(image).collect()
}

#[test]
fn what_is_deleted_stands_in_the_record_with_all_that_a_restore_needs() {
    let (mut index, mut one) = Default::default();
    let world = world(|repository| {
        index = push_index(repository, "many", &["v1", "latest"]);
        one = push(repository, "one", &["v2"]);
        push(repository, "two", &["v3", "v4"]);
    });
    let names: Vec<String> = index.iter().map(|digest| format!("ecr:team/app@{digest}")).collect();
    let mut arguments = vec!["delete", "--yes", "-o", "json", "ecr:team/app:v2", "ecr:team/app:v3"];
    arguments.extend(names.iter().map(String::as_str));
    let run = world.run(&arguments);
    run.ends(0, ["deleted", "untagged", "deleted", "deleted", "deleted"]);

    let files = files(&world);
    assert_eq!(files.len(), 1);
    let id = files[0].file_stem().unwrap().to_str().unwrap();
    assert_eq!(run.json()["run"], id);
    let head = &lines(&files[0], "run")[0];
    assert_eq!((&head["run"], &head["command"]), (&json!(id), &json!("delete")));
    assert_eq!(head["command_line"].as_array().unwrap().len(), arguments.len() + 1);
    let store = &lines(&files[0], "store")[0];
    assert_eq!(store["ref"], "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app");
    assert!(store["caller"].as_str().unwrap().contains('…'), "{store}");
    let manifests = manifests(&files[0]);
    assert_eq!(manifests.len(), 5, "the image of the tag that was removed, too");
    let images = lines(&files[0], "image");
    let tags = |digest: &str| images.iter().find(|line| line["digest"] == digest).map(|line| line["tags"].clone());
    assert_eq!(tags(&index[0]), Some(json!(["latest", "v1"])));
    assert_eq!(tags(&one), Some(json!(["v2"])));
    assert!(images.iter().all(|line| line["pushed_at"].is_string() && line["media_type"].is_string()));
    assert_eq!(lines(&files[0], "ended").len(), 5);
    assert_eq!(lines(&files[0], "end")[0]["counts"], json!({ "deleted": 4, "untagged": 1 }));
    // Each call that deleted something has its id, and history says which images it was about.
    let ids: Vec<Value> = lines(&files[0], "answered").into_iter().map(|line| line["request_id"].clone()).collect();
    assert_eq!(ids.len(), run.count("BatchDeleteImage"));
    let history = world.run(&["history", "last", "-o", "json"]).json();
    for item in history["items"].as_array().unwrap() {
        assert!(ids.contains(&item["request_ids"][0]), "{item}");
    }
}

#[test]
fn a_run_of_each_provider_is_recorded_and_one_that_changes_nothing_is_not() {
    for cloud in &CLOUDS {
        let world = cloud.world(2);
        let image = (cloud.image)(0);
        world.run(&["delete", &image, "--dry-run"]).exits(0);
        world.run(&["delete", &image]).exits(4);
        world.run(&["prune", cloud.store, "--older-than", "1d", "-n", "--max-percent", "100"]);
        world.run(&["list", cloud.store]).exits(0);
        assert!(files(&world).is_empty(), "{}", cloud.name);
        world.run(&["delete", &image, "--yes", "-o", "json"]).ends(0, ["deleted"]);
        // It is gone already: nothing is sent, and nothing recorded.
        world.run(&["delete", &image, "--yes"]).exits(1);
        let files = files(&world);
        assert_eq!(files.len(), 1, "{}", cloud.name);
        assert_eq!(lines(&files[0], "image").len(), 1, "{}", cloud.name);
        let run = world.run(&["history", "last", "-o", "json"]);
        run.ends(0, ["deleted"]).sends_calls(0);
    }
}

#[test]
fn no_record_is_written_where_none_is_wanted() {
    for (variables, flags, count) in [
        (&[][..], &["--no-record"][..], 0),
        (&[("IMGCTL_STATE_DIR", "off")], &[], 0),
        (&[("CI", "true")], &[], 0),
        (&[("CI", "true"), ("IMGCTL_STATE_DIR", ".local/state/imgctl")], &[], 1),
        (&[("XDG_STATE_HOME", "/nowhere"), ("IMGCTL_STATE_DIR", ".local/state/imgctl")], &[], 1),
    ] {
        let world = CLOUDS[0].world(1);
        let world = variables.iter().fold(world, |world, (name, value)| world.set(name, value));
        let run = world.run(&[&["delete", &(CLOUDS[0].image)(0), "--yes", "-o", "json"], flags].concat());
        run.ends(0, ["deleted"]).sends(count, "BatchGetImage");
        assert_eq!(files(&world).len(), count, "{variables:?} {flags:?}");
        assert_eq!(run.json().get("run").is_some(), count == 1);
    }
}

#[test]
fn a_manifest_that_cannot_be_read_stops_nothing_and_is_said_once() {
    let mut digests = Vec::new();
    let world = world(|repository| {
        digests = (0..250).map(|number| push(repository, &format!("i{number}"), &[])).collect();
    })
    .fault("ecr:BatchGetImage:status=403");
    let list: String = digests.iter().map(|digest| format!("ecr:team/app@{digest}\n")).collect();
    let run = world.run_with(&["delete", "-", "--yes"], &list);
    run.exits(0).sends(3, "BatchDeleteImage");
    run.says("cannot restore 250 deleted images: the credentials may not read its manifest");
    assert_eq!(run.stderr.matches("warning").count(), 1, "{}", run.transcript());
    let file = &files(&world)[0];
    let images = lines(file, "image");
    assert!(images.iter().all(|line| line["unrestorable"]["why"].is_string() && line["manifest"].is_null()));
    assert_eq!(images.len(), 250);
    assert!(there(&world).is_empty());
}

#[test]
fn a_warning_that_no_terminal_shows_is_in_the_document() {
    let mut image = None;
    let world = world(|repository| {
        image = Some(push(repository, "only", &[]));
        push(repository, "other", &[]);
    });
    let world = world.fault("ecr:BatchGetImage:status=403");
    let image = format!("ecr:team/app@{}", image.unwrap());
    let run = world.run(&["delete", &image, "--yes", "-o", "json"]);
    run.ends(0, ["deleted"]);
    let warnings = run.json()["warnings"].clone();
    let expected = "the record of this run cannot restore 1 deleted image: the credentials may not read its manifest";
    assert_eq!(warnings, serde_json::json!([expected]), "{}", run.transcript());
    assert_eq!(run.stderr, "");
    // Without any, the document does not have the field.
    let run = world.run(&["get", "ecr:team/app:nothing", "-o", "json"]);
    assert_eq!(run.json().get("warnings"), None);
}

/// A service counts the reading of a manifest as a pull. A plan whose run was stopped can be run again all the same.
#[test]
fn a_plan_that_was_stopped_can_be_run_again() {
    let world = world(|repository| (0..600).for_each(|number| drop(push(repository, &format!("i{number}"), &[]))))
        .fault("ecr:BatchDeleteImage:slow=700ms");
    let flags = ["--older-than", "9d", "-n", "-o", "json", "--allow-empty", "--max-percent", "100"];
    let plan = world.run(&[&["prune", "ecr:team/app"], &flags[..]].concat());
    fs::write(world.home().join("p.json"), &plan.stdout).unwrap();
    // A busy machine may not come to its first deletion within a second.
    let deadlines = ["1s", "2s", "4s", "8s"].map(|deadline| {
        ["delete", "--from", "p.json", "--yes", "--concurrency", "1", "--deadline", deadline, "-o", "json"]
    });
    let stopped = |flags: &[&str; 10]| (world.run(flags), there(&world).len());
    let (run, left) = deadlines.iter().map(stopped).find(|(_, left)| *left < 600).expect("a run that deletes");
    assert!(left > 0, "{}", run.transcript());
    let again = world.run(&["delete", "--from", "p.json", "--yes", "--ignore-missing", "-o", "json"]);
    again.exits(0).lists(600);
    assert!(there(&world).is_empty(), "{}", again.transcript());
}

#[test]
fn nothing_is_deleted_where_no_record_can_be_written() {
    let image = (CLOUDS[0].image)(0);
    let blocked = || {
        let world = CLOUDS[0].world(1);
        let file = world.home().join("file");
        fs::write(&file, "").unwrap();
        let path = file.display().to_string();
        world.set("IMGCTL_STATE_DIR", &path)
    };
    let run = blocked().run(&["delete", &image, "--yes"]);
    run.exits(3).says("cannot write the record of this run").says("--no-record").sends(0, "BatchDeleteImage");
    blocked().run(&["delete", &image, "--yes", "--no-record"]).exits(0);
    #[cfg(unix)]
    {
        let world = CLOUDS[0].world(1);
        let (state, other) = (world.home().join(".local/state/imgctl"), world.home().join("other"));
        fs::create_dir_all(&state).unwrap();
        fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&other, state.join("runs")).unwrap();
        let run = world.run(&["delete", &image, "--yes"]);
        run.exits(3).says("it is a link").sends(0, "BatchDeleteImage");
    }
}

/// A shell that lets no file grow larger, as a disk without room.
#[cfg(unix)]
fn with_room(world: &World, kilobytes: usize, command: &str) -> std::process::Output {
    world.shell(&["bash", "-c", &format!("trap '' XFSZ; ulimit -f {kilobytes}; exec {command}")])
}

#[cfg(unix)]
#[test]
fn on_a_full_disk_the_run_stops_before_the_next_deletion() {
    for cloud in &CLOUDS {
        for kilobytes in [0, 1, 8, 40, 130, 300] {
            let count = cloud.batch * 5;
            let world = cloud.world(count);
            fs::write(world.home().join("list"), cloud.list(0..count)).unwrap();
            let output =
                with_room(&world, kilobytes, "imgctl delete --from list --yes --concurrency 1 --all-tags -o json");
            let (stdout, stderr) = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).into();
            let left = cloud.left(&world, count);
            let case = format!("{} {kilobytes} KiB, {} left: {stderr}", cloud.name, left.len());
            assert!(!stdout.is_empty() || left.len() == count, "{case}");
            let whole = output.status.code() == Some(0);
            assert_eq!(whole, left.is_empty() && !stderr.contains("cannot write"), "{case}");
            assert!(whole || stderr.contains("cannot write the record of this run"), "{case}");
            let Some(file) = files(&world).pop() else { continue };
            let recorded: BTreeSet<String> =
                lines(&file, "image").iter().map(|line| line["ref"].as_str().unwrap().to_owned()).collect();
            assert!(recorded.len() >= count - left.len(), "{case}");
            if stdout.is_empty() {
                continue;
            }
            let document: Value = serde_json::from_str(&stdout).unwrap();
            for (number, item) in document["items"].as_array().unwrap().iter().enumerate() {
                let holds = is_true(item["outcome"].as_str().unwrap(), left.contains(&number));
                assert!(holds, "{case}: {item}");
            }
        }
    }
}

#[test]
fn two_runs_at_once_have_a_record_each() {
    let world = CLOUDS[0].world(400).fault("ecr:BatchDeleteImage:slow=200ms");
    let halves = [0..200, 200..400];
    let runs = halves.clone().map(|half| {
        let file = world.home().join(format!("list{}", half.start));
        fs::write(&file, CLOUDS[0].list(half)).unwrap();
        world.spawn(&["delete", "--from", file.to_str().unwrap(), "--yes", "-o", "json"])
    });
    for run in runs {
        assert!(run.wait_with_output().unwrap().status.success());
    }
    let files = files(&world);
    assert_eq!(files.len(), 2);
    let stores = |file: &PathBuf| lines(file, "image").len();
    assert_eq!(files.iter().map(stores).collect::<Vec<_>>(), [200, 200]);
    let all: BTreeSet<String> = files.iter().flat_map(|file| manifests(file).into_keys()).collect();
    assert_eq!(all.len(), 400);
    assert_eq!(world.run(&["history", "-o", "json"]).json()["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn history_finds_runs_by_time_store_image_and_plan() {
    let mut digest = String::new();
    let world = world(|repository| {
        digest = push(repository, "one", &["v1", "latest"]);
        push(repository, "two", &["v2"]);
    });
    let plan = world.run(&["prune", "ecr:team/app", "--tag", "v2", "-n", "-o", "json", "--max-percent", "100"]);
    fs::write(world.home().join("p.json"), &plan.stdout).unwrap();
    world.run(&["delete", "--from", "p.json", "--yes"]).exits(0);
    world.run(&["delete", &format!("ecr:team/app@{digest}"), "--yes"]).exits(0);
    let found = |arguments: &[&str]| {
        let run = world.run(&[&["history", "-o", "ndjson"], arguments].concat());
        run.exits(0).sends_calls(0);
        run.stdout.lines().count()
    };
    let image = format!("ecr:team/app@{digest}");
    for (arguments, runs) in [
        (&[][..], 2),
        (&["--since", "1h"], 2),
        (&["--until", "1h"], 0),
        (&["--store", "ecr:team/*"], 2),
        (&["--store", "ecr:other/*"], 0),
        (&["--store", "cvm:"], 0),
        (&["--plan", "p.json"], 1),
        (&["--image", "ecr:team/app:latest"], 1),
        (&["--image", "ecr:team/app:v2"], 1),
        (&["--image", &image], 1),
        (&["--image", "ecr:team/app:v9"], 0),
    ] {
        assert_eq!(found(arguments), runs, "{arguments:?}");
    }
    let last = world.run(&["history", "last", "-o", "json"]);
    last.ends(0, ["deleted"]);
    assert_eq!(last.json()["items"][0]["tags"], json!(["latest", "v1"]));
    assert_eq!(last.json()["runs"][0]["state"], "ended");
    fs::write(world.home().join("p.json"), plan.stdout.replace("made_at", "made_at ")).unwrap();
    assert_eq!(found(&["--plan", "p.json"]), 0, "another plan of that name");
    world.run(&["history", "nope"]).exits(2).says("no run on record");
    world.run(&["history", "--image", "nope"]).exits(2);
}

/// The outcome of each image of the last run, by digest.
fn outcomes(run: &Run) -> BTreeMap<String, String> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let items = run.json()["items"].clone();
    items.as_array().unwrap().iter().map(|item| (text(item, "digest"), text(item, "outcome"))).collect()
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_at_any_moment_leaves_a_record_that_can_be_settled() {
    let kills = std::env::var("IMGCTL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let done = std::thread::scope(|threads| {
        let parts = [0, 1, 2].map(|part| threads.spawn(move || (part..kills).step_by(3).map(kill).collect::<Vec<_>>()));
        parts.map(|part| part.join().unwrap()).concat()
    });
    // Some were killed in the middle, or this test says nothing.
    let in_the_middle = done.iter().filter(|deleted| (1..ALL).contains(*deleted)).count();
    assert!(in_the_middle * 4 >= done.len(), "{done:?}");
}

/// The images of the repository in which runs are killed.
const ALL: usize = 900;

/// Kills one prune, and returns how many images it had deleted by then.
#[cfg(unix)]
fn kill(seed: u64) -> usize {
    let mut dice = Dice(seed * 6151 + 17);
    let world = world(|repository| {
        (0..100).for_each(|number| drop(push_index(repository, &format!("x{number}"), &[&format!("x{number}")])));
        (0..ALL - 300).for_each(|number| drop(push(repository, &format!("i{number}"), &[&format!("v{number}")])));
    })
    .fault("ecr:BatchDeleteImage:slow=60ms")
    .fault("ecr:BatchGetImage:slow=20ms");
    let before = there(&world);
    assert_eq!(before.len(), ALL);
    let arguments = ["prune", "ecr:team/app", "--older-than", "9d", "--yes", "--concurrency", "2"];
    let arguments = [
        &arguments[..],
        &["--max-percent", "100", "--max-delete", "9999", "--allow-empty", "--no-default-protect", "-q"],
    ]
    .concat();
    let mut child = world.spawn(&arguments);
    let begun = Instant::now();
    // Some are killed from the first line of the record on, most once a deletion was answered.
    let has_begun = || match seed % 4 {
        0 => !files(&world).is_empty(),
        _ => world.sandbox.calls().iter().any(|call| call.operation == "BatchDeleteImage"),
    };
    while !has_begun() && child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // All deletions take little longer than this.
    std::thread::sleep(Duration::from_millis(dice.below(300) as u64));
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    // What was sent may still be carried out.
    let mut left = there(&world);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = there(&world);
        if now.len() == left.len() {
            break;
        }
        left = now;
    }
    let case = || format!("seed {seed}: {:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
    let gone: BTreeSet<_> = before.difference(&left).cloned().collect();
    let Some(file) = files(&world).pop() else {
        assert!(gone.is_empty(), "{}", case());
        return 0;
    };
    let saved = manifests(&file);
    assert!(gone.iter().all(|digest| saved.contains_key(digest)), "deleted without a record: {}", case());
    if lines(&file, "run").is_empty() {
        assert!(gone.is_empty(), "{}", case());
        return 0;
    }
    // What is known is true.
    for (digest, outcome) in outcomes(&world.run(&["history", "last", "-o", "json"])) {
        assert!(is_true(&outcome, left.contains(&digest)), "{digest} {outcome}: {}", case());
    }
    // Right after the run, a call may still come. Move the run into the past.
    let past = (Utc::now() - TimeDelta::hours(1)).to_rfc3339();
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    let old = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(mut value) if value["line"] == "image" => {
            value["at"] = json!(past);
            value.to_string() + "\n"
        }
        _ => line.to_owned(),
    };
    fs::write(&file, text.split_inclusive('\n').map(old).collect::<String>()).unwrap();
    let checked = world.run(&["history", "last", "--check", "-o", "json"]);
    checked.exits(0);
    for settled in [outcomes(&checked), outcomes(&world.run(&["history", "last", "-o", "json"]))] {
        assert_eq!(settled.len(), saved.len(), "{}", case());
        for (digest, outcome) in settled {
            let is = if left.contains(&digest) { &["failed", "skipped"][..] } else { &["deleted", "gone"] };
            assert!(is.contains(&outcome.as_str()), "{digest} {outcome}: {}", case());
        }
    }
    gone.len()
}
