//! Good texts, changed at random from a seed, for every parser.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{in_use, lifecycle, list, plan, policy, reference};
use crate::{
    prune::{policy as policies, saved},
    sandbox::dice::Dice,
};

/// How many inputs each parser gets.
const INPUTS: usize = 20_000;

/// Pieces that often break parsers.
const PIECES: [&str; 32] = [
    "\0",
    "\u{feff}",
    "\r\n",
    "\u{1b}[31m",
    "é",
    "😀",
    "\u{202e}",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[[[[[[[[",
    "]",
    ",",
    ":",
    "::",
    "@",
    "@sha256:",
    "/",
    "//",
    "../",
    "*",
    "-",
    "#",
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    "true",
    "ecr:",
];

/// Hands 20,000 changed texts to a parser. The text that breaks it is in the panic.
pub fn each(good: &[&str], mut parse: impl FnMut(&[u8])) {
    let mut dice = Dice::new(2026);
    for number in 0..INPUTS {
        let text = changed(&mut dice, good);
        let parsed = catch_unwind(AssertUnwindSafe(|| parse(&text)));
        assert!(parsed.is_ok(), "input {number}: {:?}", String::from_utf8_lossy(&text));
    }
}

fn changed(dice: &mut Dice, good: &[&str]) -> Vec<u8> {
    let mut text = dice.pick(good).as_bytes().to_vec();
    let place = |dice: &mut Dice, length: usize| dice.below(length as u64 + 1) as usize;
    for _ in 0..1 + dice.below(4) {
        let (one, other) = (place(dice, text.len()), place(dice, text.len()));
        let range = one.min(other)..one.max(other);
        match dice.below(8) {
            0 => drop(text.drain(range)),
            1 => text.truncate(one),
            2 => {
                let piece = text[range].to_vec();
                text.splice(one..one, piece);
            }
            3 => {
                let donor = dice.pick(good).as_bytes();
                let from = place(dice, donor.len());
                text.splice(range, donor[from..].iter().copied());
            }
            4 if !range.is_empty() => text[range.start] = dice.below(256) as u8,
            5 => {
                let piece = dice.pick(&PIECES).repeat(1 + dice.below(200) as usize);
                text.splice(one..one, piece.into_bytes());
            }
            _ => {
                let piece = *dice.pick(&PIECES);
                text.splice(one..one, piece.bytes());
            }
        }
    }
    text
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn references() -> Vec<String> {
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    vec![
        "ecr:team/app:v1".into(),
        format!("ecr://123456789012@eu-west-1/team/app:v1@{DIGEST}"),
        "ecr:team/*".into(),
        format!("{host}/team/app@{DIGEST}"),
        format!("docker://{host}/team/app:v1"),
        "123456789012.dkr-ecr-fips.us-gov-west-1.on.aws/app:v1".into(),
        "cvm://ap-guangzhou/img-6pb6lrmy".into(),
        "workspace://0a4da8115c9d8464ead3a38309130001@cn-north-4/697612196993040384".into(),
        "arn:aws:ecr:eu-west-1:123456789012:repository/team/app".into(),
        "cvm:".into(),
    ]
}

fn texts(strings: &[String]) -> Vec<&str> {
    strings.iter().map(String::as_str).collect()
}

#[test]
fn a_broken_reference_is_refused_or_printed_as_it_is_read() {
    each(&texts(&references()), reference);
}

#[test]
fn a_broken_list_of_references_is_read_or_refused() {
    let [first, second, ..] = &references()[..] else { panic!("there are several") };
    let lists = [
        format!("# a list\n{first}\n\n{second}\r\n"),
        format!("\u{feff}{first}"),
        format!("{{\"schema\":\"imgctl/v1\",\"items\":[{{\"ref\":\"{second}\",\"tags\":[\"v1\"]}}]}}"),
        format!("{{\"ref\":\"{first}\"}}\n{{\"ref\":\"{second}\"}}\n"),
        format!("[\"{first}\", {{\"ref\":\"{second}\"}}]"),
    ];
    each(&texts(&lists), list);
}

#[test]
fn a_broken_plan_is_read_or_refused() {
    let good = format!(
        r#"{{"schema":"imgctl/v1","command":"prune","dry_run":true,"plan":{{"made_at":"2026-01-01T00:00:00Z",
        "stores":[{{"store":"ecr://eu-west-1/team/app","images":2,"deleted":1,"kept":1,"bytes":5,"tagged":1,
        "tagged_kept":1,"unsized_images":0,"freed_bytes":5,"freed_exactly":true,"protect":["latest"]}}],"stops":[],
        "usage_checked":false,"recursive":false,"delete_snapshots":false}},"items":[{{
        "ref":"ecr://eu-west-1/team/app@{DIGEST}","provider":"ecr","action":"delete","rule":"selected",
        "reason":"old","digest":"{DIGEST}","tags":["v1"],"bytes":5,"pushed_at":"2025-01-01T00:00:00Z"}}]}}"#
    );
    saved::read("plan", good.as_bytes()).expect("it is a plan");
    each(&[&good], plan);
}

#[test]
fn a_broken_policy_is_read_or_refused() {
    let good = r#"[policy.releases]
stores = ["ecr:team/*", "ecr://eu-west-1/base"]
[policy.releases.select]
older-than = "90d"
keep = 5
tag = ["pr-*"]
[policy.releases.guard]
protect = ["latest"]
max-percent = 30
"#;
    policies::parse("policy.toml", good).expect("it is a policy");
    let rules = "[policy.web]\nstores = [\"ecr:team/*\"]\n[[policy.web.rule]]\nname = \"releases\"\n\
                 match = { has-tag = [\"v*\"], any-tag = false }\nkeep = true\n[[policy.web.rule]]\n\
                 delete = { older-than = \"90d\", keep-total = 3 }\n";
    policies::parse("policy.toml", rules).expect("it is a policy");
    each(&[good, rules, "[policy.machines]\nstores = [\"cvm:\"]\nselect.older-than = \"30d\"\n"], policy);
}

#[test]
fn what_is_imported_of_a_broken_lifecycle_policy_is_a_policy() {
    let good = r#"{"rules":[{"rulePriority":1,"description":"Keep","selection":{"tagStatus":"tagged","tagPatternList":
        ["v*"],"countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}},{"rulePriority":2,
        "selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":9},
        "action":{"type":"expire"}}]}"#;
    each(&[good], lifecycle);
}

#[test]
fn a_broken_list_of_images_in_use_is_read_to_its_end() {
    let lists = [references().join("\n"), format!("{{\"image\": \"{}\"}}", references()[3])];
    each(&texts(&lists), in_use);
}
