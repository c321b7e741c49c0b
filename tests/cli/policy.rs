//! Policies, end to end: several of them, several rules of one, and those that are written for the user.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{World as Clouds, ecr::REGION};
use serde_json::{Value, json};

use crate::{
    prune::{has, push, push_index, said, tagged, world},
    schema::Schema,
    world::World,
};

fn write(world: &World, text: &str) {
    std::fs::write(world.home().join("p.toml"), text).unwrap();
}

#[test]
fn policies_of_a_file_are_run_side_by_side_and_one_store_has_one_policy() {
    let mut clouds = Clouds::default();
    for name in ["team/app", "team/api"] {
        let repository = clouds.ecr.repository(REGION, name, Utc::now());
        push(repository, "old", &["pr-1"], 90);
        push(repository, "older", &["v1"], 400);
        push(repository, "young", &["v2"], 1);
    }
    let world = World::new(clouds);
    let write = |text: &str| write(&world, text);
    let good = r#"
        [policy.requests]
        stores = ["ecr:team/app"]
        select = { tag = ["pr-*"], older-than = "30d" }
        [policy.ancient]
        stores = ["ecr:team/api"]
        select = { older-than = "1y" }
        guard = { protect = ["pr-*"] }
    "#;
    write(good);
    let run = world.run(&["prune", "--policy", "p.toml", "--dry-run", "-o", "json"]);
    assert_eq!((run.code, tagged(&run, "delete")), (0, vec!["pr-1".into(), "v1".into()]), "{}", run.transcript());
    let run = world.run(&["prune", "--policy", "p.toml", "ancient", "--dry-run", "-o", "json"]);
    assert_eq!(tagged(&run, "delete"), ["v1"], "{}", run.transcript());
    world.run(&["policy", "check", "p.toml"]).exits(0);

    for (arguments, words) in [
        (&["prune", "--policy", "p.toml", "ancients", "--yes"][..], "did you mean ancient?"),
        (&["prune", "--policy", "p.toml", "--keep", "3", "--yes"], "the policy file sets them"),
        (&["prune", "--policy", "q.toml", "--yes"], "cannot read q.toml"),
    ] {
        let run = world.run(arguments);
        run.exits(2).sends_calls(0).says(words);
    }
    write(&good.replace("older-than", "oldr-than"));
    let run = world.run(&["policy", "check", "p.toml"]);
    run.exits(2).says("did you mean older-than?");
    // `check` finds what `prune` refuses, without a call.
    for (stores, words) in [
        ("team/*", "ecr:team/app is under policies"),
        ("**", "ecr:team/app is under policies"),
        ("team/app", "ecr:team/app is under policies"),
    ] {
        write(&good.replace("team/api", stores));
        for arguments in [&["prune", "--policy", "p.toml", "--yes"][..], &["policy", "check", "p.toml"]] {
            let run = world.run(arguments);
            run.exits(2).sends_calls(0).says(words).says("[[policy.NAME.rule]]");
        }
    }
    // What depends on the repositories that there are, `check` only says.
    write(&good.replace("team/api", "*/app").replace("team/app", "team/*"));
    world.run(&["policy", "check", "p.toml"]).exits(0).says("may be under policies ancient and requests");
    world
        .run(&["prune", "--policy", "p.toml", "--yes"])
        .exits(2)
        .sends(0, "BatchDeleteImage")
        .says("is under policies");
}

const RULES: &str = r#"
    [policy.web]
    stores = ["ecr:team/*"]
    guard = { protect = ["v3"] }

    [[policy.web.rule]]
    name = "pull requests"
    match = { tag = ["pr-*"] }
    delete = { older-than = "14d", keep = 1 }

    [[policy.web.rule]]
    match = { has-tag = ["v*"] }
    keep = true

    [[policy.web.rule]]
    name = "the rest"
    delete = { older-than = "60d" }
"#;

#[test]
fn the_first_rule_that_matches_an_image_decides_and_the_reason_names_it() {
    let mut images: Vec<(String, &str, &str)> = Vec::new();
    let world = world(|repository| {
        let mut add = |tags: &[&str], days, action, reason| {
            let digest = push(repository, &format!("{tags:?}{days}"), tags, days);
            images.push((digest, action, reason));
        };
        add(&["pr-1"], 20, "keep", "kept: rule \"pull requests\": among the newest 1 of 2 candidates (--keep 1)");
        add(
            &["pr-2"],
            90,
            "delete",
            "rule \"pull requests\": tag pr-2 matches, pushed 90 days ago, older than 14d, not among the newest 1 of 2 \
             (--keep 1)",
        );
        add(&["pr-3"], 1, "keep", "kept: rule \"pull requests\": pushed 24 hours ago, not older than 14d");
        // A tag that is no pull request's: the second rule decides.
        add(&["pr-4", "v1"], 90, "keep", "kept: rule 2: has tag v1");
        add(&["v3"], 90, "keep", "kept: v3 is protected by v3");
        add(&["main"], 90, "delete", "rule \"the rest\": pushed 90 days ago, older than 60d");
        add(&[], 90, "delete", "rule \"the rest\": pushed 90 days ago, older than 60d");
        add(&["dev"], 30, "keep", "kept: rule \"the rest\": pushed 30 days ago, not older than 60d");
    });
    write(&world, RULES);
    let run = world.run(&["policy", "check", "p.toml"]);
    assert_eq!(
        run.stdout,
        "web: ecr:team/*\n  rule \"pull requests\" deletes\n  rule 2 keeps\n  rule \"the rest\" deletes\n"
    );
    run.exits(0).sends_calls(0);
    let run = world.run(&["prune", "--policy", "p.toml", "--dry-run", "-o", "json"]);
    run.exits(0);
    for (digest, action, reason) in &images {
        let [did, _, why] = said(&run, digest);
        assert_eq!((did.as_str(), why.as_str()), (*action, *reason), "{}", run.transcript());
    }
    let run = world.run(&["prune", "--policy", "p.toml", "--yes", "-o", "json"]);
    run.ends(0, ["deleted"; 3]);
    assert!(images.iter().all(|(digest, action, _)| has(&world, digest) == (*action == "keep")));
}

#[test]
fn guards_and_the_needs_of_kept_images_hold_over_all_rules() {
    let mut index = Default::default();
    let world = world(|repository| {
        index = push_index(repository, "multi", &["v1"], 90);
        for number in 0..5 {
            push(repository, &format!("pr {number}"), &[&format!("pr-{number}")], 90);
            push(repository, &format!("dev {number}"), &[&format!("dev-{number}")], 90);
        }
    });
    // The platforms have no tag: a rule about untagged images does not reach them.
    let rules = r#"
        [policy.web]
        stores = ["ecr:team/app"]
        guard = { max-percent = 50 }
        rule = [
            { match = { untagged = true }, delete = { older-than = "1d" } },
            { match = { tag = ["pr-*"] }, delete = { older-than = "1d" } },
            { match = { tag = ["dev-*"] }, delete = { older-than = "1d" } },
        ]
    "#;
    write(&world, rules);
    let run = world.run(&["prune", "--policy", "p.toml", "--yes", "-o", "json"]);
    run.exits(4).sends(0, "BatchDeleteImage").says("policy web: the plan deletes 10 of 13 images");
    write(&world, &rules.replace("50", "80"));
    let run = world.run(&["prune", "--policy", "p.toml", "--dry-run", "-o", "json"]);
    run.exits(0);
    assert_eq!(said(&run, &index[0])[2], "kept: no rule of the policy matches it");
    assert_eq!(said(&run, &index[1])[1], "needed");
    assert_eq!(tagged(&run, "delete").len(), 10);
}

#[test]
fn a_first_policy_is_accepted_by_check_and_prune() {
    let world = world(|repository| {
        push(repository, "release", &["v1.2.3"], 400);
        push(repository, "dev", &["dev"], 400);
        push(repository, "untagged", &[], 400);
    });
    for stores in [&["ecr:team/*", "cvm:", "workspace:"][..], &["ecr:team/app"]] {
        let run = world.run(&[&["policy", "init"], stores].concat());
        run.exits(0);
        write(&world, &run.stdout);
        world.run(&["policy", "check", "p.toml"]).exits(0).sends_calls(0);
        world.run(&["prune", "--policy", "p.toml", "--dry-run"]).exits(0);
    }
    assert!(std::fs::read_to_string(world.home().join("p.toml")).unwrap().contains("name = \"releases\""));
    let run = world.run(&["policy", "init", "ecr:team/*", "ecr:team/app"]);
    run.exits(2).sends_calls(0).says("ecr:team/app is also in ecr:team/*");
}

fn lifecycle() -> Value {
    let rule = |priority: u32, selection: Value, action: Value| json!({"rulePriority": priority, "selection": selection, "action": action});
    let expire = json!({"type": "expire"});
    json!({"rules": [
        rule(1, json!({"tagStatus": "tagged", "tagPrefixList": ["prod"], "countType": "imageCountMoreThan", "countNumber": 1}), expire.clone()),
        rule(5, json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}), expire.clone()),
        rule(9, json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 90}),
             json!({"type": "transition", "targetStorageClass": "archive"})),
    ]})
}

#[test]
fn a_lifecycle_policy_becomes_rules_that_mean_the_same() {
    let mut clouds = Clouds::default();
    clouds.ecr.repository(REGION, "team/none", Utc::now());
    let repository = clouds.ecr.repository(REGION, "team/app", Utc::now());
    repository.lifecycle_policy = Some(lifecycle().to_string());
    let goes = [push(repository, "old", &["prod-1"], 90), push(repository, "untagged", &[], 90)];
    let stays = [push(repository, "new", &["prod-2", "dev"], 9), push(repository, "dev", &["dev-1"], 900)];
    let archived = push(repository, "archived", &["prod-0"], 900).parse().unwrap();
    repository.archive(&archived, Utc::now() - TimeDelta::days(9));
    let world = World::new(clouds);
    let from_store = world.run(&["policy", "import", "ecr:team/app"]);
    from_store.exits(0).sends(1, "GetLifecyclePolicy").sends_calls(1);
    from_store.says("ecr-team-app, priority 9: The registry archives some of these images");
    assert!(from_store.stdout.contains("# The registry archives some"), "{}", from_store.transcript());
    write(&world, &from_store.stdout);
    world.run(&["policy", "check", "p.toml"]).exits(0);
    let run = world.run(&["prune", "--policy", "p.toml", "--dry-run", "-o", "json"]);
    run.exits(0);
    for digest in &goes {
        assert_eq!(said(&run, digest)[0], "delete", "{}", run.transcript());
    }
    for digest in &stays {
        assert_eq!(said(&run, digest)[0], "keep", "{}", run.transcript());
    }
    assert_eq!(said(&run, &archived.to_string())[2], "kept: rule \"archived images\": state archived");

    // The same from a file, from the answer of the AWS CLI, and from standard input.
    let answer = json!({"registryId": "123456789012", "repositoryName": "team/app", "lifecyclePolicyText": lifecycle().to_string()});
    std::fs::write(world.home().join("policy.json"), lifecycle().to_string()).unwrap();
    std::fs::write(world.home().join("answer.json"), answer.to_string()).unwrap();
    let with_store = world.run(&["policy", "import", "policy.json", "ecr:team/app"]);
    assert_eq!(with_store.stdout, from_store.stdout);
    assert_eq!(world.run(&["policy", "import", "answer.json"]).stdout, from_store.stdout);
    assert_eq!(world.run_with(&["policy", "import", "-"], &answer.to_string()).stdout, from_store.stdout);
    with_store.exits(0).sends_calls(0);
    // All repositories of a pattern; those without a policy are left out.
    let run = world.run(&["policy", "import", "ecr:team/*"]);
    run.exits(0).sends(2, "GetLifecyclePolicy");
    assert_eq!(run.stdout.matches("[policy.").count() - run.stdout.matches("[[policy.").count(), 1);

    let run = world.run(&["policy", "import", "policy.json"]);
    run.exits(0).says("add stores, as in `imgctl policy import FILE STORE`");
    write(&world, &run.stdout);
    world.run(&["policy", "check", "p.toml"]).exits(2).says("policy imported has no stores");
    world.run(&["policy", "import", "ecr:team/none"]).exits(3).says("ecr:team/none has no lifecycle policy");
    world.run(&["policy", "import", "ecr:team/absent"]).exits(3).says("does not exist");
    world.run(&["policy", "import", "erc:team/app"]).exits(2).sends_calls(0).says("did you mean ecr:team/app");
    world.run(&["policy", "import", "absent.json"]).exits(2).says("cannot read absent.json");
    world.run(&["policy", "import", "cvm:"]).exits(2).says("has no rules of its own");
    let broken = lifecycle().to_string().replace("sinceImagePulled", "sinceImageSold");
    std::fs::write(world.home().join("policy.json"), broken).unwrap();
    world
        .run(&["policy", "import", "policy.json"])
        .exits(2)
        .says("policy.json: this is not a lifecycle policy of ECR: unknown");
}

#[test]
fn the_schema_of_policies_describes_rules() {
    let world = world(|_| {});
    let schema: Value = serde_json::from_str(&world.run(&["schema", "policy"]).stdout).unwrap();
    let schema = Schema::of(schema);
    let good: Value = toml::from_str(RULES).unwrap();
    assert!(schema.fits(&good));
    for (from, to) in [("has-tag", "has-tags"), ("keep = true", "keep = 3"), ("older-than", "tag"), ("stores", "store")]
    {
        let bad: Value = toml::from_str(&RULES.replace(from, to)).unwrap();
        assert!(!schema.fits(&bad), "{to}");
    }
}
