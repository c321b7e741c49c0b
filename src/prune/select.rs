//! The selectors: which images are stale by what is known of each alone. Every selector narrows, what is unknown never
//! fits, and each answer says why. How images hang together is `graph`'s; what must stay regardless is `guards`'.

use chrono::{DateTime, Utc};
use clap::Args;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    age::{Age, Size, ago},
    names::{Names, labels},
};
use crate::{
    error::{Error, Kind, Result},
    image::Provider,
    store::Image,
};

// No doc comment: it would replace the help of the command that these flags are flattened into.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "select")]
pub struct Selectors {
    /// Only images pushed or created longer ago than this (30d, 2w, 1d12h), or before a date (2025-01-31)
    #[arg(long, value_name = "AGE")]
    #[schemars(with = "Option<String>")]
    pub older_than: Option<Age>,

    /// Only images last pulled longer ago than this; an image without a known pull is kept
    #[arg(long, value_name = "AGE")]
    #[schemars(with = "Option<String>")]
    pub not_pulled_for: Option<Age>,

    /// Only images without a tag
    ///
    /// Those that a tagged index needs are kept, and so are signatures of kept images.
    #[arg(long, conflicts_with_all = ["tag", "tag_regex", "any_tag"])]
    pub untagged: bool,

    /// Only images whose tags all fit one of these globs; of a machine image, its name
    #[arg(long, value_name = "GLOB")]
    pub tag: Vec<String>,

    /// Only images in whose tags all one of these regular expressions is found; anchor with ^ and $
    #[arg(long, value_name = "REGEX")]
    pub tag_regex: Vec<String>,

    /// With --tag and --tag-regex: one fitting tag is enough, and the image goes with all its tags
    #[arg(long)]
    pub any_tag: bool,

    /// Never images with a tag that fits; always wins. With a / or : it is compared with REPOSITORY and REPOSITORY:TAG
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,

    /// Keep the newest N images, of each repository, among those that would go without this
    ///
    /// It counts images, not tags: one with three tags is one, and so is an index with all its platforms. Machine images
    /// are counted by family, or by name without its trailing version or date. Example: of 10 images that are older
    /// than 30 days, `--older-than 30d --keep 3` keeps the newest 3 and deletes 7, however many younger ones there are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[schemars(range(min = 1))]
    pub keep: Option<u32>,

    /// Keep releases: of each minor version (1.2) the newest patch (1.2.3, v1.2.3); pre-releases are no releases
    #[arg(long)]
    pub keep_semver: bool,

    /// Only images larger than this: 500MB, 2GiB
    #[arg(long, value_name = "SIZE")]
    #[schemars(with = "Option<String>")]
    pub larger_than: Option<Size>,

    /// Only images in one of these states, in the provider's own words: archived, error
    #[arg(long, value_name = "STATE")]
    pub state: Vec<String>,

    /// Only signatures, attestations and other referrers whose image is in no store of this run; without this they are kept
    ///
    /// Signatures that are kept in a repository of their own are orphans there, unless the images' repository is named too.
    #[arg(long)]
    pub orphans: bool,
}

/// Selectors made ready for use at one moment.
#[derive(Clone, Debug)]
pub struct Selection {
    pub(super) now: DateTime<Utc>,
    older_than: Option<(DateTime<Utc>, Age)>,
    not_pulled_for: Option<(DateTime<Utc>, Age)>,
    untagged: bool,
    tag: Names,
    tag_regex: Vec<Regex>,
    any_tag: bool,
    exclude: Names,
    pub(super) keep: Option<usize>,
    pub(super) keep_semver: bool,
    larger_than: Option<Size>,
    state: Vec<String>,
    pub(super) orphans: bool,
}

/// What the selectors say of one image, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Fits(String),
    Not(String),
}

/// What only its surroundings tell of an image.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'s> {
    pub provider: Provider,
    /// The latest pull of the image or of anything that it holds.
    pub pulled: Option<DateTime<Utc>>,
    /// What it was attached to, if that is gone.
    pub orphan_of: Option<&'s str>,
}

impl Selectors {
    /// Checks what no single flag can, and fixes the moment to which ages count back.
    pub fn compile(&self, now: DateTime<Utc>) -> Result<Selection> {
        let fixed = |age: &Age| -> Result<_> { Ok((age.moment(now)?, age.clone())) };
        let age = |age: &Option<Age>| age.as_ref().map(fixed).transpose();
        let regex = |text: &String| {
            let wrong = |why: String| Error::new(Kind::Usage, format!("--tag-regex: {why}"));
            if text.is_empty() {
                return Err(wrong("an empty expression would fit every tag".into()));
            }
            Regex::new(text).map_err(|error| wrong(error.to_string()))
        };
        let by_tag = !self.tag.is_empty() || !self.tag_regex.is_empty();
        if self.any_tag && !by_tag {
            return Err(Error::new(Kind::Usage, "--any-tag says nothing without --tag or --tag-regex"));
        }
        if self.untagged && by_tag {
            return Err(Error::new(Kind::Usage, "no untagged image has a tag: --untagged excludes --tag"));
        }
        if self.keep == Some(0) {
            return Err(Error::new(Kind::Usage, "--keep must be at least 1"));
        }
        Ok(Selection {
            now,
            older_than: age(&self.older_than)?,
            not_pulled_for: age(&self.not_pulled_for)?,
            untagged: self.untagged,
            tag: Names::new("--tag", &self.tag)?,
            tag_regex: self.tag_regex.iter().map(regex).collect::<Result<_>>()?,
            any_tag: self.any_tag,
            exclude: Names::new("--exclude", &self.exclude)?,
            keep: self.keep.map(|keep| keep as usize),
            keep_semver: self.keep_semver,
            larger_than: self.larger_than.clone(),
            state: self.state.iter().map(|state| state.to_ascii_lowercase()).collect(),
            orphans: self.orphans,
        })
    }

    /// Refuses a command that would take everything because nothing was said of what to take.
    pub fn demand(&self) -> Result<()> {
        let only_keeps = Self { exclude: self.exclude.clone(), any_tag: self.any_tag, ..Self::default() };
        if *self != only_keeps {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, "no selector says which images to delete")
            .hint("name at least one, such as --older-than 30d, --untagged, --tag 'pr-*' or --keep 10"))
    }
}

impl Selection {
    /// Whether an answer about one image depends on all others, so that a listing cannot be filtered page by page.
    pub fn needs_all(&self) -> bool {
        self.keep.is_some() || self.keep_semver || self.orphans
    }

    /// Whether the selectors could choose this image, as far as it tells itself; more knowledge can only keep it.
    pub fn may_choose(&self, image: &Image, provider: Provider) -> bool {
        let around = Surroundings { provider, pulled: image.pulled_at, orphan_of: Some("") };
        matches!(self.judge(image, around), Judgement::Fits(_))
    }

    pub fn wants_orphans(&self) -> bool {
        self.orphans
    }

    /// The same without the newest that `--keep` holds: everything that might go, however the others turn out.
    pub fn without_keep(&self) -> Self {
        Self { keep: None, ..self.clone() }
    }

    /// Judges one image by what is known of it; the first selector that it does not fit is the reason to keep it.
    pub fn judge(&self, image: &Image, around: Surroundings) -> Judgement {
        let mut why = Vec::new();
        let tests = [
            self.by_orphan(around.orphan_of),
            self.by_labels(image, around.provider),
            self.by_age(image),
            self.by_pull(around.pulled),
            self.by_size(image),
            self.by_state(image),
        ];
        for test in tests.into_iter().flatten() {
            match test {
                Ok(fits) => why.push(fits),
                Err(not) => return Judgement::Not(not),
            }
        }
        Judgement::Fits(why.join(", "))
    }

    /// The exclusion that an image falls under.
    pub fn excluded(&self, provider: Provider, store: &str, image: &Image) -> Option<String> {
        let (label, pattern) = self.exclude.find(provider, store, image)?;
        Some(format!("{label} fits --exclude {pattern}"))
    }

    fn by_orphan(&self, orphan_of: Option<&str>) -> Option<Result<String, String>> {
        self.orphans.then(|| match orphan_of {
            Some(subject) => Ok(format!("what it was attached to is gone ({})", short(subject))),
            None => Err("no orphan".into()),
        })
    }

    fn by_labels(&self, image: &Image, provider: Provider) -> Option<Result<String, String>> {
        let labels: Vec<_> = labels(provider, image).collect();
        if self.untagged {
            let tagged = || labels.first().map_or("not of a kind that has tags".into(), |tag| format!("tagged {tag}"));
            let bare = provider.has_containers() && labels.is_empty();
            return Some(if bare { Ok("untagged".into()) } else { Err(tagged()) });
        }
        if self.tag.is_empty() && self.tag_regex.is_empty() {
            return None;
        }
        let fits = |label: &&str| {
            (self.tag.is_empty() || self.tag.fit(label).is_some())
                && (self.tag_regex.is_empty() || self.tag_regex.iter().any(|regex| regex.is_match(label)))
        };
        let kind = if provider.has_containers() { "tag" } else { "name" };
        let said = |label: &str| format!("{kind} {label}");
        let (fit, other): (Vec<&str>, Vec<&str>) = labels.into_iter().partition(fits);
        Some(match (fit.first(), other.first()) {
            (None, None) => Err("untagged, so no pattern fits".into()),
            (None, Some(other)) => Err(format!("{} does not fit", said(other))),
            (Some(_), Some(other)) if !self.any_tag => {
                Err(format!("{} does not fit, though another tag does", said(other)))
            }
            (Some(fit), _) => Ok(format!("{} fits", said(fit))),
        })
    }

    fn by_age(&self, image: &Image) -> Option<Result<String, String>> {
        let (moment, age) = self.older_than.as_ref()?;
        Some(match (image.pushed_at, image.created_at) {
            (None, None) => Err("its age is not known".into()),
            (Some(at), _) => self.compare("pushed", "older than", at, *moment, age),
            (None, Some(at)) => self.compare("created", "older than", at, *moment, age),
        })
    }

    fn by_pull(&self, pulled: Option<DateTime<Utc>>) -> Option<Result<String, String>> {
        let (moment, age) = self.not_pulled_for.as_ref()?;
        Some(match pulled {
            None => Err("no pull of it is on record".into()),
            Some(at) => self.compare("last pulled", "longer than", at, *moment, age),
        })
    }

    fn compare(
        &self,
        done: &str,
        longer: &str,
        at: DateTime<Utc>,
        moment: DateTime<Utc>,
        age: &Age,
    ) -> Result<String, String> {
        let ago = ago(at, self.now);
        if at < moment {
            Ok(format!("{done} {ago}, {longer} {age}"))
        } else {
            Err(format!("{done} {ago}, not {longer} {age}"))
        }
    }

    fn by_size(&self, image: &Image) -> Option<Result<String, String>> {
        let size = self.larger_than.as_ref()?;
        Some(match image.bytes {
            None => Err("its size is not known".into()),
            Some(bytes) if bytes > size.bytes => Ok(format!("larger than {size}")),
            Some(_) => Err(format!("not larger than {size}")),
        })
    }

    fn by_state(&self, image: &Image) -> Option<Result<String, String>> {
        if self.state.is_empty() {
            return None;
        }
        Some(match image.state.as_deref().map(str::to_ascii_lowercase) {
            None => Err("its state is not known".into()),
            Some(state) if self.state.contains(&state) => Ok(format!("state {state}")),
            Some(state) => Err(format!("state {state}")),
        })
    }
}

/// A digest as people can read it in a sentence.
pub fn short(digest: &str) -> &str {
    // Twelve digits are what docker shows.
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::prune::{
        GuardArgs,
        sample::{Shelf, now},
    };

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
    fn what_says_nothing_or_contradicts_itself_is_refused() {
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
    fn every_selector_narrows_and_what_is_unknown_never_fits() {
        let table: [(&[&str], &[usize], &str); 8] = [
            (&["--older-than", "30d"], &[1, 4], "pushed 40 days ago, older than 30d"),
            (&["--older-than", "2025-05-01"], &[1, 4], "pushed 40 days ago, older than 2025-05-01"),
            (&["--larger-than", "99"], &[1, 2, 3], "larger than 99"),
            (&["--state", "archived"], &[1], "state archived"),
            (&["--tag", "a*"], &[1, 2], "tag a1 fits"),
            (&["--tag", "a*", "--tag", "b*"], &[1, 2, 3], "tag a1 fits"),
            (&["--tag", "a*", "--tag-regex", "1$"], &[1], "tag a1 fits"),
            (&["--tag", "a*", "--older-than", "30d"], &[1], "tag a1 fits, pushed 40 days ago, older than 30d"),
        ];
        for (flags, goes, reason) in table {
            let told = Shelf::new()
                .with(1, &["a1"], 40, |image| image.state = Some("ARCHIVED".into()))
                .image(2, &["a2"], 1)
                .with(3, &["b1", "a1"], 40, |image| image.pushed_at = None)
                .with(4, &[], 40, |image| image.bytes = None)
                .prune(flags);
            assert_eq!(told.goes(), goes, "{flags:?}");
            assert_eq!(told.reason(1), reason, "{flags:?}");
        }
    }

    #[test]
    fn an_image_exactly_as_old_as_the_limit_is_not_older() {
        assert_eq!(Shelf::new().image(1, &["a"], 30).prune(&["--older-than", "30d"]).goes(), [0; 0]);
    }

    #[test]
    fn a_policy_file_has_the_same_words_and_unknown_ones_are_errors() {
        let policy = r#"{"older-than": "30d", "tag": ["pr-*"], "keep": 3, "larger-than": "1GiB"}"#;
        let read: Selectors = serde_json::from_str(policy).unwrap();
        let typed = parsed(&["--older-than", "30d", "--tag", "pr-*", "--keep", "3", "--larger-than", "1GiB"]).unwrap();
        assert_eq!(read, typed);
        for policy in [r#"{"older_than": "30d"}"#, r#"{"older-than": "-30d"}"#, r#"{"keep": -1}"#] {
            assert!(serde_json::from_str::<Selectors>(policy).is_err(), "{policy}");
        }
    }
}
