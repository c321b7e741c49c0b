//! Reads policies: rules for stores of any provider, in TOML. An unknown word is an error, because ignoring a rule
//! deletes too much.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, Result},
    prune::{
        GuardArgs, Selectors,
        age::{Age, Size},
    },
    store::Service,
    words,
};

/// The whole file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "imgctl policies")]
pub struct File {
    /// Policies by name.
    policy: BTreeMap<String, Policy>,
}

/// Rules that say which images of some stores are stale: `select`, or a list of rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "policy")]
pub struct Policy {
    /// Stores as on the command line: `ecr:team/*`, `cvm://ap-guangzhou/`.
    pub stores: Vec<String>,
    /// The selectors of `imgctl prune`: the only rule.
    pub select: Option<Selectors>,
    /// Rules in their order: the first that matches an image decides about it.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Services to ask what is in use, as with --ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<Service>,
    /// Archive what the rules choose instead of deleting it, as with --archive.
    #[serde(default, skip_serializing_if = "is_not")]
    pub archive: bool,
    /// The guards of this policy.
    #[serde(default)]
    pub guard: GuardArgs,
}

/// One of several rules. It keeps its images, or deletes some of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "rule")]
pub struct Rule {
    /// What reasons call it. Without it, they count: rule 2.
    pub name: Option<String>,
    /// The images that it is about: those that match all of these. Without it, all images.
    #[serde(default, rename = "match")]
    pub matching: Matching,
    /// Keep these images, whatever the rules after this one say.
    #[serde(default)]
    pub keep: bool,
    /// Delete those of these images that match all of this.
    pub delete: Option<Conditions>,
}

/// Which images a rule is about. The fields are the selectors of `imgctl prune`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "match")]
pub struct Matching {
    /// All tags (machine images: the name) match one of these globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<String>,
    /// All tags match one of these regular expressions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag_regex: Vec<String>,
    /// For tag and tag-regex, one matching tag is enough.
    #[serde(skip_serializing_if = "is_not")]
    pub any_tag: bool,
    /// Each of these globs matches a tag, whatever the other tags are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub has_tag: Vec<String>,
    /// No tag.
    #[serde(skip_serializing_if = "is_not")]
    pub untagged: bool,
    /// One of these states, as the provider names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<String>,
    /// Signatures and other referrers whose image is not in any store of the run.
    #[serde(skip_serializing_if = "is_not")]
    pub orphans: bool,
}

/// Which of its images a rule deletes. The fields are the selectors of `imgctl prune`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "delete")]
pub struct Conditions {
    /// Pushed or created longer ago than this, or before a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub older_than: Option<Age>,
    /// Built longer ago than this, as the image says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub built_before: Option<Age>,
    /// Last pulled longer ago than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub not_pulled_for: Option<Age>,
    /// Archived longer ago than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub archived_for: Option<Age>,
    /// Larger than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub larger_than: Option<Size>,
    /// Not among the newest N tagged images of this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub keep: Option<u32>,
    /// Not among the newest N untagged images of this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub keep_untagged: Option<u32>,
    /// Not among the newest N images of this rule, tagged or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub keep_total: Option<u32>,
    /// Not the newest patch of a minor version.
    #[serde(skip_serializing_if = "is_not")]
    pub keep_semver: bool,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

impl Matching {
    pub fn selectors(&self) -> Selectors {
        let Self { tag, tag_regex, any_tag, has_tag, untagged, state, orphans } = self.clone();
        Selectors { tag, tag_regex, any_tag, has_tag, untagged, state, orphans, ..Selectors::default() }
    }
}

impl Conditions {
    /// The selectors of the images that match both.
    pub fn and(&self, matching: &Matching) -> Selectors {
        let Self { older_than, built_before, not_pulled_for, archived_for, larger_than, .. } = self.clone();
        let Self { keep, keep_untagged, keep_total, keep_semver, .. } = *self;
        Selectors {
            older_than,
            built_before,
            not_pulled_for,
            archived_for,
            larger_than,
            keep,
            keep_untagged,
            keep_total,
            keep_semver,
            ..matching.selectors()
        }
    }
}

/// Reads the policies of a file.
pub fn read(path: &Path) -> Result<BTreeMap<String, Policy>> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| Error::of_file(&name, &error))?;
    parse(&name, &text)
}

pub fn parse(name: &str, text: &str) -> Result<BTreeMap<String, Policy>> {
    let file: File = toml::from_str(text).map_err(|error| wrong(name, text, &error))?;
    if file.policy.is_empty() {
        return Err(Error::new(Kind::Usage, format!("{name} has no policies")));
    }
    for (policy, of) in &file.policy {
        of.check().map_err(|(why, hint)| {
            let error = Error::new(Kind::Usage, format!("{name}: policy {policy} {why}"));
            if hint.is_empty() { error } else { error.hint(hint) }
        })?;
    }
    Ok(file.policy)
}

impl Policy {
    /// What is wrong, and what is right.
    fn check(&self) -> Result<(), (String, &'static str)> {
        let wrong = |why: &str, hint| Err((why.to_owned(), hint));
        match (&self.select, self.rule.is_empty()) {
            _ if self.stores.is_empty() => return wrong("has no stores", "name them: stores = [\"ecr:team/*\"]"),
            (None, true) => return wrong("has no rules", "add select = { older-than = \"30d\" }, or rules"),
            (Some(_), false) => return wrong("has both select and rules", "make select one of the rules"),
            _ => {}
        }
        let mut names = HashSet::new();
        for (number, rule) in self.rule.iter().enumerate() {
            let is = |why: &str| format!("{}: {why}", rule.called(number));
            match (rule.keep, &rule.delete) {
                (true, Some(_)) => return wrong(&is("it both keeps and deletes"), "remove keep, or delete"),
                (false, None) => return wrong(&is("it neither keeps nor deletes"), KEEP_OR_DELETE),
                _ => {}
            }
            if rule.name.as_ref().is_some_and(|name| !names.insert(name)) {
                return wrong(&is("another rule has this name"), "give each rule a name of its own");
            }
            if rule.matching == Matching::default() && number + 1 < self.rule.len() {
                let why = is("it matches every image, so the rules after it never decide");
                return wrong(&why, "put it last, or add match = { … }");
            }
        }
        Ok(())
    }
}

const KEEP_OR_DELETE: &str = "add keep = true, or delete = { older-than = \"30d\" }";

impl Rule {
    /// As reasons and errors quote it.
    pub fn called(&self, number: usize) -> String {
        match &self.name {
            Some(name) => format!("rule \"{name}\""),
            None => format!("rule {}", number + 1),
        }
    }
}

/// The line and the problem, with a suggestion for an unknown word.
fn wrong(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        format!(", line {}", 1 + before.matches('\n').count())
    });
    let said = error.message().trim();
    // The unknown word comes first, then the allowed words, all in backquotes.
    let mut quoted = said.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| said.starts_with("unknown field"));
    let known: Vec<_> = quoted.collect();
    let message = match unknown {
        Some(word) => format!("unknown field \"{word}\""),
        None => said.to_owned(),
    };
    let message = format!("{name}{}: {message}", line.unwrap_or_default());
    let error = Error::new(Kind::Usage, message);
    match unknown.map(|word| words::nearest(word, known.iter().copied())) {
        Some(Some(meant)) => error.hint(format!("did you mean {meant}?")),
        Some(None) if !known.is_empty() => error.hint(format!("known fields: {}", known.join(", "))),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [policy.web]
        stores = ["ecr:team/*", "cvm:"]
        select = { older-than = "30d", keep = 10 }
        guard = { protect = ["v*"], max-delete = 50 }

        [policy.pulls]
        stores = ["ecr:ci/**"]
        [policy.pulls.select]
        tag = ["pr-*"]
    "#;

    #[test]
    fn policies_use_the_names_of_the_flags() {
        let policies = parse("p.toml", GOOD).unwrap();
        let web = &policies["web"];
        assert_eq!(web.select.as_ref().unwrap().keep, Some(10));
        assert_eq!((web.guard.max_delete, web.guard.max_percent), (50, 50));
        assert_eq!(policies["pulls"].select.as_ref().unwrap().tag, ["pr-*"]);
        assert_eq!(policies["pulls"].guard, GuardArgs::default());
    }

    #[test]
    fn an_unknown_word_is_refused_with_its_line_and_a_suggestion() {
        let table = [
            (
                "[policy.web]\nstores = [\"cvm:\"]\nselect = { oder-than = \"30d\" }",
                "p.toml, line 3: unknown field \"oder-than\"",
                Some("did you mean older-than?"),
            ),
            (
                "[policy.web]\nstore = [\"cvm:\"]",
                "p.toml, line 2: unknown field \"store\"",
                Some("did you mean stores?"),
            ),
            ("[polices.web]", "p.toml, line 1: unknown field \"polices\"", Some("did you mean policy?")),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nguard = { max-deletions = 3 }\nselect = {}",
                "p.toml, line 3: unknown field \"max-deletions\"",
                None,
            ),
            ("[policy.web]\nstores = []\nselect = { untagged = true }", "p.toml: policy web has no stores", None),
            ("[policy.web]\nstores = [\"cvm:\"]", "p.toml: policy web has no rules", None),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nselect = { keep = 1 }\nrule = [{ keep = true }]",
                "p.toml: policy web has both select and rules",
                None,
            ),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nrule = [{ name = \"a b\", match = { tag = [\"x\"] } }]",
                "p.toml: policy web rule \"a b\": it neither keeps nor deletes",
                Some(KEEP_OR_DELETE),
            ),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nrule = [{ keep = true, delete = { keep = 1 } }]",
                "p.toml: policy web rule 1: it both keeps and deletes",
                None,
            ),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nrule = [{ name = \"a\", keep = true, match.tag = [\"b\"] }, { name = \"a\", keep = true }]",
                "p.toml: policy web rule \"a\": another rule has this name",
                None,
            ),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nrule = [{ keep = true }, { delete = { keep = 1 } }]",
                "p.toml: policy web rule 1: it matches every image",
                None,
            ),
            (
                "[policy.web]\nstores = [\"cvm:\"]\n[[policy.web.rule]]\nmatch = { older-than = \"3d\" }\nkeep = true",
                "p.toml, line 4: unknown field \"older-than\"",
                None,
            ),
            (
                "[policy.web]\nstores = [\"cvm:\"]\n[[policy.web.rule]]\nmatch = { tags = [\"v*\"] }\nkeep = true",
                "p.toml, line 4: unknown field \"tags\"",
                Some("did you mean tag?"),
            ),
            ("[policy.web]\nstores = [\"cvm:\"]\nselect = { older-than = \"-30d\" }", "p.toml, line 3:", None),
            ("[policy.web]\nstores = [\"cvm:\"]\nselect = { keep = -1 }", "p.toml, line 3:", None),
            ("[policy]", "p.toml has no policies", None),
            ("", "p.toml", None),
            ("[policy.web]\nstores = [\"cvm:\"]\nstores = [\"ecr:a\"]", "p.toml, line 3", None),
        ];
        for (text, message, hint) in table {
            let error = parse("p.toml", text).unwrap_err();
            assert!(error.message.starts_with(message), "{error}");
            if hint.is_some() {
                assert_eq!(error.hint.as_deref(), hint, "{error}");
            }
        }
    }
}
