//! What a user types by mistake, and what imgctl says to write instead.

use imgctl::sandbox::World as Clouds;
use serde_json::Value;

use crate::world::{Run, World};

fn world() -> World {
    World::new(Clouds::seeded(1, 200, chrono::Utc::now()))
}

fn split(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn run(line: &str) -> Run {
    world().run(&split(line))
}

#[test]
fn a_slip_on_the_command_line_is_refused_with_what_to_write() {
    for (line, message, hint) in [
        ("list cvm", "a provider's name ends with a colon", "write cvm:"),
        ("list ecr", "a provider's name ends with a colon", "write ecr:REPOSITORY, or ecr:** for all repositories"),
        ("get ecr/base/alpine:3.10", "a provider's name ends with a colon", "write ecr:base/alpine:3.10"),
        ("list ecr:", "the repository's name is missing", "ecr:** means all repositories"),
        ("list ecr://eu-west-1/", "the repository's name is missing", "ecr://eu-west-1/** means all repositories"),
        ("check-layers ecr:base/alpine sha256:abc", "a sha256 digest has 64 hexadecimal digits, this one has 3", ""),
        (
            "list cvm: --older-than yesterday",
            "not a valid value for --older-than: \"yesterday\"",
            "write 30d, 2w, 1d12h or a date such as 2025-01-31",
        ),
        (
            "list cvm: --older-than -30d",
            "not a valid value for --older-than: \"-30d\"",
            "an age has no sign: write 30d, 2w, 1d12h or a date such as 2025-01-31",
        ),
        ("prune cvm: -30d", "imgctl prune has no flag -30d", "an age has no sign: write --older-than 30d"),
        ("list cvm: --keep all", "not a valid value for --keep: \"all\"", "write a whole number, such as 3"),
        ("list cvm: --keep 0", "not a valid value for --keep: \"0\"", ""),
        ("list cvm: --keep", "--keep needs a value", "write --keep <N>"),
        ("delete --force cvm:img-1", "imgctl delete has no flag --force", "--yes skips the confirmation prompt"),
        ("delete -f cvm:img-1", "imgctl delete has no flag -f", "--yes skips the confirmation prompt"),
        ("list --force cvm:", "imgctl list has no flag --force", "`imgctl list --help` lists its flags"),
        ("list --json cvm:", "imgctl list has no flag --json", "write -o json"),
        ("list --older-then 3d cvm:", "imgctl list has no flag --older-then", "did you mean --older-than?"),
        ("list cvm: -o yaml", "not a valid value for --output: \"yaml\"", "write one of: table, json, ndjson"),
        ("list cvm: -o jsn", "not a valid value for --output: \"jsn\"", "did you mean json?"),
        ("prune cvm: --max-percent 101", "not a valid value for --max-percent: \"101\"", ""),
        ("help policy chek", "not a command of imgctl policy: \"chek\"", "did you mean `imgctl help policy check`?"),
    ] {
        let run = run(line);
        run.exits(2).says(&format!("error: {message}")).sends_calls(0);
        if !hint.is_empty() {
            run.says("  hint: ").says(hint);
        }
        assert!(!run.stderr.contains("ecr:cvm") && !run.stderr.contains("ecr:ecr"), "{}", run.transcript());
    }
}

#[test]
fn help_of_a_command_below_another_is_the_same_by_either_way() {
    for words in ["policy check", "policy", "policy init"] {
        let by_word = run(&format!("help {words}"));
        assert_eq!(by_word.exits(0).stdout, run(&format!("{words} --help")).stdout);
    }
}

#[test]
fn json_names_the_place_in_a_field_and_draws_nothing() {
    let run = run("get ecr:base/Alpine:3.10 -o json");
    let error: Value = serde_json::from_str(&run.exits(2).stderr).unwrap();
    assert_eq!(error["error"]["message"], "repository names are in lower case");
    let position = &error["error"]["position"];
    assert_eq!(position, &serde_json::json!({"text": "ecr:base/Alpine:3.10", "start": 9, "end": 10}));
    let run = world().run(&["list", "cvm:", "--keep", "all", "-o", "json"]);
    let error: Value = serde_json::from_str(&run.exits(2).stderr).unwrap();
    assert_eq!(error["error"]["hint"], "write a whole number, such as 3");
}

#[test]
fn a_cloud_is_a_name_of_its_provider_for_doctor() {
    for (word, title) in [("aws", "AWS ECR"), ("tencent", "Tencent Cloud CVM"), ("huawei", "Huawei Cloud Workspace")] {
        let run = run(&format!("doctor {word}"));
        assert!(run.exits(0).stdout.starts_with(title), "{}", run.transcript());
        assert_eq!(run.stdout.matches("\n\n").count(), 0, "{}", run.transcript());
    }
}

#[test]
fn an_unknown_region_is_named_as_the_culprit() {
    for (line, message, hint) in [
        (
            "list ecr:base/alpine --region Frankfurt",
            "no known region of AWS ECR is called frankfurt: ",
            "did you mean eu-central-1 (Frankfurt)?",
        ),
        (
            "get ecr://base/alpine:3.10",
            "no known region of AWS ECR is called base: ",
            "if the repository is base/alpine, write ecr:base/alpine",
        ),
        ("doctor ecr://ireland/**", "no known region of AWS ECR is called ireland: ", "eu-west-1 (Ireland)"),
    ] {
        let run = run(line);
        let all = run.exits(3).stdout.clone() + &run.stderr;
        // `doctor` wraps nothing in a pipe.
        assert!(all.contains(message) && all.contains(hint), "{}", run.transcript());
    }
}

#[test]
fn what_is_missing_is_said_in_our_words_and_the_services_own_stay_in_json() {
    let absent = "sha256:".to_owned() + &"0".repeat(64);
    let by_digest = format!("ecr:base/alpine@{absent}");
    for (image, words) in [
        ("ecr:base/alpine:nope", "no tag nope in base/alpine".to_owned()),
        (&by_digest, format!("no image {absent} in base/alpine")),
    ] {
        for command in ["get", "delete -n", "delete -y"] {
            let run = run(&format!("{command} {image}"));
            assert!(run.exits(1).stdout.contains(&words), "{}", run.transcript());
            assert!(!run.stdout.contains("null"), "{}", run.transcript());
        }
    }
    let run = run("get ecr:base/alpine:nope -o json");
    let error = &run.json()["items"][0]["error"];
    assert_eq!(error["message"], "no tag nope in base/alpine");
    assert!(error["detail"].as_str().unwrap().contains("does not exist"), "{error}");
}

#[test]
fn an_answer_that_is_not_json_is_called_so() {
    let run = world().fault("ecr:DescribeImages:garble").run(&["list", "ecr:base/alpine"]);
    run.exits(3).says("ECR's answer is not JSON");
}

#[test]
fn missing_credentials_come_first_and_the_machines_role_last() {
    let world = world()
        .unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY")
        .unset("AWS_EC2_METADATA_DISABLED")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    let run = world.run(&["list", "ecr:base/alpine"]);
    run.exits(3).says("error: no AWS credentials found; tried: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    let (tried, role) = (run.stderr.find("tried:").unwrap(), run.stderr.find("metadata").unwrap_or(usize::MAX));
    assert!(tried < role, "{}", run.transcript());
}
