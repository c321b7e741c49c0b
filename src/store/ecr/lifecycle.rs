//! Reads lifecycle policies. The fields and what they mean:
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>. An unknown word is an error:
//! a rule that is only half understood deletes too much.

use std::collections::HashSet;

use serde::Deserialize;

use crate::{
    image::{Provider, StoreRef},
    store::{About, OwnAction, OwnLimit, OwnRule},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    rule_priority: u32,
    description: Option<String>,
    selection: Selection,
    action: Action,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Selection {
    tag_status: TagStatus,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    #[serde(default)]
    storage_class: StorageClass,
    count_type: CountType,
    count_unit: Option<CountUnit>,
    count_number: u32,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum TagStatus {
    Tagged,
    Untagged,
    Any,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum StorageClass {
    #[default]
    Standard,
    Archive,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum CountType {
    ImageCountMoreThan,
    SinceImagePushed,
    SinceImagePulled,
    SinceImageTransitioned,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CountUnit {
    Days,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Action {
    #[serde(rename = "type")]
    what: ActionType,
    target_storage_class: Option<StorageClass>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum ActionType {
    Expire,
    Transition,
}

/// What `aws ecr get-lifecycle-policy` prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    repository_name: Option<String>,
    lifecycle_policy_text: String,
}

/// Reads the text of a policy, in the order of its priorities.
pub fn read(text: &str) -> Result<Vec<OwnRule>, String> {
    let policy: Policy =
        serde_json::from_str(text).map_err(|error| format!("this is not a lifecycle policy of ECR: {error}"))?;
    let mut rules = policy.rules;
    rules.sort_by_key(|rule| rule.rule_priority);
    let mut priorities = HashSet::new();
    if let Some(twice) = rules.iter().find(|rule| !priorities.insert(rule.rule_priority)) {
        return Err(format!("two rules have rulePriority {}", twice.rule_priority));
    }
    if rules.is_empty() {
        return Err("the lifecycle policy has no rules".into());
    }
    for class in [StorageClass::Standard, StorageClass::Archive] {
        let of_class = |rule: &&Rule| rule.selection.storage_class == class;
        let mut any = rules.iter().filter(of_class).skip_while(|rule| rule.selection.tag_status != TagStatus::Any);
        if let (Some(any), Some(_)) = (any.next(), any.next()) {
            return Err(format!(
                "the rule with priority {} is about any image, so it must be the last",
                any.rule_priority
            ));
        }
    }
    rules.into_iter().map(Rule::read).collect()
}

/// Reads a saved policy: its text, or the answer that contains it.
pub fn saved(text: &str) -> Result<(Option<StoreRef>, Vec<OwnRule>), String> {
    match serde_json::from_str::<Answer>(text) {
        Ok(answer) => {
            let store = answer.repository_name.map(|name| StoreRef { name, ..StoreRef::of(Provider::Ecr) });
            Ok((store, read(&answer.lifecycle_policy_text)?))
        }
        Err(_) => Ok((None, read(text)?)),
    }
}

impl Rule {
    fn read(self) -> Result<OwnRule, String> {
        let name = format!("priority {}", self.rule_priority);
        let wrong = |why: &str| Err(format!("the rule with {name}: {why}"));
        let Selection { tag_status, tag_prefix_list, tag_pattern_list, storage_class, .. } = &self.selection;
        let (days, number) = (self.selection.count_unit.is_some(), self.selection.count_number);
        let about = match (tag_status, tag_prefix_list.is_empty(), tag_pattern_list.is_empty()) {
            (TagStatus::Tagged, false, true) => About::Tagged(globs(tag_prefix_list, is_plain, "*")?),
            (TagStatus::Tagged, true, false) => About::Tagged(globs(tag_pattern_list, is_pattern, "")?),
            (TagStatus::Tagged, ..) => return wrong("it needs either tagPrefixList or tagPatternList"),
            (_, true, true) if *tag_status == TagStatus::Untagged => About::Untagged,
            (_, true, true) => About::All,
            _ => return wrong("only tagStatus tagged takes tagPrefixList and tagPatternList"),
        };
        let limit = match self.selection.count_type {
            _ if number == 0 => return wrong("countNumber must be at least 1"),
            CountType::ImageCountMoreThan if days => return wrong("imageCountMoreThan takes no countUnit"),
            CountType::ImageCountMoreThan => OwnLimit::Newer(number),
            _ if !days => return wrong("it needs countUnit days"),
            CountType::SinceImagePushed => OwnLimit::PushedDaysAgo(number),
            CountType::SinceImagePulled => OwnLimit::PulledDaysAgo(number),
            CountType::SinceImageTransitioned => OwnLimit::ArchivedDaysAgo(number),
        };
        let archived = *storage_class == StorageClass::Archive;
        if archived != matches!(limit, OwnLimit::ArchivedDaysAgo(_)) {
            return wrong("storageClass archive and countType sinceImageTransitioned belong together");
        }
        let action = match (self.action.what, self.action.target_storage_class) {
            (ActionType::Expire, None) => OwnAction::Delete,
            (ActionType::Transition, Some(StorageClass::Archive)) if !archived => OwnAction::Archive,
            _ => return wrong("its action is neither expire nor transition to archive"),
        };
        let description = self.description.filter(|description| !description.is_empty());
        Ok(OwnRule { name, description, about, archived, limit, action })
    }
}

/// The globs of a list of prefixes or patterns.
fn globs(texts: &[String], is_valid: fn(char) -> bool, end: &str) -> Result<Vec<String>, String> {
    let glob = |text: &String| match text.chars().all(is_valid) && !text.is_empty() {
        true => Ok(one_star(&format!("{text}{end}"))),
        false => Err(format!("\"{text}\" cannot match a tag: tags have letters, digits, dots, dashes and underscores")),
    };
    texts.iter().map(glob).collect()
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')
}

fn is_pattern(letter: char) -> bool {
    is_plain(letter) || letter == '*'
}

/// In our globs, two stars mean something else.
fn one_star(glob: &str) -> String {
    let mut glob = glob.to_owned();
    while glob.contains("**") {
        glob = glob.replace("**", "*");
    }
    glob
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rule(selection: Value, action: Value) -> String {
        json!({"rules": [{"rulePriority": 7, "description": "d", "selection": selection, "action": action}]})
            .to_string()
    }

    fn expire(selection: Value) -> Result<Vec<OwnRule>, String> {
        read(&rule(selection, json!({"type": "expire"})))
    }

    #[test]
    fn every_field_is_read() {
        let read = expire(
            json!({"tagStatus": "tagged", "tagPatternList": ["a**b*", "*"], "countType": "imageCountMoreThan", "countNumber": 3}),
        );
        let expected = OwnRule {
            name: "priority 7".into(),
            description: Some("d".into()),
            about: About::Tagged(vec!["a*b*".into(), "*".into()]),
            archived: false,
            limit: OwnLimit::Newer(3),
            action: OwnAction::Delete,
        };
        assert_eq!(read.unwrap(), [expected]);
        let days = |status: &str, class: &str, count: &str| json!({"tagStatus": status, "storageClass": class, "countType": count, "countUnit": "days", "countNumber": 9});
        let read = expire(days("untagged", "standard", "sinceImagePushed")).unwrap();
        assert_eq!((&read[0].about, read[0].limit), (&About::Untagged, OwnLimit::PushedDaysAgo(9)));
        let read = expire(days("any", "archive", "sinceImageTransitioned")).unwrap();
        assert_eq!(
            (&read[0].about, read[0].limit, read[0].archived),
            (&About::All, OwnLimit::ArchivedDaysAgo(9), true)
        );
        let text = rule(
            days("any", "standard", "sinceImagePulled"),
            json!({"type": "transition", "targetStorageClass": "archive"}),
        );
        let read = super::read(&text).unwrap();
        assert_eq!((read[0].limit, read[0].action), (OwnLimit::PulledDaysAgo(9), OwnAction::Archive));
    }

    #[test]
    fn priorities_are_the_order_and_the_answer_of_the_command_line_names_the_repository() {
        let one = |priority: u32| {
            json!({"rulePriority": priority, "action": {"type": "expire"},
                   "selection": {"tagStatus": "tagged", "tagPrefixList": [format!("p{priority}-")], "countType": "imageCountMoreThan", "countNumber": 1}})
        };
        let text = json!({"rules": [one(20), one(3)]}).to_string();
        let answer = json!({"registryId": "123456789012", "repositoryName": "team/app", "lifecyclePolicyText": text})
            .to_string();
        let (store, rules) = saved(&answer).unwrap();
        assert_eq!(store.unwrap().to_string(), "ecr:team/app");
        assert_eq!(rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["priority 3", "priority 20"]);
        assert_eq!(saved(&text).unwrap(), (None, rules));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let any = |more: Value| {
            let mut selection = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1});
            selection.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            selection
        };
        for (selection, why) in [
            (any(json!({"countNumber": 0})), "at least 1"),
            (any(json!({"countUnit": "days"})), "takes no countUnit"),
            (any(json!({"countType": "sinceImagePushed"})), "needs countUnit days"),
            (any(json!({"countType": "sinceImageSold"})), "unknown variant `sinceImageSold`"),
            (any(json!({"tagStatus": "tagged"})), "either tagPrefixList or tagPatternList"),
            (any(json!({"tagPrefixList": ["a"]})), "only tagStatus tagged"),
            (any(json!({"tagStatus": "tagged", "tagPrefixList": ["a b"]})), "cannot match a tag"),
            (any(json!({"tagStatus": "tagged", "tagPrefixList": ["a"], "tagPatternList": ["b"]})), "either"),
            (any(json!({"storageClass": "archive"})), "belong together"),
            (any(json!({"weight": 3})), "unknown field `weight`"),
        ] {
            let error = expire(selection.clone()).unwrap_err();
            assert!(error.contains(why), "{selection}: {error}");
        }
        let last = |status: &str| json!({"rulePriority": 8, "action": {"type": "expire"}, "selection": any(json!({"tagStatus": status}))});
        let mut first = last("any");
        first["rulePriority"] = 1.into();
        assert!(
            read(&json!({"rules": [last("untagged"), first]}).to_string()).unwrap_err().contains("must be the last")
        );
        for text in ["", "{}", "[]", "{\"rules\": []}", "{\"rules\": [{}]}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
