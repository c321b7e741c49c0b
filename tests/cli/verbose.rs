//! What `-v`, `-vv` and `-vvv` say.

use imgctl::sandbox::World as Clouds;

use crate::{conformance::CLOUDS, world::World};

fn world() -> World {
    World::new(Clouds::seeded(1, 200, chrono::Utc::now()))
}

#[test]
fn once_says_where_settings_come_from_and_twice_what_each_call_was() {
    for (cloud, operation) in CLOUDS.iter().zip(["DescribeImages", "DescribeImages", "ListImageServers"]) {
        let store = if cloud.name == "ecr" { "ecr:base/alpine" } else { cloud.store };
        let quiet = world().run(&["list", store]);
        assert_eq!(quiet.stderr.lines().count(), 1, "{}", quiet.transcript());
        let once = world().run(&["list", store, "-v"]);
        for subject in ["credentials: ", "region: ", "endpoint: http://127.0.0.1:"] {
            once.says(&format!(" INFO {subject}"));
        }
        assert!(!once.stderr.contains("DEBUG"), "{}", once.transcript());
        let twice = world().run(&["list", store, "-vv"]);
        let line = twice.stderr.lines().find(|line| line.contains(operation));
        let line = line.unwrap_or_else(|| panic!("{}", twice.transcript()));
        assert!(line.starts_with(&format!("DEBUG {} {operation} ", cloud.name)), "{line}");
        for part in [" at 127.0.0.1:", ": HTTP 200 in ", " ms, request "] {
            assert!(line.contains(part), "{part:?} in {line}");
        }
    }
}

#[test]
fn a_call_says_how_many_ids_it_names_and_a_retry_says_why() {
    let run = world().run(&["get", "ecr:base/alpine:3.10", "ecr:base/alpine:3.10.3", "-vv"]);
    run.says("ecr DescribeImages in eu-west-1 at 127.0.0.1:").says(", 2 ids: HTTP 200 in ");
    let asking = ["prune", "ecr:base/alpine", "--older-than", "1d", "--ask", "ecs,lambda", "-n", "-vv"];
    let run = world().run(&asking);
    for (call, ids) in [
        ("ECS DescribeServices", "2 ids"),
        ("ECS DescribeServiceRevisions", "2 ids"),
        ("ECS DescribeTaskDefinition", "1 id"),
        ("EventBridge Scheduler GetSchedule", "1 id"),
        ("Lambda GetFunction", "1 id"),
    ] {
        let line = run.stderr.lines().find(|line| line.starts_with(&format!("DEBUG {call} in ")));
        let line = line.unwrap_or_else(|| panic!("no {call} in {}", run.transcript()));
        assert!(line.contains(&format!(", {ids}: HTTP 200 in ")), "{line}");
    }
    let run = world().fault("ecr:DescribeImages:status=500:1").run(&["list", "ecr:base/alpine", "-v"]);
    run.exits(0).says("[ServerException]").says("; retrying in ");
    let run = world().fault("ecr:DescribeImages:status=500:1").run(&["list", "ecr:base/alpine", "-vv"]);
    run.says(": HTTP 500 ServerException in ");
    let run = world().fault("cvm:*:throttle:1").run(&["list", "cvm:", "-v"]);
    run.exits(0).says("throttled; ").says(" calls a second, next call in ");
    let run = world().fault("cvm:*:drop:1").run(&["list", "cvm:", "-vv"]);
    run.exits(0).says(": no answer after ");
}

#[test]
fn the_services_own_words_are_in_the_log() {
    let run = world().run(&["get", "ecr:base/alpine:nope", "-v"]);
    run.exits(1).says("ECR says: The image with imageId");
}

#[test]
fn the_help_says_what_each_level_adds() {
    let help = world().run(&["list", "--help"]).stdout;
    for part in ["-vv", "-vvv", "credentials", "each call"] {
        assert!(help.contains(part), "{part}");
    }
}
