//! `prune --ask`: what runs in ECS, Lambda and elsewhere is kept, whatever became of its tags, and without a complete
//! answer nothing is deleted.

use std::fs;

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    Hooked as _, World as Clouds,
    ecr::{ACCOUNT, REGION, repository::Repository},
    ecs::{Container, Region},
    events::Rule,
    lambda::{Code, Function},
    scheduler::{RUN_TASK, Schedule},
};

use crate::{
    prune::{STORE, has, push, push_index, said},
    world::{Run, World},
};

/// The image of `team/app` with this tag, as ECS names it.
fn named(tag: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/app:{tag}")
}

fn resolved(digest: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/app@{digest}")
}

fn container(tag: &str, digest: &str) -> Container {
    Container::new(&named(tag), Some(digest))
}

/// A world with the repository `team/app` and an account that runs things.
fn world<T>(fill: impl FnOnce(&mut Repository) -> T, run: impl FnOnce(&mut Region, &T)) -> (World, T) {
    let mut clouds = Clouds::default();
    let images = fill(clouds.ecr.repository(REGION, "team/app", Utc::now()));
    run(clouds.ecs.region(REGION), &images);
    (World::new(clouds), images)
}

const FLAGS: [&str; 4] = ["--older-than", "30d", "--max-percent", "100"];

fn prune(world: &World, flags: &[&str]) -> Run {
    world.run(&[&["prune", STORE, "-o", "json", "--allow-empty"], &FLAGS[..], flags].concat())
}

/// What a dry run of a plan says of images: `keep in_use kept: …`.
fn reasons<const N: usize>(run: &Run, digests: [&str; N]) -> [String; N] {
    digests.map(|digest| said(run, digest).join(" "))
}

fn deleted(why: &str) -> String {
    format!("delete selected {why}")
}

#[test]
fn what_runs_is_kept_by_its_digest_and_what_is_named_by_the_tag_as_it_is_now() {
    let (world, [running, moved_to, stale, job, family]) = world(
        |repository| {
            // `v1` moved since the deployment.
            [("running", "v1"), ("moved to", "v1"), ("stale", "v0"), ("job", "nightly"), ("family", "v2")]
                .map(|(name, tag)| push(repository, name, &[tag], 90))
        },
        |ecs, [running, _, _, job, _]| {
            let web = ecs.define("web", &[&named("v1"), "nginx:1", "public.ecr.aws/team/app:v0"]);
            ecs.deploy("prod", "web", &web, &[container("v1", running)], Utc::now());
            let once = ecs.define("job", &["x"]);
            ecs.run("batch", &once, &[container("nightly", job)]);
            ecs.define("web", &[&named("v2")]);
        },
    );
    let run = prune(&world, &["--ask", "ecs", "--dry-run"]);
    run.exits(0);
    let service = "keep in_use kept: in use, ECS service web in cluster prod, task definition web:1";
    let [is_running, is_moved_to, is_stale, is_job, is_family] =
        reasons(&run, [&running, &moved_to, &stale, &job, &family]);
    assert_eq!(is_running, service);
    assert_eq!(is_moved_to, service);
    assert!(is_stale.starts_with(&deleted("")), "{is_stale}");
    assert!(is_job.starts_with("keep in_use kept: in use, ECS task 0000"), "{is_job}");
    assert!(is_job.ends_with(" in cluster batch, task definition job:1"), "{is_job}");
    assert_eq!(is_family, "keep in_use kept: in use, ECS task definition web:2, among the newest 5 of its family");
    let lines = run.json()["plan"]["in_use"].to_string();
    let seen = "ECS in eu-west-1 (account 123456789012): 2 clusters, 1 service, 2 running tasks, 0 schedules, 3 task definitions; 4 \
                images of these stores in use";
    assert!(lines.contains(seen), "{lines}");
    assert_eq!(run.json()["plan"]["asked"]["services"][0], "ecs");

    let run = prune(&world, &["--ask", "ecs", "--yes"]);
    run.ends(0, ["deleted"]);
    assert!(!has(&world, &stale) && has(&world, &running) && has(&world, &job));
    // Without asking, all of it goes.
    prune(&world, &["--dry-run", "--show", "deleted"]).lists(4);
}

#[test]
fn a_service_that_is_asked_says_what_is_in_use_where_a_run_must_know() {
    let (world, _) = world(
        |repository| ["running", "stale"].map(|name| push(repository, name, &[name], 90)),
        |ecs, [running, _]| {
            let web = ecs.define("web", &[&named("running")]);
            ecs.deploy("prod", "web", &web, &[container("running", running)], Utc::now());
        },
    );
    prune(&world, &["--require-in-use", "--yes"]).exits(4).sends_calls(0);
    let run = prune(&world, &["--require-in-use", "--ask", "ecs", "--yes"]);
    run.ends(0, ["deleted"]);
    assert!(has(&world, "running") && !has(&world, "stale"));
}

#[test]
fn a_service_between_two_deployments_keeps_both_and_what_a_rollback_returns_to() {
    let (world, images) = world(
        |repository| ["first", "second", "third", "fourth", "fifth"].map(|name| push(repository, name, &[], 90)),
        |ecs, images| {
            for (number, digest) in images.iter().enumerate() {
                let web = ecs.define("web", &["x:v1"]);
                let at = Utc::now() - TimeDelta::days(9) + TimeDelta::hours(number as i64);
                ecs.deploy("prod", "web", &web, &[container("v1", digest)], at);
            }
            let service = ecs.cluster("prod").services.get_mut("web").unwrap();
            // The last deployment is under way, beside the one before.
            service.revisions[4].successful = false;
            service.revisions[3].current = true;
            service.deployments.push("web:4".into());
            // The old tasks of a blue/green deployment of another controller.
            let blue = ecs.define("blue", &[&resolved(&images[0])]);
            ecs.retire(&blue);
            let green = ecs.cluster("prod").services.entry("green".into()).or_default();
            (green.controller, green.task_sets, green.definition) =
                (Some("CODE_DEPLOY".into()), vec![blue], "web:5".into());
        },
    );
    let run = prune(&world, &["--ask", "ecs", "--ask-revisions", "1", "--dry-run"]);
    let [first, second, third, fourth, fifth] =
        reasons(&run, [&images[0], &images[1], &images[2], &images[3], &images[4]]);
    assert_eq!(first, "keep in_use kept: in use, ECS service green in cluster prod, task definition blue:1");
    assert!(second.starts_with(&deleted("")), "{second}");
    let web = "ECS service web in cluster prod, task definition web";
    assert_eq!(third, format!("keep in_use kept: in use, a rollback of {web}:3"));
    assert_eq!(fourth, format!("keep in_use kept: in use, {web}:4"));
    assert_eq!(fifth, format!("keep in_use kept: in use, {web}:5"));
    run.sends(1, "ListServiceDeployments");
}

#[test]
fn a_platform_that_runs_keeps_its_index_and_an_index_its_platforms() {
    let (world, [of_platform, of_index]) = world(
        |repository| ["a", "b"].map(|name| push_index(repository, name, &[name], 90)),
        |ecs, [of_platform, of_index]| {
            let web = ecs.define("web", &["x"]);
            ecs.run("prod", &web, &[container("gone", &of_platform[1]), container("gone", &of_index[0])]);
        },
    );
    let run = prune(&world, &["--ask", "ecs", "--dry-run"]);
    for digest in of_platform.iter().chain(&of_index) {
        assert_eq!(said(&run, digest)[0], "keep", "{}", run.transcript());
    }
}

#[test]
fn revisions_beyond_the_newest_and_inactive_ones_count_only_while_something_names_them() {
    let (world, images) = world(
        |repository| ["v1", "v2", "v3", "v4"].map(|tag| push(repository, tag, &[tag], 90)),
        |ecs, _| {
            for tag in ["v1", "v2", "v3", "v4"] {
                ecs.define("web", &[&named(tag)]);
            }
            ecs.retire("web:1");
            ecs.run("prod", "web:1", &[Container::new(&named("v1"), None)]);
            ecs.retire("web:4");
        },
    );
    let kept = |revisions: &str| {
        let run = prune(&world, &["--ask", "ecs", "--ask-revisions", revisions, "--dry-run"]);
        images.each_ref().map(|digest| said(&run, digest)[0] == "keep")
    };
    // The newest active revision is number 3; number 1 runs, and its task has pulled nothing yet.
    assert_eq!(kept("1"), [true, false, true, false]);
    assert_eq!(kept("0"), [true, false, false, false]);
    assert_eq!(kept("all"), [true, true, true, false]);
    let run = prune(&world, &["--ask", "ecs", "--ask-revisions", "some", "--dry-run"]);
    run.exits(2).says("number, or all").sends_calls(0);
}

#[test]
fn listings_are_read_to_their_end_whatever_the_size_of_their_pages() {
    for size in [1, 7, 100] {
        let (world, images) = world(
            |repository| (0..23).map(|number| push(repository, &format!("{number}"), &[], 90)).collect::<Vec<_>>(),
            |ecs, images| {
                for (number, digest) in images.iter().take(22).enumerate() {
                    let family = format!("family-{}", number % 4);
                    let definition = ecs.define(&family, &["x"]);
                    let (cluster, service) = (format!("c{}", number % 3), format!("s{number}"));
                    match number % 2 {
                        0 => ecs.deploy(&cluster, &service, &definition, &[container("v", digest)], Utc::now()),
                        _ => ecs.run(&cluster, &definition, &[container("v", digest)]),
                    }
                }
            },
        );
        world.sandbox.world().ecs.door.page = Some(size);
        let run = prune(&world, &["--ask", "ecs", "--rate", "1000", "--dry-run", "--show", "deleted"]);
        run.exits(0).lists(1);
        assert_eq!(said(&run, &images[22])[0], "delete");
    }
}

/// A world in which everything that can be asked has something to tell, with one image that nothing uses.
fn busy() -> (World, String) {
    let (world, [used, unused]) = world(
        |repository| [("used", "v1"), ("unused", "v0")].map(|(name, tag)| push(repository, name, &[tag], 90)),
        |ecs, [used, _]| {
            let web = ecs.define("web", &[&named("v1")]);
            ecs.deploy("prod", "web", &web, &[container("v1", used)], Utc::now());
        },
    );
    {
        let mut clouds = world.sandbox.world();
        let code = Code::Image(named("v1"), resolved(&used));
        let function = Function { versions: vec![code], aliases: [("live".into(), "$LATEST".into())].into() };
        clouds.lambda.functions(REGION).insert("thumbs".into(), function);
        clouds.inspector.saw(REGION, "team/app", &used, 2);
        let [cluster, web] = ["cluster/prod", "task-definition/web:1"].map(|name| clouds.ecs.region(REGION).arn(name));
        clouds.events.rules(REGION, "default").insert("nightly".into(), Rule::default().starting(&cluster, &web));
        clouds.scheduler.add(REGION, "default", "weekly", Schedule::starting(&cluster, &web));
    }
    (world, unused)
}

const ALL: [&str; 2] = ["--ask", "ecs,lambda,inspector"];

const CALLS: [(&str, &str); 18] = [
    ("ecs", "ListClusters"),
    ("ecs", "ListServices"),
    ("ecs", "DescribeServices"),
    ("ecs", "ListTasks"),
    ("ecs", "DescribeTasks"),
    ("ecs", "ListServiceDeployments"),
    ("ecs", "DescribeServiceRevisions"),
    ("ecs", "ListTaskDefinitions"),
    ("ecs", "DescribeTaskDefinition"),
    ("events", "ListEventBuses"),
    ("events", "ListRuleNamesByTarget"),
    ("events", "ListTargetsByRule"),
    ("scheduler", "ListSchedules"),
    ("scheduler", "GetSchedule"),
    ("lambda", "ListFunctions"),
    ("lambda", "GetFunction"),
    ("lambda", "ListAliases"),
    ("inspector", "ListCoverage"),
];

#[test]
fn whatever_cannot_be_asked_stops_the_run_before_anything_is_sent() {
    for (service, call) in CALLS {
        let (world, unused) = busy();
        {
            let mut clouds = world.sandbox.world();
            let door = match service {
                "ecs" => &mut clouds.ecs.door,
                "events" => &mut clouds.events.door,
                "scheduler" => &mut clouds.scheduler.door,
                "lambda" => &mut clouds.lambda.door,
                _ => &mut clouds.inspector.door,
            };
            door.denied.insert(call.into());
        }
        let run = prune(&world, &[&ALL[..], &["--yes"]].concat());
        run.exits(3).says(call).says("not authorized").sends(0, "BatchDeleteImage");
        assert!(has(&world, &unused));
    }
    // An answer that cannot be read, that lacks its list, or that never comes.
    for fault in ["garble", "empty", "null", "retype", "status=503", "hang", "drop", "truncate"] {
        for (service, call) in [3, 4, 8, 10, 11, 12, 13, 15, 17].map(|place| CALLS[place]) {
            let (world, unused) = busy();
            let world = world.fault(&format!("{service}:{call}:{fault}"));
            let quick = ["--yes", "--timeout", "300ms", "--attempts", "2"];
            let run = prune(&world, &[&ALL[..], &quick].concat());
            assert_eq!(run.code, 3, "{call} {fault}: {}", run.transcript());
            run.sends(0, "BatchDeleteImage");
            assert!(has(&world, &unused));
        }
    }
}

#[test]
fn a_service_that_throttles_to_the_end_stops_the_run() {
    let (world, unused) = busy();
    let world = world.fault("ecs:DescribeTasks:throttle");
    prune(&world, &["--ask", "ecs", "--yes", "--deadline", "2s"]).exits(3).sends(0, "BatchDeleteImage");
    assert!(has(&world, &unused));
}

#[test]
fn a_passing_fault_only_costs_a_retry() {
    for fault in ["throttle:2", "status=503:1", "lose-answer:1"] {
        let (world, unused) = busy();
        let world =
            CALLS.iter().fold(world, |world, (service, call)| world.fault(&format!("{service}:{call}:{fault}")));
        let run = prune(&world, &[&ALL[..], &["--yes"]].concat());
        run.ends(0, ["deleted"]);
        assert!(!has(&world, &unused));
    }
}

#[test]
fn what_vanished_since_it_was_listed_uses_nothing() {
    let (world, _) = busy();
    {
        let mut clouds = world.sandbox.world();
        clouds.ecs.region(REGION).cluster("vanished").vanished = true;
        // The service, its tasks and a revision go between the listing and the question about them.
        clouds.ecs.before("DescribeServices", |ecs| drop(ecs.region(REGION).cluster("prod").services.remove("web")));
        clouds.ecs.before("DescribeTasks", |ecs| ecs.region(REGION).cluster("prod").tasks.clear());
        clouds.ecs.before("DescribeTaskDefinition", |ecs| ecs.region(REGION).retire("web:1"));
        clouds.events.before("ListTargetsByRule", |events| events.rules(REGION, "default").clear());
        clouds.scheduler.before("GetSchedule", |scheduler| scheduler.remove(REGION, "default", "weekly"));
    }
    let run = prune(&world, &["--ask", "ecs", "--dry-run", "--show", "deleted"]);
    run.exits(0).lists(2);
}

#[test]
fn nothing_at_all_is_an_error_unless_it_is_accepted() {
    let (world, _) = world(|repository| push(repository, "a", &["v1"], 90), |_, _| ());
    let run = prune(&world, &["--ask", "ecs,lambda", "--yes"]);
    run.exits(4).says("ECS in eu-west-1 and Lambda in eu-west-1 know of nothing").says("--allow-empty-in-use");
    run.sends(0, "BatchDeleteImage");
    prune(&world, &["--ask", "ecs,lambda", "--allow-empty-in-use", "--yes"]).ends(0, ["deleted"]);
}

#[test]
fn nothing_is_asked_where_nothing_would_be_deleted() {
    let (world, _) = busy();
    let run = world.run(&["prune", STORE, "--older-than", "99d", "--ask", "ecs", "--yes"]);
    run.exits(0).sends(0, "ListClusters");
}

/// The images `v1` to `v9`, of which a family of task definitions names one in each revision, and nothing runs.
fn scheduled(schedule: impl FnOnce(&mut Clouds, String, &dyn Fn(&str) -> String)) -> (World, [String; 9]) {
    let tags = ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"];
    let (world, images) = world(
        |repository| tags.map(|tag| push(repository, tag, &[tag], 90)),
        |ecs, _| {
            tags.iter().for_each(|tag| drop(ecs.define("report", &[&named(tag)])));
            ecs.cluster("batch");
        },
    );
    {
        let mut clouds = world.sandbox.world();
        let ecs = clouds.ecs.region(REGION).clone();
        let definition = |name: &str| ecs.arn(&format!("task-definition/{name}"));
        schedule(&mut clouds, ecs.arn("cluster/batch"), &definition);
    }
    (world, images)
}

/// Only what the newest revision names is kept beside what schedules start.
const NEWEST_ONE: [&str; 5] = ["--ask", "ecs", "--ask-revisions", "1", "--dry-run"];

#[test]
fn what_a_rule_or_a_schedule_starts_is_kept_whatever_its_bus_group_and_state() {
    let (world, images) = scheduled(|clouds, cluster, definition| {
        let other = Rule::default().calling("arn:aws:lambda:eu-west-1:123456789012:function:thumbs");
        let rules = clouds.events.rules(REGION, "default");
        rules.insert("nightly".into(), other.clone().starting(&cluster, &definition("report:1")));
        rules.insert("other".into(), other);
        let orders =
            Rule::default().starting(&cluster, &definition("report:2")).starting(&cluster, &definition("report"));
        clouds.events.rules(REGION, "orders").insert("filled".into(), orders);
        let mut add = |group: &str, name: &str, schedule| clouds.scheduler.add(REGION, group, name, schedule);
        add("finance", "yearly", Schedule::starting(&cluster, &definition("report:3")).disabled());
        add("default", "weekly", Schedule::calling(RUN_TASK, r#"{"TaskDefinition":"report:4"}"#));
        add("default", "mail", Schedule::calling("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "report:5"));
    });
    let run = prune(&world, &NEWEST_ONE);
    run.exits(0).lists(9);
    let all = images.each_ref().map(|digest| said(&run, digest).join(" "));
    let kept = |who: &str| format!("keep in_use kept: in use, EventBridge {who}");
    assert_eq!(all[0], kept("rule nightly, task definition report:1"));
    assert_eq!(all[1], kept("rule filled on event bus orders, task definition report:2"));
    assert_eq!(all[2], kept("schedule yearly in group finance, task definition report:3"));
    assert_eq!(all[3], kept("schedule weekly in group default, task definition report:4"));
    assert!(all[4..8].iter().all(|words| words.starts_with(&deleted(""))), "{all:?}");
    assert_eq!(all[8], kept("rule filled on event bus orders, task definition report:9"));
    let lines = run.json()["plan"]["in_use"].to_string();
    assert!(lines.contains("1 cluster, 0 services, 0 running tasks, 4 schedules, 5 task definitions"), "{lines}");
    // One a bus and cluster, one a rule that starts tasks, one a schedule that does.
    run.sends(1, "ListEventBuses").sends(2, "ListRuleNamesByTarget").sends(2, "ListTargetsByRule");
    run.sends(1, "ListSchedules").sends(2, "GetSchedule").sends(5, "DescribeTaskDefinition");
    // Schedules change at any time, what a task definition names never does.
    let again = prune(&world, &NEWEST_ONE);
    again.sends(2, "ListTargetsByRule").sends(2, "GetSchedule").sends(0, "DescribeTaskDefinition");
    assert_eq!(again.json()["items"], run.json()["items"]);

    let run = prune(&world, &["--ask", "ecs", "--ask-revisions", "1", "--yes"]);
    run.ends(0, ["deleted"; 4]);
    assert!(has(&world, "v1") && has(&world, "v4") && !has(&world, "v5"));
}

#[test]
fn rules_and_schedules_are_read_to_the_last_page() {
    let (world, images) = scheduled(|clouds, cluster, definition| {
        let mut many = Rule::default();
        for number in 1..5 {
            let starts = Rule::default().starting(&cluster, &definition(&format!("report:{number}")));
            clouds.events.rules(REGION, &format!("bus-{number}")).insert("r".into(), starts.clone());
            clouds.events.rules(REGION, "default").insert(format!("rule-{number}"), starts);
            many = many.starting(&cluster, &definition("report:5"));
            let schedule = Schedule::starting(&cluster, &definition("report:6"));
            clouds.scheduler.add(REGION, "default", &format!("schedule-{number}"), schedule);
        }
        let many = many.starting(&cluster, &definition("report:7"));
        clouds.events.rules(REGION, "default").insert("many".into(), many);
        let last = Schedule::starting(&cluster, &definition("report:8"));
        clouds.scheduler.add(REGION, "z", "z", last);
        clouds.events.door.page = Some(2);
        clouds.scheduler.door.page = Some(2);
    });
    let run = prune(&world, &[&NEWEST_ONE[..], &["--rate", "1000"]].concat());
    run.exits(0).sends(3, "ListEventBuses").sends(3, "ListSchedules");
    assert!(images.iter().all(|digest| said(&run, digest)[0] == "keep"), "{}", run.transcript());
}

#[test]
fn a_schedule_that_names_nothing_that_can_be_read_is_told_and_stops_nothing() {
    let (world, images) = scheduled(|clouds, cluster, definition| {
        let mut add = |name: &str, schedule| clouds.scheduler.add(REGION, "default", name, schedule);
        add("blank", Schedule::calling(RUN_TASK, r#"{"Cluster":"hunter2"}"#));
        add("broken", Schedule::calling(RUN_TASK, "hunter2"));
        add("late", Schedule::calling(RUN_TASK, r#"{"TaskDefinition":"<aws.scheduler.execution-id>"}"#));
        add("unknown", Schedule::calling(RUN_TASK, r#"{"TaskDefinition":"nothing"}"#));
        add("gone", Schedule::starting(&cluster, &definition("report:99")));
        clouds.ecs.region(REGION).retire("report:2");
        let retired = Rule::default().starting(&cluster, &definition("report:2"));
        clouds.events.rules(REGION, "default").insert("retired".into(), retired);
        let bare = Rule::default().calling(&cluster);
        clouds.events.rules(REGION, "default").insert("bare".into(), bare);
    });
    let run = world.run(&[&["-vv", "prune", STORE, "-o", "json"], &FLAGS[..], &NEWEST_ONE].concat());
    run.exits(0);
    let told: Vec<String> = serde_json::from_value(run.json()["plan"]["in_use"].clone()).unwrap();
    let of = |who: &str, what: &str| format!("ECS in eu-west-1: EventBridge {who} {what}");
    let (nothing, unreadable) = (
        "names no task definition, so it keeps no image",
        "has an input that imgctl cannot read, so it keeps no image",
    );
    let expected = [
        of("rule bare", nothing),
        of("schedule blank in group default", nothing),
        of("schedule broken in group default", unreadable),
        of("schedule late in group default", unreadable),
        of("schedule unknown in group default", "starts task definition nothing, which does not exist"),
        of("rule retired", "starts task definition report:2, which does not exist"),
        of("schedule gone in group default", "starts task definition report:99, which does not exist"),
    ];
    assert_eq!(told[1..], expected);
    assert!(!run.transcript().contains("hunter2"), "{}", run.transcript());
    assert_eq!(said(&run, &images[8])[0], "keep");
}

#[test]
fn a_region_without_a_scheduler_stops_the_run_with_what_to_do() {
    let (world, unused) = busy();
    let world = world.set("AWS_ENDPOINT_URL_SCHEDULER", "https://scheduler.nowhere.invalid");
    let run = prune(&world, &["--ask", "ecs", "--yes", "--attempts", "1"]);
    run.exits(3).says("scheduler.nowhere.invalid").says("EventBridge Scheduler").says("--in-use");
    run.sends(0, "BatchDeleteImage");
    assert!(has(&world, &unused));
}

#[test]
fn every_version_of_a_function_needs_its_image_by_the_digest_it_was_deployed_with() {
    let (world, [live, old, moved_to, unused]) = world(
        |repository| {
            [("live", &["v1"][..]), ("old", &[]), ("moved to", &["v1"]), ("unused", &[])]
                .map(|(name, tags)| push(repository, name, tags, 90))
        },
        |_, _| (),
    );
    {
        let mut clouds = world.sandbox.world();
        let code = |digest: &str| Code::Image(named("v1"), resolved(digest));
        let thumbs = Function {
            versions: vec![code(&live), code(&old), code(&live)],
            aliases: [("live".into(), "2".into())].into(),
        };
        let functions = clouds.lambda.functions(REGION);
        functions.insert("thumbs".into(), thumbs);
        for number in 0..60 {
            let zip = Function { versions: vec![Code::Zip, Code::Zip], ..Function::default() };
            functions.insert(format!("zip-{number}"), zip);
        }
    }
    let run = prune(&world, &["--ask", "lambda", "--dry-run"]);
    let [is_live, is_old, is_moved_to, is_unused] = reasons(&run, [&live, &old, &moved_to, &unused]);
    assert_eq!(is_live, "keep in_use kept: in use, Lambda function thumbs, $LATEST");
    assert_eq!(is_old, "keep in_use kept: in use, Lambda function thumbs, version 1");
    // A function never follows a tag.
    assert!(is_moved_to.starts_with(&deleted("")), "{is_moved_to}");
    assert!(is_unused.starts_with(&deleted("")), "{is_unused}");
    run.sends(3, "ListFunctions").sends(3, "GetFunction").sends(1, "ListAliases");
    let again = prune(&world, &["--ask", "lambda", "--dry-run"]);
    again.sends(3, "ListFunctions").sends(0, "GetFunction");
    assert_eq!(reasons(&again, [&live, &old]), [is_live, is_old]);

    let alias = world;
    {
        let mut clouds = alias.sandbox.world();
        clouds.lambda.functions(REGION).get_mut("thumbs").unwrap().versions[0] = Code::Zip;
    }
    let run = prune(&alias, &["--ask", "lambda", "--dry-run"]);
    assert_eq!(said(&run, &live)[2], "kept: in use, Lambda function thumbs, version 2 (alias live)");
}

#[test]
fn inspector_keeps_what_it_saw() {
    let (world, unused) = busy();
    world.sandbox.world().inspector.saw(REGION, "team/other", &unused, 0);
    let run = prune(&world, &["--ask", "inspector", "--dry-run", "--show", "kept"]);
    run.exits(0).lists(1).sends(1, "ListCoverage");
    let words = run.json()["items"][0]["reason"].clone();
    assert_eq!(words, "kept: in use, Amazon Inspector saw it in 2 tasks or pods");
}

#[test]
fn answers_that_never_change_are_asked_for_once_and_no_secret_is_kept_or_printed() {
    let (world, _) = busy();
    let first = world.run(&[&["-vv", "prune", STORE], &FLAGS[..], &ALL, &["--dry-run"]].concat());
    first.exits(0).sends(1, "DescribeTaskDefinition").sends(1, "DescribeServiceRevisions").sends(1, "GetFunction");
    first.says("asked ECS in eu-west-1 with 14 calls");
    let again = world.run(&[&["prune", STORE], &FLAGS[..], &ALL, &["--dry-run"]].concat());
    again.sends(0, "DescribeTaskDefinition").sends(0, "DescribeServiceRevisions").sends(0, "GetFunction");
    assert_eq!(first.stdout, again.stdout);
    assert!(!first.stderr.contains("hunter2") && !first.stdout.contains("hunter2"));
    let mut kept = 0;
    let mut folders = vec![world.home().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap();
            kept += usize::from(bytes.windows(8).any(|part| part == b"team/app"));
            assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{:?}", entry.path());
        }
    }
    assert_eq!(kept, 1, "one file of answers");
}

#[test]
fn a_saved_plan_asks_again_when_it_is_run() {
    let (world, unused) = busy();
    let plan = prune(&world, &["--ask", "ecs", "--ask-revisions", "2", "--dry-run"]);
    fs::write(world.home().join("plan"), &plan.stdout).unwrap();
    {
        let mut clouds = world.sandbox.world();
        clouds.ecs.region(REGION).run("prod", "web:1", &[container("gone", &unused)]);
    }
    let run = world.run(&["delete", "--yes", "--from", "plan", "-o", "json"]);
    run.ends(1, ["refused"]).sends(1, "ListClusters").sends(0, "BatchDeleteImage");
    let error = &run.json()["items"][0]["error"]["message"];
    assert!(error.as_str().unwrap().starts_with("in use, ECS task 0000"), "{error}");

    world.sandbox.world().ecs.door.denied.insert("DescribeTasks".into());
    world.run(&["delete", "--yes", "--from", "plan"]).exits(3).sends(0, "BatchDeleteImage");
    world.sandbox.world().ecs.door.denied.clear();
    world.sandbox.world().ecs.region(REGION).cluster("prod").tasks.clear();
    world.run(&["delete", "--yes", "--from", "plan", "-o", "json"]).ends(0, ["deleted"]);
}

#[test]
fn a_policy_can_ask_and_other_regions_can_be_asked() {
    let (world, unused) = busy();
    let policy =
        format!("[policy.web]\nstores = [\"{STORE}\"]\nask = [\"ecs\"]\nselect = {{ older-than = \"30d\" }}\n");
    fs::write(world.home().join("p.toml"), policy).unwrap();
    let dry = ["prune", "--policy", "p.toml", "--dry-run", "-o", "json"];
    let run = world.run(&dry);
    run.exits(0).sends(1, "ListClusters");
    assert_eq!(said(&run, &unused)[0], "delete");
    {
        let mut clouds = world.sandbox.world();
        let there = clouds.ecs.region("us-east-1");
        let web = there.define("web", &[&named("v0")]);
        there.deploy("far", "web", &web, &[], Utc::now());
    }
    let run = world.run(&[&dry[..], &["--ask-region", "us-east-1"]].concat());
    run.exits(0).sends(2, "ListClusters");
    assert_eq!(said(&run, &unused)[2], "kept: in use, ECS service web in cluster far, task definition web:1");
    world.run(&[&dry[..], &["--ask-region", "us east"]].concat()).exits(3).says("--ask-region does not name a region");
}

#[test]
fn endpoints_are_found_wherever_they_are_set() {
    let (world, _) = busy();
    let url = world.sandbox.url();
    fs::create_dir(world.home().join(".aws")).unwrap();
    let services = "[default]\nservices = here\n[services here]\n";
    let of = |service: &str| format!("{service} =\n  endpoint_url = {url}\n");
    let config: String = ["ecs", "eventbridge", "scheduler", "lambda", "inspector2"].map(of).concat();
    let config = format!("{services}{config}");
    fs::write(world.home().join(".aws/config"), config).unwrap();
    let names = ["ECS", "EVENTBRIDGE", "SCHEDULER", "LAMBDA", "INSPECTOR2"];
    let world = names.iter().fold(world, |world, name| world.unset(&format!("AWS_ENDPOINT_URL_{name}")));
    let of_each = ["ListClusters", "ListEventBuses", "ListSchedules", "ListFunctions", "ListCoverage"];
    let run = prune(&world, &[&ALL[..], &["--dry-run"]].concat());
    of_each.iter().fold(run.exits(0), |run, call| run.sends(1, call));
    fs::remove_file(world.home().join(".aws/config")).unwrap();
    let world = world.set("AWS_ENDPOINT_URL", &url);
    let run = prune(&world, &[&ALL[..], &["--dry-run"]].concat());
    of_each.iter().fold(run.exits(0), |run, call| run.sends(1, call));
}

#[test]
fn temporary_credentials_sign_with_their_token() {
    let (world, _) = busy();
    {
        let mut clouds = world.sandbox.world();
        let token = Some("a-session-token".to_owned());
        clouds.ecr.keys[0].session_token.clone_from(&token);
        let Clouds { ecs, events, scheduler, lambda, .. } = &mut *clouds;
        for door in [&mut ecs.door, &mut events.door, &mut scheduler.door, &mut lambda.door] {
            door.keys[0].session_token.clone_from(&token);
        }
    }
    let world = world.set("AWS_SESSION_TOKEN", "a-session-token");
    let run = world.run(&["-vv", "prune", STORE, "--older-than", "30d", "--ask", "ecs,lambda", "--dry-run"]);
    run.exits(0).sends(1, "ListFunctions");
    assert!(!run.stderr.contains("a-session-token"));
    world.sandbox.world().ecs.door.keys[0].session_token = Some("another".into());
    let refused = world.run(&["prune", STORE, "--older-than", "30d", "--ask", "ecs,lambda", "--dry-run"]);
    refused.exits(3).says("UnrecognizedClientException");
}

#[test]
fn an_emulated_registry_is_not_judged_by_the_services_of_a_real_account() {
    let (world, _) = busy();
    let world = world.unset("AWS_ENDPOINT_URL_ECS");
    let run = prune(&world, &["--ask", "ecs", "--yes"]);
    run.exits(3).says("ECS has no endpoint of its own").says("AWS_ENDPOINT_URL_ECS").sends(0, "BatchDeleteImage");
    let beside = busy().0.unset("AWS_ENDPOINT_URL_SCHEDULER");
    let run = prune(&beside, &["--ask", "ecs", "--yes"]);
    run.exits(3).says("EventBridge Scheduler has no endpoint of its own").says("AWS_ENDPOINT_URL_SCHEDULER");
    let url = world.sandbox.url();
    let (world, _) = busy();
    let plain = world.set("AWS_ENDPOINT_URL_ECS", &url.replace("127.0.0.1", "ecs.example.com"));
    prune(&plain, &["--ask", "ecs", "--yes"]).exits(3).says("plain http is allowed only to this machine");
}

#[test]
fn a_name_that_leads_to_no_image_is_told_and_stops_nothing() {
    let (world, _) = busy();
    world.sandbox.world().ecs.region(REGION).define("broken", &[&named("gone")]);
    let run = prune(&world, &["--ask", "ecs", "--yes"]);
    let told = run.ends(0, ["deleted"]).json()["plan"]["in_use"].to_string();
    let expected = format!("{} does not exist, though it is named by ECS task definition broken:1", named("gone"));
    assert!(told.contains(&expected), "{told}");
}

#[test]
fn named_images_are_deleted_without_asking() {
    let (world, _) = busy();
    let run = world.run(&["delete", "--yes", "ecr:team/app:v0", "--ask", "ecs"]);
    run.exits(2).says("they need a plan").sends_calls(0);
}

#[test]
fn asking_about_other_stores_is_a_wrong_command_line() {
    let (world, _) = busy();
    let run = world.run(&["prune", "cvm:", "--older-than", "30d", "--ask", "ecs", "--dry-run"]);
    run.exits(2).says("no store of this run is there").sends_calls(0);
    world.run(&["prune", STORE, "--older-than", "30d", "--ask", "ecx", "--dry-run"]).exits(2).says("did you mean ecs?");
}
