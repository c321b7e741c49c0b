//! Writes a provider's own rules as rules of a policy, and says where the two do not mean the same. Where they differ, the
//! policy keeps more.

use std::fmt;

use serde_json::Value;

use super::policy::{Conditions, Matching, Rule};
use crate::store::{About, OwnAction, OwnLimit, OwnRule};

/// What the provider does and a policy does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The provider counts images of earlier rules.
    CountsOthers,
    /// The provider counts the images in an index one by one.
    CountsPlatforms,
    /// The provider counts from the push where no pull is recorded.
    NeverPulled,
    /// The provider archives.
    Archives,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::CountsOthers => {
                "The registry also counts images that earlier rules match; imgctl counts only those of this rule, and may keep more."
            }
            Self::CountsPlatforms => {
                "The registry counts each platform of an index as an image; imgctl counts an index once, and may keep more."
            }
            Self::NeverPulled => {
                "The registry takes the day of the push for images without a recorded pull; imgctl keeps these images."
            }
            Self::Archives => "The registry archives some of these images; imgctl does not archive, and keeps all of them.",
        })
    }
}

/// A rule of a policy, with what it was made from.
#[derive(Debug)]
pub struct Imported<'r> {
    pub own: Option<&'r OwnRule>,
    pub rule: Rule,
    pub gaps: Vec<Gap>,
}

/// States of images that only rules about archived images may delete.
const ARCHIVED: [&str; 2] = ["archived", "activating"];

/// The rules that mean the same.
pub fn import(own: &[OwnRule]) -> Vec<Imported<'_>> {
    let (archived, standard): (Vec<_>, Vec<_>) = own.iter().partition(|own| own.archived);
    // The rest of the archived images belongs to no rule.
    let rest = Imported {
        own: None,
        rule: Rule {
            name: Some("archived images".into()),
            matching: Matching { state: ARCHIVED.map(Into::into).into(), ..Matching::default() },
            keep: true,
            delete: None,
        },
        gaps: Vec::new(),
    };
    let mut all = each(&archived);
    all.push(rest);
    all.extend(each(&standard));
    all
}

fn each<'r>(own: &[&'r OwnRule]) -> Vec<Imported<'r>> {
    let one = |(number, rule): (usize, &&'r OwnRule)| {
        let (own, (rule, gaps)) = (Some(*rule), imported(rule, &own[..number]));
        Imported { own, rule, gaps }
    };
    own.iter().enumerate().map(one).collect()
}

fn imported(own: &OwnRule, before: &[&OwnRule]) -> (Rule, Vec<Gap>) {
    let mut gaps = Vec::new();
    let mut matching = match &own.about {
        About::Tagged(globs) => Matching { has_tag: globs.clone(), ..Matching::default() },
        About::Untagged => Matching { untagged: true, ..Matching::default() },
        About::All => Matching::default(),
    };
    if own.archived {
        matching.state = vec![ARCHIVED[0].into()];
    }
    let days = |days: u32| format!("{days}d").parse().ok();
    let nothing = Conditions::default();
    let delete = match (own.limit, &own.about) {
        (OwnLimit::Newer(keep), About::Tagged(_)) => Conditions { keep: Some(keep), ..nothing },
        (OwnLimit::Newer(keep), About::Untagged) => Conditions { keep_untagged: Some(keep), ..nothing },
        (OwnLimit::Newer(keep), About::All) => Conditions { keep_total: Some(keep), ..nothing },
        (OwnLimit::PushedDaysAgo(age), _) => Conditions { older_than: days(age), ..nothing },
        (OwnLimit::PulledDaysAgo(age), _) => Conditions { not_pulled_for: days(age), ..nothing },
        (OwnLimit::ArchivedDaysAgo(age), _) => Conditions { archived_for: days(age), ..nothing },
    };
    let keep = own.action == OwnAction::Archive;
    if keep {
        gaps.push(Gap::Archives);
    } else if matches!(own.limit, OwnLimit::Newer(_)) {
        let share = |other: &&&OwnRule| may_share(&own.about, &other.about);
        gaps.extend(before.iter().find(share).map(|_| Gap::CountsOthers));
        gaps.extend((!matches!(own.about, About::Tagged(_))).then_some(Gap::CountsPlatforms));
    } else if matches!(own.limit, OwnLimit::PulledDaysAgo(_)) {
        gaps.push(Gap::NeverPulled);
    }
    (Rule { name: Some(own.name.clone()), matching, keep, delete: (!keep).then_some(delete) }, gaps)
}

/// Whether an image may be one that both rules are about.
fn may_share(one: &About, other: &About) -> bool {
    !matches!((one, other), (About::Tagged(_), About::Untagged) | (About::Untagged, About::Tagged(_)))
}

impl Imported<'_> {
    /// The rule in TOML, with comments.
    pub fn toml(&self, policy: &str) -> String {
        let mut text = String::new();
        const REST: &str = "The other rules are about images that can be pulled.";
        let description = self.own.map_or(Some(REST), |own| own.description.as_deref());
        let gaps = self.gaps.iter().map(ToString::to_string);
        for comment in description.map(one_line).into_iter().chain(gaps) {
            text.push_str(&format!("# {comment}\n"));
        }
        text.push_str(&format!("[[policy.{policy}.rule]]\n"));
        let name = self.rule.name.clone().unwrap_or_default();
        text.push_str(&format!("name = {}\n", Value::from(name)));
        if self.rule.matching != Matching::default() {
            text.push_str(&format!("match = {}\n", table(&self.rule.matching)));
        }
        match &self.rule.delete {
            Some(conditions) => text.push_str(&format!("delete = {}\n", table(conditions))),
            None => text.push_str("keep = true\n"),
        }
        text
    }
}

/// An inline table. What JSON calls strings, lists, numbers and truths, TOML calls so, too.
fn table(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).expect("fields have text names");
    let fields = value.as_object().into_iter().flatten();
    let text = |value: &Value| match value {
        Value::Array(items) => format!("[{}]", items.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    };
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name} = {}", text(value))).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
