//! The selectors as flags of a command and fields of a policy.

use chrono::{DateTime, Utc};
use clap::Args;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    age::{Age, Size},
    names::Names,
    select::Selection,
};
use crate::error::{Error, Kind, Result};

// No doc comment: it would replace the help of the command that these flags are flattened into.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "select")]
pub struct Selectors {
    /// Only images pushed or created longer ago than this (30d, 2w, 1d12h) or before a date (2025-01-31)
    #[arg(long, value_name = "AGE", allow_hyphen_values = true)]
    #[schemars(with = "Option<String>")]
    pub older_than: Option<Age>,

    /// OCI registries: only images built longer ago than this, as they say themselves; a rebuild may date from long ago
    ///
    /// These registries do not tell when an image was pushed. An old build may have been pushed today.
    #[arg(long, value_name = "AGE")]
    #[schemars(with = "Option<String>")]
    pub built_before: Option<Age>,

    /// Only images last pulled longer ago than this; keeps images without a recorded pull
    #[arg(long, value_name = "AGE", allow_hyphen_values = true)]
    #[schemars(with = "Option<String>")]
    pub not_pulled_for: Option<Age>,

    /// Only images archived longer ago than this
    #[arg(long, value_name = "AGE", allow_hyphen_values = true)]
    #[schemars(with = "Option<String>")]
    pub archived_for: Option<Age>,

    /// Only images without a tag
    ///
    /// Keeps images that a kept index needs, and signatures of kept images.
    #[arg(long, conflicts_with_all = ["tag", "tag_regex", "any_tag", "has_tag"])]
    pub untagged: bool,

    /// Only images whose tags (machine images: name) all match one of these globs
    #[arg(long, value_name = "GLOB")]
    pub tag: Vec<String>,

    /// Only images whose tags all match one of these regular expressions; anchor with ^ and $
    #[arg(long, value_name = "REGEX")]
    pub tag_regex: Vec<String>,

    /// With --tag and --tag-regex: one matching tag is enough; the image is deleted with all its tags
    #[arg(long)]
    pub any_tag: bool,

    /// Only images with a tag that matches this glob, whatever their other tags; repeat it: each glob must match a tag
    #[arg(long, value_name = "GLOB")]
    pub has_tag: Vec<String>,

    /// Never images with a matching tag or name; always wins. A glob with / or : is matched against REPOSITORY and REPOSITORY:TAG
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,

    /// Keep the newest N of the selected tagged images in each repository
    ///
    /// It counts images, not tags: an image with three tags is one, and so is an index with its platforms. Machine images
    /// count by family, or by name without its trailing version or date. Example: of 10 images older than 30 days,
    /// `--older-than 30d --keep 3` keeps the newest 3 and deletes 7, however many younger images there are. Without
    /// another selector it selects only tagged images. With --untagged it counts untagged ones.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[schemars(range(min = 1))]
    pub keep: Option<u32>,

    /// Keep the newest N of the selected untagged images in each repository
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[schemars(range(min = 1))]
    pub keep_untagged: Option<u32>,

    /// Keep the newest N of the selected images in each repository, tagged or not
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["keep", "keep_untagged"])]
    #[schemars(range(min = 1))]
    pub keep_total: Option<u32>,

    /// Keep the newest patch (1.2.3, v1.2.3) of each minor version (1.2); pre-releases do not count
    #[arg(long)]
    pub keep_semver: bool,

    /// Only images larger than this: 500MB, 2GiB
    #[arg(long, value_name = "SIZE")]
    #[schemars(with = "Option<String>")]
    pub larger_than: Option<Size>,

    /// Only images in one of these states, as the provider names them: archived, error
    #[arg(long, value_name = "STATE")]
    pub state: Vec<String>,

    /// Only signatures, attestations and other referrers whose image is not in any store of this run
    ///
    /// Without this they are kept. If signatures have a repository of their own, name the repository of the images as well.
    #[arg(long)]
    pub orphans: bool,
}

impl Selectors {
    /// Checks the flags together and fixes the moment from which ages count.
    pub fn compile(&self, now: DateTime<Utc>) -> Result<Selection> {
        let fixed = |age: &Age| -> Result<_> { Ok((age.moment(now)?, age.clone())) };
        let age = |age: &Option<Age>| age.as_ref().map(fixed).transpose();
        let regex = |text: &String| {
            let wrong = |why: String| Error::new(Kind::Usage, format!("--tag-regex: {why}"));
            if text.is_empty() {
                return Err(wrong("an empty expression matches every tag".into()));
            }
            Regex::new(text).map_err(|error| wrong(error.to_string()))
        };
        let by_tag = !self.tag.is_empty() || !self.tag_regex.is_empty();
        if self.any_tag && !by_tag {
            return Err(Error::new(Kind::Usage, "--any-tag needs --tag or --tag-regex"));
        }
        if self.untagged && (by_tag || !self.has_tag.is_empty()) {
            let message = "--untagged cannot be combined with --tag, --tag-regex or --has-tag";
            return Err(Error::new(Kind::Usage, message));
        }
        let keeps = [self.keep, self.keep_untagged, self.keep_total];
        if keeps.contains(&Some(0)) {
            return Err(Error::new(Kind::Usage, "--keep, --keep-untagged and --keep-total must be at least 1"));
        }
        if self.keep_total.is_some() && keeps.iter().flatten().count() > 1 {
            return Err(Error::new(Kind::Usage, "--keep-total cannot be combined with --keep or --keep-untagged"));
        }
        let narrows = Self {
            keep: None,
            keep_untagged: None,
            keep_total: None,
            keep_semver: false,
            exclude: Vec::new(),
            any_tag: false,
            ..self.clone()
        };
        // --keep-total is about all images.
        let only_keeps = narrows == Self::default() && self.keep_total.is_none();
        Ok(Selection {
            now,
            older_than: age(&self.older_than)?,
            built_before: age(&self.built_before)?,
            not_pulled_for: age(&self.not_pulled_for)?,
            archived_for: age(&self.archived_for)?,
            untagged: self.untagged,
            tag: Names::new("--tag", &self.tag)?,
            tag_regex: self.tag_regex.iter().map(regex).collect::<Result<_>>()?,
            any_tag: self.any_tag,
            has_tag: self.has_tag.iter().map(|glob| Names::new("--has-tag", [glob])).collect::<Result<_>>()?,
            exclude: Names::new("--exclude", &self.exclude)?,
            keep: self.keep.map(|keep| keep as usize),
            keep_untagged: self.keep_untagged.or(self.keep.filter(|_| self.untagged)).map(|keep| keep as usize),
            keep_total: self.keep_total.map(|keep| keep as usize),
            only_tagged: only_keeps && (self.keep.is_some() || self.keep_semver) && self.keep_untagged.is_none(),
            only_untagged: only_keeps && self.keep_untagged.is_some() && self.keep.is_none() && !self.keep_semver,
            keep_semver: self.keep_semver,
            larger_than: self.larger_than.clone(),
            state: self.state.iter().map(|state| state.to_ascii_lowercase()).collect(),
            orphans: self.orphans,
        })
    }

    /// Refuses to select everything because no selector was given.
    pub fn demand(&self) -> Result<()> {
        let only_keeps = Self { exclude: self.exclude.clone(), any_tag: self.any_tag, ..Self::default() };
        if *self != only_keeps {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, "no selector was given")
            .hint("add at least one, such as --older-than 30d, --untagged, --tag 'pr-*' or --keep 10"))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::prune::{GuardArgs, sample::now};

    /// Help of the command itself.
    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        selectors: Selectors,
        #[command(flatten)]
        guards: GuardArgs,
    }

    fn parsed(flags: &[&str]) -> std::result::Result<Selectors, clap::Error> {
        Command::try_parse_from([&["prune"], flags].concat()).map(|command| command.selectors)
    }

    #[test]
    fn the_selectors_leave_the_help_of_their_command_alone() {
        Command::command().debug_assert();
        let help = Command::command().render_help().to_string();
        assert!(help.starts_with("Help of the command itself"), "{help}");
    }

    #[test]
    fn empty_and_contradictory_selectors_are_refused() {
        for flags in [&[][..], &["--exclude", "x"]] {
            assert_eq!(parsed(flags).unwrap().demand().unwrap_err().kind, Kind::Usage, "{flags:?}");
        }
        for flags in [
            &["--any-tag"][..],
            &["--tag", ""],
            &["--tag", "["],
            &["--tag-regex", ""],
            &["--tag-regex", "("],
            &["--exclude", ""],
            &["--older-than", "2999-01-01"],
        ] {
            assert_eq!(parsed(flags).unwrap().compile(now()).unwrap_err().kind, Kind::Usage, "{flags:?}");
        }
        for flags in [
            &["--keep", "0"][..],
            &["--keep", "-1"],
            &["--older-than", "30"],
            &["--untagged", "--tag", "x"],
            &["--larger-than", "big"],
        ] {
            assert!(parsed(flags).is_err(), "{flags:?}");
        }
        for flags in [
            &["--keep", "1"][..],
            &["--keep-semver"],
            &["--untagged"],
            &["--orphans"],
            &["--state", "error"],
            &["--larger-than", "1GB"],
        ] {
            parsed(flags).unwrap().demand().unwrap();
        }
    }

    #[test]
    fn a_policy_uses_the_names_of_the_flags_and_refuses_others() {
        let policy = r#"{"older-than": "30d", "tag": ["pr-*"], "keep": 3, "larger-than": "1GiB"}"#;
        let read: Selectors = serde_json::from_str(policy).unwrap();
        let typed = parsed(&["--older-than", "30d", "--tag", "pr-*", "--keep", "3", "--larger-than", "1GiB"]).unwrap();
        assert_eq!(read, typed);
        for policy in [r#"{"older_than": "30d"}"#, r#"{"older-than": "-30d"}"#, r#"{"keep": -1}"#] {
            assert!(serde_json::from_str::<Selectors>(policy).is_err(), "{policy}");
        }
    }
}
