//! `imgctl doctor`, end to end: what it reports when all is well, and for each kind of problem.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{Options, World as Clouds};
use serde_json::Value;

use crate::world::{Run, World};

fn world() -> World {
    World::new(clouds())
}

fn clouds() -> Clouds {
    let mut clouds = Clouds::default();
    clouds.ecr.repository("eu-west-1", "team/app", Utc::now());
    clouds
}

/// A world whose services are so far ahead of this machine.
fn skewed(seconds: i64) -> World {
    let options = Options { clock_skew: TimeDelta::seconds(seconds), ..Options::default() };
    World::with(clouds(), options)
}

/// Takes the credentials of a provider out of the environment.
fn without(world: World, provider: &str) -> World {
    let names: &[_] = match provider {
        "ecr" => &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        "cvm" => &["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"],
        _ => &["HW_USER_NAME", "HW_USER_PASSWORD", "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"],
    };
    names.iter().fold(world, |world, name| world.unset(name))
}

/// The run as it is recorded. Providers are asked side by side, so the order of their calls varies.
fn transcript(mut run: Run) -> String {
    run.calls.sort_by(|one, other| one.service.cmp(&other.service));
    run.transcript()
}

/// What a script reads: the state of each provider.
fn states(run: &Run) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let items = run.json();
    let items = items["items"].as_array().unwrap();
    let state = |item: &Value| (text(&item["provider"]), text(&item["state"]));
    items.iter().map(state).collect()
}

/// One check of the only provider asked.
fn check(run: &Run, name: &str) -> Value {
    let document = run.json();
    let checks = document["items"][0]["checks"].as_array().unwrap();
    let in_force = |check: &&Value| check["check"] == name && check["state"] != "unused";
    let found = checks.iter().find(in_force);
    found.unwrap_or_else(|| panic!("no {name} in {document:#}")).clone()
}

#[test]
fn all_is_well_and_takes_two_calls_a_provider_at_most() {
    let run = world().run(&["doctor"]);
    insta::assert_snapshot!(transcript(run));
}

#[test]
fn wrong_secrets_are_the_credentials_fault_and_nothing_could_be_tried() {
    let world = world()
        .set("AWS_SECRET_ACCESS_KEY", "hunter2")
        .set("TENCENTCLOUD_SECRET_KEY", "hunter2")
        .set("HW_USER_PASSWORD", "hunter2");
    let run = world.run(&["doctor"]);
    assert!(!run.transcript().contains("hunter2"));
    insta::assert_snapshot!(transcript(run));
}

#[test]
fn without_any_credentials_nothing_could_be_tried() {
    let world = without(without(without(world(), "ecr"), "cvm"), "workspace");
    let run = world.run(&["doctor", "-o", "json"]);
    let unconfigured = |name: &str| (name.to_owned(), "not_configured".to_owned());
    assert_eq!(states(&run), ["ecr", "cvm", "workspace", "oci"].map(unconfigured));
    run.exits(3).sends_calls(0);
}

#[test]
fn a_provider_that_is_not_configured_fails_only_if_it_is_named() {
    let world = without(without(world(), "cvm"), "workspace");
    let run = world.run(&["doctor"]);
    run.exits(0);
    insta::assert_snapshot!(transcript(run));
    world.run(&["doctor", "ecr"]).exits(0);
    let run = world.run(&["doctor", "--region", "no region"]);
    run.exits(3);
    world.run(&["doctor", "cvm"]).exits(3);
    world.run(&["doctor", "ecr", "cvm"]).exits(1);
}

#[test]
fn one_provider_that_is_down_does_not_keep_the_others_from_being_asked() {
    let world = world().set("IMGCTL_CVM_ENDPOINT", "http://127.0.0.1:1");
    let run = world.run(&["doctor", "-o", "json"]);
    let states: Vec<_> = states(&run).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["ok", "failed", "ok", "not_configured"]);
    run.exits(1);
    let error = &run.json()["items"][1]["error"];
    assert_eq!(error["kind"], "unreachable");
    assert!(error["hint"].as_str().unwrap().contains("the endpoint"));
}

#[test]
fn a_service_that_is_silent_is_waited_for_only_so_long() {
    let world = world().fault("ecr:*:hang").fault("workspace:KeystoneCreateUserTokenByPassword:hang");
    let started = std::time::Instant::now();
    let run = world.run(&["doctor", "ecr", "workspace", "-o", "json", "--timeout", "1s"]);
    assert!(started.elapsed().as_secs() < 8);
    run.exits(1);
    assert_eq!(check(&run, "endpoint")["error"]["code"], "Timeout");
}

#[test]
fn a_wrong_clock_is_reported_before_the_keys_are_doubted() {
    for (provider, ahead, state) in [
        ("ecr", 90, "warning"),
        ("ecr", 600, "warning"),
        ("ecr", 1200, "failed"),
        ("cvm", 90, "warning"),
        ("cvm", -600, "failed"),
        ("workspace", 90, "warning"),
    ] {
        let run = skewed(ahead).run(&["doctor", provider, "-o", "json"]);
        let clock = check(&run, "clock");
        assert_eq!(clock["state"], state, "{provider} {ahead}");
        let seconds = clock["seconds_ahead"].as_i64().unwrap();
        assert!((seconds + ahead).abs() <= 2, "{clock}");
        let document = run.json();
        assert_eq!(document["items"][0]["state"], state);
        if state == "failed" {
            let error = &document["items"][0]["error"];
            assert!(error["message"].as_str().unwrap().contains("the service allows 5m"));
            assert_eq!((run.code, &check(&run, "credentials")["state"]), (3, &Value::from("found")));
        } else {
            run.exits(0);
        }
    }
}

#[test]
fn keys_that_may_not_read_are_good_keys() {
    let world = world();
    world.sandbox.world().ecr.denied.insert("DescribeRepositories".into());
    let run = world.run(&["doctor", "ecr", "-o", "json"]);
    assert_eq!(check(&run, "credentials")["state"], "ok");
    let read = check(&run, "read");
    assert_eq!((&read["state"], &read["error"]["kind"]), (&"failed".into(), &"denied".into()));
    assert!(read["error"]["hint"].as_str().unwrap().contains("imgctl doctor ecr:REPOSITORY"));
    run.exits(3);
    // One repository can be worked with all the same.
    let run = world.run(&["doctor", "ecr:team/app", "-o", "json"]);
    assert_eq!((run.code, &check(&run, "read")["value"]), (0, &"ecr:DescribeImages".into()));
}

#[test]
fn whether_deletions_are_permitted_is_asked_only_where_that_deletes_nothing() {
    let world = world();
    let run = world.run(&["doctor", "ecr:team/app", "-o", "json"]);
    assert_eq!(check(&run, "delete")["state"], "unknown");
    run.sends(0, "BatchDeleteImage");
    let flags = ["doctor", "ecr:team/app", "--check-delete", "-o", "json"];
    let run = world.run(&flags);
    assert_eq!(check(&run, "delete")["state"], "ok");
    world.sandbox.world().ecr.denied.insert("BatchDeleteImage".into());
    let run = world.run(&flags);
    assert_eq!((run.code, &check(&run, "delete")["state"]), (3, &"failed".into()));
    let run = world.run(&["doctor", "ecr", "--check-delete", "-o", "json"]);
    run.exits(0).sends(0, "BatchDeleteImage");
}

#[test]
fn a_profile_or_a_region_that_is_not_there_is_named_with_where_it_was_looked_for() {
    let world = world();
    for provider in ["ecr", "cvm", "workspace"] {
        let run = world.run(&["doctor", provider, "--profile", "nope", "-o", "json"]);
        let error = check(&run, "credentials")["error"].clone();
        assert!(error["message"].as_str().unwrap().contains("\"nope\""), "{error}");
        assert!(error["hint"].is_string());
        run.exits(3).sends_calls(0);
    }
    let run = world.run(&["doctor", "cvm://ap-nowhere/", "-o", "json"]);
    assert_eq!(check(&run, "region")["error"]["code"], "UnsupportedRegion");
    let run = world.run(&["doctor", "workspace", "--region", "Nowhere!", "-o", "json"]);
    assert_eq!(check(&run, "region")["error"]["kind"], "config");
    run.exits(3).sends_calls(0);
}

#[test]
fn credentials_that_are_set_but_not_used_are_shown() {
    let world = world().set("HW_AUTH_TOKEN", "hunter2").set("TCCLI_PROFILE", "mine");
    let run = world.run(&["doctor", "cvm", "workspace"]);
    assert!(!run.transcript().contains("hunter2"));
    insta::assert_snapshot!(transcript(run));
}

#[test]
fn a_word_that_is_not_a_provider_is_a_wrong_command_line() {
    let run = world().run(&["doctor", "erc"]);
    run.exits(2).sends_calls(0).says("did you mean ecr?");
    let run = world().run(&["doctor", "--profile", "mine"]);
    run.exits(2);
}

#[test]
fn each_provider_is_one_line_of_ndjson() {
    let run = world().run(&["doctor", "workspace", "ecr", "ecr", "-o", "ndjson"]);
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
    assert!(run.stdout.starts_with("{\"ref\":\"workspace://"));
}

#[test]
fn what_can_be_asked_is_tried_call_by_call() {
    let world = world();
    let run = world.run(&["doctor", "ecr", "--ask", "ecs,lambda,inspector", "-o", "json"]);
    run.exits(0).sends(1, "DescribeServiceRevisions").sends(1, "GetFunction").sends(1, "DescribeRegistry");
    let document = run.json();
    let checks = document["items"][0]["checks"].as_array().unwrap();
    let asked: Vec<_> = checks.iter().filter(|check| check["check"] == "ask").collect();
    let said: Vec<_> =
        asked.iter().map(|check| (check["value"].as_str().unwrap(), check["state"].as_str().unwrap())).collect();
    let expected = [
        "replication and pull-through caches",
        "ECS in eu-west-1",
        "Lambda in eu-west-1",
        "Amazon Inspector in eu-west-1",
    ];
    assert_eq!(said, expected.map(|value| (value, "ok")));
    assert_eq!(document["summary"]["calls"], 21);

    world.sandbox.world().events.door.denied.insert("ListTargetsByRule".into());
    world.sandbox.world().scheduler.door.denied.insert("GetSchedule".into());
    for call in ["ListTasks", "DescribeTaskDefinition"] {
        world.sandbox.world().ecs.door.denied.insert(call.into());
    }
    world.sandbox.world().ecr.denied.insert("DescribeRegistry".into());
    const MISSING: &str = "missing permissions: ecs:ListTasks, ecs:DescribeTaskDefinition, events:ListTargetsByRule, scheduler:GetSchedule;";
    let run = world.run(&["doctor", "ecr", "--ask", "ecs"]);
    run.exits(3);
    let whole = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(whole.contains(MISSING), "{}", run.transcript());
    assert!(whole.contains("missing permissions: ecr:DescribeRegistry;"), "{}", run.transcript());
    assert!(!whole.contains("lambda"), "{}", run.transcript());
}
