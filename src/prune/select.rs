//! Selectors: which images are stale, judged one by one. Every selector narrows the selection, an unknown value never
//! matches, and each answer has a reason. `graph` knows how images depend on each other.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;

use super::Stock;
use super::{
    age::{Age, Size, ago},
    names::{Names, labels},
};
use crate::{
    error::{Error, Kind, Result},
    image::{Provider, StoreRef},
    store::{Fact, Image},
};

/// Selectors compiled for one moment.
#[derive(Clone, Debug)]
pub struct Selection {
    pub(super) now: DateTime<Utc>,
    pub(super) older_than: Option<(DateTime<Utc>, Age)>,
    pub(super) built_before: Option<(DateTime<Utc>, Age)>,
    pub(super) not_pulled_for: Option<(DateTime<Utc>, Age)>,
    pub(super) archived_for: Option<(DateTime<Utc>, Age)>,
    pub(super) untagged: bool,
    pub(super) tag: Names,
    pub(super) tag_regex: Vec<Regex>,
    pub(super) any_tag: bool,
    /// Each must match a tag.
    pub(super) has_tag: Vec<Names>,
    pub(super) exclude: Names,
    pub(super) keep: Option<usize>,
    pub(super) keep_untagged: Option<usize>,
    pub(super) keep_total: Option<usize>,
    /// Nothing but `--keep` selects, and it is about tagged images.
    pub(super) only_tagged: bool,
    /// Nothing but `--keep-untagged` selects.
    pub(super) only_untagged: bool,
    pub(super) keep_semver: bool,
    pub(super) larger_than: Option<Size>,
    pub(super) state: Vec<String>,
    pub(super) orphans: bool,
}

/// What the selectors say of an image, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Fits(String),
    Not(String),
}

/// What other images tell about an image.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'s> {
    pub provider: Provider,
    /// The latest pull of the image or of anything that it holds.
    pub pulled: Option<DateTime<Utc>>,
    /// Its subject, if that is not in the store.
    pub orphan_of: Option<&'s str>,
}

impl Selection {
    /// Reckons ages by the clock of a service, if this machine's clock is so far ahead of it that images would look older
    /// than they are.
    pub fn by_clock(&self, ahead: Option<TimeDelta>) -> Cow<'_, Self> {
        let Some(ahead) = ahead else { return Cow::Borrowed(self) };
        let mut selection = self.clone();
        selection.now -= ahead;
        let ages = [
            &mut selection.older_than,
            &mut selection.built_before,
            &mut selection.not_pulled_for,
            &mut selection.archived_for,
        ];
        for (moment, age) in ages.into_iter().flatten() {
            *moment = age.moment(selection.now).unwrap_or(*moment);
        }
        Cow::Owned(selection)
    }

    /// The facts about images that these selectors need.
    pub fn needs(&self) -> Vec<Fact> {
        self.asked().into_iter().filter(|asked| asked.0).map(|asked| asked.1).collect()
    }

    /// Refuses selectors that a store cannot answer, by the facts that it tells: it would look as if no image fits, or all.
    pub fn answered(&self, store: &StoreRef, told: &[Fact]) -> Result<()> {
        match self.asked().into_iter().find(|(given, fact, ..)| *given && !told.contains(fact)) {
            None => Ok(()),
            Some((_, _, flag, what, instead)) => {
                let message = format!("{flag} cannot be used for {store}: it does not tell {what}");
                Err(Error::new(Kind::Unsupported, message).hint(instead))
            }
        }
    }

    /// Whether a fact is needed, the flag that needs it, what that asks, and what to do without it.
    fn asked(&self) -> [(bool, Fact, &'static str, &'static str, &'static str); 4] {
        const BUILT: &str = "--built-before selects by the date of the build, --tag and --keep-semver by names";
        [
            (self.older_than.is_some(), Fact::Age, "--older-than", "when an image was pushed", BUILT),
            (self.not_pulled_for.is_some(), Fact::Pull, "--not-pulled-for", "when an image was pulled", BUILT),
            (
                self.untagged || self.keep_untagged.is_some(),
                Fact::Untagged,
                if self.untagged { "--untagged" } else { "--keep-untagged" },
                "which images have no tag",
                "the registry's own garbage collection removes these",
            ),
            (
                self.built_before.is_some(),
                Fact::Built,
                "--built-before",
                "when an image was built",
                "--older-than selects by the date of the push",
            ),
        ]
    }

    /// Whether the answer for one image depends on all others, so that a listing cannot be filtered page by page.
    pub fn needs_all(&self) -> bool {
        self.keeps_newest() || self.keep_semver || self.orphans
    }

    /// Whether it keeps the newest of some images.
    pub fn keeps_newest(&self) -> bool {
        self.keep.or(self.keep_untagged).or(self.keep_total).is_some()
    }

    /// Whether the selectors may choose this image, judging by its listing. More knowledge only keeps more.
    pub fn may_choose(&self, image: &Image, provider: Provider) -> bool {
        let around = Surroundings { provider, pulled: image.pulled_at, orphan_of: Some("") };
        matches!(self.judge(image, around), Judgement::Fits(_))
    }

    pub fn wants_orphans(&self) -> bool {
        self.orphans
    }

    /// The same without `--keep` and its like: selects every image that may become a candidate.
    pub fn without_keep(&self) -> Self {
        Self { keep: None, keep_untagged: None, keep_total: None, ..self.clone() }
    }

    /// Judges one image. The first selector that does not match is the reason to keep it.
    pub fn judge(&self, image: &Image, around: Surroundings) -> Judgement {
        let mut why = Vec::new();
        let tests = [
            self.by_orphan(around.orphan_of),
            self.by_labels(image, around.provider),
            self.by_each_tag(image, around.provider),
            self.by_age(image),
            self.by_build(image),
            self.by_pull(image, around.pulled),
            self.by_archiving(image),
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

    /// Why an image is excluded.
    pub fn excluded(&self, store: &StoreRef, image: &Image) -> Option<String> {
        let (label, pattern) = self.exclude.find(store, image)?;
        Some(format!("{label} matches --exclude {pattern}"))
    }

    /// The exclusions that match no image of some stores.
    pub fn unmatched<'s>(&'s self, stocks: &[Stock]) -> impl Iterator<Item = &'s str> {
        self.exclude.unmatched(stocks)
    }

    fn by_orphan(&self, orphan_of: Option<&str>) -> Option<Result<String, String>> {
        self.orphans.then(|| match orphan_of {
            Some(subject) => Ok(format!("its subject is not in these stores ({})", short(subject))),
            None => Err("not an orphan".into()),
        })
    }

    fn by_labels(&self, image: &Image, provider: Provider) -> Option<Result<String, String>> {
        let labels: Vec<_> = labels(provider, image).collect();
        if self.untagged {
            let tagged = || labels.first().map_or("machine images have no tags".into(), |tag| format!("tagged {tag}"));
            let bare = provider.has_containers() && labels.is_empty();
            return Some(if bare { Ok("untagged".into()) } else { Err(tagged()) });
        }
        if self.tag.is_empty() && self.tag_regex.is_empty() {
            let untagged = provider.has_containers() && labels.is_empty();
            return match untagged {
                true if self.only_tagged => Some(Err("untagged, and --keep selects tagged images".into())),
                false if self.only_untagged => Some(Err("--keep-untagged selects untagged images".into())),
                _ => None,
            };
        }
        let fits = |label: &&str| {
            (self.tag.is_empty() || self.tag.fit(label).is_some())
                && (self.tag_regex.is_empty() || self.tag_regex.iter().any(|regex| regex.is_match(label)))
        };
        let kind = if provider.has_containers() { "tag" } else { "name" };
        let said = |label: &str| format!("{kind} {label}");
        let (fit, other): (Vec<&str>, Vec<&str>) = labels.into_iter().partition(fits);
        Some(match (fit.first(), other.first()) {
            (None, None) => Err("untagged, so no pattern matches".into()),
            (None, Some(other)) => Err(format!("{} does not match", said(other))),
            (Some(_), Some(other)) if !self.any_tag => Err(format!("{} does not match, another tag does", said(other))),
            (Some(fit), _) => Ok(format!("{} matches", said(fit))),
        })
    }

    fn by_each_tag(&self, image: &Image, provider: Provider) -> Option<Result<String, String>> {
        let mut found = Vec::new();
        for names in &self.has_tag {
            match labels(provider, image).find(|label| names.fit(label).is_some()) {
                Some(label) => found.push(format!("has tag {label}")),
                None => return Some(Err(format!("no tag matches {}", names.all().collect::<Vec<_>>().join(", ")))),
            }
        }
        (!found.is_empty()).then(|| Ok(found.join(", ")))
    }

    fn by_archiving(&self, image: &Image) -> Option<Result<String, String>> {
        let (moment, age) = self.archived_for.as_ref()?;
        Some(match image.archived_at {
            None => Err("it was never archived".into()),
            Some(at) => self.compare("archived", "longer than", at, *moment, age),
        })
    }

    fn by_age(&self, image: &Image) -> Option<Result<String, String>> {
        let (moment, age) = self.older_than.as_ref()?;
        // Some registries tell when an image last got a tag: somebody may have pushed it again under another name.
        let last = image.pushed_at.max(image.activated_at);
        Some(match (last.max(image.pushed_at.and(image.updated_at)), image.created_at) {
            (None, None) => Err("its age is unknown".into()),
            (Some(at), _) if Some(at) > last => self.compare("updated", "older than", at, *moment, age),
            (Some(at), _) if Some(at) > image.pushed_at => self.compare("restored", "older than", at, *moment, age),
            (Some(at), _) => self.compare("pushed", "older than", at, *moment, age),
            (None, Some(at)) => self.compare("created", "older than", at, *moment, age),
        })
    }

    fn by_build(&self, image: &Image) -> Option<Result<String, String>> {
        let (moment, age) = self.built_before.as_ref()?;
        Some(match image.built_at {
            None => Err("when it was built is unknown".into()),
            Some(at) => self.compare("built", "older than", at, *moment, age),
        })
    }

    fn by_pull(&self, image: &Image, pulled: Option<DateTime<Utc>>) -> Option<Result<String, String>> {
        let (moment, age) = self.not_pulled_for.as_ref()?;
        Some(match pulled.map(|at| at.max(image.activated_at.unwrap_or(at))) {
            None => Err("no pull is recorded".into()),
            Some(at) if Some(at) > pulled => self.compare("restored", "longer than", at, *moment, age),
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
            None => Err("its size is unknown".into()),
            Some(bytes) if bytes > size.bytes => Ok(format!("larger than {size}")),
            Some(_) => Err(format!("not larger than {size}")),
        })
    }

    fn by_state(&self, image: &Image) -> Option<Result<String, String>> {
        if self.state.is_empty() {
            return None;
        }
        Some(match image.state.as_deref().map(str::to_ascii_lowercase) {
            None => Err("its state is unknown".into()),
            Some(state) if self.state.contains(&state) => Ok(format!("state {state}")),
            Some(state) => Err(format!("state {state}")),
        })
    }
}

/// A digest shortened for a sentence.
pub fn short(digest: &str) -> &str {
    // Docker shows twelve digits.
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use crate::prune::sample::Shelf;

    #[test]
    fn every_selector_narrows_and_unknown_values_never_match() {
        let table: [(&[&str], &[usize], &str); 8] = [
            (&["--older-than", "30d"], &[1, 4], "pushed 40 days ago, older than 30d"),
            (&["--older-than", "2025-05-01"], &[1, 4], "pushed 40 days ago, older than 2025-05-01"),
            (&["--larger-than", "99"], &[1, 2, 3], "larger than 99"),
            (&["--state", "archived"], &[1], "state archived"),
            (&["--tag", "a*"], &[1, 2], "tag a1 matches"),
            (&["--tag", "a*", "--tag", "b*"], &[1, 2, 3], "tag a1 matches"),
            (&["--tag", "a*", "--tag-regex", "1$"], &[1], "tag a1 matches"),
            (&["--tag", "a*", "--older-than", "30d"], &[1], "tag a1 matches, pushed 40 days ago, older than 30d"),
        ];
        for (flags, goes, reason) in table {
            let told = Shelf::new()
                .with(1, &["a1"], 40, |image| image.state = Some("ARCHIVED".into()))
                .image(2, &["a2"], 1)
                .with(3, &["b1", "a1"], 40, |image| image.pushed_at = None)
                .with(4, &[], 40, |image| image.bytes = None)
                .prune(flags);
            assert_eq!(told.deleted(), goes, "{flags:?}");
            assert_eq!(told.reason(1), reason, "{flags:?}");
        }
    }

    #[test]
    fn an_image_exactly_as_old_as_the_limit_is_not_older() {
        assert_eq!(Shelf::new().image(1, &["a"], 30).prune(&["--older-than", "30d"]).deleted(), [0; 0]);
    }
}
