//! Lists of what is in use, end to end: files, folders, what stops a run, and what is said of them.

use chrono::Utc;
use imgctl::sandbox::{World as Clouds, ecr::REGION};

use crate::{
    prune::push,
    world::{Run, World},
};

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Two repositories with three old images each.
fn world() -> World {
    let mut clouds = Clouds::default();
    for (name, tags) in [("team/app", ["v1", "v2", "v3"]), ("team/web", ["w1", "w2", "v2"])] {
        let repository = clouds.ecr.repository(REGION, name, Utc::now());
        for tag in tags {
            push(repository, &format!("{name} {tag}"), &[tag], 90);
        }
    }
    World::new(clouds)
}

fn write(world: &World, name: &str, text: &str) {
    let path = world.home().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn prune(world: &World, flags: &[&str]) -> Run {
    world.run(
        &[
            &["prune", "ecr:team/*", "--older-than", "30d", "--allow-empty", "--max-percent", "100", "-o", "json"],
            flags,
        ]
        .concat(),
    )
}

/// The images that a plan keeps because they are in use, as `REPOSITORY:TAG, REASON`.
fn in_use(run: &Run) -> Vec<String> {
    let document = run.json();
    let items = document["items"].as_array().unwrap().iter().filter(|item| item["rule"] == "in_use");
    let name = |item: &serde_json::Value| {
        let reference = item["ref"].as_str().unwrap();
        let repository = reference.split_once('/').unwrap().1.split('@').next().unwrap().to_owned();
        format!("{repository}:{}, {}", item["tags"][0].as_str().unwrap(), item["reason"].as_str().unwrap())
    };
    let mut found: Vec<String> = items.map(name).collect();
    found.sort();
    found
}

#[test]
fn a_repository_and_its_tag_may_stand_apart_and_an_open_repository_stops_the_run() {
    let world = world();
    write(&world, "values.yaml", "web:\n  image:\n    repository: team/app\n    tag: v2\n");
    let run = prune(&world, &["--in-use", "values.yaml", "--dry-run"]);
    assert_eq!(in_use(&run), ["team/app:v2, kept: in use, values.yaml line 4"], "{}", run.transcript());

    write(&world, "values.yaml", "web:\n  image:\n    repository: team/app\n    tag: v2\n---\nrepository: team/web\n");
    let run = prune(&world, &["--in-use", "values.yaml", "--yes"]);
    run.exits(4).sends(0, "BatchDeleteImage").says("values.yaml:6 names ecr:team/web but not which image");
    run.says("continue with --in-use-loose");
    let run = prune(&world, &["--in-use", "values.yaml", "--in-use-loose", "--dry-run"]);
    run.exits(0);
    // In doubt, the tag beside the other repository counts for this one, too.
    assert_eq!(in_use(&run).len(), 2, "{}", run.transcript());
}

#[test]
fn one_tag_for_several_repositories_needs_a_flag_that_the_error_names() {
    let world = world();
    write(&world, "prod.tfvars", "app_repository = \"team/app\"\nweb_repository = \"team/web\"\nimage_tag = \"v2\"\n");
    let run = prune(&world, &["--in-use", "prod.tfvars", "--yes"]);
    run.exits(4).sends(0, "BatchDeleteImage").says("as in flat Terraform variables, continue with --in-use-loose");
    let run = prune(&world, &["--in-use", "prod.tfvars", "--in-use-loose", "--dry-run"]);
    run.exits(0);
    assert_eq!(in_use(&run)[0], "team/app:v2, kept: in use, prod.tfvars line 3", "{}", run.transcript());
}

#[test]
fn a_list_that_was_cut_off_stops_the_run() {
    let world = world();
    let whole = format!("{{\"items\":[{{\"image\":\"{HOST}/team/app:v1\"}},{{\"image\":\"{HOST}/team/web:w1\"}}]}}");
    write(&world, "pods.json", &whole);
    let run = prune(&world, &["--in-use", "pods.json", "--dry-run"]);
    assert_eq!(in_use(&run).len(), 2, "{}", run.transcript());
    for end in [whole.len() - 1, whole.len() - 40] {
        write(&world, "pods.json", &whole[..end]);
        for flags in [&["--in-use", "pods.json", "--yes"][..], &["--in-use", "pods.json", "--yes", "--in-use-loose"]] {
            prune(&world, flags).exits(4).sends(0, "BatchDeleteImage").says("pods.json is cut off");
        }
    }
    let run = world.run_with(
        &["prune", "ecr:team/*", "--older-than", "30d", "--allow-empty", "--yes", "--in-use", "-"],
        &whole[..60],
    );
    run.exits(4).sends(0, "BatchDeleteImage").says("standard input is cut off");
}

#[test]
fn a_folder_is_read_as_one_source_and_the_reason_names_the_file() {
    let world = world();
    write(&world, "deploy/base/kustomization.yaml", "images:\n- name: team/app\n");
    write(&world, "deploy/prod/kustomization.yaml", "images:\n- name: web\n  newTag: v1\n");
    write(&world, "deploy/chart/values.yaml", &format!("image: {HOST}/team/web:v2\n"));
    write(&world, "deploy/template.json", "{{ .Values.image }} {");
    write(&world, "deploy/.git/index", "team/app:v2\n");
    write(&world, "deploy/logo.png", "\u{1}\u{2}team/app:v2");
    write(&world, "more.txt", "team/web:w2\n");
    let run = prune(&world, &["--in-use", "deploy/", "--in-use", "more.txt", "--dry-run"]);
    let expected = [
        "team/app:v1, kept: in use, deploy/prod/kustomization.yaml line 3",
        "team/web:v2, kept: in use, deploy/chart/values.yaml line 1",
        "team/web:w2, kept: in use, more.txt line 1",
    ];
    assert_eq!(in_use(&run), expected, "{}", run.transcript());
    let lists = run.json()["plan"]["in_use"].to_string();
    assert!(lists.contains("in 4 files; left out: 1 binary files"), "{lists}");

    write(&world, "deploy/state.json", "{\"image\": \"team/app:v2\"");
    prune(&world, &["--in-use", "deploy", "--yes"])
        .exits(4)
        .sends(0, "BatchDeleteImage")
        .says("deploy/state.json is cut");
    write(&world, "empty/readme.md", "Nothing.");
    prune(&world, &["--in-use", "empty", "--yes"]).exits(4).says("empty names no image");
    prune(&world, &["--in-use", "nowhere", "--yes"]).exits(2).sends_calls(0).says("cannot read nowhere");
}

#[test]
fn what_no_store_of_the_run_has_is_counted_and_listed() {
    let world = world();
    let other = "999999999999.dkr.ecr.eu-west-1.amazonaws.com";
    write(&world, "used.txt", &format!("{HOST}/team/app:v1\n{other}/team/web:w1\n{HOST}/team/gone:v1\n"));
    let flags = ["prune", "ecr:team/*", "--older-than", "30d", "--allow-empty", "--dry-run", "--in-use", "used.txt"];
    let run = world.run(&flags);
    run.says(
        "used.txt names 3 images; 1 images of these stores are in use; 2 names are in no store of this run (-v lists",
    );
    assert!(!run.stderr.contains("team/gone"), "{}", run.transcript());
    let run = world.run(&[&flags[..], &["-v"]].concat());
    run.says(&format!("used.txt line 2: {other}/team/web:w1 is in no store of this run"));
    run.says(&format!("used.txt line 3: {HOST}/team/gone:v1 is in no store of this run"));
}

#[test]
fn a_run_that_must_know_what_is_in_use_sends_nothing_without_it() {
    let world = world();
    write(&world, "used.txt", "team/app:v1 team/web:w1\n");
    write(
        &world,
        "p.toml",
        "[policy.web]\nstores = [\"ecr:team/*\"]\nselect = { older-than = \"30d\" }\nguard = { require-in-use = true, max-percent = 100 }\n",
    );
    for flags in [&["--dry-run"][..], &["--yes"]] {
        let run = world.run(&[&["prune", "--policy", "p.toml"], flags].concat());
        run.exits(4).sends_calls(0).says("policy web: require-in-use: nothing says which images are in use");
        let run = prune(&world, &[&["--require-in-use"], flags].concat());
        run.exits(4).sends_calls(0).says("name the images in use with --in-use FILE");
    }
    let run = world.run(&["prune", "--policy", "p.toml", "--yes", "--in-use", "used.txt", "-o", "json"]);
    run.exits(0).lists(4);
    let run = prune(&world, &["--require-in-use", "--in-use", "used.txt", "--dry-run"]);
    assert_eq!(in_use(&run).len(), 2, "{}", run.transcript());
}
