//! The rules of a store in their order. The first rule that matches an image decides about it; an image that no rule matches
//! is kept. The selectors of a command line are one rule that matches every image.

use chrono::TimeDelta;

use super::{
    Selection, Stock,
    select::{Judgement, Surroundings},
};
use crate::{
    error::Result,
    image::{Provider, StoreRef},
    store::{Fact, Image},
};

/// All rules that decide about the images of a store.
#[derive(Clone, Debug)]
pub struct Clauses(Vec<Clause>);

/// One rule.
#[derive(Clone, Debug)]
pub struct Clause {
    /// As reasons quote it: `rule "releases"`. The only rule of a policy needs none.
    pub name: Option<String>,
    /// The images that it is about; `None` if it is about all.
    pub about: Option<Selection>,
    pub verdict: Verdict,
}

/// What a rule does with its images.
#[derive(Clone, Debug)]
pub enum Verdict {
    Keep,
    /// Deletes those that also match these selectors.
    Delete(Box<Selection>),
}

impl From<Selection> for Clauses {
    fn from(selection: Selection) -> Self {
        Self(vec![Clause { name: None, about: None, verdict: Verdict::Delete(Box::new(selection)) }])
    }
}

impl FromIterator<Clause> for Clauses {
    fn from_iter<I: IntoIterator<Item = Clause>>(clauses: I) -> Self {
        Self(clauses.into_iter().collect())
    }
}

impl Clauses {
    pub fn all(&self) -> impl Iterator<Item = (usize, &Clause)> {
        self.0.iter().enumerate()
    }

    pub fn rule(&self, number: usize) -> &Clause {
        &self.0[number]
    }

    /// The rule that decides about an image, and why it matches.
    pub fn first(&self, image: &Image, around: Surroundings) -> Option<(usize, &Clause, String)> {
        self.all().find_map(|(number, clause)| Some((number, clause, clause.matches(image, around)?)))
    }

    fn selections(&self) -> impl Iterator<Item = &Selection> {
        self.0.iter().filter_map(Clause::selection)
    }

    /// Whether a rule may choose this image, judging by its listing. More knowledge only keeps more.
    pub fn may_choose(&self, image: &Image, provider: Provider) -> bool {
        self.selections().any(|selection| selection.may_choose(image, provider))
    }

    /// The facts about images that these rules need.
    pub fn needs(&self) -> Vec<Fact> {
        self.every_selection().flat_map(Selection::needs).collect()
    }

    /// Refuses rules that a store cannot answer, by the facts that it tells.
    pub fn answered(&self, store: &StoreRef, told: &[Fact]) -> Result<()> {
        self.every_selection().try_for_each(|selection| selection.answered(store, told))
    }

    fn every_selection(&self) -> impl Iterator<Item = &Selection> {
        self.0.iter().filter_map(|clause| clause.about.as_ref()).chain(self.selections())
    }

    pub fn want_orphans(&self) -> bool {
        self.selections().any(Selection::wants_orphans)
    }

    /// The same without `--keep` and its like.
    pub fn without_keep(&self) -> Self {
        self.each(Selection::without_keep)
    }

    /// Reckons ages by the clock of a service, which this machine's clock is ahead of.
    pub fn by_clock(&self, ahead: TimeDelta) -> Self {
        self.each(|selection| selection.by_clock(Some(ahead)).into_owned())
    }

    fn each(&self, change: impl Fn(&Selection) -> Selection) -> Self {
        let changed = |clause: &Clause| Clause {
            verdict: match &clause.verdict {
                Verdict::Keep => Verdict::Keep,
                Verdict::Delete(selection) => Verdict::Delete(Box::new(change(selection))),
            },
            ..clause.clone()
        };
        self.0.iter().map(changed).collect()
    }

    /// Why an image is excluded from all rules.
    pub fn excluded(&self, store: &StoreRef, image: &Image) -> Option<String> {
        self.selections().find_map(|selection| selection.excluded(store, image))
    }

    /// The exclusions that match no image of some stores.
    pub fn unmatched<'s>(&'s self, stocks: &'s [Stock]) -> impl Iterator<Item = &'s str> {
        self.selections().flat_map(|selection| selection.unmatched(stocks))
    }
}

impl Clause {
    /// The selectors of those images that it deletes.
    pub fn selection(&self) -> Option<&Selection> {
        match &self.verdict {
            Verdict::Keep => None,
            Verdict::Delete(selection) => Some(selection),
        }
    }

    /// Why it decides about this image. Only a rule for orphans deletes an orphan.
    fn matches(&self, image: &Image, around: Surroundings) -> Option<String> {
        let orphans = self.selection().is_none_or(Selection::wants_orphans);
        if around.orphan_of.is_some() && !orphans {
            return None;
        }
        match self.about.as_ref().map(|about| about.judge(image, around)) {
            None => Some(String::new()),
            Some(Judgement::Fits(why)) => Some(why),
            Some(Judgement::Not(_)) => None,
        }
    }

    /// A reason, with the name of the rule before it.
    pub fn says(&self, why: &str) -> String {
        match &self.name {
            Some(name) if why.is_empty() => name.clone(),
            Some(name) => format!("{name}: {why}"),
            None => why.to_owned(),
        }
    }
}
