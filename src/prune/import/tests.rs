//! Imported rules choose what the provider would delete, or less where the import says so. The evaluator here follows the
//! documented words, and shares no code with the import or with `decide`.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    prune::{
        self, Elsewhere, Evidence, Plan, Stock, decide, policy,
        rules::clauses,
        sample::{Shelf, digest, now},
    },
    store::own_rules,
};

const TAGS: [&str; 12] =
    ["alpha-1", "alpha-2", "alpha-3", "beta-1", "beta-2", "beta-3", "prod", "prod1", "v1", "v2", "latest", "x-alpha"];
const PATTERNS: [&str; 8] = ["alpha*", "beta*", "*alpha*", "prod*", "v?", "*-1", "*", "latest"];

/// An image of a random repository. Times count back in days.
#[derive(Clone, Debug)]
struct Picture {
    tags: Vec<&'static str>,
    pushed: u32,
    pulled: Option<u32>,
    /// Archived so long ago, and back again since.
    archived: Option<(u32, Option<u32>)>,
    /// An index that holds the next images without a tag.
    holds: usize,
}

fn pictures() -> impl Strategy<Value = Vec<Picture>> {
    let archived = proptest::option::weighted(0.3, (0..90u32, proptest::option::of(0..90u32)));
    let image = (0..90u32, proptest::option::of(0..90u32), archived, prop_oneof![3 => Just(0usize), 1 => 1..3usize]);
    let owners = proptest::collection::vec(proptest::option::of(0..10usize), TAGS.len());
    (proptest::collection::vec(image, 1..10), owners).prop_map(|(images, owners)| {
        let mut pictures: Vec<Picture> = images
            .into_iter()
            .map(|(pushed, pulled, archived, holds)| Picture { tags: Vec::new(), pushed, pulled, archived, holds })
            .collect();
        for (tag, owner) in TAGS.iter().zip(owners) {
            if let Some(picture) = owner.and_then(|owner| pictures.get_mut(owner)) {
                picture.tags.push(tag);
            }
        }
        pictures
    })
}

fn lifecycle() -> impl Strategy<Value = Value> {
    let status = proptest::sample::select(vec!["tagged", "tagged", "untagged", "any"]);
    let count = (0..4usize, 1..60u32);
    let rule =
        (status, proptest::collection::vec(0..PATTERNS.len(), 1..3), proptest::bool::ANY, count, proptest::bool::ANY);
    proptest::collection::vec(rule, 1..5).prop_map(|rules| {
        let rules: Vec<Value> = rules
            .into_iter()
            .enumerate()
            .map(|(priority, (status, patterns, prefixes, (count, number), transition))| {
                let mut selection = json!({ "tagStatus": status });
                if status == "tagged" {
                    let names: Vec<&str> = patterns.iter().map(|pattern| PATTERNS[*pattern]).collect();
                    match prefixes {
                        true => {
                            selection["tagPrefixList"] = names
                                .iter()
                                .map(|name| name.replace(['*', '?'], ""))
                                .filter(|name| !name.is_empty())
                                .collect()
                        }
                        false => {
                            selection["tagPatternList"] = names.iter().map(|name| name.replace('?', "*")).collect()
                        }
                    }
                    if selection["tagPrefixList"] == json!([]) {
                        selection["tagPrefixList"] = json!(["alpha"]);
                    }
                }
                let kind =
                    ["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"][count];
                selection["countType"] = kind.into();
                selection["countNumber"] = if count == 0 { (number % 4 + 1).into() } else { number.into() };
                if count > 0 {
                    selection["countUnit"] = "days".into();
                }
                if count == 3 {
                    selection["storageClass"] = "archive".into();
                }
                let action = match transition && count != 3 {
                    true => json!({ "type": "transition", "targetStorageClass": "archive" }),
                    false => json!({ "type": "expire" }),
                };
                json!({ "rulePriority": 10 * (priority + 1), "selection": selection, "action": action })
            })
            .collect();
        // ECR takes one rule about all images of a storage class, and it must be the last.
        let is_any = |rule: &Value| rule["selection"]["tagStatus"] == "any";
        let (any, mut rules): (Vec<Value>, Vec<Value>) = rules.into_iter().partition(is_any);
        for class in [Value::Null, "archive".into()] {
            rules.extend(any.iter().find(|rule| rule["selection"]["storageClass"] == class).cloned());
        }
        for (priority, rule) in rules.iter_mut().enumerate() {
            rule["rulePriority"] = (10 * (priority + 1)).into();
        }
        json!({ "rules": rules })
    })
}

fn is_archived(picture: &Picture) -> bool {
    picture.archived.is_some_and(|(_, back)| back.is_none())
}

fn back(picture: &Picture) -> Option<u32> {
    picture.archived.and_then(|(_, back)| back)
}

/// The children of an index come right after it, and have no tag.
fn is_held(pictures: &[Picture], number: usize) -> bool {
    holder(pictures, number).is_some()
}

fn holder(pictures: &[Picture], number: usize) -> Option<usize> {
    let holds = |index: &usize| {
        let index_of = &pictures[*index];
        number > *index
            && number <= index + index_of.holds
            && pictures[number].tags.is_empty()
            && pictures[number].holds == 0
    };
    (0..number).find(holds)
}

fn stock(pictures: &[Picture]) -> Stock {
    let mut shelf = Shelf::new();
    for (number, picture) in pictures.iter().enumerate() {
        let ago = |days: u32| now() - TimeDelta::days(days.into()) - TimeDelta::minutes(number as i64 + 1);
        let held: Vec<usize> =
            (number + 1..pictures.len()).filter(|child| holder(pictures, *child) == Some(number)).collect();
        shelf = match picture.holds {
            0 => shelf.image(number, &picture.tags, 0),
            _ => shelf.index(number, &picture.tags, 0, &held),
        };
        shelf = shelf.changed(number, |image| {
            image.pushed_at = Some(ago(picture.pushed));
            image.pulled_at = picture.pulled.map(ago);
            image.archived_at = picture.archived.map(|(archived, _)| ago(archived));
            image.activated_at = back(picture).map(ago);
            image.state = Some(if is_archived(picture) { "archived" } else { "active" }.into());
        });
    }
    shelf.stock()
}

/// A glob with stars, one letter at a time.
fn fits(glob: &str, tag: &str) -> bool {
    match glob.split_at_checked(1) {
        None => tag.is_empty(),
        Some(("*", rest)) => (0..=tag.len()).any(|at| fits(rest, &tag[at..])),
        Some((letter, rest)) => tag.starts_with(letter) && fits(rest, &tag[1..]),
    }
}

/// Which images one evaluation of a lifecycle policy expires.
fn expired(policy: &Value, pictures: &[Picture]) -> Vec<bool> {
    let rules = policy["rules"].as_array().unwrap();
    let about = |rule: &Value, picture: &Picture| {
        let selection = &rule["selection"];
        let list = |name: &str, end: &str| {
            let texts: Vec<String> = selection[name]
                .as_array()
                .into_iter()
                .flatten()
                .map(|text| format!("{}{end}", text.as_str().unwrap()))
                .collect();
            texts
        };
        let globs = [list("tagPrefixList", "*"), list("tagPatternList", "")].concat();
        let by_tag = match selection["tagStatus"].as_str().unwrap() {
            "tagged" => globs.iter().all(|glob| picture.tags.iter().any(|tag| fits(glob, tag))),
            "untagged" => picture.tags.is_empty(),
            _ => true,
        };
        by_tag && is_archived(picture) == (selection["storageClass"] == "archive")
    };
    // The day from which an image counts, and then its number, so that no two are equally old.
    let age = |number: usize| (back(&pictures[number]).unwrap_or(u32::MAX).min(pictures[number].pushed), number);
    let mut marked = vec![false; pictures.len()];
    for (number, picture) in pictures.iter().enumerate() {
        let Some(rule) = rules.iter().find(|rule| about(rule, picture)) else { continue };
        let selection = &rule["selection"];
        let limit = u32::try_from(selection["countNumber"].as_u64().unwrap()).unwrap();
        let stale = match selection["countType"].as_str().unwrap() {
            "imageCountMoreThan" => {
                let newer =
                    (0..pictures.len()).filter(|other| about(rule, &pictures[*other]) && age(*other) < age(number));
                newer.count() >= limit as usize
            }
            "sinceImagePushed" => age(number).0 >= limit,
            "sinceImagePulled" => match (picture.pulled, back(picture)) {
                (Some(pulled), Some(back)) => pulled.min(back) >= limit,
                (Some(pulled), None) => pulled >= limit,
                (None, _) => age(number).0 >= limit,
            },
            _ => picture.archived.unwrap().0 >= limit,
        };
        marked[number] = stale && rule["action"]["type"] == "expire" && !is_held(pictures, number);
    }
    marked
}

fn planned(text: &str, stock: &Stock) -> Plan {
    let policy = &policy::parse("p", text).unwrap_or_else(|error| panic!("{error} in {text}"))["x"];
    let stocks = std::slice::from_ref(stock);
    let guards = policy.guard.compile().unwrap();
    decide(stocks, &Elsewhere::of(stocks), &clauses(policy, now()).unwrap(), &Evidence::default(), &guards)
}

/// The whole policy in TOML, and what it does not say.
fn toml(lifecycle: &Value) -> Result<(String, Vec<Gap>), crate::error::Error> {
    let (_, own) = own_rules("f", &lifecycle.to_string())?;
    let imported = import(&own);
    let head = "[policy.x]\nstores = [\"ecr:app\"]\nguard = { no-default-protect = true }\n".to_owned();
    let text = imported.iter().fold(head, |text, rule| text + &rule.toml("x"));
    Ok((text, imported.iter().flat_map(|rule| rule.gaps.clone()).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn imported_rules_choose_what_the_lifecycle_policy_expires(lifecycle in lifecycle(), pictures in pictures()) {
        let (text, mut gaps) = toml(&lifecycle).unwrap();
        let stock = stock(&pictures);
        let plan = planned(&text, &stock);
        let expired = expired(&lifecycle, &pictures);
        if !pictures.iter().any(|picture| picture.holds > 0) {
            gaps.retain(|gap| *gap != Gap::CountsPlatforms);
        }
        gaps.retain(|gap| *gap != Gap::Archives);
        for (number, row) in plan.stores[0].rows.iter().enumerate() {
            let chosen = row.reason.rule == prune::Rule::Selected;
            let said = format!("{number} {:?}: {} in {text}", pictures[number], row.reason.words);
            prop_assert!(!chosen || expired[number], "chosen, but not expired: {said}");
            if gaps.is_empty() {
                prop_assert!(chosen || !expired[number], "expired, but not chosen: {said}");
            }
            if row.reason.rule == prune::Rule::Follows {
                let index = holder(&pictures, number).unwrap();
                prop_assert!(expired[index], "it follows an index that stays: {said}");
            }
        }
    }
}

fn rule(priority: u32, selection: Value) -> Value {
    json!({ "rulePriority": priority, "selection": selection, "action": { "type": "expire" } })
}

fn tagged(globs: &[&str], count: u32) -> Value {
    json!({ "tagStatus": "tagged", "tagPatternList": globs, "countType": "imageCountMoreThan", "countNumber": count })
}

/// The examples of the user guide, with the images that they say are expired.
#[test]
fn the_examples_of_the_user_guide_have_the_results_that_it_gives() {
    let image =
        |tags: &[&'static str], pushed| Picture { tags: tags.into(), pushed, pulled: None, archived: None, holds: 0 };
    let one = [image(&["beta-1", "prod-1"], 10), image(&["beta-2", "prod-2"], 9), image(&["beta-3"], 8)];
    let all =
        [image(&["alpha-1", "beta-1"], 4), image(&[], 3), image(&["alpha-2"], 2), image(&["hash"], 1), image(&[], 0)];
    let any = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 });
    let untagged =
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1 });
    let both = [
        image(&["alpha-1"], 12),
        image(&["beta-1"], 11),
        image(&["alpha-2", "beta-2"], 10),
        image(&["alpha-3"], 4),
        image(&["beta-3"], 3),
        image(&["alpha-4", "beta-4"], 2),
    ];
    let old = json!({ "tagStatus": "tagged", "tagPatternList": ["alpha*", "beta*"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 5 });
    let table: [(Vec<Value>, &[Picture], &[usize]); 5] = [
        (vec![rule(1, tagged(&["prod*"], 1)), rule(2, tagged(&["beta*"], 1))], &one, &[0]),
        (vec![rule(1, tagged(&["beta*"], 1)), rule(2, tagged(&["prod*"], 1))], &one, &[0, 1]),
        (vec![rule(1, old)], &both, &[2]),
        (vec![rule(1, any.clone())], &all[1..4], &[0, 1]),
        // ECR also expires image 3: it counts image 4, which an earlier rule matches. The import says that it may keep more.
        (vec![rule(1, tagged(&["alpha*"], 1)), rule(2, untagged), rule(3, any)], &all, &[0, 1]),
    ];
    for (rules, pictures, expected) in table {
        let lifecycle = json!({ "rules": rules });
        let (text, _) = toml(&lifecycle).unwrap();
        let rows = planned(&text, &stock(pictures)).stores[0].rows.clone();
        let chosen: Vec<usize> =
            (0..rows.len()).filter(|row| rows[*row].reason.rule == prune::Rule::Selected).collect();
        assert_eq!(chosen, expected, "{text}");
    }
}

#[test]
fn rules_read_well_and_say_what_has_no_counterpart() {
    let transition = json!({ "rulePriority": 3, "description": "Old\nones", "action": { "type": "transition", "targetStorageClass": "archive" },
        "selection": { "tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 90 } });
    let archived = json!({ "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 365 });
    let lifecycle = json!({ "rules": [rule(1, tagged(&["alpha*"], 2)), rule(2, tagged(&["beta*"], 3)), transition, rule(4, archived)] });
    let (text, gaps) = toml(&lifecycle).unwrap();
    let expected = r#"[policy.x]
stores = ["ecr:app"]
guard = { no-default-protect = true }
[[policy.x.rule]]
name = "priority 4"
match = { state = ["archived"] }
delete = { archived-for = "365d" }
# The other rules are about images that can be pulled.
[[policy.x.rule]]
name = "archived images"
match = { state = ["archived", "activating"] }
keep = true
[[policy.x.rule]]
name = "priority 1"
match = { has-tag = ["alpha*"] }
delete = { keep = 2 }
# The registry also counts images that earlier rules match; imgctl counts only those of this rule, and may keep more.
[[policy.x.rule]]
name = "priority 2"
match = { has-tag = ["beta*"] }
delete = { keep = 3 }
# Old ones
# The registry archives some of these images; imgctl does not archive, and keeps all of them.
[[policy.x.rule]]
name = "priority 3"
keep = true
"#;
    assert_eq!(text, expected);
    assert_eq!(gaps, [Gap::CountsOthers, Gap::Archives]);
    assert_eq!(digest(1).len(), 71);
}
