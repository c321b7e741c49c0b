//! What applies to a whole registry: deletions that it replicates are announced, and repositories that it fills from
//! elsewhere get no image back by a look at them.

use std::fs;

use chrono::Utc;
use imgctl::sandbox::ecr::{ACCOUNT, REGION};
use serde_json::json;

use crate::{
    prune::{STORE, has, push, said, world},
    world::World,
};

const THERE: &str = "us-east-1";

/// Two old images here and in another region, to which deletions are replicated.
fn replicated() -> World {
    let world = world(|repository| {
        push(repository, "a", &["v1"], 90);
        push(repository, "b", &["v2"], 90);
    });
    let mut clouds = world.sandbox.world();
    let there = clouds.ecr.repository(THERE, "team/app", Utc::now());
    push(there, "a", &["v1", "only-there"], 90);
    push(there, "b", &["v2"], 90);
    clouds.ecr.rules(REGION).replication = vec![json!({
        "destinations": [{ "region": THERE, "registryId": ACCOUNT }],
        "repositoryFilters": [{ "filter": "team/", "filterType": "PREFIX_MATCH" }],
        "deleteReplication": { "enabled": true },
    })];
    drop(clouds);
    world
}

fn has_there(world: &World, name: &str) -> bool {
    world.sandbox.world().ecr.repository(THERE, "team/app", Utc::now()).has(name)
}

const PRUNE: [&str; 6] = ["prune", STORE, "--older-than", "30d", "--allow-empty", "--max-percent=100"];
const WARNING: &str = "team/app are replicated to us-east-1 of account 123456789012";

#[test]
fn a_replicated_deletion_is_announced_and_stops_unless_it_is_allowed() {
    let world = replicated();
    let place = json!([{ "region": THERE, "account": ACCOUNT }]);
    for command in [&PRUNE[..], &["delete", "ecr:team/app:v1"]] {
        let refused = world.run(&[command, &["--yes"]].concat());
        refused.exits(4).says(WARNING).says("--replicated").sends(0, "BatchDeleteImage");
        let planned = world.run(&[command, &["--dry-run", "-o", "json"]].concat());
        planned.exits(4);
        assert_eq!(planned.json()["items"][0]["replicated_to"], place, "{}", planned.transcript());
        let allowed = world.run(&[command, &["--dry-run", "--replicated", "-o", "json"]].concat());
        allowed.exits(0);
        assert_eq!(allowed.json()["items"][0]["replicated_to"], place);
    }
    let plan = world.run(&[&PRUNE[..], &["--dry-run", "--replicated", "-o", "json"]].concat());
    assert_eq!(plan.json()["plan"]["stores"][0]["replicated_to"], place);
    fs::write(world.home().join("plan"), &plan.stdout).unwrap();
    world.run(&["delete", "--yes", "--from", "plan"]).exits(4).says(WARNING).sends(0, "BatchDeleteImage");
    assert!(has_there(&world, "only-there"));

    let run = world.run(&["delete", "--yes", "--replicated", "ecr:team/app:v1", "-o", "json"]);
    run.ends(0, ["deleted"]).sends(1, "DescribeRegistry");
    assert_eq!(run.json()["items"][0]["replicated_to"], place);
    assert!(!has(&world, "v1") && !has_there(&world, "only-there") && has_there(&world, "v2"));
    world.run(&["delete", "--yes", "--replicated", "--ignore-missing", "--from", "plan"]).exits(0).says(WARNING);
    assert!(!has_there(&world, "v2"));
}

#[test]
fn deletions_that_no_rule_replicates_need_no_permission() {
    let world = replicated();
    {
        let mut clouds = world.sandbox.world();
        let rule = &mut clouds.ecr.rules(REGION).replication[0];
        rule["repositoryFilters"][0]["filter"] = "base/".into();
    }
    let run = world.run(&["delete", "--yes", "ecr:team/app:v1", "-o", "json"]);
    run.ends(0, ["deleted"]);
    assert!(run.json()["items"][0].get("replicated_to").is_none());
    assert!(has_there(&world, "v1"));
    {
        let mut clouds = world.sandbox.world();
        let rule = &mut clouds.ecr.rules(REGION).replication[0];
        rule["repositoryFilters"] = json!([]);
        rule["deleteReplication"]["enabled"] = false.into();
    }
    world.run(&[&PRUNE[..], &["--yes", "-o", "json"]].concat()).ends(0, ["deleted"]);
    assert!(has_there(&world, "v2"));
}

#[test]
fn what_cannot_be_asked_is_unknown_and_no_error() {
    for fault in [None, Some("ecr:DescribeRegistry:garble"), Some("ecr:DescribeRegistry:status=503,html")] {
        let world = replicated();
        match fault {
            None => drop(world.sandbox.world().ecr.denied.insert("DescribeRegistry".into())),
            Some(fault) => world.sandbox.add_fault(fault.parse().unwrap()),
        }
        let quick = ["--attempts", "1"];
        let run = world.run(&[&PRUNE[..], &quick, &["--dry-run", "-o", "json"]].concat());
        run.exits(0);
        assert!(run.json()["plan"]["stores"][0]["replication_unknown"].is_string(), "{}", run.transcript());
        let run = world.run(&[&PRUNE[..], &quick, &["--dry-run"]].concat());
        run.exits(0).says("unknown whether deletions in");
        let run = world.run(&[&["delete", "ecr:team/app:v1", "--dry-run"], &quick[..]].concat());
        run.exits(0).says("unknown whether deletions in");
        world.run(&[&["delete", "ecr:team/app:v1", "--yes", "-o", "json"], &quick[..]].concat()).ends(0, ["deleted"]);
    }
}

#[test]
fn one_call_tells_about_all_repositories_of_a_region() {
    let world = replicated();
    {
        let mut clouds = world.sandbox.world();
        for name in ["team/b", "team/c"] {
            push(clouds.ecr.repository(REGION, name, Utc::now()), name, &["v1"], 90);
        }
    }
    let run = world.run(&["prune", "ecr:team/*", "--older-than=30d", "--allow-empty", "--max-percent=100", "-n"]);
    run.exits(4).sends(1, "DescribeRegistry").sends(1, "DescribePullThroughCacheRules");
    let named = ["delete", "-n", "ecr:team/app:v1", "ecr:team/b:v1", "ecr:team/c:v1", "--replicated"];
    world.run(&named).exits(0).sends(1, "DescribeRegistry");
}

#[test]
fn images_in_use_in_the_other_region_are_kept_there_too() {
    let world = replicated();
    let digest = {
        let mut clouds = world.sandbox.world();
        let digest = clouds.ecr.repository(REGION, "team/app", Utc::now()).tag("v1").unwrap().to_string();
        let there = clouds.ecs.region(THERE);
        let web = there.define("web", &[&format!("{ACCOUNT}.dkr.ecr.{THERE}.amazonaws.com/team/app@{digest}")]);
        there.deploy("far", "web", &web, &[], Utc::now());
        digest
    };
    let run = world.run(&[&PRUNE[..], &["--ask", "ecs", "--replicated", "-n", "-o", "json"]].concat());
    run.exits(0).sends(2, "ListClusters");
    assert_eq!(said(&run, &digest)[2], "kept: in use, ECS service web in cluster far, task definition web:1");
}

#[test]
fn a_repository_that_caches_another_registry_is_marked_and_imports_nothing() {
    let world = world(|_| ());
    {
        let mut clouds = world.sandbox.world();
        let cache = clouds.ecr.repository(REGION, "docker-hub/library/nginx", Utc::now());
        push(cache, "1", &["1"], 90);
        push(cache, "2", &["2"], 1);
        let caches = &mut clouds.ecr.rules(REGION).caches;
        caches.insert("docker-hub".into(), "registry-1.docker.io".into());
    }
    let store = "ecr:docker-hub/library/nginx";
    let count = || {
        let mut clouds = world.sandbox.world();
        clouds.ecr.repository(REGION, "docker-hub/library/nginx", Utc::now()).len()
    };
    let run = world.run(&["prune", store, "--older-than", "30d", "-n", "-o", "json"]);
    let rule = json!({ "prefix": "docker-hub", "upstream": "registry-1.docker.io" });
    assert_eq!(run.exits(0).json()["plan"]["stores"][0]["pull_through_cache"], rule);
    world.run(&["prune", store, "--older-than", "30d", "-n"]).says("caches registry-1.docker.io");

    // A tag that is not there would be fetched from the other registry.
    let image = format!("{store}:3");
    for command in [&["get", "--manifest", &image][..], &["check-layers", &image]] {
        let run = world.run(command);
        run.exits(1).sends(0, "BatchGetImage").sends(1, "DescribeImages");
        assert_eq!(count(), 2, "{}", run.transcript());
    }
    // Nor does the record of a deletion ask for the manifest of a digest that is not there.
    let there = {
        let mut clouds = world.sandbox.world();
        push(clouds.ecr.repository(REGION, "docker-hub/library/nginx", Utc::now()), "3", &["3"], 90)
    };
    let (there, absent) = (format!("{store}@{there}"), format!("{store}@sha256:{}", "0".repeat(64)));
    let run = world.run(&["delete", "--yes", "-o", "json", &absent]);
    run.ends(1, ["missing"]).sends(0, "BatchGetImage");
    let run = world.run(&["delete", "--yes", "-o", "json", &absent, &there]);
    run.ends(1, ["missing", "deleted"]).sends(1, "BatchGetImage");
    let read = run.calls.iter().find(|call| call.operation == "BatchGetImage").unwrap();
    assert_eq!(read.items.len(), 1, "{}", run.transcript());
    world.run(&["restore", "last", "-n", "-o", "json"]).ends(0, ["would_restore"]);
    world.run(&["get", "--manifest", &format!("{store}:2")]).exits(0).sends(1, "BatchGetImage");
    world.run(&["check-layers", &format!("{store}:2")]).exits(0).sends(1, "BatchGetImage");
}
