//! Huawei Cloud Workspace, end to end: tokens, batches, jobs, and what becomes of each image server.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, Options, World as Clouds,
    iam::{self, REGION},
    workspace::{
        Workspace,
        state::{Failing, Project},
    },
};

use crate::world::World;

fn world(fill: impl FnOnce(&mut Workspace)) -> World {
    let mut clouds = Clouds::default();
    clouds.workspace.job_time = Duration::ZERO;
    fill(&mut clouds.workspace);
    World::new(clouds)
}

fn add(project: &mut Project, count: usize) {
    for number in 0..count {
        project.add(&id(number), Utc::now() - TimeDelta::days(30));
    }
}

fn id(number: usize) -> String {
    format!("6976{number:014}")
}

fn list(count: usize) -> String {
    (0..count).map(|number| format!("workspace:{}\n", id(number))).collect()
}

/// Image servers that are there and not on their way out.
fn left(world: &World) -> usize {
    let mut clouds = world.sandbox.world();
    clouds.workspace.region(REGION).servers.iter().filter(|server| server.status != "DELETING").count()
}

const DELETE: [&str; 5] = ["delete", "-", "--yes", "-o", "json"];

#[test]
fn forty_five_servers_are_three_calls_and_each_has_its_outcome() {
    let world = world(|workspace| add(workspace.region(REGION), 45));
    let run = world.run_with(&DELETE, &list(45));
    run.ends(0, ["deleted"; 45]);
    assert_eq!((run.count("BatchDeleteImageServer"), left(&world)), (3, 0));
    assert!(run.calls.len() <= 9, "{}", run.transcript());
}

#[test]
fn a_server_that_is_being_created_spoils_nothing() {
    let world = world(|workspace| {
        let project = workspace.region(REGION);
        add(project, 5);
        project.server_mut(&id(2)).unwrap().status = "CREATING".into();
    });
    let run = world.run_with(&DELETE, &list(6));
    assert_eq!(run.words(), ["deleted", "deleted", "refused", "deleted", "deleted", "missing"], "{}", run.transcript());
    assert_eq!((run.code, left(&world)), (1, 1));
}

#[test]
fn a_failed_job_is_never_reported_as_deleted() {
    for names_servers in [true, false] {
        let world = world(|workspace| {
            workspace.names_servers = names_servers;
            let project = workspace.region(REGION);
            add(project, 3);
            project.failing.insert(id(1), Failing::new("FAILED", "WKS.1", "its group changed"));
        });
        let run = world.run_with(&DELETE, &list(3));
        let words = run.words();
        assert!(words[1] == "failed" || words[1] == "unknown", "{}", run.transcript());
        assert!(words[0] != "failed" && words[2] != "failed", "{}", run.transcript());
        assert_eq!((run.code, left(&world)), (1, 1));
    }
}

#[test]
fn without_a_job_the_servers_are_looked_up() {
    let world = world(|workspace| {
        workspace.names_job = false;
        add(workspace.region(REGION), 3);
    });
    let run = world.run_with(&DELETE, &list(3));
    run.ends(0, ["deleted"; 3]);
}

#[test]
fn a_job_started_with_no_wait_can_be_checked_later() {
    let world = world(|workspace| {
        workspace.job_time = Duration::from_millis(1500);
        add(workspace.region(REGION), 2);
    });
    let run = world.run_with(&["delete", "-", "--yes", "--no-wait", "-o", "json"], &list(2));
    run.ends(0, ["accepted"; 2]);
    let job = run.json()["items"][0]["job"].as_str().unwrap().to_owned();
    let early = world.run(&["get", "--job", &job, "-o", "json"]);
    assert_eq!(early.words(), ["accepted"], "{}", early.transcript());
    std::thread::sleep(Duration::from_secs(2));
    let late = world.run(&["get", "--job", &job, "-o", "json"]);
    late.ends(0, ["deleted"; 2]);
}

#[test]
fn history_asks_the_job_of_a_run_that_did_not_wait() {
    let world = world(|workspace| {
        workspace.job_time = Duration::from_millis(1500);
        let project = workspace.region(REGION);
        add(project, 2);
        project.failing.insert(id(1), Failing::new("FAILED", "WKS.1", "its group changed"));
    });
    world.run_with(&["delete", "-", "--yes", "--no-wait", "-o", "json"], &list(2)).ends(0, ["accepted"; 2]);
    let early = world.run(&["history", "last", "--check", "-o", "json"]);
    early.ends(1, ["accepted"; 2]).says("its job is still running");
    std::thread::sleep(Duration::from_secs(2));
    let late = world.run(&["history", "last", "--check", "-o", "json"]);
    late.ends(0, ["gone", "failed"]);
    assert!(late.stdout.contains("its group changed"), "{}", late.transcript());
}

#[test]
fn what_is_left_behind_is_named_and_the_source_image_is_not() {
    let world = world(|workspace| add(workspace.region(REGION), 1));
    let run = world.run_with(&DELETE, &list(1));
    let left = run.json()["items"][0]["left_behind"].to_string();
    assert!(left.contains("ims_image") && left.contains("image-of-"), "{left}");
    assert!(!left.contains("source-of-"));
}

#[test]
fn recursion_is_sent_only_on_request() {
    let resources = |recursive: bool| {
        let world = world(|workspace| add(workspace.region(REGION), 1));
        let mut arguments = DELETE.to_vec();
        if recursive {
            arguments.push("--recursive");
        }
        assert_eq!(world.run_with(&arguments, &list(1)).code, 0);
        world.sandbox.world().workspace.region(REGION).resources.len()
    };
    assert!(resources(true) < resources(false));
}

#[test]
fn a_token_that_expires_in_the_middle_costs_one_new_login() {
    let world = world(|workspace| {
        add(workspace.region(REGION), 45);
        let mut calls = 0;
        workspace.before("BatchDeleteImageServer", move |workspace| {
            calls += 1;
            if calls == 2 {
                workspace.iam.revoke_tokens();
            }
        });
    });
    let run = world.run_with(&DELETE, &list(45));
    run.ends(0, ["deleted"; 45]);
    let logins = run.calls.iter().filter(|call| call.operation.contains("Token") && call.status == Some(201)).count();
    assert_eq!(logins, 2, "{}", run.transcript());
}

#[test]
fn a_wrong_password_sends_no_deletion() {
    let world = world(|workspace| add(workspace.region(REGION), 1)).set("HW_USER_PASSWORD", "wrong-password");
    let run = world.run_with(&["delete", "-", "--yes", "-vvv"], &list(1));
    assert_eq!((run.code, run.count("BatchDeleteImageServer"), left(&world)), (3, 0, 1), "{}", run.transcript());
    assert!(!run.transcript().contains("wrong-password"));
}

#[test]
fn access_keys_are_signed_with_and_a_ready_token_is_used() {
    let keys = |world: World| {
        ["HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME"].iter().fold(world, |world, name| world.unset(name))
    };
    let signed = keys(world(|workspace| add(workspace.region(REGION), 2)))
        .set("HUAWEICLOUD_SDK_AK", iam::ACCESS_KEY)
        .set("HUAWEICLOUD_SDK_SK", iam::SECRET_KEY);
    let run = signed.run_with(&DELETE, &list(2));
    assert_eq!((run.code, left(&signed)), (0, 0), "{}", run.transcript());
    let ready = keys(world(|workspace| add(workspace.region(REGION), 2))).set("HW_AUTH_TOKEN", iam::TOKEN);
    let run = ready.run_with(&DELETE, &list(2));
    assert_eq!((run.code, left(&ready)), (0, 0), "{}", run.transcript());
}

#[test]
fn no_secret_is_printed_at_any_verbosity() {
    let world = world(|workspace| add(workspace.region(REGION), 1));
    let run = world.run_with(&["delete", "-", "--yes", "-vvv"], &list(1));
    assert!(run.stderr.contains("BatchDelete") || run.stderr.contains("batch-delete"), "{}", run.stderr);
    for secret in [iam::PASSWORD, iam::SECRET_KEY, iam::TOKEN] {
        assert!(!run.transcript().contains(secret));
    }
}

#[test]
fn another_accounts_project_is_refused_before_anything_is_sent() {
    let world = world(|workspace| add(workspace.region(REGION), 1));
    let run = world.run(&["delete", &format!("workspace://somebodyelse@cn-north-4/{}", id(0)), "--yes"]);
    assert_eq!((run.code, run.count("BatchDeleteImageServer"), left(&world)), (3, 0, 1), "{}", run.transcript());
}

#[test]
fn a_listing_always_asks_for_full_pages() {
    let world = world(|workspace| add(workspace.region(REGION), 230));
    let run = world.run(&["list", "workspace:", "-o", "ndjson"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 230), "{}", run.transcript());
    run.sends(3, "ListImageServers");
}

#[test]
fn ages_are_counted_by_the_clock_of_the_service() {
    let mut clouds = Clouds::default();
    let behind = TimeDelta::days(40);
    let project = clouds.workspace.region(REGION);
    project.add(&id(0), Utc::now() - behind - TimeDelta::hours(1));
    project.add(&id(1), Utc::now() - behind - TimeDelta::days(31));
    let options = Options { clock_skew: -behind, ..Options::default() };
    let world = World::with(clouds, options);
    let old = ["--older-than", "30d", "--recursive"];
    let plan = world.run(&[&["prune", "workspace:", "-n", "-o", "json", "--max-percent", "100"], &old[..]].concat());
    plan.exits(0);
    let document = plan.json();
    let items = document["items"].as_array().unwrap().iter();
    let chosen: Vec<_> = items.filter(|item| item["action"] == "delete").map(|item| &item["ref"]).collect();
    assert!(chosen.len() == 1 && chosen[0].as_str().unwrap().ends_with(&id(1)), "{}", plan.transcript());
    let told = world.run(&[&["prune", "workspace:", "-n", "--max-percent", "100"], &old[..]].concat());
    told.says("this machine's clock is 40 days ahead; ages are counted by the clock of the service");
    world.run(&["list", "workspace:", "-o", "json", "--older-than", "30d"]).exits(0).lists(1);
}

#[test]
fn a_group_that_a_kept_server_uses_and_an_unknown_state_keep_a_server() {
    let world = world(|workspace| {
        let project = workspace.region(REGION);
        add(project, 4);
        project.add(&id(9), Utc::now());
        for number in [0, 9] {
            project.server_mut(&id(number)).unwrap().server_group_id = "shared-group".into();
        }
        project.server_mut(&id(1)).unwrap().status = "FROZEN".into();
    });
    let prune = ["prune", "workspace:", "--older-than", "10d", "--recursive", "--yes", "--show", "all", "-o", "json"];
    let run = world.run(&prune);
    run.exits(0);
    assert!(run.stdout.contains("--recursive would delete server group shared-group"), "{}", run.transcript());
    assert!(run.stdout.contains("no document explains its state"), "{}", run.transcript());
    assert_eq!(left(&world), 3);
}
